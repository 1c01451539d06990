"""Predicts with trained networks in warm child processes with limits.

They keep the last few networks, so that the next request takes milliseconds. The API process never loads torch: it
passes files, those of a checkpoint and the body of a request, by their paths.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from app.api.children.pool import ChildPool
from app.errors import (
    ContentTooLarge,
    GraftwerkError,
    InvalidInput,
    MalformedRequest,
    NotPredictable,
    Problem,
    StorageFull,
    UnsupportedMediaType,
)
from app.settings import Settings
from app.storage.cache import ArtifactCache
from workers.protocol.child_requests import (
    CheckpointRequest,
    CheckpointResponse,
    ChildRequest,
    ChildResponse,
    EvaluateRequest,
    EvaluateResponse,
    FailureResponse,
    InvalidResponse,
    MeasureRequest,
    MeasureResponse,
    PredictRequest,
    PredictResponse,
    RefusedResponse,
)

PREDICTIONS_BUSY = "predictions are in progress"
PREDICTION_FAILED = Problem(
    "",
    "prediction_failed",
    "the prediction failed, which is a fault of this service",
    "try again; if that does not help, report it with the rows",
)
ERRORS_BY_CODE: Mapping[str, type[GraftwerkError]] = {
    kind.code: kind for kind in (MalformedRequest, NotPredictable, ContentTooLarge, StorageFull, UnsupportedMediaType)
}

_log = structlog.get_logger(__name__)


class CheckpointMismatch(Exception):
    """The body names another checkpoint than the request."""

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint
        super().__init__(checkpoint)


CHILD_MAINS = {"cpu": "predictor", "cuda": "gpu_predictor"}  # names of `workers.runner.preload`


class PredictorPool:
    """Predicts in children; safe for threads.

    `copies` holds the files of checkpoints on this machine.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.copies = ArtifactCache(settings.home / "cache", settings.predict_cache)
        self.pool = ChildPool(CHILD_MAINS[settings.predict_device], settings.predict_memory, settings.predictors)

    def predict(self, request: PredictRequest) -> None:
        """Write the predictions into the request's target.

        Raises `InvalidInput` with every problem of the rows, also if they take more time or memory than allowed;
        `CheckpointMismatch`; `ContentTooLarge`, `MalformedRequest`, `NotPredictable`, `StorageFull`,
        `UnsupportedMediaType`; `ServiceOverloaded` if no child is free in time; `Unavailable`.
        """
        response = self._request(request)
        if not isinstance(response, PredictResponse):
            raise self._error(response)
        if response.other_checkpoint is not None:
            raise CheckpointMismatch(response.other_checkpoint)

    def requested_checkpoint(self, body: Path, media_type: str) -> str | None:
        """Return the checkpoint that a document names, if it names one. Raises as `predict` does."""
        response = self._request(CheckpointRequest(body, media_type, self.settings.predict_rows))
        if not isinstance(response, CheckpointResponse):
            raise self._error(response)
        return response.checkpoint

    def evaluate(self, request: EvaluateRequest) -> Mapping[str, Any]:
        """Return the figures of a data set. Raises as `predict` does, with problems of the data set."""
        seconds = self.settings.evaluate_seconds
        response = self._request(request, seconds)
        if not isinstance(response, EvaluateResponse):
            raise self._error(response, seconds, "evaluation", "evaluate fewer rows at once", "/dataset")
        return response.document

    def measure(self, request: MeasureRequest) -> Mapping[str, Any]:
        """Return how much an edit changes the outputs. Raises as `predict` does, with problems of the edit."""
        seconds = self.settings.evaluate_seconds
        response = self._request(request, seconds)
        if not isinstance(response, MeasureResponse):
            raise self._error(response, seconds, "dry run", "send the edit without one", "/operations")
        return response.document

    def close(self) -> None:
        """End the children after their current requests. The next request would start new ones."""
        self.pool.close()
        self.copies.close()

    def _request(self, request: ChildRequest, seconds: float | None = None) -> ChildResponse:
        settings = self.settings
        limit = settings.predict_seconds if seconds is None else seconds
        return self.pool.request(request, limit, settings.inspect_seconds, PREDICTIONS_BUSY)

    def _error(
        self,
        response: ChildResponse,
        seconds: float | None = None,
        what: str = "prediction",
        hint: str = "send fewer rows at once",
        pointer: str = "",
    ) -> GraftwerkError:
        """Return the error that a response stands for, of a request that had a time limit in seconds."""
        if isinstance(response, InvalidResponse):
            return InvalidInput(response.problems)
        if isinstance(response, RefusedResponse) and response.code in ERRORS_BY_CODE:
            return ERRORS_BY_CODE[response.code](response.detail, hint=response.hint)
        reason = response.reason if isinstance(response, FailureResponse) else repr(response)
        limit = self.settings.predict_seconds if seconds is None else seconds
        limits = {"time": f"{limit:g} s", "memory": f"{self.settings.predict_memory >> 20} MiB"}
        if reason in limits:
            return InvalidInput([Problem(pointer, "too_complex", f"the {what} takes more than {limits[reason]}", hint)])
        _log.error(PREDICTION_FAILED.code, error=reason)
        return InvalidInput([PREDICTION_FAILED])
