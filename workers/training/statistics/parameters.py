"""Statistics of a step's parameters: norms of gradients, of weights, and of what the step changed."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from workers.torch_setup import is_out_of_memory
from workers.training.optim.update_state import UpdateState
from workers.training.statistics.histograms import count_codes
from workers.training.statistics.transfer import Transfer, accumulation_dtype

Owners = Mapping[str, Sequence[nn.Parameter]]  # the parameters of every node that has some, by path


class ParameterStatistics:
    """Measures one step: `before` each update, when its gradients are complete, and `after` all of them.

    Gradients are those of the whole step, of all its batches, in the scale of the loss, and before clipping. What is
    changed is the difference of the weights after the step to those before it, whatever the optimisers did.
    """

    def __init__(self, owners: Owners, device: torch.device, histograms: bool) -> None:
        self._owners, self._histograms = owners, histograms
        self._parameters = [parameter for parameters in owners.values() for parameter in parameters]
        self._dtype = accumulation_dtype(device)
        self._scales: dict[int, float] = {}  # of the losses whose gradients they are, by place
        self._weights: list[Tensor] = []
        self._gradients: dict[int, Tensor] = {}  # norms, by place of the parameter
        self._copies: dict[int, Tensor] = {}
        self._changes: dict[int, Tensor] = {}  # norms
        self.codes: dict[tuple[str, str], Tensor] = {}  # by node and "weights" or "gradients"

    @torch.no_grad()
    def before(self, update: UpdateState) -> None:
        """Measure gradients and weights, and copy the weights that the update may change, if there is room."""
        values = [parameter.detach() for parameter in self._parameters]
        gradients = {place: _dense(each.grad) for place, each in enumerate(self._parameters) if each.grad is not None}
        scale = update.scaler.get_scale() if update.scaler is not None else 1.0
        self._scales |= dict.fromkeys(gradients, scale)
        if not self._weights:
            self._weights = self._norms(values)
            self._count_weights(values)
        self._gradients |= dict(zip(gradients, self._norms(list(gradients.values())), strict=True))
        self._count_gradients(gradients)
        trained = set(map(id, update.parameters))
        try:
            self._copies |= {
                place: each.clone() for place, each in self._trained(values, trained) if place not in self._copies
            }
        except (RuntimeError, MemoryError) as error:
            if not isinstance(error, MemoryError) and not is_out_of_memory(error):
                raise
            self._copies = {}

    @torch.no_grad()
    def after(self) -> None:
        """Measure what the updates changed."""
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

    def _count_weights(self, values: Sequence[Tensor]) -> None:
        for (node, _), value in zip(self._places(), values, strict=True):
            if self._histograms:
                self._add(node, "weights", value)

    def _count_gradients(self, gradients: Mapping[int, Tensor]) -> None:
        for node, place in self._places():
            if self._histograms and place in gradients:
                scale = self._scales[place]
                self._add(node, "gradients", gradients[place] if scale == 1 else gradients[place] / scale)

    def _places(self) -> Iterator[tuple[str, int]]:
        """Yield the node of every parameter, and its place."""
        nodes = [node for node, parameters in self._owners.items() for _ in parameters]
        return ((node, place) for place, node in enumerate(nodes))

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
        norms = zip(self._gradients, transfer.take("gradients", len(self._gradients)), strict=True)
        gradients = {place: norm / self._scales[place] for place, norm in norms}
        changes = dict(zip(self._changes, transfer.take("changes", len(self._changes)), strict=True))
        found: dict[tuple[str, str], float] = {}
        begin = 0
        for node, parameters in self._owners.items():
            places = range(begin, begin + len(parameters))
            begin = places.stop
            norm = found[node, "weight_norm"] = _joined(weights, places)
            if any(place in gradients for place in places):
                found[node, "grad_norm"] = _joined(gradients, places)
            if any(place in changes for place in places) and norm:
                found[node, "update_ratio"] = _joined(changes, places) / norm
        return found


def _joined(norms: Mapping[int, float], places: range) -> float:
    """Return the norm of several tensors together."""
    return math.sqrt(sum(norms[place] ** 2 for place in places if place in norms))


def _dense(gradient: Tensor) -> Tensor:
    """Return a gradient, or the values of a sparse one, each row once."""
    return gradient.coalesce().values() if gradient.is_sparse else gradient.detach()
