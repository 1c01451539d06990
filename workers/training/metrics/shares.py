"""Precision, recall and F1 from counts, for the rows of a report."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

SCORE_NAMES = ("precision", "recall", "f1")
ReportRow = dict[str, Any]


def report_rows(labels: Sequence[str], right: Tensor, predicted: Tensor, true: Tensor) -> list[ReportRow]:
    """Return a row for each label: how often it is true (support), predicted, and both, and what follows."""
    counts = zip(labels, right.tolist(), predicted.tolist(), true.tolist(), strict=False)
    return [_report_row(*each) for each in counts]


def average_scores(rows: Sequence[ReportRow], every: bool = False) -> Mapping[str, ReportRow | None]:
    """Return the scores over all rows: their means (macro), weighed by support, and of all together (micro).

    Means are over rows that are true or predicted, or over `every` one. Nothing where nothing is.
    """
    seen = [row for row in rows if every or row["support"] or row["predicted"]]
    support = sum(row["support"] for row in rows)
    macro = {name: sum(row[name] for row in seen) / len(seen) for name in SCORE_NAMES} if seen else None
    weighted = (
        {name: sum(row[name] * row["support"] for row in rows) / support for name in SCORE_NAMES} if support else None
    )
    right, predicted, true = (sum(row[name] for row in rows) for name in ("right", "predicted", "support"))
    return {
        "macro": macro,
        "weighted": weighted,
        "micro": _precision_recall_f1(right, predicted, true) if seen else None,
    }


def _report_row(label: str, right: int, predicted: int, true: int) -> ReportRow:
    return {
        "label": label,
        **_precision_recall_f1(right, predicted, true),
        "support": true,
        "predicted": predicted,
        "right": right,
    }


def _precision_recall_f1(right: int, predicted: int, true: int) -> ReportRow:
    return {
        "precision": right / predicted if predicted else 0.0,
        "recall": right / true if true else 0.0,
        "f1": 2 * right / (predicted + true) if predicted + true else 0.0,
    }
