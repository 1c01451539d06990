"""Passengers of airlines by month, 1949 to 1960, in thousands: a table in order of time.

Box and Jenkins (1970), Time Series Analysis, series G; of PyPI's aeon (BSD).
"""

import csv
import io
from pathlib import Path

from examples.data.packages import download_wheel, find_member

FILE = "aeon/datasets/data/Airline/Airline.csv"


def write(cache: Path, folder: Path) -> dict[str, int]:
    """Write airline.csv; returns how many months it has."""
    table = find_member(download_wheel("aeon", "1.6.0", cache), FILE).decode()
    months = [(row["Date"], row["Passengers"]) for row in csv.DictReader(io.StringIO(table, newline=""))]
    with (folder / "airline.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("month", "passengers"))
        writer.writerows(months)
    return {"airline.csv": len(months)}
