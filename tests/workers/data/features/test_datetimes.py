"""Parts of dates beside those of Python's own calendar."""

import math
from datetime import UTC, datetime

import pytest
import torch

from tests.workers.data.schemas import fit_preparation, stored_schema
from workers.data.features.datetimes import datetime_parts
from workers.data.features.preparation import Preparation

DATES = [
    datetime(1899, 12, 31, 23, 59, 59, 999_999, UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2000, 2, 29, 12, 30, tzinfo=UTC),
    datetime(2024, 12, 31, 1, 2, 3, tzinfo=UTC),
    datetime(2026, 11, 29, 13, tzinfo=UTC),
]
SECONDS = torch.tensor([date.timestamp() for date in DATES], dtype=torch.float64)
PLAIN = ("year", "month", "weekday", "day", "hour", "minute")


def test_parts_are_those_of_the_calendar() -> None:
    expected = [[getattr(date, part) if part != "weekday" else date.weekday() for part in PLAIN] for date in DATES]
    assert datetime_parts(SECONDS, PLAIN, cyclic=False).tolist() == expected
    assert torch.equal(datetime_parts(SECONDS, ["elapsed"]).squeeze(1), SECONDS)


@pytest.mark.parametrize(("part", "period"), [("month", 12), ("weekday", 7), ("day", 31), ("hour", 24), ("minute", 60)])
def test_angles_go_round(part: str, period: int) -> None:
    plain, angles = datetime_parts(SECONDS, [part], cyclic=False)[:, 0], datetime_parts(SECONDS, [part])
    for value, (sine, cosine) in zip(plain.tolist(), angles.tolist(), strict=True):
        assert (sine, cosine) == pytest.approx(
            (math.sin(2 * math.pi * value / period), math.cos(2 * math.pi * value / period)), abs=1e-12
        )


def test_a_missing_date_is_missing_in_every_part() -> None:
    seconds = torch.tensor([0.0, math.nan], dtype=torch.float64)
    assert datetime_parts(seconds, ("month", "elapsed")).isnan().tolist() == [[False] * 3, [True] * 3]


def test_a_feature_standardises_what_is_no_angle_and_survives_its_storage() -> None:
    schema = stored_schema(when="datetime")
    split = {"when": torch.cat([SECONDS, torch.tensor([math.nan])])}
    fitted = fit_preparation(schema, split, ("when",), features={"when": {"kind": "datetime", "column": "when"}})
    values = fitted.transform(split, ("when",))["when"]
    assert isinstance(values, torch.Tensor)
    assert (values.dtype, tuple(values.shape)) == (torch.float32, (6, 10))
    assert values[-1].tolist() == [0.0] * 10
    elapsed = (SECONDS - SECONDS.mean()) / SECONDS.std(correction=0)
    assert torch.allclose(values[:-1, -1], elapsed.float())
    preprocessor = fitted.preprocessors["when"]
    loaded = type(preprocessor).load("when", preprocessor.feature, schema, preprocessor.state())
    again = Preparation({"when": loaded}).transform(split, ("when",))["when"]
    assert isinstance(again, torch.Tensor)
    assert torch.equal(again, values)
