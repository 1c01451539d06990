"""Control flow as its inputs tell it."""

import pytest
import torch

from workers.network.blueprint import Blueprint, ResolvedNode
from workers.training.statistics.flow import FlowStatistics, flow_quantities, recorded_flow

EMPTY = Blueprint((), (), {})


def node(kind: str, *bodies: str, **parameters: object) -> ResolvedNode:
    return ResolvedNode("n", kind, parameters, (), "", bodies=dict.fromkeys(bodies, EMPTY))


@pytest.mark.parametrize(("lengths", "steps"), [([3, 5, 2], 5), ([9, 1, 1], 7), ([0, 0, 0], 1)])
def test_a_scan_ends_with_the_longest_row(lengths: list[int], steps: int) -> None:
    flow = FlowStatistics(node("Scan", "body", carry=1, over=2, lengths=True))
    flow.add([torch.zeros(3, 4), torch.zeros(3, 7, 2), torch.zeros(3, 7, 1), torch.tensor(lengths)])
    flow.add([torch.zeros(3, 4), torch.zeros(3, 7, 2), torch.zeros(3, 7, 1), torch.tensor([7, 7, 7])])
    assert flow.result() == {"iterations": (steps + 7) / 2}


def test_levels_are_means_over_batches() -> None:
    flow = FlowStatistics(node("Fold", "leaf", "node", max_depth=10))
    chain = torch.tensor([[[1, 2], [-1, -1], [-1, -1]], [[1, -1], [2, -1], [-1, -1]]])
    flow.add([torch.zeros(2, 3, 1), chain])
    flow.add([torch.zeros(1, 3, 1), chain[:1]])
    assert flow.result() == {"iterations": 1.5, "level_sizes/0": 2.5, "level_sizes/1": 1.0 + 0.5, "level_sizes/2": 0.5}


@pytest.mark.parametrize(
    ("described", "own", "expected"),
    [
        (node("If", "then"), {"then": 0.25}, {"branch_shares/then": 0.25, "branch_shares/else": 0.75}),
        (node("Route", "a", "b"), {"a": 0.1, "b": 0.9}, {"branch_shares/a": 0.1, "branch_shares/b": 0.9}),
        (node("While", "body"), {"turns": 2.5}, {"iterations": 2.5}),
        (node("Repeat", "body", times=None), {"turns": 4.0}, {"iterations": 4.0}),
        (node("Repeat", "body", times=3), {}, {"iterations": 3.0}),
        (node("Fold", "leaf", "node"), {"height": 1.5}, {"tree_height": 1.5}),
        (node("If", "then"), {}, {}),
        (node("Linear"), {}, {}),
    ],
)
def test_what_a_node_has_recorded(described: ResolvedNode, own: dict[str, float], expected: dict[str, float]) -> None:
    assert recorded_flow(described, own) == expected
    assert set(expected) <= set(flow_quantities(described))
