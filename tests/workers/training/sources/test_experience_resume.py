"""Experience that is broken off and goes on: the same bits, the same points, the same episodes."""

import json
from functools import partial
from random import Random
from typing import Any

import pytest

from tests.full import choose
from tests.workers.training.crashes import FREQUENT_CHECKPOINTS, assert_same_as_uninterrupted, train_with_crashes
from tests.workers.training.harness import TrainingAttempt, TrainingHarness, resume_candidates
from tests.workers.training.sources.environment_jobs import JOBS, LIMIT, replay_job, rollout_job
from workers.protocol.messages import Command, Ending
from workers.training.assembly import PreparedTraining
from workers.training.context import MemoryContext
from workers.training.loop import train

DRIFTING = {"kind": "ornstein_uhlenbeck", "std": 0.3, "theta": 0.2, "dt": 0.1}
VARIANTS: dict[str, dict[str, Any]] = {
    **{name: make() for name, make in JOBS.items()},
    "noise that drifts": replay_job({"exploration": DRIFTING}, steps=25),
    "accumulated, averaged, in bf16": replay_job(
        steps=25, accumulate=2, precision="bf16", average={"kind": "ema", "decay": 0.9}
    ),
    "early stop": replay_job(early_stop={"monitor": "val/return", "mode": "max", "patience": 3, "min_delta": 1000.0}),
    "plateau": rollout_job(
        schedule={"kind": "ReduceLROnPlateau", "monitor": "val/return", "mode": "max", "patience": 0, "threshold": 1.0}
    ),
}


def last_state(attempt: TrainingAttempt) -> tuple[dict[str, Any], dict[str, Any]]:
    state = attempt.prepared.state
    numbers = json.loads(json.dumps(state.state_json()))
    numbers["counters"].pop("elapsed")
    return state.state_tensors(), numbers


def assert_same_end(one: TrainingAttempt, other: TrainingAttempt) -> None:
    (tensors, numbers), (others, other_numbers) = last_state(one), last_state(other)
    assert tensors.keys() == others.keys()
    assert [name for name, value in tensors.items() if not value.equal(others[name])] == []
    assert numbers == other_numbers


@pytest.mark.parametrize("name", JOBS)
def test_every_step_is_a_good_one_to_stop(laboratory: TrainingHarness, name: str) -> None:
    spec = JOBS[name]()
    spec["training"]["steps"] = 14 if name != "episodes" else 5
    whole = laboratory.run(spec)
    for stop in range(spec["training"]["steps"] + 1):
        first = laboratory.run(spec, {stop: "pause"})
        second = laboratory.run(spec, resume_from=resume_candidates(*first.context.saved))
        assert_same_end(whole, second)
        for series in ("episode/return", "episode/length", "val/return", "val/return_std", "val/length"):
            assert first.points(series) + second.points(series) == whole.points(series), (stop, series)


@pytest.mark.parametrize("name", choose(VARIANTS, *VARIANTS))
def test_broken_off_at_random_it_ends_the_same(laboratory: TrainingHarness, name: str) -> None:
    spec = VARIANTS[name] | {"training": VARIANTS[name]["training"] | {"checkpoint": FREQUENT_CHECKPOINTS}}
    spec["training"]["checkpoint"] = FREQUENT_CHECKPOINTS | {"monitor": "val/return", "mode": "max"}
    whole = laboratory.run(spec)
    assert whole.outcome.result is not None

    def prepare(context: MemoryContext, resume: Any) -> PreparedTraining:
        return laboratory.prepare(spec, context, resume_from=resume)

    steps = whole.outcome.result["step"]
    last, history = train_with_crashes(partial(prepare), steps, Random(name))
    assert_same_as_uninterrupted(whole, last, history)
    assert_same_end(whole, last)


def test_the_state_is_that_of_an_episode_and_of_a_rollout(laboratory: TrainingHarness) -> None:
    """The bits would be equal as well if nothing were ever in its midst."""
    first = laboratory.run(rollout_job(), {8: "pause"})
    numbers = json.loads(json.dumps(first.prepared.state.state_json()))["source"]
    assert numbers["environments"]["lengths"] == [40 % LIMIT] * 2  # of two rollouts of 20 steps
    assert (numbers["buffer"]["step"], numbers["buffer"]["pass"], numbers["buffer"]["until"]) == (6, 2, 12)
    tensors = first.prepared.state.state_tensors()
    assert tensors["source/environment/actions"].shape == (2 * (40 % LIMIT), 1)
    assert tensors["source/buffer/columns.advantage"].shape == (40, 1)


def test_an_evaluation_that_is_broken_off_is_made_again(laboratory: TrainingHarness) -> None:
    spec = replay_job(steps=12)
    whole = laboratory.run(spec)
    context = MemoryContext(evaluation_script={(5, 9): [Command("pause")]})  # in the evaluation of step 5
    prepared = laboratory.prepare(spec, context)
    first = TrainingAttempt(train(prepared), prepared, context)
    assert (first.outcome.ending, context.saved[-1].step, context.evaluation_script) == (Ending.PAUSED, 5, {})
    assert first.points("val/return") == []
    second = laboratory.run(spec, resume_from=resume_candidates(context.saved[-1]))
    assert second.points("val/return") == whole.points("val/return")
    assert_same_end(whole, second)


def test_a_state_of_other_environments_is_refused(laboratory: TrainingHarness) -> None:
    stored = laboratory.run(replay_job(steps=2)).prepared.state
    other = laboratory.prepare(rollout_job(steps=2)).state.source
    source = {name.removeprefix("source/"): each for name, each in stored.state_tensors().items()}
    with pytest.raises(ValueError, match="rollout cannot go on from replay"):
        other.load_state_dict(source, stored.state_json()["source"])
