"""How the tensors of a new node start, so that it computes its input, or zero."""

from collections.abc import Callable, Mapping

from app.spec.edits.operations import Initialisation
from workers.network.blueprint import Parameters
from workers.surgery.tensor_map import Fill

TRANSPOSED_CONVOLUTIONS = frozenset(f"ConvTranspose{d}d" for d in (1, 2, 3))
CONVOLUTIONS = frozenset(f"Conv{d}d" for d in (1, 2, 3)) | TRANSPOSED_CONVOLUTIONS
STATISTICAL_NORMS = frozenset(f"{family}Norm{d}d" for d in (1, 2, 3) for family in ("Batch", "Instance"))
_PLAIN: Mapping[str, Fill] = {"weight": "identity", "bias": "zero"}
_WEIGHT: Mapping[str, Fill] = {"weight": "identity"}
_BRANCHES: Mapping[str, Fill] = {
    f"{part}.{tensor}": "zero"
    for part in ("self_attn.out_proj", "multihead_attn.out_proj", "linear2")
    for tensor in ("weight", "bias")
}

# Kind → the tensors that make a node compute its input; the others are as torch initialises them.
IDENTITY_FILLS: Mapping[str, Mapping[str, Fill]] = {
    "Linear": _PLAIN,
    **dict.fromkeys(CONVOLUTIONS, _PLAIN),
    **dict.fromkeys(STATISTICAL_NORMS, _WEIGHT),
    "PReLU": {"weight": "one"},
    **dict.fromkeys(("TransformerEncoderLayer", "TransformerDecoderLayer"), _BRANCHES),  # the sum is its input alone
}


def _last_layer(parameters: Parameters) -> tuple[str, ...]:
    """Return the beginnings of the names of a recurrent module's last layer; zeros in all of them would never learn."""
    last = parameters["num_layers"] - 1
    return tuple(f"{tensor}_l{last}" for tensor in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))


def _affine(*names: str) -> Callable[[Parameters], tuple[str, ...]]:
    """Return the weights of a normalisation, if it has any."""
    switches = ("affine", "elementwise_affine")
    return lambda parameters: names if any(parameters.get(switch) for switch in switches) else ()


def _last_norm(name: str) -> Callable[[Parameters], tuple[str, ...]]:
    return lambda parameters: () if parameters["norm_first"] else (f"{name}.weight", f"{name}.bias")


def _fixed(*names: str) -> Callable[[Parameters], tuple[str, ...]]:
    return lambda parameters: names


# Kind → the beginnings of the names of the tensors that are zero in a node that computes zero; none if it cannot.
ZERO_TENSORS: Mapping[str, Callable[[Parameters], tuple[str, ...]]] = {
    **dict.fromkeys(("Linear", "Bilinear", *CONVOLUTIONS), _fixed("weight", "bias")),
    **dict.fromkeys(("Embedding", "EmbeddingBag"), _fixed("weight")),
    **dict.fromkeys((*STATISTICAL_NORMS, "LayerNorm", "GroupNorm", "RMSNorm"), _affine("weight", "bias")),
    **dict.fromkeys(("RNN", "GRU", "LSTM"), _last_layer),
    "RNNCell": _fixed("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
    "MultiheadAttention": _fixed("out_proj.weight", "out_proj.bias"),
    "TransformerEncoderLayer": _last_norm("norm2"),
    "TransformerDecoderLayer": _last_norm("norm3"),
    "Parameter": _fixed(""),
}


def tensor_fill(init: Initialisation, kind: str, parameters: Parameters, tensor: str) -> Fill:
    """Return how a tensor of a node starts; `tensor` is its name in the node, empty for a leaf's own."""
    if init == "identity":
        return IDENTITY_FILLS.get(kind, {}).get(tensor, "default")
    if init == "zero":
        names = ZERO_TENSORS[kind](parameters) if kind in ZERO_TENSORS else ()
        return "zero" if tensor.startswith(names) else "default"
    return "default"
