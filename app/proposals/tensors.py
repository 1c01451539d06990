"""Columns of tensors, as uploads of NPZ, safetensors and IDX have them: what they are follows from their shapes."""

from app.proposals.draft import Draft
from app.proposals.images import add_image_branch
from app.proposals.sequences import EMBEDDING_WIDTH, add_series_branch
from app.spec.data.columns import Column


def is_vector(column: Column) -> bool:
    """Return whether a tensor is a number or a row of numbers for each example, as a table is."""
    return column.type == "tensor" and len(column.shape) <= 1 and not _is_coded(column)


def _is_coded(column: Column) -> bool:
    """Return whether integers are codes of something, such as tokens."""
    return column.dtype.startswith("int") and bool(column.classes) and not column.ragged


def read_vector(draft: Draft, column: Column) -> str:
    """Add the feature of a row of numbers, and return its tensor (N, k)."""
    if not column.dtype.startswith("float"):
        read = _read_whole_numbers(draft, column)
    else:
        read = draft.add_feature(column.name, {"kind": "tensor", "column": column.name, "scale": "standard"})
        draft.explain(f"/data/features/{read}", "Each number of a row is standardised by the training rows.")
    return read if column.shape else draft.add_node("column", "unsqueeze", [read], dim=1)


def _read_whole_numbers(draft: Draft, column: Column) -> str:
    """Add integers as quantities, scaled as a whole by what the data set says of them: integers are stored unscaled."""
    name = draft.add_feature(column.name, {"kind": "tensor", "column": column.name, "scale": "none"})
    draft.explain(f"/data/features/{name}", "Whole numbers are read as they are stored, and scaled by the network.")
    statistics = column.statistics or {}
    floats = draft.add_node("floats", "to", [name], dtype="float32")
    mean = draft.add_node("mean", "Constant", None, value=float(statistics.get("mean") or 0.0))
    deviation = draft.add_node("deviation", "Constant", None, value=float(statistics.get("std") or 1.0))
    centered = draft.add_node("centered", "sub", [floats, mean])
    detail = f'the whole numbers of "{column.name}" are taken as quantities, of which 2 is more than 1'
    draft.warn("guessed_quantities", detail, "for codes, such as tokens, read them by an Embedding in /model/nodes", "")
    return draft.add_node("scaled", "div", [centered, deviation])


def add_tensor_branch(draft: Draft, column: Column) -> str:
    """Add a column of tensors that are no rows of numbers, and return the node of its row (N, k)."""
    if _is_coded(column):
        return _add_codes(draft, column)
    if len(column.shape) == 3:
        return add_image_branch(draft, column)
    if len(column.shape) == 2:
        return add_series_branch(draft, column)
    name = draft.add_feature(column.name, {"kind": "tensor", "column": column.name, "scale": "standard"})
    draft.explain(f"/data/features/{name}", f"Arrays {list(column.shape)} are read as rows of numbers, standardised.")
    return draft.add_node("flat", "Flatten", [name])


def _add_codes(draft: Draft, column: Column) -> str:
    name = draft.add_feature(column.name, {"kind": "tensor", "column": column.name})
    draft.explain(f"/data/features/{name}", "Whole numbers are read as they are stored.")
    codes = draft.add_node("codes", "Embedding", [name], num_embeddings=column.classes, embedding_dim=EMBEDDING_WIDTH)
    draft.explain_node(codes, f"Whole numbers below {column.classes} are codes: a vector is learned for each.")
    return codes if not column.shape else draft.add_node("flat", "Flatten", [codes])
