"""Linear layers, embeddings, and layers that only change the shape."""

from typing import Literal

from app.spec.base import Count, Finite, Positive, Size
from app.spec.kinds import Kind, KindTable
from app.spec.network.fields import INFERRED_SIZE, Dim

_LOOKUP = {"max_norm": (Positive | None, None), "norm_type": (Finite, 2.0), "scale_grad_by_freq": (bool, False)}

LINEAR: KindTable = {
    "Identity": Kind("Returns its input."),
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
        "Looks up a vector for every integer. With `max_norm` those that are read are shortened to it.",
        {"num_embeddings": INFERRED_SIZE, "embedding_dim": Size, "padding_idx": (Count | None, None), **_LOOKUP},
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
            **_LOOKUP,
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
