"""Control flow, carried out: which parts run, how often, and on which rows.

Each function takes the node's bodies (modules by name) and its inputs; an output is a tensor, or a tuple of several.
`tally` hears what happened, for metrics. Nothing but torch is needed here, so `model.py` can carry these functions.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

TensorOrTuple = Tensor | tuple[Tensor, ...]
Body = Callable[..., TensorOrTuple]
Bodies = Mapping[str, Body]
RecordMetric = Callable[[str, float, int], None]  # what, a mean, and of how many


def discard_metric(name: str, value: float, count: int) -> None:
    """Hear nothing."""


def as_tuple(output: TensorOrTuple) -> tuple[Tensor, ...]:
    """Return an output as a tuple."""
    return output if isinstance(output, tuple) else (output,)


def unwrap_single(outputs: Sequence[Tensor]) -> TensorOrTuple:
    """Return a tuple of one as that one."""
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def branch(bodies: Bodies, predicate: Tensor, *inputs: Tensor, tally: RecordMetric = discard_metric) -> TensorOrTuple:
    """Run "then" if the predicate (one element) is true, else "else"; the other one does not run, nor its backward.

    Without an "else" the inputs are the outputs.
    """
    taken = bool(predicate)
    tally("then", float(taken), 1)
    if taken:
        return bodies["then"](*inputs)
    return bodies["else"](*inputs) if "else" in bodies else unwrap_single(inputs)


def route(bodies: Bodies, selector: Tensor, *inputs: Tensor, tally: RecordMetric = discard_metric) -> TensorOrTuple:
    """Run each body on its own rows: those whose selector (N, integers or bool) is its place; then merge in order.

    With bool selectors body 0 is for false. Raises `IndexError` for a row that selects no body.
    """
    selector = selector.long()
    rows, outputs = [], []
    for case, (name, body) in enumerate(bodies.items()):
        mine = (selector == case).nonzero().squeeze(1)
        tally(name, len(mine) / max(1, len(selector)), len(selector))
        if len(mine):
            rows.append(mine)
            outputs.append(as_tuple(body(*[value.index_select(0, mine) for value in inputs])))
    order = torch.cat(rows) if rows else selector
    if len(order) != len(selector):
        raise IndexError(f"a selector is not in 0..{len(bodies) - 1}")
    if not rows:  # no rows: any body gives the shape
        return next(iter(bodies.values()))(*inputs)
    back = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
    return unwrap_single([torch.cat(parts).index_select(0, back) for parts in zip(*outputs, strict=True)])


def repeat(
    bodies: Bodies,
    *inputs: Tensor,
    times: int | None = None,
    most: int,
    carry: int,
    tally: RecordMetric = discard_metric,
) -> TensorOrTuple:
    """Run the body `times` times, or as often as the first input (one element) says, on what it carries.

    With several bodies each has a turn. The first `carry` inputs are replaced by the outputs. Raises `RuntimeError`
    for more than `most` turns.
    """
    if times is None:
        times, inputs = int(inputs[0]), inputs[1:]
        tally("turns", float(max(0, times)), 1)
    if times > most:
        raise RuntimeError(f"{times} turns were asked for, at most {most} are allowed")
    parts = list(bodies.values())
    carried, fixed = inputs[:carry], inputs[carry:]
    for turn in range(times):
        carried = as_tuple(parts[turn % len(parts)](*carried, *fixed))
    return unwrap_single(carried)


def while_loop(
    bodies: Bodies,
    *inputs: Tensor,
    carry: int,
    most: int,
    stops: bool = False,
    each: bool = False,
    tally: RecordMetric = discard_metric,
) -> TensorOrTuple:
    """Run the body while the condition holds, on what it carries: the first `carry` inputs.

    With `each` the condition is told for every row (N), and rows for which it is false are finished: they stay as they
    are and cost nothing. After `most` turns it stops if `stops`, else raises `RuntimeError`.
    """
    carried, fixed = inputs[:carry], inputs[carry:]
    rows, whole, turns = torch.arange(len(inputs[0]), device=inputs[0].device), True, 0
    total = 0
    while True:
        here = carried if whole else tuple(value.index_select(0, rows) for value in carried)
        beside = fixed if whole else tuple(value.index_select(0, rows) for value in fixed)
        going = as_tuple(bodies["condition"](*here, *beside))[0]
        if each:
            kept = going.reshape(-1).nonzero().squeeze(1)
            if len(kept) == 0:
                break
            if len(kept) < len(rows):
                rows, whole = rows.index_select(0, kept), False
                here = tuple(value.index_select(0, kept) for value in here)
                beside = tuple(value.index_select(0, kept) for value in beside)
        elif not bool(going):
            break
        if turns == most:
            if stops:
                break
            raise RuntimeError(f"the condition still holds after {most} turns")
        outputs = as_tuple(bodies["body"](*here, *beside))
        carried = (
            outputs
            if whole
            else tuple(old.index_copy(0, rows, new.to(old.dtype)) for old, new in zip(carried, outputs, strict=True))
        )
        turns, total = turns + 1, total + len(rows)
    if each:
        tally("turns", total / max(1, len(inputs[0])), len(inputs[0]))
    else:
        tally("turns", float(turns), 1)
    return unwrap_single(carried)


def scan(
    bodies: Bodies,
    *inputs: Tensor,
    carry: int,
    over: int,
    lengths: bool = False,
    backwards: bool = False,
    shared: tuple[int, ...] = (),
    tally: RecordMetric = discard_metric,
) -> TensorOrTuple:
    """Run the body along dimension 1: it gets what it carries, a step of `over` sequences (N, L, ...), and more.

    The first `carry` outputs are carried on, the others are stacked (N, L, ...). With `lengths` (N), the input after
    the sequences, rows past their end are not computed: they keep what they carry, and what is stacked there is zero.
    `shared` are the places of what the body gets that is no row of anything (parameters, say).
    """
    carried, rest = inputs[:carry], inputs[carry:]
    sequences, fixed = [value.unbind(1) for value in rest[:over]], rest[over:]
    steps = last = len(sequences[0])
    ends = longest = torch.empty(0)
    alive: list[int] = []
    masked = lengths and torch.compiler.is_exporting()  # a graph computes all rows; nothing flows back through it
    if lengths:
        ends, fixed = fixed[0], fixed[1:]
    if lengths and not masked:
        longest = ends.argsort(descending=True, stable=True)  # the rows alive at a step are the first of these
        alive = (ends.unsqueeze(1) > torch.arange(steps, device=ends.device)).sum(0).tolist()
        last = max(min(1, steps), sum(count > 0 for count in alive))  # one step, for the shapes, where no row is alive
    stacked: list[tuple[Tensor, ...]] = []
    for step in reversed(range(last)) if backwards else range(last):
        given = [*carried, *[sequence[step] for sequence in sequences], *fixed]
        rows = longest[: alive[step]] if alive and alive[step] < len(longest) else None
        if rows is not None:
            given = [value if place in shared else value.index_select(0, rows) for place, value in enumerate(given)]
        outputs = as_tuple(bodies["body"](*given))
        if rows is not None:
            blank = [new.new_zeros((len(longest), *new.shape[1:])) for new in outputs[carry:]]
            pairs = zip([*carried, *blank], outputs, strict=True)
            outputs = tuple(old.index_copy(0, rows, new.to(old.dtype)) for old, new in pairs)
        elif masked:
            pairs = zip([*carried, *map(torch.zeros_like, outputs[carry:])], outputs, strict=True)
            outputs = tuple(torch.where((step < ends).view(-1, *[1] * (new.dim() - 1)), new, old) for old, new in pairs)
        carried = outputs[:carry]
        stacked.append(outputs[carry:])
    if backwards:
        stacked.reverse()
    stacked += [tuple(map(torch.zeros_like, stacked[0]))] * (steps - last)
    return unwrap_single([*carried, *[torch.stack(parts, 1) for parts in zip(*stacked, strict=True)]])
