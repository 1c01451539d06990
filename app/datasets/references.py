"""The registered data sets that a job names: for training, for its first weights, and for vectors of words."""

from collections.abc import Mapping

from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from app.datasets import lookup
from app.datasets.lookup import DatasetStatus
from app.db.tables import DatasetRow, JobRow
from app.errors import Conflict, InvalidInput, NotFound, Problem
from app.jobs.states import TERMINAL_STATUSES
from app.spec.data.columns import DataSchema
from app.spec.problems import json_pointer

DATA_POINTER = "/data/id"  # the data set that a job trains on
START_POINTER = "/start_from/dataset"  # its first weights; any other pointer is that of vectors of words
OWN_POINTERS = (DATA_POINTER, START_POINTER)  # what a job has in its own row, or has used up when it is edited

# Place → split that a data set has to have there, what is wrong otherwise, hint.
_WORD_VECTORS = (
    "vectors",
    "the data set holds no vectors of words",
    'upload a file of vectors with "format": "vectors"',
)
_REQUIRED_SPLITS = {
    DATA_POINTER: ("train", "the data set holds nothing to train on", "name another one"),
    START_POINTER: ("weights", "the data set holds no weights", 'upload a safetensors file with "format": "weights"'),
}
_UNTRAINABLE_SPLITS = (
    ("vectors", "vectors of words", "name them in a text feature, and other data here"),
    ("weights", "weights of a network", "name them in start_from, and other data here"),
)


def referenced_datasets(document: object) -> dict[str, str]:
    """Return the registered data sets that a job names, by pointer; the document may not have been checked."""
    if not isinstance(document, dict):
        return {}
    data, start = document.get("data"), document.get("start_from")
    ids = {START_POINTER: start.get("dataset")} if isinstance(start, dict) else {}
    if not isinstance(data, dict):
        data = {}
    if data.get("kind") == "dataset":
        ids[DATA_POINTER] = data.get("id")
    features = data.get("features")
    for name, feature in features.items() if isinstance(features, dict) else ():
        vectors = feature.get("vectors") if isinstance(feature, dict) else None
        if isinstance(vectors, dict):
            ids[json_pointer(["data", "features", name, "vectors", "dataset"])] = vectors.get("dataset")
    return {place: named for place, named in ids.items() if isinstance(named, str)}


def other_schemas(schemas: Mapping[str, DataSchema]) -> dict[str, DataSchema]:
    """Return those schemas, by pointer, that an edited job does not have in its own row."""
    return {place: schema for place, schema in schemas.items() if place not in OWN_POINTERS}


def load_schemas(session: Session, owner: str, document: object) -> dict[str, DataSchema]:
    """Return the schemas of the data sets that a job names, by pointer.

    Raises `InvalidInput` with a problem for each that is missing, not ready, or of the wrong kind.
    """
    schemas: dict[str, DataSchema] = {}
    problems: list[Problem] = []
    for place, dataset_id in referenced_datasets(document).items():
        try:
            row = lookup.find(session, owner, dataset_id)
        except NotFound as error:
            problems.append(_unknown_dataset(place, error))
            continue
        if row.status != DatasetStatus.READY or row.data_schema is None:
            detail = f"the data set is {row.status}"
            problems.append(Problem(place, "dataset_not_ready", detail, "upload its content first"))
        else:
            schemas[place] = DataSchema.model_validate(row.data_schema)
            problems += _kind_problems(place, schemas[place])
    if problems:
        raise InvalidInput(problems)
    return schemas


def _kind_problems(place: str, schema: DataSchema) -> list[Problem]:
    """Return the problem of a data set of the wrong kind, by its splits."""
    split, lack, hint = _REQUIRED_SPLITS.get(place, _WORD_VECTORS)
    if split in schema.rows:
        return []
    for other, thing, better in _UNTRAINABLE_SPLITS:
        if place == DATA_POINTER and other in schema.rows:
            return [Problem(place, "wrong_dataset", f"the data set holds {thing}, on which nothing is trained", better)]
    return [Problem(place, "wrong_dataset", lack, hint)]


def find_trainable(session: Session, owner: str, dataset_id: str) -> tuple[DatasetRow, DataSchema]:
    """Return a data set that something can be trained on, and its schema.

    Raises `NotFound`, and `Conflict` for one that is not ready, or holds vectors or weights.
    """
    row = lookup.find(session, owner, dataset_id)
    if row.status != DatasetStatus.READY or row.data_schema is None:
        raise Conflict(f"the data set is {row.status}", hint="upload its content first")
    schema = DataSchema.model_validate(row.data_schema)
    for problem in _kind_problems(DATA_POINTER, schema):
        raise Conflict(problem.detail, hint=problem.hint)
    return row, schema


def pin(session: Session, owner: str, document: object) -> None:
    """Keep the data sets that a job names from being deleted until the transaction ends.

    Raises `InvalidInput` if one is missing.
    """
    named = sorted(referenced_datasets(document).items(), key=lambda item: item[1])  # one order, so no deadlock
    for place, dataset_id in named:
        try:
            lookup.find(session, owner, dataset_id, shared=True)
        except NotFound as error:
            raise InvalidInput([_unknown_dataset(place, error)]) from None


def _unknown_dataset(place: str, error: NotFound) -> Problem:
    return Problem(place, "unknown_dataset", error.detail, "register it first")


def find_dependent_job(session: Session, owner: str, dataset_id: str) -> str | None:
    """Return the id of an unfinished job that names the data set, or `None`."""
    said = cast(JobRow.spec, Text).contains(dataset_id, autoescape=True)
    jobs = session.execute(
        select(JobRow.id, JobRow.spec).where(JobRow.owner == owner, JobRow.status.not_in(TERMINAL_STATUSES), said)
    )
    return next((row.id for row in jobs if dataset_id in referenced_datasets(row.spec).values()), None)
