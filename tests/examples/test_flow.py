"""What the examples of control flow claim: who runs, how often, on which rows, and by which formula."""

from collections.abc import Callable
from math import sqrt
from statistics import mean
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import one_hot

from tests.examples.example_runner import ExampleRunner, shortened_spec
from tests.workers.training.harness import TrainingAttempt
from workers.network.runtime.build import BuiltNetwork, flow_metrics
from workers.training.objective.training_loss import TargetLoss

Trained = Callable[[str], TrainingAttempt]
Batch = dict[str, Tensor]


@pytest.fixture
def given(lessons: ExampleRunner, trained: Trained) -> Callable[[str], tuple[BuiltNetwork, Batch]]:
    """A function that returns an example's network after some steps, in evaluation, and real examples."""

    def take(name: str) -> tuple[BuiltNetwork, Batch]:
        prepared = trained(name).prepared
        network = prepared.network.eval()
        flow_metrics(network)
        return network, lessons.batch(prepared)[0]

    return take


Given = Callable[[str], tuple[BuiltNetwork, Batch]]


def calls(network: BuiltNetwork, path: str, place: int = 0) -> list[Tensor]:
    """Return a list that gets an input (by its place) of every call of a part."""
    heard: list[Tensor] = []
    network.get_submodule(path).register_forward_pre_hook(lambda part, inputs: heard.append(inputs[place].detach()))
    return heard


def pondered(network: BuiltNetwork, seen: Tensor) -> tuple[Tensor, float, int]:
    """Return the answer (1, F), the cost and the turns of one example: Graves (2016), equations 2 to 14."""
    turn = network.get_submodule("ponder.body")
    mixed, weight, bias = turn.get_submodule("mixed"), turn.get_parameter("weight"), turn.get_parameter("bias")
    state, answer, total = torch.zeros_like(seen), torch.zeros_like(seen), 0.0
    for number in range(1, 11):
        state = torch.tanh(mixed(torch.cat([state, seen, torch.tensor([[float(number == 1)]])], 1)))
        halt = float(torch.sigmoid(state @ weight + bias))
        if total + halt >= 1 - 0.01 or number == 10:
            return answer + (1 - total) * state, number + 1 - total, number
        answer, total = answer + halt * state, total + halt
    raise AssertionError


def test_every_digit_is_pondered_as_long_as_its_halting_says(given: Given) -> None:
    network, inputs = given("adaptive-computation")
    with torch.no_grad():
        outputs = network(inputs)
        turns = flow_metrics(network)["ponder/turns"]
        seen = torch.tanh(network.get_submodule("features")(inputs["image"].flatten(1)))
        expected = [pondered(network, row) for row in seen.unsqueeze(1)]
        answers, costs, counts = zip(*expected, strict=True)
        scores = network.get_submodule("scores")(torch.cat(answers))
    assert outputs["chances"].allclose(scores.log_softmax(1), atol=1e-5)
    assert outputs["cost"].squeeze(1).allclose(torch.tensor(costs), atol=1e-5)
    assert turns == pytest.approx(mean(counts))
    assert len(set(counts)) > 1


def test_the_turns_are_a_curve(trained: Trained) -> None:
    attempt = trained("adaptive-computation")
    steps = [step for step, _ in attempt.points("train/loss")]
    points = attempt.points("flow/ponder/turns")
    assert [step for step, _ in points] == steps
    assert all(1 < turns < 10 for _, turns in points)
    assert attempt.points("val/flow/ponder/turns")


def test_every_expert_has_rows_of_its_own(given: Given) -> None:
    network, inputs = given("mixture-of-experts")
    heard = [calls(network, f"experts.{expert}") for expert in range(4)]
    outputs = network(inputs)
    seen, chosen = network.get_submodule("seen")(inputs["image"].flatten(1)).relu(), outputs["chosen"]
    shares = torch.softmax(network.get_submodule("gate")(seen), 1)
    assert chosen.equal(shares.argmax(1))
    for expert in range(4):
        mine = seen[chosen == expert]
        assert heard[expert][0].equal(mine) if heard[expert] else len(mine) == 0  # a row elsewhere would be too many
    assert len(chosen.unique()) > 1
    outputs["chances"].sum().backward()
    gradient = network.get_parameter("gate.weight").grad
    assert gradient is not None
    assert bool(gradient.any())
    network.zero_grad()


def test_a_layer_is_skipped_at_its_rate_and_never_in_evaluation(lessons: ExampleRunner) -> None:
    prepared = lessons.prepare(shortened_spec("stochastic-depth"))
    network = prepared.network
    inputs, _ = lessons.batch(prepared, 2)
    torch.manual_seed(0)
    rounds = 400
    with torch.no_grad():
        for _ in range(rounds):
            network(inputs)
    rates = flow_metrics(network)
    for layer, survives in enumerate([0.875, 0.75, 0.625, 0.5], 1):
        ran = int(network.get_buffer(f"layer{layer}.then.norm1.num_batches_tracked"))
        assert ran == round(rates[f"layer{layer}/then"] * rounds)  # a skipped layer is not even called
        assert abs(ran / rounds - survives) < 4 * sqrt(survives * (1 - survives) / rounds)
    network.eval()
    scaled = calls(network, "layer4.then", 1)
    for _ in range(20):
        network(inputs)
    assert set(flow_metrics(network).values()) == {1.0}
    assert all(float(gate) == 0.5 for gate in scaled)


def test_sure_digits_leave_early_in_evaluation_only(given: Given) -> None:
    network, inputs = given("early-exit")
    with torch.no_grad():
        inputs = {"image": torch.cat([inputs["image"], 20 * inputs["image"][:8]])}  # loud ones: sure guesses
        heard = calls(network, "exit.else", 1)
        outputs = network(inputs)
        leaves = outputs["early"].amax(1) >= -0.1
        assert 0 < int(leaves.sum()) < len(leaves)
        assert [len(rows) for rows in heard] == [int((~leaves).sum())]
        assert outputs["answer"][leaves].equal(outputs["early"][leaves])
        assert outputs["reward"].equal(outputs["answer"])
        assert flow_metrics(network)["exit/then"] == pytest.approx(float(leaves.float().mean()))
        network.train()
        both = network(inputs)
        assert flow_metrics(network)["exit/then"] == 0.0
        assert both["reward"].allclose(both["answer"] + both["early"])


def test_one_mask_serves_a_whole_sequence(given: Given) -> None:
    network, inputs = given("variational-lstm")
    rows, masks = calls(network, "read.body", 2), calls(network, "read.body", 3)
    network(inputs)
    assert all(mask.eq(1).all() for mask in masks)
    assert not any(row.eq(0).any() for row in rows)
    rows.clear()
    masks.clear()
    network.train()
    network(inputs)
    assert len(rows) == len(masks) == 8
    assert all(row.eq(0).equal(rows[0].eq(0)) for row in rows)
    assert float(rows[0].eq(0).float().mean()) == pytest.approx(0.25, abs=0.05)
    assert all(mask.equal(masks[0]) for mask in masks)
    assert float((masks[0] == 0).float().mean()) == pytest.approx(0.25, abs=0.05)
    assert not masks[0][0].equal(masks[0][1])


def test_gradients_are_those_on_paper(lessons: ExampleRunner) -> None:
    prepared = lessons.prepare(shortened_spec("raw-two-layers"))
    network = prepared.network.double()
    inputs, target = lessons.batch(prepared, 20)
    x, count = inputs["x"].double(), 20
    found = prepared.heads[0].loss
    assert isinstance(found, TargetLoss)
    loss = found.loss(network({"x": x})["scores"], target)
    loss.backward()
    w1, b1, w2, b2 = (network.get_parameter(name).detach() for name in ("w1", "b1", "w2", "b2"))
    a1 = 1 / (1 + torch.exp(-(x @ w1 + b1)))
    shares = torch.softmax(a1 @ w2 + b2, 1)
    second = (shares - one_hot(target, 3)) / count
    first = second @ w2.T * a1 * (1 - a1)
    formulas = {"w2": a1.T @ second, "b2": second.sum(0), "w1": x.T @ first, "b1": first.sum(0)}
    for name, expected in formulas.items():
        assert network.get_parameter(name).grad.allclose(expected, atol=1e-14)  # type: ignore[union-attr]

    def scores(*values: Tensor) -> Any:
        return functional_call(network, dict(zip(formulas, values, strict=True)), ({"x": x[:4]},))["scores"]

    varied = [network.get_parameter(name).detach().requires_grad_() for name in formulas]
    assert torch.autograd.gradcheck(scores, varied)
