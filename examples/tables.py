"""Proposed jobs on public tables, beside scikit-learn: ``python -m examples.tables``, or with names for some of them.

A quarter of the rows is the test: neither the service nor the baselines see it before the end. Tables of less than a
thousand rows are split three times, and their scores are means. The job is what `POST /v1/datasets/{id}/propose`
answers for the file and the target, submitted as it is; predictions come over HTTP. The rules of proposals were chosen
on half of the tables; the others are marked as held out.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import is_within_bound, write_results
from examples.data.__main__ import CACHE
from examples.data.public_tables import TABLES, Cells, PublicTable, split_rows, write_cells
from examples.demo import run_service
from examples.gate_runs import CACHE_FOLDER
from examples.table_baselines import class_scores, number_scores, table_baselines
from graftwerk import Client, Job

FEW_ROWS, FEW_ROWS_SPLITS = 1_000, 3
TIMEOUT_SECONDS = 900.0
POINTS_TO_BEST, POINTS_TO_LINEAR = 2.0, 5.0  # hundredths of r2 or of accuracy that a proposal may be behind
LEAST_WITHIN = 10 / 12  # share of the tables that has to be within POINTS_TO_BEST of the better baseline


def train_proposal(client: Client, folder: Path, table: PublicTable, header: Sequence[str], rows: Any) -> Job:
    """Upload training rows, and train what the service proposes. Raises `SystemExit` if the job fails."""
    path = folder / f"{table.name}.csv"
    write_cells(path, header, rows)
    dataset = client.datasets.add(path, target=table.target)
    proposal = client.datasets.propose(dataset.id, target=table.target)
    job = client.jobs.create(proposal.spec).wait(TIMEOUT_SECONDS)
    if job.status != "succeeded":
        raise SystemExit(f"{table.name}: the job {job.status}: {job.error}")
    return job


def score_job(job: Job, folder: Path, table: PublicTable, header: Sequence[str], rows: Any) -> dict[str, float]:
    """Return the scores of a job's predictions for test rows, which are sent without their target."""
    target = header.index(table.target)
    kept = [place for place in range(len(header)) if place != target]
    path = folder / f"{table.name}-test.csv"
    write_cells(path, [header[place] for place in kept], [[row[place] for place in kept] for row in rows])
    truths = [row[target] for row in rows]
    if table.is_number:
        answers = [row["scores"]["value"] for row in job.predict(file=path).rows]
        return number_scores(np.array(truths, dtype=float), np.array(answers, dtype=float))
    predicted = job.predict(file=path, outputs=["labels", "probabilities"])
    classes = [str(label) for label in predicted.outputs["scores"]["labels"]]
    return class_scores(truths, classes, np.array([row["scores"]["probabilities"] for row in predicted.rows]))


def run_table(table: PublicTable, client: Client, cache: Path, folder: Path) -> dict[str, Any]:
    """Train and score on each split of a table, and return the means."""
    cells: Cells = table.cells(cache)
    header, rows = cells
    began, splits = time.monotonic(), []
    for seed in range(FEW_ROWS_SPLITS if len(rows) < FEW_ROWS else 1):
        train, test = ([rows[place] for place in part] for part in split_rows(table, cells, seed))
        job = train_proposal(client, folder, table, header, train)
        proposed = score_job(job, folder, table, header, test)
        target = header.index(table.target)
        splits.append({"proposed": proposed, **table_baselines(train, test, target, table.is_number)})
    scores = {
        model: {name: round(float(np.mean([each[model][name] for each in splits])), 4) for name in splits[0][model]}
        for model in splits[0]
    }
    return {
        "table": table.name,
        "rows": len(rows),
        "columns": len(header) - 1,
        "splits": len(splits),
        "held_out": table.held_out,
        "parameters": job.document["inspection"]["totals"]["parameters"],
        "seconds": round(time.monotonic() - began, 1),
        "scores": scores,
    }


def shortfalls(run: Mapping[str, Any]) -> tuple[float, float]:
    """Return by how many points a proposal is behind the better baseline, and behind the linear one."""
    scores = run["scores"]
    name = "r2" if "r2" in scores["proposed"] else "accuracy"
    proposed, linear, boosting = (scores[model][name] for model in ("proposed", "linear", "boosting"))
    return 100 * (max(linear, boosting) - proposed), 100 * (linear - proposed)


def format_run(run: Mapping[str, Any]) -> str:
    """Return a run as a row of the printed table."""
    scores = run["scores"]
    figures = []
    for name in ("r2", "accuracy", "log_loss"):
        if name in scores["proposed"]:
            figures.append(f"{name} " + " / ".join(f"{scores[each][name]:.3f}" for each in scores))
    behind, behind_linear = shortfalls(run)
    name = f"{run['table']:14} {run['rows']:>6} rows {'held out' if run['held_out'] else '':8}"
    seconds = f"{run['seconds']:5.0f} s"
    return f"{name}  {'  '.join(figures):60}  behind {behind:+5.1f}, linear {behind_linear:+5.1f}  {seconds}"


def claims(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the gate as claims of the results."""
    behind = [shortfalls(run) for run in runs]
    held = [shortfalls(run) for run in runs if run["held_out"]]
    within = [
        {
            "what": f"proposed jobs at most {POINTS_TO_BEST:g} points behind the better baseline, {kind}",
            "measured": round(sum(each <= POINTS_TO_BEST for each, _ in part) / len(part), 3),
            "unit": "of the tables",
            "bound": round(LEAST_WITHIN, 3),
            "at_most": False,
        }
        for kind, part in ((f"{len(behind)} public tables", behind), (f"the {len(held)} held out", held))
        if part
    ]
    furthest = {
        "what": "a proposed job, behind the linear baseline, largest of all tables",
        "measured": round(max(each for _, each in behind), 2),
        "unit": "points",
        "bound": POINTS_TO_LINEAR,
        "at_most": True,
    }
    return [*within, furthest]


def main() -> int:
    """Run the tables; returns 1 if the gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="default: all of them")
    parser.add_argument("--folder", type=Path, default=CACHE_FOLDER, help=f"files (default: {CACHE_FOLDER})")
    arguments = parser.parse_args()
    folder = arguments.folder.expanduser() / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [table for table in TABLES if not arguments.tables or table.name in arguments.tables]
    runs = []
    sys.stdout.write("proposed / linear / boosting\n")
    with run_service(folder / "service") as client:
        for table in wanted:
            runs.append(run_table(table, client, CACHE.expanduser(), folder))
            sys.stdout.write(format_run(runs[-1]) + "\n")
            sys.stdout.flush()
    if arguments.tables:
        sys.stdout.write(json.dumps(claims(runs), indent=2) + "\n")
    else:
        write_results("tables", {"runs": runs}, claims(runs))
    return 0 if all(map(is_within_bound, claims(runs))) else 1


if __name__ == "__main__":
    sys.exit(main())
