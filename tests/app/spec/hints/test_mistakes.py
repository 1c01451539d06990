"""Every hint for a corpus of mistakes is followed: what comes out is accepted, or has another problem."""

import re
from typing import Any

import pytest

from app.errors import Problem
from tests.app.spec.hints.edits import applications, edited
from tests.app.spec.hints.jobs import JOBS, UPLOAD
from tests.app.spec.hints.name_mistakes import FIELDS, KINDS, PLACES
from tests.app.spec.hints.value_mistakes import FORMS, MEANING, VALUES
from workers.children.inspect import InspectionLimits, inspect_job

MISTAKES = FIELDS | PLACES | KINDS | VALUES | FORMS | MEANING
LIMITS = InspectionLimits(100, 10**8, 1 << 34)


def problems_of(document: Any) -> tuple[Problem, ...]:
    data = document.get("data") if isinstance(document, dict) else None
    uploaded = isinstance(data, dict) and data.get("kind") == "dataset"
    return inspect_job(document, UPLOAD if uploaded else None, LIMITS).problems


@pytest.mark.parametrize("name", JOBS)
def test_the_jobs_are_accepted(name: str) -> None:
    assert problems_of(JOBS[name]) == ()


def test_there_are_very_many_mistakes() -> None:
    assert len(MISTAKES) >= 200


@pytest.mark.parametrize("name", MISTAKES)
def test_hints_work_when_they_are_followed(name: str) -> None:
    mistake = MISTAKES[name]
    document = edited(JOBS[mistake.job], *mistake.edits)
    problems = problems_of(document)
    assert problems
    results = []
    for problem in problems:
        assert problem.hint, problem
        followed = [problems_of(other) for other in applications(problem, document)]
        for remaining in followed:
            assert problem not in remaining, f"{problem.hint} leaves the problem"
            assert not [each for each in remaining if (each.pointer, each.code) == (problem.pointer, problem.code)]
        results += followed
        word = re.search(r'there is no \w+ (?:data set )?"(.*)"', problem.detail)
        assert word is None or f'did you mean "{word[1]}"' not in problem.hint
    if mistake.mended:
        results.append(problems_of(edited(document, *mistake.mended)))
    assert () in results, "no hint leads to a job that is accepted"


@pytest.mark.parametrize(
    ("layer", "hint"),
    [
        ({"kind": "Input", "shape": [4]}, "remove the layer"),
        ({"kind": "Sequential", "layers": []}, "write its layers in its place"),
        ("Linear(4, 3)", 'did you mean "Linear"?'),
    ],
)
def test_layers_that_a_spec_does_not_have(layer: Any, hint: str) -> None:
    document = JOBS["table"]
    layers = [layer, *document["model"]["layers"]]
    problems = problems_of({**document, "model": {**document["model"], "layers": layers}})
    assert [each.hint for each in problems if each.hint.startswith(hint)]
