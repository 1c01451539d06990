"""An assignment: everything that one attempt needs, as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class CheckpointRef:
    """A stored checkpoint to start or resume from."""

    id: str
    step: int
    files: tuple[Mapping[str, Any], ...]  # name, path, size, sha256, public
    values: Mapping[str, float | None] = field(default_factory=dict)  # by series, at its step
    revision: int = 1  # of the job that it belongs to


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """The source of a registered data set."""

    source: Mapping[str, Any]  # {"kind": "builtin" | "torchvision", "name"} or {"kind": "upload", "format", "target"}
    path: str | None = None  # key of uploaded content in the store


@dataclass(frozen=True, slots=True)
class EditRef:
    """An edit that waits for its trigger, or one that was applied, with its step and what was chosen then.

    An attempt that resumes from before an edit applies it again at its step. A rollback is an edit without operations,
    at the step of the checkpoint that it goes back to; the edits in between are left out.
    """

    number: int | None  # `None`: the plan made it, and nobody has numbered it yet
    operations: tuple[Mapping[str, Any], ...]
    at: Mapping[str, Any] | Literal["now"] = "now"  # `app.spec.edits.edit.Trigger`
    step: int | None = None  # where it was applied
    revision: int | None = None  # that began with it
    choices: Mapping[int, tuple[int, ...]] = field(default_factory=dict)  # by place of the operation
    rule: int | None = None  # of `training.edits`, if the plan made it
    firing: int = 0  # which time of that rule, from 1
    expect_revision: int | None = None  # that it was written for


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt at one job."""

    job_id: str
    fence: int
    spec: Mapping[str, Any]  # as the user wrote it: revision 1
    data_schema: Mapping[str, Any]
    store_url: str
    data_root: str  # where torchvision data sets lie
    allow_downloads: bool = True
    log_json: bool = False
    threads: int = 1
    loaders: int = 0  # processes beside the training that decode images
    resident_limit: int = 4 << 30  # bytes of decoded images
    memory: int = 0  # bytes that the attempt may use; 0: no limit
    gpus: tuple[int, ...] = ()  # the only GPUs that this attempt may see; empty: whatever the machine has
    dataset: DatasetRef | None = None  # if the spec names a registered data set
    weights: DatasetRef | None = None  # if the spec starts from a file of weights
    word_vectors: Mapping[str, DatasetRef] = field(default_factory=dict)  # by id of the data set
    resume_from: tuple[CheckpointRef, ...] = ()  # newest first; the first that verifies is used
    start_from: CheckpointRef | None = None  # another job's checkpoint, if there is none to resume from
    start_document: Mapping[str, Any] | None = None  # the whole spec of that job at that checkpoint
    edits: tuple[EditRef, ...] = ()  # applied ones by revision, then those that wait, by number
    documents: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)  # of later revisions of `resume_from`
    store_options: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the JSON form."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Assignment":
        """Read the JSON form. Raises `ValueError`."""
        return _ADAPTER.validate_python(json.loads(text))


_ADAPTER = TypeAdapter(Assignment)
