"""What a short form is written out to: the document of an algorithm, in which the user's own words stay."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.spec.job import JobSpec, canonical_document, parse_job, write_out_job
from tests.app.spec.training.algorithms.written import BOX, CLASSES, algorithm_job, linear, mlp

JOBS: dict[str, dict[str, Any]] = {
    "sac": algorithm_job("sac", {"actor": mlp(4), "critic": mlp(1)}),
    "td3": algorithm_job("td3", {"actor": mlp(2), "critic": mlp(1)}),
    "dqn": algorithm_job("dqn", {"critic": mlp(3)}, CLASSES),
    "ppo": algorithm_job("ppo", {"trunk": mlp(5), "actor": mlp(2), "critic": mlp(1)}, BOX),
    "ppo of classes": algorithm_job("ppo", {"actor": mlp(3), "critic": mlp(1)}, CLASSES),
    "reinforce": algorithm_job("reinforce", {"actor": mlp(3)}, CLASSES),
}


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    return Draft202012Validator(JobSpec.model_json_schema())


@pytest.mark.parametrize("name", JOBS)
def test_the_long_form_is_what_the_short_one_means(name: str) -> None:
    job = parse_job(JOBS[name])
    stored = canonical_document(job, JOBS[name])
    assert write_out_job(stored).document is stored, "nothing is left to write out"
    assert parse_job(stored) == job
    assert canonical_document(job, stored) == stored
    assert {head.loss.kind for head in job.objective.all_heads().values()} == {"Output"}
    assert {head for update in job.training.updates for head in update.loss} == set(job.objective.all_heads())


@pytest.mark.parametrize("name", JOBS)
def test_schemas_have_both_forms(schema: Draft202012Validator, name: str) -> None:
    schema.validate(JOBS[name])
    schema.validate(canonical_document(parse_job(JOBS[name]), JOBS[name]))


def test_a_bare_name_is_an_algorithm() -> None:
    document = JOBS["sac"] | {"objective": "sac"}
    assert parse_job(document) == parse_job(JOBS["sac"])
    assert canonical_document(parse_job(document), document) == canonical_document(parse_job(document), JOBS["sac"])


def test_what_an_algorithm_says_by_default() -> None:
    stored = canonical_document(parse_job(JOBS["sac"]), JOBS["sac"])
    assert stored["data"]["experience"] == {"kind": "replay", "capacity": 100_000, "start_steps": 1000, "steps": 1}
    assert stored["training"]["checkpoint"] == {"monitor": "val/return", "mode": "max"}
    assert stored["training"]["evaluate"] == {"every_steps": 50}, "a twentieth of the run"
    assert stored["training"]["batch_size"] == 256
    stored = canonical_document(parse_job(JOBS["ppo"]), JOBS["ppo"])
    assert stored["data"]["experience"] == {
        "kind": "rollout",
        "gamma": 0.99,
        "lambda": 0.95,
        "steps": 256,
        "epochs": 10,
        "normalize_advantage": True,
        "log_prob": "log_prob",
        "value": "value",
    }
    stored = canonical_document(parse_job(JOBS["reinforce"]), JOBS["reinforce"])
    assert stored["data"]["experience"] == {"kind": "episodes", "gamma": 0.99, "episodes": 8, "normalize": True}
    assert "batch_size" not in stored["training"], "a batch is all the steps of the episodes"


def test_what_the_user_gave_stays() -> None:
    document = JOBS["sac"] | {
        "name": "mine",
        "metadata": {"a": "1"},
        "data": JOBS["sac"]["data"]
        | {"experience": {"kind": "replay", "start_steps": 70}, "report": ["q"], "episodes": 5, "copies": 7},
        "training": {
            "steps": 1000,
            "batch_size": 32,
            "evaluate": {"every_steps": 7},
            "checkpoint": {"keep_best": 3},
            "seed": 5,
        },
    }
    stored = canonical_document(parse_job(document), document)
    assert (stored["name"], stored["metadata"]) == ("mine", {"a": "1"})
    data, training = stored["data"], stored["training"]
    assert data["experience"] == {"kind": "replay", "start_steps": 70, "capacity": 100_000, "steps": 1}
    assert (data["report"], data["episodes"], data["copies"], data["behaviour"]) == (["q"], 5, 7, "explored")
    assert (training["batch_size"], training["evaluate"], training["seed"]) == (32, {"every_steps": 7}, 5)
    assert training["checkpoint"] == {"keep_best": 3, "monitor": "val/return", "mode": "max"}


def test_the_bodies_are_blocks_as_they_are_written() -> None:
    part = {"layers": [linear(8), "ReLU"]}
    use = {"kind": "block", "name": "Part"}
    model = {"actor": {"layers": [use, linear(4)]}, "critic": {"layers": [use, linear(1)]}, "blocks": {"Part": part}}
    stored = canonical_document(parse_job(algorithm_job("sac", model)), algorithm_job("sac", model))
    assert stored["model"]["blocks"].keys() == {"Part", "actor", "critic"}
    assert stored["model"]["blocks"]["actor"] == model["actor"]


def test_nodes_read_observation_and_action_by_name() -> None:
    nodes = [
        {"id": "both", "kind": "cat", "inputs": ["observation", "action"]},
        {"id": "value", "kind": "Linear", "inputs": ["both"], "out_features": 1},
    ]
    for inputs in (["observation", "action"], ["action", "observation"], None):
        critic = {"nodes": nodes} | ({"inputs": inputs} if inputs else {})
        job = parse_job(algorithm_job("td3", {"actor": mlp(2), "critic": critic}))
        [use] = [node for node in job.model.nodes or () if node.id == "critic1"]
        assert job.model.blocks["critic"].inputs == use.inputs == tuple(inputs or ["observation", "action"])


def test_every_setting_of_the_experience_has_one_word() -> None:
    """Those of an objective are those of the experience that it is written out to."""
    document = algorithm_job("ppo", {"actor": mlp(2), "critic": mlp(1)}, **{"lambda": 0.8, "steps": 64, "epochs": 2})
    experience = parse_job(document).data.experience.model_dump(by_alias=True)
    assert (experience["lambda"], experience["steps"], experience["epochs"]) == (0.8, 64, 2)
