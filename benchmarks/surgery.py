"""What live surgery costs, and what it saves: ``python benchmarks/surgery.py``.

Trainings in this process, by the service's own loop, on one thread of the CPU:

- loss: a small CNN on the digits, evaluated after every step. At step 100 a convolution is inserted as identity, or one
  is widened. Ours is compared with the same edit and a new state of the optimiser, and with the larger network from new
  weights: how many steps it takes until the loss of before is regained (the mean of ten evaluations).
- growth: a CNN that is widened twice while it trains, beside the large one from the start: operations and CPU seconds
  to equal accuracy, edits included.
- stall: by how much the iteration with an edit is longer than the others, for MLPs of several sizes, and what a step
  takes afterwards beside one of a network that was built so.
"""

import argparse
from collections.abc import Mapping, Sequence
from statistics import mean, median
from typing import Any

import torch
from machine import summarize_times, write_results
from surgery_runs import CLASSES, MADE_UP, Json, Run, network_totals, run_training

EDIT_STEP, STEPS, WINDOW = 100, 300, 10
CURVE_STEPS = range(EDIT_STEP - 50, EDIT_STEP + 150)  # of the curves that are kept for the picture
NEVER = STEPS - EDIT_STEP  # steps to regain a loss that is not regained
OPTIMIZER: Json = {"kind": "Adam", "lr": 0.001}
NEW_OPTIMIZER: Json = {"kind": "AdamW", "lr": 0.001, "weight_decay": 0.0}  # the same arithmetic, and a new state
EDITED_WAYS = ("ours", "optimiser reset")
INSERT: Json = {
    "op": "insert",
    "after": "relu1",
    "node": {"id": "extra", "kind": "Conv2d", "out_channels": 16, "kernel_size": 3, "padding": 1},
    "init": "identity",
}
WIDEN: Json = {"op": "widen", "node": "conv2", "to": 64}
Report = tuple[Json, list[Json]]  # figures and claims
OPERATIONS: Mapping[str, Json] = {"insert as identity": INSERT, "widening": WIDEN}

GROWTH_STEPS, GROWTH_BATCH, TARGET_ACCURACY = 700, 64, 0.975
FULL_WIDTH, GROWTH_EVALUATION = 64, 10
GROWTH: Mapping[int, int] = {60: 32, 140: 64}  # step → channels from then on; 16 at first

# Name → units of the two hidden layers.
MODEL_SIZES: Mapping[str, int] = {"0.1 M": 250, "1 M": 950, "10 M": 3130}
STALL_EDITS, STALL_EVERY = 6, 40  # edits of a training, steps between two


def digits_job(layers: Sequence[Json], seed: int, **training: Any) -> Json:
    """Return a job on the digits, of which a tenth are evaluated."""
    plan = {"device": "cpu", "seed": seed, "checkpoint": {"every_seconds": None, "keep_best": 0}}
    return {
        "model": {"layers": list(layers)},
        "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.1}},
        "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
        "training": plan | training,
    }


def cnn(first: int, second: int, *extra: Json) -> list[Json]:
    """Return a CNN by the channels of its two convolutions; `extra` layers follow the first one's ReLU."""
    conv = {"kind": "Conv2d", "kernel_size": 3, "padding": 1}
    return [
        {"id": "conv1", **conv, "out_channels": first},
        {"id": "relu1", "kind": "ReLU"},
        *extra,
        {"id": "conv2", **conv, "out_channels": second},
        {"id": "relu2", "kind": "ReLU"},
        {"id": "pool", "kind": "MaxPool2d", "kernel_size": 2},
        {"id": "flat", "kind": "Flatten"},
        {"id": "head", "kind": "Linear", "out_features": 10},
    ]


def steps_to_regain(losses: Mapping[int, float], start: int, loss: float) -> int:
    """Return after how many steps from `start` on the mean of a window is at most `loss`."""
    for step in range(start, max(losses) - WINDOW + 2):
        if mean(losses[step + offset] for offset in range(WINDOW)) <= loss:
            return step - start
    return NEVER


def measure_loss(name: str, seed: int) -> tuple[dict[str, int], dict[str, float], Json]:
    """Return steps to regain the loss and its highest rise by way, and the curves."""
    operation = OPERATIONS[name]
    plan = {"steps": STEPS, "batch_size": 32, "optimizer": OPTIMIZER, "evaluate": {"every_steps": 1}}
    job = digits_job(cnn(16, 32), seed, **plan)
    after = cnn(16, 64) if operation is WIDEN else cnn(16, 32, INSERT["node"])
    reset = [operation, {"op": "swap_optimizer", "to": NEW_OPTIMIZER}]
    runs = {
        "ours": run_training(job, {EDIT_STEP: [operation]}),
        "optimiser reset": run_training(job, {EDIT_STEP: reset}),
        "no edit": run_training(job),
        "restart": run_training(digits_job(after, seed, **plan)),
    }
    for way in EDITED_WAYS:
        if len(runs[way].edits) != 1:
            raise SystemExit(f"{name}, {way}: the edit was not applied")
    losses = {way: run.values("val/loss") for way, run in runs.items()}
    before = mean(losses["no edit"][step] for step in range(EDIT_STEP - WINDOW, EDIT_STEP))
    starts = {"restart": 1}  # the first evaluation comes after a step
    steps = {way: steps_to_regain(losses[way], starts.get(way, EDIT_STEP), before) for way in runs}
    rises = {way: max(losses[way][step] for step in range(EDIT_STEP, STEPS)) / before for way in EDITED_WAYS}
    shift = {"restart": EDIT_STEP}
    curves = {way: [_rounded(losses[way].get(step - shift.get(way, 0))) for step in CURVE_STEPS] for way in runs}
    return steps, rises, {"step": list(CURVE_STEPS), **curves}


def _rounded(loss: float | None) -> float | None:
    return None if loss is None else round(loss, 5)


def growth_job(width: int, seed: int) -> Json:
    """Return a job whose network has so many channels."""
    return digits_job(
        cnn(width, width),
        seed,
        steps=GROWTH_STEPS,
        batch_size=GROWTH_BATCH,
        optimizer={"kind": "Adam", "lr": 0.002},
        evaluate={"every_steps": GROWTH_EVALUATION},
    )


def growth_edits() -> dict[int, list[Json]]:
    """Return the edits of the growth schedule by step."""
    return {
        step: [{"op": "widen", "node": node, "to": width, "noise": 0.01} for node in ("conv1", "conv2")]
        for step, width in GROWTH.items()
    }


def cost_to_accuracy(run: Run, widths: Mapping[int, int]) -> dict[str, float]:
    """Return steps, operations and CPU seconds until three evaluations in a row reach the target on average."""
    accuracy = run.values("val/accuracy")
    steps = sorted(accuracy)
    reached = next(
        (
            last
            for first, second, last in zip(steps, steps[1:], steps[2:], strict=False)
            if mean(accuracy[step] for step in (first, second, last)) >= TARGET_ACCURACY
        ),
        None,
    )
    if reached is None:
        raise SystemExit(f"the accuracy {TARGET_ACCURACY} was not reached: {max(accuracy.values())}")
    costs = {width: network_totals(growth_job(width, 0))["flops"] for width in set(widths.values())}
    used = [max((begin, width) for begin, width in widths.items() if begin <= step)[1] for step in range(reached)]
    flops = sum(3 * GROWTH_BATCH * costs[width] for width in used)  # backward: twice the forward
    return {"steps": reached, "gflops": flops / 1e9, "seconds": run.timer.cpu[reached] - run.timer.cpu[0]}


def measure_growth(seeds: int) -> dict[str, list[dict[str, float]]]:
    """Return the costs of both ways, one for every seed."""
    costs: dict[str, list[dict[str, float]]] = {"growth": [], "large": []}
    for seed in range(seeds):
        grown = run_training(growth_job(16, seed), growth_edits())
        costs["growth"].append(cost_to_accuracy(grown, {0: 16, **GROWTH}))
        costs["large"].append(cost_to_accuracy(run_training(growth_job(FULL_WIDTH, seed)), {0: FULL_WIDTH}))
    return costs


def mlp_job(units: int, *extra: str) -> Json:
    """Return a job on made-up examples; layers named `extra` of as many units follow the first one."""
    hidden = [{"id": name, "kind": "Linear", "out_features": units} for name in ("fc1", *extra, "fc2")]
    return {
        "model": {"layers": [*hidden, {"id": "head", "kind": "Linear", "out_features": CLASSES}]},
        "data": dict(MADE_UP),
        "objective": {"loss": {"kind": "CrossEntropyLoss"}},
        "training": {
            "optimizer": {"kind": "Adam", "lr": 1e-4},
            "batch_size": 8,
            "device": "cpu",
            "steps": STALL_EVERY * (STALL_EDITS + 1),
            "evaluate": {"every_steps": 10**6},
            "checkpoint": {"every_seconds": None, "keep_best": 0},
        },
    }


def measure_stall(units: int) -> tuple[list[float], float, int]:
    """Return the stalls of a training's edits in seconds, a step after over a step as built, and the parameters."""
    node = {"id": "extra", "kind": "Linear", "out_features": units}
    insert: Json = {"op": "insert", "after": "fc1", "node": node, "init": "identity"}
    toggled: list[Json] = [insert, {"op": "remove", "node": "extra"}]
    edits = {STALL_EVERY * (place + 1): [toggled[place % 2]] for place in range(STALL_EDITS)}
    run = run_training(mlp_job(units), edits)
    if len(run.edits) != STALL_EDITS:
        raise SystemExit(f"{len(run.edits)} of {STALL_EDITS} edits were applied")
    took, marks = run.iterations(), run.timer.edit_iterations
    plain = median(took[place] for place in range(5, len(took)) if not {place, place - 1} & set(marks))
    stalls = [took[mark] + took[mark + 1] - plain for mark in marks]  # one step is made after the edit
    spent, built = run.iterations(cpu=True), run_training(mlp_job(units, "extra")).iterations(cpu=True)
    inserted = range(marks[0] + 5, marks[1] - 1)  # while the network has the layer
    ratio = median(spent[place] for place in inserted) / median(built[place] for place in inserted)
    return stalls, ratio, network_totals(mlp_job(units))["parameters"]


def claim(what: str, measured: float, unit: str, bound: float) -> Json:
    """Return a claim of at most `bound`."""
    return {"what": what, "measured": round(measured, 3), "unit": unit, "bound": bound, "at_most": True}


def report_loss(seeds: int) -> Report:
    """Return figures and claims of losses around edits."""
    figures, claims = {}, []
    for name in OPERATIONS:
        runs = [measure_loss(name, seed) for seed in range(seeds)]
        steps, rises, curves = zip(*runs, strict=True)
        figures[name] = {
            "steps_to_regain": {way: [each[way] for each in steps] for way in steps[0]},
            "highest_loss_over_before": {way: [round(each[way], 3) for each in rises] for way in rises[0]},
            "edit_step": EDIT_STEP,
            "curves": curves[0],
        }
        regained = median(each["ours"] for each in steps)
        claims.append(claim(f"a live {name}: steps until the loss is regained, median", regained, "steps", 0))
    return {"loss": figures}, claims


def report_growth(seeds: int) -> Report:
    """Return figures and claims of a growth schedule."""
    costs = measure_growth(seeds)
    claims = []
    for part, unit in (("gflops", "operations"), ("seconds", "CPU seconds")):
        pairs = zip(costs["growth"], costs["large"], strict=True)
        ratio = median(grown[part] / large[part] for grown, large in pairs)
        claims.append(claim(f"a network that grows / the large one: {unit} to equal accuracy, median", ratio, "x", 1))
    return {"growth": {"target": TARGET_ACCURACY, **costs}}, claims


def report_stall(rounds: int) -> Report:
    """Return figures and claims of the time that an edit takes."""
    figures, claims = {}, []
    for size, units in MODEL_SIZES.items():
        stalls, ratios, parameters = zip(*(measure_stall(units) for _ in range(rounds)), strict=True)
        summary, ratio = summarize_times([stall for each in stalls for stall in each]), median(ratios)
        figures[size] = {"parameters": parameters[0], "stall_ms": summary, "step_after_over_built": round(ratio, 3)}
        if size == "1 M":
            what = f"an edit keeps the training waiting, {size} parameters, median"
            claims.append(claim(what, summary["median"], "ms", 50))
            claims.append(claim(f"a step after an edit / of a network built so, {size} parameters", ratio, "x", 1.05))
    return {"stall": figures}, claims


def main() -> None:
    """Measure and write results/surgery.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="trainings of every kind")
    options = parser.parse_args()
    torch.set_num_threads(1)
    result: Json = {}
    claims: list[Json] = []
    for report in (report_loss, report_growth, report_stall):
        figures, kept = report(options.seeds)
        result |= figures
        claims += kept
    write_results("surgery", result, claims)


if __name__ == "__main__":
    main()
