"""Jobs in environments over HTTP: what is told of them before they train, and what is refused."""

from typing import Any

import pytest

from tests.app.api.client import Client, assert_problem
from tests.app.spec.data.environments.acting_jobs import continuous_job, discrete_job, own_job


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def problems_of(anna: Client, document: dict[str, Any]) -> dict[str, str]:
    """Return the hints of the problems of a job by pointer: those of a submission, and of its validation."""
    told = [anna.post(route, json=document) for route in ("/v1/jobs/validate", "/v1/jobs")]
    validated, submitted = (assert_problem(each, 422, "invalid_input")["errors"] for each in told)
    assert validated == submitted
    return {each["pointer"]: each["hint"] for each in validated}


@pytest.mark.parametrize(
    "document", [continuous_job(), discrete_job(), own_job()], ids=["replay", "rollout", "dynamics"]
)
def test_a_job_is_validated_and_stored(anna: Client, document: dict[str, Any]) -> None:
    report = anna.post("/v1/jobs/validate", json=document)
    assert report.status_code == 200, report.text
    told = report.json()
    assert [each["code"] for each in told["warnings"]] == ["no_worker"]
    assert told["data_schema"]["rows"] == {}
    assert told["splits"]["train"]["rows"] is None
    assert told["spec"]["training"]["checkpoint"] == {"monitor": "val/return", "mode": "max"}
    assert told["inspection"]["memory"]["experience"] > 0
    made = anna.post("/v1/jobs", json=document)
    assert made.status_code == 201, made.text
    stored = anna.get(f"/v1/jobs/{made.json()['id']}").json()
    assert stored["spec"] == told["spec"]
    assert stored["splits"] == told["splits"]
    assert [each["id"] for each in anna.get("/v1/jobs").json()["items"]] == [stored["id"]]


def test_every_problem_of_a_bad_job_is_told_at_once(anna: Client) -> None:
    document = continuous_job(
        {"env": "CartPole-v1", "validation": 0.2, "copies": 0, "wrappers": ["FrameStak"]}, batch_sise=3
    )
    assert problems_of(anna, document) == {
        "/data/env": "remove it: /data/name is there",
        "/data/validation": 'remove it: "episodes" of the environment are played, and their mean return is val/return',
        "/data/copies": "use at least 1",
        "/data/wrappers/0": 'did you mean "FrameStack"?',
        "/training/batch_sise": "remove it: /training/batch_size is there",
    }


@pytest.mark.parametrize(
    ("written", "place", "hint"),
    [
        ({"name": None, "env": "Pendulum-v1"}, "/data/env", 'did you mean "name"?'),
        ({"name": None, "environment_id": "Pendulum-v1"}, "/data/environment_id", 'did you mean "name"?'),
        ({"name": None, "env_id": "Pendulum-v1"}, "/data/env_id", 'did you mean "name"?'),
        ({"n_envs": 4}, "/data/n_envs", 'did you mean "copies"?'),
        ({"num_envs": 4}, "/data/num_envs", 'did you mean "copies"?'),
        ({"noise": 0.1}, "/data/noise", 'did you mean "exploration"?'),
        ({"n_eval_episodes": 10}, "/data/n_eval_episodes", 'did you mean "episodes"?'),
        (
            {"experience": {"kind": "replay", "buffer_size": 100}},
            "/data/experience/buffer_size",
            'did you mean "capacity"?',
        ),
        (
            {"experience": {"kind": "replay", "learning_starts": 100}},
            "/data/experience/learning_starts",
            'did you mean "start_steps"?',
        ),
        ({"experience": {"kind": "rollout", "n_steps": 100}}, "/data/experience/n_steps", 'did you mean "steps"?'),
        (
            {"experience": {"kind": "rollout", "gae_lambda": 0.9}},
            "/data/experience/gae_lambda",
            'did you mean "lambda"?',
        ),
        ({"experience": {"kind": "rollout", "n_epochs": 4}}, "/data/experience/n_epochs", 'did you mean "epochs"?'),
        ({"experience": {"kind": "rollout", "discount": 1}}, "/data/experience/discount", 'did you mean "gamma"?'),
        ({"experience": "buffer"}, "/data/experience", 'did you mean "replay"?'),
        ({"experience": "on_policy"}, "/data/experience", 'did you mean "rollout"?'),
        ({"exploration": "normal"}, "/data/exploration", 'did you mean "gaussian"?'),
        ({"exploration": "OU"}, "/data/exploration", 'did you mean "ornstein_uhlenbeck"?'),
        ({"exploration": "epsilon"}, "/data/exploration", 'did you mean "epsilon_greedy"?'),
        ({"kind": "gym"}, "/data/kind", 'did you mean "environment"?'),
        ({"kind": "gymnasium"}, "/data/kind", 'did you mean "environment"?'),
        ({"kind": "env"}, "/data/kind", 'did you mean "environment"?'),
        ({"wrappers": ["FrameStackObservation"]}, "/data/wrappers/0", 'did you mean "FrameStack"?'),
    ],
)
def test_words_of_other_libraries(anna: Client, written: dict[str, Any], place: str, hint: str) -> None:
    assert problems_of(anna, continuous_job(written))[place] == hint


def test_the_catalogue_tells_environments(anna: Client) -> None:
    kinds = anna.get("/v1/catalog").json()["kinds"]
    found = {each["kind"]: each for each in kinds if each["group"] == "environment"}
    assert found["Pendulum-v1"]["shapes"] == "(N, 3) → (N, 1) in -2..2"
    assert found["LunarLander-v3"]["package"] == "Box2D"
    assert {each["kind"] for each in kinds if each["group"] == "experience"} == {"replay", "rollout", "episodes"}
