"""Transfer on real data: ``python -m examples.transfer``, part of ``make accuracy``.

A resnet18 of torchvision is traced, learns clothes, and goes on with ten digits of which it sees a few each: with a new
head, from scratch, and both in plain PyTorch. An encoder learns from views of unlabelled clothes, and one layer upon it
from 1 % of the labels, beside the same network that learns from those labels alone.
"""

import gzip
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import graftwerk
import workers.torch_setup  # noqa: F401 - comes before torchvision
from benchmarks.machine import RESULTS, is_within_bound, write_results
from examples.accuracy import ensure_data
from examples.demo import run_service
from examples.gate_runs import gate_arguments, to_claim, train_job
from graftwerk import Client, Job
from graftwerk.specs import read_spec

from torchvision.models import resnet18  # isort: skip

Json = dict[str, Any]
Network = Mapping[str, Any]
EXAMPLES_FOLDER = Path(__file__).parent
CLASSES, IMAGE_SIZE = 10, 28
CLOTHES, UNLABELLED, LABELLED, TESTED = 4_000, 10_000, 600, 4_000  # images of Fashion-MNIST; 600 are 1 %
DIGITS_EACH = 10  # of each digit, to go on with
PLAN = {"optimizer": {"kind": "AdamW", "lr": 0.001}, "batch_size": 100, "epochs": 4}
FEW_PLAN = {"optimizer": {"kind": "AdamW", "lr": 0.0005}, "batch_size": 50, "epochs": 30}
WHOLE_PLAN = {"optimizer": {"kind": "AdamW", "lr": 0.003}, "groups": []}  # of the encoder too, beside the probe
# Of accuracies, to plain PyTorch and to beginning anew: 0.006 and 0.070 were measured, and the difference of two shares
# near 0.8 of 998 digits has a standard error of 0.018, of which the bounds leave room for two and a half or so.
MAX_DIFFERENCE, MIN_GAIN = 0.04, 0.02
# Of the layer upon SimCLR beside one upon random weights: 0.063 was measured, and the difference of two shares near 0.8
# of 4,000 images has a standard error of 0.009, of which the bound leaves room for two and a half.
MIN_PROBE_GAIN = 0.04


def read_fashion(root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images (N, 1, 28, 28) and the labels (N) of a split of Fashion-MNIST."""
    raw = root / "FashionMNIST" / "raw"
    images, labels = (
        np.frombuffer(gzip.decompress((raw / f"{split}-{part}-ubyte.gz").read_bytes()), np.uint8, offset=offset)
        for part, offset in (("images-idx3", 16), ("labels-idx1", 8))
    )
    return images.reshape(-1, 1, IMAGE_SIZE, IMAGE_SIZE), labels.astype(np.int64)


def first_of_each(labels: np.ndarray, count: int) -> np.ndarray:
    """Return the rows of the first `count` examples of each class, in their order."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in np.unique(labels)]))


def write_data(folder: Path) -> Path:
    """Write the four data sets as NPZ files, and return their folder."""
    target = folder / "transfer"
    target.mkdir(exist_ok=True)
    images, labels = read_fashion(ensure_data("fashion", folder), "train")
    tested = read_fashion(ensure_data("fashion", folder), "t10k")
    digits = np.load(ensure_data("digits", folder) / "digits.npz", allow_pickle=False)
    few = first_of_each(digits["train/label"], DIGITS_EACH)
    labelled = first_of_each(labels, LABELLED // CLASSES)
    files: dict[str, dict[str, np.ndarray]] = {
        "clothes": {"image": images[:CLOTHES], "label": labels[:CLOTHES]},
        "unlabelled": {"image": images[:UNLABELLED]},
        "labelled": {
            "train/image": images[labelled],
            "train/label": labels[labelled],
            "test/image": tested[0][:TESTED],
            "test/label": tested[1][:TESTED],
        },
        "digits": {
            "train/image": digits["train/image"][few],
            "train/label": digits["train/label"][few],
            "test/image": digits["test/image"],
            "test/label": digits["test/label"],
        },
    }
    for name, columns in files.items():
        np.savez_compressed(target / f"{name}.npz", **columns)
    return target


def train(client: Client, spec: Json, name: str, **start: Any) -> Job:
    """Return the finished job. Raises `SystemExit` if it fails."""
    return train_job(client, {"name": name, **spec}, **start)


def accuracy_of(job: Job) -> float:
    """Return the accuracy on the test."""
    return float(job.document["result"]["values"]["test/accuracy"])


def train_plain(network: nn.Module, images: Tensor, labels: Tensor, plan: Mapping[str, Any]) -> nn.Module:
    """Train in plain PyTorch as a job's plan says."""
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan["optimizer"]["lr"])
    network.train()
    for _ in range(plan["epochs"]):
        for rows in torch.randperm(len(labels)).split(plan["batch_size"]):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images[rows]), labels[rows]).backward()
            optimizer.step()
    return network.eval()


def three_channels(images: np.ndarray) -> Tensor:
    """Return images of bytes as float32 (N, 3, H, W) in [0, 1]."""
    return torch.from_numpy(images).float().div(255).expand(-1, 3, -1, -1)


def plain_accuracies(data: Path) -> dict[str, float]:
    """Return the accuracies of plain PyTorch: from clothes, and from scratch."""
    clothes, digits = (np.load(data / f"{name}.npz", allow_pickle=False) for name in ("clothes", "digits"))
    torch.manual_seed(0)
    first = train_plain(
        resnet18(num_classes=CLASSES), three_channels(clothes["image"]), torch.from_numpy(clothes["label"]), PLAN
    )
    kept = {name: value for name, value in first.state_dict().items() if not name.startswith("fc.")}
    found = {}
    for name, state in (("transfer", kept), ("scratch", {})):
        torch.manual_seed(1)
        network = resnet18(num_classes=CLASSES)
        network.load_state_dict(state, strict=False)
        labels = torch.from_numpy(digits["train/label"]).long()
        train_plain(network, three_channels(digits["train/image"]), labels, FEW_PLAN)
        with torch.no_grad():
            parts = three_channels(digits["test/image"]).split(500)
            scores = torch.cat([network(part) for part in parts])
        right = scores.argmax(1) == torch.from_numpy(digits["test/label"])
        found[name] = float(right.double().mean())
    return found


def run_transfer(client: Client, data: Path) -> Json:
    """Train a traced resnet18 on clothes, then on a few digits, and return the accuracies beside plain PyTorch's."""
    traced = graftwerk.trace(resnet18(num_classes=CLASSES), inputs=["image"], examples=[torch.rand(2, 3, 28, 28)])
    clothes, digits = (client.datasets.add(data / f"{name}.npz").id for name in ("clothes", "digits"))
    rgb = {"transforms": [{"kind": "RGB"}], "target": "label"}
    objective = {"loss": "CrossEntropyLoss", "metrics": ["accuracy"]}
    spec = {"model": traced.model, "objective": objective}
    first = train(
        client, {**spec, "data": {"kind": "dataset", "id": clothes, **rgb}, "training": PLAN}, "resnet18 on clothes"
    )
    few = {**spec, "data": {"kind": "dataset", "id": digits, **rgb}, "training": FEW_PLAN | {"seed": 1}}
    # The head has the shapes of the old one: under a name that the network lacks it is left out.
    start = {"start_from": first.checkpoints()[0].id, "match": "shapes", "rename": {"fc": "clothes"}}
    moved, scratch = train(client, few, "from clothes to digits", **start), train(client, few, "digits from scratch")
    return {
        "ours": {"transfer": accuracy_of(moved), "scratch": accuracy_of(scratch)},
        "plain": plain_accuracies(data),
        "warnings": [warning["detail"] for warning in moved.document["warnings"]],
    }


def run_simclr(client: Client, data: Path) -> Json:
    """Train an encoder on views without labels, a probe of it on few labels, and the whole network on these labels."""
    unlabelled, labelled = (client.datasets.add(data / f"{name}.npz").id for name in ("unlabelled", "labelled"))
    views = read_spec(EXAMPLES_FOLDER / "pretraining" / "fashion-simclr.json")
    views["data"] |= {"kind": "dataset", "id": unlabelled}
    encoder = train(client, views, "SimCLR on clothes")
    probe = read_spec(EXAMPLES_FOLDER / "pretraining" / "fashion-probe.json")
    probe["data"] |= {"kind": "dataset", "id": labelled}
    start = {"start_from": encoder.checkpoints()[0].id, "match": "shapes"}
    whole = {**probe, "training": {**probe["training"], **WHOLE_PLAN}}
    runs = {
        "probe": train(client, probe, "probe of SimCLR", **start),
        "random": train(client, probe, "probe of random weights"),
        "supervised": train(client, whole, "supervised on 1 %"),
        "tuned": train(client, whole, "supervised on 1 %, from SimCLR", **start),
    }
    return {name: accuracy_of(job) for name, job in runs.items()}


def transfer_claims(run: Json) -> list[Json]:
    """Return the claims of the transfer."""
    ours, plain = run["ours"], run["plain"]
    gain = ours["transfer"] - ours["scratch"]
    behind = max(plain[name] - ours[name] for name in ("transfer", "scratch"))
    return [
        to_claim("transfer of a traced resnet18: test/accuracy beside from scratch", gain, MIN_GAIN),
        to_claim("transfer of a traced resnet18: plain PyTorch is ahead by", behind, MAX_DIFFERENCE, at_most=True),
    ]


def simclr_claims(run: Json) -> list[Json]:
    """Return the claims of the self-supervised encoder."""
    return [
        to_claim("SimCLR, then 1 % of the labels: beside those labels alone", run["tuned"] - run["supervised"], 0.0),
        to_claim(
            "SimCLR and a linear probe: beside a probe of random weights", run["probe"] - run["random"], MIN_PROBE_GAIN
        ),
    ]


RUNS: Mapping[str, tuple[Callable[[Client, Path], Json], Callable[[Json], list[Json]]]] = {
    "transfer": (run_transfer, transfer_claims),
    "simclr": (run_simclr, simclr_claims),
}


def main(names: Sequence[str] | None = None) -> int:
    """Train, and write results/transfer.json; returns 1 if a gate is missed."""
    parser = gate_arguments(__doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="transfer, simclr; default: both")
    arguments = parser.parse_args(names)
    folder: Path = arguments.folder.expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "transfer.json"
    runs: Json = json.loads(done.read_text()) if done.exists() else {}
    data = write_data(folder)
    os.environ |= {"GRAFTWERK_DATA_ROOT": str(folder / "fashion"), "GRAFTWERK_RATE_LIMIT": ""}
    torch.set_num_threads(1)
    with run_service(folder / "service") as client:
        for name, (run, _) in RUNS.items():
            if (not arguments.runs or name in arguments.runs) and (arguments.again or name not in runs):
                began = time.monotonic()
                runs[name] = run(client, data) | {"seconds": round(time.monotonic() - began, 1)}
                done.write_text(json.dumps(runs, indent=2))
    written = RESULTS / "transfer.json"  # of a call for one of them, the other stays as it was
    runs = (json.loads(written.read_text())["runs"] if written.exists() else {}) | runs
    claims = [claim for name, (_, to_claims) in RUNS.items() if name in runs for claim in to_claims(runs[name])]
    write_results("transfer", {"runs": runs}, claims)
    return 0 if all(map(is_within_bound, claims)) else 1


if __name__ == "__main__":
    sys.exit(main())
