"""What the examples reach on real data, trained through the API: ``make accuracy``, or ``ARGS="tweets-gru"`` for some.

Data sets come from packages (see `examples.data`) and are kept in a folder, as are finished runs: what was interrupted
goes on with the next one. Each figure stands beside its gate, and beside what a simpler way reaches on the same split.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import kept, sentence, write
from examples.baselines import BASELINES
from examples.data.__main__ import CACHE, WRITERS
from examples.demo import service
from graftwerk import Client
from graftwerk.specs import on_data, read_spec

EXAMPLES = Path(__file__).parent
FOLDER = Path("~/.cache/graftwerk-accuracy")
LONGEST = 3 * 3600.0  # seconds that a job may take

Baseline = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Gate:
    """An example, its data, and what it must reach."""

    example: str
    measured: str  # series whose final value counts
    bound: Callable[[Baseline], float]
    data: str | None = None  # see `examples.data`
    files: tuple[str, ...] = ()  # that are uploaded; none: they lie in the data root, or are bundled
    vectors: str | None = None  # file of word vectors that is registered beside them
    baseline: str | None = None  # see `examples.baselines`
    shown: tuple[str, ...] = ()  # further series for the table
    at_most: bool = False


def beat(name: str) -> Callable[[Baseline], float]:
    """Return a bound that is the baseline's own figure and an example more: what is as good does not beat it."""
    return lambda baseline: float(baseline[name]) + 1 / int(baseline["test"])


def least(bound: float) -> Callable[[Baseline], float]:
    """Return a bound that stands by itself."""
    return lambda _: bound


def optimum(baseline: Baseline) -> float:
    """Return the least squares of the closed form, and a ten-thousandth more."""
    return float(baseline["mean square"]) * (1 + 1e-4)


TEXTS, LINES = ("train.csv", "test.csv"), ("train.jsonl", "test.jsonl")
GLOVE = "glove.50d.txt"
GATES: tuple[Gate, ...] = (
    Gate("real/least-squares", "train/loss", optimum, baseline="diabetes", at_most=True),
    Gate("real/plane-linear", "train/loss", optimum, "plane", ("plane.csv",), baseline="plane", at_most=True),
    Gate("real/digits-cnn", "val/accuracy", least(0.985), "digits", ("digits.npz",)),
    Gate("real/fashion-mlp", "val/accuracy", least(0.900), "fashion"),
    Gate("real/fashion-small-cnn", "val/accuracy", least(0.925), "fashion"),
    Gate("real/fashion-resnet18", "val/accuracy", least(0.880), "fashion"),
    Gate("real/tweets-gru", "val/accuracy", beat("accuracy"), "tweets", TEXTS, GLOVE, "tweets"),
    Gate("real/tweets-transformer", "val/accuracy", beat("accuracy"), "tweets", TEXTS, GLOVE, "tweets"),
    Gate("real/mails-gru", "val/accuracy", beat("accuracy"), "mails", TEXTS, GLOVE, "mails"),
    Gate("real/mails-transformer", "val/accuracy", beat("accuracy"), "mails", TEXTS, GLOVE, "mails"),
    Gate("real/tags-bilstm", "val/span_f1", beat("span F1"), "tags", LINES, GLOVE, "tags", ("val/accuracy",)),
    Gate("real/tags-crf", "val/span_f1", beat("span F1"), "tags", LINES, GLOVE, "tags", ("val/accuracy",)),
    Gate("real/vowels-gru", "val/accuracy", least(0.97), "vowels", LINES, baseline="vowels"),
    Gate("real/trees-lstm", "val/accuracy", beat("accuracy"), "trees", LINES, baseline="trees"),
)  # fmt: skip


def data(name: str, folder: Path) -> Path:
    """Return where a data set lies, obtained now if it is not there."""
    found = folder / name
    if not found.exists():
        partial = folder / f"{name}.partial"
        partial.mkdir(parents=True, exist_ok=True)
        WRITERS[name](CACHE.expanduser(), partial)
        partial.rename(found)
    return found


def spec(gate: Gate, client: Client, folder: Path) -> dict[str, Any]:
    """Return the example as a job on its registered data."""
    files = [data(gate.data, folder) / file for file in gate.files] if gate.data is not None else []
    dataset = client.datasets.add(*files).id if files else None
    vectors = client.datasets.add(data("vectors", folder) / gate.vectors).id if gate.vectors is not None else None
    return on_data(read_spec(EXAMPLES / f"{gate.example}.json"), dataset, vectors)


def run(gate: Gate, client: Client, folder: Path) -> dict[str, Any]:
    """Train the example and return its figures. Raises `SystemExit` if the job fails."""
    baseline = BASELINES[gate.baseline](data(gate.baseline, folder) if gate.data else folder) if gate.baseline else {}
    began = time.monotonic()
    job = client.jobs.create(spec(gate, client, folder)).wait(LONGEST)
    if job.status != "succeeded":
        raise SystemExit(f"{gate.example}: the job {job.status}: {job.error}")
    values = job.document["result"]["values"]
    return {
        "example": gate.example,
        "parameters": job.document["inspection"]["totals"]["parameters"],
        "seconds": round(time.monotonic() - began, 1),
        "values": {name: values[name] for name in (gate.measured, *gate.shown)},
        "baseline": baseline,
        "bound": gate.bound(baseline),
    }


def claim(gate: Gate, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run as a claim of the results."""
    return {"what": f"{gate.example}: {gate.measured}", "measured": round(found["values"][gate.measured], 5),
            "unit": "", "bound": round(found["bound"], 5), "at_most": gate.at_most}  # fmt: skip


def main() -> int:
    """Run the gates; returns 1 if one is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("examples", nargs="*", metavar="EXAMPLE", help="default: all of them")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"data and finished runs (default: {FOLDER})")
    parser.add_argument("--again", action="store_true", help="also run what has been run")
    given = parser.parse_args()
    folder = given.folder.expanduser()
    chosen = [gate for gate in GATES if not given.examples or gate.example in given.examples]
    for gate in chosen:
        if gate.data is not None:
            data(gate.data, folder)
    done = folder / "runs.json"
    runs: dict[str, Any] = json.loads(done.read_text()) if done.exists() else {}
    os.environ |= {"GRAFTWERK_DATA_ROOT": str(folder / "fashion"), "GRAFTWERK_RATE_LIMIT": ""}
    with service(folder / "service") as client:
        for gate in chosen:
            if gate.example in runs and not given.again:
                continue
            runs[gate.example] = run(gate, client, folder)
            done.write_text(json.dumps(runs, indent=2))
            sys.stdout.write(sentence(claim(gate, runs[gate.example])) + "\n")
            sys.stdout.flush()
    claims = [claim(gate, runs[gate.example]) for gate in GATES if gate.example in runs]
    write("accuracy", {"runs": [runs[gate.example] for gate in GATES if gate.example in runs]}, claims)
    return 0 if all(map(kept, claims)) else 1


if __name__ == "__main__":
    sys.exit(main())
