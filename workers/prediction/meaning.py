"""What the outputs of a network mean, by the loss that it was trained with, and how they are told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from app.spec.prediction import PredictionOptions
from app.spec.training.losses import BaseLoss
from workers.data.features.scaling import Scaling

DecodedRow = dict[str, Any]
Activation = Callable[[Tensor, int], Tensor]  # of the outputs of some rows, and the dimension of the classes

LABEL_THRESHOLD = 0.5  # from which probability on a label is told of a row that may have several


def _softmax(raw: Tensor, dim: int) -> Tensor:
    return raw.softmax(dim)


def _sigmoid(raw: Tensor, dim: int) -> Tensor:
    return raw.sigmoid()


def _exp(raw: Tensor, dim: int) -> Tensor:
    return raw.exp()


def _identity(raw: Tensor, dim: int) -> Tensor:
    return raw


def _poisson_activation(loss: BaseLoss) -> Activation:
    return _exp if getattr(loss, "log_input", True) else _identity


def _kl_div_activation(loss: BaseLoss) -> Activation:
    return _identity if getattr(loss, "log_target", False) else _exp


# Kind of loss → what makes of its raw outputs the probabilities, or the numbers, that it was about.
ACTIVATIONS: Mapping[str, Callable[[BaseLoss], Activation]] = {
    "CrossEntropyLoss": lambda loss: _softmax,
    "NLLLoss": lambda loss: _exp,
    "MultiMarginLoss": lambda loss: _identity,
    "BCEWithLogitsLoss": lambda loss: _sigmoid,
    "BCELoss": lambda loss: _identity,
    "SoftMarginLoss": lambda loss: _sigmoid,  # it is least where the output is the logarithm of the odds
    "MultiLabelSoftMarginLoss": lambda loss: _sigmoid,
    "MSELoss": lambda loss: _identity,
    "L1Loss": lambda loss: _identity,
    "SmoothL1Loss": lambda loss: _identity,
    "HuberLoss": lambda loss: _identity,
    "KLDivLoss": _kl_div_activation,
    "PoissonNLLLoss": _poisson_activation,
}
SCORE_LOSSES = frozenset({"MultiMarginLoss"})  # whose outputs are no probabilities, whatever is done to them


@dataclass(frozen=True)
class PredictionDecoder:
    """What one output says of every row."""

    about: str  # a key of `TELLERS`
    activation: Activation = _identity
    dim: int = 1  # of the classes
    target: str | None = None  # the column that it was compared with
    loss: str | None = None
    labels: tuple[Any, ...] = ()  # what classes stand for, from 0 on; those beyond stand for themselves
    scaling: Scaling | None = None  # of the target: numbers are told as the data has them
    aligned_input: str | None = None  # the input, of any length, for each place of which something is told

    def describe(self) -> DecodedRow:
        """Return what all rows have in common."""
        return {"about": self.about, "target": self.target, "loss": self.loss, "labels": list(self.labels) or None}

    def decode(self, raw: Tensor, asked: PredictionOptions, lengths: Sequence[int] | None = None) -> list[DecodedRow]:
        """Return what an output (rows, …) says of every row: a field for each thing told, by its name.

        `lengths` are those of rows that go along with an input: nothing is told of padding.
        """
        raw = raw.detach()
        if raw.is_floating_point():
            raw = raw.float()
            fields = PREDICTION_DECODERS[self.about](self, self.activation(raw, self.dim), asked)
        else:
            fields = _decode_class_indices(self, raw, asked)
        if lengths is not None:
            fields = {
                name: [value[:length] for value, length in zip(values, lengths, strict=True)]
                for name, values in fields.items()
            }
        if "raw" in asked.outputs or not fields:
            fields["raw"] = json_values(raw)
        return [dict(zip(fields, values, strict=True)) for values in zip(*fields.values(), strict=True)]


def json_values(values: Tensor) -> list[Any]:
    """Return what JSON can say of every row: arrays, or where something is not finite, lists with words in them."""
    array = values.cpu().contiguous().numpy()
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return list(array)
    words = np.where(np.isnan(array), "NaN", np.where(array > 0, "Infinity", "-Infinity")).astype(object)
    found: list[Any] = np.where(np.isfinite(array), array.astype(object), words).tolist()
    return found


def _class_labels(meaning: PredictionDecoder, codes: Tensor, count: int) -> list[Any]:
    """Return what codes below `count` stand for."""
    known = meaning.labels[:count]
    words = np.empty(count, dtype=object)
    words[:] = [*known, *range(len(known), count)]
    found: list[Any] = words[codes.cpu().numpy()].tolist()
    return found


def _decode_class_indices(meaning: PredictionDecoder, codes: Tensor, asked: PredictionOptions) -> dict[str, list[Any]]:
    """Tell what the network itself has decided on, of which it gives whole numbers."""
    if meaning.about not in ("classes", "tags") or "labels" not in asked.outputs or int(codes.min()) < 0:
        return {}
    count = max(int(codes.max()) + 1, len(meaning.labels))
    return {"tags" if meaning.about == "tags" else "label": _class_labels(meaning, codes.long(), count)}


def _decode_classes(meaning: PredictionDecoder, scores: Tensor, asked: PredictionOptions) -> dict[str, list[Any]]:
    """Tell one of several labels; where there is a decision for every place of a row, lists of them."""
    scores = scores.movedim(meaning.dim, -1)
    fields: dict[str, list[Any]] = {}
    count, scored = scores.shape[-1], meaning.loss in SCORE_LOSSES
    if "labels" in asked.outputs:
        best, codes = scores.max(-1)
        fields["tags" if meaning.about == "tags" else "label"] = _class_labels(meaning, codes, count)
        fields |= {} if scored else {"probability": json_values(best)}
    if "probabilities" in asked.outputs and not scored:
        fields["probabilities"] = json_values(scores)
    if asked.top is not None and scores.ndim == 2 and not scored:
        values, codes = scores.topk(min(asked.top, count))
        words, chances = _class_labels(meaning, codes, count), json_values(values)
        fields["top"] = [_top_k(*row) for row in zip(words, chances, strict=True)]
    return fields


def _top_k(words: list[Any], chances: Any) -> list[DecodedRow]:
    return [{"label": word, "probability": chance} for word, chance in zip(words, chances, strict=True)]


def _decode_binary(meaning: PredictionDecoder, chances: Tensor, asked: PredictionOptions) -> dict[str, list[Any]]:
    """Tell yes or no."""
    chances = _squeeze(chances)
    fields: dict[str, list[Any]] = {}
    if "labels" in asked.outputs:
        yes = chances > LABEL_THRESHOLD
        fields["label"] = _class_labels(meaning, yes.long(), 2)
        fields["probability"] = json_values(torch.where(yes, chances, 1 - chances))
    if "probabilities" in asked.outputs:
        fields["probabilities"] = json_values(torch.stack([1 - chances, chances], -1))
    return fields


def _decode_multilabel(meaning: PredictionDecoder, chances: Tensor, asked: PredictionOptions) -> dict[str, list[Any]]:
    """Tell all labels that are rather there than not."""
    fields: dict[str, list[Any]] = {}
    if "labels" in asked.outputs:
        count = chances.shape[1]
        words = _class_labels(meaning, torch.arange(count), count)
        fields["labels"] = [
            [{"label": words[code], "probability": row[code]} for code in there.nonzero().flatten().tolist()]
            for row, there in zip(json_values(chances), chances > LABEL_THRESHOLD, strict=True)
        ]
    if "probabilities" in asked.outputs:
        fields["probabilities"] = json_values(chances)
    return fields


def _decode_regression(meaning: PredictionDecoder, values: Tensor, asked: PredictionOptions) -> dict[str, list[Any]]:
    """Tell numbers, of which there are no probabilities."""
    if asked.outputs == ("raw",):
        return {}
    if meaning.scaling is not None:
        shape = meaning.scaling.factor.shape
        like = values.reshape(len(values), *shape) if values[0].numel() == shape.numel() else values
        values = meaning.scaling.inverse_transform(like)
    return {"value": json_values(_squeeze(values))}


def _decode_raw(meaning: PredictionDecoder, values: Tensor, asked: PredictionOptions) -> dict[str, list[Any]]:
    """Tell nothing but the output itself."""
    return {}


def _squeeze(values: Tensor) -> Tensor:
    """Return (rows) of what has one number per row, however nested."""
    return values.reshape(len(values)) if values.numel() == len(values) else values


# What an output is about → what tells it.
PREDICTION_DECODERS: Mapping[str, Callable[[PredictionDecoder, Tensor, PredictionOptions], dict[str, list[Any]]]] = {
    "classes": _decode_classes,
    "tags": _decode_classes,
    "decisions": _decode_binary,
    "labels": _decode_multilabel,
    "numbers": _decode_regression,
    "raw": _decode_raw,
}
