"""What users download loads strictly, from both formats, into the class in `model.py`."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tests.workers.network.networks import build_model, import_source, make_examples
from tests.workers.network.runtime.test_build import LEAVES
from workers.exports.weights import export_weights
from workers.network.codegen.source import write_source
from workers.network.runtime.build import BuiltNetwork

LAYERS = [
    {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3},
    {"kind": "BatchNorm2d"},
    {"kind": "Flatten"},
    {"kind": "Linear", "out_features": 2},
]
IMAGE = {"image": (1, 8, 8)}


def load_weights(folder: Path) -> dict[str, dict[str, Tensor]]:
    """Return the weights by the name of their file."""
    plain = torch.load(folder / "weights.pth", weights_only=True, map_location="cpu")
    assert type(plain) is dict
    return {"weights.pth": plain, "weights.safetensors": load_file(folder / "weights.safetensors")}


def build_tied_network() -> BuiltNetwork:
    """Return a network with one tensor under two names, and one that is a part of another."""
    layers = [{"kind": "Linear", "out_features": 4} for _ in range(3)]
    network = build_model(layers, {"x": (4,)})
    first, second, third = (part for part in network.children() if isinstance(part, nn.Linear))
    second.weight = first.weight
    third.bias = nn.Parameter(first.weight.detach()[0])
    return network


def write_files(network: BuiltNetwork, folder: Path) -> list[Path]:
    """Write the files of a network from copies of its tensors, as a checkpoint does."""
    copies = {
        name: torch.empty(value.shape).to(value.dtype).copy_(value.detach())
        for name, value in network.state_dict().items()
    }
    return export_weights(copies, write_source(network), folder)


def test_three_files_are_written(tmp_path: Path) -> None:
    paths = write_files(build_model(LAYERS, IMAGE), tmp_path)
    assert [path.name for path in paths] == ["weights.safetensors", "weights.pth", "model.py"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_the_weights_load_into_the_source(name: str, tmp_path: Path) -> None:
    network, values = build_model(LAYERS, IMAGE), make_examples(IMAGE)
    network(values)  # moves the running statistics
    write_files(network, tmp_path)
    other = import_source(network, tmp_path, seed=4)
    other.load_state_dict(load_weights(tmp_path)[name], strict=True)
    assert network.eval()(values)["output"].equal(other.eval()(values["image"]))


@pytest.mark.parametrize(
    "network", [build_model(LAYERS, IMAGE), build_model(LEAVES, {"x": (4,)}), build_tied_network()]
)
def test_both_files_hold_the_same_under_every_name(network: BuiltNetwork, tmp_path: Path) -> None:
    write_files(network, tmp_path)
    state = network.state_dict()
    for found in load_weights(tmp_path).values():
        assert found.keys() == state.keys()
        assert all(value.equal(state[name]) and value.is_contiguous() for name, value in found.items())
        assert not any(value.requires_grad for value in found.values())
        built_anew = type(network)(network.blueprint)
        built_anew.load_state_dict(found, strict=True)


def test_tied_tensors_stay_tied_in_the_network(tmp_path: Path) -> None:
    network = build_tied_network()
    write_files(network, tmp_path)
    first, second, _ = network.children()
    assert first.weight is second.weight


def test_weights_that_are_not_contiguous_are(tmp_path: Path) -> None:
    network = build_model([{"kind": "Linear", "out_features": 3}], {"x": (4,)})
    (part,) = network.children()
    part.weight = nn.Parameter(torch.arange(12.0).reshape(4, 3).t())
    write_files(network, tmp_path)
    for found in load_weights(tmp_path).values():
        assert found["linear1.weight"].equal(part.weight)
