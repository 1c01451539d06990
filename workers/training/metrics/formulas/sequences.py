"""Metrics of sequences, by Levenshtein's distance: over predicted (N, T) and target (N, S), which end at -1."""

from typing import Literal

import torch
from torch import Tensor

import workers.torch_setup  # noqa: F401 - comes before torchmetrics, which imports torchvision
from workers.training.objective.sequences import sequence_distances

# isort: split
from torchmetrics import Metric


class EditDistance(Metric):
    """Distances by the number of rows, or by the length of all targets (NaN if they are empty); or the share of 0."""

    total: Tensor
    count: Tensor

    def __init__(self, per: Literal["row", "class", "exact"]) -> None:
        super().__init__()
        self._per = per
        self.add_state("total", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, target: Tensor) -> None:
        """Take one batch into account."""
        distances = sequence_distances(predicted, target)
        self.total += (distances == 0).sum() if self._per == "exact" else distances.sum()
        self.count += (target >= 0).sum() if self._per == "class" else len(target)

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        return self.total.double() / self.count
