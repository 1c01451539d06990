"""Edits at random: whatever comes out is a problem with a place, and what a hint says is never the same problem."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from app.errors import InvalidInput, Problem
from app.spec.job import parse_job
from tests.app.spec.hints.edits import applications, drop, edited, put, rename, value_at
from tests.app.spec.hints.jobs import JOBS

VALUES: list[Any] = [
    *(None, True, False, 0, -1, 2, 20, 0.5, 1.5, 3.0, 1e9, 2**70, 10**400),
    *("", "x", "adam", "ReLU", "20%", "3,5", "0.1", "a b", "é", "9" * 5000),
    *([], [1], [1, 2], ["x"], [[1]], ["x", 1], [{}], [None], {}, {"kind": "x"}, {"kind": "ReLU"}, {"a": 1}),
]
KEYS = ("x", "lr", "epochs", "kind", "type", "units", "loss", "Batch-Size", "é", "a~1b", "", "metrics", "activation")


def pointers(value: Any, place: str = "") -> Iterator[str]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield f"{place}/{key}"
        yield from pointers(inner, f"{place}/{key}")


def problems_of(document: Any) -> tuple[Problem, ...]:
    try:
        parse_job(document)
    except InvalidInput as error:
        return error.problems
    return ()


def random_edit(random: Random, job: Any) -> Any:
    pointer = random.choice(list(pointers(job)))
    named = not pointer.rpartition("/")[2].isdigit()
    holder = pointer if isinstance(value_at(job, pointer), dict) else ""
    changes = [
        put(pointer, random.choice(VALUES)),
        put(f"{holder}/{random.choice(KEYS)}", random.choice(VALUES)),
        drop(pointer),
        *([rename(pointer, random.choice(KEYS))] if named else []),
    ]
    return edited(job, random.choice(changes))


@pytest.mark.parametrize("seed", range(12))
def test_hints_for_edits_at_random(seed: int) -> None:
    random = Random(seed)
    for job in JOBS.values():
        document = random_edit(random, job)
        for problem in problems_of(document):
            for other in applications(problem, document):
                left = {(each.pointer, each.code) for each in problems_of(other)}
                assert (problem.pointer, problem.code) not in left, problem.hint
