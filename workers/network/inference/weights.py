"""Checks of what a node says of its weights, and of weights that are another node's."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from math import prod

from torch import nn

from app.errors import Problem, first_line
from app.spec.hints.names import choices, did_you_mean
from workers.network.analysis.parameters import index_parameters
from workers.network.blueprint import Blueprint, Parameters
from workers.network.inference.input_checks import META, NodeError
from workers.network.inference.partial_network import InferredNode
from workers.network.kinds.leaves import INITIALISERS
from workers.network.kinds.module_kind import ModuleKind
from workers.network.kinds.weights import chosen_initialisers, finish_weights


def check_weights(name: str, row: ModuleKind, parameters: Parameters) -> None:
    """Check initialisers and the parametrization of a node with complete parameters. Raises `NodeError`."""
    init, chosen, tie = (parameters.get(field) for field in ("init", "parametrization", "tie"))
    if init is None and chosen is None and tie is None:
        return
    with META:
        module = row.module({**parameters, "init": None, "parametrization": None})
    shapes = {each: tuple(value.shape) for each, value in module.named_parameters()}
    for pattern in init or ():
        if not any(fnmatchcase(each, pattern) for each in shapes):
            raise NodeError(f"{name} has no weight {pattern}", choices(shapes), field="init", code="unknown_weight")
    for each in (tie or {}).keys() - shapes.keys():
        hint = did_you_mean(each, shapes) or choices(shapes)
        raise NodeError(f"{name} has no weight {each}", hint, field="tie", code="unknown_weight")
    filled = chosen_initialisers(module, init or {})
    if both := filled.keys() & (tie or {}).keys():
        detail = f"{both.pop()} of {name} is another node's, which has its own initial values"
        raise NodeError(detail, "remove it from init", field="init", code="contradiction")
    for each, initialiser in filled.items():
        _check_initialiser(name, each, initialiser.kind, shapes[each])
    if chosen is not None:
        _check_parametrization(name, module, parameters, shapes)


def _check_initialiser(name: str, weight: str, kind: str, shape: tuple[int, ...]) -> None:
    row = INITIALISERS[kind]
    if not row.min_dimensions <= len(shape) <= row.max_dimensions:
        most = " or more" if row.max_dimensions > 5 else f" to {row.max_dimensions}"
        needs = f"{row.min_dimensions}{most}" if row.max_dimensions > row.min_dimensions else f"{row.min_dimensions}"
        detail = f"{kind} needs a tensor of {needs} dimensions, {weight} of {name} has {len(shape)}"
        hint = "give it an initialiser such as zeros, ones, constant, normal or uniform"
        raise NodeError(detail, hint, field="init", code="invalid_value")


def _check_parametrization(name: str, module: nn.Module, parameters: Parameters, shapes: Mapping[str, object]) -> None:
    chosen = parameters["parametrization"]
    weight = chosen.settings()["name"]
    if weight not in shapes:
        hint = did_you_mean(weight, shapes) or choices(shapes)
        detail = f"{name} has no weight {weight}"
        raise NodeError(detail, f"set name: {hint}", field="parametrization", code="unknown_weight")
    if weight in (parameters.get("tie") or {}):
        detail = f"{weight} of {name} is another node's"
        raise NodeError(detail, "parametrize it there", field="parametrization", code="contradiction")
    if isinstance(module, nn.RNNBase | nn.MultiheadAttention) or "Transformer" in type(module).__name__:
        detail = f"torch computes {name} from its plain weights, and not from parametrized ones"
        raise NodeError(detail, "use cells, or Linear layers", field="parametrization", code="not_supported")
    try:
        with META:
            finish_weights(module, {"init": None, "parametrization": chosen})
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise NodeError(f"{name}: {first_line(error)}", "", field="parametrization", code="invalid_value") from None


def check_ties(blueprint: Blueprint, traces: list[InferredNode]) -> Iterable[Problem]:
    """Yield the problems of weights that nodes of a body have of each other, and count such weights once.

    The traces of nodes whose weights are another node's are replaced in place.
    """
    if not any(trace.node.parameters.get("tie") for trace in traces if "tie" in trace.node.parameters):
        return
    shapes = {name: info.shape for name, info in index_parameters(blueprint).weights.items()}
    tied = {f"{trace.node.id}.{name}" for trace in traces for name in (dict(trace.node.parameters).get("tie") or {})}
    for place, node in enumerate([trace.node for trace in traces]):
        for name, source in (dict(node.parameters).get("tie") or {}).items():
            own, where = shapes[f"{node.id}.{name}"], f"{node.pointer}/tie/{name}"
            holder, _, last = source.rpartition(".")
            if any(each.startswith(f"{holder}.parametrizations.{last}.") for each in shapes):
                detail = f"{source} is computed by a parametrization"
                yield Problem(where, "unknown_weight", detail, "name a plain weight, or remove the parametrization")
            elif source not in shapes:
                others = [each for each in shapes if each not in tied]
                hint = did_you_mean(source, others) or choices(others)
                yield Problem(where, "unknown_weight", f"{source} is no weight of this network", hint)
            elif source in tied:
                yield Problem(where, "unknown_weight", f"{source} is another node's itself", "name that one's")
            elif shapes[source] != own:
                given, needed = ("x".join(map(str, each)) for each in (shapes[source], own))
                detail = f"{name} of {node.id} is {needed}, but {source} is {given}"
                yield Problem(where, "shape_mismatch", detail, "make both of one size")
            else:
                traces[place] = replace(traces[place], parameters=traces[place].parameters - prod(own))
