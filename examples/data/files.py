"""The files, written and read: a table, sentences of tagged tokens, lines of JSON. UTF-8, with plain newlines."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from examples.data.split import Example


def write_splits(
    folder: Path, ending: str, write: Callable[[Path, Iterable[Any]], int], parts: Iterable[Iterable[Any]]
) -> dict[str, int]:
    """Write the two parts of a split as train.ENDING and test.ENDING; returns how many rows each has."""
    named = {f"{name}.{ending}": part for name, part in zip(("train", "test"), parts, strict=True)}
    return {name: write(folder / name, part) for name, part in named.items()}


def write_csv(path: Path, examples: Iterable[Example]) -> int:
    """Write texts and their labels below the line `text,label`; returns how many."""
    rows = [(each.content, each.label) for each in examples]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("text", "label"))
        writer.writerows(rows)
    return len(rows)


def write_conll(path: Path, examples: Iterable[Example]) -> int:
    """Write a line `token TAB tag` for each token and an empty one after each sentence; returns how many sentences."""
    sentences = [
        "".join(f"{token}\t{tag}\n" for token, tag in zip(each.content, each.label, strict=True)) for each in examples
    ]
    path.write_text("".join(f"{sentence}\n" for sentence in sentences), encoding="utf-8", newline="\n")
    return len(sentences)


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write an object a line; returns how many."""
    lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    return len(lines)


def read_csv(path: Path) -> tuple[list[str], list[str]]:
    """Return the texts and the labels of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    return [text for text, _ in rows], [label for _, label in rows]


def read_conll(path: Path) -> list[tuple[list[str], list[str]]]:
    """Return the tokens and the tags of each sentence."""
    found = []
    for sentence in path.read_text(encoding="utf-8").split("\n\n"):
        if lines := [line.split("\t") for line in sentence.split("\n") if line]:
            found.append(([token for token, _ in lines], [tag for _, tag in lines]))
    return found


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Return the objects, a line each."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]
