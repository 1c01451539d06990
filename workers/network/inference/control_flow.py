"""What nodes with bodies do on the meta device: which shapes go in and come out, and what cannot fit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from app.spec.network.nodes import Body
from workers.network.inference.input_checks import (
    INDEX_DTYPES,
    INTEGER_DTYPES,
    META,
    SYMBOLIC_BATCH_SIZE,
    NodeError,
    describe_shape,
)
from workers.network.inference.partial_network import InferredBody, PartialNetwork

INTEGER_OR_BOOL_DTYPES = (*INTEGER_DTYPES, torch.bool)


class UnresolvedBodyError(Exception):
    """A body has problems of its own, which are told already."""


@dataclass
class BodyInference:
    """Drafts the bodies of one node. `make(name, values)` may raise `Mismatch` and `Unsettled`."""

    node_id: str
    settings: Mapping[str, Any]  # the node's own fields
    bodies: Mapping[str, Body]
    infer_body: Callable[[str, Sequence[Tensor]], tuple[PartialNetwork, str]]
    inferred: dict[str, InferredBody] = field(default_factory=dict)

    def infer(
        self, name: str, values: Sequence[Tensor], turns: int = 1, built: Sequence[str] = ()
    ) -> tuple[Tensor, ...]:
        """Return the outputs of a body; it is built under its name, or once under each of `built`."""
        draft, pointer = self.infer_body(name, values)
        outputs = draft.output_values()
        if outputs is None:
            raise UnresolvedBodyError
        for part in built or (name,):
            self.inferred[part] = InferredBody(draft, turns, pointer)
        return outputs

    def input_count(self, name: str) -> int:
        """Return how many inputs a body has."""
        return len(self.bodies[name].input_names(("input",)))


@dataclass(frozen=True, slots=True)
class ControlFlowShapes:
    """What a node with bodies gives, and what the function that carries it out must know."""

    outputs: tuple[Tensor, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)


Values = tuple[Tensor, ...]


def check_same_types(shop: BodyInference, what: str, values: Values, others: Values) -> None:
    """Raise `Mismatch` unless two sides have as many values, of the same shapes and types."""
    if len(values) != len(others):
        raise NodeError(f"{shop.node_id}: {what} has {len(values)} values, where {len(others)} are needed")
    for place, (value, other) in enumerate(zip(values, others, strict=True)):
        if value.shape != other.shape or value.dtype != other.dtype:
            given, needed = describe_tensor(value), describe_tensor(other)
            detail = f"{shop.node_id}: value {place} of {what} is {given}, where {needed} is needed"
            raise NodeError(detail, "give both the same shape and type")


def describe_tensor(value: Tensor) -> str:
    """Return a value in words."""
    return f"{describe_shape(value.shape)} of {str(value.dtype).removeprefix('torch.')}"


def infer_block(shop: BodyInference, inputs: Values) -> ControlFlowShapes:
    """Use one of the network's blocks."""
    return ControlFlowShapes(shop.infer("name", inputs))


def infer_if(shop: BodyInference, inputs: Values) -> ControlFlowShapes:
    """Choose between two bodies for the whole batch."""
    predicate, *rest = inputs
    if predicate.numel() != 1:
        hint = "use Route, which chooses for each example, or reduce it, for example with any"
        raise NodeError(
            f"{shop.node_id} asks one question, but its predicate is {describe_tensor(predicate)}",
            hint,
            field="predicate",
        )
    outputs = shop.infer("then", rest)
    others = shop.infer("else", rest) if "else" in shop.bodies else tuple(rest)
    check_same_types(shop, "else", others, outputs)
    return ControlFlowShapes(outputs)


def infer_route(shop: BodyInference, inputs: Values) -> ControlFlowShapes:
    """Send each example to its own body."""
    selector, *rest = inputs
    by_bool = shop.settings["predicate"] is not None
    asked = "predicate" if by_bool else "selector"
    if selector.shape != (SYMBOLIC_BATCH_SIZE,) or (
        selector.dtype != torch.bool if by_bool else selector.dtype not in INTEGER_OR_BOOL_DTYPES
    ):
        wanted = "one bool" if by_bool else "one whole number"
        hint = 'reduce it to one dimension, for example with {"kind": "squeeze", "dim": 1}'
        raise NodeError(
            f"{shop.node_id} needs {wanted} per example, but its {asked} is {describe_tensor(selector)}",
            hint,
            field=asked,
        )
    _check_batched(shop, rest, "inputs")
    names = list(shop.bodies)
    outputs = shop.infer(names[0], rest)
    for name in names[1:]:
        check_same_types(shop, f"body {name}", shop.infer(name, rest), outputs)
    _check_batched(shop, outputs, "outputs")
    return ControlFlowShapes(outputs)


def infer_repeat(shop: BodyInference, inputs: Values) -> ControlFlowShapes:
    """Run a body several times."""
    times, most = shop.settings["times"], shop.settings["max_iterations"]
    told = isinstance(times, str)
    if told:
        count, *rest = inputs
        if count.numel() != 1 or count.dtype not in INTEGER_OR_BOOL_DTYPES:
            raise NodeError(
                f"{shop.node_id} needs one whole number, but times is {describe_tensor(count)}", field="times"
            )
        if not shop.settings["share"]:
            raise NodeError(
                f"{shop.node_id}: turns of their own parameters must be counted beforehand",
                "give times as a number, or share the parameters",
                field="share",
            )
    else:
        rest = list(inputs)
    own = [str(turn) for turn in range(times)] if not told and not shop.settings["share"] else []
    outputs = shop.infer("body", rest, 1 if told or own else times, own)
    check_same_types(shop, "what the body gives", outputs, tuple(rest[: len(outputs)]))
    return ControlFlowShapes(outputs, {"times": None if told else times, "most": most, "carry": len(outputs)})


def infer_while(shop: BodyInference, inputs: Values) -> ControlFlowShapes:
    """Run a body while a condition holds."""
    each = shop.settings["halt"] == "per_example"
    if each:
        _check_batched(shop, inputs, "inputs")
    outputs = shop.infer("body", inputs)
    check_same_types(shop, "what the body gives", outputs, inputs[: len(outputs)])
    conditions = shop.infer("condition", inputs)
    first = conditions[0]
    fits = first.numel() == (SYMBOLIC_BATCH_SIZE if each else 1) and first.dtype in INTEGER_OR_BOOL_DTYPES
    if len(conditions) != 1 or not fits:
        wanted = "one bool per example" if each else "one bool"
        raise NodeError(
            f"{shop.node_id}: the condition must be {wanted}, and is {describe_tensor(first)}",
            'compare, for example with {"kind": "gt", "scalar": 0.0}',
            field="condition",
        )
    stops = shop.settings["at_limit"] == "stop"
    most = shop.settings["max_iterations"]
    return ControlFlowShapes(outputs, {"carry": len(outputs), "most": most, "stops": stops, "each": each})


def infer_scan(shop: BodyInference, inputs: Values) -> ControlFlowShapes:
    """Run a body along a sequence."""
    carry, over = len(shop.settings["carry"]), len(shop.settings["over"])
    carried, sequences, fixed = inputs[:carry], inputs[carry : carry + over], inputs[carry + over :]
    for place, value in enumerate(sequences):
        if value.dim() < 2 or value.shape[0] != SYMBOLIC_BATCH_SIZE or value.shape[1] != sequences[0].shape[1]:
            raise NodeError(
                f"{shop.node_id} runs along sequences of equal length, but reads {describe_tensor(value)}",
                field=f"over/{place}",
            )
    lengths = shop.settings["lengths"] is not None
    if lengths:
        ends, *fixed_list = fixed
        fixed = tuple(fixed_list)
        if ends.shape != (SYMBOLIC_BATCH_SIZE,) or ends.dtype not in INTEGER_OR_BOOL_DTYPES:
            raise NodeError(
                f"the lengths of {shop.node_id} are {describe_tensor(ends)}",
                "use one whole number per example",
                field="lengths",
            )
    steps = sequences[0].shape[1]
    outputs = shop.infer("body", [*carried, *[value[:, 0] for value in sequences], *fixed], steps)
    if len(outputs) < carry:
        raise NodeError(f"{shop.node_id} carries {carry} values, but its body gives {len(outputs)}", field="body")
    check_same_types(shop, "what is carried on", outputs[:carry], carried)
    _check_batched(shop, outputs, "outputs of the body")
    stacked = tuple(value.unsqueeze(1).expand(-1, steps, *[-1] * (value.dim() - 1)) for value in outputs[carry:])
    keywords = {"carry": carry, "over": over, "lengths": lengths, "backwards": shop.settings["reverse"]}
    shared = tuple(
        carry + over + place for place, value in enumerate(fixed) if value.shape[:1] != (SYMBOLIC_BATCH_SIZE,)
    )
    if lengths and shared:
        keywords["shared"] = shared
    return ControlFlowShapes((*outputs[:carry], *stacked), keywords)


def infer_fold(shop: BodyInference, inputs: Values) -> ControlFlowShapes:
    """Run a body up trees."""
    values, children, *cell = inputs
    if children.dim() != 3 or children.shape[0] != SYMBOLIC_BATCH_SIZE or children.dtype not in INDEX_DTYPES:
        raise NodeError(
            f"{shop.node_id} needs children (nodes, places) of whole numbers per example, "
            f"and gets {describe_tensor(children)}",
            field="children",
        )
    rows, arity = children.shape[1], children.shape[2]
    if values.dim() < 2 or values.shape[:2] != children.shape[:2]:
        raise NodeError(
            f"{shop.node_id} needs a value for each of {rows} nodes, and gets {describe_tensor(values)}", field="over"
        )
    if cell and (cell[0].shape != children.shape[:2] or cell[0].dtype not in INDEX_DTYPES):
        raise NodeError(
            f"{shop.node_id} needs a whole number for each of {rows} nodes, and gets {describe_tensor(cell[0])}",
            field="cell",
        )
    if (shop.settings["cases"] is not None) != bool(cell):
        raise NodeError(
            f"{shop.node_id}: cases are chosen by cell, and cell chooses among cases",
            "give both or neither",
            field="cell",
        )
    value = values[:, 0]
    states = shop.infer("leaf", [value], rows)
    _check_batched(shop, states, "states")
    below = [state.unsqueeze(1).expand(-1, arity, *[-1] * (state.dim() - 1)) for state in states]
    asks = False
    for name in [each for each in shop.bodies if each != "leaf"]:
        asks = shop.input_count(name) == 2 + len(states)
        filled = [torch.empty((SYMBOLIC_BATCH_SIZE, arity), dtype=torch.bool, device=META)] if asks else []
        check_same_types(shop, f"the states of {name}", shop.infer(name, [value, *below, *filled], rows), states)
    nodes = shop.settings["returns"] == "nodes"
    every = tuple(state.unsqueeze(1).expand(-1, rows, *[-1] * (state.dim() - 1)) for state in states)
    return ControlFlowShapes(
        every if nodes else states, {"nodes": nodes, "filled": asks, "most": shop.settings["max_depth"]}
    )


def _check_batched(shop: BodyInference, values: Sequence[Tensor], what: str) -> None:
    for place, value in enumerate(values):
        if value.dim() == 0 or value.shape[0] != SYMBOLIC_BATCH_SIZE:
            raise NodeError(
                f"{shop.node_id} works on each example, but value {place} of its {what} is {describe_tensor(value)}"
            )
