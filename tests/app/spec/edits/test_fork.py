"""Forks: merge patches as in RFC 7396, and what may go on with everything."""

from typing import Any

import pytest

from app.spec.edits.fork import Fork, fork_spec, merge_patch
from app.spec.job import parse_job, resume_problems

SPEC: dict[str, Any] = {
    "model": {"layers": [{"kind": "Linear", "out_features": 3}]},
    "data": {"kind": "builtin", "name": "iris"},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}},
    "training": {"epochs": 2, "optimizer": {"kind": "Adam", "lr": 0.1}},
}
CHECKPOINT = "ckpt_" + "0" * 32


# The table of RFC 7396, appendix A.
@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


def test_a_fork_is_a_spec_of_its_own() -> None:
    spec = fork_spec(SPEC, Fork(changes={"name": "second", "training": {"epochs": 9}}), CHECKPOINT)
    assert spec["training"] == {"epochs": 9, "optimizer": {"kind": "Adam", "lr": 0.1}}
    assert spec["start_from"] == {"checkpoint": CHECKPOINT, "what": "everything"}
    assert parse_job(spec).name == "second"
    assert "start_from" not in SPEC


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({}, []),
        (
            {
                "name": "x",
                "objective": {"metrics": ["accuracy"]},
                "training": {
                    "epochs": 9,
                    "early_stop": {"patience": 1},
                    "evaluate": {"every_steps": 5},
                    "checkpoint": {"keep_best": 2},
                    "clip_norm": 1.0,
                },
            },
            [],
        ),
        ({"data": {"validation": {"fraction": 0.5}}}, ["/data"]),
        ({"objective": {"loss": {"label_smoothing": 0.1}}}, ["/objective/loss"]),
        ({"objective": {"output": "output"}}, ["/objective/output"]),
        (
            {"training": {"seed": 1, "batch_size": 8, "accumulate": 2, "drop_last": True}},
            ["/training/seed", "/training/batch_size", "/training/accumulate", "/training/drop_last"],
        ),
        ({"training": {"optimizer": {"lr": 0.2}}}, ["/training/optimizer"]),
        ({"model": {"layers": [{"kind": "Linear", "out_features": 4}]}}, ["/model"]),
        (
            {"training": {"schedule": {"kind": "CosineAnnealingLR"}, "epochs": 9}},
            ["/training/schedule", "/training/epochs"],
        ),
        ({"training": {"precision": "bf16"}}, ["/training/precision"]),
        ({"training": {"warmup": {"steps": 3}}}, ["/training/warmup"]),
        ({"training": {"average": {"kind": "swa"}, "epochs": 9}}, ["/training/average", "/training/epochs"]),
        ({"training": {"average": {"kind": "ema"}, "epochs": 9}}, ["/training/average"]),
        ({"training": {"groups": [{"nodes": ["linear1"], "lr": 0.2}]}}, ["/training/groups"]),
    ],
)
def test_only_what_stays_the_same_goes_on_with_everything(changes: dict[str, Any], places: list[str]) -> None:
    begun, job = parse_job(SPEC), parse_job(merge_patch(SPEC, changes))
    assert [problem.pointer for problem in resume_problems(job, begun)] == places
