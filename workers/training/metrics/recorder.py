"""Points of the curves on their way to the worker: kept on the device, and sent in blocks.

Reading a loss waits for the GPU, so losses stay tensors until there are many, or half a second has passed.
"""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from app.errors import NumericError
from app.faultpoints import faultpoint
from workers.data.loading.sampler import EpochOrigin
from workers.protocol.messages import ProgressReport, SeriesPoints
from workers.training.context import Context
from workers.training.results import finite_or_none
from workers.training.state import Counters
from workers.training.statistics.observation import PendingSample

MAX_PENDING_STEPS, REPORT_INTERVAL_SECONDS = 1024, 0.5  # between two reports
EVALUATED_PREFIXES = ("val/", "test/")  # of series that an evaluation appends to
FIRST_EPOCH = EpochOrigin()
MAX_FLOW_SERIES = 64  # series of control flow: a network may have thousands of such nodes


class Recorder:
    """Collects the points and events of a training, and sends them. Steps count from 1."""

    def __init__(
        self,
        context: Context,
        counters: Counters,
        total_steps: int,
        steps_per_epoch: int,
        fail: bool,
        heads: Sequence[str] = (),
        epoch_origin: EpochOrigin = FIRST_EPOCH,
    ) -> None:
        self._context = context
        self._counters, self._epoch_origin = counters, epoch_origin
        self._total, self._per_epoch, self._fail, self._heads = total_steps, steps_per_epoch, fail, heads
        start = time.monotonic()
        self._origin = start - counters.elapsed  # of `elapsed`
        self._wall = time.time() - start
        self._flushed_at, self._flushed_step, self._rate = start, counters.step, 0.0
        # Loss, learning rate, time, skipped, losses of several heads; tensors are on the device.
        self._steps: list[tuple[Tensor, float, float, Tensor | None, Tensor | None]] = []
        self._series: dict[str, SeriesPoints] = {}
        self._flows = {name.removeprefix("flow/") for name in counters.latest if name.startswith("flow/")}
        self._events: list[tuple[str, Mapping[str, Any]]] = []
        self._samples: list[PendingSample] = []

    def step(
        self, loss: Tensor, lr: float, skipped: Tensor | None, counts: Mapping[str, float], parts: Tensor | None = None
    ) -> None:
        """Keep the loss (scalar), the learning rate and the counts of control flow of the latest step.

        `skipped` is a scalar, `parts` the losses of several heads (heads); tensors stay on the device.
        """
        now = time.monotonic()
        self._steps.append((loss, lr, now, skipped, parts))
        for name, count in counts.items():
            if len(self._flows) < MAX_FLOW_SERIES or name in self._flows:
                self._flows.add(name)
                self._append_points(f"flow/{name}", [self._counters.step], [count], [now])
        if len(self._steps) >= MAX_PENDING_STEPS or now - self._flushed_at >= REPORT_INTERVAL_SECONDS:
            self.flush()

    def evaluation(self, values: Mapping[str, float]) -> None:
        """Keep the values of an evaluation after the latest step."""
        now = time.monotonic()
        for name, value in values.items():
            if name.startswith(EVALUATED_PREFIXES):
                self._append_points(name, [self._counters.step], [value], [now])

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Keep an event until the next flush."""
        self._events.append((kind, data))

    def statistics(self, sample: PendingSample | None) -> None:
        """Keep a sample of statistics until the next flush, if there is one."""
        if sample is not None:
            self._samples.append(sample)

    def read_losses(self) -> None:
        """Read the losses from the device. Raises `NumericError` if one is not finite, unless the job goes on then."""
        if not self._steps:
            return
        counters = self._counters
        tensors, rates, times, skips, parts = zip(*self._steps, strict=True)
        losses = torch.stack(tensors).tolist()  # the one wait for the device
        first = counters.step - len(losses) + 1
        self._steps = []
        for loss in losses:
            counters.loss_sum += loss  # one by one: the sum must not depend on the size of blocks
        counters.loss_count += len(losses)
        steps = range(first, first + len(losses))
        self._append_points("train/loss", steps, losses, times)
        self._append_points("train/lr", steps, rates, times)
        if parts[0] is not None:
            self._record_head_losses(torch.stack(parts).tolist(), steps, times)
        if skips[0] is not None:
            self._record_skipped_steps(torch.stack(skips).tolist(), first)
        bad = next((step for step, loss in enumerate(losses, start=first) if not math.isfinite(loss)), None)
        if self._fail and bad is not None:
            self.flush()
            hint = 'lower the learning rate, set "clip_norm", or "on_nan": "skip"'
            raise NumericError(f"the loss of step {bad} is not finite", pointer="/training/on_nan", hint=hint)

    def flush(self) -> None:
        """Send all points and events. Raises as `read_losses` does."""
        self.read_losses()
        now = time.monotonic()
        counters = self._counters
        counters.elapsed = now - self._origin
        if counters.step > self._flushed_step and now > self._flushed_at:
            rate = (counters.step - self._flushed_step) / (now - self._flushed_at)
            self._rate = rate if self._rate == 0 else 0.7 * self._rate + 0.3 * rate
        if self._series or self._events or self._samples:
            samples = tuple(sample.read() for sample in self._samples)
            report = ProgressReport(
                progress=self._progress(), series=self._series, events=tuple(self._events), statistics=samples
            )
            faultpoint("before_report")
            self._context.report(report)
        self._flushed_at, self._flushed_step = now, counters.step
        self._series, self._events, self._samples = {}, [], []

    def _append_points(self, name: str, steps: Sequence[int], values: Sequence[float], times: Sequence[float]) -> None:
        block = self._series.setdefault(name, SeriesPoints([], [], [], []))
        block.step.extend(steps)
        block.value.extend(values)
        block.time.extend([each + self._wall for each in times])
        block.elapsed.extend([each - self._origin for each in times])
        self._counters.latest[name] = values[-1]

    def _record_head_losses(self, losses: list[list[float]], steps: Sequence[int], times: Sequence[float]) -> None:
        for name, head_losses in zip(self._heads, zip(*losses, strict=True), strict=True):
            total = self._counters.head_sums.get(name, 0.0)
            for loss in head_losses:
                total += loss
            self._counters.head_sums[name] = total
            self._append_points(f"train/{name}/loss", steps, head_losses, times)

    def _record_skipped_steps(self, skips: list[float], first: int) -> None:
        places = [place for place, skipped in enumerate(skips) if skipped]
        if places:
            self.event("skipped_step", {"step": first + places[0], "count": len(places)})

    def _progress(self) -> dict[str, Any]:
        step, origin = self._counters.step, self._epoch_origin
        eta = (self._total - step) / self._rate if self._rate > 0 else None
        latest = {name: finite_or_none(value) for name, value in self._counters.latest.items()}
        return {
            "step": step,
            "epoch": origin.epoch + (step - origin.step) / self._per_epoch,
            "total_steps": self._total,
            "steps_per_epoch": self._per_epoch,
            "rate": self._rate,
            "eta_seconds": eta,
            "latest": latest,
        }
