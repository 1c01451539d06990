"""Evaluations: a job's network on a labelled data set."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.api.children.predictions import MAX_ATTEMPTS, PredictionSource, prediction_source
from app.api.services import Services
from app.datasets import contents, lookup
from app.datasets.lookup import DatasetStatus
from app.db.tables import DatasetRow
from app.errors import InvalidInput, NotFound, Problem
from app.spec.prediction import EvaluationRequest
from workers.protocol.child_requests import EvaluateRequest

DATASET_POINTER = "/dataset"
TRAINED_ON_HINT = "evaluate other rows: figures on these say little about new ones"


@dataclass(frozen=True, slots=True)
class EvaluationSource:
    """A job, the checkpoint to evaluate, and the data set."""

    trained: PredictionSource
    dataset: DatasetRow
    is_own_data: bool  # whether the job was trained on this content

    @property
    def files(self) -> list[Mapping[str, Any]]:
        """The weights, the preparation of rows, and the content of an upload. Raises `NotPredictable`."""
        own = [contents.content_file(self.dataset)] if self.dataset.source["kind"] == "upload" else []
        return [*self.trained.files, *own]


def evaluate(services: Services, owner: str, job_id: str, request: EvaluationRequest) -> dict[str, Any]:
    """Return the figures of a data set, and the checkpoint that was evaluated.

    Raises `NotFound`, `InvalidState` while there is no checkpoint, `InvalidInput` for a data set that does not fit the
    job or is too large, and what `PredictorPool.evaluate` raises.
    """
    for remaining in reversed(range(MAX_ATTEMPTS)):
        source = services.db.read(_evaluation_source, owner, job_id, request)
        _check_size(source.dataset, request, services.settings.evaluate_rows)
        try:
            figures = _evaluate(services, source, request)
        except NotFound:  # checkpoints of a running job come and go
            if not remaining:
                raise
        else:
            checkpoint = source.trained.checkpoint
            return {
                "job_id": job_id,
                "checkpoint_id": checkpoint.id,
                "step": checkpoint.step,
                "dataset": source.dataset.id,
                **figures,
                "warnings": _warnings(source, figures["split"]),
            }
    raise NotFound(f"{job_id} has no checkpoint {request.checkpoint}")


def _evaluate(services: Services, source: EvaluationSource, request: EvaluationRequest) -> Mapping[str, Any]:
    job, settings = source.trained.job, services.settings
    with services.predictors.copies.local_files(services.store, source.files) as (weights, preparation, *content):
        return services.predictors.evaluate(
            EvaluateRequest(
                job=source.trained.spec,
                schema=job.data_schema,
                weights=weights,
                preparation=preparation,
                source=source.dataset.source,
                dataset_schema=source.dataset.data_schema or {},
                content=content[0] if content else None,
                data_root=Path(settings.resolved_data_root),
                split=request.split,
                device=settings.predict_device,
            )
        )


def _evaluation_source(session: Session, owner: str, job_id: str, request: EvaluationRequest) -> EvaluationSource:
    trained = prediction_source(session, owner, job_id, request.checkpoint)
    if trained.spec["data"]["kind"] == "environment":
        detail = "the job's network acts in an environment, and is compared with no data set"
        hint = f"GET /v1/jobs/{job_id}/report has the returns of its evaluations"
        raise InvalidInput([Problem(DATASET_POINTER, "no_rows", detail, hint)])
    try:
        dataset = lookup.find(session, owner, request.dataset)
    except NotFound as error:
        raise InvalidInput([Problem(DATASET_POINTER, "unknown_dataset", error.detail, "register it first")]) from None
    if dataset.status != DatasetStatus.READY or dataset.data_schema is None:
        detail = f"the data set is {dataset.status}"
        raise InvalidInput([Problem(DATASET_POINTER, "dataset_not_ready", detail, "upload its content first")])
    if "train" not in dataset.data_schema["rows"]:
        detail = "the data set holds no examples"
        raise InvalidInput([Problem(DATASET_POINTER, "wrong_dataset", detail, "name another one")])
    return EvaluationSource(trained, dataset, _is_own_data(session, owner, trained.spec["data"], dataset))


def _is_own_data(session: Session, owner: str, data: Mapping[str, Any], dataset: DatasetRow) -> bool:
    if data["kind"] != "dataset":
        return {name: data[name] for name in ("kind", "name")} == dataset.source
    try:
        own = lookup.find(session, owner, data["id"])
    except NotFound:
        return False
    return own.id == dataset.id or (own.sha256 is not None and own.sha256 == dataset.sha256)


def _check_size(dataset: DatasetRow, request: EvaluationRequest, limit: int) -> None:
    rows: Mapping[str, int] = (dataset.data_schema or {})["rows"]
    split: str = request.split or next(name for name in ("test", "validation", "train") if name in rows)
    if rows.get(split, 0) > limit:
        detail = f"the split {split} has {rows[split]:,} rows, at most {limit:,} are evaluated at once"
        hint = "evaluate a sample of them, or name them as the test of a job"
        raise InvalidInput([Problem(DATASET_POINTER, "too_many_rows", detail, hint)])


def _warnings(source: EvaluationSource, split: str) -> list[dict[str, str]]:
    if not source.is_own_data or split != "train":
        return []
    detail = "the job was trained on rows of this split"
    return [Problem(DATASET_POINTER, "evaluated_on_training_rows", detail, TRAINED_ON_HINT).as_dict()]
