"""The order of edits: they are applied one after the other, so none may be due before one that it stands behind."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from app.db.tables import EditRow
from app.errors import Conflict, Problem
from app.spec.edits.edit import Condition, Edit, Trigger
from app.spec.edits.operations import Set
from app.spec.hints.names import did_you_mean

NEVER = math.inf  # of a trigger whose step is not known: a condition may never be true
At = Trigger | str  # "now", or a trigger
Progress = Mapping[str, Any]  # step, epoch, total_steps, steps_per_epoch


class BehindPending(Conflict):
    """The edit would be due before one that it stands behind."""

    code = "behind_pending"


def parse_at(value: Any) -> At:
    """Return when a stored edit is applied."""
    return value if isinstance(value, str) else Trigger.model_validate(value)


def check_order(edit: Edit, pending: Sequence[EditRow], progress: Progress) -> None:
    """Raise `BehindPending` if an edit is due before one of those that wait already; `progress` is the job's."""
    for row in pending:
        if _is_before(edit.at, parse_at(row.at), progress):
            detail = f"edit {row.number} comes first, and waits for {describe(parse_at(row.at))}"
            hint = f"withdraw edit {row.number}, or give a trigger after it"
            raise BehindPending(detail, pointer="/at", hint=hint)


def describe(at: At) -> str:
    """Return a trigger in words."""
    if isinstance(at, str):
        return "the next step"
    if at.when is not None:
        return f"its condition on {at.when.metric}"
    return f"step {at.step}" if at.step is not None else f"epoch {at.epoch}"


def _is_before(new: At, earlier: At, progress: Progress) -> bool:
    if isinstance(new, Trigger) and new.when is not None:
        return False  # looked at once the others are applied
    if (
        isinstance(new, Trigger)
        and isinstance(earlier, Trigger)
        and new.epoch is not None
        and earlier.epoch is not None
    ):
        return new.epoch < earlier.epoch
    return _due_step(new, progress, 0.0) < _due_step(earlier, progress, NEVER)


def _due_step(at: At, progress: Progress, unknown: float) -> float:
    """Return the step before which an edit is applied; `unknown` for an epoch of unknown length."""
    if isinstance(at, str):
        return 0.0
    if at.when is not None:
        return NEVER
    if at.step is not None:
        return float(at.step)
    if not (per_epoch := progress.get("steps_per_epoch")):
        return unknown
    ahead = (at.epoch or 0) - progress.get("epoch", 0.0)  # the length of earlier epochs may have been another one
    return float(round(progress.get("step", 0) + ahead * per_epoch))


def trigger_problems(at: At, progress: Progress, series: Sequence[str], alone: bool, validated: bool) -> list[Problem]:
    """Return why a trigger never comes: it has passed, comes after the end, or follows a series that does not exist.

    `progress` is the job's, `series` are those that its evaluations have or will have, `alone` says that no other edit
    waits, which could move the end, and `validated` that data is held out for validation.
    """
    if isinstance(at, str):
        return []
    if at.when is not None:
        return _series_problems(at.when, series, validated)
    place = "/at/step" if at.step is not None else "/at/epoch"
    due = _due_step(at, progress, NEVER)
    step, total = progress.get("step", 0), progress.get("total_steps")
    if due < step:
        detail = f"{describe(at)} has passed: the job is at step {step}"
        return [Problem(place, "trigger_passed", detail, 'use "now", or a later trigger')]
    if alone and total is not None and total <= due < NEVER:
        detail = f"{describe(at)} never begins: the training ends after {total} steps"
        return [Problem(place, "after_the_end", detail, f"give a step below {total}, or set training.steps before")]
    return []


def length_problems(edit: Edit, progress: Progress) -> list[Problem]:
    """Return the operations that give the run a length which it has passed, or will have when they are applied."""
    trigger = edit.at if isinstance(edit.at, Trigger) else Trigger.model_construct()
    passed = {
        "training.steps": max(progress.get("step", 0), trigger.step or 0),
        "training.epochs": max(progress.get("epoch", 0.0), trigger.epoch or 0),
    }
    return [
        Problem(
            f"/operations/{place}/value",
            "trigger_passed",
            f"{each.path} counts from the beginning, and the training is at {passed[each.path]:.10g} by then",
            "give a greater number, or cancel the job",
        )
        for place, each in enumerate(edit.operations)
        if isinstance(each, Set) and each.path in passed and _is_less(each.value, passed[each.path])
    ]


def _is_less(value: object, bound: float) -> bool:
    return isinstance(value, int | float) and value < bound


def _series_problems(condition: Condition, series: Sequence[str], validated: bool) -> list[Problem]:
    name, place = condition.metric, "/at/when/metric"
    if name not in series or name.startswith("test/"):
        known = sorted(each for each in series if not each.startswith("test/"))
        hint = " ".join(filter(None, (did_you_mean(name, known), "series: " + ", ".join(known))))
        return [Problem(place, "unknown_series", f'no evaluation of the job gives a value of "{name}"', hint)]
    if name.startswith("val/") and not validated:
        return [
            Problem(place, "no_validation", f"{name} needs validation data", "name a series that starts with train/")
        ]
    return []
