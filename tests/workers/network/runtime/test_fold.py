import sys
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.workers.network.runtime.tree_cases import (
    FEATURES,
    STATE_SIZE,
    TreeCells,
    chains,
    fold_recursively,
    random_trees,
    tree_batches,
)
from workers.network.runtime.fold import fold
from workers.network.runtime.tree_levels import schedule_trees

DEEP = 2_000


def assert_matches_recursion(children: Tensor, cell: Tensor, *, every: bool = False) -> None:
    """Compare states, and gradients of values and weights, with the recursion."""
    torch.manual_seed(0)
    network = TreeCells()
    values = torch.randn(*cell.shape, FEATURES, requires_grad=True)
    weights = torch.randn(2, STATE_SIZE)

    def loss(roots: Any, rows: Any) -> Any:
        sums = [root + row.sum(1) if every else root for root, row in zip(roots, rows, strict=True)]
        return sum((part * weight).mean() for part, weight in zip(sums, weights, strict=True))

    plan = schedule_trees(children, cell, arities=TreeCells.arities)
    ours = fold(plan, values, network.leaf, network.cells(), all_nodes=True)
    theirs = fold_recursively(children, cell, values, network)
    for one, other in zip((*ours[0], *ours[1]), (*theirs[0], *theirs[1]), strict=True):
        assert (one - other).abs().max() <= 1e-6
    wanted = (values, *network.parameters())
    found = torch.autograd.grad(loss(*ours), wanted, materialize_grads=True)
    for one, other in zip(found, torch.autograd.grad(loss(*theirs), wanted, materialize_grads=True), strict=True):
        assert (one - other).abs().max() <= 1e-6 * max(1.0, float(other.abs().max()))


@settings(max_examples=60, deadline=None)
@given(tree_batches(), st.booleans())
def test_states_and_gradients_are_those_of_the_recursion(forest: tuple[Tensor, Tensor], every: bool) -> None:
    assert_matches_recursion(*forest, every=every)


def test_larger_trees_agree_too() -> None:
    children = random_trees(8, 32, Random(0))
    assert_matches_recursion(
        children, torch.randint(0, 3, children.shape[:2], generator=torch.Generator().manual_seed(0))
    )


def test_deep_chains_agree() -> None:
    children = chains(2, DEEP)
    assert_matches_recursion(children, torch.zeros(children.shape[:2], dtype=torch.long))


def test_one_call_for_each_height_and_cell() -> None:
    children = random_trees(20, 16, Random(1))
    cell = torch.randint(0, 3, children.shape[:2], generator=torch.Generator().manual_seed(0))
    plan = schedule_trees(children, cell, arities=TreeCells.arities)
    network = TreeCells()
    fold(plan, torch.randn(*cell.shape, FEATURES), network.leaf, network.cells())
    keys = [(level.height, level.cell) for level in plan.levels]
    assert len(set(keys)) == len(keys) == network.calls.total()
    assert keys == sorted(keys, key=lambda key: (key[0], key[1] or 0))
    assert network.calls["leaf"] == 1
    assert sum(level.size for level in plan.levels) == 20 * 31


def test_python_takes_no_step_per_node() -> None:
    shape = random_trees(1, 24, Random(2))

    def steps(trees: int) -> int:
        taken = 0

        def count(*_: Any) -> None:
            nonlocal taken
            taken += 1

        children = shape.expand(trees, -1, -1)
        values, part = torch.randn(*children.shape[:2], STATE_SIZE), nn.Linear(2 * STATE_SIZE, STATE_SIZE)
        sys.setprofile(count)
        try:
            fold(schedule_trees(children), values, torch.tanh, [lambda _, states, __: part(states.flatten(1))])
        finally:
            sys.setprofile(None)
        return taken

    steps(1)
    assert steps(200) <= steps(1) + 5


def test_what_backward_keeps_grows_with_the_nodes_alone() -> None:
    def kept(depth: int) -> int:
        sizes: list[int] = []
        part = nn.Linear(STATE_SIZE, STATE_SIZE)
        values, cell = torch.randn(3, depth + 1, STATE_SIZE), [lambda _, states, __: part(states[:, 0]).tanh()]

        def keep(saved: Tensor) -> Tensor:
            sizes.append(saved.nbytes)
            return saved

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
            fold(schedule_trees(chains(3, depth)), values, part, cell)
        return sum(sizes)

    assert kept(400) == pytest.approx(2 * kept(200), rel=0.05)


def test_gradients_of_gradients() -> None:
    children = random_trees(2, 4, Random(3))
    plan = schedule_trees(children)
    weight = torch.randn(4, 2, dtype=torch.double, requires_grad=True)

    def roots(values: Tensor, weight: Tensor) -> Any:
        cells = [lambda _, states, __: (states.flatten(1) @ weight).tanh()]
        return fold(plan, values, torch.tanh, cells, all_nodes=True)

    inputs = (torch.randn(2, 7, 2, dtype=torch.double, requires_grad=True), weight)
    assert torch.autograd.gradcheck(roots, inputs)
    assert torch.autograd.gradgradcheck(roots, inputs)


def test_a_missing_child_is_zero_and_masked() -> None:
    children = torch.tensor([[[-1, 2], [-1, -1], [-1, -1]]])
    cell = torch.tensor([[0, -1, 0]])
    seen = []

    def look(values: Tensor, states: Tensor, filled: Tensor) -> Tensor:
        seen.append((states.tolist(), filled.tolist()))
        return states.sum(1)

    plan = schedule_trees(children, cell, arities=[3])
    fold(plan, torch.tensor([[[1.0], [2.0], [3.0]]]), torch.clone, [look])
    assert seen == [([[[0.0], [3.0], [0.0]]], [[False, True, False]])]


def test_several_columns_of_values_and_any_type() -> None:
    children = random_trees(3, 5, Random(4))
    words, marks = torch.arange(27).view(3, 9), torch.ones(3, 9)

    def leaf(values: tuple[Tensor, Tensor]) -> Tensor:
        assert values[0].dtype == torch.long
        return values[0] + values[1]

    total = fold(
        schedule_trees(children),
        (words, marks),
        leaf,
        [lambda values, states, _: states.sum(1) + values[0] + values[1]],
    )
    assert total.tolist() == (words + marks).sum(1).tolist()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients(mode: Any) -> None:
    children = random_trees(4, 8, Random(5))
    values, part = torch.randn(4, 15, STATE_SIZE), nn.Linear(2 * STATE_SIZE, STATE_SIZE)
    cell = [lambda _, states, __: part(states.flatten(1))]
    with mode():
        bare = fold(schedule_trees(children), values, torch.tanh, cell)
    assert not bare.requires_grad
    assert torch.equal(bare, fold(schedule_trees(children), values, torch.tanh, cell))


def test_autocast_promotes_states_of_unlike_types() -> None:
    children = random_trees(4, 8, Random(6))
    values, part = torch.randn(4, 15, STATE_SIZE, requires_grad=True), nn.Linear(2 * STATE_SIZE, STATE_SIZE)
    cell = [lambda _, states, __: part(states.flatten(1)).tanh()]
    full = fold(schedule_trees(children), values, torch.tanh, cell)
    with torch.autocast("cpu", torch.bfloat16):
        half, rows = fold(schedule_trees(children), values, torch.tanh, cell, all_nodes=True)
    assert (half.dtype, rows.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(half.float(), full, atol=0.03, rtol=0)
    (gradient,) = torch.autograd.grad(half.float().sum(), values)
    assert gradient.dtype == torch.float32
    torch.testing.assert_close(gradient, torch.autograd.grad(full.sum(), values)[0], atol=0.03, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same() -> None:
    children = random_trees(6, 16, Random(7))
    values, part = torch.randn(6, 31, STATE_SIZE), nn.Linear(2 * STATE_SIZE, STATE_SIZE)
    cell = [lambda _, states, __: part(states.flatten(1)).tanh()]
    here = fold(schedule_trees(children), values, torch.tanh, cell)
    part = part.cuda()
    there = fold(schedule_trees(children.cuda()), values.cuda(), torch.tanh, cell)
    torch.testing.assert_close(there.cpu(), here, atol=1e-5, rtol=0)


def test_no_trees() -> None:
    roots, rows = fold(schedule_trees(torch.full((0, 3, 2), -1)), torch.ones(0, 3, 5), torch.tanh, [], all_nodes=True)
    assert (roots.shape, rows.shape) == ((0, 5), (0, 3, 5))


def test_states_of_another_shape_are_refused() -> None:
    plan = schedule_trees(chains(2, 1))
    with pytest.raises(ValueError, match=r"states of cell 0 have shapes \[\(2, 3\)\]; of 2 nodes .* \[\(2, 5\)\]"):
        fold(plan, torch.ones(2, 2, 5), torch.tanh, [lambda _, states, __: states[:, 0, :3]])
    with pytest.raises(ValueError, match=r"states of the leaves have shapes \[\(1, 5\)\]; of 2 nodes"):
        fold(plan, torch.ones(2, 2, 5), lambda values: values[:1], [lambda _, states, __: states])
