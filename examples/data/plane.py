"""A plane with noise: nothing but linear regression, the one data set that is made up.

Eight measurements that go along with each other, on scales of their own, and a sum of them with noise: 2,000 rows, of
which the least squares are known in closed form.
"""

from pathlib import Path

import numpy as np

ROWS, FEATURES = 2000, 8


def write(_cache: Path, folder: Path) -> dict[str, int]:
    """Write plane.csv; returns how many rows it has."""
    draw = np.random.Generator(np.random.PCG64(0))
    mixed = draw.normal(size=(ROWS, FEATURES)) @ draw.normal(size=(FEATURES, FEATURES))
    x = 10.0 ** draw.integers(-1, 3, FEATURES) * (mixed + draw.normal(size=FEATURES))
    y = x / x.std(0) @ draw.normal(size=FEATURES) + 5 + draw.normal(size=ROWS)
    names = ",".join([*(f"x{place}" for place in range(FEATURES)), "y"])
    np.savetxt(folder / "plane.csv", np.column_stack([x, y]), "%.6g", ",", header=names, comments="", encoding="utf-8")
    return {"plane.csv": ROWS}
