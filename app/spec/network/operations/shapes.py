"""Operations that join, reorder, repeat, pad or resize. In `reshape`, 0 keeps a dimension (as ONNX has it)."""

from typing import Annotated, Literal

from pydantic import Field

from app.spec.base import Finite, Positive, Size
from app.spec.kinds import Kind, KindTable
from app.spec.network.fields import MAX_INPUTS, Dim, DimTuple, Index, TensorShape

PadAmount = Annotated[int, Field(strict=True, ge=-(2**20), le=2**20)]
NewShape = Annotated[tuple[Annotated[int, Field(strict=True, ge=-1, le=2**31 - 1)], ...], Field(max_length=16)]
RepeatCounts = Annotated[tuple[Size, ...], Field(min_length=1, max_length=16)]

SHAPES: KindTable = {
    "cat": Kind("Joins tensors along a dimension.", {"dim": (Dim, 1)}, (2, MAX_INPUTS), "(N, a), (N, b) → (N, a + b)"),
    "stack": Kind(
        "Joins tensors along a new dimension.", {"dim": (Dim, 1)}, (2, MAX_INPUTS), "(N, F), k times, → (N, k, F)"
    ),
    "reshape": Kind(
        "Gives the tensor another shape: -1 is inferred, 0 keeps the dimension.",
        {"shape": NewShape},
        shapes="* → shape",
        example={"shape": [0, -1]},
    ),
    "flatten": Kind(
        "Joins the dimensions from `start_dim` to `end_dim`.",
        {"start_dim": (Dim, 1), "end_dim": (Dim, -1)},
        shapes="(N, *) → (N, F)",
    ),
    "permute": Kind(
        "Reorders all dimensions.", {"dims": tuple[Dim, ...]}, shapes="* → reordered", example={"dims": [0, 2, 1]}
    ),
    "transpose": Kind(
        "Swaps two dimensions.", {"dim0": Dim, "dim1": Dim}, shapes="* → swapped", example={"dim0": 1, "dim1": 2}
    ),
    "squeeze": Kind("Drops a dimension of size one.", {"dim": Dim}, shapes="(N, 1, *) → (N, *)", example={"dim": 1}),
    "unsqueeze": Kind("Adds a dimension of size one.", {"dim": Dim}, shapes="(N, *) → (N, 1, *)", example={"dim": 1}),
    "select": Kind(
        "One slice along a dimension.",
        {"dim": Dim, "index": Index},
        shapes="(N, L, *) → (N, *)",
        example={"dim": 1, "index": 0},
    ),
    "narrow": Kind(
        "A range of a dimension.",
        {"dim": Dim, "start": Index, "length": Size},
        shapes="(N, L, *) → (N, length, *)",
        example={"dim": 1, "start": 0, "length": 2},
    ),
    "expand": Kind(
        "Repeats dimensions of size one: -1 keeps a dimension.",
        {"size": NewShape},
        shapes="(N, 1) → size",
        example={"size": [-1, 4, 6]},
    ),
    "tile": Kind(
        "Repeats the tensor along its last dimensions.",
        {"dims": RepeatCounts},
        shapes="(*, n) → (*, n d)",
        example={"dims": [2]},
    ),
    "repeat_interleave": Kind(
        "Repeats every item of a dimension.",
        {"repeats": Size, "dim": Dim},
        shapes="(N, L, *) → (N, L r, *)",
        example={"repeats": 2, "dim": 1},
    ),
    "roll": Kind(
        "Rotates a dimension: items past the end come first.",
        {"shifts": Index, "dims": Dim},
        shapes="* → *",
        example={"shifts": 1, "dims": 1},
    ),
    "flip": Kind("Reverses dimensions.", {"dims": DimTuple}, shapes="* → *", example={"dims": [1]}),
    "movedim": Kind(
        "Moves a dimension to another place.",
        {"source": Dim, "destination": Dim},
        shapes="* → moved",
        example={"source": 1, "destination": 2},
    ),
    "windows": Kind(
        "Every window along a dimension; its values come last.",
        {"dimension": Dim, "size": Size, "step": Size},
        shapes="(N, L, *) → (N, windows, *, size)",
        example={"dimension": 1, "size": 2, "step": 1},
    ),
    "pad": Kind(
        "Pads, from the last dimension on: two numbers for each.",
        {
            "pad": Annotated[tuple[PadAmount, ...], Field(min_length=2, max_length=16)],
            "mode": (Literal["constant", "reflect", "replicate", "circular"], "constant"),
            "value": (Finite | None, None),
        },
        shapes="* → larger",
        example={"pad": [1, 1]},
    ),
    "interpolate": Kind(
        "Resizes sequences, images or volumes.",
        {
            "size": (Size | TensorShape | None, None),
            "scale_factor": (Positive | None, None),
            "mode": (
                Literal["nearest", "linear", "bilinear", "bicubic", "trilinear", "area", "nearest-exact"],
                "nearest",
            ),
        },
        shapes="(N, C, *) → (N, C, size)",
        example={"size": 12},
    ),
}
