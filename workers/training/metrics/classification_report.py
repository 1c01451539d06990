"""The report of an evaluation: per class, confusion, errors; a public file of the checkpoint that was saved with it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from workers.training.metrics.tallies import Tally
from workers.training.objective.objective import Head

REPORT = "report.json"
VERSION = 1


def report(step: int, rows: int, tallies: Sequence[tuple[Head, Tally]]) -> dict[str, Any] | None:
    """Return the report of the held-out `rows` as JSON; `None` where no output is compared with anything."""
    heads = [_head(head, tally) for head, tally in tallies]
    return {"version": VERSION, "step": step, "rows": rows, "heads": heads} if heads else None


def _head(head: Head, tally: Tally) -> dict[str, Any]:
    assert head.reading is not None  # noqa: S101 - only what is read is tallied
    reading = head.reading
    found: dict[str, Any] = _finite(tally.document())
    return {
        "head": head.name or None,
        "output": reading.output,
        "target": reading.column,
        "about": reading.about,
    } | found


def _finite(value: Any) -> Any:
    """Return the same document with nothing in the place of what is no number."""
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
