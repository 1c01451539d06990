"""Statistics of a step's parameters: norms of gradients, of weights, and of what the step changed."""

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from workers.torch_setup import is_out_of_memory
from workers.training.state import TrainState
from workers.training.statistics.histograms import count_codes
from workers.training.statistics.transfer import Transfer, accumulation_dtype

Owners = Mapping[str, Sequence[nn.Parameter]]  # the parameters of every node that has some, by path


class ParameterStatistics:
    """Measures one step: `before` the update, when the gradients are complete, and `after` it.

    Gradients are those of the whole step, of all its batches, in the scale of the loss, and before clipping. The update
    is the difference of the weights after the optimiser's step to those before it, whatever the optimiser did.
    """

    def __init__(self, owners: Owners, device: torch.device, histograms: bool) -> None:
        self._owners, self._histograms = owners, histograms
        self._parameters = [parameter for parameters in owners.values() for parameter in parameters]
        self._dtype = accumulation_dtype(device)
        self._scale = 1.0
        self._weights: list[Tensor] = []
        self._gradients: dict[int, Tensor] = {}  # norms, by place of the parameter
        self._copies: dict[int, Tensor] = {}
        self._changes: dict[int, Tensor] = {}  # norms
        self.codes: dict[tuple[str, str], Tensor] = {}  # by node and "weights" or "gradients"

    @torch.no_grad()
    def before(self, state: TrainState) -> None:
        """Measure gradients and weights, and copy the weights that the update may change, if there is room."""
        self._scale = state.scaler.get_scale() if state.scaler is not None else 1.0
        values = [parameter.detach() for parameter in self._parameters]
        self._weights = self._norms(values)
        gradients = {place: _dense(each.grad) for place, each in enumerate(self._parameters) if each.grad is not None}
        self._gradients = dict(zip(gradients, self._norms(list(gradients.values())), strict=True))
        if self._histograms:
            self._count(values, gradients)
        trained = set(map(id, state.parameters))
        try:
            self._copies = {place: each.clone() for place, each in self._trained(values, trained)}
        except (RuntimeError, MemoryError) as error:
            if not isinstance(error, MemoryError) and not is_out_of_memory(error):
                raise
            self._copies = {}

    @torch.no_grad()
    def after(self) -> None:
        """Measure what the update changed."""
        if self._copies:
            copies = list(self._copies.values())
            torch._foreach_sub_(copies, [self._parameters[place].detach() for place in self._copies])
            self._changes = dict(zip(self._copies, self._norms(copies), strict=True))
        self._copies = {}

    def _trained(self, values: Sequence[Tensor], trained: set[int]) -> Iterable[tuple[int, Tensor]]:
        return (
            (place, value)
            for place, (value, parameter) in enumerate(zip(values, self._parameters, strict=True))
            if id(parameter) in trained
        )

    def _norms(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        return list(torch._foreach_norm(list(tensors), 2, dtype=self._dtype)) if tensors else []

    def _count(self, values: Sequence[Tensor], gradients: Mapping[int, Tensor]) -> None:
        place = 0
        for node, parameters in self._owners.items():
            for _ in parameters:
                self._add(node, "weights", values[place])
                if place in gradients:
                    self._add(node, "gradients", self._unscaled(gradients[place]))
                place += 1

    def _unscaled(self, gradient: Tensor) -> Tensor:
        return gradient if self._scale == 1 else gradient / self._scale

    def _add(self, node: str, quantity: str, values: Tensor) -> None:
        counts = count_codes(values)
        key = node, quantity
        self.codes[key] = self.codes[key] + counts if key in self.codes else counts

    def send(self, transfer: Transfer) -> None:
        """Let the norms be transferred from the device."""
        transfer.add("weights", self._weights)
        transfer.add("gradients", list(self._gradients.values()))
        transfer.add("changes", list(self._changes.values()))

    def result(self, transfer: Transfer) -> dict[tuple[str, str], float]:
        """Return the statistics by node and quantity, from the numbers in the order of `send`."""
        weights = dict(enumerate(transfer.take("weights", len(self._weights))))
        gradients = dict(zip(self._gradients, transfer.take("gradients", len(self._gradients)), strict=True))
        changes = dict(zip(self._changes, transfer.take("changes", len(self._changes)), strict=True))
        found: dict[tuple[str, str], float] = {}
        begin = 0
        for node, parameters in self._owners.items():
            places = range(begin, begin + len(parameters))
            begin = places.stop
            norm = found[node, "weight_norm"] = _joined(weights, places)
            if any(place in gradients for place in places):
                found[node, "grad_norm"] = _joined(gradients, places) / self._scale
            if any(place in changes for place in places) and norm:
                found[node, "update_ratio"] = _joined(changes, places) / norm
        return found


def _joined(norms: Mapping[int, float], places: range) -> float:
    """Return the norm of several tensors together."""
    return math.sqrt(sum(norms[place] ** 2 for place in places if place in norms))


def _dense(gradient: Tensor) -> Tensor:
    """Return a gradient, or the values of a sparse one, each row once."""
    return gradient.coalesce().values() if gradient.is_sparse else gradient.detach()
