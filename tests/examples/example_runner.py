"""The examples as jobs in a laboratory: those on bundled data, and the one on syntax trees."""

import importlib.util
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from app.spec.data.columns import DataSchema
from app.spec.data.sources import UploadSource
from app.spec.job import named_dataset_schema, parse_job
from tests.workers.training.harness import TrainingAttempt, TrainingHarness, rows_of
from workers.children.describe import describe
from workers.children.inspect import InspectionLimits, inspect_job
from workers.data.files.content import Upload
from workers.protocol.assignment import Assignment, CheckpointRef, DatasetRef
from workers.protocol.child_requests import InspectResponse
from workers.protocol.messages import Command
from workers.training.assembly import PreparedTraining
from workers.training.context import MemoryContext
from workers.training.loop import train
from workers.training.prepare import prepare

EXAMPLES_FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLE_NAMES = sorted(path.stem for path in EXAMPLES_FOLDER.glob("*.json"))
TREES_FILE = "trees.npz"
STEPS = 20
LIMITS = InspectionLimits(10_000, 100_000_000, 1 << 30)


def example_spec(name: str) -> dict[str, Any]:
    """Return an example as its file has it."""
    document: dict[str, Any] = json.loads((EXAMPLES_FOLDER / f"{name}.json").read_text())
    return document


def shortened_spec(name: str, **training: Any) -> dict[str, Any]:
    """Return an example of some steps, without checkpoints on the way."""
    document = example_spec(name)
    plan = {key: value for key, value in document["training"].items() if key not in ("epochs", "early_stop")}
    fixed = {"steps": STEPS, "device": "cpu", "checkpoint": {"every_seconds": None, "keep_best": 0}}
    return document | {"training": plan | fixed | training}


def load_script(name: str) -> ModuleType:
    """Return one of the examples' Python files as a module."""
    found = importlib.util.spec_from_file_location(name, EXAMPLES_FOLDER / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)
    return module


def upload_trees(path: Path) -> DataSchema:
    """Write the syntax trees where uploads lie, and return what the service sees in them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    load_script("syntax_trees").write(path)
    schema = describe(Upload(path, UploadSource(kind="upload"))).schema
    assert schema is not None
    return schema


@dataclass
class ExampleRunner:
    """Runs examples."""

    laboratory: TrainingHarness
    trees: DataSchema

    def schema(self, document: Mapping[str, Any]) -> DataSchema | None:
        """Return the schema of a job's data; `None` where torchvision's files are needed."""
        return named_dataset_schema(parse_job(document)) or self.trees

    def inspect(self, document: dict[str, Any]) -> InspectResponse:
        """Return what the inspector finds."""
        return inspect_job(document, self.schema(document), LIMITS)

    def prepare(
        self, document: dict[str, Any], context: MemoryContext | None = None, resume: tuple[CheckpointRef, ...] = ()
    ) -> PreparedTraining:
        """Prepare an attempt at a job."""
        schema = self.schema(document)
        assert schema is not None
        place = self.laboratory
        place.fence += 1
        trees = DatasetRef({"kind": "upload", "format": "npz", "target": None}, TREES_FILE)
        dataset = trees if document["data"]["kind"] == "dataset" else None
        assignment = Assignment(
            "job_1",
            place.fence,
            document,
            schema.model_dump(mode="json"),
            "",
            str(place.folder),
            False,
            dataset=dataset,
            resume_from=resume,
        )
        workdir = place.folder / f"work-{place.fence}"
        workdir.mkdir()
        return prepare(assignment, place.store, context or MemoryContext(), workdir)

    def run(
        self, document: dict[str, Any], stop: int | None = None, resume: tuple[CheckpointRef, ...] = ()
    ) -> TrainingAttempt:
        """Train, to the end or until drained after so many steps."""
        context = MemoryContext({} if stop is None else {stop: [Command("drain")]})
        prepared = self.prepare(document, context, resume)
        return TrainingAttempt(train(prepared), prepared, context)

    def batch(self, prepared: PreparedTraining, rows: int = 64) -> tuple[dict[str, Tensor], Tensor]:
        """Return the first real examples of a job: inputs by name, and the target, empty if there is none."""
        inputs, targets = rows_of(prepared).train.batch(torch.arange(rows), torch.device("cpu"))
        return inputs, next(iter(targets.values()), torch.empty(rows, 0))
