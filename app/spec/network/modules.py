"""The module kinds: `torch.nn` layers that are pure functions of tensors, with torch's own parameter names.

Sizes that follow from the data may be left out (`None`): the workers infer them from a sample.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.spec.base import Count, Finite, NonNegative, Positive, Probability, Size
from app.spec.kinds import Kind, KindTable
from app.spec.network.convolutions import CONVOLUTIONS, INFERRED_SIZE, SPATIAL_SHAPES, Dim
from app.spec.training.losses import TORCH_LOSSES

LayerCount = Annotated[int, Field(strict=True, ge=1, le=256)]


def _batch_norm(d: int) -> Kind:
    fields = {
        "num_features": INFERRED_SIZE,
        "eps": (Positive, 1e-5),
        "momentum": (Probability | None, 0.1),
        "affine": (bool, True),
        "track_running_stats": (bool, True),
    }
    shapes = "(N, C) or (N, C, L)" if d == 1 else SPATIAL_SHAPES[d]
    return Kind("Normalises every channel over the batch.", fields, shapes=f"{shapes} → the same")


def _instance_norm(d: int) -> Kind:
    fields = {
        "num_features": INFERRED_SIZE,
        "eps": (Positive, 1e-5),
        "momentum": (Probability, 0.1),
        "affine": (bool, False),
        "track_running_stats": (bool, False),
    }
    return Kind("Normalises every channel of every example.", fields, shapes=f"{SPATIAL_SHAPES[d]} → the same")


def _dropout(sentence: str, shapes: str = "(N, *) → (N, *)") -> Kind:
    return Kind(sentence, {"p": (Probability, 0.5)}, shapes=shapes)


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


def _distance(sentence: str, **fields: Any) -> Kind:
    return Kind(sentence, fields, (2, 2), "(N, *), (N, *) → without the last or `dim`")


def _loss(sentence: str, count: int = 2, **fields: Any) -> Kind:
    """A loss inside the network; `reduction` "none" keeps one for each element or example."""
    given = {**fields, "reduction": (Literal["none", "mean", "sum"], "mean")}
    return Kind(sentence, given, (count, count), ", ".join(["(N, *)"] * count) + " → one number, or (N, *)")


def _known_loss(kind: str, **extra: Any) -> Kind:
    row = TORCH_LOSSES[kind]
    fields = {name: field for name, field in row.fields.items() if name not in ("weight", "pos_weight", "reduction")}
    return _loss(row.sentence + " As a node: output, then target.", **fields, **extra)


def _shape_preserving(sentence: str, **fields: Any) -> Kind:
    return Kind(sentence, fields)


_LINEAR: KindTable = {
    "Identity": _shape_preserving("Returns its input."),
    "Linear": Kind(
        "y = x Wᵀ + b over the last dimension.",
        {"in_features": INFERRED_SIZE, "out_features": Size, "bias": (bool, True)},
        shapes="(N, *, in) → (N, *, out)",
        example={"out_features": 10},
    ),
    "Bilinear": Kind(
        "y = x₁ᵀ W x₂ + b.",
        {"in1_features": INFERRED_SIZE, "in2_features": INFERRED_SIZE, "out_features": Size, "bias": (bool, True)},
        (2, 2),
        "(N, a), (N, b) → (N, out)",
        {"out_features": 10},
    ),
    "Embedding": Kind(
        "Looks up a vector for every integer.",
        {"num_embeddings": INFERRED_SIZE, "embedding_dim": Size, "padding_idx": (Count | None, None)},
        shapes="integers (N, *) → (N, *, D)",
        example={"num_embeddings": 20, "embedding_dim": 8},
    ),
    "EmbeddingBag": Kind(
        "Looks up a vector for every integer, and takes the mean, sum or largest value.",
        {
            "num_embeddings": INFERRED_SIZE,
            "embedding_dim": Size,
            "mode": (Literal["sum", "mean", "max"], "mean"),
            "padding_idx": (Count | None, None),
        },
        shapes="integers (N, L) → (N, D)",
        example={"num_embeddings": 20, "embedding_dim": 8},
    ),
    "Training": Kind("One bool: true while training, false in evaluation.", {}, (0, 0), "→ ()"),
    "Flatten": Kind(
        "Joins the dimensions from `start_dim` to `end_dim`.",
        {"start_dim": (Dim, 1), "end_dim": (Dim, -1)},
        shapes="(N, *) → (N, F)",
    ),
    "Unflatten": Kind(
        "Splits one dimension into several.",
        {"dim": Dim, "unflattened_size": tuple[Size, ...]},
        shapes="(N, F) → (N, *)",
        example={"dim": 1, "unflattened_size": [2, 4]},
    ),
}

_NORMALISATION: KindTable = {
    **{f"BatchNorm{d}d": _batch_norm(d) for d in (1, 2, 3)},
    **{f"InstanceNorm{d}d": _instance_norm(d) for d in (1, 2, 3)},
    "LayerNorm": _shape_preserving(
        "Normalises over the last dimensions.",
        normalized_shape=(Size | tuple[Size, ...] | None, None),
        eps=(Positive, 1e-5),
        elementwise_affine=(bool, True),
        bias=(bool, True),
    ),
    "RMSNorm": _shape_preserving(
        "Divides by the root mean square over the last dimensions.",
        normalized_shape=(Size | tuple[Size, ...] | None, None),
        eps=(Positive | None, None),
        elementwise_affine=(bool, True),
    ),
    "GroupNorm": Kind(
        "Normalises groups of channels.",
        {"num_groups": Size, "num_channels": INFERRED_SIZE, "eps": (Positive, 1e-5), "affine": (bool, True)},
        shapes="(N, C, *) → (N, C, *)",
        example={"num_groups": 2},
    ),
    "LocalResponseNorm": Kind(
        "Normalises over neighbouring channels.",
        {"size": Size, "alpha": (Positive, 1e-4), "beta": (Positive, 0.75), "k": (Positive, 1.0)},
        example={"size": 2},
    ),
    "Dropout": _dropout("Zeroes values at random while training."),
    "Dropout1d": _dropout("Zeroes channels at random while training.", "(N, C, L) → the same"),
    "Dropout2d": _dropout("Zeroes channels at random while training.", "(N, C, H, W) → the same"),
    "Dropout3d": _dropout("Zeroes channels at random while training.", "(N, C, D, H, W) → the same"),
    "AlphaDropout": _dropout("Dropout that keeps mean and variance (for SELU)."),
    "FeatureAlphaDropout": _dropout("Alpha dropout of whole channels.", "(N, C, *) → the same"),
    "VariationalDropout": _dropout(
        "Gal and Ghahramani (2016): the same values of each step are zeroed, over a whole sequence.",
        "(N, L, F) → the same",
    ),
}

_ACTIVATION: KindTable = {
    "ReLU": _shape_preserving("max(0, x)."),
    "ReLU6": _shape_preserving("min(max(0, x), 6)."),
    "LeakyReLU": _shape_preserving("x, or a small multiple of it below zero.", negative_slope=(NonNegative, 0.01)),
    "PReLU": _shape_preserving(
        "x, or a learned multiple of it below zero.", num_parameters=(Size, 1), init=(Finite, 0.25)
    ),
    "ELU": _shape_preserving("x, or alpha (eˣ - 1) below zero.", alpha=(Finite, 1.0)),
    "SELU": _shape_preserving("The self-normalising ELU."),
    "CELU": _shape_preserving("The continuously differentiable ELU.", alpha=(Positive, 1.0)),
    "GELU": _shape_preserving("x Φ(x).", approximate=(Literal["none", "tanh"], "none")),
    "SiLU": _shape_preserving("x sigmoid(x)."),
    "Mish": _shape_preserving("x tanh(softplus(x))."),
    "Sigmoid": _shape_preserving("1 / (1 + e⁻ˣ)."),
    "Tanh": _shape_preserving("The hyperbolic tangent."),
    "Softplus": _shape_preserving("log(1 + e^(beta x)) / beta.", beta=(Positive, 1.0), threshold=(Positive, 20.0)),
    "Softsign": _shape_preserving("x / (1 + |x|)."),
    "Softmax": _shape_preserving("Exponentials that sum to one along `dim`.", dim=(Dim, -1)),
    "Softmin": _shape_preserving("The softmax of -x along `dim`.", dim=(Dim, -1)),
    "LogSoftmax": _shape_preserving("The logarithm of the softmax along `dim`.", dim=(Dim, -1)),
    "LogSigmoid": _shape_preserving("The logarithm of the sigmoid."),
    "Hardtanh": _shape_preserving("x clipped to an interval.", min_val=(Finite, -1.0), max_val=(Finite, 1.0)),
    "Hardsigmoid": _shape_preserving("A piecewise linear sigmoid."),
    "Hardswish": _shape_preserving("x times the hard sigmoid."),
    "Tanhshrink": _shape_preserving("x - tanh(x)."),
    "Softshrink": _shape_preserving("x moved towards zero by `lambd`.", lambd=(NonNegative, 0.5)),
    "Hardshrink": _shape_preserving("x, or zero where |x| is small.", lambd=(NonNegative, 0.5)),
    "Threshold": Kind(
        "x, or `value` where x is below `threshold`.",
        {"threshold": Finite, "value": Finite},
        example={"threshold": 0.1, "value": 0.0},
    ),
    "RReLU": _shape_preserving(
        "x, or a multiple of it below zero, which is random while training.",
        lower=(NonNegative, 1 / 8),
        upper=(NonNegative, 1 / 3),
    ),
    "Softmax2d": Kind(
        "Exponentials of the channels that sum to one at every pixel.", shapes=f"{SPATIAL_SHAPES[2]} → the same"
    ),
    "GLU": Kind(
        "The first half times the sigmoid of the second half.", {"dim": (Dim, -1)}, shapes="(N, *, 2F) → (N, *, F)"
    ),
}

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

_SEQUENCE: KindTable = {
    "RNN": _recurrent("simple recurrent net", nonlinearity=(Literal["tanh", "relu"], "tanh")),
    "GRU": _recurrent("gated recurrent unit"),
    "LSTM": _recurrent("long short-term memory"),
    "RNNCell": _cell("simple recurrent net", "h", nonlinearity=(Literal["tanh", "relu"], "tanh")),
    "GRUCell": _cell("gated recurrent unit", "h"),
    "LSTMCell": _cell("long short-term memory", "h, c"),
    "MultiheadAttention": Kind(
        "Attention with several heads: one input attends to itself; three are query, key and value; a fourth holds the "
        "lengths of the keys. With `is_causal` nothing behind one's own place is seen.",
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
        "the sequences. With `is_causal` nothing behind one's own place is seen.",
        _TRANSFORMER,
        (1, 2),
        "(N, L, E) [, lengths (N)] → (N, L, E)",
        {"nhead": 2, "dim_feedforward": 32},
    ),
    "TransformerDecoderLayer": Kind(
        "Self-attention, attention to the second input (the encoder's output), and a feed-forward part; a third input "
        "holds the lengths of the second. With `is_causal` nothing behind one's own place in the first is seen.",
        _TRANSFORMER,
        (2, 3),
        "(N, L, E), (N, S, E) [, lengths (N)] → (N, L, E)",
        {"nhead": 2, "dim_feedforward": 32},
    ),
}

_MARGIN = (Finite, 1.0)
_LOSS: KindTable = {
    **{kind: _known_loss(kind) for kind in TORCH_LOSSES if kind != "KLDivLoss"},
    "PoissonNLLLoss": _known_loss("PoissonNLLLoss", eps=(Positive, 1e-8)),
    "KLDivLoss": Kind(
        "The Kullback-Leibler divergence from log-probabilities. As a node: output, then target.",
        {"reduction": (Literal["none", "batchmean", "mean", "sum"], "mean"), "log_target": (bool, False)},
        (2, 2),
        "(N, *), (N, *) → one number, or (N, *)",
        {"reduction": "batchmean"},
    ),
    "HingeEmbeddingLoss": _loss("Distances and targets -1 or 1.", margin=_MARGIN),
    "MultiLabelMarginLoss": _loss(
        "Several classes at once: scores (N, C), and class numbers (N, C) up to the first -1."
    ),
    "CosineEmbeddingLoss": _loss("Two vectors, and 1 for alike or -1 for unlike (N).", 3, margin=(Finite, 0.0)),
    "MarginRankingLoss": _loss("Two scores, and 1 or -1 for which is to be higher.", 3, margin=(Finite, 0.0)),
    "TripletMarginLoss": _loss(
        "An anchor, one like it, and one unlike it.",
        3,
        margin=(Positive, 1.0),
        p=(Positive, 2.0),
        eps=(Positive, 1e-6),
        swap=(bool, False),
    ),
    "CosineSimilarity": _distance("The cosine of the angle between two vectors.", dim=(Dim, 1), eps=(Positive, 1e-8)),
    "PairwiseDistance": _distance(
        "The norm of the difference of two vectors.", p=(Positive, 2.0), eps=(Positive, 1e-6), keepdim=(bool, False)
    ),
}

MODULES: KindTable = {**_LINEAR, **CONVOLUTIONS, **_NORMALISATION, **_ACTIVATION, **_SEQUENCE, **_LOSS}
