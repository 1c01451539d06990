"""Accuracy of the examples on real data, trained through the API: ``make accuracy``, or ``ARGS="tweets-gru"`` for some.

Data sets come from packages (see `examples.data`) and are cached in a folder, as are finished runs: an interrupted call
continues with the next run. Each figure is listed with its gate, and with a baseline on the same split: the test, which
is evaluated once, with the last weights, so that nothing is selected on it. A call for some examples leaves the figures
of the others in the results as they are; each run has its own date.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import RESULTS, format_claim, is_within_bound, machine_info, write_results
from examples.baselines import BASELINES
from examples.bounds import (
    Baseline,
    as_good_as_baseline,
    better_than_baseline,
    close_to_baseline,
    fixed_bound,
    least_squares_bound,
)
from examples.data.__main__ import CACHE, WRITERS
from examples.demo import run_service
from examples.gate_runs import gate_arguments, to_claim, train_job
from graftwerk import Client, Job
from graftwerk.specs import read_spec, with_dataset

EXAMPLES = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Gate:
    """An example, its data, and the value that it must reach."""

    example: str
    metric: str  # series whose value is compared
    bound: Callable[[Baseline], float]
    data: str | None = None  # see `examples.data`
    files: tuple[str, ...] = ()  # that are uploaded; none: they lie in the data root, or are bundled
    vectors: str | None = None  # file of word vectors that is registered beside them
    baseline: str | None = None  # see `examples.baselines`
    extra_metrics: tuple[str, ...] = ()  # further series for the table
    is_upper_bound: bool = False
    types: Mapping[str, str] = field(default_factory=dict)  # of columns that are not what they look like
    prompts: tuple[Mapping[str, str], ...] = ()  # rows whose texts the network goes on with, for people
    equals: str | None = None  # the figure of the baseline that it must not differ from by more than the bound, a share


LOG_LOSS = "test/log_loss"
TEXTS, LINES = ("train.csv", "test.csv"), ("train.jsonl", "test.jsonl")
GLOVE = "glove.50d.txt"
GATES: tuple[Gate, ...] = (
    Gate("real/least-squares", "train/loss", least_squares_bound, baseline="diabetes", is_upper_bound=True),
    Gate(
        "real/plane-linear",
        "train/loss",
        least_squares_bound,
        "plane",
        ("plane.csv",),
        baseline="plane",
        is_upper_bound=True,
    ),
    Gate("real/digits-cnn", "test/accuracy", fixed_bound(0.985), "digits", ("digits.npz",)),
    Gate("real/fashion-mlp", "test/accuracy", fixed_bound(0.900), "fashion"),
    Gate("real/fashion-small-cnn", "test/accuracy", fixed_bound(0.925), "fashion"),
    Gate("real/fashion-resnet18", "test/accuracy", fixed_bound(0.880), "fashion"),
    Gate("real/tweets-gru", "test/accuracy", better_than_baseline("accuracy"), "tweets", TEXTS, GLOVE, "tweets"),
    Gate(
        "real/tweets-transformer", "test/accuracy", better_than_baseline("accuracy"), "tweets", TEXTS, GLOVE, "tweets"
    ),
    Gate("real/mails-gru", "test/accuracy", better_than_baseline("accuracy"), "mails", TEXTS, GLOVE, "mails"),
    Gate("real/mails-transformer", "test/accuracy", better_than_baseline("accuracy"), "mails", TEXTS, GLOVE, "mails"),
    *(
        Gate(f"real/{data}-bag", "test/accuracy", as_good_as_baseline("accuracy"), data, TEXTS, baseline=data)
        for data in ("docstrings", "mails")
    ),
    Gate(
        "real/tags-bilstm",
        "test/span_f1",
        better_than_baseline("span F1"),
        "tags",
        LINES,
        GLOVE,
        "tags",
        ("test/accuracy",),
    ),
    Gate(
        "real/tags-crf",
        "test/span_f1",
        better_than_baseline("span F1"),
        "tags",
        LINES,
        GLOVE,
        "tags",
        ("test/accuracy",),
    ),
    Gate("real/vowels-gru", "test/accuracy", fixed_bound(0.97), "vowels", LINES, baseline="vowels"),
    Gate(
        "real/characters-lstm",
        "test/bits_per_token",
        fixed_bound(0.01),
        "characters",
        LINES,
        baseline="characters",
        is_upper_bound=True,
        prompts=({"text": "The "}, {"text": "A function "}),
        equals="bits per character",
    ),
    Gate(
        "real/dates-attention",
        "test/exact_match",
        fixed_bound(0.99),
        "dates",
        LINES,
        extra_metrics=("test/token_error_rate",),
        types={"iso": "text"},
        prompts=({"text": "the 1st of May 2026"}, {"text": "Fri 29 Feb 2008"}),
    ),
    Gate(
        "real/airline-linear",
        "test/mae",
        lambda baseline: float(baseline["exponential smoothing"]),
        "airline",
        ("airline.csv",),
        baseline="airline",
        extra_metrics=("test/rmse",),
        is_upper_bound=True,
    ),
    Gate(
        "real/vae-fashion",
        "test/loss",
        fixed_bound(0.005),  # what another seed may differ by
        "fashion",
        baseline="vae",
        is_upper_bound=True,
        equals="negative ELBO",
    ),
    Gate(
        "real/denoising-fashion",
        "test/loss",
        close_to_baseline("mean square", 0.05),
        "fashion",
        baseline="denoising",
        is_upper_bound=True,
    ),
    Gate("real/trees-lstm", "test/accuracy", better_than_baseline("accuracy"), "trees", LINES, baseline="trees"),
)


def ensure_data(name: str, folder: Path) -> Path:
    """Return the folder of a data set; create it if it does not exist."""
    target = folder / name
    if not target.exists():
        partial = folder / f"{name}.partial"
        partial.mkdir(parents=True, exist_ok=True)
        WRITERS[name](CACHE.expanduser(), partial)
        partial.rename(target)
    return target


def spec_on_data(gate: Gate, client: Client, folder: Path) -> dict[str, Any]:
    """Return the example as a job on its registered data."""
    files = [ensure_data(gate.data, folder) / file for file in gate.files] if gate.data is not None else []
    dataset = client.datasets.add(*files, types=gate.types or None).id if files else None
    vectors = (
        client.datasets.add(ensure_data("vectors", folder) / gate.vectors).id if gate.vectors is not None else None
    )
    return with_dataset(read_spec(EXAMPLES / f"{gate.example}.json"), dataset, vectors)


def run_gate(gate: Gate, client: Client, folder: Path) -> dict[str, Any]:
    """Train the example and return its figures. Raises `SystemExit` if the job fails."""
    baseline = (
        BASELINES[gate.baseline](ensure_data(gate.data, folder) if gate.data else folder) if gate.baseline else {}
    )
    began = time.monotonic()
    job = train_job(client, spec_on_data(gate, client, folder))
    values = job.document["result"]["values"]
    names = (gate.metric, *gate.extra_metrics, *([LOG_LOSS] if LOG_LOSS in values else []))
    return {
        "example": gate.example,
        "parameters": job.document["inspection"]["totals"]["parameters"],
        "seconds": round(time.monotonic() - began, 1),
        "values": {name: values[name] for name in names},
        "baseline": baseline,
        "bound": gate.bound(baseline),
        "texts": generated_texts(gate, job),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": machine_info()["processor"],
    }


def generated_texts(gate: Gate, job: Job) -> list[str]:
    """Return what the network of a job makes of the gate's prompts."""
    if not gate.prompts:
        return []
    predictions = job.predict([dict(row) for row in gate.prompts])
    return [
        f"{' '.join(row.values())} -> {next(iter(made.values()))['text']!r}"
        for row, made in zip(gate.prompts, predictions.rows, strict=True)
    ]


def claim_of(gate: Gate, run: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run as a claim of the results."""
    what, measured = f"{gate.example}: {gate.metric}", float(run["values"][gate.metric])
    if gate.equals is not None:
        what += ", differs from the same network in a plain loop by a share of"
        measured = abs(measured / float(run["baseline"][gate.equals]) - 1)
    return to_claim(what, measured, gate.bound(run["baseline"]), at_most=gate.is_upper_bound)


def format_log_loss(run: Mapping[str, Any]) -> str:
    """Return a line with the log loss of a run beside that of its baseline; nothing if it has none."""
    if run["values"].get(LOG_LOSS) is None:
        return ""
    baseline = run["baseline"].get("log loss")
    return f"    log loss {run['values'][LOG_LOSS]:.4f}{'' if baseline is None else f', baseline {baseline:.4f}'}\n"


def with_earlier_runs(runs: Mapping[str, Any], chosen: Sequence[Gate]) -> dict[str, Any]:
    """Return the runs by example; of the gates that are not chosen and have none, those of the results so far."""
    written = RESULTS / "accuracy.json"
    document = json.loads(written.read_text()) if written.exists() else {"runs": []}
    asked, where = {gate.example for gate in chosen}, document.get("machine", {}).get("processor")
    earlier = [{**run, "processor": run.get("processor", where)} for run in document["runs"]]
    return {run["example"]: run for run in earlier if run["example"] not in asked} | dict(runs)


def main() -> int:
    """Run the gates; returns 1 if one is missed."""
    parser = gate_arguments(__doc__)
    parser.add_argument("examples", nargs="*", metavar="EXAMPLE", help="default: all of them")
    arguments = parser.parse_args()
    folder = arguments.folder.expanduser()
    gates = [gate for gate in GATES if not arguments.examples or gate.example in arguments.examples]
    for gate in gates:
        if gate.data is not None:
            ensure_data(gate.data, folder)
    done = folder / "runs.json"
    runs: dict[str, Any] = json.loads(done.read_text()) if done.exists() else {}
    os.environ |= {"GRAFTWERK_DATA_ROOT": str(folder / "fashion"), "GRAFTWERK_RATE_LIMIT": ""}
    with run_service(folder / "service") as client:
        for gate in gates:
            if gate.example in runs and not arguments.again:
                continue
            runs[gate.example] = run_gate(gate, client, folder)
            done.write_text(json.dumps(runs, indent=2))
            sys.stdout.write(format_claim(claim_of(gate, runs[gate.example])) + "\n")
            sys.stdout.write(format_log_loss(runs[gate.example]))
            sys.stdout.write("".join(f"    {text}\n" for text in runs[gate.example].get("texts", [])))
            sys.stdout.flush()
    runs = with_earlier_runs(runs, gates)
    known = [(gate, runs[gate.example]) for gate in GATES if gate.example in runs]
    claims = [claim_of(gate, run) for gate, run in known]
    write_results("accuracy", {"runs": [run | {"bound": gate.bound(run["baseline"])} for gate, run in known]}, claims)
    return 0 if all(is_within_bound(claim_of(gate, runs[gate.example])) for gate in gates) else 1


if __name__ == "__main__":
    sys.exit(main())
