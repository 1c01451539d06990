"""Small data sets of texts, tagged words, series and trees, in memory, and attempts at jobs on them."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch

from app.spec.data.columns import DataSchema
from tests.workers.data.schemas import ID, series_column, stored_schema
from tests.workers.training.harness import TrainingAttempt, TrainingHarness
from workers.children.inspect import InspectionLimits, inspect_job
from workers.data.columns import SplitColumns
from workers.data.loading.sources import SourceData
from workers.protocol.assignment import Assignment
from workers.protocol.child_requests import InspectResponse
from workers.protocol.messages import Command
from workers.training.assembly import PreparedTraining
from workers.training.context import MemoryContext
from workers.training.loop import train
from workers.training.prepare import prepare
from workers.training.sources import loading as module

LIMITS = InspectionLimits(10_000, 100_000_000, 1 << 30)
POSITIVE_WORDS = ("good", "great", "fine")
NEGATIVE_WORDS = ("bad", "poor", "dull")
NEUTRAL_WORDS = ("the", "film", "was", "a", "of", "and", "in", "it")
TAGS = ("O", "PER")
PEOPLE = ("Ada", "Alan", "Grace")


@dataclass(frozen=True)
class InMemoryDataset:
    """A stored data set in memory."""

    schema: DataSchema
    split: SplitColumns


def text_dataset(rows: int = 60) -> InMemoryDataset:
    """Return sentences that hold one telling word: which of two kinds is the label."""
    drawn = random.Random(0)
    lines, labels = [], []
    for row in range(rows):
        words = drawn.choices(NEUTRAL_WORDS, k=drawn.randint(0, 20))
        words.insert(drawn.randint(0, len(words)), drawn.choice((POSITIVE_WORDS, NEGATIVE_WORDS)[row % 2]))
        lines.append(" ".join(words))
        labels.append(("yes", "no")[row % 2])
    label = {"type": "category", "labels": ("no", "yes")}
    return InMemoryDataset(
        stored_schema("label", rows=rows, text="text", label=label), {"text": lines, "label": labels}
    )


def tagging_dataset(rows: int = 60) -> InMemoryDataset:
    """Return lists of words of which names are tagged."""
    drawn = random.Random(1)
    lists = [drawn.choices((*NEUTRAL_WORDS, *PEOPLE), k=drawn.randint(1, 12)) for _ in range(rows)]
    tags = [[TAGS[word in PEOPLE] for word in words] for words in lists]
    schema = stored_schema(
        "tags", rows=rows, words={"type": "words", "longest": 12}, tags={"type": "words", "labels": TAGS}
    )
    return InMemoryDataset(schema, {"words": lists, "tags": tags})


def entity_dataset(rows: int = 60) -> InMemoryDataset:
    """Return tokens of which names, of one or two words, are tagged as CoNLL has it."""
    drawn = random.Random(4)
    lists, tags = [], []
    for _ in range(rows):
        words, marks = [], []
        for _ in range(drawn.randint(1, 6)):
            name = drawn.choices((*PEOPLE, "Mac"), k=drawn.randint(0, 2))
            words += [drawn.choice(NEUTRAL_WORDS), *name]
            marks += ["O", *["B-PER", "I-PER"][: len(name)]]
        lists.append(words)
        tags.append(marks)
    labels = ("B-PER", "I-PER", "O")
    schema = stored_schema(
        "tags", rows=rows, tokens={"type": "words", "longest": 18}, tags={"type": "words", "labels": labels}
    )
    return InMemoryDataset(schema, {"tokens": lists, "tags": tags})


def series_dataset(rows: int = 60) -> InMemoryDataset:
    """Return rising and falling lines of unlike length, two numbers per moment."""
    drawn = random.Random(2)
    lines, labels = [], []
    for row in range(rows):
        slope = drawn.uniform(0.5, 1.5) * (1 if row % 2 else -1)
        start = drawn.gauss(0, 1)
        lines.append([[start + slope * moment, drawn.gauss(0, 1)] for moment in range(drawn.randint(4, 15))])
        labels.append(("down", "up")[row % 2])
    label = {"type": "category", "labels": ("down", "up")}
    wave = {"type": "series", "shape": (2,), "longest": 15}
    return InMemoryDataset(
        stored_schema("label", rows=rows, wave=wave, label=label),
        {"wave": series_column(*lines, width=2), "label": labels},
    )


def tree_dataset(rows: int = 60) -> InMemoryDataset:
    """Return trees of "and" and "or" over two leaves; the label is their value."""
    drawn = random.Random(3)

    def plant(depth: int) -> tuple[dict[str, Any], bool]:
        if depth == 0 or drawn.random() < 0.2:
            value = drawn.random() < 0.5
            return {"label": "true" if value else "false"}, value
        grown = [plant(depth - 1) for _ in range(drawn.randint(1, 3))]
        word = drawn.choice(("and", "or"))
        value = (all if word == "and" else any)(value for _, value in grown)
        return {"label": word, "children": [tree for tree, _ in grown]}, value

    planted = [plant(3) for _ in range(rows)]
    label = {"type": "category", "labels": ("False", "True")}
    schema = stored_schema("label", rows=rows, tree={"type": "tree", "longest": 40, "widest": 3}, label=label)
    return InMemoryDataset(
        schema, {"tree": [tree for tree, _ in planted], "label": [str(value) for _, value in planted]}
    )


def dataset_job(
    model: Any, *, training: Mapping[str, Any] | None = None, metrics: Any = ("accuracy",), **data: Any
) -> Any:
    """Return a job on a corpus."""
    plan = {
        "steps": 12,
        "batch_size": 8,
        "device": "cpu",
        "optimizer": {"kind": "Adam", "lr": 0.02},
        "checkpoint": {"every_seconds": None, "keep_best": 0},
    }
    return {
        "model": model,
        "data": {"kind": "dataset", "id": ID, "validation": {"fraction": 0.25}, **data},
        "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": list(metrics)},
        "training": plan | dict(training or {}),
    }


@dataclass
class DatasetHarness(TrainingHarness):
    """Runs attempts at jobs on a corpus."""

    corpus: InMemoryDataset | None = None

    def inspect(self, spec: dict[str, Any]) -> InspectResponse:
        """Return what the inspector finds."""
        assert self.corpus is not None
        return inspect_job(spec, self.corpus.schema, LIMITS)

    def prepare(self, spec: dict[str, Any], context: MemoryContext | None = None, **options: Any) -> PreparedTraining:
        """Prepare an attempt under a new fence, on the corpus as if it had been read from a file."""
        assert self.corpus is not None
        self.fence += 1
        assignment = Assignment(
            "job_1",
            self.fence,
            spec,
            self.corpus.schema.model_dump(mode="json"),
            "",
            str(self.folder),
            False,
            **options,
        )
        workdir = self.folder / f"work-{self.fence}"
        workdir.mkdir()
        with patch.object(module, "load_source", lambda *_, **__: SourceData({"train": self.corpus.split})):
            return prepare(Assignment.from_json(assignment.to_json()), self.store, context or MemoryContext(), workdir)

    def run(self, spec: dict[str, Any], stops: Mapping[int, Any] | None = None, **options: Any) -> TrainingAttempt:
        """Run an attempt, after it was inspected."""
        torch.set_num_threads(1)
        found = self.inspect(spec)
        assert found.problems == ()
        context = MemoryContext({step: [Command(verb)] for step, verb in (stops or {}).items()})
        prepared = self.prepare(spec, context, **options)
        return TrainingAttempt(train(prepared), prepared, context)
