"""Workers."""

from typing import Any, Literal, Self

from pydantic import Field
from sqlalchemy import Row

from app.api.schemas.base import ResponseModel
from app.heartbeat import Liveness, liveness, worker_devices
from app.spec.timestamps import format_optional_rfc3339, format_rfc3339


class Worker(ResponseModel):
    """A worker, by its last heartbeat. Workers of older versions report fewer fields.

    `silent`: no heartbeat for a while; `deaf`: the wake-ups that it sends to itself do not arrive.
    """

    name: str
    version: str | None
    state: Liveness
    queues: list[str]
    devices: list[str] | None = Field(description="Kinds of devices that its attempts can use, best first.")
    slots: int
    free: int | None
    started_at: str | None
    seen_at: str
    seconds_since_seen: float
    deaf_seconds: float
    attempts: dict[str, int] | None = Field(description="Attempts that ended since it started, by how they ended.")
    checkpoints: int | None = Field(description="Saved since it started.")
    checkpoint_bytes: int | None
    memory: dict[str, int] | None = Field(description="Bytes that the processes of its jobs use, by the jobs' ids.")
    disk_free: int | None = Field(description="Bytes that are free on the disk of its home.")

    @classmethod
    def from_row(cls, row: Row[Any], seconds: float, max_deaf_seconds: float) -> Self:
        """Describe a worker `seconds` after its last heartbeat; see `app.heartbeat.liveness`."""
        figures: dict[str, Any] = row.figures or {}
        attempts, checkpoints = figures.get("attempts"), figures.get("checkpoints") or {}
        return cls(
            name=row.name,
            version=row.version,
            state=liveness(row, seconds, max_deaf_seconds),
            queues=row.queues,
            devices=worker_devices(row),
            slots=row.slots,
            free=row.free,
            started_at=format_optional_rfc3339(row.started_at),
            seen_at=format_rfc3339(row.seen_at),
            seconds_since_seen=round(seconds, 3),
            deaf_seconds=round(row.deaf_seconds or 0.0, 3),
            attempts=None if attempts is None else {end: sum(codes.values()) for end, codes in attempts.items()},
            checkpoints=checkpoints.get("count"),
            checkpoint_bytes=checkpoints.get("bytes"),
            memory=figures.get("memory"),
            disk_free=figures.get("disk_free"),
        )


class WorkerPage(ResponseModel):
    """The workers of the last hour, by name: all of them."""

    items: list[Worker]
    has_more: Literal[False] = False
    clock_skew_seconds: float  # how far this API's clock is ahead of the database's
