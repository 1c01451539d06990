"""The evaluation of a trained network on a labelled data set: losses, metrics and the report, as in training."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from app.errors import DataError, InvalidInput, NotPredictable, OutOfMemory, Problem, TrainingError
from app.spec.data.columns import Column, DataSchema
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.data.sources import UploadSource
from app.spec.hints.names import did_you_mean
from app.spec.job import JobSpec, head_targets, parse_job, resolve_job_features
from app.spec.training.losses import BALANCED
from app.spec.training.objective import Objective
from workers.data.columns import SplitColumns
from workers.data.features.preparation import Preparation
from workers.data.files.content import Upload
from workers.data.formats.catalog import read_upload
from workers.data.loading.examples import ExampleSet, StoredRows, TrainingData
from workers.data.loading.sources import load_source
from workers.data.loading.windows import all_windows
from workers.network.inference.shape_inference import infer_shapes
from workers.prediction.network import NetworkSource, build_with_weights
from workers.torch_errors import translate_torch_errors
from workers.training.devices import Precision
from workers.training.metrics.evaluation import MIN_EVALUATION_BATCH, EvaluationResult, evaluate
from workers.training.objective.class_weights import CLASS_WEIGHTS_KEY, with_weights
from workers.training.objective.objective import build_objective
from workers.training.results import finite_or_none

DATASET_POINTER, SPLIT_POINTER = "/dataset", "/split"
MAX_NAMED = 10  # columns in a problem
SEED = 0  # of networks that draw random numbers
BALANCED_NOTE = "the loss is left out: the checkpoint does not have its balanced weights"


@dataclass(frozen=True)
class LabelledDataset:
    """A registered data set, of which one split is evaluated."""

    source: Mapping[str, Any]
    schema: DataSchema
    content: Path | None  # of an upload
    data_root: Path
    split: str | None  # default: test, or validation, or train, whichever there is first

    def selected_split(self) -> str:
        """Return the split to evaluate. Raises `InvalidInput` if there is none of that name."""
        rows = self.schema.rows
        if self.split is None:
            return next(name for name in ("test", "validation", "train") if name in rows)
        if self.split not in rows:
            hint = "it has " + ", ".join(rows)
            detail = f'the data set has no split "{self.split}"'
            raise InvalidInput([Problem(SPLIT_POINTER, "unknown_split", detail, hint)])
        return self.split

    def read(self, columns: Mapping[str, Column]) -> SplitColumns:
        """Return these columns of the split, parsed by the types that the job's data has. Raises `InvalidInput`."""
        split = self.selected_split()
        problems = [*_column_problems(self.schema, columns)]
        if problems:
            raise InvalidInput(problems)
        try:
            if self.source["kind"] != "upload" or self.content is None:
                loaded = load_source(self.source, root=self.data_root, allow_downloads=False).splits
            else:
                known = self.schema.model_copy(update={"columns": tuple(columns.values())})
                upload = Upload(self.content, UploadSource.model_validate(self.source), known_schema=known)
                loaded = read_upload(upload).splits
        except DataError as error:
            raise InvalidInput([Problem(DATASET_POINTER, error.code, error.detail, error.hint)]) from None
        return loaded[split]


def _column_problems(schema: DataSchema, columns: Mapping[str, Column]) -> list[Problem]:
    names = [column.name for column in schema.columns]
    problems = _missing_columns([name for name in columns if name not in names], names)
    for name, column in columns.items():
        if (own := schema.column(name)) is None:
            continue
        if "image" in (own.type, column.type) and own.type != column.type:
            detail = f'"{name}" is of type {own.type}, and the job was trained on type {column.type}'
            problems.append(Problem(DATASET_POINTER, "wrong_column_type", detail, "send images of the same sizes"))
        elif own.type == column.type == "tensor" and own.shape != column.shape:
            detail = f'"{name}" has shape {list(own.shape)} per row, and the job was trained on {list(column.shape)}'
            problems.append(Problem(DATASET_POINTER, "shape_mismatch", detail, "give it the same shape"))
    return problems


def _missing_columns(missing: Sequence[str], names: Sequence[str]) -> list[Problem]:
    if not missing:
        return []
    what = " and ".join(filter(None, (", ".join(f'"{name}"' for name in missing[:MAX_NAMED]), _others(missing))))
    detail = f"the data set has no column {what}, which the job reads or compares with"
    hint = did_you_mean(missing[0], names) if len(missing) == 1 else ""
    has = f"it has {', '.join(names[:MAX_NAMED])}{', …' if len(names) > MAX_NAMED else ''}"
    return [Problem(DATASET_POINTER, "missing_column", detail, hint or has)]


def _others(names: Sequence[str]) -> str:
    return f"{len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""


def evaluate_dataset(trained: NetworkSource, dataset: LabelledDataset, device: torch.device) -> dict[str, Any]:
    """Return {"split", "rows", "values", "heads", "notes"} of a data set, as JSON.

    Metrics are those of the job's objective, the network computes in float32. Raises `InvalidInput` for a data set that
    does not fit the job, `NotPredictable` if the stored files do not, `OutOfMemory`.
    """
    job, stored = parse_job(dict(trained.spec)), DataSchema.model_validate(trained.schema)
    features = resolve_job_features(job, stored)
    targets = head_targets(job, stored, features)
    inputs = job.model.input_names(job.data.inputs or features.schema.inputs)
    compared = _compared_columns(job, targets)
    document = json.loads(trained.preparation.read_text())
    preparation = Preparation.load(features, stored, document)
    objective = with_weights(job.objective, document.get(CLASS_WEIGHTS_KEY, {}))
    columns = stored_columns(features, (*inputs, *compared), stored)
    rows = dataset.read(columns)
    try:
        examples = _prepare_rows(rows, preparation, features, dataset, inputs, tuple(compared))
        _check_classes(examples, compared)
        result = _evaluate(job, objective, trained, features, targets, examples, preparation, device)
    except (OutOfMemory, InvalidInput):
        raise
    except TrainingError as error:
        detail = f"the data set cannot be evaluated: {error.detail}"
        raise InvalidInput([Problem(DATASET_POINTER, error.code, detail, error.hint)]) from None
    report = result.report(0) or {"heads": []}
    values = {name.partition("/")[2]: finite_or_none(value) for name, value in result.values.items()}
    unknown = _balanced_losses(objective)
    values |= dict.fromkeys(unknown, None)
    return {
        "split": dataset.selected_split(),
        "rows": len(examples),
        "values": values,
        "heads": report["heads"],
        "notes": [BALANCED_NOTE] if unknown else [],
    }


def _compared_columns(job: JobSpec, targets: Mapping[str, Column | None]) -> dict[str, Column]:
    """Return the targets that heads are compared with, by name."""
    heads = job.objective.all_heads()
    columns = [targets[name] for name, head in heads.items() if head.has_metrics_output]
    return {column.name: column for column in columns if column is not None}


def stored_columns(features: ResolvedFeatures, names: tuple[str, ...], stored: DataSchema) -> dict[str, Column]:
    """Return the stored columns of which these are made. Raises `NotPredictable`."""
    columns: dict[str, Column] = {}
    for feature in features.features_for(names).values():
        for name in feature.source_columns:
            column = stored.column(name)
            if column is None:
                raise NotPredictable(f'the data of the job has no column "{name}"')
            columns[name] = column
    for name in features.windows.columns if features.windows is not None else ():
        columns[name] = stored[name]
    return columns


def _prepare_rows(
    rows: SplitColumns,
    preparation: Preparation,
    features: ResolvedFeatures,
    dataset: LabelledDataset,
    inputs: tuple[str, ...],
    targets: tuple[str, ...],
) -> ExampleSet:
    split = dataset.selected_split()
    if features.windows is not None:
        return all_windows(preparation, rows, features.windows, dataset.schema, inputs, targets, split)
    columns = preparation.transform(rows, (*inputs, *targets))
    stored = StoredRows.of(split, rows, dataset.schema)
    return ExampleSet(
        {name: columns[name] for name in inputs}, {name: columns[name] for name in targets}, stored=stored
    )


def _check_classes(examples: ExampleSet, targets: Mapping[str, Column]) -> None:
    """Raise `InvalidInput` for a class that the job's data does not have."""
    for name, column in targets.items():
        values = examples.targets[name]
        if column.classes and isinstance(values, Tensor) and not values.is_floating_point() and len(values):
            worst = int(values.max())
            if worst >= column.classes:
                detail = f'"{name}" is {worst} in a row, and the job knows the classes 0 to {column.classes - 1}'
                raise InvalidInput([Problem(DATASET_POINTER, "unknown_class", detail, "leave such rows out")])


@translate_torch_errors()
def _evaluate(
    job: JobSpec,
    spec: Objective,
    trained: NetworkSource,
    features: ResolvedFeatures,
    targets: Mapping[str, Column | None],
    examples: ExampleSet,
    preparation: Preparation,
    device: torch.device,
) -> EvaluationResult:
    draft = infer_shapes(job.model, features.schema, job.data.inputs or features.schema.inputs)
    if draft.problems:
        raise NotPredictable("the network of the job is no longer valid")
    network = build_with_weights(draft.blueprint, trained.weights).to(device)
    data = TrainingData(examples, None, preparation)
    outputs, minimised = tuple(network.blueprint.outputs), job.training.minimised_heads(spec.all_heads())
    objective, data = build_objective(spec, targets, outputs, data, device, minimised)
    rows = data.train if job.data.bucket is None else data.train.sorted_by_length(job.data.bucket)
    torch.manual_seed(SEED)
    return evaluate(network, objective.heads, rows, MIN_EVALUATION_BATCH, Precision(device), "test")


def _balanced_losses(spec: Objective) -> list[str]:
    """Return the losses that a checkpoint of an earlier version has no balanced weights for, and the sum of all."""
    heads = spec.all_heads()
    balanced = [
        f"{name}/loss" if name else "loss"
        for name, head in heads.items()
        if BALANCED in (head.loss.options.weight, head.loss.options.pos_weight)
    ]
    return ["loss", *balanced] if balanced else []
