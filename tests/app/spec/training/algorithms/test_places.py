"""Pointers into the long form, and what the user wrote."""

import pytest

from app.errors import Problem
from app.spec.job import write_out_job
from tests.app.spec.training.algorithms.written import algorithm_job, mlp

JOB = algorithm_job("sac", {"actor": mlp(4), "critic": mlp(1)}, training={"lr": 0.1}, capacity=5000)
JOB["objective"]["actor_optimizer"] = {"kind": "SGD"}


def node(name: str) -> int:
    nodes = write_out_job(JOB).document["model"]["nodes"]
    return next(place for place, each in enumerate(nodes) if each["id"] == name)


@pytest.mark.parametrize(
    ("pointer", "original"),
    [
        ("", ""),
        ("/name", "/name"),
        ("/model", "/model"),
        ("/model/blocks/actor/layers/2", "/model/actor/layers/2"),
        ("/model/blocks/critic", "/model/critic"),
        ("/model/blocks/critic2/layers/0", "/model/blocks/critic2/layers/0"),
        (f"/model/nodes/{node('policy')}/inputs/0", "/model/actor"),
        (f"/model/nodes/{node('target_critic1')}", "/model/critic"),
        (f"/model/nodes/{node('discounted')}/scalar", "/objective/gamma"),
        (f"/model/nodes/{node('log_alpha')}", "/objective/initial_alpha"),
        (f"/model/nodes/{node('entropy')}", "/objective"),
        ("/objective/heads/critic/loss", "/objective"),
        ("/training/updates/0/optimizer/lr", "/training/lr"),
        ("/training/updates/0/parameters/1", "/training"),
        ("/training/updates/1/optimizer/weight_decay", "/objective/actor_optimizer/weight_decay"),
        ("/training/target_networks/0/tau", "/objective"),
        ("/training/batch_size", "/training/batch_size"),
        ("/data/experience/capacity", "/objective/capacity"),
        ("/data/dynamics/step/nodes/0", "/data/dynamics/step/nodes/0"),
    ],
)
def test_a_place_of_the_long_form_is_one_of_the_short(pointer: str, original: str) -> None:
    assert write_out_job(JOB).places.original(pointer) == original


def test_a_problem_at_several_places_is_told_once() -> None:
    places = write_out_job(JOB | {"objective": {"kind": "sac"}}).places
    problems = [Problem(f"/training/updates/{place}/optimizer/lr", "x", "too fast") for place in (0, 1)]
    assert places.translate(problems) == [Problem("/training/lr", "x", "too fast")]


def test_reports_are_translated_at_any_depth() -> None:
    places = write_out_job(JOB).places
    report = {
        "nodes": [{"pointer": "/model/nodes/0", "bodies": {"name": [{"pointer": "/model/blocks/actor/layers/0"}]}}]
    }
    translated = {"nodes": [{"pointer": "/model/actor", "bodies": {"name": [{"pointer": "/model/actor/layers/0"}]}}]}
    assert places.translate_report(report) == translated
    long = write_out_job({"model": {"layers": ["ReLU"]}, "data": {}, "objective": {}}).places
    assert long.translate_report(report) is report
