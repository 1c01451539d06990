"""What one update has that survives a restart: its optimiser, the schedule of its rates, and its loss scaler."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict, TypeVar

from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from app.errors import BuildError
from workers.network.runtime.build import BuiltNetwork
from workers.training.optim.fused_kernels import FusedStep, fused_step
from workers.training.optim.learning_rate import LearningRateSchedule
from workers.training.optim.optimizers import check_state_shapes
from workers.training.optim.schedules import JsonState

T = TypeVar("T")


class OptimizerJson(TypedDict):
    """The numbers of an optimizer: `state_dict` without tensors."""

    state: Mapping[str, JsonState]  # by index of the parameter
    param_groups: Sequence[JsonState]


class UpdateJson(TypedDict):
    """Everything of an update that is no tensor."""

    optimizer: OptimizerJson
    schedule: JsonState | None
    scaler: JsonState | None


@dataclass
class UpdateState:
    """An optimizer, what goes with it, and what its losses need of the network.

    The only update of a plan computes the gradients of all of the network. One of several runs a part of it, and
    computes those of its own parameters.
    """

    optimizer: Optimizer
    parameters: Sequence[nn.Parameter]  # that `optimizer` trains, in the order of the network
    schedule: LearningRateSchedule | None = None
    scaler: GradScaler | None = None  # for fp16
    network: BuiltNetwork | None = None  # the part that is run; `None`: all of the network
    _fused: FusedStep | None = None

    @property
    def inputs(self) -> Sequence[nn.Parameter] | None:
        """The parameters whose gradients are computed; `None`: of all that the loss depends on."""
        return None if self.network is None else self.parameters

    def step_optimizer(self) -> None:
        """Step the optimizer from the gradients of its parameters."""
        if self._fused is not None and self._fused.state is not self.optimizer.state:
            self._fused = None  # another state was loaded
        if self._fused is None or not self._fused.step():
            self.optimizer.step()
            self._fused = self._fused or fused_step(self.optimizer)

    def state_tensors(self) -> dict[str, Tensor]:
        """Return the optimizer's tensors, without copying; see `optimizer_tensors`."""
        return optimizer_tensors(self.optimizer.state_dict()["state"])

    def state_json(self) -> UpdateJson:
        """Return everything that is not a tensor."""
        optimizer = self.optimizer.state_dict()
        return {
            "optimizer": {"state": optimizer_numbers(optimizer["state"]), "param_groups": optimizer["param_groups"]},
            "schedule": self.schedule.state_dict() if self.schedule is not None else None,
            "scaler": self.scaler.state_dict() if self.scaler is not None else None,
        }

    def load(self, tensors: Mapping[str, Tensor], numbers: UpdateJson, network: nn.Module) -> None:
        """Restore what `state_tensors` and `state_json` returned; `network` has the parameters.

        Raises `BuildError` if the optimizer's tensors do not have the shapes of its parameters.
        """
        self._load_optimizer(tensors, numbers["optimizer"], network)
        if self.schedule is not None:
            self.schedule.load_state_dict(_required(numbers["schedule"], "schedule"))
        if self.scaler is not None:
            self.scaler.load_state_dict(dict(_required(numbers["scaler"], "scaler")))

    def _load_optimizer(self, tensors: Mapping[str, Tensor], numbers: OptimizerJson, network: nn.Module) -> None:
        entries = {int(index): dict(copy.deepcopy(entry)) for index, entry in numbers["state"].items()}
        for name, value in tensors.items():
            index, key, *position = name.split("/")
            if position:
                entries[int(index)][key][int(position[0])] = value.clone()
            else:
                entries[int(index)][key] = value.clone()
        check_state_shapes(self.optimizer, entries, network)
        self.optimizer.load_state_dict({"state": entries, "param_groups": numbers["param_groups"]})


def optimizer_tensors(entries: Mapping[int, JsonState]) -> dict[str, Tensor]:
    """Return the tensors of an optimizer's `state`: `<index>/<key>`, or `<index>/<key>/<position>` in a list."""
    return {f"{index}/{key}": value for index, entry in entries.items() for key, value in _entry_tensors(entry)}


def optimizer_numbers(entries: Mapping[int, JsonState]) -> dict[str, JsonState]:
    """Return an optimizer's `state` without tensors, as JSON has it."""
    return {str(index): _without_tensors(entry) for index, entry in entries.items()}


def _entry_tensors(entry: JsonState) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a parameter's optimizer state, those in lists as `<key>/<position>`."""
    for key, value in entry.items():
        listed = enumerate(value) if isinstance(value, list) else ()
        items = [(key, value), *((f"{key}/{position}", item) for position, item in listed)]
        yield from ((name, item) for name, item in items if isinstance(item, Tensor))


def _without_tensors(entry: JsonState) -> JsonState:
    """Return a parameter's optimizer state without tensors; in lists `None` stands for them."""
    return {
        key: [None if isinstance(item, Tensor) else item for item in value] if isinstance(value, list) else value
        for key, value in entry.items()
        if not isinstance(value, Tensor)
    }


def _required(state: T | None, name: str) -> T:
    if state is None:
        raise BuildError(f"the checkpoint has no state of the {name}", pointer="/start_from")
    return state
