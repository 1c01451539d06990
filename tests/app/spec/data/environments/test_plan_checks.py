"""Checks of the plan and of the objective of a job in an environment."""

from typing import Any

import pytest

from app.spec.job import named_dataset_schema, parse_job
from app.spec.job_checks import check_job, job_warnings
from tests.app.spec.data.environments.acting_jobs import HEADS, continuous_job, discrete_job

STEP_HINT = 'unsupported: set "interval": "step", and count in steps'
EDIT = {"operations": [{"op": "set", "path": "training.batch_size", "value": 8}]}
CHAINED = {"kind": "ChainedScheduler", "schedulers": [{"kind": "ExponentialLR", "gamma": 0.9}]}
ROLLOUT = {"kind": "rollout", "steps": 65, "normalize_advantage": True}
MODE = 'missing: add "mode": "max" or "mode": "min"'


def found(document: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the problems and the warnings of a job: code and hint by pointer."""
    job = parse_job(document)
    schema = named_dataset_schema(job)
    assert schema is not None
    told = (check_job(job, schema, max_nodes=100), job_warnings(job, schema, None, []))  # type: ignore[arg-type]
    problems, warnings = ({each.pointer: f"{each.code}: {each.hint}" for each in each_kind} for each_kind in told)
    return problems, warnings


def update(**fields: Any) -> list[dict[str, Any]]:
    return [{"loss": "critic"} | fields, {"loss": "actor", "parameters": "policy"}]


WRONG: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"steps": None}, {"/training/steps": 'missing: add "steps": 20000'}),
    (
        {"steps": None, "epochs": 3},
        {
            "/training/epochs": 'unsupported: use "steps": 20000, each of which makes `experience.steps` steps of '
            "every copy"
        },
    ),
    ({"drop_last": True}, {"/training/drop_last": "unsupported: remove it"}),
    ({"evaluate": {"train": True, "every_steps": 100}}, {"/training/evaluate/train": "unsupported: remove it"}),
    ({"average": "swa"}, {"/training/average/every": 'unsupported: set "every": "step"'}),
    ({"average": {"kind": "swa", "every": "step"}}, {}),
    (
        {"updates": update(schedule={"kind": "StepLR", "step_size": 3})},
        {"/training/updates/0/schedule/interval": STEP_HINT},
    ),
    ({"updates": update(schedule=CHAINED)}, {"/training/updates/0/schedule/schedulers/0/interval": STEP_HINT}),
    ({"updates": update(schedule={"kind": "StepLR", "step_size": 3, "interval": "step"})}, {}),
    ({"updates": update(warmup={"epochs": 1})}, {"/training/updates/0/warmup/epochs": 'unsupported: use "steps"'}),
    (
        {"edits": [EDIT | {"every": {"epochs": 1}}, EDIT | {"at": {"epoch": 1}, "until": {"epoch": 2}}]},
        {
            "/training/edits/0/every/epochs": 'unsupported: use "steps"',
            "/training/edits/1/at/epoch": 'unsupported: use "step"',
            "/training/edits/1/until/epoch": 'unsupported: use "step"',
        },
    ),
    (
        {"edits": [EDIT | {"at": {"when": {"metric": "val/return", "plateau": 3}}}]},
        {"/training/edits/0/at/when/mode": MODE},
    ),
    ({"edits": [EDIT | {"at": {"when": {"metric": "val/return", "above": 3}}}]}, {}),
    (
        {"early_stop": {"monitor": "val/loss"}},
        {
            "/training/early_stop/monitor": "unknown_series: one of: episode/length, episode/return, "
            "train/actor/loss, train/critic/loss, train/loss, val/length, val/q, val/return, val/return_std"
        },
    ),
    ({"checkpoint": {"monitor": "val/q"}}, {"/training/checkpoint/mode": MODE}),
    ({"checkpoint": {"monitor": "val/q", "mode": "max"}, "early_stop": {"monitor": "episode/return"}}, {}),
    (
        {"early_stop": {}, "evaluate": {}},
        {"/training/early_stop": 'contradiction: add "evaluate": {"every_steps": 1000}'},
    ),
]


@pytest.mark.parametrize(("plan", "problems"), WRONG)
def test_problems_of_a_plan(plan: dict[str, Any], problems: dict[str, str]) -> None:
    document = continuous_job(**plan)
    document["training"] = {name: value for name, value in document["training"].items() if value is not None}
    assert found(document)[0] == problems


@pytest.mark.parametrize(
    ("document", "problems", "warnings"),
    [
        (discrete_job(), {}, {}),
        (
            discrete_job(batch_size=65),
            {"/training/batch_size": 'contradiction: use at most 64, or "steps": 65 in the experience'},
            {},
        ),
        (
            discrete_job({"experience": ROLLOUT}),
            {"/training/batch_size": 'batch_of_one: use a divisor of 65, or "normalize_advantage": false'},
            {
                "/training/batch_size": "uneven_batches: use a divisor of 65, so that every transition has the same "
                "weight"
            },
        ),
        (
            discrete_job(batch_size=48),
            {},
            {
                "/training/batch_size": "uneven_batches: use a divisor of 64, so that every transition has the same "
                "weight"
            },
        ),
        (
            discrete_job(evaluate={}),
            {},
            {"/training/evaluate": 'evaluated_once: add "evaluate": {"every_steps": 1000}'},
        ),
    ],
)
def test_batches_of_rollouts(document: dict[str, Any], problems: dict[str, str], warnings: dict[str, str]) -> None:
    assert found(document) == (problems, warnings)


def test_what_is_compared_is_compared_in_the_network() -> None:
    heads = {
        "critic": HEADS["critic"] | {"scores": "q", "metrics": ["mae"], "target": "reward"},
        "actor": {"loss": "MSELoss", "output": "q", "target": "reward"},
    }
    problems, _ = found(continuous_job() | {"objective": {"heads": heads}})
    remove = 'unsupported: remove it; "report" in data names outputs whose means are evaluated'
    node = 'unsupported: use a node {"kind": "MSELoss", "inputs": [output, goal]}, and here the loss "Output"'
    assert problems == {
        **{f"/objective/heads/critic/{field}": remove for field in ("scores", "metrics", "target")},
        "/objective/heads/actor/loss": node,
    }
