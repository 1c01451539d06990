"""The operation kinds for sequences of variable length, padded to the longest."""

from typing import Literal

from app.spec.kinds import Kind, KindTable

SEQUENCES: KindTable = {
    "length_mask": Kind(
        "The mask of steps of the first input before the end of their sequence.",
        {},
        (2, 2),
        "(N, L, *), lengths (N) → bool (N, L)",
    ),
    "pool_sequence": Kind(
        "The mean, sum, largest values or last item of a sequence; a second input holds the lengths.",
        {"by": (Literal["mean", "sum", "max", "last"], "mean")},
        (1, 2),
        "(N, L, *) [, lengths (N)] → (N, *)",
    ),
    "add_sinusoids": Kind(
        "Adds sines and cosines of the positions (Vaswani et al. 2017).", shapes="(N, L, F) → (N, L, F)"
    ),
}
