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

from app.api.children.pool import Pool
from app.api.rate_limits import Places
from app.errors import (
    GraftwerkError,
    InvalidInput,
    Malformed,
    NotPredictable,
    Problem,
    TooLarge,
    UnsupportedMedia,
)
from app.settings import Settings
from app.storage.copies import Copies

WAITING = 8  # requests for each predictor that wait for it, with their bodies; more are turned away at once
BUSY = "predictions are being made"
FAULT = Problem("", "prediction_failed", "the prediction failed, which is a fault of this service",
                "try again; if that does not help, report it with the rows")  # fmt: skip
REFUSALS: Mapping[str, type[GraftwerkError]] = {
    kind.code: kind for kind in (Malformed, NotPredictable, TooLarge, UnsupportedMedia)
}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """Rows in a file, and the checkpoint that shall answer; the answer becomes a file, too."""

    checkpoint: str
    job: Mapping[str, Any]
    data_schema: Mapping[str, Any]
    told: Mapping[str, Any]  # what the answer says besides
    body: Path
    media_type: str
    form: str
    asked: Mapping[str, Any]
    table: bool
    target: Path


class Another(Exception):
    """The body names another checkpoint than the one that was asked."""

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint
        super().__init__(checkpoint)


def _main(pipe: Connection, memory: int) -> None:
    from workers.children.predict import serve  # noqa: PLC0415 - in the child alone: it loads torch

    serve(pipe, memory)


def _main_on_gpu(pipe: Connection, memory: int) -> None:
    from workers.children.predict import serve  # noqa: PLC0415 - as above

    serve(pipe, memory, limited=False)  # CUDA maps far more memory than it uses


MAINS = {"cpu": _main, "cuda": _main_on_gpu}


class Predictors:
    """Lets networks answer in children; safe for threads.

    `copies` are the files of checkpoints on this machine, `places` the room for requests.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.copies = Copies(settings.home / "cache", settings.predict_cache)
        self.pool = Pool(MAINS[settings.predict_device], settings.predict_memory, settings.predictors)
        self.places = Places(settings.predictors * (WAITING + 1), BUSY)

    def answer(self, question: Question, weights: Path, preparation: Path) -> None:
        """Write what the network tells of the rows into the question's target.

        Raises `InvalidInput` with every problem of the rows, also where it takes more time or memory than allowed;
        `TooLarge`, `Malformed`, `NotPredictable`; `Another`; `Overloaded` when no child is free in time; `Unavailable`.
        """
        settings = self._settings
        request = {
            "ask": "predict", "checkpoint": question.checkpoint, "job": question.job, "schema": question.data_schema,
            "told": question.told, "weights": str(weights), "preparation": str(preparation), "body": str(question.body),
            "media_type": question.media_type, "form": question.form, "asked": question.asked, "table": question.table,
            "target": str(question.target), "most_rows": settings.predict_rows, "most_bytes": settings.predict_limit,
            "device": settings.predict_device,
        }  # fmt: skip
        found = self._asked(request)
        if "checkpoint" in found:
            raise Another(found["checkpoint"])

    def named(self, body: Path, media_type: str) -> str | None:
        """Return the checkpoint that a document names. Raises as `answer` does."""
        request = {
            "ask": "named",
            "body": str(body),
            "media_type": media_type,
            "most_rows": self._settings.predict_rows,
        }
        found: str | None = self._asked(request)["checkpoint"]
        return found

    def close(self) -> None:
        """End the children, after what they are at. The next request would start new ones."""
        self.pool.close()

    def _asked(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a child's answer, or raise what stood in the way."""
        settings = self._settings
        body = json.dumps(request).encode()
        found = self.pool.ask(body, settings.predict_seconds, settings.inspect_seconds, BUSY)
        if "problems" in found:
            raise InvalidInput([Problem(**problem) for problem in found["problems"]])
        if "refused" in found and found["refused"]["code"] in REFUSALS:
            refused = found["refused"]
            raise REFUSALS[refused["code"]](refused["detail"], hint=refused["hint"])
        if "failure" in found or "refused" in found:
            raise InvalidInput([self._told(found.get("failure") or found["refused"]["detail"])])
        return found

    def _told(self, failure: str) -> Problem:
        limits = {
            "time": f"{self._settings.predict_seconds:g} s",
            "memory": f"{self._settings.predict_memory >> 20} MiB",
        }
        if failure not in limits:
            _log.error(FAULT.code, error=failure)
            return FAULT
        detail = f"the prediction takes more than {limits[failure]}"
        return Problem("", "too_complex", detail, "send fewer rows at once")
