"""Module kinds over sequences, images and volumes: convolution, pooling, padding, and moving pixels about."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.spec.base import Count, Finite, Positive, PositiveScalar, Size
from app.spec.kinds import Kind, KindTable
from app.spec.network.fields import INFERRED_SIZE, SPATIAL_SHAPES, per_dimension

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]

WITH_INDICES = ("output", "indices")
_ROOM = Size | Annotated[tuple[Size, ...], Field(min_length=1, max_length=3)]
_SCALE = PositiveScalar | Annotated[tuple[PositiveScalar, ...], Field(min_length=1, max_length=3)]
_UPSAMPLING = {
    "size": (per_dimension(2, Size) | None, None),
    "scale_factor": (per_dimension(2, PositiveScalar) | None, None),
}
_SPATIAL_NOUNS = {1: "a sequence", 2: "images", 3: "volumes"}


def _convolution(d: int) -> Kind:
    size, count = per_dimension(d, Size), per_dimension(d, Count)
    fields = {
        "in_channels": INFERRED_SIZE,
        "out_channels": Size,
        "kernel_size": size,
        "stride": (size, 1),
        "padding": (count | Literal["same", "valid"], 0),
        "dilation": (size, 1),
        "groups": (Size, 1),
        "bias": (bool, True),
        "padding_mode": (PaddingMode, "zeros"),
    }
    example = {"out_channels": 8, "kernel_size": 3, "padding": 1}
    return Kind(
        f"A {d}-d convolution over {_SPATIAL_NOUNS[d]}.",
        fields,
        shapes=f"{SPATIAL_SHAPES[d]} → channels out",
        example=example,
    )


def _transposed_convolution(d: int) -> Kind:
    size, count = per_dimension(d, Size), per_dimension(d, Count)
    fields = {
        "in_channels": INFERRED_SIZE,
        "out_channels": Size,
        "kernel_size": size,
        "stride": (size, 1),
        "padding": (count, 0),
        "output_padding": (count, 0),
        "groups": (Size, 1),
        "bias": (bool, True),
        "dilation": (size, 1),
    }
    example = {"out_channels": 8, "kernel_size": 2, "stride": 2}
    return Kind(
        f"A {d}-d transposed convolution over {_SPATIAL_NOUNS[d]}.",
        fields,
        shapes=f"{SPATIAL_SHAPES[d]} → larger",
        example=example,
    )


def _max_pool(d: int) -> Kind:
    size, count = per_dimension(d, Size), per_dimension(d, Count)
    fields = {
        "kernel_size": size,
        "stride": (size | None, None),
        "padding": (count, 0),
        "dilation": (size, 1),
        "ceil_mode": (bool, False),
        "return_indices": (bool, False),
    }
    return Kind(
        f"The largest value of each window of {_SPATIAL_NOUNS[d]}; with `return_indices` its place too, for MaxUnpool.",
        fields,
        shapes=f"{SPATIAL_SHAPES[d]} → smaller",
        example={"kernel_size": 2},
        outputs=WITH_INDICES,
        outputs_field="return_indices",
    )


def _max_unpool(d: int) -> Kind:
    size, count = per_dimension(d, Size), per_dimension(d, Count)
    return Kind(
        f"Puts values back to the places that MaxPool{d}d with `return_indices` found, among zeros. `output_size` is "
        "that of the output, where the default is not what was pooled.",
        {
            "kernel_size": size,
            "stride": (size | None, None),
            "padding": (count, 0),
            "output_size": (per_dimension(d, Size) | None, None),
        },
        (2, 2),
        f"{SPATIAL_SHAPES[d]}, indices of the same shape → larger",
        {"kernel_size": 2},
    )


def _fractional_max_pool(d: int) -> Kind:
    size = per_dimension(d, Size)
    share = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
    return Kind(
        f"The largest value of windows of {_SPATIAL_NOUNS[d]} at random places (Graham 2014), in evaluation too, so "
        "that the output has a size, or a share of the input's.",
        {
            "kernel_size": size,
            "output_size": (size | None, None),
            "output_ratio": (per_dimension(d, share) | None, None),
            "return_indices": (bool, False),
        },
        shapes=f"{SPATIAL_SHAPES[d]} → smaller",
        example={"kernel_size": 2, "output_size": 3},
        exactly_one_of=(("output_size", "output_ratio"),),
        outputs=WITH_INDICES,
        outputs_field="return_indices",
    )


def _average_pool(d: int) -> Kind:
    size, count = per_dimension(d, Size), per_dimension(d, Count)
    fields = {
        "kernel_size": size,
        "stride": (size | None, None),
        "padding": (count, 0),
        "ceil_mode": (bool, False),
        "count_include_pad": (bool, True),
        **({} if d == 1 else {"divisor_override": (Size | None, None)}),
    }
    return Kind(
        f"The mean of each window of {_SPATIAL_NOUNS[d]}.",
        fields,
        shapes=f"{SPATIAL_SHAPES[d]} → smaller",
        example={"kernel_size": 2},
    )


def _adaptive_pool(d: int, what: str, **fields: Any) -> Kind:
    kept = "" if d == 1 else "; null keeps a dimension"
    return Kind(
        f"The {what} of windows chosen so that the output has the given size{kept}.",
        {"output_size": per_dimension(d, Size) if d == 1 else per_dimension(d, Size | None), **fields},
        shapes=f"{SPATIAL_SHAPES[d]} → output_size",
        example={"output_size": 1},
        outputs=WITH_INDICES if fields else (),
        outputs_field="return_indices" if fields else "",
    )


def _power_pool(d: int) -> Kind:
    size = per_dimension(d, Size)
    fields = {"norm_type": Positive, "kernel_size": size, "stride": (size | None, None), "ceil_mode": (bool, False)}
    return Kind(
        f"The norm of each window of {_SPATIAL_NOUNS[d]}.",
        fields,
        shapes=f"{SPATIAL_SHAPES[d]} → smaller",
        example={"norm_type": 2.0, "kernel_size": 2},
    )


def _padding(d: int, how: str, **fields: Any) -> Kind:
    given = {"padding": per_dimension(2 * d, Count), **fields}
    example = {"padding": 1, **({"value": 0.5} if fields else {})}
    return Kind(
        f"Pads {_SPATIAL_NOUNS[d]} {how}; one number, or one for each side, from the last dimension on.",
        given,
        shapes=f"{SPATIAL_SHAPES[d]} → larger",
        example=example,
    )


CONVOLUTIONS: KindTable = {
    **{f"Conv{d}d": _convolution(d) for d in (1, 2, 3)},
    **{f"ConvTranspose{d}d": _transposed_convolution(d) for d in (1, 2, 3)},
    **{f"MaxPool{d}d": _max_pool(d) for d in (1, 2, 3)},
    **{f"AvgPool{d}d": _average_pool(d) for d in (1, 2, 3)},
    **{f"AdaptiveAvgPool{d}d": _adaptive_pool(d, "mean") for d in (1, 2, 3)},
    **{f"AdaptiveMaxPool{d}d": _adaptive_pool(d, "largest value", return_indices=(bool, False)) for d in (1, 2, 3)},
    **{f"MaxUnpool{d}d": _max_unpool(d) for d in (1, 2, 3)},
    **{f"FractionalMaxPool{d}d": _fractional_max_pool(d) for d in (2, 3)},
    **{f"LPPool{d}d": _power_pool(d) for d in (1, 2, 3)},
    **{f"ZeroPad{d}d": _padding(d, "with zeros") for d in (1, 2, 3)},
    **{f"ConstantPad{d}d": _padding(d, "with a number", value=Finite) for d in (1, 2, 3)},
    **{f"ReflectionPad{d}d": _padding(d, "by reflection") for d in (1, 2, 3)},
    **{f"ReplicationPad{d}d": _padding(d, "with their edge") for d in (1, 2, 3)},
    **{f"CircularPad{d}d": _padding(d, "with their other end") for d in (1, 2, 3)},
    "Upsample": Kind(
        "Enlarges: sequences (linear), images (bilinear, bicubic), volumes (trilinear), any (nearest).",
        {
            "size": (_ROOM | None, None),
            "scale_factor": (_SCALE | None, None),
            "mode": (Literal["nearest", "linear", "bilinear", "bicubic", "trilinear"], "nearest"),
            "align_corners": (bool | None, None),
            "recompute_scale_factor": (bool | None, None),
        },
        shapes="(N, C, *) → larger",
        example={"scale_factor": 2},
        exactly_one_of=(("scale_factor", "size"),),
    ),
    "UpsamplingNearest2d": Kind(
        "Enlarges images by repeating pixels.",
        _UPSAMPLING,
        shapes=f"{SPATIAL_SHAPES[2]} → larger",
        example={"scale_factor": 2},
        exactly_one_of=(("scale_factor", "size"),),
    ),
    "UpsamplingBilinear2d": Kind(
        "Enlarges images by interpolation; corners stay corners.",
        _UPSAMPLING,
        shapes=f"{SPATIAL_SHAPES[2]} → larger",
        example={"scale_factor": 2},
        exactly_one_of=(("scale_factor", "size"),),
    ),
    "Unfold": Kind(
        "Every window of images as a column.",
        {
            "kernel_size": per_dimension(2, Size),
            "dilation": (per_dimension(2, Size), 1),
            "padding": (per_dimension(2, Count), 0),
            "stride": (per_dimension(2, Size), 1),
        },
        shapes="(N, C, H, W) → (N, C k², L)",
        example={"kernel_size": 2},
    ),
    "FoldPatches": Kind(
        "Adds windows up to images: torch's Fold, the way back from Unfold.",
        {
            "output_size": per_dimension(2, Size),
            "kernel_size": per_dimension(2, Size),
            "dilation": (per_dimension(2, Size), 1),
            "padding": (per_dimension(2, Count), 0),
            "stride": (per_dimension(2, Size), 1),
        },
        shapes="(N, C k², L) → (N, C, H, W)",
        example={"output_size": [2, 4], "kernel_size": 2, "stride": 2},
    ),
    "ChannelShuffle": Kind(
        "Mixes the channels of groups.", {"groups": Size}, shapes="(N, C, *) → the same", example={"groups": 2}
    ),
    "PixelShuffle": Kind(
        "Moves channels into a larger image.",
        {"upscale_factor": Size},
        shapes="(N, C r², H, W) → (N, C, H r, W r)",
        example={"upscale_factor": 2},
    ),
    "PixelUnshuffle": Kind(
        "Moves pixels into channels.",
        {"downscale_factor": Size},
        shapes="(N, C, H r, W r) → (N, C r², H, W)",
        example={"downscale_factor": 2},
    ),
}
