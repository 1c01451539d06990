"""Which steps are sampled: a function of the plan and the step."""

from typing import Any

import pytest

from app.errors import InvalidInput
from app.spec.job import parse_job
from app.spec.training.statistics import SampledSteps, Statistics
from tests.app.api.job_factories import SPEC


def sampled(last: int, **settings: Any) -> list[int]:
    steps, found = SampledSteps(Statistics(**settings)), [0]
    while found[-1] <= last:
        found.append(steps.after(found[-1]))
    return found[1:-1]


def test_the_default_samples_the_beginning_more_often() -> None:
    assert sampled(350) == [1, 10, 50, 100, 200]


@pytest.mark.parametrize(("every", "expected"), [(1, [1, 2, 3, 4, 5]), (2, [1, 2, 4]), (100, [1])])
def test_an_interval_of_one_s_own(every: int, expected: list[int]) -> None:
    assert sampled(5, every_steps=every) == expected


@pytest.mark.parametrize("every", [1, 3, 100, None])
def test_the_interval_doubles_with_the_number_of_steps(every: int | None) -> None:
    steps = sampled((every or 200) * 5000, every_steps=every)
    regular = [step // (every or 200) for step in steps if step % (every or 200) == 0]
    assert regular == [*range(1, 1025), *range(1026, 2049, 2), *range(2052, 4097, 4), *range(4104, 5001, 8)]


@pytest.mark.parametrize("every", [1, 7, None])
def test_whoever_resumes_samples_the_same_steps(every: int | None) -> None:
    steps = SampledSteps(Statistics(every_steps=every))
    all_steps = sampled(3000, every_steps=every)
    for start in range(1, 2000, 13):
        assert steps.after(start) == next(step for step in all_steps if step > start)


def test_histograms_are_at_sampled_steps_and_rarer() -> None:
    steps = SampledSteps(Statistics(every_steps=1))
    taken = [step for step in range(1, 100_000) if steps.has_histograms(step)]
    assert set(taken) <= set(sampled(100_000, every_steps=1))
    assert taken[:4] == [1, 4, 8, 12]
    assert len(taken) < 32 + 16 * 10
    assert not SampledSteps(Statistics(histograms=False)).has_histograms(1)


@pytest.mark.parametrize(("last", "most"), [(10**6, 2700), (10**9, 8000)])
def test_a_job_has_some_thousand_samples(last: int, most: int) -> None:
    assert len(sampled(last)) < most


@pytest.mark.parametrize("value", [True, {"every_steps": 0}, {"every_steps": 1.5}, {"histograms": "x"}, "on", {"x": 1}])
def test_what_is_no_setting_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_job(SPEC | {"training": {"statistics": value}})
    assert caught.value.problems[0].pointer.startswith("/training/statistics")


def test_false_turns_them_off() -> None:
    assert parse_job(SPEC | {"training": {"statistics": False}}).training.statistics is False
    assert parse_job(SPEC).training.statistics == Statistics()
