"""Pictures as a column: bytes, resident or in files, that become a network's numbers batch by batch.

In training they go through one recipe, by the keys of their rows and epoch; otherwise through another, which draws
nothing. A recipe works on bytes as far as it can, so that what is kept and what is carried about is small.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Protocol, Self

import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.image_shapes import ImageShape, infer_image_shape
from app.spec.data.transforms import BaseTransform
from workers.data.images.transforms import TransformStep, apply_steps, build_steps, stack_if_same_size

MATERIALIZE_CHUNK = 256  # pictures that are settled at once
CPU = torch.device("cpu")


class LazyImages(Protocol):
    """Pictures that are decoded when they are needed."""

    def __len__(self) -> int: ...

    def take(self, indices: Tensor) -> "LazyImages":
        """Return these rows alone."""
        ...

    def read(self, row: int) -> Tensor:
        """Return a picture: uint8 (channels, height, width). Raises `DataError`."""
        ...


@dataclass(frozen=True)
class TransformPipeline:
    """Steps: of pictures as they are, then of the numbers that they have become, from Normalize on."""

    byte_steps: tuple[TransformStep, ...] = ()
    float_steps: tuple[TransformStep, ...] = ()

    @classmethod
    def from_specs(cls, parts: Sequence[BaseTransform]) -> Self:
        """Build a recipe. Raises `DataError`."""
        steps = build_steps(parts)
        kinds = [step.spec.kind for step in steps]
        first = kinds.index("Normalize") if "Normalize" in kinds else len(steps)
        return cls(steps[:first], steps[first:])

    @property
    def deterministic_prefix(self) -> tuple[TransformStep, ...]:
        """The first steps, which draw nothing: they may be done once and for all."""
        count = next((place for place, step in enumerate(self.byte_steps) if step.is_random), len(self.byte_steps))
        return self.byte_steps[:count]

    def without_deterministic_prefix(self) -> "TransformPipeline":
        """Return what is left when the first steps are done."""
        return TransformPipeline(self.byte_steps[len(self.deterministic_prefix) :], self.float_steps)

    def deterministic_steps(self) -> "TransformPipeline":
        """Return the steps that draw nothing."""
        return TransformPipeline(
            *(tuple(step for step in steps if not step.is_random) for steps in (self.byte_steps, self.float_steps))
        )


@dataclass(frozen=True)
class ImageColumn:
    """Pictures of as many rows. Whatever has keys is in training; what has none, in evaluation."""

    pixels: Tensor | LazyImages  # (rows, channels, height, width): bytes, or numbers that are scaled
    training: TransformPipeline
    evaluation: TransformPipeline
    scale: Callable[[Tensor], Tensor] | None  # of bytes
    shape: ImageShape  # of a picture as it is stored, or settled

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def is_resident(self) -> bool:
        """Whether the pictures are decoded."""
        return isinstance(self.pixels, Tensor)

    @property
    def device(self) -> torch.device:
        """Where the pictures lie."""
        return self.pixels.device if isinstance(self.pixels, Tensor) else CPU

    @property
    def dtype(self) -> torch.dtype:
        """The type of what batches hold."""
        return torch.float32

    @property
    def nbytes(self) -> int:
        """The size in memory, in bytes."""
        return self.pixels.nbytes if isinstance(self.pixels, Tensor) else 0

    def is_floating_point(self) -> bool:
        """Say that batches hold floating-point numbers."""
        return True

    def to(self, target: torch.device | torch.dtype) -> "ImageColumn":
        """Return the same pictures on a device. Their batches are float32, whatever type is asked for."""
        if isinstance(target, torch.dtype) or not isinstance(self.pixels, Tensor):
            return self
        return replace(self, pixels=self.pixels.to(target))

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """Return the batch of these rows in evaluation; `dim` is 0, as for a tensor."""
        return self.batch(rows, None)

    def __getitem__(self, rows: slice) -> Tensor:
        """Return consecutive rows as a batch in evaluation."""
        return self.batch(torch.arange(len(self), device=self.device)[rows], None)

    def batch(self, rows: Tensor, keys: Tensor | None) -> Tensor:
        """Return the batch of these rows: float32 (rows, channels, height, width)."""
        return self.finish_batch(self.load_batch(rows, keys), keys)

    def load_batch(self, rows: Tensor, keys: Tensor | None) -> Tensor:
        """Return the batch as far as it stays bytes."""
        images = self._raw(rows)
        recipe = self.evaluation if keys is None else self.training
        return _stack(apply_steps(recipe.byte_steps, images, _no_keys(rows) if keys is None else keys))

    def finish_batch(self, images: Tensor, keys: Tensor | None) -> Tensor:
        """Return what `shaded` has begun, on any device, as numbers."""
        recipe = self.evaluation if keys is None else self.training
        numbers = images if self.scale is None else self.scale(images.float())
        keys = _no_keys(images) if keys is None else keys.to(images.device)
        return _stack(apply_steps(recipe.float_steps, numbers, keys))

    def materialize(self, training: bool, limit: int) -> "ImageColumn":
        """Decode the pictures, and do once what need not be done for each batch, if `limit` bytes are enough for it.

        What comes back is for training alone, or for evaluation alone.
        """
        held = self if training else replace(self, training=self.evaluation)
        first = held.training.deterministic_prefix
        after = infer_image_shape([step.spec for step in first], self.shape, "")[0]
        each = prod(size or 0 for size in after) * (1 if self.scale is not None else 4)
        if (self.is_resident and not first) or None in after or each * len(self) > limit:
            return held
        parts = [
            _stack(apply_steps(first, self._raw(rows), _no_keys(rows)))
            for rows in torch.arange(len(self)).split(MATERIALIZE_CHUNK)
        ]
        left = held.training.without_deterministic_prefix()
        return replace(held, pixels=torch.cat(parts), training=left, evaluation=left.deterministic_steps(), shape=after)

    def _raw(self, rows: Tensor) -> Tensor | list[Tensor]:
        if isinstance(self.pixels, Tensor):
            return self.pixels.index_select(0, rows)
        return stack_if_same_size([self.pixels.read(row) for row in rows.tolist()])


def _no_keys(rows: Tensor) -> Tensor:
    """Return keys for rows of which nothing is drawn."""
    return torch.zeros(len(rows), dtype=torch.int64, device=rows.device)


def _stack(images: Tensor | list[Tensor]) -> Tensor:
    """Return pictures as one batch. Raises `DataError` if they are of unlike sizes."""
    if isinstance(images, Tensor):
        return images
    sizes = sorted({f"{image.shape[1]} x {image.shape[2]}" for image in images})
    raise DataError(
        f"the pictures of a batch are of unlike sizes: {', '.join(sizes[:4])}",
        pointer="/data/transforms",
        hint="let the transforms end with Resize of a height and a width",
    )
