"""Statistics of one node's outputs during a step: its moments, its dead units, and their distribution."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workers.network.runtime.control_flow import TensorOrTuple
from workers.training.statistics.histograms import count_codes
from workers.training.statistics.transfer import Transfer, accumulation_dtype
from workers.training.statistics.units import FEATURES, LiveRange, by_unit

SMALL_OUTPUT = 1 << 13  # values of a call that are kept, and measured together with those of other calls
MAX_KEPT = 1 << 16  # values that are kept


@dataclass(slots=True)
class ActivationStatistics:
    """Accumulates the calls of one node; `live` says which outputs of an activation are neither zero nor saturated.

    A node is called once for every batch of the step, more often in a loop or a block that is used several times. The
    statistics are those of all its outputs together. Of a node with several outputs the first counts, and only
    floating-point numbers do. Nothing here is part of the graph of gradients, and nothing waits for a GPU.
    """

    histogram: bool
    live: LiveRange | None = None
    axis: int = FEATURES
    kept: list[Tensor] = field(default_factory=list)  # (rows, C) each, or (values) without `live`
    kept_values: int = 0
    counts: list[int] = field(default_factory=list)  # of values, by group of calls
    means: list[Tensor] = field(default_factory=list)
    norms: list[Tensor] = field(default_factory=list)  # of the differences to the mean
    nonfinite: list[Tensor] = field(default_factory=list)
    live_units: Tensor | None = None  # bool (C)
    codes: Tensor | None = None  # see `count_codes`

    def add(self, output: TensorOrTuple) -> None:
        """Add the output of a call, which later calls may change in place."""
        value = output[0] if isinstance(output, tuple) else output
        if not value.is_floating_point() or not value.numel():
            return
        value = value.detach()
        value = value.reshape(-1) if self.live is None else by_unit(value, self.axis)
        if value.numel() > SMALL_OUTPUT:
            self._measure(value)
            return
        self.kept.append(value.clone())
        self.kept_values += value.numel()
        if self.kept_values > MAX_KEPT:
            self._measure_kept()

    def _measure_kept(self) -> None:
        if self.kept:
            self._measure(torch.cat(self.kept) if len(self.kept) > 1 else self.kept[0])
            self.kept, self.kept_values = [], 0

    def _measure(self, value: Tensor) -> None:
        if value.dtype in (torch.float16, torch.bfloat16):
            value = value.float()
        mean = value.mean()
        self.counts.append(value.numel())
        self.means.append(mean)
        norm = torch.linalg.vector_norm(value - mean, dtype=accumulation_dtype(value.device))
        self.norms.append(norm)
        if value.device.type != "cpu" or not math.isfinite(norm.item()):  # a GPU would wait for `item`
            self.nonfinite.append(torch.count_nonzero(value - value))  # infinity - infinity is NaN, which is not zero
        if self.live is not None:
            live = self.live.live_units(value)
            self.live_units = live if self.live_units is None else self.live_units | live
        if self.histogram:
            codes = count_codes(value)
            self.codes = codes if self.codes is None else self.codes + codes

    def send(self, transfer: Transfer) -> None:
        """Let the numbers of all calls be transferred from the device."""
        self._measure_kept()
        transfer.add("means", self.means)
        transfer.add("norms", self.norms)
        transfer.add("nonfinite", self.nonfinite)
        transfer.add("live", [] if self.live_units is None else [torch.count_nonzero(self.live_units)])

    def result(self, transfer: Transfer) -> dict[str, float]:
        """Return the statistics by quantity, from the numbers in the order of `send`; nothing if nothing ran."""
        calls = len(self.counts)
        means, norms = transfer.take("means", calls), transfer.take("norms", calls)
        nonfinite = transfer.take("nonfinite", len(self.nonfinite))
        live = transfer.take("live", 0 if self.live_units is None else 1)
        if not calls:
            return {}
        mean, deviation = combine_moments(self.counts, means, norms)
        found = {"activation_mean": mean, "activation_std": deviation, "activation_nonfinite": sum(nonfinite, 0.0)}
        if self.live_units is not None:
            found["dead_share"] = 1 - live[0] / len(self.live_units)
        return found


def combine_moments(counts: Sequence[int], means: Sequence[float], norms: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the standard deviation of groups together, each given by its count, mean and deviations.

    The norms are those of the differences to the group's own mean (Chan, Golub and LeVeque 1983).
    """
    total = sum(counts)
    mean = sum(count * each for count, each in zip(counts, means, strict=True)) / total
    squares = sum(
        norm * norm + count * (each - mean) ** 2 for count, each, norm in zip(counts, means, norms, strict=True)
    )
    return mean, math.sqrt(squares / total) if squares >= 0 else math.nan
