"""Pretrained word vectors as text, such as GloVe: a word and its numbers in every line."""

from array import array
from collections.abc import Container

import numpy as np
import torch
from torch import Tensor

from app.spec.data.columns import Column
from workers.data.files.content import Content, Upload
from workers.data.files.problems import ProblemCollector, WarningCollector, abbreviate, line_problem, refuse
from workers.data.files.split_files import split_files

VECTORS_SPLIT = "vectors"  # not "train": nothing is trained on them
MAX_DIMENSION = 10_000
LINE_HINT = "a word, and as many numbers in every line"


def read_vectors(upload: Upload) -> Content:
    """Read all vectors. Raises `InvalidInput`."""
    words, values = read_word_vectors(upload)
    longest = max(map(len, words), default=0)
    columns = (Column(name="word", type="text", longest=longest), Column(name="vector", shape=(values.shape[1],)))
    return Content(columns, {VECTORS_SPLIT: {"word": words, "vector": values}}, ())


def read_word_vectors(upload: Upload, vocabulary: Container[str] | None = None) -> tuple[list[str], Tensor]:
    """Return words, each once, and their vectors, float32 (N, width); only those of `vocabulary`, if it is given.

    Raises `InvalidInput`.
    """
    (part, *more) = split_files(upload)
    if more:
        refuse("unknown_file", "vectors have no splits", "upload one file")
    words: list[str] = []
    numbers, unique, problems = array("f"), set[str](), ProblemCollector()
    width = 0
    for number, line in enumerate(part.read_text(WarningCollector()), start=1):
        cells = line.rstrip().split(" ") if "\t" not in line else line.split()
        if number == 1 and len(cells) == 2 and all(cell.isdigit() for cell in cells):
            continue  # word2vec writes the count and the width first
        if not line.strip():
            continue
        width = width or len(cells) - 1
        word = " ".join(cells[:-width]) if width else ""
        if not 1 <= width <= MAX_DIMENSION or not word:
            detail = f"has {len(cells) - 1:,} numbers, the first line has {width:,}"
            problems.add(line_problem(part.name, number, "columns_differ", detail, LINE_HINT))
            continue
        if word in unique or (vocabulary is not None and word not in vocabulary):
            continue
        try:
            numbers.extend(map(float, cells[-width:]))
        except ValueError:
            detail = f'expected {width:,} numbers, got "{abbreviate(" ".join(cells[-width:]))}"'
            problems.add(line_problem(part.name, number, "not_a_number", detail, LINE_HINT))
            del numbers[len(words) * width :]
            continue
        unique.add(word)
        words.append(word)
    problems.raise_if_any()
    if not words and vocabulary is None:
        refuse("no_rows", "there are no vectors", "a word and its numbers in every line")
    values = torch.from_numpy(np.array(numbers, np.float32).reshape(len(words), width))
    if not bool(values.isfinite().all()):
        row = int((~values.isfinite().all(1)).nonzero()[0])
        refuse("not_a_number", f'the vector of "{abbreviate(words[row])}" has a number that is not finite')
    return words, values
