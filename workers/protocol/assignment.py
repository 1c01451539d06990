"""What a supervisor hands to a runner: everything an attempt needs, as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class CheckpointRef:
    """A listed checkpoint to go on from."""

    id: str  # its id
    step: int
    files: tuple[Mapping[str, Any], ...]  # name, path, size, sha256, public


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """What stands behind the id of a registered data set."""

    source: Mapping[str, Any]  # {"kind": "builtin" | "torchvision", "name"} or {"kind": "upload", "format", "target"}
    path: str | None = None  # key of uploaded content in the store


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt at one job."""

    job_id: str
    fence: int
    spec: Mapping[str, Any]  # the job as the user wrote it
    data_schema: Mapping[str, Any]
    store_url: str
    data_root: str  # where torchvision data sets lie
    allow_downloads: bool = True
    log_json: bool = False
    threads: int = 1
    loaders: int = 0  # processes beside the training that decode pictures
    resident_limit: int = 4 << 30  # bytes of decoded pictures
    gpu: int | None = None  # the only GPU this attempt may see
    dataset: DatasetRef | None = None  # for a spec that names a registered data set
    weights: DatasetRef | None = None  # for a spec that starts from a file of weights
    word_vectors: Mapping[str, DatasetRef] = field(
        default_factory=dict
    )  # by id, for features that name pretrained vectors
    resume_from: tuple[CheckpointRef, ...] = field(default=())  # newest first; the first that verifies is used
    start_from: CheckpointRef | None = None  # another job's checkpoint to begin with, where there is none to resume
    store_options: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the JSON form."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Assignment":
        """Read the JSON form."""
        body = json.loads(text)
        body["resume_from"] = tuple(map(_checkpoint_ref, body["resume_from"]))
        body["start_from"] = _checkpoint_ref(body["start_from"]) if body["start_from"] is not None else None
        body["dataset"] = DatasetRef(**body["dataset"]) if body["dataset"] is not None else None
        body["weights"] = DatasetRef(**body["weights"]) if body["weights"] is not None else None
        body["word_vectors"] = {name: DatasetRef(**item) for name, item in body["word_vectors"].items()}
        return Assignment(**body)


def _checkpoint_ref(item: Mapping[str, Any]) -> CheckpointRef:
    return CheckpointRef(item["id"], item["step"], tuple(item["files"]))
