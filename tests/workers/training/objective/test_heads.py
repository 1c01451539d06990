"""Several heads and lists of tags: trained end to end, and to the bit."""

from pathlib import Path
from typing import Any

import pytest
import torch

from app.storage.local import LocalStore
from tests.workers.training.datasets import DatasetHarness, tagging_dataset
from tests.workers.training.harness import TrainingAttempt, resume_candidates, rows_of
from tests.workers.training.multi_head import (
    CROSS_ENTROPY,
    HEAD_SPECS,
    MSE,
    flower_dataset,
    flower_job,
    four_head_job,
    network,
)
from tests.workers.training.test_resume import train_in_pieces
from workers.protocol.messages import Ending
from workers.training.objective.training_loss import TargetLoss


@pytest.fixture
def reading(tmp_path: Path) -> DatasetHarness:
    return DatasetHarness(tmp_path, LocalStore(tmp_path / "store"), corpus=flower_dataset())


def series(attempt: TrainingAttempt) -> dict[str, list[tuple[int, float]]]:
    names = {name for report in attempt.context.reports for name in report.series}
    return {name: attempt.points(name) for name in sorted(names)}


class TestSeveral:
    def test_every_head_has_its_series(self, reading: DatasetHarness) -> None:
        attempt = reading.run(four_head_job())
        found = series(attempt)
        own = {f"{split}/{name}/loss" for name in HEAD_SPECS for split in ("train", "val")}
        metrics = {f"val/{name}/{metric}" for name, head in HEAD_SPECS.items() for metric in head["metrics"]}
        assert found.keys() == {"train/loss", "train/lr", "val/loss"} | own | metrics
        for split in ("train", "val"):
            for place, (_, total) in enumerate(found[f"{split}/loss"]):
                parts = [
                    head.get("weight", 1.0) * found[f"{split}/{name}/loss"][place][1]
                    for name, head in HEAD_SPECS.items()
                ]
                assert total == pytest.approx(sum(parts), rel=1e-5)
        assert len(found["train/kind/loss"]) == len(found["train/loss"])
        assert attempt.context.saved[-1].values.keys() == found.keys() - {"train/lr"}

    def test_the_gradient_is_that_of_the_weighted_sum(self, reading: DatasetHarness) -> None:
        prepared = reading.prepare(four_head_job())
        inputs, targets = rows_of(prepared).train.batch(torch.arange(20), torch.device("cpu"))
        with torch.no_grad():
            outputs = prepared.network(inputs)
        total = prepared.training_step.rules[0].objective.batch_loss(outputs, targets, 1)
        losses = [head.loss for head in prepared.heads]
        assert all(isinstance(loss, TargetLoss) for loss in losses)
        by_hand = sum(head.weight * head.loss.batch_loss(outputs, targets, 1) for head in prepared.heads)
        assert torch.equal(total, torch.as_tensor(by_hand))
        heard = prepared.training_step.rules[0].objective.pop_head_losses()
        assert heard is not None
        assert heard.tolist() == [float(loss.batch_loss(outputs, targets, 1)) for loss in losses]

    @pytest.mark.parametrize(
        "training",
        [
            {},
            {"accumulate": 3, "steps": 9, "batch_size": 9},
            {"early_stop": {"monitor": "val/price/r2", "mode": "max"}},
            {"schedule": {"kind": "ReduceLROnPlateau", "monitor": "train/kind/loss", "patience": 1}},
            {"optimizer": {"kind": "LBFGS", "max_iter": 3}, "steps": 6},
            {"steps": 9, "evaluate": {"every_steps": 4}},
        ],
        ids=str,
    )
    def test_it_goes_on_bit_by_bit(self, reading: DatasetHarness, training: dict[str, Any]) -> None:
        whole = reading.run(four_head_job(**training))
        pieces = train_in_pieces(reading, four_head_job(**training), 2, 3)
        assert whole.outcome.ending is pieces[-1].outcome.ending is Ending.SUCCEEDED
        assert pieces[-1].weights() == whole.weights()
        for name, points in series(whole).items():
            assert [point for piece in pieces for point in piece.points(name)] == points
        states = [attempt.prepared.state.state_json() for attempt in (whole, pieces[-1])]
        for state in states:
            state["counters"].pop("elapsed")
        assert states[0]["counters"] == states[1]["counters"]

    def test_accumulated_batches_are_one_large_batch(self, reading: DatasetHarness) -> None:
        plan = {"optimizer": {"kind": "SGD", "lr": 0.1}, "steps": 3}
        one = reading.run(four_head_job(batch_size=60, **plan))
        parts = reading.run(four_head_job(batch_size=17, accumulate=4, **plan))
        for name in ("train/loss", "train/kind/loss", "train/good/loss", "val/loss"):
            expected = [value for _, value in one.points(name)]
            assert [value for _, value in parts.points(name)] == pytest.approx(expected, rel=1e-4)

    def test_a_head_alone_is_the_single_form(self, reading: DatasetHarness) -> None:
        model = network(kinds=3)
        single = reading.run(flower_job({"loss": CROSS_ENTROPY, "metrics": ["f1"]}, model))
        named = reading.run(flower_job({"heads": {"kind": {"loss": CROSS_ENTROPY, "metrics": ["f1"]}}}, model))
        assert single.weights() == named.weights()
        assert single.points("val/f1") == named.points("val/kind/f1")
        assert single.points("val/loss") == named.points("val/loss") == named.points("val/kind/loss")

    def test_one_column_may_be_seen_by_several_losses(self, reading: DatasetHarness) -> None:
        heads = {
            "kind": {"loss": CROSS_ENTROPY, "output": "kinds"},
            "number": {"loss": MSE, "output": "prices"},
            "again": {"loss": CROSS_ENTROPY, "output": "kinds", "metrics": ["accuracy"]},
        }
        prepared = reading.prepare(flower_job({"heads": heads}, network(kinds=3, prices=1)))
        dtypes = {name: target.dtype for name, target in rows_of(prepared).train.targets.items()}
        assert dtypes == {"kind": torch.int64, "kind_numbers": torch.float32}

    def test_the_best_and_the_end_follow_a_head(self, reading: DatasetHarness) -> None:
        plan = {
            "checkpoint": {"monitor": "val/kind/f1", "mode": "max", "every_seconds": None},
            "steps": 30,
            "early_stop": {"monitor": "val/kind/f1", "mode": "max", "patience": 2},
        }
        attempt = reading.run(four_head_job(**plan))
        assert attempt.outcome.result is not None
        best = attempt.outcome.result["best"]
        assert best["monitor"] == "val/kind/f1"
        assert best["value"] == max(value for _, value in attempt.points("val/kind/f1"))


class TestBalance:
    def test_rare_classes_weigh_more(self, reading: DatasetHarness) -> None:
        prepared = reading.prepare(four_head_job())
        kind, good = prepared.heads[0].loss, prepared.heads[2].loss
        assert isinstance(kind, TargetLoss)
        assert isinstance(good, TargetLoss)
        counts = torch.bincount(rows_of(prepared).train.targets["kind"], minlength=3)  # type: ignore[arg-type]
        assert torch.allclose(kind.loss.weight, len(rows_of(prepared).train) / (3.0 * counts))  # type: ignore[arg-type]
        yes = float(rows_of(prepared).train.targets["good"].sum())  # type: ignore[union-attr]
        expected = (len(rows_of(prepared).train) - yes) / yes
        assert good.loss.pos_weight.tolist() == pytest.approx([expected])  # type: ignore[union-attr, operator]

    def test_it_is_counted_on_what_is_trained_alone(self, reading: DatasetHarness) -> None:
        assert reading.corpus is not None
        words = reading.corpus.split["kind"]
        assert isinstance(words, list)
        words[:] = ["usual" if word == "rare" else word for word in words]
        loss = reading.prepare(four_head_job()).heads[0].loss
        assert isinstance(loss, TargetLoss)
        assert loss.loss.weight[1] == 1  # type: ignore[index]  # of a class without rows


class TestTags:
    TAGGER: Any = {  # noqa: RUF012
        "inputs": ["words", "words_length"],
        "nodes": [
            {"id": "embed", "kind": "Embedding", "inputs": ["words"], "num_embeddings": 25_000, "embedding_dim": 6},
            {"id": "read", "kind": "LSTM", "inputs": ["embed", "words_length"], "hidden_size": 6},
            {"id": "scores", "kind": "Linear", "inputs": ["read"], "out_features": 2},
            {"id": "turned", "kind": "transpose", "inputs": ["scores"], "dim0": 1, "dim1": 2},
        ],
        "outputs": {"last": "scores", "first": "turned"},
    }

    def test_classes_in_either_dimension_are_the_same(self, reading: DatasetHarness) -> None:
        reading.corpus = tagging_dataset()
        first = reading.run(
            flower_job({"loss": CROSS_ENTROPY, "output": "first", "metrics": ["accuracy", "f1"]}, self.TAGGER)
        )
        last = reading.run(
            flower_job(
                {"loss": CROSS_ENTROPY, "output": "last", "classes": "last", "metrics": ["accuracy", "f1"]}, self.TAGGER
            )
        )
        for name in ("train/loss", "val/loss", "val/f1"):
            expected = [value for _, value in first.points(name)]
            assert [value for _, value in last.points(name)] == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize(
        ("objective", "hint"),
        [
            ({"loss": CROSS_ENTROPY, "output": "last"}, 'set "classes" to "last", or insert {"kind": "transpose"'),
            ({"loss": CROSS_ENTROPY, "output": "first", "classes": "last"}, 'remove "classes"'),
            ({"loss": {"kind": "MultiMarginLoss"}, "output": "first"}, "of one length"),
        ],
    )
    def test_the_other_dimension_is_the_hint(self, reading: DatasetHarness, objective: Any, hint: str) -> None:
        reading.corpus = tagging_dataset()
        found = reading.inspect(flower_job(objective, self.TAGGER)).problems
        assert found[0].pointer == "/objective/loss"
        assert hint in found[0].hint

    def test_it_goes_on_bit_by_bit(self, reading: DatasetHarness) -> None:
        reading.corpus = tagging_dataset()
        objective = {
            "loss": CROSS_ENTROPY | {"weight": "balanced"},
            "output": "last",
            "classes": "last",
            "metrics": ["f1"],
        }
        whole, pieces = (
            reading.run(flower_job(objective, self.TAGGER)),
            train_in_pieces(reading, flower_job(objective, self.TAGGER), 2, 5),
        )
        assert whole.weights() == pieces[-1].weights()
        assert whole.outcome.result is not None
        assert pieces[-1].outcome.result is not None
        assert whole.outcome.result["values"] == pieces[-1].outcome.result["values"]


def test_another_job_goes_on_with_everything(reading: DatasetHarness) -> None:
    first = reading.run(four_head_job(steps=6))
    (start,) = resume_candidates(first.context.saved[-1])
    whole = four_head_job(steps=12) | {"start_from": {"checkpoint": "ckpt_" + "0" * 32, "what": "everything"}}
    attempt = reading.run(whole, start_from=start)
    assert attempt.points("train/kind/loss")[0][0] == 7
    assert attempt.weights() == reading.run(four_head_job(steps=12)).weights()
