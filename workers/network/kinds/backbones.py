"""Backbones: the functions of torchvision that build them, and what it says of their trained weights."""

from collections.abc import Callable, Mapping

from torch import nn

import workers.torch_setup  # noqa: F401 - comes before torchvision

from torchvision import models  # isort: skip
from torchvision.models import segmentation  # isort: skip

from workers.network.blueprint import Parameters
from workers.network.kinds.functional import adapt_input_channels, run_segmentation
from workers.network.kinds.module_kind import ModuleKind

_NO_AUX = {"aux_logits": False, "init_weights": True}  # without auxiliary heads, which need losses of their own
_COST = 200


def torchvision_weights(kind: str, name: str) -> models.WeightsEnum:
    """Return torchvision's description of trained weights: address, transforms, categories."""
    return models.get_model_weights(kind)[name]


def _classifier(
    build: Callable[..., nn.Module], *, uses_rng: bool = False, fixed: Parameters | None = None
) -> ModuleKind:
    return ModuleKind(
        build,
        (4,),
        fixed_arguments=fixed or {},
        adapt=adapt_input_channels,
        adapt_defaults={"in_channels": 3},
        initial_parameters=("weights",),
        uses_rng=uses_rng,
        cost=_COST,
        path=f"torchvision.models.{build.__name__}",
        opaque=True,
    )


def _segmenter(build: Callable[..., nn.Module], *, uses_rng: bool = False) -> ModuleKind:
    return ModuleKind(
        build,
        (4,),
        fixed_arguments={"weights_backbone": None},
        call=run_segmentation,
        adapt=adapt_input_channels,
        adapt_defaults={"in_channels": 3},
        initial_parameters=("weights",),
        uses_rng=uses_rng,
        cost=_COST,
        path=f"torchvision.models.segmentation.{build.__name__}",
        opaque=True,
    )


BACKBONES: Mapping[str, ModuleKind] = {
    "alexnet": _classifier(models.alexnet, uses_rng=True),
    "convnext_tiny": _classifier(models.convnext_tiny, uses_rng=True),
    "convnext_small": _classifier(models.convnext_small, uses_rng=True),
    "convnext_base": _classifier(models.convnext_base, uses_rng=True),
    "convnext_large": _classifier(models.convnext_large, uses_rng=True),
    "densenet121": _classifier(models.densenet121),
    "densenet161": _classifier(models.densenet161),
    "densenet169": _classifier(models.densenet169),
    "densenet201": _classifier(models.densenet201),
    "efficientnet_b0": _classifier(models.efficientnet_b0, uses_rng=True),
    "efficientnet_b1": _classifier(models.efficientnet_b1, uses_rng=True),
    "efficientnet_b2": _classifier(models.efficientnet_b2, uses_rng=True),
    "efficientnet_b3": _classifier(models.efficientnet_b3, uses_rng=True),
    "efficientnet_b4": _classifier(models.efficientnet_b4, uses_rng=True),
    "efficientnet_b5": _classifier(models.efficientnet_b5, uses_rng=True),
    "efficientnet_b6": _classifier(models.efficientnet_b6, uses_rng=True),
    "efficientnet_b7": _classifier(models.efficientnet_b7, uses_rng=True),
    "efficientnet_v2_s": _classifier(models.efficientnet_v2_s, uses_rng=True),
    "efficientnet_v2_m": _classifier(models.efficientnet_v2_m, uses_rng=True),
    "efficientnet_v2_l": _classifier(models.efficientnet_v2_l, uses_rng=True),
    "googlenet": _classifier(models.googlenet, uses_rng=True, fixed=_NO_AUX),
    "inception_v3": _classifier(models.inception_v3, uses_rng=True, fixed=_NO_AUX),
    "mnasnet0_5": _classifier(models.mnasnet0_5, uses_rng=True),
    "mnasnet0_75": _classifier(models.mnasnet0_75, uses_rng=True),
    "mnasnet1_0": _classifier(models.mnasnet1_0, uses_rng=True),
    "mnasnet1_3": _classifier(models.mnasnet1_3, uses_rng=True),
    "mobilenet_v2": _classifier(models.mobilenet_v2, uses_rng=True),
    "mobilenet_v3_large": _classifier(models.mobilenet_v3_large, uses_rng=True),
    "mobilenet_v3_small": _classifier(models.mobilenet_v3_small, uses_rng=True),
    "resnet18": _classifier(models.resnet18),
    "resnet34": _classifier(models.resnet34),
    "resnet50": _classifier(models.resnet50),
    "resnet101": _classifier(models.resnet101),
    "resnet152": _classifier(models.resnet152),
    "resnext50_32x4d": _classifier(models.resnext50_32x4d),
    "resnext101_32x8d": _classifier(models.resnext101_32x8d),
    "resnext101_64x4d": _classifier(models.resnext101_64x4d),
    "shufflenet_v2_x0_5": _classifier(models.shufflenet_v2_x0_5),
    "shufflenet_v2_x1_0": _classifier(models.shufflenet_v2_x1_0),
    "shufflenet_v2_x1_5": _classifier(models.shufflenet_v2_x1_5),
    "shufflenet_v2_x2_0": _classifier(models.shufflenet_v2_x2_0),
    "squeezenet1_0": _classifier(models.squeezenet1_0, uses_rng=True),
    "squeezenet1_1": _classifier(models.squeezenet1_1, uses_rng=True),
    "swin_t": _classifier(models.swin_t, uses_rng=True),
    "swin_s": _classifier(models.swin_s, uses_rng=True),
    "swin_b": _classifier(models.swin_b, uses_rng=True),
    "vgg11": _classifier(models.vgg11, uses_rng=True),
    "vgg11_bn": _classifier(models.vgg11_bn, uses_rng=True),
    "vgg13": _classifier(models.vgg13, uses_rng=True),
    "vgg13_bn": _classifier(models.vgg13_bn, uses_rng=True),
    "vgg16": _classifier(models.vgg16, uses_rng=True),
    "vgg16_bn": _classifier(models.vgg16_bn, uses_rng=True),
    "vgg19": _classifier(models.vgg19, uses_rng=True),
    "vgg19_bn": _classifier(models.vgg19_bn, uses_rng=True),
    "wide_resnet50_2": _classifier(models.wide_resnet50_2),
    "wide_resnet101_2": _classifier(models.wide_resnet101_2),
    "vit_b_16": _classifier(models.vit_b_16),
    "vit_b_32": _classifier(models.vit_b_32),
    "vit_l_16": _classifier(models.vit_l_16),
    "vit_l_32": _classifier(models.vit_l_32),
    "deeplabv3_mobilenet_v3_large": _segmenter(segmentation.deeplabv3_mobilenet_v3_large, uses_rng=True),
    "deeplabv3_resnet50": _segmenter(segmentation.deeplabv3_resnet50, uses_rng=True),
    "deeplabv3_resnet101": _segmenter(segmentation.deeplabv3_resnet101, uses_rng=True),
    "fcn_resnet50": _segmenter(segmentation.fcn_resnet50, uses_rng=True),
    "fcn_resnet101": _segmenter(segmentation.fcn_resnet101, uses_rng=True),
    "lraspp_mobilenet_v3_large": _segmenter(segmentation.lraspp_mobilenet_v3_large),
}
