"""The series of a job in an environment, and the defaults of what follows a series: returns, the larger the better."""

from collections.abc import Iterable, Mapping
from typing import Any

EPISODE_SERIES = ("episode/return", "episode/length")  # of the episodes that experience is collected in
RETURN = "val/return"
EVALUATION_SERIES = (RETURN, "val/return_std", "val/length")
MAXIMISED = frozenset({RETURN, "episode/return"})  # series of which more is better, whatever the environment
PLATEAU = "ReduceLROnPlateau"


def environment_series(reported: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the series beside those of losses; `reported` are outputs whose means are evaluated."""
    return (*EPISODE_SERIES, *EVALUATION_SERIES, *(f"val/{name}" for name in reported))


def with_return_monitors(document: Any) -> Any:
    """Return a job's document in which whatever follows a series follows the return unless it names another one.

    A document that is no job in an environment, or not well-formed, is returned as it is.
    """
    data = document.get("data") if isinstance(document, dict) else None
    plan = document.get("training", {}) if isinstance(document, dict) else None
    if not isinstance(data, dict) or data.get("kind") != "environment" or not isinstance(plan, dict):
        return document
    changed = {**plan, "checkpoint": _following(plan.get("checkpoint", {}))}
    if isinstance(plan.get("early_stop"), dict):
        changed["early_stop"] = _following(plan["early_stop"])
    changed |= _scheduled(plan)
    if isinstance(updates := plan.get("updates"), list | tuple):
        changed["updates"] = [{**each, **_scheduled(each)} if isinstance(each, dict) else each for each in updates]
    return {**document, "training": changed}


def _scheduled(update: Mapping[str, Any]) -> dict[str, Any]:
    """Return the field `schedule` of an update if it is one that follows a series."""
    schedule = update.get("schedule")
    schedule = {"kind": schedule} if schedule == PLATEAU else schedule
    is_plateau = isinstance(schedule, dict) and schedule.get("kind") == PLATEAU
    return {"schedule": _following(schedule)} if is_plateau else {}


def _following(settings: Any) -> Any:
    """Return settings with a monitor, and the mode of a return; whatever is no object as it is."""
    if not isinstance(settings, dict):
        return settings
    monitor = settings.get("monitor", RETURN)
    is_return = isinstance(monitor, str) and monitor in MAXIMISED
    return {**settings, "monitor": monitor, **({"mode": settings.get("mode", "max")} if is_return else {})}
