"""Shorthands mean what they are short for, in validation, in what is stored, and in the schemas."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.errors import InvalidInput
from app.spec.catalog import KIND_GROUPS
from app.spec.edits.fork import Fork, fork_spec
from app.spec.job import JobSpec, canonical_document, parse_job
from app.spec.kinds import required_fields
from app.spec.network.nodes import NODE_CLASSES

JOB: dict[str, Any] = {
    "model": {"layers": [{"kind": "Linear", "out_features": 3}]},
    "data": {"kind": "builtin", "name": "iris"},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}},
}
UPLOAD = {"kind": "dataset", "id": "ds_" + "1" * 32}
IRIS = JOB["data"]
ADAM = {"kind": "Adam"}
PENDULUM = {"kind": "environment", "name": "Pendulum-v1", "experience": "replay"}
LAYER = {"layers": [{"kind": "Linear", "out_features": 1}]}
ACTOR_CRITIC = {
    "model": {"actor": LAYER, "critic": LAYER},
    "data": {"kind": "environment", "name": "Pendulum-v1"},
    "training": {"steps": 9},
}
CART_POLE = {"data": {"kind": "environment", "name": "CartPole-v1"}}
ALGORITHM_JOBS = {
    "sac": ACTOR_CRITIC,
    "td3": ACTOR_CRITIC,
    "ppo": ACTOR_CRITIC,
    "dqn": ACTOR_CRITIC | CART_POLE | {"model": {"critic": LAYER}},
    "reinforce": ACTOR_CRITIC | CART_POLE | {"model": {"actor": LAYER}},
}
OWN_ENVIRONMENT = {"kind": "environment", "experience": "replay"}
DYNAMICS = {
    "state": {"shape": [1]},
    "action": {"kind": "discrete", "n": 2},
    "time_limit": 10,
    "reset": {"layers": ["rand_like"]},
    "step": {"layers": ["ReLU"]},
}
USE = {"id": "a", "kind": "block", "name": "B", "inputs": ["x"]}

# (part of a job, as it may be written, what it means)
SHORTHANDS: list[tuple[str, Any, Any]] = [
    ("objective", {"loss": "CrossEntropyLoss"}, {"loss": {"kind": "CrossEntropyLoss"}}),
    (
        "objective",
        {"heads": {"a": {"loss": "MSELoss", "metrics": "mae"}}},
        {"heads": {"a": {"loss": {"kind": "MSELoss"}, "metrics": ["mae"]}}},
    ),
    (
        "objective",
        {"loss": "CrossEntropyLoss", "metrics": "accuracy"},
        {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
    ),
    (
        "objective",
        {"loss": "CrossEntropyLoss", "metrics": {"kind": "fbeta", "beta": 2}},
        {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["f2"]},
    ),
    ("training", {"optimizer": "AdamW"}, {"optimizer": {"kind": "AdamW"}}),
    ("training", {"schedule": "CosineAnnealingLR"}, {"schedule": {"kind": "CosineAnnealingLR"}}),
    ("training", {"average": "ema"}, {"average": {"kind": "ema"}}),
    ("training", {"lr": 0.1}, {"optimizer": ADAM | {"lr": 0.1}}),
    ("training", {"lr": 0.1, "optimizer": "SGD"}, {"optimizer": {"kind": "SGD", "lr": 0.1}}),
    (
        "training",
        {"lr": 0.1, "optimizer": {"kind": "SGD", "momentum": 0.9}},
        {"optimizer": {"kind": "SGD", "momentum": 0.9, "lr": 0.1}},
    ),
    ("training", {"lr": 0.1, "optimizer": ADAM | {"lr": 0.1}}, {"optimizer": ADAM | {"lr": 0.1}}),
    (
        "training",
        {"groups": [{"nodes": "linear1", "frozen": True}]},
        {"groups": [{"nodes": ["linear1"], "frozen": True}]},
    ),
    ("data", IRIS | {"validation": 0.2}, IRIS | {"validation": {"fraction": 0.2}}),
    ("data", IRIS | {"inputs": "x"}, IRIS | {"inputs": ["x"]}),
    (
        "data",
        IRIS | {"transforms": ["RandomHorizontalFlip"]},
        IRIS | {"transforms": [{"kind": "RandomHorizontalFlip"}]},
    ),
    (
        "data",
        UPLOAD | {"features": {"review": "text", "stars": "numbers"}},
        UPLOAD
        | {
            "features": {
                "review": {"kind": "text", "column": "review"},
                "stars": {"kind": "numbers", "columns": ["stars"]},
            }
        },
    ),
    (
        "data",
        UPLOAD | {"features": {"review": {"kind": "text", "column": "Review", "tokenizer": "bpe"}}},
        UPLOAD | {"features": {"review": {"kind": "text", "column": "Review", "tokenizer": {"kind": "bpe"}}}},
    ),
    ("model", {"layers": ["Flatten", "ReLU"]}, {"layers": [{"kind": "Flatten"}, {"kind": "ReLU"}]}),
    (
        "model",
        {"inputs": "x", "nodes": [{"id": "a", "kind": "ReLU", "inputs": "x"}]},
        {"inputs": ["x"], "nodes": [{"id": "a", "kind": "ReLU", "inputs": ["x"]}]},
    ),
    (
        "model",
        {"layers": [{"kind": "Repeat", "times": 2, "body": {"layers": ["ReLU"]}}]},
        {"layers": [{"kind": "Repeat", "times": 2, "body": {"layers": [{"kind": "ReLU"}]}}]},
    ),
    (
        "model",
        {"nodes": [{"id": "a", "kind": "Parameter", "shape": [2], "init": "ones"}]},
        {"nodes": [{"id": "a", "kind": "Parameter", "shape": [2], "init": {"kind": "ones"}}]},
    ),
]


@pytest.mark.parametrize(("part", "short", "full"), SHORTHANDS)
def test_a_shorthand_is_what_it_is_short_for(part: str, short: Any, full: Any) -> None:
    written, meant = JOB | {part: short}, JOB | {part: full}
    assert parse_job(written) == parse_job(meant)
    assert canonical_document(parse_job(written), written) == meant
    assert canonical_document(parse_job(meant), meant) == meant


def test_what_is_no_shorthand_stays_as_it_is_written() -> None:
    document = JOB | {
        "training": {
            "clip_norm": 1,
            "optimizer": ADAM | {"betas": [0, 0.5]},
            "early_stop": None,
            "edits": [{"at": {"step": 1}, "operations": [{"op": "replace", "node": "a", "with": {"kind": "GELU"}}]}],
        },
        "metadata": {"b": "2", "a": "1"},
    }
    canonical = canonical_document(parse_job(document), document)
    assert canonical == document
    assert repr(canonical) == repr(document), "the order of keys, and whole numbers, are the user's"


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    return Draft202012Validator(JobSpec.model_json_schema())


@pytest.mark.parametrize(("part", "short", "full"), SHORTHANDS)
def test_schemas_have_both_forms(schema: Draft202012Validator, part: str, short: Any, full: Any) -> None:
    schema.validate(JOB | {part: short})
    schema.validate(JOB | {part: full})


def test_schemas_have_the_bare_names_that_are_enough(schema: Draft202012Validator) -> None:
    assert not schema.is_valid(JOB | {"training": {"schedule": "StepLR"}})
    assert not schema.is_valid(JOB | {"objective": {"loss": "mse"}})
    assert not schema.is_valid(JOB | {"model": {"layers": ["Linear"]}})


@pytest.mark.parametrize("group", KIND_GROUPS)
def test_every_kind_without_required_fields_may_be_a_bare_name(group: str) -> None:
    """That of a transform that mixes, or of a node that is no layer, too."""
    parts = {
        "space": lambda name: JOB | {"data": OWN_ENVIRONMENT | {"dynamics": DYNAMICS | {"action": name}}},
        "wrapper": lambda name: JOB | {"data": PENDULUM | {"wrappers": [name]}},
        "exploration": lambda name: JOB | {"data": PENDULUM | {"exploration": name}},
        "experience": lambda name: JOB | {"data": PENDULUM | {"experience": name}},
        "algorithm": lambda name: ALGORITHM_JOBS[name if isinstance(name, str) else name["kind"]] | {"objective": name},
        "loss": lambda name: JOB | {"objective": {"loss": name}},
        "optimizer": lambda name: JOB | {"training": {"optimizer": name}},
        "schedule": lambda name: JOB | {"training": {"schedule": name}},
        "average": lambda name: JOB | {"training": {"average": name}},
        "transform": lambda name: JOB | {"data": IRIS | {"transforms": [name]}},
        "initialiser": lambda name: (
            JOB | {"model": {"nodes": [{"id": "a", "kind": "Parameter", "shape": [], "init": name}]}}
        ),
        "parametrization": lambda name: (
            JOB | {"model": {"layers": [{"kind": "Linear", "out_features": 3, "parametrization": name}]}}
        ),
        "generation": lambda name: (
            JOB | {"model": {"nodes": [{**USE, "generate": {"method": name}}], "blocks": {"B": {"layers": ["ReLU"]}}}}
        ),
    }
    rows, classes = KIND_GROUPS[group]
    write = parts.get(group, lambda name: JOB | {"model": {"layers": [name]}})
    for kind in rows:
        missing = required_fields(classes[kind])
        if not missing:
            assert parse_job(write(kind)) == parse_job(write({"kind": kind}))
            continue
        with pytest.raises(InvalidInput) as caught:
            parse_job(write(kind))
        told = caught.value.problems
        assert [problem.pointer.rpartition("/")[2] for problem in told] == missing
        assert all(f'"kind": "{kind}"' in problem.hint for problem in told)


def test_a_name_of_two_kinds_is_never_guessed() -> None:
    """Kinds that differ in case alone are different ones: a module and an operation."""
    folded: dict[str, list[str]] = {}
    for kind in NODE_CLASSES:
        folded.setdefault(kind.lower(), []).append(kind)
    pairs = {name: kinds for name, kinds in folded.items() if len(kinds) > 1}
    assert {"relu", "softmax", "flatten"} <= pairs.keys()
    with pytest.raises(InvalidInput) as caught:
        parse_job(JOB | {"model": {"layers": ["RELU"]}})
    assert caught.value.problems[0].hint == 'did you mean "ReLU" or "relu"?'


@pytest.mark.parametrize(
    ("training", "pointer", "code"),
    [
        ({"lr": 0.1, "optimizer": ADAM | {"lr": 0.2}}, "/training/lr", "contradiction"),
        ({"lr": -0.1}, "/training/lr", "out_of_range"),
        ({"lr": True}, "/training/lr", "invalid_value"),
        ({"lr": "0.1"}, "/training/lr", "invalid_value"),
        ({"lr": float("inf")}, "/training/lr", "out_of_range"),
        ({"lr": 0.1, "optimizer": "adam"}, "/training/optimizer", "unknown_kind"),
        ({"lr": 0.1, "optimizer": 3}, "/training/optimizer", "not_an_object"),
    ],
)
def test_a_rate_of_the_plan_that_is_refused(training: Any, pointer: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_job(JOB | {"training": training})
    assert [(problem.pointer, problem.code) for problem in caught.value.problems] == [(pointer, code)]


@pytest.mark.parametrize("validation", [True, "0.2", [0.2], 1.5, -0.1])
def test_what_is_no_fraction(validation: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_job(JOB | {"data": IRIS | {"validation": validation}})
    assert {problem.pointer for problem in caught.value.problems} == {"/data/validation"}


def test_a_fork_may_change_the_rate_of_the_plan() -> None:
    full = JOB | {"training": {"optimizer": {"kind": "SGD", "lr": 0.1, "momentum": 0.9}, "epochs": 3}}
    forked = fork_spec(full, Fork(changes={"training": {"lr": 0.01}}), "ckpt_" + "0" * 32)
    assert parse_job(forked).training.optimizer.settings() == {
        "lr": 0.01, "momentum": 0.9, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False
    }  # fmt: skip
    assert full["training"]["optimizer"]["lr"] == 0.1
