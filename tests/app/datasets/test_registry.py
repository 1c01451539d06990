"""Data sets: registered, filled, and never changed, on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.datasets import lookup, references, registry, uploads
from app.datasets.lookup import DatasetStatus
from app.datasets.uploads import DatasetContent
from app.db.session import Database
from app.errors import GraftwerkError, InvalidInput, InvalidState, NotFound, Problem, WrongOffset
from app.jobs import repository
from app.spec.data.columns import Column, DataSchema
from app.spec.data.sources import BUILTIN_SCHEMAS, TORCHVISION_SCHEMAS, NewDataset

CONTENT = DatasetContent(BUILTIN_SCHEMAS["iris"], [{"x": 1}], "csv", "contents/whole", 30, "00")
VECTORS = DataSchema(
    columns=(Column(name="word", type="text"), Column(name="vector", shape=(3,))), rows={"vectors": 2}, inputs=()
)
PROBLEM = Problem("/a", "no_rows", "nothing is there", "add rows")


def register(database: Database, owner: str = "anna", **source: Any) -> str:
    described = source or {"kind": "upload", "format": "csv"}
    new = NewDataset.model_validate({"name": "rows", "source": described})
    return database.run(registry.register, owner, new).id


def on(dataset_id: str, vectors: str | None = None) -> dict[str, Any]:
    """Return the part of a job that names its data."""
    features = {"a/b": {"kind": "text", "vectors": {"dataset": vectors}}} if vectors is not None else None
    return {"data": {"kind": "dataset", "id": dataset_id, "features": features}}


def insert(database: Database, spec: dict[str, Any]) -> str:
    """Accept a job; returns its id."""
    values: dict[str, Any] = {"owner": "anna", "name": "job", "queue": "default", "priority": 0}
    documents: dict[str, Any] = {name: {} for name in ("data_schema", "inspection", "labels")}

    def unit(session: Any) -> str:
        references.pin(session, "anna", spec)
        return repository.insert(session, spec=spec, **values, **documents).id

    return database.run(unit)


def part(number: int, size: int = 10) -> dict[str, Any]:
    return {"path": f"datasets/part{number}", "size": size}


@pytest.mark.parametrize(
    ("kind", "name", "schema"),
    [("builtin", "iris", BUILTIN_SCHEMAS["iris"]), ("torchvision", "MNIST", TORCHVISION_SCHEMAS["MNIST"])],
)
def test_a_named_one_is_ready_and_has_no_content(database: Database, kind: str, name: str, schema: Any) -> None:
    made = register(database, kind=kind, name=name)
    assert database.read(lookup.find, "anna", made).status == DatasetStatus.READY
    assert database.read(references.load_schemas, "anna", on(made)) == {"/data/id": schema}
    with pytest.raises(InvalidState):
        database.run(uploads.find_for_upload, "anna", made)


def test_pieces_follow_each_other_and_become_one(database: Database) -> None:
    made = register(database)
    for number in range(3):
        row = database.run(uploads.append_part, "anna", made, 10 * number, part(number))
        assert (row.size, row.status) == (10 * number + 10, DatasetStatus.AWAITING_CONTENT)
    for wrong in (0, 29, 31):
        with pytest.raises(WrongOffset) as caught:
            database.run(uploads.append_part, "anna", made, wrong, part(9))
        assert caught.value.received == 30
    row, superfluous = database.run(uploads.accept, "anna", made, CONTENT)
    assert superfluous == [f"datasets/part{number}" for number in range(3)]
    assert (row.status, row.parts, row.path, row.size, row.sha256) == ("ready", [], "contents/whole", 30, "00")
    assert row.source["format"] == "csv"
    assert database.read(references.load_schemas, "anna", on(made)) == {"/data/id": BUILTIN_SCHEMAS["iris"]}


def test_of_pieces_at_one_place_one_counts(database: Database) -> None:
    made = register(database)

    def send(number: int) -> bool:
        try:
            database.run(uploads.append_part, "anna", made, 0, part(number))
        except WrongOffset:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(send, range(4))) == [False, False, False, True]
    assert database.read(lookup.find, "anna", made).size == 10


def test_what_is_ready_never_changes(database: Database) -> None:
    made = register(database)
    database.run(uploads.accept, "anna", made, CONTENT)
    for change in (
        lambda: database.run(uploads.append_part, "anna", made, 30, part(1)),
        lambda: database.run(uploads.accept, "anna", made, CONTENT),
        lambda: database.run(uploads.reject, "anna", made, [PROBLEM]),
    ):
        with pytest.raises(InvalidState):
            change()
    assert database.read(lookup.find, "anna", made).problems is None


def test_rejected_content_is_forgotten(database: Database) -> None:
    made = register(database)
    database.run(uploads.append_part, "anna", made, 0, part(1))
    assert database.run(uploads.reject, "anna", made, [PROBLEM]) == ["datasets/part1"]
    row = database.read(lookup.find, "anna", made)
    assert (row.status, row.size, row.parts, row.problems) == ("invalid", 0, [], [PROBLEM.as_dict()])
    assert database.run(uploads.append_part, "anna", made, 0, part(2)).problems is None


def test_a_job_needs_a_ready_one_of_its_owner(database: Database) -> None:
    waiting, theirs = register(database), register(database, "bert", kind="builtin", name="iris")
    for made, code in ((waiting, "dataset_not_ready"), (theirs, "unknown_dataset"), ("ds_none", "unknown_dataset")):
        with pytest.raises(InvalidInput) as caught:
            database.read(references.load_schemas, "anna", on(made))
        assert [(problem.pointer, problem.code) for problem in caught.value.problems] == [("/data/id", code)]
    database.run(references.pin, "bert", on(theirs))
    with pytest.raises(InvalidInput):
        database.run(references.pin, "anna", on(theirs))


def test_vectors_are_named_by_features_and_trained_on_by_nobody(database: Database) -> None:
    iris, vectors = register(database, kind="builtin", name="iris"), register(database)
    database.run(uploads.accept, "anna", vectors, replace(CONTENT, schema=VECTORS))
    good = on(iris, vectors)
    place = "/data/features/a~1b/vectors/dataset"
    assert database.read(references.load_schemas, "anna", good) == {"/data/id": BUILTIN_SCHEMAS["iris"], place: VECTORS}
    with pytest.raises(InvalidInput) as caught:
        database.read(references.load_schemas, "anna", on(vectors, iris))
    found = [(problem.pointer, problem.code) for problem in caught.value.problems]
    assert found == [("/data/id", "wrong_dataset"), (place, "wrong_dataset")]
    with pytest.raises(InvalidInput) as caught:
        database.read(references.load_schemas, "anna", on(iris, "ds_none"))
    assert [problem.pointer for problem in caught.value.problems] == [place]
    job = insert(database, good)
    for needed in (iris, vectors):
        with pytest.raises(InvalidState, match=job):
            database.run(registry.delete, "anna", needed)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"data": 3},
        {"data": {"kind": "dataset", "id": 3}},
        {"data": {"features": [1]}},
        {"data": {"features": {"a": 3, "b": {"vectors": 1}, "c": {"vectors": {"dataset": None}}}}},
    ],
)
def test_what_a_document_needs_is_seen_before_it_is_checked(document: Any) -> None:
    assert references.referenced_datasets(document) == {}


def test_a_job_that_only_mentions_a_data_set_does_not_need_it(database: Database) -> None:
    made = register(database, kind="builtin", name="iris")
    insert(database, {"data": {"kind": "builtin", "name": "iris"}, "metadata": {"about": made}})
    database.run(registry.delete, "anna", made)


@pytest.mark.parametrize("unit", [lookup.find, uploads.find_for_upload, registry.delete])
def test_another_owner_s_is_not_found(database: Database, unit: Callable[[Session, str, str], object]) -> None:
    made = register(database, "bert")
    with pytest.raises(NotFound):
        database.run(unit, "anna", made)
    assert database.read(lookup.page, "anna", 10) == ([], False)


def test_deleting_tells_every_file(database: Database) -> None:
    half, whole, named = register(database), register(database), register(database, kind="builtin", name="iris")
    database.run(uploads.append_part, "anna", half, 0, part(1))
    database.run(uploads.accept, "anna", whole, CONTENT)
    assert database.run(registry.delete, "anna", half) == ["datasets/part1"]
    assert database.run(registry.delete, "anna", whole) == ["contents/whole"]
    assert database.run(registry.delete, "anna", named) == []


def test_a_job_that_is_accepted_while_its_data_is_deleted_keeps_it_or_is_refused(database: Database) -> None:
    """Whoever is first: there is never a queued job without its data."""

    def accept(made: str) -> bool:
        return succeeds(lambda: insert(database, on(made)))

    def succeeds(act: Any) -> bool:
        try:
            act()
        except GraftwerkError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        for _ in range(8):
            made = register(database, kind="builtin", name="iris")
            accepted = pool.submit(accept, made)
            deleted = pool.submit(succeeds, lambda made=made: database.run(registry.delete, "anna", made))
            assert accepted.result() != deleted.result()
