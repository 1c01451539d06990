"""The report of an output of sequences: how far they are from the true ones."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from workers.training.objective.decode import LabelledPredictions, OutputDecoder
from workers.training.objective.sequences import sequence_distances

MAX_LISTED_DISTANCE = 20


@dataclass
class SequenceAccumulator:
    """Levenshtein's distances of predicted and true sequences."""

    decoder: OutputDecoder
    _counts: list[Tensor] = field(default_factory=list)  # of each batch: distances, predicted and true lengths (3, N)

    def add(self, predictions: LabelledPredictions) -> None:
        """Count one batch."""
        predicted, target = predictions.predicted, predictions.target
        lengths = (predicted >= 0).sum(1), (target >= 0).sum(1)
        self._counts.append(torch.stack([sequence_distances(predicted, target), *lengths]))

    def to_dict(self) -> dict[str, Any]:
        """Return the number of sequences, how many are right, mean lengths, and sequences by distance."""
        counts = torch.cat(self._counts, 1).cpu() if self._counts else torch.zeros(3, 0, dtype=torch.int64)
        distances, predicted, true = counts
        rows, total = distances.numel(), int(true.sum())
        by_distance = torch.bincount(distances.clamp(max=MAX_LISTED_DISTANCE)).tolist()
        notes = [f"the last number is of distances of {MAX_LISTED_DISTANCE} and more"]
        return {
            "count": rows,
            "right": int((distances == 0).sum()),
            "error_rate": int(distances.sum()) / total if total else None,
            "mean_length": {"target": total / rows, "predicted": int(predicted.sum()) / rows} if rows else None,
            "by_distance": by_distance,
            "classes": None,
            "averages": None,
            "notes": notes if len(by_distance) > MAX_LISTED_DISTANCE else [],
        }
