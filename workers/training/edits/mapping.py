"""The state of a training at one revision becomes a snapshot for the next, as a checkpoint of it would be read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from app.spec.training.plan import Training
from workers.surgery.apply import Draw, NamedState, ParameterState, adapt_settings, map_state, unchanged_names
from workers.surgery.draft import Change
from workers.training.assembly import PreparedTraining
from workers.training.edits.rates import RateChange
from workers.training.optim.learning_rate import WarmupSchedule
from workers.training.optim.schedules import JsonState
from workers.training.state import (
    AVERAGE_PREFIX,
    NETWORK_PREFIX,
    SOURCE_PREFIX,
    OptimizerJson,
    StateJson,
    TrainState,
    optimizer_numbers,
    optimizer_tensors,
)


@dataclass(frozen=True)
class MappedState:
    """What `TrainState.load` reads, and the parameters whose state of the optimiser could not be carried."""

    tensors: Mapping[str, Tensor]
    numbers: StateJson
    dropped: tuple[str, ...] = ()


def map_training(
    old: PreparedTraining, new: PreparedTraining, changes: Sequence[Change], draw: Draw, noise_seed: int
) -> MappedState:
    """Return the state of `old` after changes, in the form and the order of `new`."""
    before, after = old.state, new.state
    kind = old.plan.optimizer.kind
    goes_on = new.plan.optimizer.kind == kind
    mapped = map_state(_named_state(before, goes_on), changes, kind, draw, noise_seed=noise_seed)
    tensors = {f"{NETWORK_PREFIX}{name}": value for name, value in mapped.weights.items()}
    tensors |= {f"{SOURCE_PREFIX}{name}": value for name, value in before.source.state_dict().items()}
    begun = after.average is not None and not after.average.begins_after(before.counters.step)
    averaged = begun and _same_kind(old, new)
    if averaged and mapped.average:
        tensors |= {f"{AVERAGE_PREFIX}{name}": value for name, value in mapped.average.items()}
    survivors = unchanged_names(
        changes, {name: tuple(weight.shape) for name, weight in before.network.state_dict().items()}
    )
    entries, dropped = mapped.parameters, mapped.dropped
    order = parameter_names(after)
    if new.plan.optimizer.row.closure and goes_on:
        intact = [survivors.get(name) for name in order] == parameter_names(before)
        entries, dropped = (mapped.parameters, ()) if intact else ({}, tuple(order))
    indexed = {
        index: adapt_settings(entries[name].values, kind, new.plan.optimizer.settings() | dict(settings))
        for index, (name, settings) in enumerate(zip(order, _settings(after.optimizer), strict=True))
        if name in entries
    }
    if kind == "SGD" and any(entry.get("momentum_buffer") is not None for entry in indexed.values()):
        _begin_momentum(indexed, after.optimizer)
    tensors |= optimizer_tensors(indexed)
    stored = before.state_json()
    schedule, groups = _rates(old, new, changes)
    optimizer: OptimizerJson = {"state": optimizer_numbers(indexed), "param_groups": groups}
    numbers: StateJson = {
        **stored,
        "optimizer": optimizer,
        "averaged": stored["averaged"] if averaged else 0,
        "schedule": schedule,
        "scaler": stored["scaler"] or (after.scaler.state_dict() if after.scaler is not None else None),
    }
    return MappedState(tensors, numbers, tuple(name for name in dropped if name in order))


def _begin_momentum(entries: dict[int, dict[str, Any]], optimizer: Optimizer) -> None:
    """Give new parameters a momentum of 0: SGD in one kernel takes a momentum for all of a group, or for none."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, (parameter, settings) in enumerate(zip(parameters, _settings(optimizer), strict=True)):
        entry = entries.setdefault(index, {})
        if settings["momentum"] and entry.get("momentum_buffer") is None:
            entry["momentum_buffer"] = torch.zeros_like(parameter)


def parameter_names(state: TrainState) -> list[str]:
    """Return the names of the parameters that are trained, in the order of the optimizer."""
    names = _names(state.network)
    return [names[parameter] for group in state.optimizer.param_groups for parameter in group["params"]]


def _names(network: nn.Module) -> dict[nn.Parameter, str]:
    return {parameter: name for name, parameter in network.named_parameters()}


def _all_names(network: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield all parameters; those of a shared part by each of their names."""
    return network.named_parameters(remove_duplicate=False)


def _settings(optimizer: Optimizer) -> Iterator[Mapping[str, Any]]:
    """Yield the settings of every parameter's group, in the order of the optimizer."""
    for group in optimizer.param_groups:
        for _ in group["params"]:
            yield {name: value for name, value in group.items() if name != "params"}


def _named_state(state: TrainState, with_optimizer: bool) -> NamedState:
    settings = {
        parameter: {name: value for name, value in group.items() if name != "params"}
        for group in state.optimizer.param_groups
        for parameter in group["params"]
    }
    parameters = {
        name: ParameterState(dict(entry), settings[parameter])
        for name, parameter in _all_names(state.network)
        if with_optimizer and (entry := state.optimizer.state.get(parameter))
    }
    average = state.evaluation_network
    averages = _detached(average) if average is not state.network else {}
    return NamedState(_detached(state.network), averages, parameters)


def _detached(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in network.state_dict().items()}


def _same_kind(old: PreparedTraining, new: PreparedTraining) -> bool:
    """Say whether the weights are averaged in the same way before and after."""
    kinds = [each.plan.average.kind if each.plan.average is not None else None for each in (old, new)]
    return kinds[0] is not None and kinds[0] == kinds[1]


def _rates(
    old: PreparedTraining, new: PreparedTraining, changes: Sequence[Change]
) -> tuple[JsonState | None, list[JsonState]]:
    """Return the state of the schedule and the parameter groups of the new training."""
    own, present = new.state.schedule, old.state.schedule
    if isinstance(own, WarmupSchedule) and isinstance(present, WarmupSchedule) and old.plan.warmup == new.plan.warmup:
        own.skip_to(present.done)  # another schedule is no reason to warm up again
    built = new.state.optimizer.state_dict()["param_groups"]
    fresh = new.state.schedule.state_dict() if new.state.schedule is not None else None
    if begins_schedule(old.plan, new.plan):
        return fresh, built
    change = RateChange(old.initial_rates, new.initial_rates, _group_origins(old.state, new.state, changes))
    groups = change.groups(old.state.optimizer.state_dict()["param_groups"])
    schedule = change.schedule(old.state.schedule.state_dict()) if old.state.schedule is not None else None
    return schedule, [{**group, "params": own["params"]} for group, own in zip(groups, built, strict=True)]


def begins_schedule(old: Training, new: Training) -> bool:
    """Say whether the rates of a plan begin afresh with an edit, and do not go on as they were."""
    averages = [each.average.settings().get("lr") if each.average is not None else None for each in (old, new)]
    return (old.schedule, old.warmup, averages[0]) != (new.schedule, new.warmup, averages[1])


def _group_origins(old: TrainState, new: TrainState, changes: Sequence[Change]) -> list[int | None]:
    """Return for every new group the old one that its first surviving parameter was in."""
    place_of = {each: place for place, group in enumerate(old.optimizer.param_groups) for each in group["params"]}
    group_of = {name: place_of[each] for name, each in _all_names(old.network) if each in place_of}
    for change in changes:
        group_of = {name: group_of[source.name] for name, source in change.tensors.items() if source.name in group_of}
    names = _names(new.network)
    return [
        next((group_of[names[each]] for each in group["params"] if names[each] in group_of), None)
        for group in new.optimizer.param_groups
    ]
