"""Jobs that change themselves while they train, on real data: ``python -m examples.live_edits``.

Part of ``make accuracy``. Each example of `examples/surgery` is trained as it is, and once more without its
`training.edits`. The difference of their accuracies on the test has a gate: a network that grows gains, one that is
pruned to half its parameters loses half a point at most, and its ONNX graph is faster than that of the whole network.
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import is_within_bound, write_results
from examples.accuracy import TEXTS, ensure_data
from examples.demo import run_service
from examples.gate_runs import gate_arguments, to_claim, train_job
from graftwerk import Client
from graftwerk.specs import read_spec, with_dataset

EXAMPLES_FOLDER = Path(__file__).parent / "surgery"
METRIC = "test/accuracy"
PARAMETERS_SHARE, SPEEDUP = 0.5, 1.7  # of the pruned network: parameters left, and ONNX's seconds whole / pruned
ROUNDS, CALLS, ROWS = 100, 5, 64  # of the timing of ONNX graphs: the variants take turns
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LiveExample:
    """An example, its data, and by how much its accuracy must differ from that without edits."""

    name: str
    min_gain: float
    data: str  # see `examples.data`
    files: tuple[str, ...] = ()  # that are uploaded; none: they lie in the data root
    is_pruned: bool = False


EXAMPLES: tuple[LiveExample, ...] = (
    LiveExample("growing-fashion", 0.02, "fashion"),
    LiveExample("pruned-fashion", -0.005, "fashion", is_pruned=True),
    LiveExample("growing-vocabulary", 0.01, "tweets", TEXTS),
)


def variants(spec: Json) -> dict[str, Json]:
    """Return a job with its edits, and without them."""
    plan = {name: value for name, value in spec["training"].items() if name != "edits"}
    return {"edited": spec, "plain": {**spec, "training": plan}}


def time_graphs(paths: Mapping[str, Path]) -> dict[str, float]:
    """Return what each ONNX graph takes for `ROWS` examples on one thread, in microseconds: the least of all rounds."""
    import onnxruntime  # noqa: PLC0415 - of the extra `onnx`

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    sessions = {name: onnxruntime.InferenceSession(path, options) for name, path in paths.items()}
    [read] = next(iter(sessions.values())).get_inputs()
    shape = [size if isinstance(size, int) else ROWS for size in read.shape]
    example = {read.name: np.random.default_rng(0).random(shape, dtype=np.float32)}
    seconds: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(ROUNDS):
        for name, session in sessions.items():
            began = time.perf_counter()
            for _ in range(CALLS):
                session.run(None, example)
            seconds[name].append((time.perf_counter() - began) / CALLS)
    return {name: round(1e6 * min(each), 2) for name, each in seconds.items()}


def run_example(example: LiveExample, client: Client, folder: Path) -> Json:
    """Train both variants of an example and return their figures."""
    source = ensure_data(example.data, folder)
    dataset = client.datasets.add(*(source / file for file in example.files)).id if example.files else None
    spec = with_dataset(read_spec(EXAMPLES_FOLDER / f"{example.name}.json"), dataset)
    figures: Json = {"example": example.name, "variants": {}}
    graphs = {}
    for variant, document in variants(spec).items():
        began = time.monotonic()
        job = train_job(client, document)
        figures["variants"][variant] = {
            "accuracy": round(job.document["result"]["values"][METRIC], 5),
            "parameters": job.network()["totals"]["parameters"],
            "edits": [edit.step for edit in job.edits() if edit.state == "applied"],
            "seconds": round(time.monotonic() - began, 1),
        }
        if example.is_pruned:
            graphs[variant] = job.export("onnx", folder / "graphs" / variant)
    if graphs:
        figures["onnx_us"] = time_graphs(graphs)
    return figures


def to_claims(example: LiveExample, figures: Json) -> list[Json]:
    """Return the claims of an example."""
    edited, plain = (figures["variants"][name] for name in ("edited", "plain"))
    gain = round(edited["accuracy"] - plain["accuracy"], 5)
    claims = [to_claim(f"surgery/{example.name}: test/accuracy, beside the job without edits", gain, example.min_gain)]
    if example.is_pruned:
        share = round(edited["parameters"] / plain["parameters"], 3)
        claims.append(to_claim(f"surgery/{example.name}: parameters left", share, PARAMETERS_SHARE, at_most=True))
        ratio = round(figures["onnx_us"]["plain"] / figures["onnx_us"]["edited"], 2)
        claims.append(to_claim(f"surgery/{example.name}: ONNX, seconds of the whole / pruned network", ratio, SPEEDUP))
    return claims


def main(names: Sequence[str] | None = None) -> int:
    """Train the examples and write results/live_edits.json; returns 1 if a gate is missed."""
    parser = gate_arguments(__doc__)
    parser.add_argument("examples", nargs="*", metavar="EXAMPLE", help="default: all of them")
    arguments = parser.parse_args(names)
    folder: Path = arguments.folder.expanduser()
    done = folder / "live_edits.json"
    runs: Json = json.loads(done.read_text()) if done.exists() else {}
    ensure_data("fashion", folder)
    os.environ |= {"GRAFTWERK_DATA_ROOT": str(folder / "fashion"), "GRAFTWERK_RATE_LIMIT": ""}
    with run_service(folder / "service") as client:
        for example in EXAMPLES:
            chosen = not arguments.examples or example.name in arguments.examples
            if chosen and (arguments.again or example.name not in runs):
                runs[example.name] = run_example(example, client, folder)
                done.write_text(json.dumps(runs, indent=2))
    trained = [example for example in EXAMPLES if example.name in runs]
    claims = [claim for example in trained for claim in to_claims(example, runs[example.name])]
    write_results("live_edits", {"runs": [runs[example.name] for example in trained]}, claims)
    return 0 if all(map(is_within_bound, claims)) else 1


if __name__ == "__main__":
    sys.exit(main())
