"""Windows over a time column, beside NumPy's sliding windows: inputs, targets, borders of time, and gaps."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from app.errors import DataError
from app.spec.data.columns import DataSchema
from app.spec.job import job_split_plan, parse_job, resolve_job_features
from tests.workers.data.schemas import ID, stored_schema
from workers.data.columns import SplitColumns, WindowTensor
from workers.data.loading.examples import ExampleSet, TrainingData
from workers.data.loading.sources import SourceData
from workers.data.loading.training_data import build_training_data

SCHEMA = stored_schema("sales", rows=90, day="number", shop="text", sales="number", price="number")
LENGTHS = {"north": 40, "south": 27, "tiny": 5}  # days of each shop
WINDOWS = {"time": "day", "series": "shop", "length": 6, "horizon": 3}


def shop_rows(seed: int = 0) -> dict[str, Any]:
    """Return the rows of shops of unequal length in random order."""
    rng = np.random.default_rng(seed)
    days = np.concatenate([100 - np.arange(count)[::-1] for count in LENGTHS.values()]).astype(float)
    shops = np.repeat(list(LENGTHS), list(LENGTHS.values()))
    mixed = rng.permutation(len(days))
    numbers = {name: torch.from_numpy(rng.normal(size=len(days)) * 9 + 4) for name in ("sales", "price")}
    return {"day": torch.from_numpy(days[mixed]), "shop": shops[mixed].tolist(), **numbers}


def build(rows: SplitColumns, schema: DataSchema = SCHEMA, **data: Any) -> TrainingData:
    job = parse_job(
        {
            "model": {"nodes": [{"id": "flat", "kind": "Flatten", "inputs": ["x"]}], "outputs": {"flat": "flat"}},
            "data": {"kind": "dataset", "id": ID, "windows": WINDOWS, **data},
            "objective": {"loss": "MSELoss"},
        }
    )
    resolved = resolve_job_features(job, schema)
    assert not resolved.problems, resolved.problems
    names = {"inputs": resolved.schema.inputs, "targets": tuple(resolved.targets.values())}
    plan = job_split_plan(job, schema, resolved)
    return build_training_data(SourceData({"train": rows}), schema, resolved, **names, plan=plan)


def column(examples: ExampleSet | None, name: str) -> np.ndarray:
    assert examples is not None
    values = {**examples.inputs, **examples.targets}[name]
    assert isinstance(values, WindowTensor | torch.Tensor)
    return values.index_select(0, torch.arange(len(examples))).numpy()


def sorted_rows(rows: dict[str, Any], shop: str) -> np.ndarray:
    """Return day, sales and price of a shop in order of time: (days, 3)."""
    own = np.array(rows["shop"]) == shop
    table = np.stack([rows[name].numpy() for name in ("day", "sales", "price")], 1)[own]
    return table[table[:, 0].argsort()]


@pytest.mark.parametrize("stride", [1, 2, 7])
@pytest.mark.parametrize("scale", ["none", "standard"])
def test_windows_are_numpys_bit_for_bit(stride: int, scale: str) -> None:
    rows = shop_rows()
    data = build(rows, windows=WINDOWS | {"stride": stride}, scale=scale)
    every = np.stack([rows["sales"].numpy(), rows["price"].numpy()], 1)
    scaler = StandardScaler(with_mean=scale == "standard", with_std=scale == "standard").fit(every)
    shift = torch.from_numpy(every).mean(0).numpy() if scale == "standard" else 0.0
    inputs, targets = [], []
    for shop in sorted(LENGTHS, key=rows["shop"].index):
        values = sorted_rows(rows, shop)[:, 1:]
        if len(values) < 9:
            continue
        scaled = ((values - shift) / (scaler.scale_ if scale == "standard" else 1.0)).astype(np.float32)
        cut = np.lib.stride_tricks.sliding_window_view(scaled, 9, axis=0)[::stride].transpose(0, 2, 1)
        inputs.append(cut[:, :6])
        targets.append(cut[:, 6:, 0])
    np.testing.assert_array_max_ulp(column(data.train, "x"), np.concatenate(inputs), 0 if scale == "none" else 2)
    np.testing.assert_array_max_ulp(column(data.train, "sales"), np.concatenate(targets), 0 if scale == "none" else 2)


def test_no_window_leaks_over_a_border() -> None:
    rows = shop_rows()
    features = {"past": {"kind": "numbers", "columns": ["day"], "scale": "none"}, "future": "numbers"}
    features |= {"future": {"kind": "numbers", "columns": ["day"], "scale": "none", "missing": "refuse"}}
    data = build(rows, features=features, target="future", validation=0.2, test={"fraction": 0.2})
    spans = {role: column(getattr(data, role), "future") for role in ("train", "validation", "test")}
    days = rows["day"].numpy()
    assert spans["train"].max() < spans["validation"].min()
    assert spans["validation"].max() < spans["test"].min()
    assert {len(span) > 0 for span in spans.values()} == {True}
    assert spans["test"].max() == days.max()
    for role, span in spans.items():
        assert (np.diff(np.concatenate([column(getattr(data, role), "past")[..., 0], span], 1)) == 1).all()
    border = spans["validation"].min()
    crossing = [first for first in range(int(border) - 2, int(border)) if first in spans["train"][:, 0]]
    assert crossing == []  # windows whose horizon begins before the border and ends behind it are nobody's
    assert abs((days >= spans["test"].min()).mean() - 0.2) < 0.04


def test_scaling_is_fitted_before_the_first_border() -> None:
    rows = shop_rows()
    data = build(rows, validation=0.3)
    scaling = data.preparation.preprocessors["sales"].target_scaling
    assert scaling is not None
    assert data.validation is not None
    assert data.validation.stored is not None
    border = rows["day"][data.validation.stored.numbers].min() + 1  # the last day of a window, and the first to predict
    known = rows["sales"][rows["day"] < border].numpy()
    scaler = StandardScaler().fit(known[:, None])
    np.testing.assert_allclose(scaling.state()["shift"], scaler.mean_)
    np.testing.assert_allclose(scaling.state()["factor"], scaler.scale_)


def test_folds_are_blocks_of_time() -> None:
    table = {"day": torch.arange(40.0).double(), "shop": ["one"] * 40, "sales": torch.arange(40.0).double()}
    schema = stored_schema("sales", rows=40, day="number", shop="text", sales="number")
    for fold in (1, 2, 3):
        data = build(table, schema, validation={"fold": fold, "of": 3}, scale="none")
        held, kept = column(data.validation, "sales"), column(data.train, "sales") if fold > 1 else None
        assert (held.min(), held.max()) == (10.0 * fold, 10.0 * fold + 9)
        assert kept is None or kept.max() == 10.0 * fold - 1
    with pytest.raises(DataError, match="no window of 20 rows"):
        build(table, schema, windows=WINDOWS | {"length": 20}, validation={"fold": 1, "of": 3})


def test_what_is_known_beforehand_is_read_of_the_horizon_too() -> None:
    rows = shop_rows()
    features = {
        "sales_past": {"kind": "numbers", "columns": ["sales"]},
        "price": {"kind": "numbers", "columns": ["price"]},
    }
    data = build(rows, windows=WINDOWS | {"known": "price"}, features=features, scale="none")
    assert list(data.train.inputs) == ["sales_past", "price", "price_future"]
    price = np.concatenate([column(data.train, "price"), column(data.train, "price_future")], 1)[..., 0]
    first = sorted_rows(rows, rows["shop"][0] if rows["shop"][0] != "tiny" else "north")[:9, 2]
    assert (price[0] == first.astype(np.float32)).all()


def dates(*moments: datetime) -> torch.Tensor:
    return torch.tensor([moment.timestamp() for moment in moments], dtype=torch.float64)


def single(times: torch.Tensor, gaps: str = "refuse") -> ExampleSet:
    schema = stored_schema("sales", rows=len(times), day="datetime", sales="number")
    windows = {"time": "day", "length": 2, "horizon": 1, "gaps": gaps}
    return build(
        {"day": times, "sales": torch.arange(len(times)).double()}, schema, windows=windows, scale="none"
    ).train


BERLIN = ZoneInfo("Europe/Berlin")
MONTHS = [datetime(2025 + month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in range(20)]
EVEN: dict[str, list[datetime]] = {
    "months": MONTHS,
    "months of a zone": [datetime(2025 + m // 12, m % 12 + 1, 1, tzinfo=BERLIN) for m in range(20)],
    "month ends": [each - timedelta(days=1) for each in MONTHS],
    "quarters": MONTHS[::3],
    "years": [datetime(year, 1, 1, tzinfo=UTC) for year in range(2000, 2010)],
    "days with a change of clocks": [datetime(2026, 3, day, tzinfo=BERLIN) for day in range(20, 32)],
    "hours of a day": [datetime(2026, 10, 26, hour, tzinfo=UTC) for hour in range(10)],
    "hours with offsets": [datetime(2026, 3, 28, 20, tzinfo=UTC) + timedelta(hours=hour) for hour in range(30)],
}


@pytest.mark.parametrize("name", EVEN)
def test_even_steps_of_the_calendar_have_no_gaps(name: str) -> None:
    assert len(single(dates(*EVEN[name]))) == len(EVEN[name]) - 2


@pytest.mark.parametrize("name", EVEN)
def test_gaps_are_refused_with_their_rows_split_or_ignored(name: str) -> None:
    times = dates(*EVEN[name])
    with_gap = torch.cat([times[:3], times[4:]])
    with pytest.raises(DataError, match=r"between row 3 \(.*\) and row 4 \(") as error:
        single(with_gap)
    assert error.value.pointer == "/data/windows/time"
    assert '"gaps": "split"' in error.value.hint
    rows = len(with_gap)
    assert len(single(with_gap, "ignore")) == rows - 2
    split = column(single(with_gap, "split"), "sales")[:, 0].tolist()
    assert split == [2.0, *[float(row) for row in range(5, rows)]]


def test_rows_at_one_time_are_refused() -> None:
    local = [datetime(2026, 10, 25, hour, tzinfo=UTC) for hour in (0, 1, 2, 2, 3)]  # clocks were set back
    with pytest.raises(DataError, match=r"rows 3 and 4 \(2026-10-25T02:00:00.*have the same") as error:
        single(dates(*local))
    assert "tells series apart" in error.value.hint
    rows = shop_rows()
    rows["day"][:] = 7.0
    with pytest.raises(DataError, match='the same "day" of one "shop"'):
        build(rows)


def test_a_missing_time_is_refused_with_its_row() -> None:
    rows = shop_rows()
    rows["day"][11] = torch.nan
    with pytest.raises(DataError, match='"day" is missing in row 12'):
        build(rows)
