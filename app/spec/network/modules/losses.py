"""Losses and distances as nodes."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from app.spec.base import Count, Finite, Positive, Size, validation_error
from app.spec.kinds import Kind, KindTable
from app.spec.network.fields import INFERRED_SIZE, Dim
from app.spec.training.losses import TORCH_LOSSES

_REDUCTION: Any = (Literal["none", "mean", "sum"], "mean")
_WEIGHTS = (Finite | Annotated[tuple[Finite, ...], Field(min_length=1, max_length=65_536)] | None, None)
# Kind → weights of classes or elements that it takes as a node.
LOSS_WEIGHTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("CrossEntropyLoss", "NLLLoss", "BCELoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss"), ("weight",)
    ),
    "BCEWithLogitsLoss": ("weight", "pos_weight"),
}


def _ascending(cutoffs: tuple[int, ...]) -> tuple[int, ...]:
    if list(cutoffs) != sorted(set(cutoffs)):
        raise validation_error("invalid_value", "cutoffs are ascending class numbers", "sort them, each once")
    return cutoffs


_CUTOFFS = Annotated[tuple[Size, ...], Field(min_length=1, max_length=64), AfterValidator(_ascending)]


def _distance(sentence: str, **fields: Any) -> Kind:
    return Kind(sentence, fields, (2, 2), "(N, *), (N, *) → without the last or `dim`")


def _loss(sentence: str, count: int = 2, **fields: Any) -> Kind:
    """A loss inside the network; `reduction` "none" keeps one for each element or example."""
    given = {**fields, "reduction": _REDUCTION}
    return Kind(sentence, given, (count, count), ", ".join(["(N, *)"] * count) + " → one number, or (N, *)")


def _known_loss(kind: str, **extra: Any) -> Kind:
    row = TORCH_LOSSES[kind]
    extra = dict.fromkeys(LOSS_WEIGHTS.get(kind, ()), _WEIGHTS) | extra
    fields = {name: field for name, field in row.fields.items() if name not in ("weight", "pos_weight", "reduction")}
    return _loss(row.sentence + " As a node: output, then target.", **fields, **extra)


LOSSES: KindTable = {
    **{kind: _known_loss(kind) for kind in TORCH_LOSSES if kind != "KLDivLoss"},
    "PoissonNLLLoss": _known_loss("PoissonNLLLoss", eps=(Positive, 1e-8)),
    "KLDivLoss": Kind(
        "The Kullback-Leibler divergence from log-probabilities. As a node: output, then target.",
        {"reduction": (Literal["none", "batchmean", "mean", "sum"], "mean"), "log_target": (bool, False)},
        (2, 2),
        "(N, *), (N, *) → one number, or (N, *)",
        {"reduction": "batchmean"},
    ),
    "GaussianNLLLoss": _loss(
        "Numbers with a variance: the predicted mean, the target, and the variance (N, *) or (N, 1).",
        3,
        full=(bool, False),
        eps=(Positive, 1e-6),
    ),
    "CTCLoss": Kind(
        "Connectionist temporal classification (Graves et al. 2006): log-probabilities (N, T, C), class numbers "
        "(N, S), and the lengths of both (N).",
        {"blank": (Count, 0), "reduction": _REDUCTION, "zero_infinity": (bool, False)},
        (4, 4),
        "(N, T, C), (N, S), (N), (N) → one number, or (N)",
        {"zero_infinity": True},
    ),
    "AdaptiveLogSoftmaxWithLoss": Kind(
        "Classification among many classes, of which the first are the most frequent (Grave et al. 2017): features, "
        "then class numbers. The first of `cutoffs` many classes have a layer of their own; those between two cutoffs "
        "share a projection that is `div_value` times narrower from one to the next. The outputs are the "
        "log-probability of each target, and `loss`, minus their mean; with `return_log_prob` also `log_prob` "
        "(N, n_classes), which does not depend on the targets.",
        {
            "in_features": INFERRED_SIZE,
            "n_classes": Size,
            "cutoffs": _CUTOFFS,
            "div_value": (Positive, 4.0),
            "head_bias": (bool, False),
            "return_log_prob": (bool, False),
        },
        (2, 2),
        "(N, F), class numbers (N) → (N)",
        {"n_classes": 10, "cutoffs": [2], "div_value": 2.0},
        ("output", "loss", "log_prob"),
        optional_outputs={"log_prob": "return_log_prob"},
        output_inputs={"log_prob": 1},
    ),
    "HingeEmbeddingLoss": _loss("Distances and targets -1 or 1.", margin=(Finite, 1.0)),
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
