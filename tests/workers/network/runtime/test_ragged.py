"""Rows that end before the others: no longer computed, forward or backward, and put back as they were."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.workers.network.networks import build_model
from tests.workers.network.runtime.control_flow_cases import graph_spec
from workers.network.runtime.build import BuiltNetwork
from workers.network.runtime.control_flow import scan, while_loop

ROOTS: dict[str, Any] = {
    "inputs": ["h", "x", "w"],
    "outputs": {"h": "new", "y": "root"},
    "nodes": [
        {"id": "scaled", "kind": "mul", "inputs": ["x", "w"]},
        {"id": "root", "kind": "sqrt", "inputs": ["scaled"]},
        {"id": "new", "kind": "add", "inputs": ["h", "root"]},
    ],
}
RAGGED: dict[str, Any] = {"x": (4, 2), "h": (2,), "n": ((), "int64")}


def build_ragged_scan(reverse: bool = False) -> BuiltNetwork:
    scan = {
        "id": "flow",
        "kind": "Scan",
        "over": ["x"],
        "carry": ["h"],
        "inputs": ["w"],
        "lengths": "n",
        "body": ROOTS,
        "reverse": reverse,
    }
    weight = {"id": "w", "kind": "Parameter", "shape": [2], "init": {"kind": "constant", "value": 2.0}}
    return build_model(graph_spec(weight, scan, inputs=("x", "h", "n"), outputs={"h": "flow.h", "y": "flow.y"}), RAGGED)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [[4, 1, 3], [2, 0, 1], [0, 0, 0], [4, 4, 4]])
def test_rows_past_their_end_are_not_computed(lengths: list[int], reverse: bool) -> None:
    network = build_ragged_scan(reverse)
    heard: list[int] = []
    network.get_submodule("flow.body").register_forward_hook(lambda part, inputs, output: heard.append(len(inputs[0])))
    x = torch.rand(3, 4, 2) + 0.5
    for row, length in enumerate(lengths):
        x[row, length:] = 0.0  # where a square root has no gradient
    outputs = network({"x": x, "h": torch.ones(3, 2), "n": torch.tensor(lengths)})
    expected = (2 * x).sqrt()
    assert outputs["y"].allclose(expected)
    assert outputs["h"].allclose(1 + expected.sum(1))
    alive = [sum(length > step for length in lengths) for step in range(max(1, *lengths))]
    assert heard == (alive[::-1] if reverse else alive)
    outputs["h"].sum().backward()
    gradient = network.get_parameter("w").grad
    assert gradient is not None
    assert gradient.allclose((x / 8).sqrt().sum((0, 1)))


class BelowThreshold(nn.Module):
    """Says which rows are below a limit."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0] < 2


class AddOneInHalf(nn.Module):
    """Adds one, in half precision, as a Linear does under autocast on a GPU."""

    def forward(self, x: Tensor, *others: Tensor) -> tuple[Tensor, Tensor] | Tensor:
        grown = (x + 1).bfloat16()
        return (grown, grown) if others else grown


def test_rows_are_put_back_in_the_precision_of_the_others() -> None:
    x = torch.tensor([[0.0], [1.0], [5.0]])
    bodies = {"condition": BelowThreshold(), "body": AddOneInHalf()}
    ended = while_loop(bodies, x, carry=1, max_iterations=9, per_example=True)
    assert ended.equal(torch.tensor([[2.0], [2.0], [5.0]]))
    steps, ends = torch.zeros(3, 4, 1), torch.tensor([2, 1, 0])
    carried, stacked = scan({"body": AddOneInHalf()}, x, steps, ends, carry=1, over=1, lengths=True)
    assert carried.equal(torch.tensor([[2.0], [2.0], [5.0]]))
    assert stacked.squeeze(2).tolist() == [[1.0, 2.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
