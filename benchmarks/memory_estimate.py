"""How far the inspector's estimate of memory is from what training takes: ``python benchmarks/memory_estimate.py``.

Five networks, each trained for some steps in a process of its own. What a process really takes is the peak of its
resident memory (the kernel's VmHWM) over what it was when torch was loaded and warm, on one thread on the CPU. The
estimate counts weights, gradients, the optimiser's state and what forward keeps for backward; it does not count the
buffers that kernels use while they run, nor what the allocator keeps, so it is expected to be low.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from machine import write_results

BOUND = 0.5  # of the real amount, either way

NETWORKS: dict[str, dict[str, Any]] = {
    "MLP": {
        "shape": [512],
        "classes": 10,
        "batch": 4096,
        "layers": [
            *[{"kind": "Linear", "out_features": 2048}, {"kind": "ReLU"}] * 3,
            {"kind": "Linear", "out_features": 10},
        ],
    },
    "CNN": {
        "shape": [3, 64, 64],
        "classes": 10,
        "batch": 64,
        "layers": [
            {"kind": "Conv2d", "out_channels": 32, "kernel_size": 3, "padding": 1},
            {"kind": "BatchNorm2d"},
            {"kind": "ReLU"},
            {"kind": "MaxPool2d", "kernel_size": 2},
            {"kind": "Conv2d", "out_channels": 64, "kernel_size": 3, "padding": 1},
            {"kind": "BatchNorm2d"},
            {"kind": "ReLU"},
            {"kind": "AdaptiveAvgPool2d", "output_size": 4},
            {"kind": "Flatten"},
            {"kind": "Linear", "out_features": 10},
        ],
    },
    "LSTM": {
        "shape": [100, 64],
        "classes": 10,
        "batch": 256,
        "layers": [
            {"kind": "LSTM", "hidden_size": 256, "num_layers": 2, "returns": "last"},
            {"kind": "Linear", "out_features": 10},
        ],
    },
    "Transformer": {
        "shape": [64, 128],
        "classes": 10,
        "batch": 128,
        "layers": [
            *[{"kind": "TransformerEncoderLayer", "nhead": 4, "dim_feedforward": 512}] * 3,
            {"kind": "mean", "dim": 1},
            {"kind": "Linear", "out_features": 10},
        ],
    },
    "repeated block": {
        "shape": [1024],
        "classes": 10,
        "batch": 2048,
        "layers": [
            {
                "kind": "Repeat",
                "times": 16,
                "share": False,
                "body": {"layers": [{"kind": "Linear", "out_features": 1024}, {"kind": "Tanh"}]},
            },
            {"kind": "Linear", "out_features": 10},
        ],
    },
}


def data_schema(network: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of random data that fits a network."""
    columns = [
        {"name": "x", "shape": network["shape"], "dtype": "float32"},
        {"name": "y", "shape": [], "dtype": "int64", "classes": network["classes"]},
    ]
    return {"columns": columns, "rows": {"train": network["batch"]}, "inputs": ["x"], "target": "y"}


def job_spec(network: dict[str, Any]) -> dict[str, Any]:
    """Return a job on that data."""
    return {
        "model": {"layers": network["layers"]},
        "data": {"kind": "dataset", "id": "ds_" + "0" * 32},
        "objective": {"loss": {"kind": "CrossEntropyLoss"}},
        "training": {"batch_size": network["batch"], "optimizer": {"kind": "Adam"}},
    }


def measure_memory(name: str) -> None:
    """Train a network in this process, and print the estimate and the real amount, in bytes, as JSON."""
    import torch
    from torch.nn.functional import cross_entropy

    from app.spec.data.columns import DataSchema
    from app.spec.network.network import Network
    from workers.children.inspect import InspectionLimits, inspect_job
    from workers.network.runtime.build import build

    torch.set_num_threads(1)
    network, large = NETWORKS[name], 1 << 50
    held = DataSchema.model_validate(data_schema(network))
    inspection = inspect_job(job_spec(network), held, InspectionLimits(10**6, large, large))
    warm = build(Network.model_validate({"layers": [{"kind": "Linear", "out_features": 2}]}), held, ("x",))
    warm({"x": torch.zeros(2, *network["shape"])})["output"].sum().backward()
    torch.optim.Adam(warm.parameters(), fused=True).step()
    before = peak_rss(reset=True)
    built = build(Network.model_validate({"layers": network["layers"]}), held, ("x",))
    optimizer = torch.optim.Adam(built.parameters(), fused=True)
    x, y = torch.randn(network["batch"], *network["shape"]), torch.randint(network["classes"], (network["batch"],))
    for _ in range(3):
        loss = cross_entropy(built({"x": x})["output"], y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    print(json.dumps({"estimated": inspection.report["memory"]["total"], "real": peak_rss() - before}))


def peak_rss(reset: bool = False) -> int:
    """Return the largest resident memory so far, in bytes; with `reset`, start from what it is now."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM:"))


def main() -> None:
    """Measure all networks and write results/memory_estimate.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=NETWORKS, help="measure this one, here, and print bytes")
    options = parser.parse_args()
    if options.network:
        measure_memory(options.network)
        return
    sizes = {}
    for name in NETWORKS:
        command = [sys.executable, __file__, "--network", name]
        root = str(Path(__file__).parents[1])
        run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, env={"PYTHONPATH": root})
        sizes[name] = json.loads(run.stdout.splitlines()[-1])
    ratios = {name: round(one["estimated"] / one["real"], 2) for name, one in sizes.items()}
    worst = max(abs(1 - ratio) for ratio in ratios.values())
    claim = {
        "what": "memory: largest error of the estimate over five networks",
        "measured": round(worst, 2),
        "unit": "of the real amount",
        "bound": BOUND,
        "at_most": True,
    }
    mib = {name: {side: round(size / 2**20, 1) for side, size in one.items()} for name, one in sizes.items()}
    write_results("memory_estimate", {"mib": mib, "ratios": ratios}, [claim])


if __name__ == "__main__":
    main()
