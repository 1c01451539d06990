"""The state of a training at one revision becomes a snapshot for the next, as a checkpoint of it would be read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from app.spec.training.plan import Training
from app.spec.training.updates.target_networks import TargetNetwork
from workers.network.blueprint import Blueprint
from workers.surgery.apply import Draw, NamedState, ParameterState, adapt_settings, map_state, unchanged_names
from workers.surgery.draft import Change
from workers.surgery.tensor_map import Fill
from workers.training.assembly import PreparedTraining
from workers.training.edits.rates import RateChange
from workers.training.optim.learning_rate import WarmupSchedule
from workers.training.optim.schedules import JsonState
from workers.training.optim.update_state import UpdateJson, UpdateState, optimizer_numbers, optimizer_tensors
from workers.training.state import (
    AVERAGE_PREFIX,
    NETWORK_PREFIX,
    SOURCE_PREFIX,
    StateJson,
    TrainState,
    optimizer_prefix,
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
    draw = _draw_alike(draw, new.plan.target_networks)
    mapped = map_state(_named_weights(before), changes, "SGD", draw, noise_seed=noise_seed)
    tensors = {f"{NETWORK_PREFIX}{name}": value for name, value in mapped.weights.items()}
    tensors |= {f"{SOURCE_PREFIX}{name}": value for name, value in before.source.state_dict().items()}
    begun = after.average is not None and not after.average.begins_after(before.counters.step)
    averaged = begun and _same_kind(old, new)
    if averaged and mapped.average:
        tensors |= {f"{AVERAGE_PREFIX}{name}": value for name, value in mapped.average.items()}
    shapes = {name: tuple(weight.shape) for name, weight in before.network.state_dict().items()}
    edit = _EditedUpdates(old, new, changes, unchanged_names(changes, shapes), draw, noise_seed)
    updates, dropped = [], []
    for place in range(len(after.updates)):
        indexed, lost = edit.optimizer_state(place)
        tensors |= {f"{optimizer_prefix(place)}{name}": value for name, value in optimizer_tensors(indexed).items()}
        updates.append(edit.numbers(place, indexed))
        dropped += lost
    stored = before.state_json()
    numbers: StateJson = {**stored, **updates[0], "averaged": stored["averaged"] if averaged else 0}
    if updates[1:]:
        numbers["other_updates"] = updates[1:]
    return MappedState(tensors, numbers, tuple(dict.fromkeys(dropped)))


@dataclass(frozen=True)
class _EditedUpdates:
    """The updates of a training before and after changes, which are as many, in the same order."""

    old: PreparedTraining
    new: PreparedTraining
    changes: Sequence[Change]
    survivors: Mapping[str, str]  # tensors that the changes leave as they are: old names by new ones
    draw: Draw
    noise_seed: int

    def optimizer_state(self, place: int) -> tuple[dict[int, dict[str, Any]], list[str]]:
        """Return the state of an update's optimizer by place of the parameter, and the parameters without one."""
        before, after = self.old.state.updates[place], self.new.state.updates[place]
        (_, was), (_, spec) = self.old.plan.all_updates()[place], self.new.plan.all_updates()[place]
        kind = was.optimizer.kind
        goes_on = spec.optimizer.kind == kind
        present = _named_state(self.old.state.network, before) if goes_on else NamedState({}, {}, {})
        weights = _named_weights(self.old.state).weights
        mapped = map_state(replace(present, weights=weights), self.changes, kind, self.draw, noise_seed=self.noise_seed)
        entries, dropped = mapped.parameters, mapped.dropped
        order = parameter_names(self.new.state.network, after)
        if spec.optimizer.row.closure and goes_on:
            known = [self.survivors.get(name) for name in order]
            intact = known == parameter_names(self.old.state.network, before)
            entries, dropped = (mapped.parameters, ()) if intact else ({}, tuple(order))
        indexed = {
            index: adapt_settings(entries[name].values, kind, spec.optimizer.settings() | dict(settings))
            for index, (name, settings) in enumerate(zip(order, _settings(after.optimizer), strict=True))
            if name in entries
        }
        if kind == "SGD" and any(entry.get("momentum_buffer") is not None for entry in indexed.values()):
            _begin_momentum(indexed, after.optimizer)
        return indexed, [name for name in dropped if name in order]

    def numbers(self, place: int, indexed: Mapping[int, JsonState]) -> UpdateJson:
        """Return everything of an update that is no tensor; `indexed` is the state of its optimizer."""
        before, after = self.old.state.updates[place], self.new.state.updates[place]
        schedule, groups = self._rates(place)
        scaler = before.scaler or after.scaler
        return {
            "optimizer": {"state": optimizer_numbers(indexed), "param_groups": groups},
            "schedule": schedule,
            "scaler": scaler.state_dict() if scaler is not None else None,
        }

    def _rates(self, place: int) -> tuple[JsonState | None, list[JsonState]]:
        """Return the state of an update's schedule, and its parameter groups."""
        before, after = self.old.state.updates[place], self.new.state.updates[place]
        (_, was), (_, spec) = self.old.plan.all_updates()[place], self.new.plan.all_updates()[place]
        own, present = after.schedule, before.schedule
        if isinstance(own, WarmupSchedule) and isinstance(present, WarmupSchedule) and was.warmup == spec.warmup:
            own.skip_to(present.done)  # another schedule is no reason to warm up again
        built = after.optimizer.state_dict()["param_groups"]
        fresh = own.state_dict() if own is not None else None
        if begins_schedule(self.old.plan, self.new.plan, place):
            return fresh, built
        origins = self._group_origins(before, after)
        change = RateChange(self.old.initial_rates[place], self.new.initial_rates[place], origins)
        groups = change.groups(before.optimizer.state_dict()["param_groups"])
        schedule = change.schedule(present.state_dict()) if present is not None else None
        return schedule, [{**group, "params": own["params"]} for group, own in zip(groups, built, strict=True)]

    def _group_origins(self, before: UpdateState, after: UpdateState) -> list[int | None]:
        """Return for every new group the old one that its first surviving parameter was in."""
        groups = before.optimizer.param_groups
        place_of = {each: place for place, group in enumerate(groups) for each in group["params"]}
        named = _all_names(self.old.state.network)
        group_of = {name: place_of[each] for name, each in named if each in place_of}
        for change in self.changes:
            sources = change.tensors.items()
            group_of = {name: group_of[source.name] for name, source in sources if source.name in group_of}
        names = _names(self.new.state.network)
        return [
            next((group_of[names[each]] for each in group["params"] if names[each] in group_of), None)
            for group in after.optimizer.param_groups
        ]


def _draw_alike(draw: Draw, targets: Sequence[TargetNetwork]) -> Draw:
    """Return a function that draws the new entries of a target network as those of its source."""

    def draw_alike(blueprint: Blueprint, fills: Mapping[str, Fill]) -> Mapping[str, Tensor]:
        drawn = dict(draw(blueprint, fills))
        for target in targets:
            for name in [each for each in drawn if f"{each}.".startswith(f"{target.node}.")]:
                source = target.source + name.removeprefix(target.node)
                if fills.get(source) == fills[name] and drawn[source].shape == drawn[name].shape:
                    drawn[name] = drawn[source].clone()
        return drawn

    return draw_alike if targets else draw


def _begin_momentum(entries: dict[int, dict[str, Any]], optimizer: Optimizer) -> None:
    """Give new parameters a momentum of 0: SGD in one kernel takes a momentum for all of a group, or for none."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, (parameter, settings) in enumerate(zip(parameters, _settings(optimizer), strict=True)):
        entry = entries.setdefault(index, {})
        if settings["momentum"] and entry.get("momentum_buffer") is None:
            entry["momentum_buffer"] = torch.zeros_like(parameter)


def parameter_names(network: nn.Module, update: UpdateState) -> list[str]:
    """Return the names of the parameters that an update trains, in the order of its optimizer."""
    names = _names(network)
    return [names[parameter] for group in update.optimizer.param_groups for parameter in group["params"]]


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


def _named_weights(state: TrainState) -> NamedState:
    average = state.evaluation_network
    return NamedState(_detached(state.network), _detached(average) if average is not state.network else {}, {})


def _named_state(network: nn.Module, update: UpdateState) -> NamedState:
    trained = (parameter for group in update.optimizer.param_groups for parameter in group["params"])
    settings = dict(zip(trained, _settings(update.optimizer), strict=True))
    parameters = {
        name: ParameterState(dict(entry), settings[parameter])
        for name, parameter in _all_names(network)
        if (entry := update.optimizer.state.get(parameter))
    }
    return NamedState({}, {}, parameters)


def _detached(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in network.state_dict().items()}


def _same_kind(old: PreparedTraining, new: PreparedTraining) -> bool:
    """Say whether the weights are averaged in the same way before and after."""
    kinds = [each.plan.average.kind if each.plan.average is not None else None for each in (old, new)]
    return kinds[0] is not None and kinds[0] == kinds[1]


def begins_schedule(old: Training, new: Training, place: int = 0) -> bool:
    """Say whether the rates of an update begin afresh with an edit, and do not go on as they were."""
    averages = [each.average.settings().get("lr") if each.average is not None else None for each in (old, new)]
    (_, was), (_, spec) = old.all_updates()[place], new.all_updates()[place]
    return (was.schedule, was.warmup, averages[0]) != (spec.schedule, spec.warmup, averages[1])
