"""What an export says of a job besides its curves, and how a curve is written."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from graftwerk.types import Point

Parameter = str | float | bool
LEFT_OUT = ("name", "metadata")  # parts of a spec that are no hyper-parameters
MAX_ITEMS = 50  # of a list in a spec that is written item by item
UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Run:
    """A job as an export names it: times in seconds since 1970, hyper-parameters by their path in the spec."""

    id: str
    name: str
    status: str
    start: float
    end: float | None
    parameters: Mapping[str, Parameter]
    labels: Mapping[str, str]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Run":
        """Build a run from the service's JSON of a job."""
        spec = {name: value for name, value in (document.get("spec") or {}).items() if name not in LEFT_OUT}
        return cls(
            id=document["id"],
            name=document["name"],
            status=document["status"],
            start=_seconds(document.get("started_at") or document.get("created_at")) or 0.0,
            end=_seconds(document.get("finished_at")),
            parameters=dict(_flatten("", spec)),
            labels=document.get("metadata") or {},
        )

    @property
    def folder(self) -> str:
        """A file name for the run, which no other run has."""
        return f"{UNSAFE.sub('-', self.name).strip('-.')[:80]}-{self.id}".lstrip("-")


class CurveWriter(Protocol):
    """Writes points as they arrive, those of a series mostly one after the other, and holds few of them."""

    def write(self, point: Point) -> None:
        """Write a point."""
        ...

    def close(self) -> None:
        """Write what is left, and close the files."""
        ...


def _seconds(time: str | None) -> float | None:
    return datetime.fromisoformat(time).timestamp() if time else None


def _flatten(path: str, value: Any) -> Iterator[tuple[str, Parameter]]:
    """Yield the numbers, texts and truth values of a document by their paths, such as `training.optimizer.lr`."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flatten(f"{path}.{name}" if path else str(name), item)
    elif isinstance(value, list):
        for index, item in enumerate(value[:MAX_ITEMS]):
            yield from _flatten(f"{path}.{index}", item)
    elif isinstance(value, str | int | float):
        yield path, value
