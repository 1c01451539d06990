"""Trained weights of torchvision: files of torch hub in the data root, verified, and read as tensors alone."""

import re
from collections.abc import Iterator, Mapping
from hashlib import file_digest
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, hub

from app.errors import DataError, first_line
from workers.data.torchvision_datasets.downloads import download_into
from workers.network.analysis.pretrained import pretrained_nodes
from workers.network.blueprint import ResolvedNode
from workers.network.kinds.backbones import torchvision_weights
from workers.network.runtime.build import BuiltNetwork
from workers.training.checkpoints.weight_match import event_data

CHECKPOINTS = Path("hub", "checkpoints")  # below the data root, as below TORCH_HOME
HASH_IN_NAME = re.compile(r"-([a-f0-9]+)\.[a-z]+$")  # the beginning of the file's SHA-256
# Names in files of densenet that are older than torch's rule that names of modules have no dots.
OLD_DENSENET_NAME = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.((?:[12])\.\w+)$")
AUXILIARY = ("aux", "AuxLogits")  # heads that torchvision has for training alone
BATCH_COUNT = "num_batches_tracked"  # older than some of the files; it is 0 then, as in torchvision


def load_torchvision_weights(network: BuiltNetwork, data_root: Path, allow_downloads: bool) -> Iterator[dict[str, Any]]:
    """Put trained weights into every node that names some.

    Yields the data of an event for each: what was taken, and what begins anew, since its shape is another one. Raises
    `DataError` if a file is missing, damaged or of another network.
    """
    for path, node in pretrained_nodes(network.blueprint):
        file = _find_file(node, data_root, allow_downloads)
        weights = _read_tensors(file, node)
        expected = network.get_submodule(path).state_dict()
        missing = [name for name in expected if name not in weights and not name.endswith(BATCH_COUNT)]
        if missing:
            detail = f"{file} has no {missing[0]}: it is not the file of {node.kind}"
            raise DataError(detail, pointer=_pointer(node), hint="put the file of this backbone there")
        taken = [name for name in expected if name in weights and weights[name].shape == expected[name].shape]
        with torch.no_grad():
            for name in taken:
                expected[name].copy_(weights[name])
        anew = [f"{path}.{name}" for name in expected if name in weights and name not in taken]
        left_out = [name for name in weights if name not in taken]
        yield event_data(file.name, len(taken), anew, left_out)


def _pointer(node: ResolvedNode) -> str:
    return f"/model{node.pointer}/weights"


def _find_file(node: ResolvedNode, data_root: Path, allow_downloads: bool) -> Path:
    """Return the verified file of a node's weights. Raises `DataError`."""
    url: str = torchvision_weights(node.kind, node.parameters["weights"]).url
    name = url.rpartition("/")[2]
    path = data_root / CHECKPOINTS / name
    if not path.is_file() and allow_downloads:
        try:
            download_into(lambda root: _download(url, root / CHECKPOINTS / name), data_root, path.is_file)
        except (OSError, RuntimeError) as error:
            raise _missing_file(node, path, f", and {url} could not be downloaded: {first_line(error)}") from error
    if not path.is_file():
        raise _missing_file(node, path)
    with path.open("rb") as content:
        digest = file_digest(content, "sha256").hexdigest()
    if (expected := HASH_IN_NAME.search(name)) is None or not digest.startswith(expected[1]):
        detail = f"{path} is damaged: its SHA-256 begins {digest[:8]}"
        raise DataError(detail, pointer=_pointer(node), hint=f"put {url} there")
    return path


def _download(url: str, target: Path) -> None:
    target.parent.mkdir(parents=True)
    hub.download_url_to_file(url, str(target), progress=False)


def _missing_file(node: ResolvedNode, path: Path, reason: str = "") -> DataError:
    url = torchvision_weights(node.kind, node.parameters["weights"]).url
    detail = f"the weights {node.parameters['weights']} of {node.kind} are not on this machine{reason}"
    return DataError(detail, pointer=_pointer(node), hint=f"put {url} at {path}, or remove weights")


def _read_tensors(path: Path, node: ResolvedNode) -> Mapping[str, Tensor]:
    """Return the tensors of a file by name, without those of auxiliary heads. Raises `DataError`."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        detail = f"{path} does not hold weights alone: {first_line(error)}"
        raise DataError(detail, pointer=_pointer(node), hint="put torchvision's own file there") from error
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise DataError(f"{path} does not hold tensors by name", pointer=_pointer(node), hint="put torchvision's there")
    renamed = {OLD_DENSENET_NAME.sub(r"\1\2", name): value for name, value in content.items()}
    return {name: value for name, value in renamed.items() if not name.startswith(AUXILIARY)}
