"""Points of the curves on their way to the worker: kept on the device, and sent in blocks.

Reading a loss waits for the GPU, so losses stay tensors until there are many, or half a second has passed.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from app.errors import NumericError
from app.faultpoints import faultpoint
from workers.data.loading.batch_source import NO_VALUES
from workers.data.loading.epochs import FIRST_EPOCH, EpochOrigin
from workers.protocol.messages import ProgressReport, SeriesPoints
from workers.training.context import Context
from workers.training.results import finite_or_none
from workers.training.state import Counters
from workers.training.statistics.observation import PendingSample
from workers.training.step import UpdateResult

MAX_PENDING_STEPS, REPORT_INTERVAL_SECONDS = 1024, 0.5  # between two reports
EVALUATED_PREFIXES = ("val/", "test/")  # of series that an evaluation appends to
NO_WEIGHTS: Mapping[str, float] = {}
MAX_FLOW_SERIES = 64  # series of control flow: a network may have thousands of such nodes


@dataclass(frozen=True)
class RecordedUpdate:
    """An update in the names of series; the only one of a plan has no name."""

    name: str = ""
    heads: Sequence[str] = ()  # whose losses it has, if there are several or the update has a name

    def series(self, quantity: str) -> str:
        """Return the name of a series of the update."""
        return f"train/{self.name}/{quantity}" if self.name else f"train/{quantity}"


class PendingStep(NamedTuple):
    """A step that was taken; its tensors are on the device."""

    results: Sequence[UpdateResult]
    rates: Sequence[float]  # by update
    time: float


class Recorder:
    """Collects the points and events of a training, and sends them. Steps count from 1.

    With several updates `train/loss` is the weighted sum of the newest loss of every head that is minimised, from the
    step on at which each has been measured once.
    """

    def __init__(
        self,
        context: Context,
        counters: Counters,
        total_steps: int,
        steps_per_epoch: int,
        fail: bool,
        updates: Sequence[RecordedUpdate] = (RecordedUpdate(),),
        weights: Mapping[str, float] = NO_WEIGHTS,
        epoch_origin: EpochOrigin = FIRST_EPOCH,
        advice: str = "",
    ) -> None:
        self._context = context
        self._counters, self._epoch_origin = counters, epoch_origin
        self._total, self._per_epoch, self._fail = total_steps, steps_per_epoch, fail
        self._updates, self._weights = updates, weights  # those of the heads, where updates have names
        self._advice = advice  # what to look at first where a loss is not finite
        start = time.monotonic()
        self._origin = start - counters.elapsed  # of `elapsed`
        self._wall = time.time() - start
        self._flushed_at, self._flushed_step, self._rate = start, counters.step, 0.0
        self._steps: list[PendingStep] = []
        self._series: dict[str, SeriesPoints] = {}
        self._flows = {name.removeprefix("flow/") for name in counters.latest if name.startswith("flow/")}
        self._events: list[tuple[str, Mapping[str, Any]]] = []
        self._samples: list[PendingSample] = []

    def step(
        self,
        results: Sequence[UpdateResult],
        rates: Sequence[float],
        counts: Mapping[str, float],
        values: Mapping[str, float] = NO_VALUES,
    ) -> None:
        """Keep what the updates of the latest step gave, their learning rates and the counts of control flow.

        Tensors stay on the device. `values` are those of further series.
        """
        now = time.monotonic()
        self._steps.append(PendingStep(results, rates, now))
        for name, count in counts.items():
            if len(self._flows) < MAX_FLOW_SERIES or name in self._flows:
                self._flows.add(name)
                self._append_points(f"flow/{name}", [self._counters.step], [count], [now])
        for name, value in values.items():
            self._append_points(name, [self._counters.step], [value], [now])
        if len(self._steps) >= MAX_PENDING_STEPS or now - self._flushed_at >= REPORT_INTERVAL_SECONDS:
            self.flush()

    def evaluation(self, values: Mapping[str, float]) -> None:
        """Keep the values of an evaluation after the latest step; losses of training are those of its steps."""
        now = time.monotonic()
        for name, value in values.items():
            if name.startswith(EVALUATED_PREFIXES) or not name.endswith("/loss"):
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
        steps, self._steps = self._steps, []
        first = self._counters.step - len(steps) + 1
        numbers, times = range(first, first + len(steps)), [step.time for step in steps]
        results = [result for step in steps for result in step.results]
        losses = torch.stack([result.loss for result in results]).tolist() if results else []  # waits for the device
        bad = self._record_losses(steps, numbers, iter(losses), self._read_heads(results))
        for place, update in enumerate(self._updates):
            self._append_points(update.series("lr"), numbers, [step.rates[place] for step in steps], times)
            self._record_skipped_steps(update, place, steps, first)
        if self._fail and bad is not None:
            self.flush()
            hint = self._advice + 'lower the learning rate, set "clip_norm", or "on_nan": "skip"'
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

    def _read_heads(self, results: Sequence[UpdateResult]) -> Iterator[Mapping[str, float]]:
        """Return the losses of the heads of every result, by name."""
        tensors = [result.head_losses for result in results if result.head_losses is not None]
        values = iter(torch.cat(tensors).tolist() if tensors else [])
        for result in results:
            heads = self._updates[result.place].heads if result.head_losses is not None else ()
            yield {head: next(values) for head in heads}

    def _record_losses(
        self,
        steps: Sequence[PendingStep],
        numbers: Sequence[int],
        losses: Iterator[float],
        heads: Iterator[Mapping[str, float]],
    ) -> int | None:
        """Append the losses of steps to their series; return the first step with one that is not finite."""
        newest = {
            name: self._counters.latest[series]
            for name in self._weights
            if (series := f"train/{name}/loss") in self._counters.latest
        }
        points: dict[str, list[tuple[int, float, float]]] = {"train/loss": []}
        bad = None
        for number, step in zip(numbers, steps, strict=True):
            own: dict[str, float] = {}
            for _ in step.results:
                whole = next(losses)
                own |= next(heads)
                bad = number if bad is None and not math.isfinite(whole) else bad
            for name, loss in own.items():
                points.setdefault(f"train/{name}/loss", []).append((number, loss, step.time))
            if not self._weights:
                points["train/loss"].append((number, whole, step.time))
            elif own and (newest := newest | own).keys() >= self._weights.keys():
                total = sum(newest[name] * weight for name, weight in self._weights.items())
                points["train/loss"].append((number, total, step.time))
        for series, found in points.items():
            if found:
                self._add_losses(series, *map(list, zip(*found, strict=True)))
        return bad

    def _add_losses(self, series: str, numbers: Sequence[int], losses: Sequence[float], times: Sequence[float]) -> None:
        """Append losses to a series, and to the sum since the latest evaluation."""
        counters = self._counters
        self._append_points(series, numbers, losses, times)
        if series == "train/loss":
            for loss in losses:
                counters.loss_sum += loss  # one by one: the sum must not depend on the size of blocks
            counters.loss_count += len(losses)
            return
        head = series.removeprefix("train/").removesuffix("/loss")
        total = counters.head_sums.get(head, 0.0)
        for loss in losses:
            total += loss
        counters.head_sums[head] = total
        if self._weights:
            counters.head_counts[head] = counters.head_counts.get(head, 0) + len(losses)

    def _record_skipped_steps(
        self, update: RecordedUpdate, place: int, steps: Sequence[PendingStep], first: int
    ) -> None:
        checked = [
            (first + position, result.skipped)
            for position, step in enumerate(steps)
            for result in step.results
            if result.place == place and result.skipped is not None
        ]
        flags = torch.stack([flag for _, flag in checked]).tolist() if checked else []
        skipped = [step for (step, _), flag in zip(checked, flags, strict=True) if flag]
        if skipped:
            name = {"update": update.name} if update.name else {}
            self.event("skipped_step", {"step": skipped[0], "count": len(skipped), **name})

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
