"""From a spec to a blueprint: node by node on the meta device, where tensors have shapes and no memory."""

import re
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from app.errors import Problem, first_line
from app.spec.data.columns import DataSchema
from app.spec.network.network import Network
from app.spec.network.nodes import NODE_KINDS, Body, WiredNode
from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.inference.control_flow import BodyInference, UnresolvedBodyError
from workers.network.inference.costs import count_weights
from workers.network.inference.input_checks import (
    SYMBOLIC_BATCH_SIZE,
    NodeError,
    Parameters,
    check_dimension,
    check_dtypes,
    check_lengths,
    check_scalar,
    describe_shape,
    resolve_parameters,
)
from workers.network.inference.partial_network import InferredNode, PartialNetwork
from workers.network.inference.shape_rules import POINTWISE_KINDS, apply_shape_rule
from workers.network.inference.vocabulary_sizes import VocabularySizes, resolve_vocabulary_size
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.control import ControlKind
from workers.network.kinds.functional import run_recurrent
from workers.network.kinds.leaves import INITIALISERS, LeafKind
from workers.network.kinds.modules import ModuleKind
from workers.network.kinds.operations import COMPARISONS, OperationKind
from workers.network.runtime.control_flow import as_tuple

META = torch.device("meta")
MAX_NODE_WEIGHTS = 1 << 40  # elements of one node's weights: more fits in no machine, and soon not in 64 bits
MAX_INFERENCE_COST = 1000  # how much torch is asked about one network; an operation is 1, see `Module.cost`
TORCH_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, AssertionError, ArithmeticError)
BROADCASTING_KINDS = frozenset({"add", "sub", "mul", "div", "pow", "maximum", "minimum", "where", *COMPARISONS})
HINTS = {
    "cat": "all dimensions but `dim` must be equal",
    "stack": "all shapes must be equal",
    "reshape": "0 keeps the dimension at that place, -1 is what is left",
    "matmul": "the last dimension of the first must equal the last but one of the second",
    **dict.fromkeys(BROADCASTING_KINDS, "dimensions must be equal, or 1"),
}


def infer_shapes(
    network: Network, schema: DataSchema, inputs: tuple[str, ...], skip: AbstractSet[str] = frozenset()
) -> PartialNetwork:
    """Settle every node. `skip` holds pointers of nodes that are known to be wrong; they are passed over in silence.

    Problems' pointers are relative to the network.
    """
    names = network.input_names(inputs)
    columns = [column for name in names if (column := schema.column(name)) is not None]
    values = {column.name: _column(column.shape, column.dtype) for column in columns}
    drafter = _ShapeInference(network, skip)
    for column in columns:
        drafter.vocabulary_sizes.record(values[column.name], column.classes)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):  # some leaves are filled, to try
        return drafter.body(network, values, inputs, "")


@dataclass
class _ShapeInference:
    """Drafts a network and the bodies in it; a body that is used twice on like values is drafted once."""

    network: Network
    skip: AbstractSet[str]
    inferred_nodes: dict[Any, InferredNode] = field(default_factory=dict)
    inferred_bodies: dict[Any, PartialNetwork] = field(default_factory=dict)
    shared_bodies: dict[str, PartialNetwork] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    vocabulary_sizes: VocabularySizes = field(default_factory=VocabularySizes)
    cost: int = 0

    def body(self, body: Body, values: dict[str, Tensor], inputs: tuple[str, ...], place: str) -> PartialNetwork:
        """Settle the nodes of a body, which stands at `place`, in an order in which each follows what it reads."""
        names = body.input_names(inputs)
        result = PartialNetwork(Blueprint(names, (), {}), values=values, problems=self.problems)
        for placed in body.wired_nodes(inputs):
            known = all(name in values for name in placed.inputs)
            trace = self._trace(placed, result, place) if known and place + placed.pointer not in self.skip else None
            values.pop(placed.id, None)  # a layer may be named like the input of the chain
            if trace is not None:
                result.nodes.append(trace)
                values |= trace.named_outputs()
        result.blueprint = Blueprint(names, tuple(trace.node for trace in result.nodes), body.output_names())
        return result

    def _trace(self, placed: WiredNode, result: PartialNetwork, place: str) -> InferredNode | None:
        """Return what a node does; a node like one before it, on inputs like those, is not computed again."""
        inputs = tuple(result.values[name] for name in placed.inputs)
        row, parameters = CATALOG[placed.node.kind], placed.node.settings()
        key = None
        if not isinstance(row, LeafKind | ControlKind):
            key = (placed.node.kind, tuple(parameters.items()), *map(self._type, inputs))
            if key in self.inferred_nodes:
                like = self.inferred_nodes[key]
                settled = replace(like.node, id=placed.id, inputs=placed.inputs, pointer=place + placed.pointer)
                return replace(like, node=settled, inputs=inputs)
        try:
            if isinstance(row, ControlKind):
                return self._with_bodies(placed, row, inputs, place)
            counted = self.vocabulary_sizes.get(inputs[0]) if inputs else None
            if isinstance(row, ModuleKind):
                parameters = resolve_vocabulary_size(placed.id, parameters, counted)
            trace = _infer_node(placed, row, parameters, inputs, place, self._spend)
            self.vocabulary_sizes.propagate(placed.node.kind, trace)
        except NodeError as found:
            where = place + placed.pointer + (f"/{found.field}" if found.field else "")
            self.problems.append(Problem(where, found.code, found.detail, found.hint))
            return None
        except UnresolvedBodyError:
            return None
        if key is not None:
            self.inferred_nodes[key] = trace
        return trace

    def _spend(self, name: str, cost: int) -> None:
        """Count what asking torch takes. Raises `Mismatch` once it is too much, and `Unsettled` from then on."""
        before, self.cost = self.cost, self.cost + cost
        if before > MAX_INFERENCE_COST:
            raise UnresolvedBodyError
        if self.cost > MAX_INFERENCE_COST:
            detail = f"the layers up to {name} are too many different ones to check"
            raise NodeError(detail, "give layers the same settings, which is checked once", code="too_many_different")

    def _with_bodies(self, placed: WiredNode, row: ControlKind, inputs: tuple[Tensor, ...], place: str) -> InferredNode:
        node, where = placed.node, place + placed.pointer
        written = node.bodies()
        forms = {name: self.network.resolve_body(ref) for name, (_, ref) in written.items()}

        def make(name: str, values: Sequence[Tensor]) -> tuple[PartialNetwork, str]:
            pointer, ref = written[name]
            at = f"/blocks/{ref}" if isinstance(ref, str) else where + pointer
            return self._inner(forms[name], values, at, f"{placed.id}: {name}"), at

        given = node.settings()
        shop = BodyInference(placed.id, given, forms, make)
        found = row.infer(shop, inputs)
        share = f"{given['name']} {given['share']}" if given.get("share") and "name" in given else None
        tied = share is not None and share in self.shared_bodies
        drafts = [inner.network for inner in shop.inferred.values()]
        if share is not None:
            if tied and self.shared_bodies[share] is not drafts[0]:
                raise NodeError(
                    f"{placed.id} shares parameters with a use on other shapes", "use another share", field="share"
                )
            self.shared_bodies[share] = drafts[0]
        bodies = {name: inner.network.blueprint for name, inner in shop.inferred.items()}
        settled = ResolvedNode(
            placed.id,
            node.kind,
            found.keywords,
            placed.inputs,
            where,
            self.network.node_output_names(node),
            bodies,
            share,
        )
        parameters, buffers = (
            (0, 0) if tied else (sum(draft.parameters for draft in drafts), sum(draft.buffers for draft in drafts))
        )
        return InferredNode(settled, inputs, found.outputs[0], parameters, buffers, found.outputs[1:], shop.inferred)

    def _inner(self, body: Body, values: Sequence[Tensor], place: str, who: str) -> PartialNetwork:
        names = body.input_names(("input",))
        if len(names) != len(values):
            wanted = ", ".join(names)
            raise NodeError(f"{who} takes {len(names)} inputs ({wanted}) and gets {len(values)}", "change its inputs")
        key = (place, *map(self._type, values))
        if key not in self.inferred_bodies:
            self.inferred_bodies[key] = self.body(body, dict(zip(names, values, strict=True)), ("input",), place)
        return self.inferred_bodies[key]

    def _type(self, value: Tensor) -> tuple[torch.Size, torch.dtype, int | None]:
        return value.shape, value.dtype, self.vocabulary_sizes.get(value)


def _column(shape: tuple[int, ...], dtype: str) -> Tensor:
    return torch.empty((SYMBOLIC_BATCH_SIZE, *shape), dtype=getattr(torch, dtype), device=META)


def _infer_node(
    placed: WiredNode,
    row: ModuleKind | OperationKind | LeafKind,
    parameters: Parameters,
    inputs: tuple[Tensor, ...],
    place: str,
    spend: Callable[[str, int], None],
) -> InferredNode:
    kind, name = placed.node.kind, placed.id
    if isinstance(row, ModuleKind):
        parameters = resolve_parameters(name, row, parameters, inputs)
    if (count := count_weights(kind, parameters)) > MAX_NODE_WEIGHTS:
        raise NodeError(f"{name} would have {count:,} parameters", "make it smaller", code="too_many_parameters")
    check_dimension(name, kind, parameters, inputs)
    check_scalar(name, kind, parameters, inputs)
    node = ResolvedNode(name, kind, parameters, placed.inputs, place + placed.pointer, NODE_KINDS[kind].outputs)
    if isinstance(row, LeafKind):
        return _infer_leaf(node, row)
    if isinstance(row, ModuleKind):
        if inputs and (found := apply_shape_rule(kind, parameters, tuple(inputs[0].shape))) is not None:
            shape, trained, kept = found
            same = shape == inputs[0].shape
            output = inputs[0] if same else _call_on_meta(node, inputs, lambda *_: torch.empty(shape, device=META))[0]
            return InferredNode(node, inputs, output, trained, kept)
        spend(name, row.cost)
        return _infer_module(node, row, inputs)
    check_dtypes(name, row.accepts, check_lengths(name, row.lengths_index, inputs))
    if kind in POINTWISE_KINDS and len(inputs) == 1 and inputs[0].dtype == torch.float32:
        return InferredNode(node, inputs, inputs[0])
    spend(name, 1)
    output, *others = _call_on_meta(node, inputs, row.bind(parameters))
    if kind in BROADCASTING_KINDS and list(output.shape).count(SYMBOLIC_BATCH_SIZE) > 1:
        detail = f"{name} would combine every example with every other: {_describe_shapes(inputs)}"
        hint = 'give both the same number of dimensions, for example with {"kind": "squeeze", "dim": 1}'
        raise NodeError(detail, hint)
    return InferredNode(node, inputs, output, other_outputs=tuple(others))


def _infer_module(node: ResolvedNode, row: ModuleKind, inputs: tuple[Tensor, ...]) -> InferredNode:
    parameters = dict(node.parameters)
    if parameters.get("momentum", 0.0) is None:  # such an average counts batches, which takes a number and not a shape
        parameters["momentum"] = 0.0
    try:
        with META:
            module = row.module(parameters)
    except TORCH_ERRORS as error:
        raise NodeError(f"{node.id}: {_torch_message(error)}", code="invalid_value") from None
    call = partial(_recurrent_output, node) if row.call is run_recurrent else row.bind(module, node.parameters)
    with ExitStack() as stack:
        counter = stack.enter_context(FlopCounterMode(display=False)) if row.opaque else None
        if not inputs:
            stack.enter_context(META)  # it makes a tensor of its own
        output, *others = _call_on_meta(node, inputs, call)
    trained, kept = (sum(tensor.numel() for tensor in found) for found in (module.parameters(), module.buffers()))
    work = counter.get_total_flops() if counter is not None else None
    return InferredNode(node, inputs, output, trained, kept, tuple(others), flops=work)


def _call_on_meta(node: ResolvedNode, inputs: tuple[Tensor, ...], call: Callable[..., Any]) -> tuple[Tensor, ...]:
    try:
        return as_tuple(call(*inputs))
    except TORCH_ERRORS as error:
        line = _torch_message(error)
        if "overflow" in line:
            detail = f"{node.id} would make a tensor larger than any memory"
            raise NodeError(detail, "make it smaller", code="too_much_memory") from None
        verb = "combine" if len(inputs) > 1 else "take"
        raise NodeError(
            f"{node.id} cannot {verb} {_describe_shapes(inputs)}: {line}", HINTS.get(node.kind, "")
        ) from None


def _describe_shapes(values: tuple[Tensor, ...]) -> str:
    return " and ".join(describe_shape(value.shape) for value in values)


def _torch_message(error: Exception) -> str:
    """Return torch's own words, with the number of examples as N."""
    return re.sub(r"\d+", lambda found: _number(int(found[0])), first_line(error))


def _number(value: int) -> str:
    times, rest = divmod(value, SYMBOLIC_BATCH_SIZE)
    return str(value) if rest or not value else f"{times if times > 1 else ''}N"


def _recurrent_output(node: ResolvedNode, x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Return the shape by rule: torch would take every step of the sequence, even on the meta device."""
    examples, steps, _ = x.shape
    width = node.parameters["hidden_size"] * (1 + node.parameters["bidirectional"])
    shape = (examples, steps, width) if node.parameters["returns"] == "sequence" else (examples, width)
    return torch.empty(shape, device=META)


def _infer_leaf(node: ResolvedNode, row: LeafKind) -> InferredNode:
    parameters, field, hint = node.parameters, "value", "give lists of equal lengths"
    if row.storage != "constant":
        shape, init = node.parameters["shape"], node.parameters["init"]
        least = INITIALISERS[init.kind].min_dimensions
        if len(shape) < least:
            detail = f"{init.kind} fills tensors of {least} or more dimensions, {node.id} has {len(shape)}"
            raise NodeError(detail, 'use {"kind": "normal"} or {"kind": "uniform"}', field="init", code="invalid_value")
        parameters, field, hint = {"shape": (1,) * len(shape), "init": init}, "init", ""
    try:
        sample = row.tensor(parameters)  # for real, if only one element: the meta device takes any numbers
    except TORCH_ERRORS as error:
        raise NodeError(f"{node.id}: {_torch_message(error)}", hint, field=field, code="invalid_value") from None
    if not sample.isfinite().all():
        raise NodeError(
            f"{node.id} holds numbers beyond float32", "make them smaller", field=field, code="invalid_value"
        )
    if row.storage == "constant":
        return InferredNode(node, (), sample.to(META))
    output = torch.empty(shape, device=META)
    trained = row.storage == "parameter"
    return InferredNode(node, (), output, output.numel() if trained else 0, 0 if trained else output.numel())
