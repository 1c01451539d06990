"""An upload, and its content."""

from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from app.errors import Problem
from app.spec.data.columns import Column, DataSchema, SchemaWarning
from app.spec.data.sources import UploadSource
from workers.data.columns import SplitColumns

MAX_UNPACKED_BYTES = 8 << 30  # bytes of unpacked content


@dataclass(frozen=True)
class Upload:
    """An uploaded file, and what the user said of it."""

    path: Path
    source: UploadSource
    limit: int = MAX_UNPACKED_BYTES
    known_schema: DataSchema | None = None  # of content that was read before: it is parsed by this


@dataclass(frozen=True)
class Content:
    """Stored columns by split, and their descriptions. "train" comes first; vectors and weights have no such split."""

    columns: tuple[Column, ...]
    splits: Mapping[str, SplitColumns]
    inputs: tuple[str, ...]
    target: str | None = None
    guessed_target: bool = False
    warnings: tuple[Problem, ...] = ()  # what was left out, guessed or converted, at /columns/NAME

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows by split."""
        return {name: len(cast(Sized, next(iter(split.values())))) for name, split in self.splits.items()}

    def schema(self) -> DataSchema:
        """Return what a job needs to know."""
        warnings = tuple(SchemaWarning(**warning.as_dict()) for warning in self.warnings)
        return DataSchema(
            columns=self.columns,
            rows=self.rows,
            inputs=self.inputs,
            target=self.target,
            guessed_target=self.guessed_target,
            warnings=warnings,
        )


FormatReader = Callable[[Upload], Content]  # raises `InvalidInput` with every problem
