"""The number of different integers in a value, from which `num_embeddings` follows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE, NodeError
from workers.network.inference.partial_network import InferredNode

VOCABULARY_FIELD = "num_embeddings"

# Kinds whose output has only values of the first input.
VALUE_PRESERVING_KINDS = frozenset(
    {
        "Identity",
        "Flatten",
        "Unflatten",
        "flatten",
        "reshape",
        "permute",
        "transpose",
        "movedim",
        "squeeze",
        "unsqueeze",
        "select",
        "narrow",
        "expand",
        "tile",
        "repeat_interleave",
        "roll",
        "flip",
        "windows",
        "index_select",
        "gather",
        "take_along_dim",
        "stop_gradient",
    }
)


@dataclass
class VocabularySizes:
    """Upper bounds of integer values on the meta device: all are in 0..count-1."""

    _sizes: dict[int, tuple[Tensor, int]] = field(default_factory=dict)  # by identity, with the value to keep it alive

    def record(self, value: Tensor, count: int | None) -> None:
        """Store the count of a value, if it is known."""
        if count is not None and not value.is_floating_point():
            self._sizes[id(value)] = (value, count)

    def get(self, value: Tensor) -> int | None:
        """Return the count of a value, if it is known."""
        return self._sizes[id(value)][1] if id(value) in self._sizes else None

    def propagate(self, kind: str, trace: InferredNode) -> None:
        """Store the count that follows for the output of a node."""
        if kind in VALUE_PRESERVING_KINDS and trace.inputs:
            self.record(trace.output, self.get(trace.inputs[0]))
        elif kind == "arange" and (length := trace.output.shape[0]) != SYMBOLIC_BATCH_SIZE:
            self.record(trace.output, length)


def check_class_count(name: str, parameters: Mapping[str, Any], count: int | None) -> None:
    """Check that there are as many classes as class numbers, of which `count` is known. Raises `NodeError`."""
    if count is not None and parameters["n_classes"] < count:
        detail = f"{name} has {parameters['n_classes']:,} classes but receives numbers up to {count - 1:,}"
        raise NodeError(detail, f"set n_classes to {count}", field="n_classes", code="invalid_value")


def resolve_vocabulary_size(name: str, parameters: dict[str, Any], count: int | None) -> dict[str, Any]:
    """Return the parameters with `num_embeddings`. Raises `NodeError`."""
    if VOCABULARY_FIELD not in parameters:
        return parameters
    given = parameters[VOCABULARY_FIELD]
    if given is None and count is None:
        detail = f"{name} needs num_embeddings, which does not follow from its input"
        raise NodeError(
            detail, "set num_embeddings to the largest number plus one", field=VOCABULARY_FIELD, code="missing"
        )
    if given is not None and count is not None and given < count:
        detail = f"{name} has {given:,} vectors but receives numbers up to {count - 1:,}"
        raise NodeError(detail, f"set {VOCABULARY_FIELD} to {count}, or leave it out", field=VOCABULARY_FIELD)
    return {**parameters, VOCABULARY_FIELD: given or count}
