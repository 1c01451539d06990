"""Uploaded files are trained on, end to end: read, described, inspected, prepared on the training rows, and learned."""

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from app.spec.data.columns import DataSchema
from app.spec.data.sources import UploadSource
from tests.workers.data.formats.test_images import encode_image as picture
from tests.workers.data.formats.uploads import make_upload, schema, to_jsonl, write_zip
from tests.workers.training.harness import TrainingAttempt, TrainingHarness, resume_candidates, rows_of
from workers.children.inspect import InspectionLimits, inspect_job
from workers.protocol.assignment import DatasetRef
from workers.training.checkpoints.files import PREPARATION_FILE

LIMITS = InspectionLimits(10_000, 100_000_000, 1 << 30)
ID = "ds_" + "0" * 32
KINDS = ("fir", "oak", "yew")


@dataclass
class UploadHarness:
    """Where uploads lie, and jobs on them are run."""

    laboratory: TrainingHarness
    path: Path

    def known(self, content: str | None = None, **source: Any) -> tuple[DataSchema, DatasetRef]:
        """Store a file as an upload; `None`: it has been written."""
        file = make_upload(self.path, content, **source)
        found = schema(file)
        self.laboratory.store.put_file("contents/1", self.path)
        return found, DatasetRef(
            UploadSource.model_validate({"kind": "upload"} | source).model_dump(mode="json"), "contents/1"
        )

    def run(self, known: tuple[DataSchema, DatasetRef], model: Any, *, loss: str, **parts: Any) -> TrainingAttempt:
        spec = {
            "model": model,
            "data": {"kind": "dataset", "id": ID} | parts.pop("data", {}),
            "objective": {"loss": {"kind": loss}},
            "training": {
                "epochs": 30,
                "batch_size": 16,
                "device": "cpu",
                "optimizer": {"kind": "Adam", "lr": 0.02},
                "checkpoint": {"every_seconds": None},
            }
            | parts.pop("training", {}),
        }
        found = inspect_job(spec, known[0], LIMITS)
        assert not found.problems
        return self.laboratory.run(spec, schema=known[0], dataset=known[1], **parts)


@pytest.fixture
def place(laboratory: TrainingHarness, tmp_path: Path) -> UploadHarness:
    return UploadHarness(laboratory, tmp_path / "upload")


def trees(rows: int = 120) -> list[tuple[str, ...]]:
    """Return rows of (kind, when, height, healthy, girth): gaps in all but the last, which the others tell."""
    drawn = random.Random(0)
    found = []
    for _ in range(rows):
        kind, height, healthy = drawn.choice(KINDS), drawn.uniform(2, 30), drawn.random() < 0.5
        when = 1_700_000_000 + drawn.randrange(1000)
        girth = 3 * height + 20 * KINDS.index(kind) + 5 * healthy
        cells = (kind, str(when), f"{height:.2f}", str(healthy), f"{girth:.2f}")
        found.append(tuple("" if drawn.random() < 0.05 and place < 4 else cell for place, cell in enumerate(cells)))
    return found


def csv(rows: list[tuple[str, ...]]) -> str:
    return "kind,when,height,healthy,girth\n" + "".join(",".join(row) + "\n" for row in rows)


MIXED = {
    "inputs": ["x", "kind"],
    "nodes": [
        {"id": "word", "kind": "Embedding", "inputs": ["kind"], "num_embeddings": 4, "embedding_dim": 4},
        {"id": "all", "kind": "cat", "inputs": ["x", "word"], "dim": 1},
        {"id": "hidden", "kind": "Linear", "inputs": ["all"], "out_features": 16},
        {"id": "bent", "kind": "ReLU", "inputs": ["hidden"]},
        {"id": "out", "kind": "Linear", "inputs": ["bent"], "out_features": 1},
    ],
    "outputs": {"y": "out"},
}


def test_a_table_with_gaps_and_words_teaches_a_number(place: UploadHarness) -> None:
    known = place.known(csv(trees()))
    assert {column.name: column.type for column in known[0].columns} == {
        "kind": "category",
        "when": "number",
        "height": "number",
        "healthy": "number",
        "girth": "number",
    }
    data = {"scale": "standard", "validation": {"fraction": 0.25}}
    attempt = place.run(known, MIXED, loss="MSELoss", data=data)
    losses = [value for _, value in attempt.points("val/loss")]
    assert losses[-1] < 0.1 * losses[0]
    train = rows_of(attempt.prepared).train.inputs["x"]
    assert isinstance(train, torch.Tensor)
    assert train.shape[1] == 6  # each number, and whether it is missing
    numbers, missing = train[:, ::2], train[:, 1::2]
    assert numbers.mean(0).tolist() == pytest.approx([0, 0, 0], abs=1e-5)  # fitted on train alone
    assert numbers.std(0, correction=0).tolist() == pytest.approx([1, 1, 1], abs=1e-5)
    assert set(missing.unique().tolist()) == {0.0, 1.0}
    held = rows_of(attempt.prepared).validation
    assert held is not None
    assert max(abs(held.inputs["x"][:].mean(0))) > 1e-3
    assert len(train[:, 0].unique()) > 60  # moments in time stay apart


def test_what_stands_for_gaps_is_measured_on_train(place: UploadHarness) -> None:
    rows = trees()
    write_zip(
        place.path, {"train.csv": csv(rows[:80]), "test.csv": csv([(*row[:2], "1000", *row[3:]) for row in rows[80:]])}
    )
    attempt = place.run(place.known(), MIXED, loss="MSELoss", training={"epochs": 1})
    (saved, *_) = attempt.context.saved
    (file,) = [file for file in saved.files if file.name == PREPARATION_FILE]
    document = json.loads(b"".join(place.laboratory.store.read(file.path)))
    heights = [float(row[2]) for row in rows[:80] if row[2]]
    fills = document["features"]["x"]["fills"]
    assert fills[1] == pytest.approx(sum(heights) / len(heights))
    assert rows_of(attempt.prepared).test is not None
    assert len(rows_of(attempt.prepared).test.rows) == 40


def test_a_table_teaches_classes_and_goes_on_bit_by_bit(place: UploadHarness) -> None:
    rows = [(row[0] or "oak", *row[1:]) for row in trees()]
    known = place.known(csv(rows), target="kind")
    model = {
        "layers": [{"kind": "Linear", "out_features": 16}, {"kind": "Tanh"}, {"kind": "Linear", "out_features": 3}]
    }
    whole = place.run(known, model, loss="CrossEntropyLoss", data={"scale": "standard", "inputs": ["x"]})
    losses = [value for _, value in whole.points("train/loss")]
    assert losses[-1] < 0.5 * losses[0]
    begun = place.run(
        known, model, loss="CrossEntropyLoss", data={"scale": "standard", "inputs": ["x"]}, stops={60: "drain"}
    )
    going_on = place.run(
        known,
        model,
        loss="CrossEntropyLoss",
        data={"scale": "standard", "inputs": ["x"]},
        resume_from=resume_candidates(*begun.context.saved),
    )
    assert going_on.weights() == whole.weights()


def test_choices_may_be_numbers(place: UploadHarness) -> None:
    known = place.known("a,b,y\n" + "".join(f"{n % 5},{n * 0.1},{2 * (n % 3)}\n" for n in range(60)))
    model = {
        "inputs": ["kind", "b"],
        "nodes": [
            {"id": "word", "kind": "Embedding", "inputs": ["kind"], "num_embeddings": 6, "embedding_dim": 4},
            {"id": "all", "kind": "cat", "inputs": ["word", "b"], "dim": 1},
            {"id": "out", "kind": "Linear", "inputs": ["all"], "out_features": 3},
        ],
    }
    features = {"kind": {"kind": "category", "column": "a"}, "b": {"kind": "numbers", "columns": ["b"]}}
    attempt = place.run(known, model, loss="CrossEntropyLoss", data={"features": features, "target": "y"})
    assert rows_of(attempt.prepared).train.targets["y"][:3].tolist() == [0, 1, 2]


def test_pictures_in_folders_teach_their_classes(place: UploadHarness) -> None:
    kinds = [(f"{split}/{kind}", shade) for split in ("train", "test") for kind, shade in (("dark", 0), ("red", 200))]
    write_zip(place.path, {f"{kind}/{n}.png": picture(shade + n, (8, 8)) for kind, shade in kinds for n in range(12)})
    model = {"layers": [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 2}]}
    attempt = place.run(place.known(), model, loss="CrossEntropyLoss")
    losses = [value for _, value in attempt.points("train/loss")]
    assert losses[-1] < 0.3 * losses[0]
    assert [step for step, _ in attempt.points("test/loss")] == [len(losses)]


def test_series_of_unlike_length_and_several_labels(place: UploadHarness) -> None:
    drawn = random.Random(0)
    rows = []
    for _ in range(80):
        up, long = drawn.random() < 0.5, drawn.random() < 0.5
        length = drawn.randint(12, 16) if long else drawn.randint(2, 5)
        wave = [[(1 if up else -1) * (moment + 1) / 10, 1.0] for moment in range(length)]
        rows.append({"wave": wave, "labels": [word for word, there in (("up", up), ("long", long)) if there]})
    model = {
        "inputs": ["wave", "wave_length"],
        "nodes": [
            {"id": "read", "kind": "GRU", "inputs": ["wave", "wave_length"], "hidden_size": 12, "returns": "last"},
            {"id": "out", "kind": "Linear", "inputs": ["read"], "out_features": 2},
        ],
    }
    features = {"wave": {"kind": "series", "column": "wave"}, "labels": {"kind": "labels", "column": "labels"}}
    attempt = place.run(
        place.known(to_jsonl(rows)), model, loss="BCEWithLogitsLoss", data={"features": features, "target": "labels"}
    )
    losses = [value for _, value in attempt.points("train/loss")]
    assert losses[-1] < 0.5 * losses[0]


def test_tagged_words_of_a_file(place: UploadHarness) -> None:
    drawn = random.Random(0)
    text = ""
    for _ in range(60):
        words = [drawn.choice(["Ada", "Alan", "the", "a", "of"]) for _ in range(drawn.randint(1, 9))]
        text += "".join(f"{word} {'PER' if word[0] == 'A' else 'O'}\n" for word in words) + "\n"
    model = {
        "inputs": ["tokens"],
        "nodes": [
            {"id": "word", "kind": "Embedding", "inputs": ["tokens"], "num_embeddings": 25_000, "embedding_dim": 8},
            {"id": "out", "kind": "Linear", "inputs": ["word"], "out_features": 2},
            {"id": "classes", "kind": "transpose", "inputs": ["out"], "dim0": 1, "dim1": 2},
        ],
    }
    attempt = place.run(place.known(text), model, loss="CrossEntropyLoss", data={"inputs": ["tokens"]})
    losses = [value for _, value in attempt.points("train/loss")]
    assert losses[-1] < 0.2 * losses[0]


def test_every_node_of_a_tree_teaches_its_label(place: UploadHarness) -> None:
    """Sentiments of SST: leaves are words, and the label of every node is learned from what is below it."""
    drawn = random.Random(0)

    def tree(levels: int) -> tuple[str, int]:
        if levels == 0:
            good = drawn.random() < 0.5
            return f"({int(good)} {'good' if good else 'bad'})", int(good)
        (left, one), (right, two) = tree(levels - 1), tree(drawn.randrange(levels))
        return f"({one & two} {left} {right})", one & two

    text = "".join(tree(drawn.randint(1, 3))[0] + "\n" for _ in range(60))
    model = {
        "inputs": ["tree", "tree_children"],
        "nodes": [
            {"id": "word", "kind": "Embedding", "inputs": ["tree"], "num_embeddings": 1000, "embedding_dim": 8},
            {
                "id": "fold",
                "kind": "Fold",
                "over": "word",
                "children": "tree_children",
                "returns": "nodes",
                "leaf": {"layers": [{"kind": "Linear", "out_features": 8}]},
                "node": {
                    "inputs": ["v", "below"],
                    "nodes": [
                        {"id": "flat", "kind": "Flatten", "inputs": ["below"]},
                        {"id": "up", "kind": "Linear", "inputs": ["flat"], "out_features": 8},
                        {"id": "bent", "kind": "Tanh", "inputs": ["up"]},
                    ],
                    "outputs": {"state": "bent"},
                },
            },
            {"id": "out", "kind": "Linear", "inputs": ["fold"], "out_features": 2},
            {"id": "classes", "kind": "transpose", "inputs": ["out"], "dim0": 1, "dim1": 2},
        ],
    }
    data = {"inputs": ["tree", "tree_children"], "target": "nodes"}
    attempt = place.run(place.known(text), model, loss="CrossEntropyLoss", data=data)
    losses = [value for _, value in attempt.points("train/loss")]
    assert losses[-1] < 0.2 * losses[0]
