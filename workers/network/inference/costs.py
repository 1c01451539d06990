"""Costs of a node: the elements of its main weights, and floating point operations per batch."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import prod

from workers.network.blueprint import Parameters, Shape
from workers.network.inference.input_checks import to_tuple

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def _kernel(kind: str, parameters: Parameters) -> int:
    return prod(to_tuple(parameters["kernel_size"], int(kind[-2])))


def _convolution(kind: str, parameters: Parameters) -> int:
    channels: int = parameters["in_channels"] * parameters["out_channels"] // parameters["groups"]
    return channels * _kernel(kind, parameters)


def _recurrent(kind: str, parameters: Parameters) -> int:
    hidden, directions = parameters["hidden_size"], 1 + parameters["bidirectional"]
    projected, layers = parameters.get("proj_size", 0), parameters["num_layers"]
    output = projected or hidden
    deeper = (layers - 1) * (directions * output + output)
    total: int = GATES[kind] * hidden * directions * (parameters["input_size"] + output + deeper)
    total += directions * layers * projected * hidden
    return total


def _projections(kind: str, parameters: Parameters) -> int:
    if kind == "MultiheadAttention":
        width: int = parameters["embed_dim"]
        sources: int = (parameters.get("kdim") or width) + (parameters.get("vdim") or width)
        return width * (2 * width + sources)
    return _encoder_layer(parameters)


def _encoder_layer(parameters: Parameters) -> int:
    width = parameters["d_model"]
    total: int = 4 * width * width + 2 * width * parameters["dim_feedforward"]
    return total


def _layers(kind: str, parameters: Parameters) -> int:
    """Return the elements of the matrices of Transformer layers; those of a decoder attend twice."""
    decoders: int = parameters.get("num_decoder_layers", parameters.get("num_layers", 1) if "Decoder" in kind else 0)
    encoders: int = parameters.get("num_encoder_layers", 0 if "Decoder" in kind else parameters.get("num_layers", 1))
    twice: int = decoders * 4 * parameters["d_model"] ** 2
    return (encoders + decoders) * _encoder_layer(parameters) + twice


def _adaptive_softmax(_kind: str, parameters: Parameters) -> int:
    width, bounds = parameters["in_features"], (*parameters["cutoffs"], parameters["n_classes"])
    total: int = width * (bounds[0] + len(bounds) - 1)
    for place, (first, last) in enumerate(pairwise(bounds), start=1):
        total += int(width // parameters["div_value"] ** place) * (width + last - first)
    return total


def _product(*fields: str) -> Callable[[str, Parameters], int]:
    return lambda _kind, parameters: prod(parameters[field] for field in fields)


def _shape(field: str) -> Callable[[str, Parameters], int]:
    return lambda _kind, parameters: prod(to_tuple(parameters[field], 1))


# Kind → elements of its main weights: a Python integer, since absurd sizes must not overflow or be allocated.
WEIGHT_COUNTS: Mapping[str, Callable[[str, Parameters], int]] = {
    "Linear": _product("in_features", "out_features"),
    "Bilinear": _product("in1_features", "in2_features", "out_features"),
    "AdaptiveLogSoftmaxWithLoss": _adaptive_softmax,
    "Embedding": _product("num_embeddings", "embedding_dim"),
    **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), _convolution),
    **dict.fromkeys(("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"), _convolution),
    **dict.fromkeys(GATES, _recurrent),
    **dict.fromkeys(("MultiheadAttention", "TransformerEncoderLayer"), _projections),
    **dict.fromkeys(("TransformerDecoderLayer", "TransformerEncoder", "TransformerDecoder", "Transformer"), _layers),
    **dict.fromkeys(("LayerNorm", "RMSNorm"), _shape("normalized_shape")),
    **dict.fromkeys(("Parameter", "Buffer"), _shape("shape")),
}


def count_weights(kind: str, parameters: Parameters) -> int:
    """Return the elements of the main weights of a node with complete parameters."""
    return WEIGHT_COUNTS[kind](kind, parameters) if kind in WEIGHT_COUNTS else 0


def _positions(shape: Shape) -> int:
    return prod(shape) // shape[-1]


def _attention(kind: str, parameters: Parameters, inputs: Sequence[Shape]) -> int:
    """Return the operations of the projections at every position, and of scores and averages of all pairs."""
    examples, length, width = inputs[0]
    return 2 * examples * length * _projections(kind, parameters) + 4 * examples * length * length * width


# Kind → multiplications and additions for all examples, from complete parameters, input shapes and output shape.
_Flops = Callable[[str, Parameters, Sequence[Shape], Shape], int]
FLOP_COUNTS: Mapping[str, _Flops] = {
    "Linear": lambda kind, p, ins, out: 2 * _positions(ins[0]) * count_weights(kind, p),
    "AdaptiveLogSoftmaxWithLoss": lambda kind, p, ins, out: 2 * ins[0][0] * count_weights(kind, p),
    "Bilinear": lambda kind, p, ins, out: 2 * _positions(ins[0]) * count_weights(kind, p),
    **dict.fromkeys(
        ("Conv1d", "Conv2d", "Conv3d"), lambda kind, p, ins, out: 2 * out[0] * prod(out[2:]) * count_weights(kind, p)
    ),
    **dict.fromkeys(
        ("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"),
        lambda kind, p, ins, out: 2 * ins[0][0] * prod(ins[0][2:]) * count_weights(kind, p),
    ),
    **dict.fromkeys(GATES, lambda kind, p, ins, out: 2 * _positions(ins[0]) * count_weights(kind, p)),
    **dict.fromkeys(
        ("MultiheadAttention", "TransformerEncoderLayer"), lambda kind, p, ins, out: _attention(kind, p, ins)
    ),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), lambda kind, p, ins, out: 2 * prod(out) * prod(ins[1][1:])),
    **dict.fromkeys(("matmul", "bmm", "linear"), lambda kind, p, ins, out: 2 * prod(out) * ins[0][-1]),
    **dict.fromkeys(
        ("RNNCell", "GRUCell", "LSTMCell"),
        lambda kind, p, ins, out: 2 * prod(out) * GATES[kind[:-4]] * (p["input_size"] + p["hidden_size"]),
    ),
    **dict.fromkeys(("Parameter", "Buffer", "Constant"), lambda kind, p, ins, out: 0),
}


def flops(kind: str, parameters: Parameters, inputs: Sequence[Shape], output: Shape) -> int:
    """Return the floating point operations for all examples, by default one per element of the output."""
    return FLOP_COUNTS[kind](kind, parameters, inputs, output) if kind in FLOP_COUNTS else prod(output)
