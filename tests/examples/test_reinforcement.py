"""The examples of reinforcement learning: accepted, and trained to the same bits however they are broken off."""

import json
import math
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from app.spec.job import named_dataset_schema, parse_job
from app.storage.local import LocalStore
from examples import returns
from examples.returns import GATES, claim_of, summarize, with_earlier_figures
from tests.examples.example_runner import EXAMPLES_FOLDER
from tests.workers.training.crashes import FREQUENT_CHECKPOINTS, assert_same_as_uninterrupted, train_with_crashes
from tests.workers.training.harness import TrainingHarness
from workers.children.inspect import InspectionLimits, inspect_job
from workers.protocol.messages import Ending

NAMES = sorted(path.stem for path in (EXAMPLES_FOLDER / "rl").glob("*.json"))
LIMITS = InspectionLimits(10_000, 100_000_000, 4 << 30)
STEPS = 4


def example(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((EXAMPLES_FOLDER / "rl" / f"{name}.json").read_text())
    return document


def shortened(name: str) -> dict[str, Any]:
    """Return an example of a few steps, with short episodes and little experience before them."""
    document = example(name)
    data, objective, plan = (document[part] for part in ("data", "objective", "training"))
    data["episodes"] = 2
    data["wrappers"] = [*data.get("wrappers", []), {"kind": "TimeLimit", "steps": 20}]
    if "start_steps" in objective:
        objective |= {"start_steps": 80, "capacity": 160}
    if objective["kind"] == "ppo":
        objective |= {"steps": 16, "epochs": 2}
        plan["batch_size"] = 64
    plan |= {"steps": STEPS, "device": "cpu", "evaluate": {"every_steps": 2}, "checkpoint": FREQUENT_CHECKPOINTS}
    return document


@pytest.fixture
def laboratory(tmp_path: Path) -> TrainingHarness:
    return TrainingHarness(tmp_path, LocalStore(tmp_path / "store"))


@pytest.mark.parametrize("name", NAMES)
def test_the_inspector_accepts_it(name: str) -> None:
    document = example(name)
    found = inspect_job(document, named_dataset_schema(parse_job(document)), LIMITS)
    assert found.problems == ()
    assert found.warnings == ()
    assert document["metadata"]["shows"]


@pytest.mark.parametrize("name", NAMES)
def test_interrupted_at_random_it_ends_the_same(laboratory: TrainingHarness, name: str) -> None:
    whole = laboratory.run(shortened(name))
    assert whole.outcome.ending is Ending.SUCCEEDED
    assert [step for step, _ in whole.points("val/return")] == [2, 4]
    assert all(math.isfinite(value) for _, value in whole.points("val/return"))
    last, history = train_with_crashes(partial(prepare_again, laboratory, name), STEPS, Random(name))
    assert_same_as_uninterrupted(whole, last, history)


def prepare_again(laboratory: TrainingHarness, name: str, context: Any, resume: Any) -> Any:
    return laboratory.prepare(shortened(name), context, resume_from=resume)


def test_every_example_has_a_gate_and_a_row() -> None:
    assert sorted(gate.example for gate in GATES) == [f"rl/{name}" for name in NAMES]
    page = (EXAMPLES_FOLDER.parent / "docs" / "reinforcement.md").read_text()
    table = (EXAMPLES_FOLDER / "README.md").read_text()
    assert [
        name for name in NAMES if f"`examples/rl/{name}.json`" not in page or f"`rl/{name}.json`" not in table
    ] == []


def test_a_gate_is_on_the_mean_over_the_seeds() -> None:
    gate = next(each for each in GATES if each.example == "rl/pendulum-sac")
    figures = summarize(gate, [{"seed": seed, "return": value} for seed, value in enumerate((-150.0, -170.0, -145.0))])
    assert (figures["mean"], figures["spread"]) == (-155.0, 13.23)  # the deviation of a sample
    claim = claim_of(figures)
    assert (claim["measured"], claim["bound"], claim["at_most"]) == (-155.0, -160, False)
    assert claim["what"] == "rl/pendulum-sac: mean return of 3 seeds ± 13.23"


def test_figures_that_are_not_asked_for_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(returns, "RESULTS", tmp_path)
    first, second, third = GATES[:3]
    earlier = [{"example": gate.example, "mean": 1.0} for gate in (first, second, third)]
    (tmp_path / "returns.json").write_text(json.dumps({"examples": earlier}))
    kept = with_earlier_figures({second.example: {"example": second.example, "mean": 2.0}}, [second])
    assert [(each["example"], each["mean"]) for each in kept] == [
        (first.example, 1.0),
        (second.example, 2.0),
        (third.example, 1.0),
    ]
