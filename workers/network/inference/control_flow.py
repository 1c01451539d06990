"""What nodes with bodies do on the meta device: which shapes go in and come out, and what cannot fit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from app.spec.network.nodes import Body
from workers.network.inference.partial_network import Draft, Inner
from workers.network.inference.sizes import BATCH, Mismatch, sizes

WHOLE = (torch.int64, torch.int32, torch.uint8, torch.bool)
META = torch.device("meta")


class Unsettled(Exception):
    """A body has problems of its own, which are told already."""


@dataclass
class Workshop:
    """Drafts the bodies of one node. `make(name, values)` may raise `Mismatch` and `Unsettled`."""

    id: str
    given: Mapping[str, Any]  # the node's own fields
    forms: Mapping[str, Body]
    make: Callable[[str, Sequence[Tensor]], tuple[Draft, str]]
    inner: dict[str, Inner] = field(default_factory=dict)

    def run(self, name: str, values: Sequence[Tensor], turns: int = 1, built: Sequence[str] = ()) -> tuple[Tensor, ...]:
        """Return the outputs of a body; it is built under its name, or once under each of `built`."""
        draft, pointer = self.make(name, values)
        outputs = draft.results()
        if outputs is None:
            raise Unsettled
        for part in built or (name,):
            self.inner[part] = Inner(draft, turns, pointer)
        return outputs

    def takes(self, name: str) -> int:
        """Return how many inputs a body has."""
        return len(self.forms[name].input_names(("input",)))


@dataclass(frozen=True, slots=True)
class Found:
    """What a node with bodies gives, and what the function that carries it out must know."""

    outputs: tuple[Tensor, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)


Values = tuple[Tensor, ...]


def alike(shop: Workshop, what: str, values: Values, others: Values) -> None:
    """Raise `Mismatch` unless two sides have as many values, of the same shapes and types."""
    if len(values) != len(others):
        raise Mismatch(f"{shop.id}: {what} has {len(values)} values, where {len(others)} are needed")
    for place, (value, other) in enumerate(zip(values, others, strict=True)):
        if value.shape != other.shape or value.dtype != other.dtype:
            detail = f"{shop.id}: value {place} of {what} is {described(value)}, where {described(other)} is needed"
            raise Mismatch(detail, "give both the same shape and type")


def described(value: Tensor) -> str:
    """Return a value in words."""
    return f"{sizes(value.shape)} of {str(value.dtype).removeprefix('torch.')}"


def use_block(shop: Workshop, inputs: Values) -> Found:
    """Use one of the network's blocks."""
    return Found(shop.run("name", inputs))


def choose(shop: Workshop, inputs: Values) -> Found:
    """Choose between two bodies for the whole batch."""
    predicate, *rest = inputs
    if predicate.numel() != 1:
        hint = "use Route, which chooses for each example, or reduce it, for example with any"
        raise Mismatch(f"{shop.id} asks one question, but its predicate is {described(predicate)}", hint,
                       field="predicate")  # fmt: skip
    outputs = shop.run("then", rest)
    others = shop.run("else", rest) if "else" in shop.forms else tuple(rest)
    alike(shop, "else", others, outputs)
    return Found(outputs)


def sort(shop: Workshop, inputs: Values) -> Found:
    """Send each example to its own body."""
    selector, *rest = inputs
    by_bool = shop.given["predicate"] is not None
    asked = "predicate" if by_bool else "selector"
    if selector.shape != (BATCH,) or (selector.dtype != torch.bool if by_bool else selector.dtype not in WHOLE):
        wanted = "one bool" if by_bool else "one whole number"
        hint = 'reduce it to one dimension, for example with {"kind": "squeeze", "dim": 1}'
        raise Mismatch(f"{shop.id} needs {wanted} per example, but its {asked} is {described(selector)}", hint,
                       field=asked)  # fmt: skip
    _check_examples(shop, rest, "inputs")
    names = list(shop.forms)
    outputs = shop.run(names[0], rest)
    for name in names[1:]:
        alike(shop, f"body {name}", shop.run(name, rest), outputs)
    _check_examples(shop, outputs, "outputs")
    return Found(outputs)


def again(shop: Workshop, inputs: Values) -> Found:
    """Run a body several times."""
    times, most = shop.given["times"], shop.given["max_iterations"]
    told = isinstance(times, str)
    if told:
        count, *rest = inputs
        if count.numel() != 1 or count.dtype not in WHOLE:
            raise Mismatch(f"{shop.id} needs one whole number, but times is {described(count)}", field="times")
        if not shop.given["share"]:
            raise Mismatch(f"{shop.id}: turns of their own parameters must be counted beforehand",
                           "give times as a number, or share the parameters", field="share")  # fmt: skip
    else:
        rest = list(inputs)
    own = [str(turn) for turn in range(times)] if not told and not shop.given["share"] else []
    outputs = shop.run("body", rest, 1 if told or own else times, own)
    alike(shop, "what the body gives", outputs, tuple(rest[: len(outputs)]))
    return Found(outputs, {"times": None if told else times, "most": most, "carry": len(outputs)})


def loop(shop: Workshop, inputs: Values) -> Found:
    """Run a body while a condition holds."""
    each = shop.given["halt"] == "per_example"
    if each:
        _check_examples(shop, inputs, "inputs")
    outputs = shop.run("body", inputs)
    alike(shop, "what the body gives", outputs, inputs[: len(outputs)])
    conditions = shop.run("condition", inputs)
    first = conditions[0]
    fits = first.numel() == (BATCH if each else 1) and first.dtype in WHOLE
    if len(conditions) != 1 or not fits:
        wanted = "one bool per example" if each else "one bool"
        raise Mismatch(f"{shop.id}: the condition must be {wanted}, and is {described(first)}",
                       'compare, for example with {"kind": "gt", "scalar": 0.0}', field="condition")  # fmt: skip
    stops = shop.given["at_limit"] == "stop"
    most = shop.given["max_iterations"]
    return Found(outputs, {"carry": len(outputs), "most": most, "stops": stops, "each": each})


def along(shop: Workshop, inputs: Values) -> Found:
    """Run a body along a sequence."""
    carry, over = len(shop.given["carry"]), len(shop.given["over"])
    carried, sequences, fixed = inputs[:carry], inputs[carry : carry + over], inputs[carry + over :]
    for place, value in enumerate(sequences):
        if value.dim() < 2 or value.shape[0] != BATCH or value.shape[1] != sequences[0].shape[1]:
            raise Mismatch(f"{shop.id} runs along sequences of equal length, but reads {described(value)}",
                           field=f"over/{place}")  # fmt: skip
    lengths = shop.given["lengths"] is not None
    if lengths:
        ends, *fixed_list = fixed
        fixed = tuple(fixed_list)
        if ends.shape != (BATCH,) or ends.dtype not in WHOLE:
            raise Mismatch(f"the lengths of {shop.id} are {described(ends)}", "use one whole number per example",
                           field="lengths")  # fmt: skip
    steps = sequences[0].shape[1]
    outputs = shop.run("body", [*carried, *[value[:, 0] for value in sequences], *fixed], steps)
    if len(outputs) < carry:
        raise Mismatch(f"{shop.id} carries {carry} values, but its body gives {len(outputs)}", field="body")
    alike(shop, "what is carried on", outputs[:carry], carried)
    _check_examples(shop, outputs, "outputs of the body")
    stacked = tuple(value.unsqueeze(1).expand(-1, steps, *[-1] * (value.dim() - 1)) for value in outputs[carry:])
    keywords = {"carry": carry, "over": over, "lengths": lengths, "backwards": shop.given["reverse"]}
    shared = tuple(carry + over + place for place, value in enumerate(fixed) if value.shape[:1] != (BATCH,))
    if lengths and shared:
        keywords["shared"] = shared
    return Found((*outputs[:carry], *stacked), keywords)


def up(shop: Workshop, inputs: Values) -> Found:
    """Run a body up trees."""
    values, children, *cell = inputs
    if children.dim() != 3 or children.shape[0] != BATCH or children.dtype not in WHOLE[:2]:
        raise Mismatch(f"{shop.id} needs children (nodes, places) of whole numbers per example, "
                       f"and gets {described(children)}", field="children")  # fmt: skip
    rows, arity = children.shape[1], children.shape[2]
    if values.dim() < 2 or values.shape[:2] != children.shape[:2]:
        raise Mismatch(f"{shop.id} needs a value for each of {rows} nodes, and gets {described(values)}", field="over")
    if cell and (cell[0].shape != children.shape[:2] or cell[0].dtype not in WHOLE[:2]):
        raise Mismatch(f"{shop.id} needs a whole number for each of {rows} nodes, and gets {described(cell[0])}",
                       field="cell")  # fmt: skip
    if (shop.given["cases"] is not None) != bool(cell):
        raise Mismatch(f"{shop.id}: cases are chosen by cell, and cell chooses among cases", "give both or neither",
                       field="cell")  # fmt: skip
    value = values[:, 0]
    states = shop.run("leaf", [value], rows)
    _check_examples(shop, states, "states")
    below = [state.unsqueeze(1).expand(-1, arity, *[-1] * (state.dim() - 1)) for state in states]
    asks = False
    for name in [each for each in shop.forms if each != "leaf"]:
        asks = shop.takes(name) == 2 + len(states)
        filled = [torch.empty((BATCH, arity), dtype=torch.bool, device=META)] if asks else []
        alike(shop, f"the states of {name}", shop.run(name, [value, *below, *filled], rows), states)
    nodes = shop.given["returns"] == "nodes"
    every = tuple(state.unsqueeze(1).expand(-1, rows, *[-1] * (state.dim() - 1)) for state in states)
    return Found(every if nodes else states, {"nodes": nodes, "filled": asks, "most": shop.given["max_depth"]})


def _check_examples(shop: Workshop, values: Sequence[Tensor], what: str) -> None:
    for place, value in enumerate(values):
        if value.dim() == 0 or value.shape[0] != BATCH:
            raise Mismatch(f"{shop.id} works on each example, but value {place} of its {what} is {described(value)}")
