"""Weights to begin with: those that a checkpoint published, or those of a file, of the same names and shapes."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from app.errors import BuildError, DataError, InvalidInput, Problem
from app.spec.data.columns import DataSchema
from app.spec.data.sources import UploadSource
from app.spec.problems import did_you_mean
from app.storage.protocol import ArtifactStore
from workers.data.files.content import Upload
from workers.data.formats.arrays import read_tensors
from workers.network.analysis.parameters import index_parameters
from workers.network.blueprint import Blueprint
from workers.network.runtime.build import BuiltNetwork
from workers.protocol.assignment import DatasetRef

WEIGHTS_POINTER = "/start_from/dataset"


def weight_problems(blueprint: Blueprint, known: DataSchema) -> Iterator[Problem]:
    """Yield where a file of weights differs from a network: names that lack, names too many, other shapes."""
    wanted = index_parameters(blueprint).shapes
    found = {column.name: column.shape for column in known.columns}
    strangers = [name for name in found if name not in wanted]
    for name, shape in wanted.items():
        if name not in found:
            detail = f'the file has no "{name}", of shape {list(shape)}'
            yield Problem(
                WEIGHTS_POINTER, "missing_weight", detail, did_you_mean(name, strangers) or "save the whole state_dict"
            )
        elif found[name] != shape:
            detail = f'"{name}" has shape {list(found[name])} in the file, and {list(shape)} in the network'
            yield Problem(WEIGHTS_POINTER, "shape_mismatch", detail, f"change the sizes of {name.partition('.')[0]}")
    missing = [name for name in wanted if name not in found]
    for name in strangers:
        hint = did_you_mean(name, missing) or "leave it out of the file"
        yield Problem(WEIGHTS_POINTER, "unexpected_weight", f'the network has no "{name}"', hint)


def read_weights(registered: DatasetRef, store: ArtifactStore, workdir: Path) -> dict[str, Tensor]:
    """Return the tensors of a data set of weights. Raises `DataError`."""
    if registered.path is None:
        raise DataError("the data set of weights has no content", pointer=WEIGHTS_POINTER)
    path = store.fetch(registered.path, workdir / "weights")
    try:
        return read_tensors(Upload(path, UploadSource.model_validate(registered.source)))
    except InvalidInput as error:
        raise DataError(error.detail, pointer=WEIGHTS_POINTER, hint=error.hint) from error


def load_weights(network: BuiltNetwork, weights: Mapping[str, Tensor], pointer: str = "/start_from") -> None:
    """Load weights into a network. Raises `BuildError` if they are not those of this network."""
    try:
        with torch.no_grad():
            network.load_state_dict(weights)
    except RuntimeError as error:
        detail = f"the weights do not fit: {' '.join(str(error).split())}"
        raise BuildError(detail, pointer=pointer, hint="use the same network") from None
