"""Values that have types already keep all digits: those of Arrow, JSON and NumPy."""

import datetime as dt
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from app.spec.data.columns import Column
from tests.workers.data.formats.test_parquet import write_parquet
from tests.workers.data.formats.uploads import column, make_upload, schema, to_jsonl, train, upload_problems
from tests.workers.data.schemas import fit_preparation
from tests.workers.data.types.test_cells import check_reread, warning_codes
from workers.prediction.inputs.rows import RequiredColumn, parse_columns

# Values of Arrow → type, labels or format, and what is stored, as pandas reads them.
ARROW: dict[str, tuple[Any, str, tuple[str, ...] | None, list[Any]]] = {
    "decimal": (pa.array([Decimal("1.50"), None, Decimal("-2.25")]), "number", None, [1.5, None, -2.25]),
    "decimal ids": (
        pa.array([Decimal(10**17 + 1), Decimal(10**17 + 2), Decimal(10**17 + 1)], pa.decimal128(20, 0)),
        "category",
        ("100000000000000001", "100000000000000002"),
        ["100000000000000001", "100000000000000002", "100000000000000001"],
    ),
    "large": (
        pa.array([2**53 + 1, None, 2**53], pa.int64()),
        "category",
        ("9007199254740992", "9007199254740993"),
        ["9007199254740993", None, "9007199254740992"],
    ),
    "unsigned": (
        pa.array([2**64 - 1, 5, 2**64 - 1], pa.uint64()),
        "category",
        ("18446744073709551615", "5"),
        ["18446744073709551615", "5", "18446744073709551615"],
    ),
    "exact": (pa.array([2**60, 2**60 + 1024, 0], pa.int64()), "number", None, [2.0**60, 2.0**60 + 1024, 0]),
    "nullable": (pa.array([1, None, 2], pa.int8()), "number", ("1", "2"), [1, None, 2]),
    "boolean": (pa.array([True, None, False]), "number", ("false", "true"), [1, None, 0]),
    "dictionary": (pa.array(["1", "2", "1"]).dictionary_encode(), "category", ("1", "2"), ["1", "2", "1"]),
    "dictionary of numbers": (pa.array([1.5, 2.5, 1.5]).dictionary_encode(), "number", None, [1.5, 2.5, 1.5]),
    "texts of numbers": (["1,5", "2", "3"], "number", None, [1.5, 2, 3]),
    "date": (pa.array([dt.date(1970, 1, 2), None, dt.date(1969, 12, 31)]), "datetime", None, [86400, None, -86400]),
    "milliseconds": (pa.array([1500, None, -500], pa.timestamp("ms")), "datetime", None, [1.5, None, -0.5]),
    "nanoseconds": (
        pa.array([1700000000123456789, None, 0], pa.timestamp("ns")),
        "datetime",
        None,
        [1700000000.1234567, None, 0],
    ),
    "zone": (pa.array([0, None, 3600], pa.timestamp("s", tz="Europe/Berlin")), "datetime", None, [0, None, 3600]),
}


@pytest.mark.parametrize("name", ARROW)
def test_types_of_arrow(tmp_path: Path, name: str) -> None:
    arrow, kind, labels, expected = ARROW[name]
    content = write_parquet({"a": arrow, "b": [1.5, 2.5, 3.5], "y": [0, 1, 0]})
    file = make_upload(tmp_path / "a.parquet", content, target="y")
    found, stored = column(file, "a"), train(file)["a"]
    assert (found.type, found.labels, found.missing) == (kind, labels, expected.count(None))
    values = stored if kind == "category" else [None if math.isnan(each) else each for each in stored.tolist()]
    assert values == expected
    assert found.unit == ("UTC" if name == "zone" else None)
    check_reread(file)


def test_a_categorical_of_pandas_is_a_category(tmp_path: Path) -> None:
    metadata = b'{"columns": [{"name": "a", "pandas_type": "categorical"}], "index_columns": ["row"]}'
    table = pa.table({"a": [1, 2, 1], "b": [1.5, 2.5, 3.5], "row": [7, 9, 11], "y": [0, 1, 0]})
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(table.replace_schema_metadata({b"pandas": metadata}), sink)
    file = make_upload(tmp_path / "a.parquet", sink.getvalue().to_pybytes(), target="y")
    assert (column(file, "a").labels, column(file, "a").decided_by) == (("1", "2"), "metadata")
    assert schema(file).inputs == ("a", "b")
    check_reread(file)


def test_dates_and_large_integers_told_to_be_words_keep_all_digits(tmp_path: Path) -> None:
    content = write_parquet({"a": pa.array([0, None], pa.timestamp("s")), "b": [2**60 + 1, 2**60 + 2], "y": [0, 1]})
    file = make_upload(tmp_path / "a.parquet", content, types={"a": "text", "b": "category"})
    assert train(file)["a"] == ["1970-01-01T00:00:00", None]
    assert train(file)["b"] == ["1152921504606846977", "1152921504606846978"]


def test_values_of_json(tmp_path: Path) -> None:
    rows = [{"b": True, "m": 1, "i": 2**60 + 1, "n": "5", "y": 1}, {"b": False, "m": 2.5, "i": 7, "n": "6.5", "y": 2}]
    file = make_upload(tmp_path / "a.jsonl", to_jsonl(rows))
    assert [column(file, name).type for name in "bmin"] == ["number", "number", "category", "number"]
    assert (column(file, "b").labels, column(file, "i").labels) == (("false", "true"), ("1152921504606846977", "7"))
    assert train(file)["n"].tolist() == [5, 6.5]
    assert warning_codes(file) == ["codes_as_words", "number_format"]


def test_dates_of_numpy(tmp_path: Path) -> None:
    dates = np.array(["2024-01-02T03:04:05.5", "NaT", "1969-12-31"], "datetime64[ms]")
    with (tmp_path / "a.npz").open("wb") as file:
        np.savez(file, a=dates, y=np.array([0, 1, 0]))
    upload_ = make_upload(tmp_path / "a.npz")
    found = column(upload_, "a")
    assert (found.type, found.missing, found.decided_by) == ("datetime", 1, "metadata")
    assert train(upload_)["a"].nan_to_num(1).tolist() == [1704164645.5, 1, -86400]
    check_reread(upload_)


def test_integers_that_no_network_has_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "a.npz").open("wb") as file:
        np.savez(file, x=np.array([2**63, 1], np.uint64), y=np.array([0, 1]))
    assert upload_problems(make_upload(tmp_path / "a.npz")) == [("out_of_range", "/x")]


def seconds(rows: int) -> np.ndarray[Any, Any]:
    return 1.7e9 + np.random.default_rng(0).uniform(0, 60, (rows, 2))


@pytest.mark.parametrize("kind", ["npz", "safetensors", "parquet", "jsonl", "series"])
def test_float64_is_scaled_before_it_is_narrowed(tmp_path: Path, kind: str) -> None:
    values, target = seconds(50), np.arange(50) % 2
    path = tmp_path / "data"
    if kind == "npz":
        with path.open("wb") as file:
            np.savez(file, a=values, y=target)
    elif kind == "safetensors":
        from safetensors.numpy import save_file

        save_file({"a": values, "y": target}, path)
    elif kind == "parquet":
        path.write_bytes(write_parquet({"a": pa.array(list(values)), "y": target}))
    else:
        rows = zip(values.tolist(), target.tolist(), strict=True)
        path.write_text(to_jsonl([{"a": row, "y": each} for row, each in rows]))
    types = {"a": "series"} if kind == "series" else None
    file = make_upload(path, format="jsonl" if kind == "series" else kind, types=types)
    found = schema(file)
    prepared = fit_preparation(found, train(file), ("a",), scale="standard")
    batch = prepared.transform(train(file), ("a",))["a"][:50]
    mean, deviation = (values.mean(), values.std()) if kind == "series" else (values.mean(0), values.std(0))
    assert batch.dtype == torch.float32
    assert np.allclose(batch.numpy(), (values - mean) / deviation, atol=1e-6)
    sent = parse_columns({"a": values.tolist()}, [RequiredColumn(found["a"])])
    assert torch.equal(prepared.transform(sent, ("a",))["a"][:50], batch)


def test_numbers_of_float32_are_stored_so(tmp_path: Path) -> None:
    file = make_upload(tmp_path / "a.jsonl", to_jsonl([{"a": [0.1, 2.5], "y": 1}, {"a": [3, 4.5], "y": 2}]))
    assert train(file)["a"].dtype == torch.float32


def test_a_label_of_an_older_schema_still_stands_for_its_number() -> None:
    stored = Column(name="a", type="number", labels=("0", "1"), classes=2)
    sent = parse_columns({"a": [True, 0, "1"]}, [RequiredColumn(stored)])["a"]
    assert isinstance(sent, torch.Tensor)
    assert sent.tolist() == [1, 0, 1]
