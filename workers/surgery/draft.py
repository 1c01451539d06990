"""A draft: a job's document while operations change it, and what they make of its tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from app.errors import Problem
from app.spec.data.columns import DataSchema
from workers.network.blueprint import Blueprint
from workers.surgery.tensor_map import TensorMap

JsonObject = dict[str, Any]


class Weights(Protocol):
    """Current weights by name in `state_dict`, and gradients of the next batch: they choose what is removed."""

    def weight(self, name: str) -> Tensor:
        """Return a weight."""
        ...

    def gradient(self, name: str) -> Tensor:
        """Return the gradient of a weight, on the batch of the next step."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """What one operation makes of a network: its blueprint afterwards, and where every tensor comes from."""

    blueprint: Blueprint
    tensors: TensorMap


@dataclass(frozen=True, slots=True)
class Revision:
    """The result of an edit: the job's whole document afterwards, and the changes, to be applied one after the other.

    `choices` holds what was chosen by the weights, such as the units that stay, by the place of the operation: with
    them the same edit can be applied again without looking at weights.
    """

    document: Mapping[str, Any]
    changes: tuple[Change, ...]
    choices: Mapping[int, Sequence[int]] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()


@dataclass
class Draft:
    """A document that operations change in place.

    Every node of `document["model"]` has an `id` (chains get those that they had implicitly). `infer()` is called by an
    operation that needs shapes; it infers the current document on the meta device, and raises `InvalidInput`.
    """

    document: JsonObject
    schema: DataSchema  # of the data set, as stored with the job
    weights: Weights | None = None  # None: on the meta device alone; the first units stand for the chosen ones
    choices: dict[int, Sequence[int]] = field(default_factory=dict)
