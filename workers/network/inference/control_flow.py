"""Shape inference of control-flow nodes, and the problems of values that do not fit their bodies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from app.spec.network.nodes import Body
from workers.network.blueprint import FreeRunning
from workers.network.inference.generation import infer_scores
from workers.network.inference.input_checks import (
    INDEX_DTYPES,
    INTEGER_DTYPES,
    META,
    SYMBOLIC_BATCH_SIZE,
    NodeError,
    describe_tensor,
)
from workers.network.inference.partial_network import InferredBody, PartialNetwork
from workers.network.inference.vocabulary_sizes import VocabularySizes

INTEGER_OR_BOOL_DTYPES = (*INTEGER_DTYPES, torch.bool)


class UnresolvedBodyError(Exception):
    """A body has problems of its own, which are reported already."""


@dataclass
class BodyInference:
    """Infers the bodies of one node. `infer_body(name, values)` may raise `NodeError` and `UnresolvedBodyError`."""

    node_id: str
    settings: Mapping[str, Any]  # the node's own fields
    bodies: Mapping[str, Body]
    infer_body: Callable[[str, Sequence[Tensor]], tuple[PartialNetwork, str]]
    vocabulary_sizes: VocabularySizes
    inferred: dict[str, InferredBody] = field(default_factory=dict)

    def infer(
        self, name: str, values: Sequence[Tensor], iterations: int = 1, built: Sequence[str] = ()
    ) -> tuple[Tensor, ...]:
        """Return the outputs of a body. It is built under its name, or once under each name in `built`."""
        partial, pointer = self.infer_body(name, values)
        outputs = partial.output_values()
        if outputs is None:
            raise UnresolvedBodyError
        for part in built or (name,):
            self.inferred[part] = InferredBody(partial, iterations, pointer)
        return outputs

    def infer_generate(
        self,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        carry: int,
        fixed: int,
        arguments: Mapping[str, Any] = MappingProxyType({}),
    ) -> FreeRunning | None:
        """Return how the node runs freely, if it says `generate`: the tokens follow its carry, `fixed` inputs stay."""
        settings = self.settings["generate"]
        if settings is None:
            return None
        tokens, kept = inputs[carry], inputs[max(carry + 1, len(inputs) - fixed) :]
        names = list(next(iter(self.bodies.values())).output_names())
        count = self.vocabulary_sizes.get(tokens)
        place = infer_scores(self.node_id, settings, names, carry, tokens, outputs, count)
        shared = tuple(place for place, value in enumerate(kept) if value.shape[:1] != (SYMBOLIC_BATCH_SIZE,))
        return FreeRunning(settings, {"scores": place, "shared": shared, **arguments})

    def input_count(self, name: str) -> int:
        """Return how many inputs a body has."""
        return len(self.bodies[name].input_names(("input",)))


@dataclass(frozen=True, slots=True)
class ControlFlowShapes:
    """The outputs of a control-flow node, and the keyword arguments of its function."""

    outputs: tuple[Tensor, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    free_running: FreeRunning | None = None


Values = tuple[Tensor, ...]


def check_same_types(inference: BodyInference, what: str, values: Values, others: Values) -> None:
    """Raise `NodeError` unless both sides have equally many values, of equal shapes and dtypes."""
    if len(values) != len(others):
        raise NodeError(f"{inference.node_id}: {what} has {len(values)} values, where {len(others)} are needed")
    for place, (value, other) in enumerate(zip(values, others, strict=True)):
        if value.shape != other.shape or value.dtype != other.dtype:
            actual, expected = describe_tensor(value), describe_tensor(other)
            detail = f"{inference.node_id}: value {place} of {what} is {actual}, where {expected} is needed"
            raise NodeError(detail, "give both the same shape and dtype")


def infer_block(inference: BodyInference, inputs: Values) -> ControlFlowShapes:
    """Infer a use of a block."""
    outputs = inference.infer("name", inputs)
    return ControlFlowShapes(outputs, free_running=inference.infer_generate(inputs, outputs, 0, len(inputs)))


def infer_if(inference: BodyInference, inputs: Values) -> ControlFlowShapes:
    """Infer a choice between two bodies for the whole batch."""
    predicate, *rest = inputs
    if predicate.numel() != 1:
        hint = "use Route, which chooses for each example, or reduce it, for example with any"
        raise NodeError(
            f"{inference.node_id} needs one bool for the batch, but its predicate is {describe_tensor(predicate)}",
            hint,
            field="predicate",
        )
    outputs = inference.infer("then", rest)
    others = inference.infer("else", rest) if "else" in inference.bodies else tuple(rest)
    check_same_types(inference, "else", others, outputs)
    return ControlFlowShapes(outputs)


def infer_route(inference: BodyInference, inputs: Values) -> ControlFlowShapes:
    """Infer a choice of a body for each example."""
    selector, *rest = inputs
    by_bool = inference.settings["predicate"] is not None
    field = "predicate" if by_bool else "selector"
    if selector.shape != (SYMBOLIC_BATCH_SIZE,) or (
        selector.dtype != torch.bool if by_bool else selector.dtype not in INTEGER_OR_BOOL_DTYPES
    ):
        expected = "one bool" if by_bool else "one integer"
        hint = 'reduce it to one dimension, for example with {"kind": "squeeze", "dim": 1}'
        raise NodeError(
            f"{inference.node_id} needs {expected} per example, but its {field} is {describe_tensor(selector)}",
            hint,
            field=field,
        )
    _check_batched(inference, rest, "inputs")
    names = list(inference.bodies)
    outputs = inference.infer(names[0], rest)
    for name in names[1:]:
        check_same_types(inference, f"body {name}", inference.infer(name, rest), outputs)
    _check_batched(inference, outputs, "outputs")
    return ControlFlowShapes(outputs)


def infer_repeat(inference: BodyInference, inputs: Values) -> ControlFlowShapes:
    """Infer a number of runs of a body."""
    times, max_iterations = inference.settings["times"], inference.settings["max_iterations"]
    computed = isinstance(times, str)
    if computed:
        count, *rest = inputs
        if count.numel() != 1 or count.dtype not in INTEGER_OR_BOOL_DTYPES:
            raise NodeError(
                f"{inference.node_id} needs one integer, but times is {describe_tensor(count)}", field="times"
            )
        if not inference.settings["share"]:
            raise NodeError(
                f"{inference.node_id}: iterations with their own parameters need a fixed number",
                "set times to a number, or share to true",
                field="share",
            )
    else:
        rest = list(inputs)
    own = [str(iteration) for iteration in range(times)] if not computed and not inference.settings["share"] else []
    outputs = inference.infer("body", rest, 1 if computed or own else times, own)
    check_same_types(inference, "the body's output", outputs, tuple(rest[: len(outputs)]))
    return ControlFlowShapes(
        outputs, {"times": None if computed else times, "max_iterations": max_iterations, "carry": len(outputs)}
    )


def infer_while(inference: BodyInference, inputs: Values) -> ControlFlowShapes:
    """Infer runs of a body while a condition is true."""
    per_example = inference.settings["halt"] == "per_example"
    if per_example:
        _check_batched(inference, inputs, "inputs")
    outputs = inference.infer("body", inputs)
    check_same_types(inference, "the body's output", outputs, inputs[: len(outputs)])
    conditions = inference.infer("condition", inputs)
    first = conditions[0]
    fits = first.numel() == (SYMBOLIC_BATCH_SIZE if per_example else 1) and first.dtype in INTEGER_OR_BOOL_DTYPES
    if len(conditions) != 1 or not fits:
        expected = "one bool per example" if per_example else "one bool"
        raise NodeError(
            f"{inference.node_id}: the condition must be {expected}, and is {describe_tensor(first)}",
            'compare, for example with {"kind": "gt", "scalar": 0.0}',
            field="condition",
        )
    return ControlFlowShapes(
        outputs,
        {
            "carry": len(outputs),
            "max_iterations": inference.settings["max_iterations"],
            "stop_at_limit": inference.settings["at_limit"] == "stop",
            "per_example": per_example,
        },
    )


def infer_scan(inference: BodyInference, inputs: Values) -> ControlFlowShapes:
    """Infer runs of a body along sequences."""
    carry, over = len(inference.settings["carry"]), len(inference.settings["over"])
    carried, sequences, fixed = inputs[:carry], inputs[carry : carry + over], inputs[carry + over :]
    for place, value in enumerate(sequences):
        if value.dim() < 2 or value.shape[0] != SYMBOLIC_BATCH_SIZE or value.shape[1] != sequences[0].shape[1]:
            raise NodeError(
                f"{inference.node_id} runs along sequences of equal length, but reads {describe_tensor(value)}",
                field=f"over/{place}",
            )
    lengths = inference.settings["lengths"] is not None
    if lengths:
        ends, *fixed_list = fixed
        fixed = tuple(fixed_list)
        if ends.shape != (SYMBOLIC_BATCH_SIZE,) or ends.dtype not in INTEGER_OR_BOOL_DTYPES:
            raise NodeError(
                f"the lengths of {inference.node_id} are {describe_tensor(ends)}",
                "use one integer per example",
                field="lengths",
            )
    steps = sequences[0].shape[1]
    first = [value[:, 0] for value in sequences]
    for value, sequence in zip(first, sequences, strict=True):
        inference.vocabulary_sizes.record(value, inference.vocabulary_sizes.get(sequence))
    outputs = inference.infer("body", [*carried, *first, *fixed], steps)
    if len(outputs) < carry:
        raise NodeError(f"{inference.node_id} carries {carry} values, but its body gives {len(outputs)}", field="body")
    check_same_types(inference, "the carry", outputs[:carry], carried)
    _check_batched(inference, outputs, "outputs of the body")
    stacked = tuple(value.unsqueeze(1).expand(-1, steps, *[-1] * (value.dim() - 1)) for value in outputs[carry:])
    keywords = {"carry": carry, "over": over, "lengths": lengths, "reverse": inference.settings["reverse"]}
    shared = tuple(
        carry + over + place for place, value in enumerate(fixed) if value.shape[:1] != (SYMBOLIC_BATCH_SIZE,)
    )
    if lengths and shared:
        keywords["shared"] = shared
    outputs = (*outputs[:carry], *stacked)
    free_running = inference.infer_generate(inputs, outputs, carry, len(fixed), {"carry": carry, "lengths": lengths})
    return ControlFlowShapes(outputs, keywords, free_running)


def infer_fold(inference: BodyInference, inputs: Values) -> ControlFlowShapes:
    """Infer a bottom-up computation of trees."""
    values, children, *cell = inputs
    if children.dim() != 3 or children.shape[0] != SYMBOLIC_BATCH_SIZE or children.dtype not in INDEX_DTYPES:
        raise NodeError(
            f"{inference.node_id} needs children (nodes, places) of integers per example, "
            f"and receives {describe_tensor(children)}",
            field="children",
        )
    rows, arity = children.shape[1], children.shape[2]
    if values.dim() < 2 or values.shape[:2] != children.shape[:2]:
        raise NodeError(
            f"{inference.node_id} needs a value for each of {rows} nodes, and receives {describe_tensor(values)}",
            field="over",
        )
    if cell and (cell[0].shape != children.shape[:2] or cell[0].dtype not in INDEX_DTYPES):
        raise NodeError(
            f"{inference.node_id} needs an integer for each of {rows} nodes, and receives {describe_tensor(cell[0])}",
            field="cell",
        )
    if (inference.settings["cases"] is not None) != bool(cell):
        raise NodeError(
            f"{inference.node_id}: cell selects among cases, so one needs the other",
            "give both or neither",
            field="cell",
        )
    value = values[:, 0]
    states = inference.infer("leaf", [value], rows)
    _check_batched(inference, states, "states")
    children_states = [state.unsqueeze(1).expand(-1, arity, *[-1] * (state.dim() - 1)) for state in states]
    takes_mask = False
    for name in [each for each in inference.bodies if each != "leaf"]:
        takes_mask = inference.input_count(name) == 2 + len(states)
        mask = [torch.empty((SYMBOLIC_BATCH_SIZE, arity), dtype=torch.bool, device=META)] if takes_mask else []
        check_same_types(
            inference, f"the states of {name}", inference.infer(name, [value, *children_states, *mask], rows), states
        )
    all_nodes = inference.settings["returns"] == "nodes"
    node_states = tuple(state.unsqueeze(1).expand(-1, rows, *[-1] * (state.dim() - 1)) for state in states)
    return ControlFlowShapes(
        node_states if all_nodes else states,
        {"all_nodes": all_nodes, "pass_mask": takes_mask, "max_depth": inference.settings["max_depth"]},
    )


def _check_batched(inference: BodyInference, values: Sequence[Tensor], what: str) -> None:
    for place, value in enumerate(values):
        if value.dim() == 0 or value.shape[0] != SYMBOLIC_BATCH_SIZE:
            raise NodeError(
                f"{inference.node_id} works per example, but value {place} of its {what} is {describe_tensor(value)}"
            )
