"""How much an edit changes what a job's network computes, measured on rows of the job's own data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app import checkpoints
from app.api.children.edits import CheckedEdit
from app.api.children.predictions import REQUIRED_FILES
from app.api.services import Services
from app.datasets import contents, lookup, references
from app.db.tables import CheckpointRow, DatasetRow
from app.edits import revisions
from app.jobs import repository
from workers.protocol.child_requests import Json, MeasureRequest

SPLITS = ("test", "validation", "train")


@dataclass(frozen=True, slots=True)
class MeasurementSource:
    """The newest checkpoint, its spec, the edits since, and the data set."""

    checkpoint: CheckpointRow
    spec: Json
    schema: Json
    earlier: tuple[tuple[Json, ...], ...]  # operations of the edits that come before the one that is measured
    dataset: DatasetRow | None  # a registered one

    @property
    def files(self) -> list[Mapping[str, Any]]:
        """The weights, the preparation of rows, and the content of an upload."""
        public = checkpoints.public_files(self.checkpoint)
        uploaded = self.dataset is not None and self.dataset.source["kind"] == "upload"
        own = [contents.content_file(self.dataset)] if self.dataset is not None and uploaded else []
        return [*(public[name] for name in REQUIRED_FILES), *own]


def measure_difference(services: Services, owner: str, job_id: str, check: CheckedEdit) -> dict[str, Any] | None:
    """Return how much the outputs change.

    `None` while there is no checkpoint, if no split is small enough, and where gradients, which only a training has,
    choose what stays. Raises what `PredictorPool.measure` raises.
    """
    operations = tuple(check.submitted.document["operations"])
    source = services.db.read(_find_source, owner, job_id, check)
    if source is None or any(_needs_gradients(each) for each in (*source.earlier, operations)):
        return None
    if any(name not in checkpoints.public_files(source.checkpoint) for name in REQUIRED_FILES):
        return None
    settings, rows = services.settings, source.schema["rows"]
    data = source.spec["data"]
    split = next((name for name in SPLITS if 0 < rows.get(name, 0) <= settings.evaluate_rows), None)
    if split is None and data["kind"] != "environment":
        return None
    named = {"kind": data["kind"], "name": data.get("name")}
    with services.predictors.copies.local_files(services.store, source.files) as (weights, preparation, *content):
        figures = services.predictors.measure(
            MeasureRequest(
                job=source.spec,
                schema=source.schema,
                weights=weights,
                preparation=preparation,
                source=source.dataset.source if source.dataset is not None else named,
                content=content[0] if content else None,
                data_root=Path(settings.resolved_data_root),
                split=split,
                earlier=source.earlier,
                operations=operations,
                edit=check.ground.next_number,
                device=settings.predict_device,
            )
        )
    return {"checkpoint_id": source.checkpoint.id, "step": source.checkpoint.step, **figures}


def _needs_gradients(operations: Sequence[Json]) -> bool:
    return any(each["op"] == "narrow" and each.get("by") == "gradient" for each in operations)


def _find_source(session: Session, owner: str, job_id: str, check: CheckedEdit) -> MeasurementSource | None:
    job = repository.find(session, owner, job_id)
    checkpoint = checkpoints.latest(session, job)
    if checkpoint is None:
        return None
    spec = revisions.checkpoint_document(session, job, checkpoint)
    since = [row for row in revisions.current_line(session, job).edits() if (row.revision or 0) > checkpoint.revision]
    earlier = (*(tuple(row.operations) for row in since if row.operations), *(each for _, each in check.ground.pending))
    dataset_id = references.referenced_datasets(spec).get(references.DATA_POINTER)
    dataset = lookup.find(session, owner, dataset_id) if dataset_id is not None else None
    return MeasurementSource(checkpoint, spec, job.data_schema, earlier, dataset)
