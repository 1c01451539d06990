"""Control flow: only what is needed runs, forward and backward; counts, limits, names; and `model.py` does the same."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.spec.network.control import CONTROL
from tests.workers.network.networks import Columns, Model, build_model, import_source, infer_model
from tests.workers.network.runtime.control_flow_cases import (
    CASES,
    CHILDREN,
    GROWING_BODY,
    IF,
    PER_EXAMPLE_CONDITION,
    TREE_COLUMNS,
    VECTOR,
    example_values,
    graph_spec,
    single_node_spec,
)
from workers.network.runtime.build import BuiltNetwork, flow_metrics
from workers.network.runtime.tree_levels import TreeError


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> tuple[Model, Columns]:
    return CASES[request.param]


def test_every_kind_has_a_case() -> None:
    models = [model for model, _ in CASES.values() if isinstance(model, dict)]
    assert {node["kind"] for model in models for node in model.get("nodes", model.get("layers"))} >= CONTROL.keys()


def test_the_draft_tells_the_truth(case: tuple[Model, Columns]) -> None:
    model, columns = case
    draft = infer_model(model, columns)
    assert draft.problems == []
    network = build_model(model, columns)
    outputs = network(example_values(columns))
    for name, source in draft.blueprint.outputs.items():
        shape = [3 if place == 0 else size for place, size in enumerate(draft.values[source].shape)]
        assert list(outputs[name].shape) == shape
        assert outputs[name].dtype == draft.values[source].dtype
    assert draft.parameters == sum(parameter.numel() for parameter in network.parameters())


def test_weights_and_source_make_a_round_trip(case: tuple[Model, Columns], tmp_path: Path) -> None:
    model, columns = case
    network = build_model(model, columns)
    other = import_source(network, tmp_path, seed=9)
    other.load_state_dict(network.state_dict(), strict=True)
    inputs = example_values(columns)
    outputs, found = network(inputs), other(*inputs.values())
    told = found if isinstance(found, dict) else {"output": found}
    assert all(value.equal(told.get(name, found)) for name, value in outputs.items())


def test_gradients_are_those_of_differences(case: tuple[Model, Columns]) -> None:
    model, columns = case
    network = build_model(model, columns).double()
    inputs = {
        name: value.double() if value.is_floating_point() else value for name, value in example_values(columns).items()
    }

    def loss() -> Tensor:
        return torch.stack([output.square().sum() for output in network(inputs).values()]).sum()

    loss().backward()
    for parameter in network.parameters():
        if parameter.grad is None:
            continue
        place = tuple(size // 2 for size in parameter.shape)
        before, step = parameter.data[place].item(), 1e-6
        found = []
        for shift in (step, -step):
            parameter.data[place] = before + shift
            found.append(loss().item())
        parameter.data[place] = before
        assert parameter.grad[place].item() == pytest.approx((found[0] - found[1]) / (2 * step), rel=1e-4, abs=1e-7)


def calls(network: BuiltNetwork, path: str) -> list[int]:
    """Return a list that grows by the number of rows whenever the part is called."""
    heard: list[int] = []
    network.get_submodule(path).register_forward_hook(lambda part, inputs, output: heard.append(len(inputs[0])))
    return heard


@pytest.mark.parametrize(("scale", "taken", "idle"), [(1.0, "then", "else"), (0.0, "else", "then")])
def test_only_the_taken_branch_costs(scale: float, taken: str, idle: str) -> None:
    network = build_model(IF, VECTOR)
    heard = {name: calls(network, f"flow.{name}") for name in ("then", "else")}
    network({"x": torch.full((4, 6), scale)})["output"].sum().backward()
    assert (heard[taken], heard[idle]) == ([4], [])
    assert all(parameter.grad is not None for parameter in network.get_submodule(f"flow.{taken}").parameters())
    assert all(parameter.grad is None for parameter in network.get_submodule(f"flow.{idle}").parameters())
    assert flow_metrics(network) == {"flow/then": float(taken == "then")}


def test_every_example_takes_its_own_way() -> None:
    network = build_model(*CASES["Route"])
    heard = [calls(network, f"flow.{case}") for case in range(3)]
    x, which = torch.rand(5, 6), torch.tensor([2, 0, 2, 2, 0])
    output = network({"x": x, "which": which})["output"]
    cases = [network.get_submodule(f"flow.{case}") for case in range(3)]
    alone = torch.cat([cases[case](row.unsqueeze(0)) for case, row in zip(which.tolist(), x, strict=True)])
    assert output.allclose(alone, atol=1e-6)
    assert [sum(rows[:1]) for rows in heard] == [2, 0, 3]
    assert flow_metrics(network)["flow/2"] == pytest.approx(0.6)


def test_a_batch_counts_for_its_examples() -> None:
    network = build_model(*CASES["Route"])
    for chosen in ([0, 0, 0], [1]):
        network({"x": torch.rand(len(chosen), 6), "which": torch.tensor(chosen)})
    assert flow_metrics(network) == {"flow/0": 0.75, "flow/1": 0.25, "flow/2": 0.0}


def test_a_selector_beyond_the_cases_is_an_error() -> None:
    network = build_model(*CASES["Route"])
    with pytest.raises(IndexError, match=r"0\.\.2"):
        network({"x": torch.rand(2, 6), "which": torch.tensor([0, 3])})


def test_an_empty_batch_has_a_shape() -> None:
    network = build_model(*CASES["Route"])
    assert network({"x": torch.rand(0, 6), "which": torch.zeros(0, dtype=torch.int64)})["output"].shape == (0, 6)


def test_finished_examples_stay_as_they_are_and_cost_nothing() -> None:
    network = build_model(*CASES["While each"])
    heard = calls(network, "flow.body")
    x = torch.tensor([[0.0] * 6, [4.5] * 6, [9.0] * 6])
    output = network({"x": x})["output"]
    assert output[2].equal(x[2])
    rows = []
    for row in x.unsqueeze(1):  # each alone takes as many turns as beside the others
        alone = network({"x": row})["output"]
        rows.append(alone)
    assert output.allclose(torch.cat(rows), atol=1e-6)
    first = heard[: heard.index(1)] if 1 in heard else heard
    assert first[0] == 2
    assert all(after <= before for before, after in pairwise(first))


@pytest.mark.parametrize(("limit", "error"), [("fail", RuntimeError), ("stop", None)])
def test_turns_are_limited(limit: str, error: type[Exception] | None) -> None:
    model = single_node_spec(
        "While",
        condition=PER_EXAMPLE_CONDITION,
        body=GROWING_BODY,
        halt="per_example",
        max_iterations=2,
        at_limit=limit,
    )
    network = build_model(model, VECTOR)
    heard = calls(network, "flow.body")
    if error is None:
        network({"x": torch.zeros(3, 6)})
    else:
        with pytest.raises(error, match="after 2 iterations"):
            network({"x": torch.zeros(3, 6)})
    assert heard == [3, 3]


def test_told_turns_are_limited() -> None:
    model, columns = CASES["Repeat as told"]
    assert isinstance(model, dict)
    limited = model | {"nodes": [model["nodes"][0], model["nodes"][1] | {"max_iterations": 3}]}
    network = build_model(limited, columns)
    network({"x": torch.rand(2, 6), "which": torch.tensor([3, 1])})
    assert flow_metrics(network) == {"flow/turns": 3.0}
    with pytest.raises(RuntimeError, match="at most 3"):
        network({"x": torch.rand(2, 6), "which": torch.tensor([4, 1])})


def test_shared_uses_are_one() -> None:
    shared, apart = (build_model(*CASES[name]) for name in ("shared block", "block"))
    assert len(list(shared.parameters())) * 2 == len(list(apart.parameters()))
    assert shared.state_dict().keys() == apart.state_dict().keys()


def test_names_in_the_state_are_those_in_the_spec() -> None:
    assert "flow.then.linear1.weight" in build_model(IF, VECTOR).state_dict()
    assert "flow.1.linear1.bias" in build_model(*CASES["Repeat apart"]).state_dict()
    assert "a.linear1.weight" in build_model(*CASES["block"]).state_dict()


GRU: dict[str, Any] = {
    "inputs": ["h", "x"],
    "outputs": {"h": "new", "y": "new"},
    "nodes": [
        {"id": "gx", "kind": "Linear", "inputs": ["x"], "out_features": 12},
        {"id": "gh", "kind": "Linear", "inputs": ["h"], "out_features": 12},
        *[
            {"id": f"{name}{side}", "kind": "narrow", "inputs": [f"g{side}"], "dim": 1, "start": 4 * place, "length": 4}
            for side in "xh"
            for place, name in enumerate("rzn")
        ],
        {"id": "ra", "kind": "add", "inputs": ["rx", "rh"]},
        {"id": "r", "kind": "sigmoid", "inputs": ["ra"]},
        {"id": "za", "kind": "add", "inputs": ["zx", "zh"]},
        {"id": "z", "kind": "sigmoid", "inputs": ["za"]},
        {"id": "rn", "kind": "mul", "inputs": ["r", "nh"]},
        {"id": "na", "kind": "add", "inputs": ["nx", "rn"]},
        {"id": "n", "kind": "tanh", "inputs": ["na"]},
        {"id": "d", "kind": "sub", "inputs": ["h", "n"]},
        {"id": "zd", "kind": "mul", "inputs": ["z", "d"]},
        {"id": "new", "kind": "add", "inputs": ["n", "zd"]},
    ],
}


@pytest.mark.parametrize("lengths", [None, [5, 2, 1]])
def test_a_gru_of_raw_operations_is_torchs(lengths: list[int] | None) -> None:
    columns: dict[str, Any] = {"x": (5, 6), "h": (4,)} | ({"n": ((), "int64")} if lengths else {})
    scan = {"id": "flow", "kind": "Scan", "over": ["x"], "carry": ["h"], "body": GRU}
    model = graph_spec(
        scan | ({"lengths": "n"} if lengths else {}), inputs=tuple(columns), outputs={"h": "flow.h", "y": "flow.y"}
    )
    network, reference = build_model(model, columns), nn.GRU(6, 4, batch_first=True)
    body = network.get_submodule("flow.body")
    with torch.no_grad():
        for side, name in (("gx", "ih"), ("gh", "hh")):
            for part in ("weight", "bias"):
                body.get_parameter(f"{side}.{part}").copy_(reference.get_parameter(f"{part}_{name}_l0"))
    x = torch.rand(3, 5, 6)
    outputs = network({"x": x, "h": torch.zeros(3, 4)} | ({"n": torch.tensor(lengths)} if lengths else {}))
    packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths or [5, 5, 5]), batch_first=True)
    expected, state = reference(packed)
    padded = nn.utils.rnn.pad_packed_sequence(expected, batch_first=True, total_length=5)[0]
    assert outputs["y"].allclose(padded, atol=1e-6)
    assert outputs["h"].allclose(state[0], atol=1e-6)


def test_trees_are_what_recursion_makes_of_them() -> None:
    network = build_model(*CASES["Fold"])
    inputs = example_values(TREE_COLUMNS)
    leaf, cell = (network.get_submodule(f"flow.{name}") for name in ("leaf", "node"))

    def state(tree: int, node: int) -> tuple[Tensor, Tensor]:
        value = inputs["value"][tree, node].unsqueeze(0)
        below = [child for child in CHILDREN[tree][node] if child >= 0]
        if not below:
            return leaf(value)  # type: ignore[no-any-return]
        zero = torch.zeros(1, 3)
        sides = [state(tree, child) if child >= 0 else (zero, zero) for child in CHILDREN[tree][node]]
        return cell(value, *[torch.stack(parts, 1) for parts in zip(*sides, strict=True)])  # type: ignore[no-any-return]

    expected = torch.cat([state(tree, 0)[0] for tree in range(3)])
    output = network(inputs)
    assert next(iter(output.values())).allclose(expected, atol=1e-6)
    assert flow_metrics(network) == {"flow/height": pytest.approx(5 / 3)}


def test_rows_that_are_no_tree_are_an_error() -> None:
    network = build_model(*CASES["Fold"])
    inputs = example_values(TREE_COLUMNS)
    inputs["children"][1, 0] = torch.tensor([0, 1])
    with pytest.raises(TreeError, match="tree 1"):
        network(inputs)
