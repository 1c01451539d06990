"""Everything that must survive a restart: declared in one place, saved and loaded together.

The order of the examples and the dropout of a step are not stored: they are functions of (seed, epoch, step).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, NotRequired

from torch import Tensor

from workers.data.loading.batch_source import BatchSource, Segment
from workers.network.runtime.build import BuiltNetwork
from workers.training.optim.schedules import JsonState
from workers.training.optim.target_networks import FollowingNode
from workers.training.optim.update_state import UpdateJson, UpdateState
from workers.training.optim.weight_averages import WeightAverage
from workers.training.revision import RevisionState

STATE_VERSION = 1
NETWORK_PREFIX, AVERAGE_PREFIX, SOURCE_PREFIX = "network/", "average/", "source/"
OPTIMIZERS = "optimizer"


class StateJson(UpdateJson):
    """Everything of a `TrainState` that is no tensor: the file `state.json`. The first update stands in it itself."""

    version: int
    counters: JsonState
    best: JsonState
    stopper: JsonState | None
    averaged: int  # updates of the average
    other_updates: NotRequired[Sequence[UpdateJson]]
    revision: NotRequired[JsonState]  # states of before edits have none
    source: NotRequired[JsonState]  # of a source that has a state


@dataclass
class BestValue:
    """The best value of a series so far.

    A value that is not finite is never an improvement. NaN is no value: it does not count as an evaluation either, and
    nothing ends because a metric cannot be measured.
    """

    monitor: str
    mode: Literal["min", "max"] = "min"
    min_delta: float = 0.0
    best: float | None = None
    step: int | None = None
    stale: int = 0  # evaluations without improvement

    def update(self, values: Mapping[str, float], step: int) -> bool:
        """Add the values of an evaluation, by series; return whether the monitored one is the best so far."""
        value = values.get(self.monitor, math.nan)
        if math.isnan(value):
            return False
        sign = 1 if self.mode == "min" else -1
        improved = math.isfinite(value) and (self.best is None or sign * (self.best - value) > self.min_delta)
        if improved:
            self.best, self.step = value, step
        self.stale = 0 if improved else self.stale + 1
        return improved

    def load(self, stored: JsonState | None) -> bool:
        """Restore a stored tracker if it followed the same series in the same way; return whether it did."""
        rule = (self.monitor, self.mode, self.min_delta)
        if stored is None or (stored["monitor"], stored["mode"], stored["min_delta"]) != rule:
            return False
        self.best, self.step, self.stale = stored["best"], stored["step"], stored["stale"]
        return True


@dataclass
class Counters:
    """The counters of a training."""

    step: int = 0  # finished optimizer steps; the epoch and the position in it follow
    evaluated: int = 0  # step of the latest evaluation
    stopped: bool = False  # by early stop
    elapsed: float = 0.0  # seconds of training, without the time between attempts
    loss_sum: float = 0.0  # training losses since the latest evaluation
    loss_count: int = 0
    head_sums: dict[str, float] = field(default_factory=dict)  # the same for each head of several
    head_counts: dict[str, int] = field(default_factory=dict)  # of heads that not every step has
    latest: dict[str, float] = field(default_factory=dict)  # newest value of every series

    def training_losses(self) -> dict[str, float]:
        """Return the mean losses since the latest evaluation, by series; those that there are."""
        counted = {"train/loss": (self.loss_sum, self.loss_count)} | {
            f"train/{name}/loss": (total, self.head_counts.get(name, self.loss_count))
            for name, total in self.head_sums.items()
        }
        return {name: total / count for name, (total, count) in counted.items() if count}

    def mark_evaluated(self) -> None:
        """Reset the sums of losses after an evaluation."""
        self.evaluated, self.loss_sum, self.loss_count = self.step, 0.0, 0
        self.head_sums, self.head_counts = {}, {}


@dataclass
class TrainState:
    """The state of a training. Parts may be replaced between two steps: whoever trains reads them here every time."""

    network: BuiltNetwork
    updates: Sequence[UpdateState]  # that a step takes, in order
    source: BatchSource
    best: BestValue  # decides which checkpoints are kept
    stopper: BestValue | None  # of early stop
    average: WeightAverage | None = None
    target_networks: Sequence[FollowingNode] = ()
    counters: Counters = field(default_factory=Counters)
    revision: RevisionState = field(default_factory=RevisionState)  # known before anything is built

    @property
    def evaluation_network(self) -> BuiltNetwork:
        """The network that is evaluated and exported: the averaged one after its first update."""
        return self.average.network if self.average is not None and self.average.count else self.network

    def state_tensors(self) -> dict[str, Tensor]:
        """Return every tensor by name, without copying: the next step changes them.

        The names are `network/<key>`, `average/<key>` if there is an average, `source/<key>` if the source has a state,
        and `optimizer/<index>/<key>`, or `optimizer/<index>/<key>/<position>` in a list; of further updates
        `optimizer.1/…` and so on.
        """
        tensors = {f"{NETWORK_PREFIX}{name}": value for name, value in self.network.state_dict().items()}
        if self.evaluation_network is not self.network:
            average = self.evaluation_network.state_dict()
            tensors |= {f"{AVERAGE_PREFIX}{name}": value for name, value in average.items()}
        for place, update in enumerate(self.updates):
            tensors |= {f"{optimizer_prefix(place)}{name}": value for name, value in update.state_tensors().items()}
        tensors |= {f"{SOURCE_PREFIX}{name}": value for name, value in self.source.state_dict().items()}
        return {name: value.detach() for name, value in tensors.items()}

    def segments(self) -> list[Segment]:
        """Return those of the tensors of which a step changes a part alone, by parts, without copying."""
        return [
            replace(each, tensors={f"{SOURCE_PREFIX}{name}": value for name, value in each.tensors.items()})
            for each in self.source.segments()
        ]

    def state_json(self) -> StateJson:
        """Return everything that is not a tensor. Floats survive JSON exactly in Python."""
        first, *others = [update.state_json() for update in self.updates]
        state: StateJson = {
            "version": STATE_VERSION,
            "optimizer": first["optimizer"],
            "schedule": first["schedule"],
            "scaler": first["scaler"],
            "counters": asdict(self.counters),
            "best": asdict(self.best),
            "stopper": asdict(self.stopper) if self.stopper is not None else None,
            "averaged": self.average.count if self.average is not None else 0,
            "revision": self.revision.as_json(),
        }
        if others:
            state["other_updates"] = others
        if source := self.source.state_json():
            state["source"] = source
        return state

    def load(self, tensors: Mapping[str, Tensor], numbers: StateJson, forked: bool = False) -> None:
        """Restore what `state_tensors` and `state_json` returned, into parts that are built from the same spec.

        Trackers of another series than the stored ones start afresh. With `forked` the state is another job's, whose
        plan may differ: its early stop is not taken over, and patience starts at 0. Raises `BuildError` if the
        optimizer's tensors do not have the shapes of its parameters.
        """
        self.network.load_state_dict(strip_prefix(NETWORK_PREFIX, tensors))
        if self.average is not None and numbers["averaged"]:
            self.average.network.load_state_dict(strip_prefix(AVERAGE_PREFIX, tensors))
            self.average.count = numbers["averaged"]
        self.source.load_state_dict(strip_prefix(SOURCE_PREFIX, tensors), numbers.get("source", {}))
        stored = (numbers, *numbers.get("other_updates", ()))
        for place, (update, own) in enumerate(zip(self.updates, stored, strict=True)):
            update.load(strip_prefix(optimizer_prefix(place), tensors), own, self.network)
        self.best.load(numbers["best"])
        same = self.stopper is not None and self.stopper.load(numbers["stopper"])
        self.counters = Counters(**numbers["counters"])
        if forked:  # the test of the other job is none of this one
            latest = self.counters.latest
            self.counters.latest = {name: value for name, value in latest.items() if not name.startswith("test/")}
        if self.counters.stopped and (forked or not same):
            self.counters.stopped = False
            if self.stopper is not None:
                self.stopper.stale = 0


def optimizer_prefix(place: int) -> str:
    """Return what the names of the tensors of an update's optimizer begin with."""
    return f"{OPTIMIZERS}/" if place == 0 else f"{OPTIMIZERS}.{place}/"


def strip_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names start with a prefix, by the rest of the name."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def published_weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a stored state that were evaluated and exported: averaged ones if there are any."""
    return strip_prefix(AVERAGE_PREFIX, tensors) or strip_prefix(NETWORK_PREFIX, tensors)
