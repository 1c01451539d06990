"""The control-flow node `Fold`: bodies as the cells of `fold`."""

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
    all_nodes: bool,
    pass_mask: bool,
    max_depth: int,
    record: RecordMetric = discard_metric,
) -> TensorOrTuple:
    """Return the states of the trees' roots (N, ...), or with `all_nodes` of all nodes (N, M, ...).

    The body "leaf" takes values (K, ...). The others take values, the children's states (K, A, ...) and, with
    `pass_mask`, a mask of the children that exist (K, A). Raises `TreeError` for rows that form no tree, or one deeper
    than `max_depth`.
    """
    names = [name for name in bodies if name != "leaf"]
    arities = (children.shape[2],) * len(names)
    plan = schedule_trees(children, *cell, arities=arities, max_depth=max_depth)
    record("height", float(plan.heights.double().mean()), len(plan.heights))
    cells = [_cell(bodies[name], pass_mask) for name in names]
    states = fold(plan, values, lambda value: as_tuple(bodies["leaf"](value)), cells, all_nodes=all_nodes)
    return unwrap_single(states[1] if all_nodes else states)


def _cell(body: Body, pass_mask: bool) -> CellFunction:
    def call(value: TensorOrTuple, states: TensorOrTuple, mask: Tensor) -> TensorOrTuple:
        return as_tuple(body(value, *as_tuple(states), *([mask] if pass_mask else [])))

    return call
