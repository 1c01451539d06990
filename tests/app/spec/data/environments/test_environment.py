"""The data section of a job in an environment: its forms, and the columns that follow from it."""

from typing import Any

import pytest

from app.errors import InvalidInput
from app.spec.data.columns import Column
from app.spec.data.environments.catalog import ENVIRONMENTS, UNSUPPORTED_ENVIRONMENTS
from app.spec.data.environments.environment import ROW_FIELDS, EnvironmentData, environment_schema
from app.spec.data.job_data import Data
from app.spec.data.sources import BaseData
from app.spec.job import canonical_document, named_dataset_schema, parse_job
from tests.app.spec.data.environments.acting_jobs import DYNAMICS, continuous_job, discrete_job, own_job


def environment_of(document: dict[str, Any]) -> EnvironmentData:
    data: Data = parse_job(document).data
    assert isinstance(data, EnvironmentData)
    return data


def problems_of(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        parse_job(document)
    return {problem.pointer: (problem.code, problem.hint) for problem in caught.value.problems}


def number(name: str) -> Column:
    return Column(name=name, shape=(1,), dtype="float32")


def test_a_replay_has_transitions() -> None:
    schema = named_dataset_schema(parse_job(continuous_job()))
    assert schema is not None
    assert schema.columns == (
        Column(name="observation", shape=(3,), dtype="float32"),
        Column(name="action", shape=(1,), dtype="float32"),
        number("reward"),
        Column(name="next_observation", shape=(3,), dtype="float32"),
        number("terminated"),
    )
    assert (schema.rows, schema.inputs, schema.target) == ({}, ("observation",), None)


def test_a_rollout_has_advantages_and_episodes_have_returns() -> None:
    rollout = environment_of(discrete_job())
    observation, action = Column(name="observation", shape=(4,)), Column(name="action", dtype="int64", classes=2)
    names = ("log_prob", "value", "advantage", "returns")
    assert environment_schema(rollout).columns == (observation, action, *map(number, names))
    episodes = environment_of(discrete_job({"experience": "episodes"}))
    assert environment_schema(episodes).columns == (observation, action, number("returns"))


def test_wrappers_change_the_observation() -> None:
    wrappers = [{"kind": "FrameStack", "frames": 4}, {"kind": "TimeLimit", "steps": 50}]
    data = environment_of(continuous_job({"wrappers": wrappers}))
    assert data.observation_space.shape == (4, 3)
    assert data.own_observation_space.shape == (3,)
    assert data.time_limit == 50
    assert {column.name: column.shape for column in environment_schema(data).columns}["next_observation"] == (4, 3)
    assert environment_of(continuous_job({"wrappers": [{"kind": "TimeLimit", "steps": 1000}]})).time_limit == 200


def test_dynamics_have_spaces_of_their_own() -> None:
    data = environment_of(own_job())
    assert (data.observation_space.shape, data.action_space.shape, data.time_limit) == ((2,), (1,), 50)
    seen = {"observation": {"kind": "discrete", "n": 5}, "observe": {"layers": [{"kind": "argmax", "dim": 1}]}}
    column = environment_schema(environment_of(own_job(**seen))).columns[0]
    assert column == Column(name="observation", dtype="int64", classes=5)


@pytest.mark.parametrize(
    ("experience", "kept"),
    [
        ({"kind": "replay", "capacity": 500}, 500),
        ({"kind": "rollout", "steps": 16}, 64),
        ({"kind": "episodes", "episodes": 8}, 8 * 200),
    ],
)
def test_the_transitions_that_are_kept(experience: dict[str, Any], kept: int) -> None:
    assert environment_of(continuous_job({"experience": experience, "copies": 4})).kept_transitions == kept


def test_what_follows_a_series_follows_the_return() -> None:
    plan = {
        "early_stop": {"patience": 5},
        "updates": [{"loss": "critic", "schedule": "ReduceLROnPlateau"}, {"loss": "actor", "schedule": "OneCycleLR"}],
    }
    document = continuous_job(**plan)
    document["training"]["updates"][1]["schedule"] = {"kind": "OneCycleLR", "max_lr": 0.1}
    job = parse_job(document)
    monitored = [job.training.checkpoint, job.training.early_stop, job.training.updates[0].schedule]
    assert [(each.monitor, each.mode) for each in monitored] == [("val/return", "max")] * 3  # type: ignore[union-attr]
    stored = canonical_document(job, document)
    assert stored["training"]["early_stop"] == {"patience": 5, "monitor": "val/return", "mode": "max"}
    assert parse_job(stored) == job
    assert canonical_document(job, stored) == stored


def test_a_series_that_is_named_is_followed() -> None:
    job = parse_job(continuous_job(checkpoint={"monitor": "train/loss"}, early_stop={"monitor": "episode/return"}))
    assert (job.training.checkpoint.monitor, job.training.checkpoint.mode) == ("train/loss", "min")
    assert job.training.early_stop is not None
    assert (job.training.early_stop.monitor, job.training.early_stop.mode) == ("episode/return", "max")


def test_there_is_one_environment() -> None:
    assert problems_of(continuous_job({"name": None})) == {
        "/data": ("missing", 'add "name": "Pendulum-v1", or dynamics of your own')
    }
    assert problems_of(continuous_job({"dynamics": DYNAMICS})) == {
        "/data": ("contradiction", "remove name or dynamics")
    }


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Pendulum", 'did you mean "Pendulum-v1"?'),
        ("HalfCheetah-v4", 'did you mean "HalfCheetah-v5"?'),
        ("CartPole-v0", 'did you mean "CartPole-v1"?'),
        ("Breakout", 'such as "CartPole-v1" or "Pendulum-v1"; docs/reinforcement.md lists all environments'),
    ],
)
def test_an_unknown_environment(name: str, hint: str) -> None:
    assert problems_of(continuous_job({"name": name})) == {"/data/name": ("unknown_environment", hint)}


def test_what_is_left_out_has_a_reason() -> None:
    assert not UNSUPPORTED_ENVIRONMENTS.keys() & ENVIRONMENTS.keys()
    with pytest.raises(InvalidInput, match="images of bytes"):
        parse_job(continuous_job({"name": "CarRacing-v3"}))


def test_every_field_of_rows_is_refused_with_a_reason() -> None:
    assert ROW_FIELDS.keys() == BaseData.model_fields.keys()
    given = problems_of(continuous_job(dict.fromkeys(ROW_FIELDS, 1)))
    assert given == {f"/data/{name}": ("unsupported", hint) for name, (_, hint) in ROW_FIELDS.items()}
    assert all(getattr(EnvironmentData, name) == field.default for name, field in BaseData.model_fields.items())
