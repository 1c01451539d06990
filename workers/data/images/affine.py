"""Random rotation, translation, scale and shear of many images at once."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.data.images.batched_transforms import BatchedTransform
from workers.data.rng import uniform_between


@dataclass(frozen=True)
class BatchedRandomAffine(BatchedTransform):
    """RandomAffine and RandomRotation."""

    degrees: tuple[float, float]
    translate: tuple[float, float] = (0.0, 0.0)  # at most, as fractions of width and height
    scale: tuple[float, float] = (1.0, 1.0)
    shear: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # minimum and maximum of x, then of y
    interpolation: str = "nearest"
    fill: tuple[float, ...] = (0.0,)
    center: tuple[float, float] | None = None

    def make_params(self, images: Tensor, keys: Tensor, place: int) -> tuple[Tensor, ...]:
        """Return angle, translation to the right and down, scale, shear of x and of y: float64 (n) each."""
        height, width = images.shape[-2:]
        limit = (self.translate[0] * width, self.translate[1] * height)
        bounds = (
            self.degrees,
            (-limit[0], limit[0]),
            (-limit[1], limit[1]),
            self.scale,
            self.shear[:2],
            self.shear[2:],
        )
        angle, right, down, *rest = (
            uniform_between(keys, place, each, draw).double() for draw, each in enumerate(bounds)
        )
        return angle, right.round(), down.round(), *rest

    def transform(self, images: Tensor, *params: Tensor) -> Tensor:
        """Return the transformed images, of the same shape and dtype."""
        values = images if images.is_floating_point() else images.float()
        coverage = torch.ones_like(values[:, :1])  # becomes 0 outside of the image
        grid = self._grid(images, *params)
        sampled = torch.nn.functional.grid_sample(
            torch.cat([values, coverage], 1), grid, self.interpolation, "zeros", False
        )
        values, coverage = sampled[:, :-1], sampled[:, -1:]
        fill = torch.tensor(self.fill, device=images.device).reshape(1, -1, 1, 1)
        if self.interpolation == "nearest":
            values = torch.where(coverage < 0.5, fill, values)
        else:
            values = (values - fill) * coverage + fill
        return values if images.is_floating_point() else values.round().to(images.dtype)

    def _grid(
        self, images: Tensor, angle: Tensor, right: Tensor, down: Tensor, scale: Tensor, slant: Tensor, tilt: Tensor
    ) -> Tensor:
        """Return the source position of each pixel: float32 (n, height, width, 2), from -1 to 1."""
        height, width = images.shape[-2:]
        x, y = (0.0, 0.0) if self.center is None else (self.center[0] - width * 0.5, self.center[1] - height * 0.5)
        turn, slant, tilt = (each * (math.pi / 180) for each in (angle, slant, tilt))
        a, c = (turn - tilt).cos() / tilt.cos(), (turn - tilt).sin() / tilt.cos()
        b, d = -(a * slant.tan() + turn.sin()), turn.cos() - c * slant.tan()
        rows = ((d / scale, -b / scale, x, width), (-c / scale, a / scale, y, height))
        to_right = torch.linspace((1.0 - width) * 0.5, (width - 1.0) * 0.5, width, device=images.device)
        to_bottom = torch.linspace((1.0 - height) * 0.5, (height - 1.0) * 0.5, height, device=images.device).unsqueeze(
            1
        )
        axes = []
        for first, second, middle, extent in rows:
            third = middle - first * (x + right) - second * (y + down)
            one, two, three = (((each.float()) / (0.5 * extent)).reshape(-1, 1, 1) for each in (first, second, third))
            axes.append(one * to_right + two * to_bottom + three)
        return torch.stack(axes, -1)
