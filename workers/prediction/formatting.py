"""Predictions of rows as JSON: labels in the words of the data, probabilities, and numbers in the units of the data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from app.spec.data.columns import Column, DataSchema
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.data.sequence_features import TagsFeature
from app.spec.job import JobSpec, head_targets
from app.spec.prediction import PredictionOptions
from app.spec.training.losses import TaskType
from app.spec.training.metrics import MEDIAN
from app.spec.training.objective import Head
from workers.data.features.preparation import Preparation
from workers.data.features.scaling import BaseScaling
from workers.data.features.texts import TextPreprocessor
from workers.data.notation.datetime_formats import format_datetime
from workers.prediction.pictures import MAX_BYTE, encode_pictures, is_picture_output
from workers.training.objective.decode import OutputDecoder, Predictions, build_decoder, decoder_of_variance

Label = str | int | bool
RowFields = dict[str, Any]  # of one row and output: field → what JSON can hold
Fields = dict[str, list[Any]]  # of all rows: field → a value for each row


@dataclass(frozen=True)
class OutputFormatter:
    """How the predictions of one output are written; without a decoder, the output is given as it is."""

    about: TaskType | Literal["raw", "action"] = "raw"
    decoder: OutputDecoder | None = None
    target: str | None = None  # the column that the output was compared with
    loss: str | None = None
    labels: tuple[Label, ...] = ()  # of the classes from 0 on; classes beyond them are numbers
    unit: str | None = None  # that stands beside each number of the target in the data, such as "kg"
    is_date: bool = False  # whether the numbers are seconds since 1970
    aligned_input: str | None = None  # the input of any length that has a prediction for each of its places
    white: float = 1.0  # the number that is white in a picture
    tokenizer: Tokenizer | None = None  # of sequences that are texts

    def describe(self) -> RowFields:
        """Return what all rows have in common."""
        return {
            "about": self.about,
            "target": self.target,
            "loss": self.loss,
            "labels": list(self.labels) or None,
            "unit": self.unit,
        }

    def format(
        self, output: Tensor, options: PredictionOptions, lengths: Sequence[int] | None = None
    ) -> list[RowFields]:
        """Return the fields of every row of an output (N, …).

        `lengths` are those of the rows of the aligned input: padding is left out.
        """
        fields = self._fields(output, options)
        if lengths is not None:
            fields = {
                name: [_shorten(value, length) for value, length in zip(values, lengths, strict=True)]
                for name, values in fields.items()
            }
        if "image" in options.outputs and is_picture_output(output):
            fields["image"] = encode_pictures(self._brightness(output), self.white)
        if "raw" in options.outputs or not fields:
            fields["raw"] = json_values(output.float() if output.is_floating_point() else output)
        return [dict(zip(fields, values, strict=True)) for values in zip(*fields.values(), strict=True)]

    def _brightness(self, output: Tensor) -> Tensor:
        """Return an output (N, …) as the pictures show it: numbers in the units of the data, probabilities of yes."""
        predictions = self.decoder.decode(output) if self.decoder is not None else None
        if predictions is None or self.about not in ("numbers", "decisions"):
            return output
        return predictions.predicted if predictions.probabilities is None else predictions.probabilities

    def _fields(self, output: Tensor, options: PredictionOptions) -> Fields:
        if self.decoder is None or (set(options.outputs) <= {"raw", "image"} and options.top is None):
            return {}
        if not self.decoder.can_scale(output):  # one variance of several numbers in units of their own
            return {}
        if output.is_floating_point():
            return FIELD_FORMATTERS[self.decoder.task_type](self, self.decoder.decode(output), options)
        if self.decoder.task_type in ("classes", "tags") and int(output.min()) >= 0:
            return _class_fields(self, self.decoder.decode(output), options)
        return {}

    def class_labels(self, codes: Tensor, classes: int) -> list[Any]:
        """Return the labels of codes (N, …) below `classes`, nested like the codes."""
        words = np.empty(classes, dtype=object)
        words[:] = [*self.labels[:classes], *range(len(self.labels), classes)]
        labels: list[Any] = words[codes.cpu().numpy()].tolist()
        return labels


def _shorten(value: Any, length: int) -> Any:
    """Return the first places of a list, or of every list of an object."""
    return {name: each[:length] for name, each in value.items()} if isinstance(value, dict) else value[:length]


def json_values(values: Tensor) -> list[Any]:
    """Return what JSON can hold of every row: arrays, or nested lists with words for numbers that are not finite."""
    array = values.cpu().contiguous().numpy()
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return list(array)
    words = np.where(np.isnan(array), "NaN", np.where(array > 0, "Infinity", "-Infinity")).astype(object)
    nested: list[Any] = np.where(np.isfinite(array), array.astype(object), words).tolist()
    return nested


def _class_fields(formatter: OutputFormatter, predictions: Predictions, options: PredictionOptions) -> Fields:
    """Return one of several labels for each row, or for each place of a row."""
    fields: Fields = {}
    scores, codes, probabilities = predictions.scores, predictions.predicted, predictions.probabilities
    classes = max(int(codes.max()) + 1, len(formatter.labels)) if scores is None else scores.shape[-1]
    if "labels" in options.outputs:
        fields["tags" if formatter.about == "tags" else "label"] = formatter.class_labels(codes, classes)
    if scores is None or probabilities is None:
        return fields
    if "labels" in options.outputs:
        fields["probability"] = json_values(probabilities.gather(-1, codes.unsqueeze(-1)).squeeze(-1).float())
    if "probabilities" in options.outputs:
        fields["probabilities"] = json_values(probabilities.float())
    if options.top is not None and scores.ndim == 2:
        order = scores.sort(stable=True, dim=1, descending=True).indices  # of equal scores the first, as argmax
        ranked = order[:, : options.top]
        labels, values = formatter.class_labels(ranked, classes), json_values(probabilities.gather(1, ranked).float())
        fields["top"] = [_label_probabilities(*row) for row in zip(labels, values, strict=True)]
    return fields


def _label_probabilities(labels: Sequence[Any], probabilities: Sequence[Any]) -> list[RowFields]:
    return [{"label": label, "probability": each} for label, each in zip(labels, probabilities, strict=True)]


def _decision_fields(formatter: OutputFormatter, predictions: Predictions, options: PredictionOptions) -> Fields:
    """Return yes or no for each row."""
    fields: Fields = {}
    decisions, probabilities = _squeeze(predictions.predicted), predictions.probabilities
    if "labels" in options.outputs:
        fields["label"] = formatter.class_labels(decisions, 2)
    if probabilities is None:
        return fields
    yes = _squeeze(probabilities)
    if "labels" in options.outputs:
        fields["probability"] = json_values(torch.where(decisions == 1, yes, 1 - yes).float())
    if "probabilities" in options.outputs:
        fields["probabilities"] = json_values(torch.stack([1 - yes, yes], -1).float())
    return fields


def _multilabel_fields(formatter: OutputFormatter, predictions: Predictions, options: PredictionOptions) -> Fields:
    """Return all labels that a row has."""
    fields: Fields = {}
    decisions, probabilities = predictions.predicted.cpu(), predictions.probabilities
    if probabilities is None:
        return fields
    values = json_values(probabilities.float())
    if "labels" in options.outputs:
        count = decisions.shape[1]
        words = formatter.class_labels(torch.arange(count), count)
        fields["labels"] = [
            [{"label": words[code], "probability": row[code]} for code in decided.nonzero().flatten().tolist()]
            for row, decided in zip(values, decisions, strict=True)
        ]
    if "probabilities" in options.outputs:
        fields["probabilities"] = values
    return fields


def _number_fields(formatter: OutputFormatter, predictions: Predictions, options: PredictionOptions) -> Fields:
    """Return numbers, in the units of the data; dates in ISO 8601."""
    if set(options.outputs) <= {"raw", "image"}:
        return {}
    scaling = formatter.decoder.scaling if formatter.decoder is not None else None
    dtype = scaling.dtype if scaling is not None else torch.float32  # timestamps, say, need more digits
    if predictions.quantiles is None or formatter.decoder is None:
        return {"value": _number_values(formatter, predictions.predicted.to(dtype))}
    names = [f"{each:g}" for each in formatter.decoder.quantiles]
    columns = [_number_values(formatter, each.to(dtype)) for each in predictions.quantiles.unbind(-1)]
    fields: Fields = {"quantiles": [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]}
    if MEDIAN in formatter.decoder.quantiles:
        fields = {"value": columns[formatter.decoder.quantiles.index(MEDIAN)], **fields}
    return fields


def _number_values(formatter: OutputFormatter, values: Tensor) -> list[Any]:
    """Return a number, or a date, for each row."""
    if formatter.is_date:
        return [format_datetime(float(each)) for each in values.double().flatten().nan_to_num()]
    return json_values(_squeeze(values))


def _sequence_fields(formatter: OutputFormatter, predictions: Predictions, options: PredictionOptions) -> Fields:
    """Return the list of labels of each row; of a text, also the text."""
    if "labels" not in options.outputs:
        return {}
    codes = [[code for code in row if code >= 0] for row in predictions.predicted.tolist()]
    words = formatter.labels
    fields: Fields = {"sequence": [[words[code] if code < len(words) else code for code in row] for row in codes]}
    if formatter.tokenizer is not None:
        fields["text"] = [formatter.tokenizer.decode(row) for row in codes]
    return fields


def _squeeze(values: Tensor) -> Tensor:
    """Return (N) of values with one number per row, however nested."""
    return values.reshape(len(values)) if values.numel() == len(values) else values


FIELD_FORMATTERS: Mapping[TaskType, Callable[[OutputFormatter, Predictions, PredictionOptions], Fields]] = {
    "classes": _class_fields,
    "tags": _class_fields,
    "decisions": _decision_fields,
    "labels": _multilabel_fields,
    "numbers": _number_fields,
    "sequences": _sequence_fields,
}


def output_formatters(
    job: JobSpec,
    stored: DataSchema,
    features: ResolvedFeatures,
    preparation: Preparation,
    outputs: Sequence[str],
    first_output: str,
) -> dict[str, OutputFormatter]:
    """Return how these outputs are written; `first_output` is that of heads which name none.

    An output that no head compares with a target is given as it is. Of several heads, the first counts.
    """
    formatters = dict.fromkeys(outputs, OutputFormatter())
    targets = head_targets(job, stored, features)
    for name, head in reversed(job.objective.all_heads().items()):
        output, target = head.metrics_output or first_output, targets[name]
        if head.has_metrics_output and output in formatters and target is not None:
            preprocessor = preparation.preprocessors.get(target.name)
            scaling = preprocessor.target_scaling if preprocessor is not None else None
            formatter = head_formatter(head, output, target, features, scaling)
            if isinstance(preprocessor, TextPreprocessor) and formatter.about == "sequences":
                labels = preprocessor.token_names
                formatter = replace(formatter, labels=labels, tokenizer=preprocessor.tokenizer)
            elif formatter.about == "classes" and not formatter.labels:
                formatter = replace(formatter, labels=preparation.token_names(target.name) or ())
            sources = [stored[name] for name in features.feature_of(target.name).source_columns if stored.column(name)]
            if formatter.about == "numbers" and len(sources) == 1:
                is_date = sources[0].type == "datetime"
                white = _white(sources[0], scaling)
                formatter = replace(formatter, unit=sources[0].unit, is_date=is_date, white=white)
            formatters[output] = formatter
            if (variance := head.loss.other_outputs.get("var")) in formatters:
                formatters[variance] = replace(formatter, decoder=decoder_of_variance(formatter.decoder), unit=None)
    return formatters


def _white(source: Column, scaling: BaseScaling | None) -> float:
    """Return the largest value of a column of images, white in a picture: of bytes, or as `unit` found it."""
    if source.type == "image" or source.peak:
        return source.peak or MAX_BYTE
    if scaling is None or scaling.shape:
        return 1.0
    return float(scaling.inverse_transform(torch.ones((), dtype=scaling.dtype)))


def head_formatter(
    head: Head, output: str, target: Column, features: ResolvedFeatures, scaling: BaseScaling | None = None
) -> OutputFormatter:
    """Return how an output is written that a head compares with a target."""
    decoder, feature = build_decoder(head, target, output, scaling=scaling), features.feature_of(target.name)
    about: TaskType = (
        "tags" if isinstance(feature, TagsFeature) and decoder.task_type == "classes" else decoder.task_type
    )
    labels: tuple[Label, ...] = target.labels or ((False, True) if target.dtype == "bool" else ())
    if about == "decisions":
        signed = decoder.loss.target_values != (0, 1)
        labels = labels if len(labels) == 2 else decoder.loss.target_values if signed else ()
    return OutputFormatter(
        about=about,
        decoder=decoder,
        target=target.name,
        loss=head.loss.kind,
        labels=labels if about != "numbers" else (),
        aligned_input=_aligned_input(target.name, features),
    )


def _aligned_input(target: str, features: ResolvedFeatures) -> str | None:
    """Return the input that a target goes along with, place by place: the one that tags belong to, or itself."""
    tags = features.feature_of(target)
    if not isinstance(tags, TagsFeature):
        return target
    others = (name for name, feature in features.features.items() if feature is not tags)
    return next((name for name in others if tags.of in features.features[name].source_columns), None)
