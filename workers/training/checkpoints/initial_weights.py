"""Initial weights: those of a checkpoint or of an uploaded file, with the names and shapes of the network."""

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


def weight_problems(blueprint: Blueprint, schema: DataSchema) -> Iterator[Problem]:
    """Yield how a file of weights differs from a network: missing names, unknown names, other shapes."""
    expected = index_parameters(blueprint).shapes
    shapes = {column.name: column.shape for column in schema.columns}
    unknown = [name for name in shapes if name not in expected]
    for name, shape in expected.items():
        if name not in shapes:
            detail = f'the file has no "{name}", of shape {list(shape)}'
            yield Problem(
                WEIGHTS_POINTER, "missing_weight", detail, did_you_mean(name, unknown) or "save the whole state_dict"
            )
        elif shapes[name] != shape:
            detail = f'"{name}" has shape {list(shapes[name])} in the file, and {list(shape)} in the network'
            yield Problem(WEIGHTS_POINTER, "shape_mismatch", detail, f"change the sizes of {name.partition('.')[0]}")
    missing = [name for name in expected if name not in shapes]
    for name in unknown:
        hint = did_you_mean(name, missing) or "remove it from the file"
        yield Problem(WEIGHTS_POINTER, "unexpected_weight", f'the network has no "{name}"', hint)


def read_weights(dataset: DatasetRef, store: ArtifactStore, workdir: Path) -> dict[str, Tensor]:
    """Return the tensors of a data set of weights by name. Raises `DataError`."""
    if dataset.path is None:
        raise DataError("the data set of weights has no content", pointer=WEIGHTS_POINTER)
    path = store.fetch(dataset.path, workdir / "weights")
    try:
        return read_tensors(Upload(path, UploadSource.model_validate(dataset.source)))
    except InvalidInput as error:
        raise DataError(error.detail, pointer=WEIGHTS_POINTER, hint=error.hint) from error


def load_weights(network: BuiltNetwork, weights: Mapping[str, Tensor], pointer: str = "/start_from") -> None:
    """Load weights into a network. Raises `BuildError` if names or shapes are not those of the network."""
    try:
        with torch.no_grad():
            network.load_state_dict(weights)
    except RuntimeError as error:
        detail = f"the weights do not fit: {' '.join(str(error).split())}"
        raise BuildError(detail, pointer=pointer, hint="use the same network") from None
