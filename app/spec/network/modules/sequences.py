"""Recurrent networks, attention and Transformer layers."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.spec.base import Positive, Probability, Size
from app.spec.kinds import Kind, KindTable
from app.spec.network.fields import INFERRED_SIZE

LayerCount = Annotated[int, Field(strict=True, ge=1, le=256)]


def _recurrent(name: str, **extra: Any) -> Kind:
    fields = {
        "input_size": INFERRED_SIZE,
        "hidden_size": Size,
        "num_layers": (LayerCount, 1),
        "bias": (bool, True),
        "dropout": (Probability, 0.0),
        "bidirectional": (bool, False),
        "returns": (Literal["sequence", "last", "state"], "sequence"),
        **extra,
    }
    sentence = (
        f"A {name} over a sequence. `returns` chooses all outputs, the last output, or the last layer's final "
        "hidden state; a second input holds the lengths of the sequences."
    )
    shapes = "(N, L, F) [, lengths (N)] → (N, L, H) or (N, H)"
    return Kind(sentence, fields, (1, 2), shapes, {"hidden_size": 16, "returns": "last"})


def _cell(name: str, states: str, **extra: Any) -> Kind:
    fields = {"input_size": INFERRED_SIZE, "hidden_size": Size, "bias": (bool, True), **extra}
    count, outputs = (3, ("h", "c")) if states == "h, c" else (2, ())
    return Kind(
        f"One step of a {name}: from x and the state to the new state.",
        fields,
        (count, count),
        f"x (N, F), {states} (N, H) → {states}",
        {"hidden_size": 6},
        outputs,
    )


_TRANSFORMER: dict[str, Any] = {
    "d_model": INFERRED_SIZE,
    "nhead": Size,
    "dim_feedforward": (Size, 2048),
    "dropout": (Probability, 0.1),
    "activation": (Literal["relu", "gelu"], "relu"),
    "layer_norm_eps": (Positive, 1e-5),
    "norm_first": (bool, False),
    "bias": (bool, True),
    "is_causal": (bool, False),
}

SEQUENCES: KindTable = {
    "RNN": _recurrent("simple recurrent net", nonlinearity=(Literal["tanh", "relu"], "tanh")),
    "GRU": _recurrent("gated recurrent unit"),
    "LSTM": _recurrent("long short-term memory"),
    "RNNCell": _cell("simple recurrent net", "h", nonlinearity=(Literal["tanh", "relu"], "tanh")),
    "GRUCell": _cell("gated recurrent unit", "h"),
    "LSTMCell": _cell("long short-term memory", "h, c"),
    "MultiheadAttention": Kind(
        "Attention with several heads: one input attends to itself; three are query, key and value; a fourth holds the "
        "lengths of the keys. With `is_causal` later steps are masked.",
        {
            "embed_dim": INFERRED_SIZE,
            "num_heads": Size,
            "dropout": (Probability, 0.0),
            "bias": (bool, True),
            "is_causal": (bool, False),
        },
        (1, 4),
        "(N, L, E) [, (N, S, E), (N, S, E) [, lengths (N)]] → (N, L, E)",
        {"num_heads": 2},
    ),
    "TransformerEncoderLayer": Kind(
        "Self-attention and a feed-forward part, with residuals and normalisation; a second input holds the lengths of "
        "the sequences. With `is_causal` later steps are masked.",
        _TRANSFORMER,
        (1, 2),
        "(N, L, E) [, lengths (N)] → (N, L, E)",
        {"nhead": 2, "dim_feedforward": 32},
    ),
    "TransformerDecoderLayer": Kind(
        "Self-attention, attention to the second input (the encoder's output), and a feed-forward part; a third input "
        "holds the lengths of the second. With `is_causal` later steps of the first are masked.",
        _TRANSFORMER,
        (2, 3),
        "(N, L, E), (N, S, E) [, lengths (N)] → (N, L, E)",
        {"nhead": 2, "dim_feedforward": 32},
    ),
}
