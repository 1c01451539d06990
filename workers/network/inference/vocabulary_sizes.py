"""How many different whole numbers a value holds, so that what looks vectors up has one for each."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from workers.network.inference.partial_network import Trace
from workers.network.inference.sizes import BATCH, Mismatch

FIELD = "num_embeddings"

# Kinds that move whole numbers about and make no new ones.
MOVING = frozenset({
    "Identity", "Flatten", "Unflatten", "flatten", "reshape", "permute", "transpose", "movedim", "squeeze", "unsqueeze",
    "select", "narrow", "expand", "tile", "repeat_interleave", "roll", "flip", "windows", "index_select", "gather",
    "take_along_dim", "stop_gradient",
})  # fmt: skip


@dataclass
class Numbering:
    """What is known of values on the meta device: they hold whole numbers below a count."""

    known: dict[int, tuple[Tensor, int]] = field(default_factory=dict)  # by identity, with the value to keep it alive

    def note(self, value: Tensor, count: int | None) -> None:
        """Remember how many different numbers a value may hold, if that is known."""
        if count is not None and not value.is_floating_point():
            self.known[id(value)] = (value, count)

    def of(self, value: Tensor) -> int | None:
        """Return how many different numbers a value may hold, if that is known."""
        return self.known[id(value)][1] if id(value) in self.known else None

    def pass_on(self, kind: str, trace: Trace) -> None:
        """Note what follows for the output of a node."""
        if kind in MOVING and trace.inputs:
            self.note(trace.output, self.of(trace.inputs[0]))
        elif kind == "arange" and (length := trace.output.shape[0]) != BATCH:
            self.note(trace.output, length)


def looked_up(name: str, parameters: dict[str, Any], count: int | None) -> dict[str, Any]:
    """Return the parameters with the number of vectors that are looked up in. Raises `Mismatch`."""
    if FIELD not in parameters:
        return parameters
    given = parameters[FIELD]
    if given is None and count is None:
        detail = f"{name} looks vectors up, and how many different numbers it receives is not known"
        raise Mismatch(detail, "give num_embeddings: the largest number, and one", field=FIELD, code="missing")
    if given is not None and count is not None and given < count:
        detail = f"{name} has {given:,} vectors but receives numbers up to {count - 1:,}"
        raise Mismatch(detail, f"set {FIELD} to {count}, or leave it out", field=FIELD)
    return {**parameters, FIELD: given or count}
