"""Proposals: each is a job that the service accepts untouched; or the request is refused at its place."""

import random
from pathlib import Path
from typing import Any

import pytest

from app.errors import InvalidInput
from app.proposals.draft import Reason
from app.proposals.plans import PLANS, propose_validation
from app.proposals.proposal import Proposal, propose
from app.proposals.request import ProposalRequest
from app.proposals.tables import SIZES, size_of
from app.spec.data.columns import Column, DataSchema
from tests.app.proposals.sample_data import SAMPLES, read_schema
from workers.children.inspect import InspectionLimits, inspect_job

DATASET = "ds_" + "0" * 32
LIMITS = InspectionLimits(10_000, 100_000_000, 4 << 30)
STATISTICS = {"min": 0.0, "mean": 1.0, "max": 3.0, "std": 1.0}


def proposal_of(name: str, folder: Path) -> tuple[Proposal, DataSchema]:
    sample = SAMPLES[name]
    schema = read_schema(sample.write(random.Random(name)), folder, sample.file)
    return propose(DATASET, name, schema, ProposalRequest(**sample.request)), schema


def pointed_at(document: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


@pytest.mark.parametrize("name", SAMPLES)
def test_every_kind_of_data_gets_a_job_that_is_accepted(name: str, tmp_path: Path) -> None:
    proposal, schema = proposal_of(name, tmp_path)
    response = inspect_job(proposal.spec, schema, LIMITS)
    assert response.problems == ()
    assert not [each for each in response.warnings if each.code == "unread_column"]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_reason_stands_beside_its_choice(name: str, tmp_path: Path) -> None:
    proposal, _ = proposal_of(name, tmp_path)
    for reason in proposal.reasons:
        assert pointed_at(proposal.spec, reason.pointer) is not None
        assert reason.text[0].isupper() or reason.text[0].isdigit()
        assert reason.text.endswith(".")
    explained = {reason.pointer for reason in proposal.reasons}
    fields = [f"/training/{field}" for field in proposal.spec["training"]]
    assert explained >= {*fields, "/objective/loss", "/objective/metrics", "/data/validation"}
    assert explained >= {f"/data/features/{name}" for name in proposal.spec["data"]["features"]}


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("a table, numbers", {"table": ("size", "share", "kind")}),
        ("a table, classes", {"table": ("size", "share", "price")}),
        ("dates", {"table": ("day", "n")}),
        ("odd names", {"table": ("рост (см)", "x")}),
        ("a target called x", {"table": ("a",)}),
        ("mixed", {"ngrams": ("note", "more"), "series": ("steps",), "table": ("size", "town")}),
        ("labels", {"ngrams": ("text",), "labels": ("kinds",)}),
    ],
)
def test_every_column_is_read(name: str, read: dict[str, tuple[str, ...]], tmp_path: Path) -> None:
    proposal, _ = proposal_of(name, tmp_path)
    found: dict[str, tuple[str, ...]] = {}
    for feature in proposal.spec["data"]["features"].values():
        columns = feature.get("columns") or [feature["column"]]
        found[feature["kind"]] = (*found.get(feature["kind"], ()), *columns)
    assert found == read


def column(name: str = "y", kind: str = "number", **more: Any) -> Column:
    return Column.model_validate({"name": name, "type": kind, "statistics": STATISTICS} | more)


def schema_with(learned: Column, rows: int = 100, **more: Any) -> DataSchema:
    return DataSchema(columns=(column("a"), learned), rows={"train": rows}, inputs=("a",), **more)


def propose_for(learned: Column, rows: int = 100, **request: Any) -> Proposal:
    return propose(DATASET, "x", schema_with(learned, rows), ProposalRequest.model_validate({"target": "y"} | request))


CODES, RATINGS, STEPS = ("0", "1", "2"), ("1", "2", "3", "4", "5"), ("10", "20", "30")


@pytest.mark.parametrize(
    ("target", "request_", "loss", "warned"),
    [
        (column(), {}, "MSELoss", False),
        (column(labels=CODES), {}, "CrossEntropyLoss", True),
        (column(labels=RATINGS), {}, "CrossEntropyLoss", True),
        (column(labels=STEPS), {}, "MSELoss", True),
        (column(labels=("0", "7")), {}, "CrossEntropyLoss", True),
        (column(labels=RATINGS), {"task": "numbers"}, "MSELoss", False),
        (column(labels=RATINGS), {"loss": "HuberLoss"}, "HuberLoss", False),
        (column(labels=STEPS), {"task": "classes"}, "CrossEntropyLoss", False),
        (column(kind="category", labels=("a", "b")), {}, "CrossEntropyLoss", False),
    ],
)
def test_the_task_follows_from_the_target_unless_it_is_said(
    target: Column, request_: dict[str, Any], loss: str, warned: bool
) -> None:
    proposal = propose_for(target, **request_)
    assert proposal.spec["objective"]["loss"] == {"kind": loss}
    assert ("guessed_task" in {each.code for each in proposal.warnings}) == warned
    assert "weight" not in proposal.spec["objective"]["loss"]


@pytest.mark.parametrize(
    ("target", "request_", "pointer", "code"),
    [
        (column(), {"target": "why"}, "/target", "unknown_column"),
        (column(labels=("7",)), {}, "/target", "constant"),
        (column(statistics=STATISTICS | {"max": 0.0}), {}, "/target", "constant"),
        (column(kind="category", labels=("a",)), {}, "/target", "constant"),
        (column(kind="category", labels=tuple(f"w{n}" for n in range(80))), {}, "/target", "too_many_labels"),
        (column(kind="datetime"), {}, "/target", "wrong_column_type"),
        (column(kind="text", longest=90), {}, "/target", "wrong_column_type"),
        (column(kind="image", shape=(3, 8, 8)), {}, "/target", "wrong_column_type"),
        (column(kind="category", labels=("a", "b")), {"task": "numbers"}, "/task", "contradiction"),
        (column(kind="category", labels=("a", "b")), {"loss": "MSELoss"}, "/loss", "contradiction"),
        (column(), {"task": "numbers", "loss": "CrossEntropyLoss"}, "/loss", "contradiction"),
        (column(), {"task": "classes"}, "/task", "numbers_as_classes"),
        (column(kind="words", labels=("a", "b")), {"task": "tags"}, "/target", "contradiction"),
        (column(kind="tensor", shape=(3, 3)), {}, "/target", "wrong_shape"),
        (column(ignored="it numbers the rows"), {}, "/target", "nothing_to_learn"),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused_at_its_place(
    target: Column, request_: dict[str, Any], pointer: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        propose_for(target, **request_)
    (problem,) = caught.value.problems
    assert (problem.pointer, problem.code) == (pointer, code)
    assert problem.hint


def test_a_data_set_needs_rows_and_inputs() -> None:
    with pytest.raises(InvalidInput, match="5 rows"):
        propose_for(column(), rows=5)
    alone = DataSchema(columns=(column(),), rows={"train": 50}, inputs=())
    with pytest.raises(InvalidInput, match="no column that a network could read"):
        propose(DATASET, "x", alone, ProposalRequest(target="y"))
    with pytest.raises(InvalidInput, match="no target of its own"):
        propose(DATASET, "x", schema_with(column()), ProposalRequest())


def test_the_own_target_is_learned_and_a_guess_is_said() -> None:
    for guessed in (True, False):
        schema = schema_with(column(), target="y", guessed_target=guessed)
        proposal = propose(DATASET, "x", schema, ProposalRequest())
        assert proposal.spec["data"]["target"] == "y"
        assert ("guessed_target" in {each.code for each in proposal.warnings}) == guessed


@pytest.mark.parametrize("guessed", [True, False])
def test_a_guessed_target_is_an_input_when_another_is_learned(guessed: bool) -> None:
    schema = DataSchema(
        columns=(column("a"), column("b"), column("y")),
        rows={"train": 50},
        inputs=("a", "b"),
        target="y",
        guessed_target=guessed,
    )
    proposal = propose(DATASET, "x", schema, ProposalRequest(target="b"))
    read = proposal.spec["data"]["features"]["x"]["columns"]
    assert read == (["a", "y"] if guessed else ["a"])
    assert ("unread_column" in {each.code for each in proposal.warnings}) != guessed
    assert proposal.spec["data"].get("ignore") == (None if guessed else ["y"])


@pytest.mark.parametrize("kind", PLANS)
def test_plans_are_in_order_of_rows(kind: Any) -> None:
    sizes = PLANS[kind].sizes
    assert [each.rows for each in sizes] == sorted(each.rows for each in sizes)
    assert [each.batch_size for each in sizes] == sorted(each.batch_size for each in sizes)


def test_sizes_follow_the_rows() -> None:
    assert [size_of(rows) for rows in (50, 999, 1_000, 3_999, 4_000, 10**9)] == [
        SIZES[place] for place in (0, 0, 1, 1, 2, 2)
    ]
    layers = {
        rows: sum(node["kind"] == "Linear" for node in propose_for(column(), rows=rows).spec["model"]["nodes"])
        for rows in (100, 3_000, 50_000)
    }
    assert layers == {100: 3, 3_000: 4, 50_000: 5}


@pytest.mark.parametrize(
    ("rows", "validation", "left"),
    [
        ({"train": 100}, {"fraction": 0.2}, 80),
        ({"train": 20_000, "test": 9}, {"fraction": 0.1}, 18_000),
        ({"train": 100, "validation": 9}, {"split": "validation"}, 100),
    ],
)
def test_validation_rows_are_never_those_of_the_test(rows: Any, validation: Any, left: int) -> None:
    assert propose_validation(rows)[:2] == (validation, left)


def test_entities_choose_the_checkpoint_where_tags_are_of_such(tmp_path: Path) -> None:
    entities, numbers = (proposal_of(name, tmp_path)[0].spec["training"] for name in ("tags", "a table, numbers"))
    assert entities["checkpoint"] == {"keep_best": 1, "monitor": "val/span_f1", "mode": "max"}
    assert "early_stop" not in entities
    assert numbers["checkpoint"]["monitor"] == numbers["early_stop"]["monitor"] == "val/loss"


def test_rare_classes_are_said() -> None:
    target = column(kind="category", labels=("a", "b"), statistics={"counts": {"a": 97, "b": 3}})
    (warning,) = [each for each in propose_for(target).warnings if each.code == "rare_classes"]
    assert '"b"' in warning.detail


def test_a_reason_is_a_place_and_a_sentence() -> None:
    assert Reason("/model", "Why.") == Reason(pointer="/model", text="Why.")
