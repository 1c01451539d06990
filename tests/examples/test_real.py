"""The examples on real data, on a few made-up rows of the same form: accepted, and trained to the same bits
however they are broken off."""

import datetime
import io
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch

from app.spec.data.columns import DataSchema
from app.spec.data.sources import TORCHVISION_SCHEMAS, UploadSource
from app.spec.job import named_dataset_schema, parse_job
from app.storage.local import LocalStore
from examples.accuracy import GATES
from examples.data.dates import FORMATS
from tests.examples.example_runner import EXAMPLES_FOLDER
from tests.workers.data.torchvision_datasets.synthetic import write_mnist
from tests.workers.training.crashes import FREQUENT_CHECKPOINTS, assert_same_as_uninterrupted, train_with_crashes
from tests.workers.training.harness import TrainingAttempt
from workers.children.describe import describe
from workers.children.inspect import InspectionLimits, inspect_job
from workers.data.files.content import Upload
from workers.protocol.assignment import Assignment, CheckpointRef, DatasetRef
from workers.training.assembly import PreparedTraining
from workers.training.context import MemoryContext
from workers.training.loop import train
from workers.training.prepare import prepare

REAL = sorted(path.stem for path in (EXAMPLES_FOLDER / "real").glob("*.json"))
LIMITS = InspectionLimits(10_000, 100_000_000, 4 << 30)
VECTORS, ROWS, STEPS = "ds_" + "1" * 32, 40, 6
WORDS = ("a", "fine", "day", "for", "wood", "and", "grafts", "in", "spring")


def sentence(draw: random.Random) -> list[str]:
    return draw.choices(WORDS, k=draw.randint(1, 12))


def plane(draw: random.Random, _: tuple[str, ...]) -> str:
    rows = [",".join(f"{draw.gauss(0, 1):.4f}" for _ in range(9)) for _ in range(ROWS)]
    return "\n".join([",".join([*(f"x{place}" for place in range(8)), "y"]), *rows])


def digits(draw: random.Random, _: tuple[str, ...]) -> bytes:
    dots = np.frombuffer(draw.randbytes(ROWS * 28 * 28), np.uint8).reshape(ROWS, 1, 28, 28)
    file = io.BytesIO()
    np.savez(file, image=dots, label=np.arange(ROWS) % 10)
    return file.getvalue()


def texts(draw: random.Random, labels: tuple[str, ...]) -> str:
    rows = [f"{' '.join(sentence(draw))},{labels[row % len(labels)]}" for row in range(ROWS)]
    return "\n".join(["text,label", *rows])


def tags(draw: random.Random, _: tuple[str, ...]) -> str:
    kinds = ["O", *(f"{side}-{kind}" for kind in "abcdefghij" for side in "BI")]
    places = iter(range(10**6))
    rows = [
        {
            "tokens": words,
            "shapes": [draw.choice("xX9") for _ in words],
            "tags": [kinds[next(places) % len(kinds)] for _ in words],
        }
        for words in (sentence(draw) for _ in range(ROWS))
    ]
    return "\n".join(map(json.dumps, rows))


def vowels(draw: random.Random, _: tuple[str, ...]) -> str:
    rows = [
        {
            "series": [[draw.gauss(0, 1) for _ in range(12)] for _ in range(draw.randint(7, 20))],
            "label": str(1 + row % 9),
        }
        for row in range(ROWS)
    ]
    return "\n".join(map(json.dumps, rows))


def airline(draw: random.Random, _: tuple[str, ...]) -> str:
    months = [f"{1949 + month // 12}-{month % 12 + 1:02},{draw.randint(100, 500)}" for month in range(150)]
    return "\n".join(["month,passengers", *months])


def trees(draw: random.Random, _: tuple[str, ...]) -> str:
    def grown(depth: int) -> dict[str, Any]:
        return {
            "label": draw.choice(WORDS),
            "children": [grown(depth - 1) for _ in range(draw.randint(0, 3) if depth else 0)],
        }

    return "\n".join(json.dumps({"tree": grown(3), "label": "ab"[row % 2]}) for row in range(ROWS))


def dates(draw: random.Random, _: tuple[str, ...]) -> str:
    days = [datetime.date(2000, 1, 1) + datetime.timedelta(days=draw.randint(0, 9999)) for _ in range(ROWS)]
    return "\n".join(json.dumps({"text": draw.choice(FORMATS)(day), "iso": day.isoformat()}) for day in days)


def characters(draw: random.Random, _: tuple[str, ...]) -> str:
    return "\n".join(json.dumps({"text": " ".join(sentence(draw))}) for _ in range(ROWS))


Writer = Callable[[random.Random, tuple[str, ...]], str | bytes]
# Data of an example → (file's ending, writer, labels).
MADE: Mapping[str, tuple[str, Writer, tuple[str, ...]]] = {
    "plane": ("csv", plane, ()),
    "digits": ("npz", digits, ()),
    "tweets": ("csv", texts, ("negative", "neutral", "positive")),
    "mails": ("csv", texts, ("ham", "spam")),
    "docstrings": ("csv", texts, tuple("abcdefghijklm")),
    "tags": ("jsonl", tags, ()),
    "vowels": ("jsonl", vowels, ()),
    "trees": ("jsonl", trees, ()),
    "dates": ("jsonl", dates, ()),
    "characters": ("jsonl", characters, ()),
    "airline": ("csv", airline, ()),
}


DATA = {"growing-vocabulary": "tweets"}  # where the name does not begin with it


class Bench:
    """Data of the form of an example's, and attempts at it."""

    def __init__(self, folder: Path, name: str) -> None:
        folders = (*(EXAMPLES_FOLDER / part for part in ("real", "surgery", "generative")), EXAMPLES_FOLDER)
        path = next(path for each in folders if (path := each / f"{name}.json").exists())
        self.spec = json.loads(path.read_text())
        often = FREQUENT_CHECKPOINTS | {"every_steps": 2}
        self.spec["training"] |= {"batch_size": 8, "steps": STEPS, "device": "cpu", "checkpoint": often}
        self.spec["training"].pop("epochs", None)
        self.folder, self.store, self.fence = folder, LocalStore(folder / "store"), 0
        self.dataset: DatasetRef | None = None
        self.vectors: dict[str, DatasetRef] = {}
        self.known: dict[str, DataSchema] = {}
        for feature in (self.spec["data"].get("features") or {}).values():
            if "vectors" in feature:
                feature["vectors"]["dataset"] = VECTORS
        self.schema = self._registered(DATA.get(name, name.partition("-")[0]))

    def _registered(self, data: str) -> DataSchema:
        if data not in MADE:
            write_mnist(self.folder, "FashionMNIST", rows=(ROWS, ROWS))
            schema = named_dataset_schema(parse_job(self.spec))
            assert schema is not None
            return schema
        ending, writer, labels = MADE[data]
        self.spec["data"]["validation"] = {"fraction": 0.2}
        types = {column: kind for gate in GATES if gate.data == data for column, kind in gate.types.items()}
        schema, self.dataset = self._stored(f"made.{ending}", writer(random.Random(0), labels), types)
        lines = [" ".join([word, *(f"{place / 50:g}" for place in range(50))]) for word in WORDS[:4]]
        self.known[VECTORS], self.vectors[VECTORS] = self._stored("vectors.txt", "\n".join(lines))
        return schema

    def _stored(
        self, name: str, content: str | bytes, types: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[DataSchema, DatasetRef]:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        source = {"kind": "upload", "file": name, "types": dict(types)}
        found = describe(Upload(path, UploadSource.model_validate(source)))
        assert found.problems == ()
        assert found.schema is not None
        self.store.put_file(name, path)
        return found.schema, DatasetRef(source, name)

    def prepare(self, context: MemoryContext, resume: tuple[CheckpointRef, ...] = ()) -> PreparedTraining:
        self.fence += 1
        workdir = self.folder / f"work-{self.fence}"
        workdir.mkdir()
        assignment = Assignment(
            "job_1",
            self.fence,
            self.spec,
            self.schema.model_dump(mode="json"),
            "",
            str(self.folder),
            False,
            dataset=self.dataset,
            word_vectors=self.vectors,
            resume_from=resume,
        )
        return prepare(assignment, self.store, context, workdir)


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    few = TORCHVISION_SCHEMAS["FashionMNIST"].model_copy(update={"rows": {"train": ROWS, "test": ROWS}})
    monkeypatch.setitem(TORCHVISION_SCHEMAS, "FashionMNIST", few)
    return Bench(tmp_path, request.param)


@pytest.mark.parametrize("bench", REAL, indirect=True)
def test_the_inspector_accepts_it(bench: Bench) -> None:
    found = inspect_job(bench.spec, bench.schema, LIMITS, bench.known)
    assert found.problems == ()


# tests/workers/training/test_images.py breaks off that on streamed pictures.
@pytest.mark.parametrize("bench", sorted({*REAL, "fashion-cnn", "dcgan-fashion"} - {"fashion-resnet18"}), indirect=True)
def test_interrupted_at_random_it_ends_the_same(bench: Bench, request: pytest.FixtureRequest) -> None:
    context = MemoryContext()
    prepared = bench.prepare(context)
    whole = TrainingAttempt(train(prepared), prepared, context)
    assert_same_as_uninterrupted(whole, *train_with_crashes(bench.prepare, STEPS, random.Random(request.node.name)))
    assert any(not torch.equal(value, value * 0) for value in prepared.network.parameters())


def test_every_real_example_has_a_gate() -> None:
    assert {f"real/{name}" for name in REAL} <= {gate.example for gate in GATES}
    for gate in GATES:
        spec = json.loads((EXAMPLES_FOLDER / f"{gate.example}.json").read_text())
        assert bool(gate.files) == (spec["data"]["kind"] == "dataset")
        assert spec["data"]["kind"] != "torchvision" or spec["data"]["name"] in TORCHVISION_SCHEMAS
        named = [feature for feature in (spec["data"].get("features") or {}).values() if "vectors" in feature]
        assert bool(named) == (gate.vectors is not None)
