"""`model.py`: a built network as plain PyTorch source, for use without this service."""

import inspect
from collections.abc import Callable, Mapping
from keyword import iskeyword
from typing import Any

import torch

from workers.network.blueprint import Blueprint, Settled
from workers.network.build import BuiltNetwork
from workers.network.calls import attend, reshape, run_recurrent
from workers.network.catalog import CATALOG
from workers.network.leaves import INITIALISERS, Leaf
from workers.network.modules import Module
from workers.network.operations import Operation

HEADER = '''"""A network trained with Graftwerk, in plain PyTorch.

    network = Network()
    network.load_state_dict(safetensors.torch.load_file("weights.safetensors"))

or, without the package safetensors, from weights.pth:

    network.load_state_dict(torch.{load}("weights.pth", weights_only=True))

Call `network.eval()` before predicting.
"""
'''
PACKING = "from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence\n"
CARRIED = (run_recurrent, attend, reshape)  # functions whose source the file carries, where it uses them
TAKEN = frozenset({"self", "torch", "nn", "Tensor", "Sequence"} | {function.__name__ for function in CARRIED})


def write_source(network: BuiltNetwork) -> str:
    """Return the source of `class Network(nn.Module)`.

    `forward` takes the inputs in order, each (N, …), and returns the output, or a dict where there are several. Its
    `state_dict` has the keys of the built network's.
    """
    blueprint = network.blueprint
    names = _variables(blueprint)
    arguments = [f"{names[name]}: Tensor" for name in blueprint.inputs]
    result = "Tensor" if len(blueprint.outputs) == 1 else "dict[str, Tensor]"
    parts, body = ["super().__init__()"], []
    used: set[Callable[..., Any]] = set()
    for node in blueprint.nodes:
        row = CATALOG[node.kind]
        if isinstance(row, Leaf):
            parts += _leaf(node, row)
            names[node.id] = f"self.{node.id}"
            continue
        if isinstance(row, Module):
            parts.append(f"self.{node.id} = nn.{row.build.__name__}({_keywords(_explicit(row, node))})")
        inputs = [names[name] for name in node.inputs]
        body.append(f"{names[node.id]} = {_call(node, row, inputs)}")
        used.add(row.function if isinstance(row, Operation) else row.call or row.build)
    results = {name: names[source] for name, source in blueprint.outputs.items()}
    body.append("return " + (next(iter(results.values())) if len(results) == 1 else _dict(results)))
    lines = [
        "class Network(nn.Module):",
        "    def __init__(self) -> None:",
        *(f"        {line}" for line in parts),
        "",
        f"    def forward(self, {', '.join(arguments)}) -> {result}:",
        *(f"        {line}" for line in body),
    ]
    return _preamble(used) + "\n".join(lines) + "\n"


def _preamble(used: set[Callable[..., Any]]) -> str:
    carried = [function for function in CARRIED if function in used]
    imports = "from collections.abc import Sequence\n\n" if reshape in used else ""
    imports += "import torch\nfrom torch import Tensor, nn\n" + (PACKING if run_recurrent in used else "")
    sources = "".join(f"{inspect.getsource(function)}\n\n" for function in carried)
    return HEADER.format(load="load") + f"\n{imports}\n\n{sources}"


def _variables(blueprint: Blueprint) -> dict[str, str]:
    """Return the local variable of every input and node: its name, with underscores after it where that is taken."""
    names = dict.fromkeys([*blueprint.inputs, *(node.id for node in blueprint.nodes)])
    variables = {}
    for name in names:
        variable = name
        while variable in TAKEN or iskeyword(variable) or (variable != name and variable in names):
            variable += "_"
        variables[name] = variable
    return variables


def _dict(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}"


def _keywords(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def _explicit(row: Module, node: Settled) -> dict[str, Any]:
    """Return the arguments of the constructor that differ from its defaults."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(row.build).parameters.items()}
    arguments = row.arguments(node.parameters)
    return {name: value for name, value in arguments.items() if name not in defaults or value != defaults[name]}


def _call(node: Settled, row: Module | Operation, inputs: list[str]) -> str:
    joined = ", ".join(inputs)
    if isinstance(row, Module):
        if row.call is None:
            return f"self.{node.id}({joined})"
        called = "".join(f", {name}={node.parameters[name]!r}" for name in row.called)
        return f"{row.call.__name__}(self.{node.id}, {joined}{called})"
    keywords = _keywords(row.keywords(node.parameters))
    function = row.function.__name__ if row.function in CARRIED else f"torch.{row.function.__name__}"
    return f"{function}({f'[{joined}]' if row.listed else joined}{', ' if keywords else ''}{keywords})"


def _leaf(node: Settled, row: Leaf) -> list[str]:
    if row.place == "constant":
        value = f"torch.tensor({node.parameters['value']!r}, dtype={torch.float32})"
        return [f'self.register_buffer("{node.id}", {value}, persistent=False)']
    empty = f"torch.empty({node.parameters['shape']!r})"
    init = node.parameters["init"]
    filler = INITIALISERS[init.kind]
    arguments = _keywords(filler.arguments(init))
    place = f"self.{node.id} = nn.Parameter({empty})" if row.place == "parameter" else (
        f'self.register_buffer("{node.id}", {empty})')  # fmt: skip
    return [place, f"nn.init.{filler.function.__name__}(self.{node.id}{', ' if arguments else ''}{arguments})"]
