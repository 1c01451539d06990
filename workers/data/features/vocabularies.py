"""What became of the texts of a job: the size of each vocabulary, and how many tokens are unknown and texts cut."""

from collections.abc import Iterator
from typing import Any

from workers.data.columns import Ragged
from workers.data.features.tokenizers import UNKNOWN
from workers.data.loading.tensors import Rows, Tensors


def vocabularies(data: Tensors) -> Iterator[dict[str, Any]]:
    """Yield a report on each feature of text that the network reads."""
    for name, feature in data.preparation.texts().items():
        parts = {"train": data.train, "validation": data.validation}
        shares = {part: _shares(rows, name) for part, rows in parts.items()}
        if shares["train"] is not None:
            yield {"feature": name, "tokens": feature.tokenizer.get_vocab_size(), **shares}


def _shares(rows: Rows | None, name: str) -> dict[str, float] | None:
    column = rows.inputs.get(name) if rows is not None else None
    if not isinstance(column, Ragged):
        return None
    unknown = (column.values == UNKNOWN).double().mean()
    return {"unknown": float(unknown), "cut": column.cut / len(column)}
