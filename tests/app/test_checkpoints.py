"""The list of checkpoints, on both databases."""

import math
from typing import Any

import pytest

from app import checkpoints
from app.db.session import Database
from app.errors import NotFound
from app.jobs import repository


@pytest.fixture
def job_id(database: Database) -> str:
    values: dict[str, Any] = {"owner": "anna", "name": "job", "queue": "default", "priority": 0}
    documents: dict[str, Any] = {key: {} for key in ("spec", "data_schema", "inspection", "labels")}
    return database.run(repository.insert, **values, **documents).id


def save(
    database: Database, job_id: str, number: int, loss: float | None, *, fence: int = 1, final: bool = False
) -> str:
    values = {} if loss is None else {"val/loss": loss}
    files = [{"name": "model.py", "path": f"jobs/{number}", "size": 1, "sha256": "00", "public": True}]
    return database.run(
        checkpoints.add,
        job_id,
        fence,
        id=f"ckpt_{fence}_{number}",
        step=number,
        epoch=number / 10,
        values=values,
        files=files,
        final=final,
    ).id


def test_a_checkpoint_is_listed_once_newest_first(database: Database, job_id: str) -> None:
    ids = [save(database, job_id, step, 1.0) for step in (1, 2, 3, 3)]
    rows = database.run(checkpoints.list_checkpoints, job_id)
    assert [row.id for row in rows] == [ids[2], ids[1], ids[0]]
    assert rows[0].files[0]["path"] == "jobs/3"


def test_a_later_attempt_is_newer_even_behind_an_earlier_one(database: Database, job_id: str) -> None:
    abandoned, resumed = save(database, job_id, 200, 1.0), save(database, job_id, 150, 1.0, fence=2)
    assert [row.id for row in database.run(checkpoints.list_checkpoints, job_id)] == [resumed, abandoned]


def test_the_best_is_by_value_and_the_earliest_of_equals(database: Database, job_id: str) -> None:
    for step, loss in enumerate([0.5, 0.2, math.nan, 0.2, None, 0.9, -math.inf], start=1):
        save(database, job_id, step, loss)
    for mode, step in (("min", 2), ("max", 6)):
        found = database.run(checkpoints.best_or_latest, job_id, "val/loss", mode)
        assert found is not None
        assert found.step == step
    newest = database.run(checkpoints.best_or_latest, job_id, "val/accuracy", "max")  # of which nobody has a value
    assert newest is not None
    assert newest.step == 7
    assert database.run(checkpoints.best_or_latest, job_id, "val/loss", "min", "no.such") is None


@pytest.mark.parametrize(
    ("keep_last", "keep_best", "surplus"),
    [(2, 1, [4, 3, 1]), (1, 0, [5, 4, 3, 2, 1]), (1, 2, [4, 3, 1]), (9, 0, []), (0, 0, [6, 5, 4, 3, 2, 1])],
)
def test_surplus_is_neither_new_nor_good(
    database: Database, job_id: str, keep_last: int, keep_best: int, surplus: list[int]
) -> None:
    for step, loss in enumerate([0.5, 0.1, 0.4, math.nan, 0.2, 0.3], start=1):
        save(database, job_id, step, loss)
    rows = database.run(checkpoints.prunable_checkpoints, job_id, keep_last, keep_best, "val/loss", "min")
    assert [row.step for row in rows] == surplus
    database.run(checkpoints.remove, rows)
    assert len(database.run(checkpoints.list_checkpoints, job_id)) == 6 - len(surplus)


def test_a_file_goes_with_the_last_checkpoint_that_lists_it(database: Database, job_id: str) -> None:
    def add(number: int, *names: str) -> None:
        files = [{"name": each, "path": f"jobs/{each}", "size": 1, "sha256": "00", "public": False} for each in names]
        place: dict[str, Any] = {"step": number, "epoch": 0.0, "values": {}, "files": files}
        database.run(checkpoints.add, job_id, 1, id=f"ckpt_{number}", **place)

    add(1, "one", "shared", "both")
    add(2, "two", "shared", "both")
    add(3, "three", "shared")
    rows = {row.id: row for row in database.run(checkpoints.list_checkpoints, job_id)}
    [first] = database.run(checkpoints.remove, [rows["ckpt_1"]])
    assert (first.job_id, first.id, first.paths) == (job_id, "ckpt_1", ("jobs/one",))
    second, third = database.run(checkpoints.remove, [rows["ckpt_2"], rows["ckpt_3"]])
    assert second.paths == ("jobs/two", "jobs/shared", "jobs/both")
    assert set(third.paths) == {"jobs/three", "jobs/shared"}  # removed twice, which is no error


def test_there_is_one_final_one(database: Database, job_id: str) -> None:
    first = save(database, job_id, 5, 0.1, final=True)
    second = save(database, job_id, 5, 0.1, fence=2, final=True)  # the attempt before died at its very end
    rows = database.run(checkpoints.list_checkpoints, job_id)
    assert [(row.id, row.final) for row in rows] == [(second, True), (first, False)]


def test_the_final_one_is_never_surplus(database: Database, job_id: str) -> None:
    save(database, job_id, 1, 0.1, final=True)
    save(database, job_id, 2, 0.2)
    assert [row.step for row in database.run(checkpoints.prunable_checkpoints, job_id, 0, 0, "val/loss", "min")] == [2]


def test_another_owner_s_checkpoint_is_not_found(database: Database, job_id: str) -> None:
    saved = save(database, job_id, 1, 0.1)
    assert database.run(checkpoints.find, "anna", saved).id == saved
    for owner, wanted in (("bert", saved), ("anna", "ckpt_none")):
        with pytest.raises(NotFound):
            database.run(checkpoints.find, owner, wanted)
