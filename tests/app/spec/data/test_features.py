"""What each class of features says of itself, and what a job is told of features that do not fit."""

from typing import Any, get_args

import pytest

from app.spec.data.columns import Column, ColumnType, DataSchema
from app.spec.data.feature_schema import ResolvedFeatures, TargetRequest, resolve_features
from app.spec.data.features import FEATURE_CLASSES, default_input, default_target, supported_kinds
from app.spec.data.sources import UploadedData

COLUMNS = {
    kind: Column(name=kind, type=kind, shape=(1,), labels=("a", "b"), longest=3, widest=2)
    for kind in get_args(ColumnType)
}


def resolved(*columns: Column, target: str | None = None, **data: Any) -> ResolvedFeatures:
    stored = DataSchema(columns=columns, rows={"train": 2}, inputs=tuple(column.name for column in columns))
    section = UploadedData.model_validate({"kind": "dataset", "id": "ds_" + "0" * 32, **data})
    return resolve_features(section, stored, [TargetRequest("/data/target", target)] if target else [])


@pytest.mark.parametrize("kind", FEATURE_CLASSES)
def test_a_class_is_found_by_its_kind(kind: str) -> None:
    assert FEATURE_CLASSES[kind].model_fields["kind"].default == kind


@pytest.mark.parametrize("column", COLUMNS.values(), ids=lambda column: column.type)
def test_every_column_has_a_feature_that_can_read_it(column: Column) -> None:
    kinds = supported_kinds(column)
    assert default_input(column).kind in kinds
    assert default_target(column).kind in kinds


@pytest.mark.parametrize("kind", FEATURE_CLASSES)
def test_a_feature_makes_the_columns_that_it_names(kind: str) -> None:
    source = COLUMNS[FEATURE_CLASSES[kind].column_types[0]]
    where = {"columns": [source.name]} if kind in ("numbers", "table") else {"column": source.name}
    result = resolved(source, features={"f": {"kind": kind, **where}}, transforms=None)
    feature = result.features["f"]
    columns = feature.network_columns("f", DataSchema(columns=(source,), rows={}, inputs=()))
    assert tuple(column.name for column in columns) == feature.column_names("f")
    assert feature.source_columns == (source.name,)


@pytest.mark.parametrize("kind", [kind for kind in COLUMNS if kind not in ("image", "tensor")])
def test_a_feature_of_images_cannot_read_other_columns(kind: str) -> None:
    result = resolved(COLUMNS[kind], features={"f": {"kind": "image", "column": kind}})
    assert [(each.pointer, each.code) for each in result.problems if each.code == "wrong_column_type"] == [
        ("/data/features/f/column", "wrong_column_type")
    ]


def test_columns_come_of_the_feature_that_makes_them() -> None:
    numbers = [Column(name=name, type="number") for name in ("wave", "wave_length")]
    features = {column.name: {"kind": "numbers", "columns": [column.name]} for column in numbers}
    result = resolved(*numbers, features=features)
    assert set(result.features_for(["wave_length"])) == {"wave_length"}
    assert set(resolved(COLUMNS["series"]).features_for(["series_length"])) == {"series"}


def test_tags_take_their_lengths_from_what_they_belong_to() -> None:
    tags = Column(name="tags", type="words", labels=("O", "B"), longest=3)
    result = resolved(COLUMNS["series"], tags, target="tags", features={"s": {"kind": "series", "column": "series"}})
    schema = result.schema.column("tags")
    assert not result.problems
    assert schema is not None
    assert (schema.shape, schema.ragged, schema.shortest) == ((3,), True, 1)
