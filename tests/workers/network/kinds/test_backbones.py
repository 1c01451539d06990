"""The networks of torchvision: what they take and give, and whether they draw."""

from pathlib import Path

import pytest
import torch
from torch.nn.modules.dropout import _DropoutNd

from app.spec.network.backbones import BACKBONES
from tests.full import choose
from tests.workers.network.kinds.test_catalog import model, run
from tests.workers.network.networks import build_model, import_source, infer_model, make_examples
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.module_kind import ModuleKind

from torchvision.ops import StochasticDepth  # isort: skip - after workers.torch_setup, see there

SEGMENTERS = frozenset(kind for kind in BACKBONES if kind.startswith(("deeplabv3", "fcn", "lraspp")))
FAMILIES = """alexnet convnext_tiny densenet121 efficientnet_b0 efficientnet_v2_s googlenet inception_v3 mnasnet0_5
    mobilenet_v2 mobilenet_v3_small resnet18 resnext50_32x4d shufflenet_v2_x0_5 swin_t vgg11_bn vit_b_32 fcn_resnet50
    deeplabv3_mobilenet_v3_large lraspp_mobilenet_v3_large"""


@pytest.mark.parametrize("kind", FAMILIES.split())
def test_a_backbone_fits_its_images(kind: str) -> None:
    size = 224 if "image_size" in BACKBONES[kind].fields else 96
    (trace,) = infer_model(model(kind, {"num_classes": 7}, {"x": (4, size, size)}), {"x": (4, size, size)}).nodes
    classes, segments = (SYMBOLIC_BATCH_SIZE, 7), (SYMBOLIC_BATCH_SIZE, 7, size, size)
    assert trace.output.shape == (segments if kind in SEGMENTERS else classes)
    assert trace.flops is not None
    assert trace.flops > trace.parameters > 0


def test_a_network_for_segmentation_is_plain_torchvision(tmp_path: Path) -> None:
    kind, named = "lraspp_mobilenet_v3_large", {"x": (2, 32, 32)}
    network, values = build_model(model(kind, {"num_classes": 3}, named), named), make_examples(named, 2)
    other = import_source(network, tmp_path)
    other.load_state_dict(network.state_dict(), strict=True)
    output = run(network, values, train=True)
    assert output.equal(run(other, list(values.values()), train=True))
    output.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert "weights_backbone=None" in (tmp_path / "model.py").read_text()


@pytest.mark.parametrize("kind", choose(BACKBONES, *FAMILIES.split()))
def test_backbones_with_dropout_are_known(kind: str) -> None:
    row = CATALOG[kind]
    assert isinstance(row, ModuleKind)
    with torch.device("meta"):
        parts = row.module({"in_channels": 3, "num_classes": 7}).modules()
    chances = [getattr(part, "p", 0.0) for part in parts if isinstance(part, _DropoutNd | StochasticDepth)]
    assert any(chance > 0 for chance in chances) == row.uses_rng
