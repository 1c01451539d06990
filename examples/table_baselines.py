"""What scikit-learn reaches on a table: a linear model and gradient boosting, on the rows that a proposed job gets too.

Numbers are imputed by their mean beside an indicator and standardised, words are one-hot. The linear model is logistic
regression, or ridge regression whose strength is chosen by leave-one-out; boosting has scikit-learn's defaults.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from examples.data.public_tables import MISSING

HISTOGRAM_ROWS = 2_000  # from so many on, boosting bins numbers
RIDGE_STRENGTHS = np.logspace(-2, 3, 11)

Rows = Sequence[Sequence[str]]


def table_baselines(train: Rows, test: Rows, target: int, is_number: bool) -> dict[str, dict[str, float]]:
    """Return the scores of each model on the test rows: r2, or accuracy and log_loss. `target` is a position."""
    columns = [place for place in range(len(train[0])) if place != target]
    fitted, scored = (_convert_columns(rows, train, columns) for rows in (train, test))
    truths = [[row[target] for row in rows] for rows in (train, test)]
    models = _models(len(train), is_number)
    return {
        name: _score(make_pipeline(_encoder(fitted), model), fitted, scored, *truths, is_number)
        for name, model in models.items()
    }


def is_number_column(cells: Sequence[str]) -> bool:
    """Return whether every cell that is not missing holds a number."""
    try:
        np.array([cell for cell in cells if cell not in MISSING], dtype=float)
    except ValueError:
        return False
    return True


def _convert_columns(rows: Rows, train: Rows, columns: Sequence[int]) -> np.ndarray[Any, Any]:
    """Return the cells as objects (N, k): numbers and NaN, or words."""
    table = np.empty((len(rows), len(columns)), dtype=object)
    for position, place in enumerate(columns):
        cells = [row[place] for row in rows]
        if is_number_column([row[place] for row in (*train, *rows)]):
            table[:, position] = [float("nan") if cell in MISSING else float(cell) for cell in cells]
        else:
            table[:, position] = cells
    return table


def _encoder(table: np.ndarray[Any, Any]) -> Any:
    numbers = [place for place in range(table.shape[1]) if isinstance(table[0, place], float)]
    words = [place for place in range(table.shape[1]) if place not in numbers]
    return make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
    )


def _models(rows: int, is_number: bool) -> Mapping[str, Any]:
    if is_number:
        boosting = HistGradientBoostingRegressor if rows >= HISTOGRAM_ROWS else GradientBoostingRegressor
        return {"linear": RidgeCV(RIDGE_STRENGTHS), "boosting": boosting(random_state=0)}
    boosting = HistGradientBoostingClassifier if rows >= HISTOGRAM_ROWS else GradientBoostingClassifier
    return {"linear": LogisticRegression(max_iter=3_000), "boosting": boosting(random_state=0)}


def _score(
    model: Pipeline,
    fitted: np.ndarray[Any, Any],
    scored: np.ndarray[Any, Any],
    train: Sequence[str],
    test: Sequence[str],
    is_number: bool,
) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(fitted, np.array(train, dtype=float) if is_number else train)
    if is_number:
        return number_scores(np.array(test, dtype=float), model.predict(scored))
    return class_scores(test, model.classes_, model.predict_proba(scored))


def number_scores(truths: np.ndarray[Any, Any], answers: np.ndarray[Any, Any]) -> dict[str, float]:
    """Return r2."""
    return {"r2": float(r2_score(truths, answers))}


def class_scores(
    truths: Sequence[str], classes: Sequence[str], probabilities: np.ndarray[Any, Any]
) -> dict[str, float]:
    """Return the accuracy of the most probable class, and the log loss."""
    guesses = [classes[place] for place in probabilities.argmax(1)]
    whole = probabilities / probabilities.sum(1, keepdims=True)
    return {
        "accuracy": float(accuracy_score(truths, guesses)),
        "log_loss": float(log_loss(truths, whole, labels=list(classes))),
    }
