"""The report of an evaluation: per class, confusion, errors; a public file of the checkpoint that was saved with it."""

from collections.abc import Mapping, Sequence
from typing import Any

from workers.training.metrics.tallies import ReportAccumulator
from workers.training.objective.objective import ObjectiveHead
from workers.training.results import finite_or_none

REPORT_FILE = "report.json"
REPORT_VERSION = 1


def evaluation_report(
    step: int, rows: int, tallies: Sequence[tuple[ObjectiveHead, ReportAccumulator]]
) -> dict[str, Any] | None:
    """Return the report of the held-out `rows` as JSON; `None` where no output is compared with anything."""
    heads = [_head_report(head, tally) for head, tally in tallies]
    return {"version": REPORT_VERSION, "step": step, "rows": rows, "heads": heads} if heads else None


def _head_report(head: ObjectiveHead, tally: ReportAccumulator) -> dict[str, Any]:
    assert head.decoder is not None  # noqa: S101 - only what is read is tallied
    reading = head.decoder
    found: dict[str, Any] = _nan_to_none(tally.to_dict())
    return {
        "head": head.name or None,
        "output": reading.output,
        "target": reading.column,
        "about": reading.about,
    } | found


def _nan_to_none(value: Any) -> Any:
    """Return the same document with nothing in the place of what is no number."""
    if isinstance(value, Mapping):
        return {name: _nan_to_none(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_nan_to_none(item) for item in value]
    return finite_or_none(value) if isinstance(value, float) else value
