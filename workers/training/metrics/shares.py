"""Precision, recall and F1 from counts, for the rows of a report."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

SCORES = ("precision", "recall", "f1")
Row = dict[str, Any]


def table(labels: Sequence[str], right: Tensor, predicted: Tensor, true: Tensor) -> list[Row]:
    """Return a row for each label: how often it is true (support), predicted, and both, and what follows."""
    counts = zip(labels, right.tolist(), predicted.tolist(), true.tolist(), strict=False)
    return [_row(*each) for each in counts]


def averages(rows: Sequence[Row], every: bool = False) -> Mapping[str, Row | None]:
    """Return the scores over all rows: their means (macro), weighed by support, and of all together (micro).

    Means are over rows that are true or predicted, or over `every` one. Nothing where nothing is.
    """
    seen = [row for row in rows if every or row["support"] or row["predicted"]]
    support = sum(row["support"] for row in rows)
    macro = {name: sum(row[name] for row in seen) / len(seen) for name in SCORES} if seen else None
    weighted = {name: sum(row[name] * row["support"] for row in rows) / support for name in SCORES} if support else None
    right, predicted, true = (sum(row[name] for row in rows) for name in ("right", "predicted", "support"))
    return {"macro": macro, "weighted": weighted, "micro": _scores(right, predicted, true) if seen else None}


def _row(label: str, right: int, predicted: int, true: int) -> Row:
    return {"label": label, **_scores(right, predicted, true), "support": true, "predicted": predicted, "right": right}


def _scores(right: int, predicted: int, true: int) -> Row:
    return {"precision": right / predicted if predicted else 0.0, "recall": right / true if true else 0.0,
            "f1": 2 * right / (predicted + true) if predicted + true else 0.0}  # fmt: skip
