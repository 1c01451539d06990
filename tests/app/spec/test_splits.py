from typing import Any

import pytest

from app.errors import InvalidInput
from app.spec.data.columns import Column, DataSchema
from app.spec.job import job_split_plan, parse_job, resolve_job_features
from app.spec.job_checks import check_job, job_column_roles, job_warnings
from app.spec.splits import describe_splits, training_rows
from tests.workers.data.schemas import ID

COLUMNS = (
    Column(name="a", type="number"),
    Column(name="who", type="category", labels=("p", "q", "r")),
    Column(name="part", type="category", labels=("test", "train", "val")),
    Column(name="gaps", type="number", missing=3),
    Column(name="words", type="words"),
    Column(name="y", type="category", labels=("no", "yes")),
    Column(name="price", type="number"),
)
NAMES = tuple(column.name for column in COLUMNS)


def stored(**rows: int) -> DataSchema:
    return DataSchema(columns=COLUMNS, rows={"train": 100, **rows}, inputs=NAMES[:-2], target="y")


def job(loss: str = "CrossEntropyLoss", **data: Any) -> dict[str, Any]:
    return {
        "model": {"inputs": ["a"], "nodes": [{"id": "out", "kind": "Linear", "inputs": ["a"], "out_features": 2}]},
        "data": {"kind": "dataset", "id": ID, **data},
        "objective": {"loss": {"kind": loss}},
    }


def problems(schema: DataSchema, loss: str = "CrossEntropyLoss", **data: Any) -> list[tuple[str, str]]:
    try:
        found = check_job(parse_job(job(loss, **data)), schema, 100)
    except InvalidInput as error:
        found = list(error.problems)
    return [(each.pointer, each.code) for each in found if each.pointer.startswith("/data/")]


@pytest.mark.parametrize(
    "split",
    [
        {"fraction": 0.2},
        {"fraction": 0.2, "stratify": "who"},
        {"fraction": 0.2, "stratify": "gaps"},
        {"fraction": 0.2, "group": "who", "seed": 3},
        {"fraction": 0.2, "time": "a", "stratify": False},
        {"column": "part", "value": "test"},
        {"fold": 2, "of": 5},
        {"fold": 5, "of": 5, "group": "who"},
    ],
)
@pytest.mark.parametrize("role", ["validation", "test"])
def test_a_split_that_the_data_has(role: str, split: dict[str, Any]) -> None:
    assert problems(stored(), **{role: split}) == []


@pytest.mark.parametrize(
    ("split", "place", "code"),
    [
        ({}, "", "contradiction"),
        ({"fraction": 0.2, "split": "test"}, "", "contradiction"),
        ({"fold": 1}, "", "contradiction"),
        ({"fold": 6, "of": 5}, "", "contradiction"),
        ({"column": "part"}, "", "contradiction"),
        ({"column": "part", "value": "test", "group": "who"}, "", "contradiction"),
        ({"split": "test", "seed": 1}, "", "contradiction"),
        ({"fraction": 0.2, "group": "who", "time": "a"}, "", "contradiction"),
        ({"fraction": 0.2, "group": "who", "stratify": True}, "", "contradiction"),
        ({"split": "test"}, "", "unknown_split"),
        ({"fraction": 0.2, "group": "whom"}, "/group", "unknown_column"),
        ({"fraction": 0.2, "time": "words"}, "/time", "wrong_column_type"),
        ({"fraction": 0.2, "group": "gaps"}, "/group", "missing_values"),
        ({"fraction": 0.2, "time": "gaps"}, "/time", "missing_values"),
        ({"column": "part", "value": "tst"}, "/value", "unknown_value"),
        ({"fold": 1, "of": 101}, "", "too_few_rows"),
    ],
)
@pytest.mark.parametrize("role", ["validation", "test"])
def test_a_split_that_the_data_does_not_have(role: str, split: dict[str, Any], place: str, code: str) -> None:
    assert problems(stored(), **{role: split}) == [(f"/data/{role}{place}", code)]


def test_numbers_have_no_classes_to_stratify_by() -> None:
    split = {"fraction": 0.2, "stratify": True}
    assert problems(stored(), "MSELoss", target="price", validation=split) == [
        ("/data/validation/stratify", "no_classes")
    ]


@pytest.mark.parametrize(
    ("validation", "test", "place"),
    [
        ({"split": "test"}, {"split": "test"}, "/data/test"),
        ({"column": "part", "value": "val"}, {"column": "part", "value": "val"}, "/data/test"),
        ({"fraction": 0.5}, {"fraction": 0.5}, "/data/test/fraction"),
    ],
)
def test_rows_have_one_role(validation: dict[str, Any], test: dict[str, Any], place: str) -> None:
    assert problems(stored(test=10), validation=validation, test=test) == [(place, "contradiction")]


def warned(schema: DataSchema, **data: Any) -> list[tuple[str, str]]:
    parsed = parse_job(job(**data))
    resolved = resolve_job_features(parsed, schema)
    roles = job_column_roles(parsed, schema, resolved)
    codes = [(each.pointer, each.code) for each in job_warnings(parsed, schema, resolved, roles)]
    return [each for each in codes if each[1] != "unread_column"]


@pytest.mark.parametrize(
    ("rows", "data", "expected"),
    [
        ({}, {}, []),
        ({}, {"validation": {"fraction": 0.2}}, []),
        ({"test": 9}, {}, [("/data/validation", "no_validation")]),
        ({"test": 9}, {"validation": None}, []),
        ({"test": 9}, {"validation": {"fraction": 0.2}}, []),
        ({"test": 9, "validation": 9}, {}, []),
        ({"test": 9}, {"validation": {"split": "test"}}, [("/data/validation/split", "validation_on_test")]),
        ({"validation": 9}, {"validation": {"fraction": 0.2}}, [("/data/validation", "unused_split")]),
        ({"test": 9}, {"validation": None, "test": {"fraction": 0.2}}, [("/data/test", "unused_split")]),
        ({}, {"validation": {"column": "part", "value": "val"}}, [("/data/test", "split_is_trained_on")]),
        ({}, {"test": {"column": "part", "value": "test"}}, [("/data/validation", "split_is_trained_on")]),
        ({}, {"test": {"column": "part", "value": "test"}}
         | {"validation": {"column": "part", "value": "val"}}, []),
    ],
)  # fmt: skip
def test_what_a_reader_of_the_figures_must_know(rows: Any, data: dict[str, Any], expected: Any) -> None:
    assert warned(stored(**rows), **data) == expected


@pytest.mark.parametrize(
    ("rows", "data", "expected"),
    [
        ({}, {}, (None, None)),
        ({"validation": 5}, {}, ("validation", None)),
        ({"test": 5}, {}, (None, "test")),
        ({"validation": 5, "test": 5}, {}, ("validation", "test")),
        ({"test": 5}, {"validation": {"split": "test"}}, ("test", None)),
        ({"validation": 5, "test": 5}, {"validation": None, "test": None}, (None, None)),
    ],
)
def test_splits_of_the_source_are_what_they_are_called(rows: Any, data: Any, expected: Any) -> None:
    schema = stored(**rows)
    parsed = parse_job(job(**data))
    plan = job_split_plan(parsed, schema, resolve_job_features(parsed, schema))
    assert tuple(split and split.split for split in plan[:2]) == expected


@pytest.mark.parametrize(
    ("data", "rows", "how"),
    [
        ({"validation": {"fraction": 0.25}}, 75, "0.25 of the rows, stratified by y"),
        ({"validation": {"fraction": 0.25, "stratify": False}}, 75, "0.25 of the rows, at random"),
        ({"validation": {"fraction": 0.25, "stratify": "who"}}, 75, "0.25 of the rows, stratified by who"),
        ({"validation": {"fraction": 0.25, "group": "who"}}, None, "0.25 of the rows, whole groups by who"),
        ({"validation": {"fraction": 0.25, "time": "a"}}, None, "the latest by a"),
        ({"validation": {"column": "part", "value": "val"}}, None, "rows whose part is val"),
        ({"validation": {"fold": 2, "of": 3}}, 66, "fold 2 of 3, stratified by y"),
        ({"validation": {"fraction": 0.2}, "test": {"fraction": 0.3}}, 50, "0.2 of the rows, stratified by y"),
        ({"validation": {"fold": 2, "of": 3}, "test": {"fraction": 0.1}}, 60, "fold 2 of 3, stratified by y"),
    ],
)
def test_what_is_shown_of_the_splits(data: dict[str, Any], rows: int | None, how: str) -> None:
    schema = stored()
    parsed = parse_job(job(**data))
    plan = job_split_plan(parsed, schema, resolve_job_features(parsed, schema))
    shown = describe_splits(plan, schema.rows)
    assert training_rows(plan, schema.rows) == shown["train"]["rows"] == rows
    assert shown["validation"]["how"] == how


def test_columns_that_only_divide_rows_are_no_inputs() -> None:
    data = {"validation": {"column": "part", "value": "val"}, "test": {"fraction": 0.2, "group": "who"}}
    schema = stored()
    parsed = parse_job(job(**data))
    resolved = resolve_job_features(parsed, schema)
    roles = {role.column: role for role in job_column_roles(parsed, schema, resolved)}
    assert (roles["part"].role, roles["part"].reason) == (
        "ignored",
        "it says which rows are held out (/data/validation)",
    )
    assert (roles["who"].role, roles["who"].decided_by) == ("ignored", "user")
    assert not {"part", "who"} & set(resolved.schema.inputs)
