"""Every example is accepted, learns, ends the same however it is broken off, and gives the numbers of `model.py`."""

from collections.abc import Callable
from functools import partial
from math import isfinite
from pathlib import Path
from random import Random
from statistics import mean

import pytest
import torch

from tests.examples.example_runner import (
    EXAMPLE_NAMES,
    EXAMPLES_FOLDER,
    STEPS,
    ExampleRunner,
    example_spec,
    shortened_spec,
)
from tests.workers.network.networks import import_source
from tests.workers.training.crashes import FREQUENT_CHECKPOINTS, assert_same_as_uninterrupted, train_with_crashes
from tests.workers.training.harness import TrainingAttempt, rows_of
from workers.protocol.messages import Ending

Trained = Callable[[str], TrainingAttempt]
AT_HAND = [name for name in EXAMPLE_NAMES if example_spec(name)["data"]["kind"] != "torchvision"]


@pytest.mark.parametrize("name", EXAMPLE_NAMES)
def test_the_inspector_accepts_it(lessons: ExampleRunner, name: str) -> None:
    found = lessons.inspect(example_spec(name))
    assert found.problems == ()
    assert found.report["totals"]["parameters"] > 0


@pytest.mark.parametrize("name", AT_HAND)
def test_its_loss_falls(trained: Trained, name: str) -> None:
    attempt = trained(name)
    assert attempt.outcome.ending is Ending.SUCCEEDED
    losses = [value for _, value in attempt.points("train/loss")]
    assert len(losses) == STEPS
    assert all(map(isfinite, losses))
    assert mean(losses[-5:]) < mean(losses[:5])


@pytest.mark.parametrize("name", AT_HAND)
def test_interrupted_at_random_it_ends_the_same(trained: Trained, lessons: ExampleRunner, name: str) -> None:
    document = shortened_spec(name, checkpoint=FREQUENT_CHECKPOINTS)
    last, history = train_with_crashes(partial(lessons.prepare, document), STEPS, Random(name))
    assert_same_as_uninterrupted(trained(name), last, history)


@pytest.mark.parametrize("name", AT_HAND)
def test_its_statistics_change_nothing(trained: Trained, lessons: ExampleRunner, name: str) -> None:
    whole = trained(name)
    watched = lessons.run(shortened_spec(name, statistics={"every_steps": 1}))
    assert len(watched.samples()) == STEPS
    assert watched.weights() == whole.weights()


@pytest.mark.parametrize("name", AT_HAND)
def test_model_py_gives_the_same_bits(trained: Trained, lessons: ExampleRunner, tmp_path: Path, name: str) -> None:
    prepared = trained(name).prepared
    network = prepared.network.eval()
    module = import_source(network, tmp_path, seed=1)
    module.load_state_dict(network.state_dict(), strict=True)
    inputs, _ = lessons.batch(prepared)
    with torch.no_grad():
        torch.manual_seed(0)  # some draw random numbers in evaluation, too
        expected = network(inputs)
        torch.manual_seed(0)
        found = module.eval()(*[inputs[each] for each in network.blueprint.inputs])
    told = found if isinstance(found, dict) else dict.fromkeys(expected, found)
    assert all(told[each].equal(value) for each, value in expected.items())


def test_linear_regression_finds_the_least_squares(lessons: ExampleRunner) -> None:
    attempt = lessons.run(example_spec("linear-regression"))
    rows = rows_of(attempt.prepared).train
    x, y = rows.inputs["x"].double(), next(iter(rows.targets.values())).double().reshape(-1, 1)
    matrix = torch.cat([x, torch.ones(len(x), 1)], 1)
    best = (matrix @ torch.linalg.lstsq(matrix, y).solution - y).square().mean()
    with torch.no_grad():
        found = (attempt.prepared.network(rows.inputs)["output"].double() - y).square().mean()
    assert float(best) <= float(found) < 1.001 * float(best)


def test_every_example_is_in_the_table() -> None:
    table = (EXAMPLES_FOLDER / "README.md").read_text()
    assert [name for name in EXAMPLE_NAMES if f"`{name}.json`" not in table] == []
