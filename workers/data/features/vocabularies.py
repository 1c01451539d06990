"""What became of the texts of a job: the size of each vocabulary, and how many tokens are unknown and texts cut."""

from collections.abc import Iterator
from typing import Any

from workers.data.columns import RaggedTensor
from workers.data.features.tokenizers import UNK_ID
from workers.data.loading.examples import ExampleSet, TrainingData


def vocabulary_reports(data: TrainingData) -> Iterator[dict[str, Any]]:
    """Yield a report on each feature of text that the network reads."""
    for name, feature in data.preparation.text_preprocessors().items():
        parts = {"train": data.train, "validation": data.validation}
        shares = {part: _unknown_and_cut_fractions(rows, name) for part, rows in parts.items()}
        if shares["train"] is not None:
            yield {"feature": name, "tokens": feature.tokenizer.get_vocab_size(), **shares}


def _unknown_and_cut_fractions(rows: ExampleSet | None, name: str) -> dict[str, float] | None:
    column = rows.inputs.get(name) if rows is not None else None
    if not isinstance(column, RaggedTensor):
        return None
    unknown = (column.values == UNK_ID).double().mean()
    return {"unknown": float(unknown), "cut": column.truncated_count / len(column)}
