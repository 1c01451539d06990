"""Recurrent networks, attention and Transformers.

Masks are inputs of their own, to which the fields of torch's names refer: bool, true where attention is not allowed, or
float, added to the scores. A mask of attention is (L, S), (N, L, S) or (N, heads, L, S), one of padding (N, S).
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from app.spec.base import Count, Positive, Probability, Size, validation_error
from app.spec.kinds import Kind, KindTable
from app.spec.network.fields import INFERRED_SIZE, OPTIONAL_REF

LayerCount = Annotated[int, Field(strict=True, ge=1, le=256)]


def _batch_first(value: bool) -> bool:
    if not value:
        detail = "sequences are (N, L, F) here: the batch is always the first dimension"
        raise validation_error(
            "not_supported",
            detail,
            'leave batch_first out; before an input (L, N, F) insert {"kind": "transpose", "dim0": 0, "dim1": 1}',
        )
    return value


BATCH_FIRST: Any = (Annotated[bool, AfterValidator(_batch_first)], True)


def _recurrent(name: str, states: tuple[str, ...] = ("h_0",), **extra: Any) -> Kind:
    fields = {
        "input_size": INFERRED_SIZE,
        "hidden_size": Size,
        "num_layers": (LayerCount, 1),
        "bias": (bool, True),
        "dropout": (Probability, 0.0),
        "bidirectional": (bool, False),
        "batch_first": BATCH_FIRST,
        **extra,
        "returns": (Literal["sequence", "last", "state"], "sequence"),
        "return_states": (bool, False),
        **dict.fromkeys(states, OPTIONAL_REF),
    }
    sentence = (
        f"A {name} over a sequence. `returns` chooses all outputs, the last output, or the last layer's final "
        f"hidden state; a second input holds the lengths of the sequences. {' and '.join(states)} (N, layers x "
        "directions, H) name the first states, zero by default; with `return_states` the final ones are outputs."
    )
    shapes = "(N, L, F) [, lengths (N)] → (N, L, H) or (N, H)"
    return Kind(
        sentence,
        fields,
        (1, 2),
        shapes,
        {"hidden_size": 16, "returns": "last"},
        ("output", *(state.replace("_0", "_n") for state in states)),
        "return_states",
        states,
    )


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


_LAYER: dict[str, Any] = {
    "d_model": INFERRED_SIZE,
    "nhead": Size,
    "dim_feedforward": (Size, 2048),
    "dropout": (Probability, 0.1),
    "activation": (Literal["relu", "gelu"], "relu"),
    "layer_norm_eps": (Positive, 1e-5),
    "norm_first": (bool, False),
    "bias": (bool, True),
    "batch_first": BATCH_FIRST,
    "is_causal": (bool, False),
}
_ENCODER_MASKS = ("src_mask", "src_key_padding_mask")
_DECODER_MASKS = ("tgt_mask", "memory_mask", "tgt_key_padding_mask", "memory_key_padding_mask")
_ENCODES = "a second input holds the lengths of the sequences. With `is_causal` later steps are masked."
_DECODES = "a third input holds the lengths of the second. With `is_causal` later steps of the first are masked."


def _encoder(sentence: str, masks: tuple[str, ...] = _ENCODER_MASKS, **fields: Any) -> Kind:
    return Kind(
        f"{sentence}; {_ENCODES}",
        {**_LAYER, **fields, **dict.fromkeys(masks, OPTIONAL_REF)},
        (1, 2),
        "(N, L, E) [, lengths (N)] → (N, L, E)",
        {"nhead": 2, "dim_feedforward": 32, **({"num_layers": 2} if fields else {})},
        references=masks,
    )


def _decoder(sentence: str, **fields: Any) -> Kind:
    return Kind(
        f"{sentence}; {_DECODES}",
        {**_LAYER, **fields, **dict.fromkeys(_DECODER_MASKS, OPTIONAL_REF)},
        (2, 3),
        "(N, L, E), (N, S, E) [, lengths (N)] → (N, L, E)",
        {"nhead": 2, "dim_feedforward": 32, **({"num_layers": 2} if fields else {})},
        references=_DECODER_MASKS,
    )


_STACK: dict[str, Any] = {"num_layers": LayerCount, "norm": (bool, False)}
_TRANSFORMER_MASKS = (
    "src_mask",
    "tgt_mask",
    "memory_mask",
    "src_key_padding_mask",
    "tgt_key_padding_mask",
    "memory_key_padding_mask",
)

SEQUENCES: KindTable = {
    "RNN": _recurrent("simple recurrent net", nonlinearity=(Literal["tanh", "relu"], "tanh")),
    "GRU": _recurrent("gated recurrent unit"),
    "LSTM": _recurrent("long short-term memory", ("h_0", "c_0"), proj_size=(Count, 0)),
    "RNNCell": _cell("simple recurrent net", "h", nonlinearity=(Literal["tanh", "relu"], "tanh")),
    "GRUCell": _cell("gated recurrent unit", "h"),
    "LSTMCell": _cell("long short-term memory", "h, c"),
    "MultiheadAttention": Kind(
        "Attention with several heads: one input attends to itself; three are query, key and value; a fourth holds the "
        "lengths of the keys. With `is_causal` later steps are masked; with `need_weights` the weights are an output "
        "too: (N, L, S), or (N, heads, L, S) without `average_attn_weights`.",
        {
            "embed_dim": INFERRED_SIZE,
            "num_heads": Size,
            "dropout": (Probability, 0.0),
            "bias": (bool, True),
            "add_bias_kv": (bool, False),
            "add_zero_attn": (bool, False),
            "kdim": (Size | None, None),
            "vdim": (Size | None, None),
            "batch_first": BATCH_FIRST,
            "is_causal": (bool, False),
            "need_weights": (bool, False),
            "average_attn_weights": (bool, True),
            "key_padding_mask": OPTIONAL_REF,
            "attn_mask": OPTIONAL_REF,
        },
        (1, 4),
        "(N, L, E) [, (N, S, E), (N, S, E) [, lengths (N)]] → (N, L, E)",
        {"num_heads": 2},
        ("output", "weights"),
        "need_weights",
        ("key_padding_mask", "attn_mask"),
    ),
    "TransformerEncoderLayer": _encoder("Self-attention and a feed-forward part, with residuals and normalisation"),
    "TransformerDecoderLayer": _decoder(
        "Self-attention, attention to the second input (the encoder's output), and a feed-forward part"
    ),
    "TransformerEncoder": _encoder(
        "A stack of encoder layers, with a normalisation behind it if `norm`",
        ("mask", "src_key_padding_mask"),
        **_STACK,
    ),
    "TransformerDecoder": _decoder("A stack of decoder layers, with a normalisation behind it if `norm`", **_STACK),
    "Transformer": Kind(
        "An encoder of the first input, and a decoder of the second that attends to it, each with a normalisation "
        "behind it (Vaswani et al. 2017); a third input holds the lengths of the first. With `is_causal` later steps "
        "of the second are masked.",
        {
            **_LAYER,
            "nhead": (Size, 8),
            "num_encoder_layers": (LayerCount, 6),
            "num_decoder_layers": (LayerCount, 6),
            **dict.fromkeys(_TRANSFORMER_MASKS, OPTIONAL_REF),
        },
        (2, 3),
        "(N, S, E), (N, L, E) [, lengths (N)] → (N, L, E)",
        {"nhead": 2, "num_encoder_layers": 1, "num_decoder_layers": 1, "dim_feedforward": 32},
        references=_TRANSFORMER_MASKS,
    ),
}
