import json
from pathlib import Path
from typing import Any

import pytest

from graftwerk.errors import InvalidData
from graftwerk.specs import read_spec, start_spec, with_dataset, with_initial_weights

NAMED = {"kind": "text", "column": "t", "vectors": {"dataset": "ds_0", "into": "words"}}


def test_an_example_is_put_on_data_of_ones_own() -> None:
    spec = {"name": "a", "data": {"kind": "builtin", "name": "iris", "target": "y"}}
    assert with_dataset(spec, "ds_1") == {"name": "a", "data": {"kind": "dataset", "id": "ds_1", "target": "y"}}
    assert with_dataset(spec) == spec


def test_vectors_go_where_a_feature_names_some() -> None:
    spec = {"data": {"kind": "dataset", "id": "ds_1", "features": {"a": NAMED, "b": {"kind": "tags", "column": "c"}}}}
    found = with_dataset(spec, vectors="ds_2")
    assert found["data"]["id"] == "ds_1"
    assert found["data"]["features"] == {
        "a": {**NAMED, "vectors": {"dataset": "ds_2", "into": "words"}},
        "b": {"kind": "tags", "column": "c"},
    }
    assert NAMED["vectors"] == {"dataset": "ds_0", "into": "words"}


def test_a_file_of_weights_is_started_from_in_the_place_of_a_checkpoint() -> None:
    spec = {"data": {}, "start_from": {"checkpoint": "ckpt_1", "what": "everything"}}
    assert with_initial_weights(spec, "ds_1") == {"data": {}, "start_from": {"dataset": "ds_1"}}


@pytest.mark.parametrize(
    ("content", "message"), [("name: a", "is not JSON"), ("[]", "is not a spec"), ("{}", "is not a spec")]
)
def test_what_is_no_spec_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "spec.json"
    path.write_text(content)
    with pytest.raises(InvalidData, match=message):
        read_spec(path)


def test_a_spec_is_read(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({"data": {}}))
    assert read_spec(path) == {"data": {}}


SPEC = {"name": "a", "data": {}}


@pytest.mark.parametrize(
    ("given", "start"),
    [
        (("ckpt_1", None, None), {"checkpoint": "ckpt_1"}),
        (("ds_1", "shapes", {"a": "b"}), {"dataset": "ds_1", "match": "shapes", "rename": {"a": "b"}}),
        (({"checkpoint": "ckpt_1", "preparation": "fit"}, "shapes", None),
         {"checkpoint": "ckpt_1", "preparation": "fit", "match": "shapes"}),
    ],
)  # fmt: skip
def test_a_spec_starts_from_an_id_or_from_its_own_object(tmp_path: Path, given: Any, start: dict[str, Any]) -> None:
    assert start_spec(SPEC, *given) == SPEC | {"start_from": start}
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(SPEC))
    assert start_spec(path, *given) == start_spec(str(path), *given) == SPEC | {"start_from": start}


def test_a_start_that_is_none_is_refused() -> None:
    assert start_spec(SPEC, None, None, None) is SPEC
    with pytest.raises(TypeError, match="start_from"):
        start_spec(SPEC, None, "shapes", None)
    with pytest.raises(InvalidData, match="job_1"):
        start_spec(SPEC, "job_1", "shapes", None)
