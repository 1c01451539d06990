"""Checks of what a node says of its weights, and of weights that are another node's."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from math import prod

from torch import nn

from app.errors import Problem, first_line
from app.spec.hints.names import choices, did_you_mean
from app.spec.kinds import KindModel
from app.spec.network.nodes import WiredNode
from workers.network.analysis.parameters import index_parameters
from workers.network.blueprint import Blueprint, Parameters
from workers.network.inference.input_checks import META, NodeError
from workers.network.inference.partial_network import InferredNode
from workers.network.kinds.leaves import INITIALISERS
from workers.network.kinds.module_kind import ModuleKind
from workers.network.kinds.weights import chosen_initialisers, finish_weights


def check_weights(name: str, row: ModuleKind, parameters: Parameters) -> None:
    """Check what a node with complete parameters says of its weights. Raises `NodeError` with all mistakes."""
    init, chosen, tie = (parameters.get(field) for field in ("init", "parametrization", "tie"))
    if init is None and chosen is None and tie is None:
        return
    with META:
        module = row.module({**parameters, "init": None, "parametrization": None})
    shapes = {each: tuple(value.shape) for each, value in module.named_parameters()}
    errors = [*_initialiser_errors(name, shapes, init or {}, chosen_initialisers(module, init or {}), tie or {})]
    for each in sorted((tie or {}).keys() - shapes.keys()):
        hint = did_you_mean(each, shapes) or choices(shapes)
        errors.append(NodeError(f"{name} has no weight {each}", hint, field=f"tie/{each}", code="unknown_weight"))
    if chosen is not None:
        errors += _parametrization_errors(name, module, parameters, shapes)
    if errors:
        errors[0].others = tuple(errors[1:])
        raise errors[0]


def _initialiser_errors(
    name: str,
    shapes: Mapping[str, tuple[int, ...]],
    init: Mapping[str, KindModel],
    filled: Mapping[str, KindModel],
    tie: Mapping[str, str],
) -> Iterator[NodeError]:
    """Yield patterns without a weight, weights that are another node's, and shapes that a kind cannot fill."""
    for pattern in init:
        if not any(fnmatchcase(each, pattern) for each in shapes):
            detail = f"{name} has no weight {pattern}"
            yield NodeError(detail, choices(shapes), field=f"init/{pattern}", code="unknown_weight")
    reported = set[str]()  # kinds: one that cannot fill a bias cannot fill any of them
    for each, initialiser in filled.items():
        if each in tie:
            detail = f"{each} of {name} is another node's, which has its own initial values"
            yield NodeError(detail, "remove it from init", field="init", code="contradiction")
        elif initialiser.kind not in reported and (error := _shape_error(name, each, initialiser.kind, shapes[each])):
            reported.add(initialiser.kind)
            yield error


def _shape_error(name: str, weight: str, kind: str, shape: tuple[int, ...]) -> NodeError | None:
    row = INITIALISERS[kind]
    if row.min_dimensions <= len(shape) <= row.max_dimensions:
        return None
    most = " or more" if row.max_dimensions > 5 else f" to {row.max_dimensions}"
    needs = f"{row.min_dimensions}{most}" if row.max_dimensions > row.min_dimensions else f"{row.min_dimensions}"
    detail = f"{kind} needs a tensor of {needs} dimensions, {weight} of {name} has {len(shape)}"
    hint = "give it an initialiser such as zeros, ones, constant, normal or uniform"
    return NodeError(detail, hint, field="init", code="invalid_value")


def _parametrization_errors(
    name: str, module: nn.Module, parameters: Parameters, shapes: Mapping[str, object]
) -> Iterator[NodeError]:
    """Yield why a parametrization cannot be, the first reason alone."""
    chosen = parameters["parametrization"]
    weight = chosen.settings()["name"]
    if weight not in shapes:
        hint = did_you_mean(weight, shapes) or choices(shapes)
        detail = f"{name} has no weight {weight}"
        yield NodeError(detail, f"set name: {hint}", field="parametrization", code="unknown_weight")
    elif weight in (parameters.get("tie") or {}):
        detail = f"{weight} of {name} is another node's"
        yield NodeError(detail, "parametrize it there", field="parametrization", code="contradiction")
    elif isinstance(module, nn.RNNBase | nn.MultiheadAttention) or "Transformer" in type(module).__name__:
        detail = f"torch computes {name} from its plain weights, and not from parametrized ones"
        yield NodeError(detail, "use cells, or Linear layers", field="parametrization", code="not_supported")
    else:
        try:
            with META:
                finish_weights(module, {"init": None, "parametrization": chosen})
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            yield NodeError(f"{name}: {first_line(error)}", "", field="parametrization", code="invalid_value")


def check_named_nodes(nodes: Iterable[WiredNode], known: Sequence[str], place: str) -> Iterator[Problem]:
    """Yield weights of nodes that do not exist, of which other nodes of unknown shapes say that they are theirs."""
    for wired in nodes:
        settings = wired.node.settings()
        for name, source in (settings.get("tie") or {}).items():
            node = source.partition(".")[0]
            if node not in known:
                hint = did_you_mean(node, known) or choices(known)
                detail = f"{source} is no weight of this network, which has no node {node}"
                yield Problem(f"{place}{wired.pointer}/tie/{name}", "unknown_weight", detail, hint)


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
