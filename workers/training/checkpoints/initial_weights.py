"""Initial weights: those of a checkpoint or of an uploaded file, with the names and shapes of the network."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from app.errors import BuildError, DataError, InvalidInput, Problem
from app.spec.data.sources import UploadSource
from app.spec.hints.names import did_you_mean
from app.storage.protocol import ArtifactStore
from workers.data.files.content import Upload
from workers.data.formats.arrays import read_tensors
from workers.network.analysis.parameters import index_parameters
from workers.network.blueprint import Blueprint
from workers.network.runtime.build import BuiltNetwork
from workers.protocol.assignment import DatasetRef

WEIGHTS_POINTER = "/start_from/dataset"
CHECKPOINT_POINTER = "/start_from/checkpoint"
MISSING_HINTS = {
    WEIGHTS_POINTER: "save the whole state_dict",
    CHECKPOINT_POINTER: "use the network of the checkpoint's job, or start from another one",
}
UNKNOWN_HINTS = {WEIGHTS_POINTER: "remove it from the file", CHECKPOINT_POINTER: MISSING_HINTS[CHECKPOINT_POINTER]}


def weight_problems(
    blueprint: Blueprint, shapes: Mapping[str, tuple[int, ...]], pointer: str = WEIGHTS_POINTER
) -> Iterator[Problem]:
    """Yield how weights differ from a network: missing names, unknown names, other shapes.

    `shapes` are those of the weights by name, `pointer` is that of the file or checkpoint that holds them.
    """
    holder = pointer.rpartition("/")[2].replace("dataset", "file")
    expected = index_parameters(blueprint).shapes
    unknown = [name for name in shapes if name not in expected]
    for name, shape in expected.items():
        if name not in shapes:
            detail = f'the {holder} has no "{name}", of shape {list(shape)}'
            yield Problem(pointer, "missing_weight", detail, did_you_mean(name, unknown) or MISSING_HINTS[pointer])
        elif shapes[name] != shape:
            detail = f'"{name}" has shape {list(shapes[name])} in the {holder}, and {list(shape)} in the network'
            yield Problem(pointer, "shape_mismatch", detail, f"change the sizes of {name.partition('.')[0]}")
    missing = [name for name in expected if name not in shapes]
    for name in unknown:
        hint = did_you_mean(name, missing) or UNKNOWN_HINTS[pointer]
        yield Problem(pointer, "unexpected_weight", f'the network has no "{name}"', hint)


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
