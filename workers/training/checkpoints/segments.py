"""Segments: parts of a large state that are files of their own, which later checkpoints list again while they last.

A checkpoint lists all of its segments, whichever checkpoint has written them. A segment's file is removed with the last
checkpoint that lists it, see `app.checkpoints.remove`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from workers.data.loading.batch_source import Segment
from workers.protocol.messages import SavedFile

SEGMENT_NAME = re.compile(r"segment-(\d{6})-(\d+)\.safetensors")


def segment_name(segment: Segment) -> str:
    """Return the name of the file of a segment: its number and its version."""
    return f"segment-{segment.number:06}-{segment.version}.safetensors"


def is_segment(name: str) -> bool:
    """Say whether a file of a checkpoint is a segment."""
    return SEGMENT_NAME.fullmatch(name) is not None


@dataclass
class StoredSegments:
    """The files of the segments of the newest checkpoint, by number."""

    files: dict[int, SavedFile] = field(default_factory=dict)

    def find(self, segment: Segment) -> SavedFile | None:
        """Return the file that has the content of a segment, if there is one."""
        file = self.files.get(segment.number)
        return file if file is not None and file.name == segment_name(segment) else None

    def listed(self, segments: Sequence[Segment]) -> list[SavedFile]:
        """Return the files of the segments that were left without tensors, because they were stored already."""
        files = [self.find(segment) for segment in segments if not segment.tensors]
        found = [file for file in files if file is not None]
        if len(found) < len(files):
            raise LookupError("a segment that was stored is not among those of the newest checkpoint")
        return found

    def copy(self, segment: Segment) -> Segment:
        """Return a segment whose tensors are copied to the CPU; without tensors if a file has its content."""
        if self.find(segment) is not None:
            return Segment(segment.number, segment.version, {})
        copies = {name: value.to("cpu", copy=True).contiguous() for name, value in segment.tensors.items()}
        return Segment(segment.number, segment.version, copies)

    def update(self, files: Iterable[SavedFile]) -> None:
        """Take over the segments among the files of a checkpoint, which is the newest one from now on."""
        found = ((SEGMENT_NAME.fullmatch(file.name), file) for file in files)
        self.files = {int(match[1]): file for match, file in found if match is not None}


def write_segments(segments: Sequence[Segment], folder: Path) -> list[Path]:
    """Write the segments that are copies into a folder; return their paths."""
    paths = []
    for segment in segments:
        if segment.tensors:
            path = folder / segment_name(segment)
            save_file(dict(segment.tensors), path)
            paths.append(path)
    return paths


def join_segments(paths: Mapping[str, Path]) -> dict[str, Tensor]:
    """Return the whole tensors of all segments; `paths` are by the names of their files."""
    parts: dict[str, list[Tensor]] = {}
    for _, path in sorted(paths.items()):
        for name, value in load_file(path).items():
            parts.setdefault(name, []).append(value)
    return {name: torch.cat(values) for name, values in parts.items()}
