"""The API's second window on torch: warm child processes with limits, in which trained networks answer.

They keep the last few networks, so that asking again takes milliseconds. The API process never loads torch: it passes
files, those of a checkpoint and the body of a request, by their paths.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import structlog

from app.api.children.pool import ChildPool
from app.api.rate_limits import ConcurrencyLimiter
from app.errors import (
    ContentTooLarge,
    GraftwerkError,
    InvalidInput,
    MalformedRequest,
    NotPredictable,
    Problem,
    UnsupportedMediaType,
)
from app.settings import Settings
from app.storage.cache import ArtifactCache

MAX_WAITING_REQUESTS = (
    8  # requests for each predictor that wait for it, with their bodies; more are turned away at once
)
PREDICTIONS_BUSY = "predictions are being made"
PREDICTION_FAILED = Problem(
    "",
    "prediction_failed",
    "the prediction failed, which is a fault of this service",
    "try again; if that does not help, report it with the rows",
)
ERRORS_BY_CODE: Mapping[str, type[GraftwerkError]] = {
    kind.code: kind for kind in (MalformedRequest, NotPredictable, ContentTooLarge, UnsupportedMediaType)
}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PredictionRequest:
    """Rows in a file, and the checkpoint that shall answer; the answer becomes a file, too."""

    checkpoint: str
    job: Mapping[str, Any]
    data_schema: Mapping[str, Any]
    metadata: Mapping[str, Any]  # what the answer says besides
    body: Path
    media_type: str
    form: str
    options: Mapping[str, Any]
    as_csv: bool
    target: Path


class CheckpointMismatch(Exception):
    """The body names another checkpoint than the one that was asked."""

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint
        super().__init__(checkpoint)


def _child_main(pipe: Connection, memory: int) -> None:
    from workers.children.predict import serve  # noqa: PLC0415 - in the child alone: it loads torch

    serve(pipe, memory)


def _gpu_child_main(pipe: Connection, memory: int) -> None:
    from workers.children.predict import serve  # noqa: PLC0415 - as above

    serve(pipe, memory, limited=False)  # CUDA maps far more memory than it uses


CHILD_MAINS = {"cpu": _child_main, "cuda": _gpu_child_main}


class PredictorPool:
    """Lets networks answer in children; safe for threads.

    `copies` are the files of checkpoints on this machine, `places` the room for requests.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.copies = ArtifactCache(settings.home / "cache", settings.predict_cache)
        self.pool = ChildPool(CHILD_MAINS[settings.predict_device], settings.predict_memory, settings.predictors)
        self.limiter = ConcurrencyLimiter(settings.predictors * (MAX_WAITING_REQUESTS + 1), PREDICTIONS_BUSY)

    def predict(self, question: PredictionRequest, weights: Path, preparation: Path) -> None:
        """Write what the network tells of the rows into the question's target.

        Raises `InvalidInput` with every problem of the rows, also where it takes more time or memory than allowed;
        `TooLarge`, `Malformed`, `NotPredictable`; `Another`; `Overloaded` when no child is free in time; `Unavailable`.
        """
        settings = self._settings
        request = {
            "ask": "predict",
            "checkpoint": question.checkpoint,
            "job": question.job,
            "schema": question.data_schema,
            "told": question.metadata,
            "weights": str(weights),
            "preparation": str(preparation),
            "body": str(question.body),
            "media_type": question.media_type,
            "form": question.form,
            "asked": question.options,
            "table": question.as_csv,
            "target": str(question.target),
            "most_rows": settings.predict_rows,
            "most_bytes": settings.predict_limit,
            "device": settings.predict_device,
        }
        found = self._request(request)
        if "checkpoint" in found:
            raise CheckpointMismatch(found["checkpoint"])

    def requested_checkpoint(self, body: Path, media_type: str) -> str | None:
        """Return the checkpoint that a document names. Raises as `answer` does."""
        request = {
            "ask": "named",
            "body": str(body),
            "media_type": media_type,
            "most_rows": self._settings.predict_rows,
        }
        found: str | None = self._request(request)["checkpoint"]
        return found

    def close(self) -> None:
        """End the children, after what they are at. The next request would start new ones."""
        self.pool.close()

    def _request(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a child's answer, or raise what stood in the way."""
        settings = self._settings
        body = json.dumps(request).encode()
        found = self.pool.request(body, settings.predict_seconds, settings.inspect_seconds, PREDICTIONS_BUSY)
        if "problems" in found:
            raise InvalidInput([Problem(**problem) for problem in found["problems"]])
        if "refused" in found and found["refused"]["code"] in ERRORS_BY_CODE:
            refused = found["refused"]
            raise ERRORS_BY_CODE[refused["code"]](refused["detail"], hint=refused["hint"])
        if "failure" in found or "refused" in found:
            raise InvalidInput([self._failure_problem(found.get("failure") or found["refused"]["detail"])])
        return found

    def _failure_problem(self, failure: str) -> Problem:
        limits = {
            "time": f"{self._settings.predict_seconds:g} s",
            "memory": f"{self._settings.predict_memory >> 20} MiB",
        }
        if failure not in limits:
            _log.error(PREDICTION_FAILED.code, error=failure)
            return PREDICTION_FAILED
        detail = f"the prediction takes more than {limits[failure]}"
        return Problem("", "too_complex", detail, "send fewer rows at once")
