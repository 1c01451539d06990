"""Columns of images: bytes in memory or in files, which become float32 batch by batch.

Training and evaluation have a pipeline of transforms each; that of training draws random numbers by the keys of rows.
A pipeline works on bytes as long as it can, so that what is kept in memory and sent between processes is small.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Protocol, Self

import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.images.shapes import ImageShape, infer_image_shape
from app.spec.data.images.transforms import BaseTransform
from workers.data.images.transforms import TransformStep, apply_steps, build_steps, stack_if_same_size
from workers.data.rng import view_keys

MATERIALIZE_CHUNK = 256  # images that are decoded at once
CPU = torch.device("cpu")


class LazyImages(Protocol):
    """Images that are decoded on demand."""

    def __len__(self) -> int: ...

    def take(self, indices: Tensor) -> "LazyImages":
        """Return the images at these rows."""
        ...

    def read(self, row: int) -> Tensor:
        """Return an image: uint8 (channels, height, width). Raises `DataError`."""
        ...


@dataclass(frozen=True)
class TransformPipeline:
    """Transforms of bytes, and from Normalize on, of floating-point numbers."""

    byte_steps: tuple[TransformStep, ...] = ()
    float_steps: tuple[TransformStep, ...] = ()

    @classmethod
    def from_specs(cls, parts: Sequence[BaseTransform]) -> Self:
        """Build a pipeline. Raises `DataError` if torchvision refuses a setting."""
        steps = build_steps(parts)
        kinds = [step.spec.kind for step in steps]
        first = kinds.index("Normalize") if "Normalize" in kinds else len(steps)
        return cls(steps[:first], steps[first:])

    @property
    def deterministic_prefix(self) -> tuple[TransformStep, ...]:
        """The first steps, up to a random one: their results can be kept."""
        count = next(
            (position for position, step in enumerate(self.byte_steps) if step.is_random), len(self.byte_steps)
        )
        return self.byte_steps[:count]

    def without_deterministic_prefix(self) -> "TransformPipeline":
        """Return the steps after the deterministic prefix."""
        return TransformPipeline(self.byte_steps[len(self.deterministic_prefix) :], self.float_steps)

    def deterministic_steps(self) -> "TransformPipeline":
        """Return the pipeline without random steps."""
        return TransformPipeline(
            *(tuple(step for step in steps if not step.is_random) for steps in (self.byte_steps, self.float_steps))
        )


@dataclass(frozen=True)
class ImageColumn:
    """A column of images. Batches with keys are of training, those without of evaluation."""

    pixels: Tensor | LazyImages  # (rows, channels, height, width): uint8, or scaled float32
    training: TransformPipeline
    evaluation: TransformPipeline
    scale: Callable[[Tensor], Tensor] | None  # from bytes to numbers; `None` if `pixels` are scaled
    shape: ImageShape  # of an image in `pixels`
    view: int = 0  # of several inputs that read the same images: each draws random numbers of its own

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def is_resident(self) -> bool:
        """Whether the images are decoded, in memory."""
        return isinstance(self.pixels, Tensor)

    @property
    def device(self) -> torch.device:
        """The device of the images."""
        return self.pixels.device if isinstance(self.pixels, Tensor) else CPU

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of batches."""
        return torch.float32

    @property
    def nbytes(self) -> int:
        """The size in memory, in bytes."""
        return self.pixels.nbytes if isinstance(self.pixels, Tensor) else 0

    def is_floating_point(self) -> bool:
        """Return `True`: batches are float32."""
        return True

    def to(self, target: torch.device | torch.dtype) -> "ImageColumn":
        """Return the same images on a device. Their batches are float32 for any dtype."""
        if isinstance(target, torch.dtype) or not isinstance(self.pixels, Tensor):
            return self
        return replace(self, pixels=self.pixels.to(target))

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """Return these rows as a batch in evaluation: float32 (rows, channels, height, width); `dim` is 0."""
        return self.batch(rows, None)

    def __getitem__(self, rows: slice) -> Tensor:
        """Return consecutive rows as a batch in evaluation."""
        return self.batch(torch.arange(len(self), device=self.device)[rows], None)

    def batch(self, rows: Tensor, keys: Tensor | None) -> Tensor:
        """Return these rows as a batch: float32 (rows, channels, height, width)."""
        return self.finish_batch(self.load_batch(rows, keys), keys)

    def load_batch(self, rows: Tensor, keys: Tensor | None) -> Tensor:
        """Return the batch after the transforms of bytes: (rows, channels, height, width)."""
        images = self._raw(rows)
        pipeline = self.evaluation if keys is None else self.training
        own = _no_keys(rows) if keys is None else view_keys(keys, self.view)
        return _stack(apply_steps(pipeline.byte_steps, images, own))

    def finish_batch(self, images: Tensor, keys: Tensor | None) -> Tensor:
        """Return what `load_batch` has returned as a batch: float32 (rows, channels, height, width), on its device."""
        pipeline = self.evaluation if keys is None else self.training
        numbers = images if self.scale is None else self.scale(images.float())
        own = _no_keys(images) if keys is None else view_keys(keys.to(images.device), self.view)
        return _stack(apply_steps(pipeline.float_steps, numbers, own))

    def materialize(self, training: bool, limit: int) -> "ImageColumn":
        """Return the images decoded, after the deterministic prefix, if they fit into `limit` bytes; else lazy ones.

        The result is for training alone, or for evaluation alone.
        """
        column = self if training else replace(self, training=self.evaluation)
        prefix = column.training.deterministic_prefix
        after = infer_image_shape([step.spec for step in prefix], self.shape, "")[0]
        each = prod(size or 0 for size in after) * (1 if self.scale is not None else 4)
        if (self.is_resident and not prefix) or None in after or each * len(self) > limit:
            return column
        parts = [
            _stack(apply_steps(prefix, self._raw(rows), _no_keys(rows)))
            for rows in torch.arange(len(self)).split(MATERIALIZE_CHUNK)
        ]
        rest = column.training.without_deterministic_prefix()
        evaluation = rest.deterministic_steps()
        return replace(column, pixels=torch.cat(parts), training=rest, evaluation=evaluation, shape=after)

    def _raw(self, rows: Tensor) -> Tensor | list[Tensor]:
        if isinstance(self.pixels, Tensor):
            return self.pixels.index_select(0, rows)
        return stack_if_same_size([self.pixels.read(row) for row in rows.tolist()])


def _no_keys(rows: Tensor) -> Tensor:
    """Return keys for transforms that draw no random numbers: int64 (rows)."""
    return torch.zeros(len(rows), dtype=torch.int64, device=rows.device)


def _stack(images: Tensor | list[Tensor]) -> Tensor:
    """Return images as one batch (n, channels, height, width). Raises `DataError` if their sizes differ."""
    if isinstance(images, Tensor):
        return images
    sizes = sorted({f"{image.shape[1]} x {image.shape[2]}" for image in images})
    raise DataError(
        f"the images of a batch have different sizes: {', '.join(sizes[:4])}",
        pointer="/data/transforms",
        hint="end the transforms with Resize to a height and a width",
    )
