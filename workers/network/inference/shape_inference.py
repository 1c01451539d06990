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

from app.errors import Problem
from app.spec.data.columns import DataSchema
from app.spec.network.network import Network
from app.spec.network.nodes import KINDS, Body, Placed
from workers.network.blueprint import Blueprint, Settled
from workers.network.inference.control_flow import Unsettled, Workshop
from workers.network.inference.costs import weights
from workers.network.inference.partial_network import Draft, Trace
from workers.network.inference.shape_rules import POINTWISE, ruled
from workers.network.inference.sizes import (
    BATCH,
    Mismatch,
    Parameters,
    check_dimension,
    check_lengths,
    check_numbers,
    check_scalar,
    settle,
    sizes,
)
from workers.network.inference.vocabulary_sizes import Numbering, looked_up
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.control import Control
from workers.network.kinds.functional import run_recurrent
from workers.network.kinds.leaves import INITIALISERS, Leaf
from workers.network.kinds.modules import Module
from workers.network.kinds.operations import COMPARISONS, Operation
from workers.network.runtime.control_flow import several

META = torch.device("meta")
LARGEST = 1 << 40  # elements of one node's weights: more fits in no machine, and soon not in 64 bits
MOST_ASKED = 1000  # how much torch is asked about one network; an operation is 1, see `Module.cost`
REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, AssertionError, ArithmeticError)
BROADCASTING = frozenset({"add", "sub", "mul", "div", "pow", "maximum", "minimum", "where", *COMPARISONS})
HINTS = {
    "cat": "all dimensions but `dim` must be equal",
    "stack": "all shapes must be equal",
    "reshape": "0 keeps the dimension at that place, -1 is what is left",
    "matmul": "the last dimension of the first must equal the last but one of the second",
    **dict.fromkeys(BROADCASTING, "dimensions must be equal, or 1"),
}


def draft(network: Network, schema: DataSchema, inputs: tuple[str, ...], skip: AbstractSet[str] = frozenset()) -> Draft:
    """Settle every node. `skip` holds pointers of nodes that are known to be wrong; they are passed over in silence.

    Problems' pointers are relative to the network.
    """
    names = network.input_names(inputs)
    columns = [column for name in names if (column := schema.column(name)) is not None]
    values = {column.name: _column(column.shape, column.dtype) for column in columns}
    drafter = _Drafter(network, skip)
    for column in columns:
        drafter.counts.note(values[column.name], column.classes)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):  # some leaves are filled, to try
        return drafter.body(network, values, inputs, "")


@dataclass
class _Drafter:
    """Drafts a network and the bodies in it; a body that is used twice on like values is drafted once."""

    network: Network
    skip: AbstractSet[str]
    seen: dict[Any, Trace] = field(default_factory=dict)
    drafts: dict[Any, Draft] = field(default_factory=dict)
    shares: dict[str, Draft] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    counts: Numbering = field(default_factory=Numbering)
    cost: int = 0

    def body(self, body: Body, values: dict[str, Tensor], inputs: tuple[str, ...], place: str) -> Draft:
        """Settle the nodes of a body, which stands at `place`, in an order in which each follows what it reads."""
        names = body.input_names(inputs)
        result = Draft(Blueprint(names, (), {}), values=values, problems=self.problems)
        for placed in body.placed(inputs):
            known = all(name in values for name in placed.inputs)
            trace = self._trace(placed, result, place) if known and place + placed.pointer not in self.skip else None
            values.pop(placed.id, None)  # a layer may be named like the input of the chain
            if trace is not None:
                result.traces.append(trace)
                values |= trace.named()
        result.blueprint = Blueprint(names, tuple(trace.node for trace in result.traces), body.output_names())
        return result

    def _trace(self, placed: Placed, result: Draft, place: str) -> Trace | None:
        """Return what a node does; a node like one before it, on inputs like those, is not computed again."""
        inputs = tuple(result.values[name] for name in placed.inputs)
        row, parameters = CATALOG[placed.node.kind], placed.node.parameters()
        key = None
        if not isinstance(row, Leaf | Control):
            key = (placed.node.kind, tuple(parameters.items()), *map(self._type, inputs))
            if key in self.seen:
                like = self.seen[key]
                settled = replace(like.node, id=placed.id, inputs=placed.inputs, pointer=place + placed.pointer)
                return replace(like, node=settled, inputs=inputs)
        try:
            if isinstance(row, Control):
                return self._with_bodies(placed, row, inputs, place)
            counted = self.counts.of(inputs[0]) if inputs else None
            if isinstance(row, Module):
                parameters = looked_up(placed.id, parameters, counted)
            trace = _settled(placed, row, parameters, inputs, place, self._spend)
            self.counts.pass_on(placed.node.kind, trace)
        except Mismatch as found:
            where = place + placed.pointer + (f"/{found.field}" if found.field else "")
            self.problems.append(Problem(where, found.code, found.detail, found.hint))
            return None
        except Unsettled:
            return None
        if key is not None:
            self.seen[key] = trace
        return trace

    def _spend(self, name: str, cost: int) -> None:
        """Count what asking torch takes. Raises `Mismatch` once it is too much, and `Unsettled` from then on."""
        before, self.cost = self.cost, self.cost + cost
        if before > MOST_ASKED:
            raise Unsettled
        if self.cost > MOST_ASKED:
            detail = f"the layers up to {name} are too many different ones to check"
            raise Mismatch(detail, "give layers the same settings, which is checked once", code="too_many_different")

    def _with_bodies(self, placed: Placed, row: Control, inputs: tuple[Tensor, ...], place: str) -> Trace:
        node, where = placed.node, place + placed.pointer
        written = node.bodies()
        forms = {name: self.network.body(ref) for name, (_, ref) in written.items()}

        def make(name: str, values: Sequence[Tensor]) -> tuple[Draft, str]:
            pointer, ref = written[name]
            at = f"/blocks/{ref}" if isinstance(ref, str) else where + pointer
            return self._inner(forms[name], values, at, f"{placed.id}: {name}"), at

        given = node.parameters()
        shop = Workshop(placed.id, given, forms, make)
        found = row.infer(shop, inputs)
        share = f"{given['name']} {given['share']}" if given.get("share") and "name" in given else None
        tied = share is not None and share in self.shares
        drafts = [inner.draft for inner in shop.inner.values()]
        if share is not None:
            if tied and self.shares[share] is not drafts[0]:
                raise Mismatch(
                    f"{placed.id} shares parameters with a use on other shapes", "use another share", field="share"
                )
            self.shares[share] = drafts[0]
        bodies = {name: inner.draft.blueprint for name, inner in shop.inner.items()}
        settled = Settled(placed.id, node.kind, found.keywords, placed.inputs, where,
                          self.network.outputs_of(node), bodies, share)  # fmt: skip
        parameters, buffers = (0, 0) if tied else (sum(draft.parameters for draft in drafts), sum(
            draft.buffers for draft in drafts))  # fmt: skip
        return Trace(settled, inputs, found.outputs[0], parameters, buffers, found.outputs[1:], shop.inner)

    def _inner(self, body: Body, values: Sequence[Tensor], place: str, who: str) -> Draft:
        names = body.input_names(("input",))
        if len(names) != len(values):
            wanted = ", ".join(names)
            raise Mismatch(f"{who} takes {len(names)} inputs ({wanted}) and gets {len(values)}", "change its inputs")
        key = (place, *map(self._type, values))
        if key not in self.drafts:
            self.drafts[key] = self.body(body, dict(zip(names, values, strict=True)), ("input",), place)
        return self.drafts[key]

    def _type(self, value: Tensor) -> tuple[torch.Size, torch.dtype, int | None]:
        return value.shape, value.dtype, self.counts.of(value)


def _column(shape: tuple[int, ...], dtype: str) -> Tensor:
    return torch.empty((BATCH, *shape), dtype=getattr(torch, dtype), device=META)


def _settled(
    placed: Placed,
    row: Module | Operation | Leaf,
    parameters: Parameters,
    inputs: tuple[Tensor, ...],
    place: str,
    spend: Callable[[str, int], None],
) -> Trace:
    kind, name = placed.node.kind, placed.id
    if isinstance(row, Module):
        parameters = settle(name, row, parameters, inputs)
    if (count := weights(kind, parameters)) > LARGEST:
        raise Mismatch(f"{name} would have {count:,} parameters", "make it smaller", code="too_many_parameters")
    check_dimension(name, kind, parameters, inputs)
    check_scalar(name, kind, parameters, inputs)
    node = Settled(name, kind, parameters, placed.inputs, place + placed.pointer, KINDS[kind].outputs)
    if isinstance(row, Leaf):
        return _leaf(node, row)
    if isinstance(row, Module):
        if inputs and (found := ruled(kind, parameters, tuple(inputs[0].shape))) is not None:
            shape, trained, kept = found
            same = shape == inputs[0].shape
            output = inputs[0] if same else _outputs(node, inputs, lambda *_: torch.empty(shape, device=META))[0]
            return Trace(node, inputs, output, trained, kept)
        spend(name, row.cost)
        return _module(node, row, inputs)
    check_numbers(name, row.numbers, check_lengths(name, row.lengths, inputs))
    if kind in POINTWISE and len(inputs) == 1 and inputs[0].dtype == torch.float32:
        return Trace(node, inputs, inputs[0])
    spend(name, 1)
    output, *others = _outputs(node, inputs, row.bound(parameters))
    if kind in BROADCASTING and list(output.shape).count(BATCH) > 1:
        detail = f"{name} would combine every example with every other: {_shapes(inputs)}"
        hint = 'give both the same number of dimensions, for example with {"kind": "squeeze", "dim": 1}'
        raise Mismatch(detail, hint)
    return Trace(node, inputs, output, others=tuple(others))


def _module(node: Settled, row: Module, inputs: tuple[Tensor, ...]) -> Trace:
    parameters = dict(node.parameters)
    if parameters.get("momentum", 0.0) is None:  # such an average counts batches, which takes a number and not a shape
        parameters["momentum"] = 0.0
    try:
        with META:
            module = row.module(parameters)
    except REFUSALS as error:
        raise Mismatch(f"{node.id}: {_first_line(error)}", code="invalid_value") from None
    call = partial(_recurrent, node) if row.call is run_recurrent else row.bound(module, node.parameters)
    with ExitStack() as stack:
        counter = stack.enter_context(FlopCounterMode(display=False)) if row.opaque else None
        if not inputs:
            stack.enter_context(META)  # it makes a tensor of its own
        output, *others = _outputs(node, inputs, call)
    trained, kept = (sum(tensor.numel() for tensor in found) for found in (module.parameters(), module.buffers()))
    work = counter.get_total_flops() if counter is not None else None
    return Trace(node, inputs, output, trained, kept, tuple(others), work=work)


def _outputs(node: Settled, inputs: tuple[Tensor, ...], call: Callable[..., Any]) -> tuple[Tensor, ...]:
    try:
        return several(call(*inputs))
    except REFUSALS as error:
        line = _first_line(error)
        if "overflow" in line:
            detail = f"{node.id} would make a tensor larger than any memory"
            raise Mismatch(detail, "make it smaller", code="too_much_memory") from None
        verb = "combine" if len(inputs) > 1 else "take"
        raise Mismatch(f"{node.id} cannot {verb} {_shapes(inputs)}: {line}", HINTS.get(node.kind, "")) from None


def _shapes(values: tuple[Tensor, ...]) -> str:
    return " and ".join(sizes(value.shape) for value in values)


def _first_line(error: Exception) -> str:
    """Return torch's own words, with the number of examples as N."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return re.sub(r"\d+", lambda found: _number(int(found[0])), line)


def _number(value: int) -> str:
    times, rest = divmod(value, BATCH)
    return str(value) if rest or not value else f"{times if times > 1 else ''}N"


def _recurrent(node: Settled, x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Return the shape by rule: torch would take every step of the sequence, even on the meta device."""
    examples, steps, _ = x.shape
    width = node.parameters["hidden_size"] * (1 + node.parameters["bidirectional"])
    shape = (examples, steps, width) if node.parameters["returns"] == "sequence" else (examples, width)
    return torch.empty(shape, device=META)


def _leaf(node: Settled, row: Leaf) -> Trace:
    parameters, field, hint = node.parameters, "value", "give lists of equal lengths"
    if row.place != "constant":
        shape, init = node.parameters["shape"], node.parameters["init"]
        least = INITIALISERS[init.kind].least
        if len(shape) < least:
            detail = f"{init.kind} fills tensors of {least} or more dimensions, {node.id} has {len(shape)}"
            raise Mismatch(detail, 'use {"kind": "normal"} or {"kind": "uniform"}', field="init", code="invalid_value")
        parameters, field, hint = {"shape": (1,) * len(shape), "init": init}, "init", ""
    try:
        sample = row.tensor(parameters)  # for real, if only one element: the meta device takes any numbers
    except REFUSALS as error:
        raise Mismatch(f"{node.id}: {_first_line(error)}", hint, field=field, code="invalid_value") from None
    if not sample.isfinite().all():
        raise Mismatch(
            f"{node.id} holds numbers beyond float32", "make them smaller", field=field, code="invalid_value"
        )
    if row.place == "constant":
        return Trace(node, (), sample.to(META))
    output = torch.empty(shape, device=META)
    trained = row.place == "parameter"
    return Trace(node, (), output, output.numel() if trained else 0, 0 if trained else output.numel())
