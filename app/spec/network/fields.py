"""Types of the fields of nodes that kinds of several families have."""

from typing import Annotated, Any

from pydantic import Field

from app.spec.base import Size

MAX_INPUTS = 1024  # inputs of a node

Dim = Annotated[int, Field(strict=True, ge=-64, le=64)]
DimTuple = Annotated[tuple[Dim, ...], Field(min_length=1, max_length=64)]
Dims = Dim | DimTuple
# A node's id, or one of its outputs: "scan.state".
NodeRef = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}(\.[A-Za-z_][A-Za-z0-9_]{0,63})?$")]
OPTIONAL_REF = (NodeRef | None, None)
Index = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1)]
TensorShape = Annotated[tuple[Size, ...], Field(max_length=16)]

INFERRED_SIZE = (Size | None, None)  # a size that follows from the data
SPATIAL_SHAPES = {1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}


def per_dimension(dimensions: int, item: Any) -> Any:
    """Return the type of one number for every spatial dimension, or one each."""
    return item | Annotated[tuple[(item,) * dimensions], Field()]  # type: ignore[misc]
