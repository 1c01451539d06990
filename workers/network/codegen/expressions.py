"""Python expressions and statements as text: values, keyword arguments, and tensors that a network holds."""

import inspect
from collections.abc import Mapping

import torch

from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.inference.input_checks import META
from workers.network.kinds.leaves import INITIALISERS, LeafKind
from workers.network.kinds.module_kind import ModuleKind
from workers.network.kinds.weights import chosen_initialisers, tied_parameters


def dict_expression(values: Mapping[str, str]) -> str:
    """Return a dict whose values are expressions."""
    return "{" + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}"


def keywords(values: Mapping[str, object]) -> str:
    """Return keyword arguments, joined."""
    return ", ".join(keyword_list(values))


def keyword_list(values: Mapping[str, object]) -> list[str]:
    """Return keyword arguments."""
    return [f"{name}={value!r}" for name, value in values.items()]


def non_default_arguments(row: ModuleKind, node: ResolvedNode) -> dict[str, object]:
    """Return the arguments of the constructor that differ from its defaults."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(row.build).parameters.items()}
    arguments = row.arguments(node.parameters)
    return {name: value for name, value in arguments.items() if name not in defaults or value != defaults[name]}


def call_arguments(row: ModuleKind, node: ResolvedNode) -> dict[str, object]:
    """Return the arguments of a module's call that differ from the defaults of its function."""
    if row.call is None:
        return {}
    defaults = {name: parameter.default for name, parameter in inspect.signature(row.call).parameters.items()}
    given = {name: node.parameters[name] for name in row.call_parameters if name in defaults}
    return {name: value for name, value in given.items() if value != defaults[name]}


def leaf_statements(node: ResolvedNode, row: LeafKind) -> list[str]:
    """Return the statements that register a leaf's tensor and fill it."""
    if row.storage == "constant":
        value = f"torch.tensor({node.parameters['value']!r}, dtype={torch.float32})"
        return [f'self.register_buffer("{node.id}", {value}, persistent=False)']
    empty = f"torch.empty({node.parameters['shape']!r})"
    init = node.parameters["init"]
    filler = INITIALISERS[init.kind]
    arguments = keywords(filler.arguments(init))
    place = (
        f"self.{node.id} = nn.Parameter({empty})"
        if row.storage == "parameter"
        else (f'self.register_buffer("{node.id}", {empty})')
    )
    return [place, f"nn.init.{filler.function.__name__}(self.{node.id}{', ' if arguments else ''}{arguments})"]


def weight_statements(node: ResolvedNode, row: ModuleKind) -> list[str]:
    """Return the statements that fill and parametrize the weights of a node's module."""
    statements: list[str] = []
    if not row.has_weights:
        return statements
    place = f"self.{node.id}"
    if node.parameters.get("init") is not None:
        with META:
            module = row.module({**node.parameters, "init": None, "parametrization": None})
        for name, init in chosen_initialisers(module, node.parameters["init"]).items():
            filler = INITIALISERS[init.kind]
            arguments = ", ".join([_attribute(f"{node.id}.{name}"), *keyword_list(filler.arguments(init))])
            statements.append(f"nn.init.{filler.function.__name__}({arguments})")
    if (chosen := node.parameters.get("parametrization")) is not None:
        settings = chosen.settings()
        path, _, name = f"{node.id}.{settings.pop('name')}".rpartition(".")
        owner = place if path == node.id else _attribute(path, "get_submodule")
        arguments = ", ".join([owner, repr(name), *keyword_list(settings)])
        statements.append(f"nn.utils.parametrizations.{chosen.kind}({arguments})")
    return statements


def tie_statements(blueprint: Blueprint) -> list[str]:
    """Return the statements that put the parameters of other nodes into nodes."""
    statements = []
    for node, name, source in tied_parameters(blueprint):
        path, _, last = f"{node}.{name}".rpartition(".")
        statements.append(f"{_attribute(path, 'get_submodule')}.{last} = {_attribute(source)}")
    return statements


def _attribute(path: str, getter: str = "get_parameter") -> str:
    """Return the expression of a part of a module: parts in lists have numbers for names."""
    return f"self.{path}" if all(map(str.isidentifier, path.split("."))) else f'self.{getter}("{path}")'
