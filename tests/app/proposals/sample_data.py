"""Small files of every kind of data, each with something to learn in it."""

import io
import json
import random
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image

from app.spec.data.columns import DataSchema
from app.spec.data.sources import UploadSource
from workers.children.describe import describe
from workers.data.files.content import Upload

ROWS = 60
WORDS = ("a", "film", "of", "some", "length", "and", "weight")


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def csv_text(header: str, rows: list[str]) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def table(draw: random.Random) -> bytes:
    rows = []
    for _ in range(ROWS):
        size, kind = draw.gauss(50, 10), draw.choice(("oak", "elm", "ash"))
        cells = (f"{size:.2f}", "" if draw.random() < 0.1 else f"{draw.random():.3f}", kind, f"{2 * size:.1f}")
        rows.append(",".join(cells))
    return csv_text("size,share,kind,price", rows)


def dates(draw: random.Random) -> bytes:
    rows = [f"2026-{draw.randint(1, 12):02}-{draw.randint(1, 28):02},{draw.gauss(0, 1):.3f}" for _ in range(ROWS)]
    return csv_text("day,n,kind", [f"{row},{'hot' if '-07-' <= row[4:8] <= '-09-' else 'cold'}" for row in rows])


def odd_names(draw: random.Random) -> bytes:
    rows = [f"{draw.random():.3f},{draw.random():.3f},{draw.choice(('да', 'нет'))}" for _ in range(ROWS)]
    return csv_text("рост (см),x,x length", rows)


def target_called_x(draw: random.Random) -> bytes:
    return csv_text("a,x", [f"{value:.3f},{3 * value:.3f}" for value in (draw.gauss(0, 1) for _ in range(ROWS))])


def texts(draw: random.Random) -> bytes:
    rows = [{"text": " ".join([*draw.choices(WORDS, k=9), w]), "label": w} for w in ("fine", "dull") * (ROWS // 2)]
    return jsonl(rows)


def mixed(draw: random.Random) -> bytes:
    return jsonl(
        [
            {
                "note": " ".join(draw.choices(WORDS, k=12)),
                "more": " ".join(draw.choices(WORDS, k=11)),
                "size": draw.random(),
                "town": draw.choice(("Ulm", "Bonn")),
                "steps": [draw.random() for _ in range(draw.randint(2, 6))],
                "y": draw.gauss(0, 1),
            }
            for _ in range(ROWS)
        ]
    )


def tags(draw: random.Random) -> bytes:
    lines = []
    for _ in range(ROWS):
        for _ in range(draw.randint(2, 6)):
            word = draw.choice((*WORDS, "Ann", "Bob"))
            lines.append(f"{word}\t{'B-PER' if word[0].isupper() else 'O'}")
        lines.append("")
    return "\n".join(lines).encode()


def labels(draw: random.Random) -> bytes:
    kinds = [draw.sample(("red", "blue", "green"), draw.randint(1, 2)) for _ in range(ROWS)]
    return jsonl([{"text": " ".join([*draw.choices(WORDS, k=6), *kind]), "kinds": kind} for kind in kinds])


def series(draw: random.Random) -> bytes:
    rows = []
    for row in range(ROWS):
        steps = [[draw.gauss(row % 2, 0.1), draw.random()] for _ in range(draw.randint(3, 9))]
        rows.append({"course": steps, "label": ("low", "high")[row % 2]})
    return jsonl(rows)


def numbers_over_time(draw: random.Random) -> bytes:
    return jsonl([{"course": [draw.random() for _ in range(5 + row % 3)], "y": row / 7} for row in range(ROWS)])


def trees(draw: random.Random) -> bytes:
    def tree(depth: int) -> dict[str, Any]:
        children = [tree(depth - 1) for _ in range(draw.randint(0, 2))] if depth else []
        return {"label": draw.choice("abc"), "children": children}

    rows = [tree(3) for _ in range(ROWS)]
    return jsonl([{"tree": each, "label": "leaf" if not each["children"] else "inner"} for each in rows])


def pictures(draw: random.Random, size: Callable[[], int]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(ROWS):
            picture = io.BytesIO()
            kind, side = ("dark", "light")[number % 2], size()
            pixels = np.full((side, side, 3), 40 + 150 * (number % 2) + draw.randint(0, 20), np.uint8)
            Image.fromarray(pixels).save(picture, "PNG")
            archive.writestr(f"{kind}/{number}.png", picture.getvalue())
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def arrays(shape: tuple[int, ...], dtype: str, target: str) -> Callable[[random.Random], bytes]:
    def write(draw: random.Random) -> bytes:
        made = np.random.default_rng(0)
        values = (
            made.integers(0, 12, (ROWS, *shape))
            if dtype.startswith(("int", "uint"))
            else made.normal(size=(ROWS, *shape))
        )
        targets = {
            "classes": np.arange(ROWS) % 3,
            "numbers": made.normal(size=ROWS).astype(np.float32),
            "several numbers": made.normal(size=(ROWS, 2)).astype(np.float32),
        }
        return npz(x=values.astype(dtype), y=targets[target])

    return write


class Sample:
    """A file, and what is asked of it."""

    def __init__(self, write: Callable[[random.Random], bytes], file: str, task: str, **request: Any) -> None:
        self.write, self.file, self.task, self.request = write, file, task, request


SAMPLES: Mapping[str, Sample] = {
    "a table, numbers": Sample(table, "t.csv", "numbers", target="price"),
    "a table, classes": Sample(table, "t.csv", "classes", target="kind"),
    "dates": Sample(dates, "t.csv", "classes", target="kind"),
    "odd names": Sample(odd_names, "t.csv", "classes", target="x length"),
    "a target called x": Sample(target_called_x, "t.csv", "numbers", target="x"),
    "texts": Sample(texts, "t.jsonl", "classes", target="label"),
    "mixed": Sample(mixed, "t.jsonl", "numbers", target="y"),
    "mixed, another loss": Sample(mixed, "t.jsonl", "numbers", target="y", loss="L1Loss"),
    "tags": Sample(tags, "t.conll", "tags"),
    "labels": Sample(labels, "t.jsonl", "labels", target="kinds"),
    "series": Sample(series, "t.jsonl", "classes", target="label"),
    "numbers over time": Sample(numbers_over_time, "t.jsonl", "numbers", target="y"),
    "trees": Sample(trees, "t.jsonl", "classes", target="label"),
    "pictures of one size": Sample(lambda draw: pictures(draw, lambda: 20), "t.zip", "classes"),
    "pictures of many sizes": Sample(lambda draw: pictures(draw, lambda: draw.randint(20, 40)), "t.zip", "classes"),
    "small arrays": Sample(arrays((1, 8, 8), "float32", "classes"), "t.npz", "classes", target="y"),
    "arrays of bytes": Sample(arrays((3, 16, 16), "uint8", "classes"), "t.npz", "classes", target="y"),
    "rows of numbers": Sample(arrays((5,), "float32", "numbers"), "t.npz", "numbers", target="y"),
    "two numbers": Sample(arrays((5,), "float64", "several numbers"), "t.npz", "numbers", target="y"),
    "steps of numbers": Sample(arrays((9, 3), "float32", "classes"), "t.npz", "classes", target="y"),
    "volumes": Sample(arrays((1, 4, 4, 4), "float32", "classes"), "t.npz", "classes", target="y"),
    "codes": Sample(arrays((6,), "int64", "classes"), "t.npz", "classes", target="y"),
}


def read_schema(content: bytes, folder: Any, file: str, **source: Any) -> DataSchema:
    """Return what the service sees in a file."""
    path = folder / "content"
    path.write_bytes(content)
    response = describe(Upload(path, UploadSource(kind="upload", file=file, **source)))
    assert response.schema is not None, response.problems
    return response.schema
