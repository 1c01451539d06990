"""Everything that must survive a restart, declared once, saved and loaded whole.

The order of the examples and the dropout of a step need no place here: they are functions of (seed, epoch, step).
"""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal, TypedDict

from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from workers.data.loading.batch_source import BatchSource
from workers.network.runtime.build import BuiltNetwork
from workers.training.optim.learning_rate import LearningRateSchedule
from workers.training.optim.optimizers import check_state_shapes
from workers.training.optim.schedules import JsonState
from workers.training.optim.weight_averages import WeightAverage

STATE_VERSION = 1
NETWORK_PREFIX, AVERAGE_PREFIX, OPTIMIZER_PREFIX = "network/", "average/", "optimizer/"
SOURCE_PREFIX = "source/"


class OptimizerJson(TypedDict):
    """The numbers of an optimizer: `state_dict` without tensors."""

    state: Mapping[str, JsonState]  # by index of the parameter
    param_groups: Sequence[JsonState]


class StateJson(TypedDict):
    """Everything of a `TrainState` that is no tensor: the file `state.json`."""

    version: int
    counters: JsonState
    best: JsonState
    stopper: JsonState | None
    optimizer: OptimizerJson
    averaged: int  # how often the average has taken in the weights
    schedule: JsonState | None
    scaler: JsonState | None


@dataclass
class BestValue:
    """The best value of a series so far. A value that is not finite never improves anything."""

    monitor: str
    mode: Literal["min", "max"] = "min"
    min_delta: float = 0.0
    best: float | None = None
    step: int | None = None
    stale: int = 0  # evaluations without improvement

    def update(self, values: Mapping[str, float], step: int) -> bool:
        """Take an evaluation into account; returns whether it is the best."""
        value = values.get(self.monitor, math.nan)
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
    """The plain numbers of a training."""

    step: int = 0  # optimizer steps finished; epoch and place in the epoch follow from it
    evaluated: int = 0  # step of the latest evaluation
    stopped: bool = False  # by early stop
    elapsed: float = 0.0  # seconds of training, without the time between attempts
    loss_sum: float = 0.0  # of the training losses since the latest evaluation
    loss_count: int = 0
    head_sums: dict[str, float] = field(default_factory=dict)  # the same of each head, where there are several
    latest: dict[str, float] = field(default_factory=dict)  # newest value of every series

    def training_losses(self) -> dict[str, float]:
        """Return the means since the latest evaluation, by series."""
        sums = {"train/loss": self.loss_sum} | {f"train/{name}/loss": total for name, total in self.head_sums.items()}
        return {name: total / max(1, self.loss_count) for name, total in sums.items()}

    def mark_evaluated(self) -> None:
        """Note that there has been an evaluation: sums of losses begin anew."""
        self.evaluated, self.loss_sum, self.loss_count = self.step, 0.0, 0
        self.head_sums = {}


@dataclass
class TrainState:
    """What is saved and loaded. Whatever trains reads its parts here at every step: they may be replaced in between."""

    network: BuiltNetwork
    optimizer: Optimizer
    parameters: Sequence[nn.Parameter]  # of `network`, in its order: those that `optimizer` trains
    source: BatchSource
    schedule: LearningRateSchedule | None
    scaler: GradScaler | None
    best: BestValue  # for the checkpoints to keep
    stopper: BestValue | None  # for early stop
    average: WeightAverage | None = None
    counters: Counters = field(default_factory=Counters)

    @property
    def evaluation_network(self) -> BuiltNetwork:
        """The network that is evaluated and published: the averaged one, once there is an average."""
        return self.average.network if self.average is not None and self.average.count else self.network

    def state_tensors(self) -> dict[str, Tensor]:
        """Return every tensor by a flat name, as it lies on the device: the next step changes them.

        They are `network/<key>`, `average/<key>` if there is an average, `source/<key>` if the source has a state,
        and `optimizer/<index>/<key>`, or `optimizer/<index>/<key>/<place>` in a list.
        """
        tensors = {f"{NETWORK_PREFIX}{name}": value for name, value in self.network.state_dict().items()}
        if self.evaluation_network is not self.network:
            average = self.evaluation_network.state_dict()
            tensors |= {f"{AVERAGE_PREFIX}{name}": value for name, value in average.items()}
        for index, entry in self.optimizer.state_dict()["state"].items():
            tensors |= {f"{OPTIMIZER_PREFIX}{index}/{key}": value for key, value in _entry_tensors(entry)}
        tensors |= {f"{SOURCE_PREFIX}{name}": value for name, value in self.source.state_dict().items()}
        return {name: value.detach() for name, value in tensors.items()}

    def state_json(self) -> StateJson:
        """Return everything that is no tensor. Python writes and reads floats in JSON exactly."""
        optimizer = self.optimizer.state_dict()
        return {
            "version": STATE_VERSION,
            "counters": asdict(self.counters),
            "best": asdict(self.best),
            "stopper": asdict(self.stopper) if self.stopper is not None else None,
            "optimizer": {
                "state": {str(index): _without_tensors(entry) for index, entry in optimizer["state"].items()},
                "param_groups": optimizer["param_groups"],
            },
            "averaged": self.average.count if self.average is not None else 0,
            "schedule": self.schedule.state_dict() if self.schedule is not None else None,
            "scaler": self.scaler.state_dict() if self.scaler is not None else None,
        }

    def load(self, tensors: Mapping[str, Tensor], numbers: StateJson, forked: bool = False) -> None:
        """Restore what `state_tensors` and `state_json` returned, into parts that are built from the same spec.

        Trackers that follow something else than those stored begin anew. With `forked` the state is another job's,
        and the plan may differ: that it stopped early does not stop this one, whose patience begins anew.
        Raises `BuildError` if the optimizer's tensors do not have the shapes of its parameters.
        """
        self.network.load_state_dict(strip_prefix(NETWORK_PREFIX, tensors))
        if self.average is not None and numbers["averaged"]:
            self.average.network.load_state_dict(strip_prefix(AVERAGE_PREFIX, tensors))
            self.average.count = numbers["averaged"]
        self.source.load_state_dict(strip_prefix(SOURCE_PREFIX, tensors))
        self._load_optimizer(strip_prefix(OPTIMIZER_PREFIX, tensors), numbers["optimizer"])
        if self.schedule is not None and numbers["schedule"] is not None:
            self.schedule.load_state_dict(numbers["schedule"])
        if self.scaler is not None and numbers["scaler"] is not None:
            self.scaler.load_state_dict(dict(numbers["scaler"]))
        self.best.load(numbers["best"])
        same = self.stopper is not None and self.stopper.load(numbers["stopper"])
        self.counters = Counters(**numbers["counters"])
        if self.counters.stopped and (forked or not same):
            self.counters.stopped = False
            if self.stopper is not None:
                self.stopper.stale = 0

    def _load_optimizer(self, tensors: Mapping[str, Tensor], numbers: OptimizerJson) -> None:
        entries = {int(index): dict(copy.deepcopy(entry)) for index, entry in numbers["state"].items()}
        for name, value in tensors.items():
            index, key, *place = name.split("/")
            if place:
                entries[int(index)][key][int(place[0])] = value.clone()
            else:
                entries[int(index)][key] = value.clone()
        check_state_shapes(self.optimizer, entries, self.network)
        self.optimizer.load_state_dict({"state": entries, "param_groups": numbers["param_groups"]})


def strip_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def published_weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a stored state that were evaluated and published: the averaged ones, if there are any."""
    return strip_prefix(AVERAGE_PREFIX, tensors) or strip_prefix(NETWORK_PREFIX, tensors)


def _entry_tensors(entry: JsonState) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors that an optimizer keeps of a parameter, those of lists by `<key>/<place>`."""
    for key, value in entry.items():
        listed = enumerate(value) if isinstance(value, list) else ()
        items = [(key, value), *((f"{key}/{place}", item) for place, item in listed)]
        yield from ((name, item) for name, item in items if isinstance(item, Tensor))


def _without_tensors(entry: JsonState) -> JsonState:
    """Return what an optimizer keeps of a parameter without tensors; in lists `None` stands for them."""
    return {
        key: [None if isinstance(item, Tensor) else item for item in value] if isinstance(value, list) else value
        for key, value in entry.items()
        if not isinstance(value, Tensor)
    }
