"""Applies tensor maps: weights, averages and the state of the optimiser, by the names of parameters."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from workers.data.rng import stream_seed
from workers.network.analysis.parameters import index_parameters
from workers.network.blueprint import Blueprint
from workers.surgery.draft import Change
from workers.surgery.optimizer_state import OPTIONAL_TENSORS, STATE_TENSORS, StateTensor, Transfer
from workers.surgery.tensor_map import NEW, AxisMap, Fill, TensorSource

NOISE_STREAM = 0x4015E  # keeps the noise on copies apart from the weights that are drawn

Tensors = Mapping[str, Tensor]
Shape = tuple[int, ...]
# From a network and how some of its tensors are filled: these tensors, on the CPU.
Draw = Callable[[Blueprint, Mapping[str, Fill]], Tensors]


@dataclass(frozen=True, slots=True)
class ParameterState:
    """The optimiser's state of one parameter, and the settings of its group."""

    values: Mapping[str, Any]  # tensors and numbers, as in the optimiser's `state`
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NamedState:
    """Everything of a training that has the shapes of its network; names are those of `state_dict`."""

    weights: Tensors
    average: Tensors  # empty before its first update
    parameters: Mapping[str, ParameterState]  # those that have been trained
    dropped: tuple[str, ...] = ()  # parameters whose state could not be carried: they begin with a new one


@dataclass
class _Continuation:
    """How one tensor goes on."""

    source: TensorSource
    shape: Shape
    before: Shape | None  # of the tensor that it continues
    is_identity: bool = field(init=False)
    fills: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_identity = self.before == self.shape and _keeps_all(self.source)
        self.fills = self.source.name is None or any(NEW in axis.indices for axis in self.source.axes)

    def entries(self, old: Tensor, power: int, by_gradient: bool) -> Tensor:
        """Return the old entries in their new places, times factors to a power; new ones hold anything."""
        result = old
        for axis in self.source.axes:
            indices = torch.tensor(axis.indices, device=old.device).clamp_(min=0)
            result = result.index_select(axis.axis, indices)
            factors = axis.gradient_factors if by_gradient else axis.weight_factors
            if factors is not None and power:
                scale = torch.tensor(factors, dtype=result.dtype, device=result.device) ** power
                result = result * scale.reshape(_along(axis.axis, result.ndim))
        return result

    def is_new(self, device: torch.device) -> Tensor:
        """Return which entries continue none: boolean, of a shape that broadcasts to that of the tensor."""
        new = torch.zeros([1] * len(self.shape), dtype=torch.bool, device=device)
        for axis in self.source.axes:
            flags = torch.tensor(axis.indices, device=device) == NEW
            new = new | flags.reshape(_along(axis.axis, len(self.shape)))
        return new

    def weights(self, old: Tensor, filled: Tensor | None, noise: Tensor | None) -> Tensor:
        """Return the new weights; `filled` and `noise` are of their shape."""
        if self.is_identity:
            return old
        result = self.entries(old, 1, by_gradient=False)
        if noise is not None:
            result = result + noise.to(result)
        if self.fills:
            if filled is None:
                filled = self._mean(old)
            result = torch.where(self.is_new(old.device), filled.to(result), result)
        return result

    def state_tensor(self, old: Tensor, row: StateTensor, settings: Mapping[str, Any]) -> Tensor:
        """Return a tensor of the optimiser's state, of the new shape."""
        if self.is_identity:
            return old
        power = {Transfer.LINEAR: 1, Transfer.QUADRATIC: 2, Transfer.UNSCALED: 0}[row.transfer]
        result = self.entries(old, power, by_gradient=True)
        if self.fills:
            start = settings[row.start] if isinstance(row.start, str) else row.start
            result = torch.where(self.is_new(old.device), torch.full_like(result, float(start)), result)
        return result

    def _mean(self, old: Tensor) -> Tensor:
        """Return the mean over the old entries along each axis that has new ones, of a shape that broadcasts."""
        axes = [axis.axis for axis in self.source.axes if NEW in axis.indices]
        others = TensorSource(self.source.name, tuple(axis for axis in self.source.axes if axis.axis not in axes))
        return _Continuation(others, self.shape, None).entries(old, 1, by_gradient=False).mean(axes, keepdim=True)


def _keeps_all(source: TensorSource) -> bool:
    """Say whether a tensor continues another one entry by entry, if that has its shape."""
    return source.name is not None and not source.noise and all(map(_keeps_first, source.axes))


def _keeps_first(axis: AxisMap) -> bool:
    """Say whether entries stay where they were; others may follow them that do not stay."""
    factors = (*(axis.weight_factors or ()), *(axis.gradient_factors or ()))
    return axis.indices == tuple(range(len(axis.indices))) and all(factor == 1 for factor in factors)


def map_state(
    state: NamedState, changes: Sequence[Change], optimizer: str, draw: Draw, *, noise_seed: int = 0
) -> NamedState:
    """Return the state after changes, applied one after the other. Tensors that stay are not copied.

    `optimizer` is the kind of the optimiser whose state it is. `draw` makes new entries; those of an average begin
    as those of the weights.
    """
    for change in changes:
        state = _map_change(state, change, STATE_TENSORS[optimizer], draw, noise_seed)
    return state


def map_weights(weights: Tensors, changes: Sequence[Change], draw: Draw, *, noise_seed: int = 0) -> Tensors:
    """Return the weights alone after changes."""
    return map_state(NamedState(weights, {}, {}), changes, "SGD", draw, noise_seed=noise_seed).weights


def unchanged_names(changes: Sequence[Change], shapes: Mapping[str, Shape]) -> dict[str, str]:
    """Return the tensors that changes leave as they are: old names by new ones; `shapes` are those of all old ones."""
    old = {name: name for name in shapes}
    for change in changes:
        after = index_parameters(change.blueprint).shapes
        old = {
            name: old[source.name]
            for name, source in change.tensors.items()
            if source.name in old and shapes[source.name] == after[name] and _keeps_all(source)
        }
        shapes = after
    return old


def _map_change(
    state: NamedState, change: Change, rows: Mapping[str, StateTensor], draw: Draw, noise_seed: int
) -> NamedState:
    shapes = index_parameters(change.blueprint).shapes
    before = {name: tuple(weight.shape) for name, weight in state.weights.items()}
    plans = {
        name: _Continuation(source, shapes[name], None if source.name is None else before[source.name])
        for name, source in change.tensors.items()
    }
    fills = {name: plan.source.fill for name, plan in plans.items() if plan.fills and plan.source.fill != "mean"}
    drawn = draw(change.blueprint, fills) if fills else {}
    noise = {
        name: _noise(plan, state.weights[plan.source.name], stream_seed(noise_seed, NOISE_STREAM, _word(name)))
        for name, plan in plans.items()
        if plan.source.name is not None and plan.source.noise
    }

    def weights(tensors: Tensors) -> dict[str, Tensor]:
        """Return the weights, or an average of them, afterwards."""
        return {
            name: drawn[name] if old is None else plan.weights(tensors[old], drawn.get(name), noise.get(name))
            for name, plan in plans.items()
            for old in [plan.source.name]
        }

    parameters: dict[str, ParameterState] = {}
    dropped = {name for name, plan in plans.items() if plan.source.name in state.dropped}
    for name, plan in plans.items():
        if plan.source.name is not None and (entry := state.parameters.get(plan.source.name)) is not None:
            values = _map_entry(entry, plan, rows, drawn.get(name))
            if values is None:
                dropped.add(name)
            else:
                parameters[name] = ParameterState(values, entry.settings)
    average = weights(state.average) if state.average else {}
    return NamedState(weights(state.weights), average, parameters, tuple(sorted(dropped)))


def _map_entry(
    entry: ParameterState, plan: _Continuation, rows: Mapping[str, StateTensor], filled: Tensor | None
) -> dict[str, Any] | None:
    """Return the optimiser's state of a parameter afterwards; `None` if a part of it has no meaning any more."""
    if plan.is_identity:
        return dict(entry.values)
    values = {}
    for key, value in entry.values.items():
        row = rows.get(key)
        if row is None or value is None:
            values[key] = value
        elif row.transfer is Transfer.WHOLE:
            return None
        elif row.transfer is Transfer.LIKE_WEIGHTS:
            values[key] = plan.weights(value, filled, None)
        else:
            values[key] = plan.state_tensor(value, row, entry.settings)
    return values


def adapt_settings(values: Mapping[str, Any], kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a parameter's state with the moments that its optimiser has by its settings: those that are new are 0."""
    result = dict(values)
    for setting, key in OPTIONAL_TENSORS.get(kind, {}).items():
        if not settings[setting]:
            result.pop(key, None)
        elif result and result.get(key) is None and kind != "SGD":  # which begins its momentum by itself
            shape = next(value for name, value in result.items() if name in STATE_TENSORS[kind] and value is not None)
            result[key] = torch.zeros_like(shape)
    return result


def _noise(plan: _Continuation, old: Tensor, seed: int) -> Tensor:
    """Return noise on the copies of entries, 0 elsewhere: of the new shape, a share of the tensor's deviation."""
    copies = torch.zeros([1] * len(plan.shape), dtype=torch.bool)
    for axis in plan.source.axes:
        first = {index: place for place, index in reversed(list(enumerate(axis.indices)))}
        again = torch.tensor([index != NEW and first[index] != place for place, index in enumerate(axis.indices)])
        copies = copies | again.reshape(_along(axis.axis, len(plan.shape)))
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(plan.shape, generator=generator) * (plan.source.noise * old.float().std(correction=0).cpu())
    return torch.where(copies, values, 0)


def _along(axis: int, dimensions: int) -> list[int]:
    """Return the shape by which a vector is broadcast along an axis."""
    return [-1 if each == axis else 1 for each in range(dimensions)]


def _word(name: str) -> int:
    return zlib.crc32(name.encode())
