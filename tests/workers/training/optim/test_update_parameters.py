"""Which parameters updates train, and what is refused, with its place and what to do."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from app.spec.job import parse_job
from tests.workers.training.datasets import LIMITS
from tests.workers.training.harness import TrainingHarness, digits_job
from tests.workers.training.optim.gan_jobs import gan_job
from tests.workers.training.optim.test_target_networks import actor_critic_job
from workers.children.inspect import inspect_job
from workers.training.loop import train

Change = Callable[[dict[str, Any]], Any]
TRAINING = "/training"


def updates(place: int, **fields: Any) -> Change:
    return lambda job: job["training"]["updates"][place].update(fields)


def target(place: int, **fields: Any) -> Change:
    return lambda job: job["training"]["target_networks"][place].update(fields)


def plan(**fields: Any) -> Change:
    return lambda job: job["training"].update(fields)


ADVERSARIAL: list[tuple[Change, str, str]] = [
    (plan(optimizer="SGD"), "", "with updates, optimizer belongs to each update"),
    (updates(0, loss="critik"), "/updates/0/loss/0", 'no head "critik"'),
    (updates(0, loss=["critic", "critic"]), "/updates/0/loss/1", "listed twice"),
    (updates(1, loss="critic"), "/updates/1", 'update 0 is called "critic" too'),
    (updates(0, parameters="reall"), "/updates/0/parameters/0", 'no node "reall"'),
    (updates(0, parameters=["real", "z"]), "/updates/0/parameters/1", '"z" has no parameters'),
    (updates(1, parameters="generator.lift"), "/updates", "no update trains generator.norm1.bias"),
    (updates(1, groups=[{"frozen": True}]), "/updates/1/groups", "all parameters are frozen"),
    (updates(1, groups=[{"nodes": ["real"], "lr": 0.1}]), "/updates/1/groups/0/nodes/0", "not among the parameters"),
    (updates(1, optimizer="Muon"), "/updates/1/optimizer", "Muon trains matrices only"),
    (updates(1, lr=0.5), "/updates/1/lr", "the optimizer has another lr"),
    (updates(1, every=7), "/updates/1/every", "would be step 7"),
    (updates(1, optimizer="LBFGS", clip_norm=1), "/updates/1/clip_norm", "LBFGS compares gradients"),
    (
        updates(0, schedule={"kind": "ReduceLROnPlateau", "monitor": "val/f1"}),
        "/updates/0/schedule/monitor",
        "no series",
    ),
]
ACTOR_CRITIC: list[tuple[Change, str, str]] = [
    (updates(0, parameters=["critic1", "critic2", "later1"]), "/updates/0/parameters/2", "of a target network"),
    (target(0, source="critic1"), "/target_networks/0/node", "shape [8, 10], and critic1.hidden.weight has [16, 11]"),
    (target(1, source="later9"), "/target_networks/1/source", 'no node "later9"'),
    (target(1, source="later2"), "/target_networks/1/source", "a target network itself"),
    (target(1, node="later2"), "/target_networks/1/node", "in another target network too"),
    (target(1, node="judged"), "/target_networks/1/node", "share critic1.hidden.bias"),
    (lambda job: job["model"]["outputs"].update(actor_loss="later"), "/updates/1/loss/0", "depends on none"),
]


@pytest.mark.parametrize(("job", "cases"), [(gan_job(), ADVERSARIAL), (actor_critic_job(), ACTOR_CRITIC)])
def test_contradictions_are_told_with_their_place(job: dict[str, Any], cases: list[tuple[Change, str, str]]) -> None:
    assert inspect_job(job, None, LIMITS).problems == ()
    for change, place, reason in cases:
        changed = copy.deepcopy(job)
        change(changed)
        problems = inspect_job(changed, None, LIMITS).problems
        assert [each.pointer for each in problems][:1] == [TRAINING + place], (reason, problems)
        assert reason in problems[0].detail
        assert problems[0].hint


def test_what_two_updates_train_is_counted_once() -> None:
    job = gan_job()
    job["training"]["updates"][0]["parameters"] = ["real", "generator"]
    found = inspect_job(job, None, LIMITS)
    assert found.report["totals"]["trainable"] == found.report["totals"]["parameters"]
    assert found.report["memory"]["gradients"] == 4 * found.report["totals"]["parameters"]


def test_a_plan_with_one_update_has_target_networks_too(laboratory: TrainingHarness) -> None:
    """A student that agrees with a slow teacher, against the plain loop."""
    nodes = [
        {"id": "student", "kind": "block", "name": "Net", "inputs": ["image"]},
        {"id": "teacher", "kind": "block", "name": "Net", "inputs": ["image"]},
        {"id": "difference", "kind": "sub", "inputs": ["student", "teacher"]},
        {"id": "squared", "kind": "square", "inputs": ["difference"]},
        {"id": "distance", "kind": "mean", "inputs": ["squared"], "dim": 1},
    ]
    blocks = {"Net": {"layers": [{"kind": "Flatten"}, {"kind": "Linear", "id": "line", "out_features": 10}]}}
    heads = {
        "digit": {"loss": "CrossEntropyLoss", "output": "scores"},
        "agreement": {"loss": "Output", "output": "distance", "weight": 0.1},
    }
    job = digits_job(objective={"heads": heads}, training={"steps": 5, "optimizer": {"kind": "SGD", "lr": 0.1}})
    job["model"] = {"nodes": nodes, "outputs": {"scores": "student", "distance": "distance"}, "blocks": blocks}
    job["training"]["target_networks"] = [{"node": "teacher", "source": "student", "tau": 0.25}]
    prepared = laboratory.prepare(job)
    student, teacher = nn.Linear(64, 10), nn.Linear(64, 10)
    stored = prepared.network.state_dict()
    for net in (student, teacher):
        net.load_state_dict({name: stored[f"student.line.{name}"].clone() for name in net.state_dict()})
    teacher.requires_grad_(False)
    sgd = torch.optim.SGD(student.parameters(), 0.1, fused=True)
    for step in range(5):
        [(inputs, targets, _)] = prepared.state.source.batches(step)
        flat = inputs["image"].flatten(1)
        scores = student(flat)
        distance = (scores - teacher(flat)).square().mean(1).mean()
        (nn.functional.cross_entropy(scores, targets["label"]) + distance * 0.1).backward()
        sgd.step()
        sgd.zero_grad()
        with torch.no_grad():
            for own, other in zip(teacher.parameters(), student.parameters(), strict=True):
                own.lerp_(other, 0.25)
    train(prepared)
    trained = prepared.network.state_dict()
    for node, net in (("student", student), ("teacher", teacher)):
        assert all(trained[f"{node}.line.{name}"].equal(value) for name, value in net.state_dict().items())
    assert parse_job(job).training.all_updates()[0][0] == ""
