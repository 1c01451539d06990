"""Trees inside a network: bodies as the cells of `fold`."""

from torch import Tensor

from workers.network.runtime.control_flow import (
    Bodies,
    Body,
    RecordMetric,
    TensorOrTuple,
    as_tuple,
    discard_metric,
    unwrap_single,
)
from workers.network.runtime.fold import CellFunction, fold
from workers.network.runtime.tree_levels import schedule_trees


def fold_trees(
    bodies: Bodies,
    values: Tensor,
    children: Tensor,
    *cell: Tensor,
    nodes: bool,
    filled: bool,
    most: int,
    tally: RecordMetric = discard_metric,
) -> TensorOrTuple:
    """Return the states of all trees' roots (N, ...), or of their nodes (N, M, ...), computed bottom-up.

    The body "leaf" gets values (K, ...), the others values, the children's states (K, A, ...) and, with `filled`, which
    children there are (K, A). Raises `TreeError` for rows that are no tree or deeper than `most`.
    """
    names = [name for name in bodies if name != "leaf"]
    arities = (children.shape[2],) * len(names)
    plan = schedule_trees(children, *cell, arities=arities, max_depth=most)
    tally("height", float(plan.heights.double().mean()), len(plan.heights))
    cells = [_cell(bodies[name], filled) for name in names]
    states = fold(plan, values, lambda value: as_tuple(bodies["leaf"](value)), cells, every=nodes)
    return unwrap_single(states[1] if nodes else states)


def _cell(body: Body, filled: bool) -> CellFunction:
    def call(value: TensorOrTuple, states: TensorOrTuple, there: Tensor) -> TensorOrTuple:
        return as_tuple(body(value, *as_tuple(states), *([there] if filled else [])))

    return call
