"""DataFrames of curves, predictions and previews, by the real pandas and Polars where they are installed."""

import math
from typing import Any

import pytest

from graftwerk.errors import MissingPackage
from graftwerk.types import Dataset, Metrics, Predictions

CURVES = Metrics.from_document(
    "step",
    {
        "series": {
            "a": {
                "x": [1, 2],
                "step": [1, 2],
                "last": [1, "NaN"],
                "min": [1, 2],
                "max": [1, "Infinity"],
                "count": [1, 1],
            },
            "b": {"x": [5], "step": [5], "last": [0.5], "min": [0.5], "max": [0.5], "count": [1]},
            "empty": {"x": [], "step": [], "last": [], "min": [], "max": [], "count": []},
        }
    },
)
PREDICTIONS = Predictions(
    "ckpt_1",
    7,
    [{"output": {"label": "a", "probability": 0.5}}, {"output": {"label": None, "probability": 1}}],
    {},
    {},
    ("1.png", "2.png"),
)
DATASET = Dataset(
    "ds_1", "t", "ready", {"preview": [{"age": 1, "kind": "x"}, {"age": 2.5}, {"age": None, "kind": "y"}]}
)


def as_columns(frame: Any, package: str) -> dict[str, list[Any]]:
    columns = frame.to_dict("list") if package == "pandas" else frame.to_dict(as_series=False)
    return {
        name: [None if isinstance(value, float) and math.isnan(value) else value for value in values]
        for name, values in columns.items()
    }


@pytest.mark.parametrize("package", ["pandas", "polars"])
@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (
            CURVES,
            {
                "series": ["a", "a", "b"],
                "x": [1, 2, 5],
                "step": [1, 2, 5],
                "last": [1, None, 0.5],
                "min": [1, 2, 0.5],
                "max": [1, math.inf, 0.5],
                "count": [1, 1, 1],
            },
        ),
        (Metrics("step", {}), {name: [] for name in ("series", "x", "step", "min", "max", "last", "count", "nan")}),
        (PREDICTIONS, {"file": ["1.png", "2.png"], "output.label": ["a", None], "output.probability": [0.5, 1]}),
        (DATASET, {"age": [1, 2.5, None], "kind": ["x", None, "y"]}),
    ],
)
def test_tables(package: str, table: Any, columns: dict[str, list[Any]]) -> None:
    pytest.importorskip(package)
    frame = table.to_pandas() if package == "pandas" else table.to_polars()
    assert type(frame).__name__ == "DataFrame"
    assert as_columns(frame, package) == columns


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_what_to_install_is_said(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(MissingPackage, match=rf"pip install 'graftwerk\[{package}\]'"):
        CURVES.to_pandas() if package == "pandas" else CURVES.to_polars()
