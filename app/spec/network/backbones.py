"""Backbones: networks of torchvision by name as one node, with random weights or torchvision's trained ones."""

from collections.abc import Mapping
from typing import Any, Literal

from app.spec.base import Size
from app.spec.kinds import Kind, KindTable
from app.spec.network.fields import INFERRED_SIZE

_CLASSIFICATION_MODELS = """
    alexnet convnext_tiny convnext_small convnext_base convnext_large densenet121 densenet161 densenet169
    densenet201 efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b5
    efficientnet_b6 efficientnet_b7 efficientnet_v2_s efficientnet_v2_m efficientnet_v2_l googlenet inception_v3
    mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3 mobilenet_v2 mobilenet_v3_large mobilenet_v3_small resnet18
    resnet34 resnet50 resnet101 resnet152 resnext50_32x4d resnext101_32x8d resnext101_64x4d shufflenet_v2_x0_5
    shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0 squeezenet1_0 squeezenet1_1 swin_t swin_s swin_b vgg11
    vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn wide_resnet50_2 wide_resnet101_2
"""
_VISION_TRANSFORMERS = "vit_b_16 vit_b_32 vit_l_16 vit_l_32"  # of images of one size
_SEGMENTATION_MODELS = """
    deeplabv3_mobilenet_v3_large deeplabv3_resnet50 deeplabv3_resnet101 fcn_resnet50 fcn_resnet101
    lraspp_mobilenet_v3_large
"""


# Backbone → the names of torchvision's trained weights, newest last. IMAGENET1K_FEATURES of vgg16 is left out: its
# classifier holds no numbers.
_ONE, _TWO = ("IMAGENET1K_V1",), ("IMAGENET1K_V1", "IMAGENET1K_V2")
_SEVERAL_WEIGHTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("efficientnet_b1", "mobilenet_v2", "mobilenet_v3_large"), _TWO),
    **dict.fromkeys(("resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d"), _TWO),
    **dict.fromkeys(("wide_resnet50_2", "wide_resnet101_2"), _TWO),
    **dict.fromkeys(("vit_b_16", "vit_l_16"), (*_ONE, "IMAGENET1K_SWAG_E2E_V1", "IMAGENET1K_SWAG_LINEAR_V1")),
    **dict.fromkeys(_SEGMENTATION_MODELS.split(), ("COCO_WITH_VOC_LABELS_V1",)),
}
_TRANSFORMS_INPUT = ("googlenet", "inception_v3")


def weight_names(kind: str) -> tuple[str, ...]:
    """Return the names of the trained weights that torchvision has of a backbone."""
    return _SEVERAL_WEIGHTS.get(kind, _ONE)


def _backbone(name: str, shapes: str, **extra: Any) -> Kind:
    fields = {"in_channels": INFERRED_SIZE, "num_classes": (Size, 1000), **extra}
    fields["weights"] = (Literal[weight_names(name)] | None, None)
    if name in _TRANSFORMS_INPUT:
        fields["transform_input"] = (bool, False)
    sentence = f"torchvision's {name}, with random weights unless `weights` names trained ones. "
    sentence += "Other than three channels replace its first convolution."
    return Kind(sentence, fields, shapes=shapes, example={"num_classes": 10})


BACKBONES: KindTable = {
    **{name: _backbone(name, "(N, C, H, W) → (N, num_classes)") for name in _CLASSIFICATION_MODELS.split()},
    **{
        name: _backbone(name, "(N, C, image_size, image_size) → (N, num_classes)", image_size=(Size, 224))
        for name in _VISION_TRANSFORMERS.split()
    },
    **{
        name: _backbone(name, "(N, C, H, W) → (N, num_classes, H, W)", num_classes=(Size, 21))
        for name in _SEGMENTATION_MODELS.split()
    },
}
