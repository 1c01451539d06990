"""Outputs that are the loss themselves, and what of heads is refused before anything is built."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

from app.storage.local import LocalStore
from tests.workers.training.datasets import DatasetHarness, tagging_dataset
from tests.workers.training.harness import rows_of
from tests.workers.training.multi_head import CROSS_ENTROPY, MSE, OUTPUT_LOSS, flower_dataset, flower_job, network
from tests.workers.training.test_resume import train_in_pieces


@pytest.fixture
def reading(tmp_path: Path) -> DatasetHarness:
    return DatasetHarness(tmp_path, LocalStore(tmp_path / "store"), corpus=flower_dataset())


def nodes(*last: dict[str, Any], **outputs: str) -> dict[str, Any]:
    whole = network(prices=1)
    return {"inputs": ["x", "price"], "nodes": [*whole["nodes"], *last], "outputs": outputs or {"loss": last[-1]["id"]}}


ERROR = [
    {"id": "error", "kind": "sub", "inputs": ["prices", "price"]},
    {"id": "squared", "kind": "mul", "inputs": ["error", "error"]},
]
MEAN = {"id": "mean", "kind": "mean", "inputs": ["squared"]}


def unscaled(job: dict[str, Any]) -> dict[str, Any]:
    """Return the job with numbers as they are: an own loss reads its target, which is not standardised then."""
    return job | {"data": job["data"] | {"scale": "none"}}


class TestOwn:
    @pytest.mark.parametrize("form", [{}, {"dim": 1}, {"dim": 1, "keepdim": True}], ids=str)
    @pytest.mark.parametrize("accumulate", [1, 3])
    def test_it_trains_as_the_loss_it_is(self, reading: DatasetHarness, form: dict[str, Any], accumulate: int) -> None:
        plan = {"accumulate": accumulate, "batch_size": 13}
        compared = {"loss": MSE, "target": "price", "metrics": ["mae"]}
        given = reading.run(unscaled(flower_job(compared, network(prices=1), **plan)))
        own = nodes(*ERROR, MEAN | form, loss="mean", guess="prices")
        attempt = reading.run(
            unscaled(
                flower_job(
                    {"loss": OUTPUT_LOSS, "output": "loss", "scores": "guess", "target": "price", "metrics": ["mae"]},
                    own,
                    **plan,
                )
            )
        )
        for name in ("train/loss", "val/loss", "val/mae"):
            expected = [value for _, value in given.points(name)]
            assert [value for _, value in attempt.points(name)] == pytest.approx(expected, rel=1e-6)
        weights = attempt.prepared.network.state_dict()
        for name, value in given.prepared.network.state_dict().items():
            assert torch.allclose(weights[name], value, rtol=1e-5, atol=1e-7)

    def test_it_needs_no_target(self, reading: DatasetHarness) -> None:
        model = network(prices=3)
        model["nodes"] += [
            {"id": "error", "kind": "sub", "inputs": ["prices", "x"]},
            {"id": "norm", "kind": "vector_norm", "inputs": ["error"], "dim": 1},
        ]
        attempt = reading.run(
            flower_job({"loss": OUTPUT_LOSS, "output": "norm"}, model | {"outputs": {"norm": "norm"}}, steps=40)
        )
        assert rows_of(attempt.prepared).train.targets == {}
        values = [value for _, value in attempt.points("val/loss")]
        assert values[-1] < values[0] / 2

    def test_it_goes_on_bit_by_bit_beside_others(self, reading: DatasetHarness) -> None:
        own = nodes(*ERROR, MEAN, loss="mean", guess="prices")
        heads = {
            "own": {"loss": OUTPUT_LOSS, "output": "loss"},
            "plain": {"loss": {"kind": "L1Loss"}, "output": "guess", "target": "price"},
        }
        whole, pieces = (
            reading.run(flower_job({"heads": heads}, own)),
            train_in_pieces(reading, flower_job({"heads": heads}, own), 3),
        )
        assert whole.weights() == pieces[-1].weights()
        assert whole.points("val/own/loss")[-1] == pieces[-1].points("val/own/loss")[-1]

    def test_adaptive_softmax_learns_and_goes_on_bit_by_bit(self, reading: DatasetHarness) -> None:
        softmax = {"kind": "AdaptiveLogSoftmaxWithLoss", "n_classes": 3, "cutoffs": [1], "div_value": 2.0}
        hidden = {"id": "hidden", "kind": "Linear", "inputs": ["x"], "out_features": 8}
        node = {"id": "softmax", "inputs": ["hidden", "kind"], "return_log_prob": True, **softmax}
        outputs = {"loss": "softmax.loss", "log_prob": "softmax.log_prob"}
        model = {"inputs": ["x", "kind"], "nodes": [hidden, node], "outputs": outputs}
        objective = {
            "loss": "Output",
            "output": "loss",
            "scores": "log_prob",
            "target": "kind",
            "metrics": ["log_loss"],
        }
        spec = flower_job(objective, model, steps=150, optimizer={"kind": "Adam", "lr": 0.05})
        whole, pieces = reading.run(spec), train_in_pieces(reading, spec, 7)
        assert whole.weights() == pieces[-1].weights()
        losses = [value for _, value in whole.points("train/loss")]
        assert losses[-1] < losses[0] / 2
        assert whole.points("val/log_loss")[-1][1] == pytest.approx(whole.points("val/loss")[-1][1], rel=1e-4)


MISTAKES: list[tuple[Any, Any, str, str]] = [
    (network(wide=3), {"loss": OUTPUT_LOSS}, "/model/nodes/2", '"dim": [1]'),
    (
        nodes(*ERROR, {"id": "whole", "kind": "argmax", "inputs": ["squared"], "dim": 1}),
        {"loss": OUTPUT_LOSS},
        "/model/nodes/5",
        "float32",
    ),
    (
        {"inputs": ["x"], "nodes": [{"id": "m", "kind": "mean", "inputs": ["x"]}]},
        {"loss": OUTPUT_LOSS},
        "/model",
        "parameters",
    ),
    (
        nodes(*ERROR, MEAN, loss="mean", guess="price"),
        {"loss": OUTPUT_LOSS, "scores": "loss", "target": "price"},
        "/model/nodes/5",
        "dimension 0",
    ),
    (
        nodes(*ERROR, MEAN, loss="mean", guess="prices"),
        {"loss": OUTPUT_LOSS, "scores": "guess", "target": "kind", "metrics": ["f1"]},
        "/model/nodes/2/out_features",
        "to 3",
    ),
    (network(kinds=4), {"loss": CROSS_ENTROPY | {"weight": "balanced"}}, "/model/nodes/2/out_features", "to 3"),
    (
        network(kinds=3),
        {"loss": CROSS_ENTROPY | {"weight": "balanced"}, "target": "x"},
        "/objective/loss/weight",
        "remove weight",
    ),
    (
        network(kinds=1001),
        {"loss": CROSS_ENTROPY, "metrics": ["accuracy", "mcc"]},
        "/objective/metrics/1",
        "perplexity",
    ),
]


@pytest.mark.parametrize(("model", "objective", "pointer", "hint"), MISTAKES)
def test_a_mistake(reading: DatasetHarness, model: Any, objective: Any, pointer: str, hint: str) -> None:
    (found,) = reading.inspect(flower_job(objective, model)).problems
    assert found.pointer == pointer
    assert hint in found.hint


def test_mistakes_of_all_heads_are_problems(reading: DatasetHarness) -> None:
    heads = {
        "one": {"loss": CROSS_ENTROPY, "output": "prices"},
        "two": {"loss": MSE, "output": "kinds", "target": "price"},
        "three": {"loss": {"kind": "MultiMarginLoss"}, "output": "kinds", "target": "price"},
    }
    found = reading.inspect(flower_job({"heads": heads}, network(kinds=3, prices=1))).problems
    assert [problem.pointer for problem in found] == [
        "/objective/heads/three/loss",
        "/model/nodes/3/out_features",
        "/model/nodes/2/out_features",
    ]


# A linear-chain conditional random field: its body steps from tag to tag, over all paths (`paths`) and along the true
# one (`path`). Every list begins as if after tag 0.
STEP: Any = {
    "inputs": ["paths", "path", "before", "scores", "tag"],
    "nodes": [
        {"id": "moves", "kind": "Parameter", "shape": [2, 2], "init": {"kind": "normal"}},
        {"id": "from_each", "kind": "unsqueeze", "inputs": ["paths"], "dim": 2},
        {"id": "moved", "kind": "add", "inputs": ["from_each", "moves"]},
        {"id": "summed", "kind": "logsumexp", "inputs": ["moved"], "dim": 1},
        {"id": "next_paths", "kind": "add", "inputs": ["summed", "scores"]},
        {"id": "came", "kind": "matmul", "inputs": ["before", "moves"]},
        {"id": "both", "kind": "add", "inputs": ["came", "scores"]},
        {"id": "mine", "kind": "mul", "inputs": ["both", "tag"]},
        {"id": "gain", "kind": "sum", "inputs": ["mine"], "dim": 1},
        {"id": "next_path", "kind": "add", "inputs": ["path", "gain"]},
        {"id": "here", "kind": "to", "inputs": ["tag"], "dtype": "float32"},
    ],
    "outputs": {"paths": "next_paths", "path": "next_path", "before": "here"},
}
FIELD: Any = {
    "inputs": ["words", "words_length", "tags"],
    "nodes": [
        {"id": "embed", "kind": "Embedding", "inputs": ["words"], "num_embeddings": 25_000, "embedding_dim": 4},
        {"id": "scores", "kind": "Linear", "inputs": ["embed"], "out_features": 2},
        {"id": "clamped", "kind": "clamp", "inputs": ["tags"], "min": 0},
        {"id": "known", "kind": "to", "inputs": ["clamped"], "dtype": "int64"},
        {"id": "hot", "kind": "one_hot", "inputs": ["known"], "num_classes": 2},
        {"id": "truth", "kind": "to", "inputs": ["hot"], "dtype": "float32"},
        {"id": "nothing", "kind": "zeros", "inputs": ["words_length"], "shape": [2]},
        {"id": "none", "kind": "zeros", "inputs": ["words_length"], "shape": []},
        {"id": "far", "kind": "Constant", "value": [0.0, -10000.0]},
        {"id": "first", "kind": "Constant", "value": [1.0, 0.0]},
        {"id": "start", "kind": "add", "inputs": ["nothing", "far"]},
        {"id": "begin", "kind": "add", "inputs": ["nothing", "first"]},
        {
            "id": "chain",
            "kind": "Scan",
            "over": ["scores", "truth"],
            "carry": ["start", "none", "begin"],
            "lengths": "words_length",
            "body": STEP,
        },
        {"id": "all", "kind": "logsumexp", "inputs": ["chain.paths"], "dim": 1},
        {"id": "loss", "kind": "sub", "inputs": ["all", "chain.path"]},
    ],
    "outputs": {"loss": "loss", "scores": "scores"},
}


def test_a_conditional_random_field(reading: DatasetHarness) -> None:
    reading.corpus = tagging_dataset()
    objective = {
        "loss": OUTPUT_LOSS,
        "output": "loss",
        "scores": "scores",
        "classes": "last",
        "metrics": ["accuracy", "f1"],
    }
    job = flower_job(objective, FIELD, steps=60, optimizer={"kind": "Adam", "lr": 0.05})
    prepared = reading.prepare(job)
    inputs, _ = rows_of(prepared).train.batch(torch.arange(12), torch.device("cpu"))
    with torch.no_grad():
        outputs = prepared.network(inputs)
    moves = prepared.network.get_parameter("chain.body.moves").detach()
    for row, length in enumerate(inputs["words_length"].tolist()):
        if length <= 6:
            scores, tags = outputs["scores"][row, :length], inputs["tags"][row, :length].tolist()
            weights = {path: weight(path, scores, moves) for path in itertools.product((0, 1), repeat=length)}
            expected = torch.stack(list(weights.values())).logsumexp(0) - weights[tuple(tags)]
            assert torch.allclose(outputs["loss"][row], expected, atol=1e-4)
    attempt = reading.run(job)
    values = [value for _, value in attempt.points("val/loss")]
    assert 0 < values[-1] < values[0] / 2
    assert attempt.points("val/f1")[-1][1] > 0.9
    whole, pieces = attempt, train_in_pieces(reading, job, 20)
    assert whole.weights() == pieces[-1].weights()


def weight(path: tuple[int, ...], scores: torch.Tensor, moves: torch.Tensor) -> torch.Tensor:
    """Return the score of a path: of each tag, and of each step from tag to tag."""
    total, before = torch.zeros(()), 0
    for place, tag in enumerate(path):
        total = total + scores[place, tag] + moves[before, tag]
        before = tag
    return total
