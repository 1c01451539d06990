"""How weights and the optimiser's state follow tensor maps, entry by entry."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from workers.network.blueprint import Blueprint, ResolvedNode
from workers.surgery.apply import NamedState, ParameterState, adapt_settings, map_state, unchanged_names
from workers.surgery.draft import Change
from workers.surgery.optimizer_state import OPTIONAL_TENSORS, STATE_TENSORS
from workers.surgery.tensor_map import NEW, AxisMap, TensorMap, TensorSource
from workers.training.optim.optimizers import OPTIMIZERS

WEIGHT = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
SETTINGS = {"lr": 0.5, "initial_accumulator_value": 0.25}
KEPT = AxisMap(0, (1, NEW, 1), (0.5, 1.0, 0.5), (2.0, 1.0, 2.0))


def change(tensors: TensorMap, shape: tuple[int, ...] = (3, 2)) -> Change:
    """Return a change of a network of one parameter, `w`."""
    node = ResolvedNode("w", "Parameter", {"shape": shape, "init": "zeros"}, (), "/nodes/0")
    return Change(Blueprint((), (node,), {}), tensors)


def renamed(*names: str, **tensors: TensorSource) -> Change:
    """Return a change of a network of several parameters."""
    nodes = [
        ResolvedNode(name, "Parameter", {"shape": (3, 2), "init": "zeros"}, (), f"/nodes/{name}") for name in names
    ]
    return Change(Blueprint((), tuple(nodes), {}), tensors)


def sevens(_: Blueprint, fills: Mapping[str, Any]) -> dict[str, Tensor]:
    return dict.fromkeys(fills, torch.full((3, 2), 7.0))


def mapped(
    values: Mapping[str, Any], optimizer: str, source: TensorSource, shape: tuple[int, ...] = (3, 2)
) -> NamedState:
    state = NamedState({"w": WEIGHT}, {"w": WEIGHT + 10}, {"w": ParameterState(values, SETTINGS)})
    return map_state(state, [change({"w": source}, shape)], optimizer, sevens)


def test_weights_and_averages_go_on_entry_by_entry() -> None:
    state = mapped({}, "SGD", TensorSource("w", (KEPT,)))
    assert state.weights["w"].tolist() == [[1.5, 2.0], [7.0, 7.0], [1.5, 2.0]]
    assert state.average["w"].tolist() == [[6.5, 7.0], [7.0, 7.0], [6.5, 7.0]]


def test_new_entries_may_be_the_mean_of_the_others() -> None:
    state = mapped({}, "SGD", TensorSource("w", (AxisMap(0, (0, 1, NEW)),), fill="mean"))
    assert state.weights["w"].tolist() == [[1.0, 2.0], [3.0, 4.0], [2.0, 3.0]]


@pytest.mark.parametrize(
    ("optimizer", "key", "expected"),
    [
        ("Adam", "exp_avg", [[6.0, 8.0], [0.0, 0.0], [6.0, 8.0]]),
        ("Adam", "exp_avg_sq", [[12.0, 16.0], [0.0, 0.0], [12.0, 16.0]]),
        ("Adagrad", "sum", [[12.0, 16.0], [0.25, 0.25], [12.0, 16.0]]),
        ("Adadelta", "acc_delta", [[3.0, 4.0], [0.0, 0.0], [3.0, 4.0]]),
        ("Rprop", "step_size", [[3.0, 4.0], [0.5, 0.5], [3.0, 4.0]]),
        ("ASGD", "ax", [[1.5, 2.0], [7.0, 7.0], [1.5, 2.0]]),
    ],
)
def test_moments_go_on_by_what_they_are(optimizer: str, key: str, expected: list[list[float]]) -> None:
    step = torch.tensor(5.0)
    state = mapped({key: WEIGHT, "step": step}, optimizer, TensorSource("w", (KEPT,)))
    values = state.parameters["w"].values
    assert values[key].tolist() == expected
    assert values["step"] is step


def test_factored_moments_go_on_only_with_their_parameter() -> None:
    values = {"row_var": torch.ones(2, 1), "col_var": torch.ones(1, 2), "step": torch.tensor(1.0)}
    state = mapped(values, "Adafactor", TensorSource("w", (KEPT,)))
    assert (state.parameters, state.dropped) == ({}, ("w",))
    same = map_state(state, [change({"w": TensorSource("w")})], "Adafactor", sevens)
    assert same.dropped == ("w",)
    kept = mapped(values, "Adafactor", TensorSource("w"), (2, 2))
    assert kept.parameters["w"].values == values


def test_a_drawn_parameter_has_no_state() -> None:
    state = mapped({"exp_avg": WEIGHT}, "Adam", TensorSource(None))
    assert state.parameters == {}
    assert state.weights["w"].tolist() == [[7.0, 7.0]] * 3


def test_noise_is_added_to_copies_alone() -> None:
    twice = TensorSource("w", (AxisMap(0, (0, 1, 0)),), noise=0.1)
    state = mapped({}, "SGD", twice)
    difference = state.weights["w"] - WEIGHT[[0, 1, 0]]
    assert difference[:2].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert 0 < difference[2].abs().max() < 1
    assert torch.equal(state.weights["w"], mapped({}, "SGD", twice).weights["w"])


def test_unchanged_names_survive_renaming() -> None:
    changes = [renamed("v", v=TensorSource("w")), renamed("u", "w", u=TensorSource("v"), w=TensorSource("v", (KEPT,)))]
    assert unchanged_names(changes, {"w": (3, 2)}) == {"u": "w"}


FIRST_ROW = TensorSource("w", (AxisMap(0, (0,)),))


def test_the_first_entries_alone_are_not_the_whole_tensor() -> None:
    state = mapped({"exp_avg": WEIGHT * 10, "step": torch.tensor(5.0)}, "Adam", FIRST_ROW, (1, 2))
    assert state.weights["w"].tolist() == [[1.0, 2.0]]
    assert state.average["w"].tolist() == [[11.0, 12.0]]
    assert state.parameters["w"].values["exp_avg"].tolist() == [[10.0, 20.0]]
    assert unchanged_names([change({"w": FIRST_ROW}, (1, 2))], {"w": (2, 2)}) == {}
    history = mapped({"row_var": torch.ones(2, 1)}, "Adafactor", FIRST_ROW, (1, 2))
    assert (history.parameters, history.dropped) == ({}, ("w",))


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_every_tensor_of_every_optimizer_is_in_the_table(kind: str) -> None:
    parameter = nn.Parameter(torch.randn(3, 4))
    optional = {
        setting: True if setting in ("amsgrad", "centered") else 0.9 for setting in OPTIONAL_TENSORS.get(kind, {})
    }
    optimizer = OPTIMIZERS[kind].build([parameter], lr=0.01, **optional)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (parameter**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    for _ in range(3):
        optimizer.step(closure)  # type: ignore[arg-type]
    found = {
        key
        for key, value in optimizer.state[parameter].items()
        for each in (value if isinstance(value, list) else [value])
        if isinstance(each, Tensor) and each.ndim
    }
    assert found <= STATE_TENSORS[kind].keys()
    assert found >= set(OPTIONAL_TENSORS.get(kind, {}).values())


def test_moments_that_a_setting_switches_come_and_go() -> None:
    values = {"exp_avg": WEIGHT, "exp_avg_sq": WEIGHT}
    on = adapt_settings(values, "Adam", {"amsgrad": True})
    assert torch.equal(on["max_exp_avg_sq"], torch.zeros(2, 2))
    assert adapt_settings(on, "Adam", {"amsgrad": False}).keys() == values.keys()
