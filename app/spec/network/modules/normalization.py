"""Normalisation and dropout."""

from app.spec.base import Positive, Probability, Size
from app.spec.kinds import Kind, KindTable
from app.spec.network.fields import INFERRED_SIZE, SPATIAL_SHAPES
from app.spec.network.modules.fields import shape_preserving


def _batch_norm(d: int) -> Kind:
    fields = {
        "num_features": INFERRED_SIZE,
        "eps": (Positive, 1e-5),
        "momentum": (Probability | None, 0.1),
        "affine": (bool, True),
        "track_running_stats": (bool, True),
        "bias": (bool, True),
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
        "bias": (bool, True),
    }
    return Kind("Normalises every channel of every example.", fields, shapes=f"{SPATIAL_SHAPES[d]} → the same")


def _dropout(sentence: str, shapes: str = "(N, *) → (N, *)") -> Kind:
    return Kind(sentence, {"p": (Probability, 0.5)}, shapes=shapes)


NORMALIZATION: KindTable = {
    **{f"BatchNorm{d}d": _batch_norm(d) for d in (1, 2, 3)},
    **{f"InstanceNorm{d}d": _instance_norm(d) for d in (1, 2, 3)},
    "LayerNorm": shape_preserving(
        "Normalises over the last dimensions.",
        normalized_shape=(Size | tuple[Size, ...] | None, None),
        eps=(Positive, 1e-5),
        elementwise_affine=(bool, True),
        bias=(bool, True),
    ),
    "RMSNorm": shape_preserving(
        "Divides by the root mean square over the last dimensions.",
        normalized_shape=(Size | tuple[Size, ...] | None, None),
        eps=(Positive | None, None),
        elementwise_affine=(bool, True),
    ),
    "GroupNorm": Kind(
        "Normalises groups of channels.",
        {
            "num_groups": Size,
            "num_channels": INFERRED_SIZE,
            "eps": (Positive, 1e-5),
            "affine": (bool, True),
            "bias": (bool, True),
        },
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
