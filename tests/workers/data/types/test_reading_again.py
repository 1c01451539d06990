"""What a description says of a column is what training reads: the stored schema gives the same values again."""

import random
from pathlib import Path

import pytest
import torch

from app.errors import InvalidInput
from app.spec.data.sources import UploadSource
from workers.data.files.content import Upload
from workers.data.formats.catalog import read_upload

CELLS = (
    *("5", "5.0", "5.", ".5", "007", "7", "-1", "+1", "-0", "1e2", "100", "1E400", "inf", "nan", "NA", "", "0x10"),
    *(
        "true",
        "TRUE",
        "false",
        "\u0665",
        "\u0661\u0662",
        "½",
        "1,5",
        "12 kg",
        "12kg",
        "3 kg",
        "x",
        "1_000",
        " 5",
        "5 ",
        "9007199254740993",
    ),
)


def random_cells(drawn: random.Random) -> list[str]:
    """Return a column of a few different cells, or of numbers with some others among them."""
    base = drawn.sample(CELLS, drawn.choice([1, 2, 3, 5]))
    cells = [
        drawn.choice(base) if drawn.random() < 0.97 else drawn.choice(CELLS) for _ in range(drawn.choice([3, 150]))
    ]
    if drawn.random() < 0.5:
        return cells
    return [str(drawn.randrange(60)) if drawn.random() < 0.9 else cell for cell in cells]


@pytest.mark.parametrize("start", range(0, 300, 50))
def test_a_column_is_read_alike_by_its_stored_schema(tmp_path: Path, start: int) -> None:
    compared = 0
    for seed in range(start, start + 50):
        drawn = random.Random(seed)
        cells = random_cells(drawn)
        rows = "".join(f'"{cell}",{row % 2}\n' for row, cell in enumerate(cells))
        path = tmp_path / str(seed)
        path.write_text("a,y\n" + rows)
        source = UploadSource(kind="upload", file="t.csv", on_bad=drawn.choice(["refuse", "missing"]))
        try:
            first = read_upload(Upload(path, source))
        except InvalidInput:
            continue
        again = read_upload(Upload(path, source, known_schema=first.schema()))
        values, others = first.splits["train"]["a"], again.splits["train"]["a"]
        if isinstance(values, torch.Tensor):
            assert isinstance(others, torch.Tensor)
            assert torch.equal(values.isnan(), others.isnan()), cells
            assert torch.equal(values.nan_to_num(), others.nan_to_num()), cells
        else:
            assert values == others, cells
        compared += 1
    assert compared > 10
