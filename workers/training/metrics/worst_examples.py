"""The examples that a network is most wrong about, with what it said of them and the row of the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from app.spec.training.metrics import MAX_CLASSES
from workers.data.loading.examples import ExampleSet
from workers.data.preview import preview_rows
from workers.training.devices import allow_nondeterminism
from workers.training.objective.decode import LabelledPredictions, OutputDecoder
from workers.training.objective.sequences import sequence_distances

MAX_EXAMPLES = 16
MAX_POSITIONS = 64  # tokens or numbers of one example that are listed
MAX_PARTS = 64  # batches whose worst examples are kept before they are compared


Columns = tuple[Tensor, Tensor, Tensor | None]  # predicted, target, and the probability of what is true


@dataclass(frozen=True)
class _Part:
    """The worst rows of a batch, or of several: each tensor (k, …)."""

    wrongness: Tensor
    position: Tensor  # among all rows of the evaluation, in their order of evaluation
    columns: Columns | list[Columns]  # (k, targets of a row) each; or of each row, where their numbers differ

    def rows(self) -> Sequence[Columns]:
        """Return the columns of each row."""
        if isinstance(self.columns, list):
            return self.columns
        return [_take(self.columns, row) for row in range(len(self.wrongness))]


def _take(columns: Columns, chosen: Tensor | int) -> Columns:
    predicted, target, probability = columns
    return predicted[chosen], target[chosen], None if probability is None else probability[chosen]


@dataclass
class WorstExamples:
    """Keeps the 16 rows with the largest wrongness.

    Wrongness is the mean over the row's targets of: -log of the probability of what is true, in nats (of labels: of
    each label's yes or no; of margins, softmax stands for probabilities); |predicted - target| of numbers; 1 for a
    wrong class of a network that gives no scores; of sequences the edit distance, by the length of the true one.
    """

    decoder: OutputDecoder
    _parts: list[_Part] = field(default_factory=list)
    _count: int = 0
    _floor: float = -1.0  # where targets are left out, which waits anyway: rows below it need not be looked at

    def add(self, predictions: LabelledPredictions, rows: int) -> None:
        """Take one batch of `rows` rows into account."""
        start, self._count = self._count, self._count + rows
        scores = predictions.scores
        if scores is not None and scores.ndim > 1 and scores.shape[-1] > MAX_CLASSES:
            return
        probability = _target_probability(predictions)
        is_sequence = self.decoder.task_type == "sequences"
        wrong = _sequence_wrongness(predictions) if is_sequence else _wrongness(predictions, probability)
        wrongness = _row_means(wrong, predictions.rows, rows)
        worst = wrongness.topk(min(MAX_EXAMPLES, rows))
        columns: Columns = (predictions.predicted, predictions.target, probability)
        if predictions.is_selection:
            self._add_selected(predictions.rows, worst.values, worst.indices, columns, start)
            return
        table: Columns = (
            predictions.predicted.reshape(rows, -1),
            predictions.target.reshape(rows, -1),
            None if probability is None else probability.reshape(rows, -1),
        )
        chosen = _take(table, worst.indices)
        self._parts.append(_Part(worst.values, worst.indices + start, chosen))
        if len(self._parts) > MAX_PARTS:
            self._parts = [self._merged()]

    def _add_selected(self, rows: Tensor, values: Tensor, indices: Tensor, columns: Columns, start: int) -> None:
        """Take the worst rows of a batch of whose targets some were left out, if fewer than 16 others are worse."""
        above = values > self._floor
        values, indices = values[above], indices[above]
        if not len(values):
            return
        places = [torch.eq(rows, row).nonzero().flatten() for row in indices.unbind()]
        chosen = [_take(columns, place) for place in places]
        self._parts = [*self._parts, _Part(values, indices + start, chosen)]
        self._parts = [self._merged()]
        if len(self._parts[0].wrongness) == MAX_EXAMPLES:
            self._floor = float(self._parts[0].wrongness[-1])

    def to_list(self) -> list[dict[str, Any]]:
        """Return the examples as JSON, the worst first; waits for the device."""
        if not self._parts:
            return []
        merged = self._merged()
        rows = zip(merged.wrongness.tolist(), merged.position.tolist(), merged.rows(), strict=True)
        return [
            {"position": position, "wrongness": wrongness, **self._describe(*columns)}
            for wrongness, position, columns in rows
            if wrongness > 0
        ]

    def _merged(self) -> _Part:
        wrongness = torch.cat([part.wrongness for part in self._parts])
        order = wrongness.argsort(descending=True, stable=True)[:MAX_EXAMPLES]
        rows = [row for part in self._parts for row in part.rows()]
        position = torch.cat([part.position for part in self._parts])[order]
        return _Part(wrongness[order], position, [rows[index] for index in order.tolist()])

    def _describe(self, predicted: Tensor, target: Tensor, probability: Tensor | None) -> dict[str, Any]:
        if self.decoder.task_type == "sequences":
            target, predicted = target[target >= 0], predicted[predicted >= 0]
        says = self._words if self.decoder.task_type != "numbers" else Tensor.tolist
        if self.decoder.task_type == "labels":
            return {"target": self._labels(target), "predicted": self._labels(predicted), "probability": None}
        found: dict[str, Any] = {"target": says(target[:MAX_POSITIONS]), "predicted": says(predicted[:MAX_POSITIONS])}
        found["probability"] = None if probability is None else probability[:MAX_POSITIONS].tolist()
        is_list = self.decoder.task_type == "sequences"
        return {name: values if is_list else _only(values) for name, values in found.items()}

    def _words(self, codes: Tensor) -> list[str]:
        labels = self.decoder.class_labels()
        return [labels[code] if 0 <= code < len(labels) else str(code) for code in codes.tolist()]

    def _labels(self, flags: Tensor) -> list[str]:
        return self._words(flags.flatten().nonzero().flatten()[:MAX_POSITIONS])


def describe_worst(worst: Sequence[dict[str, Any]], examples: ExampleSet) -> list[dict[str, Any]]:
    """Return the examples with `row` (its number in `split` of the data) and its `values`, where they are known."""
    stored, found = examples.stored, []
    for each in worst:
        position = each["position"]
        index = position if examples.order is None else int(examples.order[position])
        place: Mapping[str, Any] = {"row": index, "split": None, "values": None}
        if stored is not None:
            values = preview_rows(stored.columns, stored.schema, [index])[0] if stored.columns else None
            place = {"row": int(stored.numbers[index]), "split": stored.split, "values": values}
        found.append({**place, **{name: value for name, value in each.items() if name != "position"}})
    return found


def _only(values: Any) -> Any:
    return values[0] if isinstance(values, list) and len(values) == 1 else values


def _target_probability(predictions: LabelledPredictions) -> Tensor | None:
    """Return the probability, or what stands for it, of what is true: (M), of labels (N, C); `None` of numbers."""
    ranking = predictions.ranking
    if ranking is None:
        return None
    if ranking.ndim > predictions.target.ndim:
        return ranking.gather(1, predictions.target.unsqueeze(1)).flatten()
    return torch.where(predictions.target > 0, ranking, 1 - ranking)


def _wrongness(predictions: LabelledPredictions, probability: Tensor | None) -> Tensor:
    if probability is not None:
        losses = -probability.clamp_min(torch.finfo(torch.float64).tiny).log()
        return losses.mean(1) if losses.ndim > 1 else losses
    if predictions.predicted.is_floating_point():
        return (predictions.predicted - predictions.target).abs()
    return (predictions.predicted != predictions.target).double()


def _sequence_wrongness(predictions: LabelledPredictions) -> Tensor:
    """Return the edit distance of each row, by the length of its target: float64 (N)."""
    lengths = (predictions.target >= 0).sum(1).clamp(min=1)
    return sequence_distances(predictions.predicted, predictions.target).double() / lengths


def _row_means(values: Tensor, rows: Tensor, count: int) -> Tensor:
    """Return the mean of the values (M) of each row, infinite where it is no number, -1 of a row without any."""
    with allow_nondeterminism():
        sums = values.new_zeros(count).index_add_(0, rows, values)
        counts = values.new_zeros(count).index_add_(0, rows, torch.ones_like(values))
    means = (sums / counts.clamp_min(1)).nan_to_num(torch.inf, torch.inf)
    return torch.where(counts > 0, means, -1.0)
