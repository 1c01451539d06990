"""Losses and distances as nodes."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from app.spec.base import Count, Finite, Positive
from app.spec.kinds import Kind, KindTable
from app.spec.network.fields import Dim
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
