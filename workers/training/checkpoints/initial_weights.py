"""Initial weights: those of a checkpoint or of an uploaded file, all of them by name or those whose shapes fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from app.errors import BuildError, DataError, InvalidInput, Problem
from app.spec.data.sources import UploadSource
from app.spec.start_from import StartFrom
from app.storage.protocol import ArtifactStore
from workers.data.files.content import Upload
from workers.data.formats.arrays import read_tensors
from workers.network.analysis.parameters import index_parameters
from workers.network.blueprint import Blueprint
from workers.network.runtime.build import BuiltNetwork
from workers.protocol.assignment import DatasetRef
from workers.training.checkpoints.weight_match import (
    Shapes,
    WeightSource,
    match_shapes,
    match_warnings,
    name_problems,
    nothing_taken_problem,
)

WEIGHTS_POINTER = "/start_from/dataset"


@dataclass(frozen=True)
class StartReport:
    """What is wrong with the weights that a job starts from, and what it has to be told of them."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    begun_anew: tuple[str, ...] = ()  # tensors of the network that take no weight


def weight_source(start: StartFrom, shapes: Shapes) -> WeightSource:
    """Return the weights that a job starts from, by their names and shapes."""
    return WeightSource(shapes, "file" if start.dataset is not None else "checkpoint", start.pointer, start.rename)


def check_weights(blueprint: Blueprint, start: StartFrom, shapes: Shapes) -> StartReport:
    """Compare the shapes of weights by name with those of a network."""
    source, index = weight_source(start, shapes), index_parameters(blueprint)
    if problems := tuple(source.rename_problems()):
        return StartReport(problems)
    if start.match == "names":
        return StartReport(tuple(name_problems(index, source)))
    match = match_shapes(index, source)
    if not match.parameters:
        return StartReport((nothing_taken_problem(index, source),))
    return StartReport((), tuple(match_warnings(index, source, match)), match.begun_anew)


def read_weights(dataset: DatasetRef, store: ArtifactStore, workdir: Path) -> dict[str, Tensor]:
    """Return the tensors of a data set of weights by name. Raises `DataError`."""
    if dataset.path is None:
        raise DataError("the data set of weights has no content", pointer=WEIGHTS_POINTER)
    path = store.fetch(dataset.path, workdir / "weights")
    try:
        return read_tensors(Upload(path, UploadSource.model_validate(dataset.source)))
    except InvalidInput as error:
        raise DataError(error.detail, pointer=WEIGHTS_POINTER, hint=error.hint) from error


def load_weights(network: BuiltNetwork, weights: Mapping[str, Tensor], start: StartFrom) -> dict[str, Any]:
    """Load weights into a network, and return what was taken and left over, as the data of an event.

    Raises `BuildError` if they do not fit.
    """
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    report = check_weights(network.blueprint, start, shapes)
    for problem in report.problems:
        detail = f"the weights do not fit: {problem.detail}"
        raise BuildError(detail, pointer=problem.pointer, hint=problem.hint)
    match = match_shapes(index_parameters(network.blueprint), weight_source(start, shapes))
    copy_weights(network, {name: weights[old] for name, old in match.taken.items()})
    return match.event(start.checkpoint or start.dataset or "")


def copy_weights(network: BuiltNetwork, weights: Mapping[str, Tensor]) -> None:
    """Put tensors into a network by their names in its `state_dict`, cast to its dtypes."""
    state = network.state_dict()
    with torch.no_grad():
        for name, value in weights.items():
            state[name].copy_(value)
