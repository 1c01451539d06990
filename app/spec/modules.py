"""The module kinds: `torch.nn` layers that are pure functions of tensors, with torch's own parameter names.

Sizes that follow from the data may be left out (`None`): the workers infer them from a sample.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.spec.base import Count, Finite, NotNegative, Positive, Probability, Size
from app.spec.kinds import Kind, Table

INFERRED = (Size | None, None)
Signed = Annotated[int, Field(strict=True, ge=-64, le=64)]
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]

_IMAGE = {1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}
_WHAT = {1: "a sequence", 2: "images", 3: "volumes"}


def _per_dimension(dimensions: int, item: Any) -> Any:
    """One number for every spatial dimension, or one each."""
    return item | Annotated[tuple[(item,) * dimensions], Field()]  # type: ignore[misc]


def _convolution(d: int) -> Kind:
    size, count = _per_dimension(d, Size), _per_dimension(d, Count)
    fields = {
        "in_channels": INFERRED, "out_channels": Size, "kernel_size": size, "stride": (size, 1),
        "padding": (count | Literal["same", "valid"], 0), "dilation": (size, 1), "groups": (Size, 1),
        "bias": (bool, True), "padding_mode": (PaddingMode, "zeros"),
    }  # fmt: skip
    example = {"out_channels": 8, "kernel_size": 3, "padding": 1}
    return Kind(f"A {d}-d convolution over {_WHAT[d]}.", fields, shapes=f"{_IMAGE[d]} → channels out", example=example)


def _transposed_convolution(d: int) -> Kind:
    size, count = _per_dimension(d, Size), _per_dimension(d, Count)
    fields = {
        "in_channels": INFERRED, "out_channels": Size, "kernel_size": size, "stride": (size, 1), "padding": (count, 0),
        "output_padding": (count, 0), "groups": (Size, 1), "bias": (bool, True), "dilation": (size, 1),
    }  # fmt: skip
    example = {"out_channels": 8, "kernel_size": 2, "stride": 2}
    return Kind(f"A {d}-d transposed convolution over {_WHAT[d]}.", fields, shapes=f"{_IMAGE[d]} → larger",
                example=example)  # fmt: skip


def _max_pool(d: int) -> Kind:
    size, count = _per_dimension(d, Size), _per_dimension(d, Count)
    fields = {"kernel_size": size, "stride": (size | None, None), "padding": (count, 0), "dilation": (size, 1),
              "ceil_mode": (bool, False)}  # fmt: skip
    return Kind(f"The largest value of each window of {_WHAT[d]}.", fields, shapes=f"{_IMAGE[d]} → smaller",
                example={"kernel_size": 2})  # fmt: skip


def _average_pool(d: int) -> Kind:
    size, count = _per_dimension(d, Size), _per_dimension(d, Count)
    fields = {"kernel_size": size, "stride": (size | None, None), "padding": (count, 0), "ceil_mode": (bool, False),
              "count_include_pad": (bool, True)}  # fmt: skip
    return Kind(f"The mean of each window of {_WHAT[d]}.", fields, shapes=f"{_IMAGE[d]} → smaller",
                example={"kernel_size": 2})  # fmt: skip


def _adaptive_pool(d: int, what: str) -> Kind:
    return Kind(f"The {what} of windows chosen so that the output has the given size.",
                {"output_size": _per_dimension(d, Size)}, shapes=f"{_IMAGE[d]} → output_size",
                example={"output_size": 1})  # fmt: skip


def _batch_norm(d: int) -> Kind:
    fields = {"num_features": INFERRED, "eps": (Positive, 1e-5), "momentum": (Probability | None, 0.1),
              "affine": (bool, True), "track_running_stats": (bool, True)}  # fmt: skip
    shapes = "(N, C) or (N, C, L)" if d == 1 else _IMAGE[d]
    return Kind("Normalises every channel over the batch.", fields, shapes=f"{shapes} → the same")


def _instance_norm(d: int) -> Kind:
    fields = {"num_features": INFERRED, "eps": (Positive, 1e-5), "momentum": (Probability, 0.1),
              "affine": (bool, False), "track_running_stats": (bool, False)}  # fmt: skip
    return Kind("Normalises every channel of every example.", fields, shapes=f"{_IMAGE[d]} → the same")


def _dropout(sentence: str, shapes: str = "(N, *) → (N, *)") -> Kind:
    return Kind(sentence, {"p": (Probability, 0.5)}, shapes=shapes)


def _recurrent(name: str, **extra: Any) -> Kind:
    fields = {
        "input_size": INFERRED, "hidden_size": Size, "num_layers": (Size, 1), "bias": (bool, True),
        "dropout": (Probability, 0.0), "bidirectional": (bool, False),
        "returns": (Literal["sequence", "last", "state"], "sequence"), **extra,
    }  # fmt: skip
    sentence = (f"A {name} over a sequence. `returns` chooses all outputs, the last output, or the last layer's final "
                "hidden state; a second input holds the lengths of the sequences.")  # fmt: skip
    shapes = "(N, L, F) [, lengths (N)] → (N, L, H) or (N, H)"
    return Kind(sentence, fields, (1, 2), shapes, {"hidden_size": 16, "returns": "last"})


def _plain(sentence: str, **fields: Any) -> Kind:
    return Kind(sentence, fields)


_LINEAR: Table = {
    "Identity": _plain("Returns its input."),
    "Linear": Kind("y = x Wᵀ + b over the last dimension.",
                   {"in_features": INFERRED, "out_features": Size, "bias": (bool, True)},
                   shapes="(N, *, in) → (N, *, out)", example={"out_features": 10}),
    "Bilinear": Kind("y = x₁ᵀ W x₂ + b.", {"in1_features": INFERRED, "in2_features": INFERRED, "out_features": Size,
                                          "bias": (bool, True)}, (2, 2), "(N, a), (N, b) → (N, out)",
                     {"out_features": 10}),
    "Embedding": Kind("Looks up a vector for every integer.",
                      {"num_embeddings": Size, "embedding_dim": Size, "padding_idx": (Count | None, None)},
                      shapes="integers (N, *) → (N, *, D)", example={"num_embeddings": 20, "embedding_dim": 8}),
    "Flatten": Kind("Joins the dimensions from `start_dim` to `end_dim`.",
                    {"start_dim": (Signed, 1), "end_dim": (Signed, -1)}, shapes="(N, *) → (N, F)"),
    "Unflatten": Kind("Splits one dimension into several.", {"dim": Signed, "unflattened_size": tuple[Size, ...]},
                      shapes="(N, F) → (N, *)", example={"dim": 1, "unflattened_size": [2, 4]}),
}  # fmt: skip

_CONVOLUTION: Table = {
    **{f"Conv{d}d": _convolution(d) for d in (1, 2, 3)},
    **{f"ConvTranspose{d}d": _transposed_convolution(d) for d in (1, 2, 3)},
    **{f"MaxPool{d}d": _max_pool(d) for d in (1, 2, 3)},
    **{f"AvgPool{d}d": _average_pool(d) for d in (1, 2, 3)},
    **{f"AdaptiveAvgPool{d}d": _adaptive_pool(d, "mean") for d in (1, 2, 3)},
    **{f"AdaptiveMaxPool{d}d": _adaptive_pool(d, "largest value") for d in (1, 2, 3)},
    "ZeroPad2d": Kind("Pads images with zeros.", {"padding": _per_dimension(4, Count)}, example={"padding": 1}),
    "ReflectionPad2d": Kind("Pads images by reflection.", {"padding": _per_dimension(4, Count)},
                            example={"padding": 1}),
    "ReplicationPad2d": Kind("Pads images with their edge.", {"padding": _per_dimension(4, Count)},
                             example={"padding": 1}),
    "Upsample": Kind("Enlarges images.", {"scale_factor": Size, "mode": (Literal["nearest", "bilinear"], "nearest")},
                     example={"scale_factor": 2}),
    "PixelShuffle": Kind("Moves channels into a larger image.", {"upscale_factor": Size},
                         shapes="(N, C r², H, W) → (N, C, H r, W r)", example={"upscale_factor": 2}),
    "PixelUnshuffle": Kind("Moves pixels into channels.", {"downscale_factor": Size},
                           shapes="(N, C, H r, W r) → (N, C r², H, W)", example={"downscale_factor": 2}),
}  # fmt: skip

_NORMALISATION: Table = {
    **{f"BatchNorm{d}d": _batch_norm(d) for d in (1, 2, 3)},
    **{f"InstanceNorm{d}d": _instance_norm(d) for d in (1, 2, 3)},
    "LayerNorm": _plain("Normalises over the last dimensions.",
                        normalized_shape=(Size | tuple[Size, ...] | None, None), eps=(Positive, 1e-5),
                        elementwise_affine=(bool, True), bias=(bool, True)),
    "RMSNorm": _plain("Divides by the root mean square over the last dimensions.",
                      normalized_shape=(Size | tuple[Size, ...] | None, None), eps=(Positive | None, None),
                      elementwise_affine=(bool, True)),
    "GroupNorm": Kind("Normalises groups of channels.",
                      {"num_groups": Size, "num_channels": INFERRED, "eps": (Positive, 1e-5), "affine": (bool, True)},
                      shapes="(N, C, *) → (N, C, *)", example={"num_groups": 2}),
    "LocalResponseNorm": Kind("Normalises over neighbouring channels.",
                              {"size": Size, "alpha": (Positive, 1e-4), "beta": (Positive, 0.75), "k": (Positive, 1.0)},
                              example={"size": 2}),
    "Dropout": _dropout("Zeroes values at random while training."),
    "Dropout1d": _dropout("Zeroes channels at random while training.", "(N, C, L) → the same"),
    "Dropout2d": _dropout("Zeroes channels at random while training.", "(N, C, H, W) → the same"),
    "Dropout3d": _dropout("Zeroes channels at random while training.", "(N, C, D, H, W) → the same"),
    "AlphaDropout": _dropout("Dropout that keeps mean and variance (for SELU)."),
}  # fmt: skip

_ACTIVATION: Table = {
    "ReLU": _plain("max(0, x)."),
    "ReLU6": _plain("min(max(0, x), 6)."),
    "LeakyReLU": _plain("x, or a small multiple of it below zero.", negative_slope=(NotNegative, 0.01)),
    "PReLU": _plain("x, or a learned multiple of it below zero.", num_parameters=(Size, 1), init=(Finite, 0.25)),
    "ELU": _plain("x, or alpha (eˣ - 1) below zero.", alpha=(Finite, 1.0)),
    "SELU": _plain("The self-normalising ELU."),
    "CELU": _plain("The continuously differentiable ELU.", alpha=(Positive, 1.0)),
    "GELU": _plain("x Φ(x).", approximate=(Literal["none", "tanh"], "none")),
    "SiLU": _plain("x sigmoid(x)."),
    "Mish": _plain("x tanh(softplus(x))."),
    "Sigmoid": _plain("1 / (1 + e⁻ˣ)."),
    "Tanh": _plain("The hyperbolic tangent."),
    "Softplus": _plain("log(1 + e^(beta x)) / beta.", beta=(Positive, 1.0), threshold=(Positive, 20.0)),
    "Softsign": _plain("x / (1 + |x|)."),
    "Softmax": _plain("Exponentials that sum to one along `dim`.", dim=(Signed, -1)),
    "Softmin": _plain("The softmax of -x along `dim`.", dim=(Signed, -1)),
    "LogSoftmax": _plain("The logarithm of the softmax along `dim`.", dim=(Signed, -1)),
    "LogSigmoid": _plain("The logarithm of the sigmoid."),
    "Hardtanh": _plain("x clipped to an interval.", min_val=(Finite, -1.0), max_val=(Finite, 1.0)),
    "Hardsigmoid": _plain("A piecewise linear sigmoid."),
    "Hardswish": _plain("x times the hard sigmoid."),
    "Tanhshrink": _plain("x - tanh(x)."),
    "Softshrink": _plain("x moved towards zero by `lambd`.", lambd=(NotNegative, 0.5)),
    "Hardshrink": _plain("x, or zero where |x| is small.", lambd=(NotNegative, 0.5)),
    "Threshold": Kind("x, or `value` where x is below `threshold`.", {"threshold": Finite, "value": Finite},
                      example={"threshold": 0.1, "value": 0.0}),
    "GLU": Kind("The first half times the sigmoid of the second half.", {"dim": (Signed, -1)},
                shapes="(N, *, 2F) → (N, *, F)"),
}  # fmt: skip

_SEQUENCE: Table = {
    "RNN": _recurrent("simple recurrent net", nonlinearity=(Literal["tanh", "relu"], "tanh")),
    "GRU": _recurrent("gated recurrent unit"),
    "LSTM": _recurrent("long short-term memory"),
    "MultiheadAttention": Kind(
        "Attention with several heads: one input attends to itself; three are query, key and value.",
        {"embed_dim": INFERRED, "num_heads": Size, "dropout": (Probability, 0.0), "bias": (bool, True)},
        (1, 3), "(N, L, E) → (N, L, E)", {"num_heads": 2}),
    "TransformerEncoderLayer": Kind(
        "Self-attention and a feed-forward part, with residuals and normalisation.",
        {"d_model": INFERRED, "nhead": Size, "dim_feedforward": (Size, 2048), "dropout": (Probability, 0.1),
         "activation": (Literal["relu", "gelu"], "relu"), "layer_norm_eps": (Positive, 1e-5),
         "norm_first": (bool, False), "bias": (bool, True)},
        shapes="(N, L, E) → (N, L, E)", example={"nhead": 2, "dim_feedforward": 32}),
}  # fmt: skip

MODULES: Table = {**_LINEAR, **_CONVOLUTION, **_NORMALISATION, **_ACTIVATION, **_SEQUENCE}
