"""The modules of `torch.nn` that the language has, and how their parameters are read."""

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import Parameter, signature
from typing import Any

from graftwerk.tracing.unsupported import UnsupportedOperation

Module = Any  # torch.nn.Module: torch is imported when a module is traced, not before

_CONV = (
    "in_channels",
    "out_channels",
    "kernel_size",
    "stride",
    "padding",
    "dilation",
    "groups",
    "bias",
    "padding_mode",
)
_CONV_TRANSPOSE = (
    "in_channels",
    "out_channels",
    "kernel_size",
    "stride",
    "padding",
    "output_padding",
    "groups",
    "bias",
    "dilation",
)
_MAX_POOL = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_LOOKUP = ("max_norm", "norm_type", "scale_grad_by_freq")
_AVERAGE_POOL = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
_BATCH_NORM = ("num_features", "eps", "momentum", "affine", "track_running_stats", "bias")
_NORMS_OF_CHANNELS = tuple(f"{how}Norm{d}d" for how in ("Batch", "Instance") for d in (1, 2, 3))
_CELL = ("input_size", "hidden_size", "bias")
_RECURRENT = ("input_size", "hidden_size", "num_layers", "bias", "dropout", "bidirectional")

# Kind → its fields, with torch's names and defaults.
MODULE_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "Identity": (),
    "Linear": ("in_features", "out_features", "bias"),
    "Bilinear": ("in1_features", "in2_features", "out_features", "bias"),
    "Embedding": ("num_embeddings", "embedding_dim", "padding_idx", *_LOOKUP),
    "Flatten": ("start_dim", "end_dim"),
    "Unflatten": ("dim", "unflattened_size"),
    **{f"Conv{d}d": _CONV for d in (1, 2, 3)},
    **{f"ConvTranspose{d}d": _CONV_TRANSPOSE for d in (1, 2, 3)},
    **{f"MaxPool{d}d": _MAX_POOL for d in (1, 2, 3)},
    "AvgPool1d": _AVERAGE_POOL,
    **{f"AvgPool{d}d": (*_AVERAGE_POOL, "divisor_override") for d in (2, 3)},
    **{f"MaxUnpool{d}d": ("kernel_size", "stride", "padding") for d in (1, 2, 3)},
    **{f"AdaptiveAvgPool{d}d": ("output_size",) for d in (1, 2, 3)},
    **{f"AdaptiveMaxPool{d}d": ("output_size", "return_indices") for d in (1, 2, 3)},
    **{f"{how}Pad{d}d": ("padding",) for how in ("Zero", "Reflection", "Replication", "Circular") for d in (1, 2, 3)},
    **{f"ConstantPad{d}d": ("padding", "value") for d in (1, 2, 3)},
    **{f"LPPool{d}d": ("norm_type", "kernel_size", "stride", "ceil_mode") for d in (1, 2, 3)},
    "ChannelShuffle": ("groups",),
    "Upsample": ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor"),
    **{f"Upsampling{how}2d": ("size", "scale_factor") for how in ("Nearest", "Bilinear")},
    "PixelShuffle": ("upscale_factor",),
    "PixelUnshuffle": ("downscale_factor",),
    **dict.fromkeys(_NORMS_OF_CHANNELS, _BATCH_NORM),
    "LayerNorm": ("normalized_shape", "eps", "elementwise_affine", "bias"),
    "RMSNorm": ("normalized_shape", "eps", "elementwise_affine"),
    "GroupNorm": ("num_groups", "num_channels", "eps", "affine", "bias"),
    "LocalResponseNorm": ("size", "alpha", "beta", "k"),
    **dict.fromkeys(("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout"), ("p",)),
    "ReLU": (),
    "ReLU6": (),
    "LeakyReLU": ("negative_slope",),
    "PReLU": ("num_parameters", "init"),
    "ELU": ("alpha",),
    "SELU": (),
    "CELU": ("alpha",),
    "GELU": ("approximate",),
    "SiLU": (),
    "Mish": (),
    "Sigmoid": (),
    "Tanh": (),
    "Softplus": ("beta", "threshold"),
    "Softsign": (),
    "Softmax": ("dim",),
    "Softmin": ("dim",),
    "LogSoftmax": ("dim",),
    "LogSigmoid": (),
    "Hardtanh": ("min_val", "max_val"),
    "Hardsigmoid": (),
    "Hardswish": (),
    "Tanhshrink": (),
    "Softshrink": ("lambd",),
    "Hardshrink": ("lambd",),
    "Threshold": ("threshold", "value"),
    "GLU": ("dim",),
    "RReLU": ("lower", "upper"),
    "Softmax2d": (),
    "RNN": (*_RECURRENT, "nonlinearity"),
    "GRU": _RECURRENT,
    "LSTM": (*_RECURRENT, "proj_size"),
    "RNNCell": (*_CELL, "nonlinearity"),
    "GRUCell": _CELL,
    "LSTMCell": _CELL,
    "AdaptiveLogSoftmaxWithLoss": ("in_features", "n_classes", "cutoffs", "div_value", "head_bias"),
    "MultiheadAttention": ("embed_dim", "num_heads", "dropout", "bias", "add_bias_kv", "add_zero_attn", "kdim", "vdim"),
    "TransformerEncoderLayer": (
        "d_model",
        "nhead",
        "dim_feedforward",
        "dropout",
        "activation",
        "layer_norm_eps",
        "norm_first",
        "bias",
    ),
}
CELLS = frozenset({"RNNCell", "GRUCell", "LSTMCell"})
UNPOOL_MODULES = frozenset({"MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"})
RECURRENT_MODULES = frozenset({"RNN", "GRU", "LSTM"})
STACKED_MODULES = frozenset({"TransformerEncoder"})  # modules that are written as several nodes
SPATIAL_PARAMETERS = frozenset({"kernel_size", "stride", "padding", "dilation", "output_padding", "output_size"})

# Constructor parameters without effect on the result, or handled where the node is written.
_IGNORED_PARAMETERS = frozenset({"self", "device", "dtype", "inplace", "batch_first", "_weight", "_freeze"})


def _activation(module: Module) -> str:
    """Return the name of a Transformer layer's activation. Raises `UnsupportedOperation`."""
    functional = import_module("torch.nn.functional")
    nn = import_module("torch.nn")
    activation = module.activation
    for name, kind in (("relu", nn.ReLU), ("gelu", nn.GELU)):
        if activation is getattr(functional, name) or type(activation) is kind:
            return name
    raise UnsupportedOperation("the activation of TransformerEncoderLayer must be relu or gelu", "use one of the two")


def _prelu_init(module: Module) -> float:
    """Return the mean of a PReLU's weights as its initial value."""
    return float(module.weight.detach().mean())


def _has_bias(module: Module) -> bool:
    return module.bias is not None or not module.affine


# (kind, field) → how to read it, if the module has no attribute of that name.
PARAMETER_READERS: Mapping[tuple[str, str], Callable[[Module], Any]] = {
    # Newer torch asks for the bias beside `affine`; without `affine` there is none to leave out.
    **{(kind, "bias"): _has_bias for kind in ("GroupNorm", *_NORMS_OF_CHANNELS)},
    ("PReLU", "init"): _prelu_init,
    ("AdaptiveLogSoftmaxWithLoss", "cutoffs"): lambda module: module.cutoffs[:-1],  # torch appends the classes
    ("MultiheadAttention", "bias"): lambda module: module.in_proj_bias is not None,
    ("MultiheadAttention", "add_bias_kv"): lambda module: module.bias_k is not None,
    ("MultiheadAttention", "kdim"): lambda module: None if module.kdim == module.embed_dim else module.kdim,
    ("MultiheadAttention", "vdim"): lambda module: None if module.vdim == module.embed_dim else module.vdim,
    ("TransformerEncoderLayer", "d_model"): lambda module: module.self_attn.embed_dim,
    ("TransformerEncoderLayer", "nhead"): lambda module: module.self_attn.num_heads,
    ("TransformerEncoderLayer", "dim_feedforward"): lambda module: module.linear1.out_features,
    ("TransformerEncoderLayer", "dropout"): lambda module: module.dropout.p,
    ("TransformerEncoderLayer", "activation"): _activation,
    ("TransformerEncoderLayer", "layer_norm_eps"): lambda module: module.norm1.eps,
    ("TransformerEncoderLayer", "bias"): lambda module: module.linear1.bias is not None,
}

# (kind, parameter) → default, where it differs from the constructor's signature.
PARAMETER_DEFAULTS: Mapping[tuple[str, str], Any] = {
    ("RNN", "nonlinearity"): "tanh",
    ("TransformerEncoderLayer", "activation"): "relu",
}


def leaf_types() -> dict[type, str]:
    """Return the module classes that become one node, or a stack of nodes, with their kinds."""
    nn = import_module("torch.nn")
    return {getattr(nn, name): name for name in (*MODULE_PARAMETERS, *STACKED_MODULES)}


def non_default_parameters(module: Module, kind: str) -> dict[str, Any]:
    """Return a module's parameters that differ from their defaults.

    Raises `UnsupportedOperation` for a parameter that the kind does not have.
    """
    parameters: dict[str, Any] = {}
    for name, declared in _constructor_defaults(module, kind).items():
        default = None if declared is Parameter.empty else declared
        value = to_json_value(name, _value(module, kind, name, default))
        same = value == to_json_value(name, default) and declared is not Parameter.empty
        if name in MODULE_PARAMETERS[kind]:
            if not same and not (name == "stride" and value == parameters.get("kernel_size") and default is None):
                parameters[name] = value
        elif not same:
            raise UnsupportedOperation(
                f"{kind} has no {name} in the language, but here it is {value!r}", f"leave {name} out"
            )
    return parameters


def _constructor_defaults(module: Module, kind: str) -> dict[str, Any]:
    """Return the relevant parameters of a module's constructor, with their defaults."""
    nn = import_module("torch.nn")
    constructor = nn.RNNBase if kind in RECURRENT_MODULES else type(module)
    defaults = {
        name: each.default
        for name, each in signature(constructor).parameters.items()
        if name not in _IGNORED_PARAMETERS and each.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    }
    if kind in RECURRENT_MODULES:
        del defaults["mode"]
    return defaults | {name: default for (owner, name), default in PARAMETER_DEFAULTS.items() if owner == kind}


def _value(module: Module, kind: str, name: str, default: Any) -> Any:
    reader = PARAMETER_READERS.get((kind, name))
    if reader is not None:
        return reader(module)
    value = getattr(module, name, default)
    if isinstance(default, bool) and not isinstance(value, bool):  # an optional tensor
        return value is not None
    return value


def to_json_value(name: str, value: Any) -> Any:
    """Return a value for JSON: tuples as lists, equal sizes of all spatial dimensions as one number."""
    if not isinstance(value, tuple | list):
        return value
    if (name in SPATIAL_PARAMETERS and len(set(value)) == 1) or (name == "normalized_shape" and len(value) == 1):
        return value[0]
    return [to_json_value("", item) for item in value]
