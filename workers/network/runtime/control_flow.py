"""Functions of the control-flow nodes: which bodies run, how often, and on which rows.

Each takes the node's bodies by name and its inputs, and returns a tensor or a tuple of several. `record` receives
metrics. Only torch may be imported current, since `model.py` carries the source of these functions.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

TensorOrTuple = Tensor | tuple[Tensor, ...]
Body = Callable[..., TensorOrTuple]
Bodies = Mapping[str, Body]
RecordMetric = Callable[[str, float, int], None]  # name, mean, and the number of examples


def discard_metric(name: str, value: float, count: int) -> None:
    """Ignore a metric."""


def as_tuple(output: TensorOrTuple) -> tuple[Tensor, ...]:
    """Return outputs as a tuple, also a single one."""
    return output if isinstance(output, tuple) else (output,)


def unwrap_single(outputs: Sequence[Tensor]) -> TensorOrTuple:
    """Return the only output itself, or a tuple of several."""
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def branch(bodies: Bodies, predicate: Tensor, *inputs: Tensor, record: RecordMetric = discard_metric) -> TensorOrTuple:
    """Run "then" if the predicate (one element) is true, otherwise "else". The other body does not run.

    Without an "else" the inputs are the outputs.
    """
    taken = bool(predicate)
    record("then", float(taken), 1)
    if taken:
        return bodies["then"](*inputs)
    return bodies["else"](*inputs) if "else" in bodies else unwrap_single(inputs)


def route(bodies: Bodies, selector: Tensor, *inputs: Tensor, record: RecordMetric = discard_metric) -> TensorOrTuple:
    """Run body i on the rows whose selector (N), integer or bool, is i; return the rows (N, ...) in their order.

    Raises `IndexError` for a row that selects no body.
    """
    selector = selector.long()
    rows, outputs = [], []
    for case, (name, body) in enumerate(bodies.items()):
        selected = (selector == case).nonzero().squeeze(1)
        record(name, len(selected) / max(1, len(selector)), len(selector))
        if len(selected):
            rows.append(selected)
            outputs.append(as_tuple(body(*[value.index_select(0, selected) for value in inputs])))
    order = torch.cat(rows) if rows else selector
    if len(order) != len(selector):
        raise IndexError(f"a selector is not in 0..{len(bodies) - 1}")
    if not rows:  # an empty batch: any body returns the shape
        return next(iter(bodies.values()))(*inputs)
    back = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
    return unwrap_single([torch.cat(parts).index_select(0, back) for parts in zip(*outputs, strict=True)])


def repeat(
    bodies: Bodies,
    *inputs: Tensor,
    times: int | None = None,
    max_iterations: int,
    carry: int,
    record: RecordMetric = discard_metric,
) -> TensorOrTuple:
    """Run the body `times` times, or as often as the first input (one element) says.

    The outputs replace the first `carry` inputs in the next iteration. Several bodies take turns. Raises `RuntimeError`
    for more than `max_iterations` iterations.
    """
    if times is None:
        times, inputs = int(inputs[0]), inputs[1:]
        record("turns", float(max(0, times)), 1)
    if times > max_iterations:
        raise RuntimeError(f"{times} iterations were requested, at most {max_iterations} are allowed")
    parts = list(bodies.values())
    carried, fixed = inputs[:carry], inputs[carry:]
    for iteration in range(times):
        carried = as_tuple(parts[iteration % len(parts)](*carried, *fixed))
    return unwrap_single(carried)


def while_loop(
    bodies: Bodies,
    *inputs: Tensor,
    carry: int,
    max_iterations: int,
    stop_at_limit: bool = False,
    per_example: bool = False,
    record: RecordMetric = discard_metric,
) -> TensorOrTuple:
    """Run the body while the condition is true; its outputs replace the first `carry` inputs.

    With `per_example` there is a condition for every row (N): rows for which it is false keep their values and are no
    longer computed. After `max_iterations` it stops if `stop_at_limit`, otherwise it raises `RuntimeError`.
    """
    carried, fixed = inputs[:carry], inputs[carry:]
    rows, complete, iterations = torch.arange(len(inputs[0]), device=inputs[0].device), True, 0
    total = 0
    while True:
        current = carried if complete else tuple(value.index_select(0, rows) for value in carried)
        beside = fixed if complete else tuple(value.index_select(0, rows) for value in fixed)
        going = as_tuple(bodies["condition"](*current, *beside))[0]
        if per_example:
            active = going.reshape(-1).nonzero().squeeze(1)
            if len(active) == 0:
                break
            if len(active) < len(rows):
                rows, complete = rows.index_select(0, active), False
                current = tuple(value.index_select(0, active) for value in current)
                beside = tuple(value.index_select(0, active) for value in beside)
        elif not bool(going):
            break
        if iterations == max_iterations:
            if stop_at_limit:
                break
            raise RuntimeError(f"the condition is still true after {max_iterations} iterations")
        outputs = as_tuple(bodies["body"](*current, *beside))
        carried = (
            outputs
            if complete
            else tuple(old.index_copy(0, rows, new.to(old.dtype)) for old, new in zip(carried, outputs, strict=True))
        )
        iterations, total = iterations + 1, total + len(rows)
    if per_example:
        record("turns", total / max(1, len(inputs[0])), len(inputs[0]))
    else:
        record("turns", float(iterations), 1)
    return unwrap_single(carried)


def scan(
    bodies: Bodies,
    *inputs: Tensor,
    carry: int,
    over: int,
    lengths: bool = False,
    reverse: bool = False,
    shared: tuple[int, ...] = (),
    record: RecordMetric = discard_metric,
) -> TensorOrTuple:
    """Run the body along dimension 1: on the carry, a step of `over` sequences (N, L, ...), and the other inputs.

    The first `carry` outputs are the next carry, the others are stacked (N, L, ...). With `lengths` (N), the input
    after the sequences, rows past their end are not computed: they keep their carry, and stacked outputs are zero.
    `shared` are the indices of arguments of the body without a batch dimension, such as parameters.
    """
    carried, rest = inputs[:carry], inputs[carry:]
    sequences, fixed = [value.unbind(1) for value in rest[:over]], rest[over:]
    steps = last = len(sequences[0])
    ends = longest = torch.empty(0)
    alive: list[int] = []
    masked = lengths and torch.compiler.is_exporting()  # an exported graph computes all rows
    if lengths:
        ends, fixed = fixed[0], fixed[1:]
    if lengths and not masked:
        longest = ends.argsort(descending=True, stable=True)  # the rows alive at a step are the first of these
        alive = (ends.unsqueeze(1) > torch.arange(steps, device=ends.device)).sum(0).tolist()
        last = max(min(1, steps), sum(count > 0 for count in alive))  # one step, for the shapes, where no row is alive
    stacked: list[tuple[Tensor, ...]] = []
    for step in reversed(range(last)) if reverse else range(last):
        arguments = [*carried, *[sequence[step] for sequence in sequences], *fixed]
        rows = longest[: alive[step]] if alive and alive[step] < len(longest) else None
        if rows is not None:
            arguments = [
                value if place in shared else value.index_select(0, rows) for place, value in enumerate(arguments)
            ]
        outputs = as_tuple(bodies["body"](*arguments))
        if rows is not None:
            blank = [new.new_zeros((len(longest), *new.shape[1:])) for new in outputs[carry:]]
            pairs = zip([*carried, *blank], outputs, strict=True)
            outputs = tuple(old.index_copy(0, rows, new.to(old.dtype)) for old, new in pairs)
        elif masked:
            pairs = zip([*carried, *map(torch.zeros_like, outputs[carry:])], outputs, strict=True)
            outputs = tuple(torch.where((step < ends).view(-1, *[1] * (new.dim() - 1)), new, old) for old, new in pairs)
        carried = outputs[:carry]
        stacked.append(outputs[carry:])
    if reverse:
        stacked.reverse()
    stacked += [tuple(map(torch.zeros_like, stacked[0]))] * (steps - last)
    return unwrap_single([*carried, *[torch.stack(parts, 1) for parts in zip(*stacked, strict=True)]])
