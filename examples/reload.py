"""Use downloaded weights without Graftwerk: plain PyTorch, safetensors and NumPy, nothing else.

    python examples/reload.py SPEC FOLDER SAMPLE

SPEC is the job's JSON, FOLDER holds `model.py`, `weights.safetensors` and `weights.pth`, SAMPLE is the bundled
`digits.npz`. Loads the network twice, once from each file, requires equal outputs, and recomputes what the service
measured on the validation images, which the spec's seed selects.
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

SPLIT_STREAM = 0x5B117  # the random stream of the validation split, see docs/spec.md
MAX_PIXEL = 16.0  # of the digits' grey values


def network_class(path: Path, name: str = "Network") -> type[nn.Module]:
    """Return a class of a downloaded model.py: `Network`, or `Policy` where the job acts in an environment."""
    spec = importlib.util.spec_from_file_location("model", path)
    if spec is None or spec.loader is None:
        sys.exit(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network: type[nn.Module] = getattr(module, name)
    return network


def validation_split(sample: Path, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return the validation images (N, 1, 8, 8), float32 in [0, 1], and labels (N), int64."""
    with np.load(sample, allow_pickle=False) as arrays:
        images, labels = torch.from_numpy(arrays["image"]), torch.from_numpy(arrays["label"])
    mixed = int(np.random.SeedSequence((seed, SPLIT_STREAM)).generate_state(1, np.uint64)[0] >> np.uint64(1))
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(mixed))
    rows = torch.cat([order[labels[order] == label][:count] for label, count in class_counts(labels, fraction)])
    rows = rows.sort().values
    return images[rows].float() / MAX_PIXEL, labels[rows].long()


def class_counts(labels: Tensor, fraction: float) -> list[tuple[int, int]]:
    """Return each class with its share of the validation, rounded by largest remainders: the first of equal ones."""
    total, sizes = round(fraction * len(labels)), torch.bincount(labels.long())
    counts, remainders = total * sizes // len(labels), total * sizes % len(labels)
    largest = remainders.argsort(descending=True, stable=True)[: total - int(counts.sum())]
    counts[largest] += 1
    return list(enumerate(counts.tolist()))


def main() -> None:
    """Load, compare and measure; print one JSON object."""
    document = json.loads(Path(sys.argv[1]).read_text())
    folder, sample = Path(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    fraction = document["data"]["validation"]["fraction"]
    images, labels = validation_split(sample, fraction, document["training"].get("seed", 0))
    outputs = []
    for weights in (load_file(folder / "weights.safetensors"), torch.load(folder / "weights.pth", weights_only=True)):
        network = network_class(folder / "model.py")()
        network.load_state_dict(weights, strict=True)
        network.eval()
        with torch.no_grad():
            outputs.append(network(images))
    if not torch.equal(*outputs):
        sys.exit("weights.safetensors and weights.pth give different outputs")
    foreign = {"app", "workers", "graftwerk"} & {name.partition(".")[0] for name in sys.modules}
    if foreign:
        sys.exit(f"the service's code was imported: {', '.join(sorted(foreign))}")
    smoothing = document["objective"]["loss"].get("label_smoothing", 0.0)
    loss = nn.functional.cross_entropy(outputs[0], labels, label_smoothing=smoothing)
    accuracy = (outputs[0].argmax(1) == labels).double().mean()
    sys.stdout.write(json.dumps({"rows": len(labels), "val/loss": loss.item(), "val/accuracy": accuracy.item()}) + "\n")


if __name__ == "__main__":
    main()
