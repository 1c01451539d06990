"""Entities counted by hand, and by a plain reading of the rules token by token."""

import random
from collections import Counter

import pytest
import torch
from torch import Tensor

from workers.training.metrics.entity_spans import SpanCounts, TagScheme
from workers.training.metrics.metrics import span_scores

LABELS = ("B-LOC", "B-PER", "I-LOC", "I-PER", "O")
Entity = tuple[int, int, int, str]  # list, first token, last token, type


def encode_tags(lists: list[str]) -> Tensor:
    """Return lists of tags, written with spaces, as classes (N, L) padded with -100."""
    rows = [[LABELS.index(tag) for tag in line.split()] for line in lists]
    longest = max(map(len, rows))
    return torch.tensor([row + [-100] * (longest - len(row)) for row in rows])


def count(predicted: list[str], true: list[str]) -> SpanCounts:
    truth = encode_tags(true)
    found = torch.where(truth == -100, truth, encode_tags(predicted))
    return TagScheme.from_labels(LABELS).count([(found, truth)], -100)


def count_by_type(spans: SpanCounts) -> dict[str, tuple[int, int, int]]:
    """Return (predicted, true, right) by type."""
    columns = (spans.predicted.tolist(), spans.true.tolist(), spans.right.tolist())
    return dict(zip(spans.types, zip(*columns, strict=True), strict=True))


# What is predicted, what is true, and (predicted, true, right) of LOC and of PER.
CASES = {
    "all right": ("B-PER I-PER O B-LOC", "B-PER I-PER O B-LOC", (1, 1, 1), (1, 1, 1)),
    "too short": ("B-PER O O B-LOC", "B-PER I-PER O B-LOC", (1, 1, 1), (1, 1, 0)),
    "too long": ("B-PER I-PER I-PER B-LOC", "B-PER I-PER O B-LOC", (1, 1, 1), (1, 1, 0)),
    "another type": ("B-LOC I-LOC O B-LOC", "B-PER I-PER O B-LOC", (2, 1, 1), (0, 1, 0)),
    "two for one": ("B-PER B-PER O O", "B-PER I-PER O O", (0, 0, 0), (2, 1, 0)),
    "one for two": ("B-PER I-PER O O", "B-PER B-PER O O", (0, 0, 0), (1, 2, 0)),
    "begins with I-": ("I-PER I-PER O B-LOC", "B-PER I-PER O B-LOC", (1, 1, 1), (0, 1, 0)),
    "goes on as another": ("B-PER I-LOC O O", "B-PER O O O", (0, 0, 0), (1, 1, 1)),
    "to the end": ("O O B-LOC I-LOC", "O O B-LOC I-LOC", (1, 1, 1), (0, 0, 0)),
    "nothing found": ("O O O O", "O B-PER O B-LOC", (0, 1, 0), (0, 1, 0)),
    "nothing there": ("O B-PER O O", "O O O O", (0, 0, 0), (1, 0, 0)),
    # IOB1: B- begins an entity only right after one of the same type
    "IOB1": ("I-PER I-PER O I-LOC", "I-PER I-PER O I-LOC", (1, 1, 1), (1, 1, 1)),
    "IOB1, side by side": ("I-PER B-PER O I-LOC", "I-PER B-PER O I-LOC", (1, 1, 1), (2, 2, 2)),
    "IOB1, unlike side by side": ("I-PER I-LOC O O", "I-PER I-LOC O O", (1, 1, 1), (1, 1, 1)),
    "IOB1, B- without need": ("B-PER I-PER O I-LOC", "I-PER I-PER O I-LOC", (1, 1, 1), (0, 1, 0)),
}


@pytest.mark.parametrize("name", CASES)
def test_by_hand(name: str) -> None:
    predicted, true, place, person = CASES[name]
    assert count_by_type(count([predicted], [true])) == {"LOC": place, "PER": person}


def test_entities_end_with_their_list() -> None:
    lists = ["O B-PER", "I-PER I-PER", "B-LOC"]
    assert count_by_type(count(lists, ["O B-PER", "O O", "B-LOC"])) == {"LOC": (1, 1, 1), "PER": (1, 1, 1)}


def test_what_is_ignored_is_left_out() -> None:
    true = torch.tensor([[1, -100, 3, 4], [-100, 4, 1, 3]])  # as where words are cut into pieces
    found = torch.tensor([[1, -100, 3, 4], [-100, 4, 1, 4]])
    assert count_by_type(TagScheme.from_labels(LABELS).count([(found, true)], -100)) == {
        "LOC": (0, 0, 0),
        "PER": (2, 2, 1),
    }


def test_a_slip_in_the_truth_does_not_change_the_form() -> None:
    true = ["B-PER I-PER O", "B-PER I-PER O", "I-PER O O"]  # two to one: entities begin with B-
    assert count_by_type(count(true, true)) == {"LOC": (0, 0, 0), "PER": (2, 2, 2)}


def test_tags_without_a_type() -> None:
    tags = torch.tensor([[0, 1, 2, 0]])
    spans = TagScheme.from_labels(("B", "I", "O")).count([(tags, tags)], -100)
    assert count_by_type(spans) == {"": (2, 2, 2)}


def test_the_metrics_are_over_all_types() -> None:
    spans = count(["B-PER O B-LOC B-LOC"], ["B-PER I-PER O B-LOC"])  # three found, two there, one right
    assert span_scores(spans) == {"span_precision": 1 / 3, "span_recall": 1 / 2, "span_f1": 2 / 5}
    nothing = count(["O O"], ["O O"])
    assert span_scores(nothing)["span_f1"] != span_scores(nothing)["span_f1"]


def reference_entities(lists: list[list[str]], begins: bool) -> set[Entity]:
    """Read lists token by token, as the rules say."""
    found: set[Entity] = set()
    for number, tags in enumerate(lists):
        start: int | None = None
        for place, tag in enumerate([*tags, "O"]):
            before = tags[place - 1] if place else "O"
            part, kind = tag[0], tag[2:]
            same = before != "O" and before[2:] == kind
            if start is not None and not (part == "I" and same):
                found.add((number, start, place - 1, tags[start][2:]))
                start = None
            if start is None and part != "O":
                goes_on = part == "I" and same  # of something that is no entity
                allowed = part == "B" if begins else (part == "I" and not goes_on) or (part == "B" and same)
                start = place if allowed else None
    return found


@pytest.mark.parametrize("form", ["IOB2", "IOB1"])
@pytest.mark.parametrize("seed", range(20))
def test_token_by_token(seed: int, form: str) -> None:
    drawn = random.Random(seed)
    true, predicted = [], []
    for _ in range(12):
        tags: list[str] = []
        while len(tags) < drawn.randint(1, 9):
            kind = drawn.choice(("PER", "LOC", "O"))
            if kind == "O":
                tags.append("O")
                continue
            beside = bool(tags) and tags[-1][2:] == kind
            first = "B" if form == "IOB2" or beside else "I"
            tags += [f"{first}-{kind}"] + [f"I-{kind}"] * drawn.randint(0, 2)
        true.append(tags)
        predicted.append([drawn.choice(LABELS) if drawn.random() < 0.3 else tag for tag in tags])
    one, two = reference_entities(predicted, form == "IOB2"), reference_entities(true, form == "IOB2")
    found = count_by_type(count([" ".join(tags) for tags in predicted], [" ".join(tags) for tags in true]))
    parts = [Counter(entity[3] for entity in part) for part in (one, two, one & two)]
    assert found == {kind: tuple(part[kind] for part in parts) for kind in ("LOC", "PER")}
