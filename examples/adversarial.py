"""A DCGAN on Fashion-MNIST, beside the same networks in a plain loop of PyTorch: ``python -m examples.adversarial``.

Part of ``make accuracy``. Pictures are judged as by the Frechet inception distance (Heusel et al. 2017), with features
of a classifier that the service trains on the same data: the input of its last layer. The distance of what the job's
generator draws to the real pictures is compared with that of the plain loop, and of an untrained generator.
"""

import base64
import io
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmarks.machine import is_within_bound, write_results
from examples.accuracy import ensure_data
from examples.demo import run_service
from examples.gate_runs import gate_arguments, to_claim, train_job
from examples.generative_baselines import Generator, draw, read_pictures, train_gan
from examples.reload import network_class
from graftwerk import Client, Job
from graftwerk.specs import read_spec

EXAMPLES_FOLDER = Path(__file__).parent
GAN, CLASSIFIER = EXAMPLES_FOLDER / "generative/dcgan-fashion.json", EXAMPLES_FOLDER / "real/fashion-small-cnn.json"
CLASSIFIER_EPOCHS = 2
SAMPLES, SAMPLES_PER_REQUEST = 4000, 1000
SEEDS = (0, 1)  # of the plain loop: the distance of another seed differs
RATIO, UNTRAINED_SHARE = (1.2, 0.25)  # bounds of the distance: of the plain loop's, of an untrained one's
Json = dict[str, Any]


def sample_pictures(job: Job, count: int) -> Tensor:
    """Return pictures that the job's network draws: (count, 1, 28, 28) in 0..1."""
    files: list[bytes] = []
    for seed in range(-(-count // SAMPLES_PER_REQUEST)):
        wanted = min(SAMPLES_PER_REQUEST, count - len(files))
        files += job.predict(count=wanted, select="sample", outputs="image", seed=seed).images()
    arrays = [np.asarray(Image.open(io.BytesIO(file))) for file in files]
    return torch.from_numpy(np.stack(arrays)).float().unsqueeze(1) / 255


def feature_network(job: Job, folder: Path) -> nn.Module:
    """Return a classifier without its last layer, from the job's `model.py` and weights."""
    job.download(folder, names=["model.py", "weights.safetensors"])
    network = network_class(folder / "model.py")()
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    network.linear2 = nn.Identity()
    return network.eval()


def frechet_distance(left: np.ndarray, right: np.ndarray) -> float:
    """Return the squared Frechet distance of normal distributions with the moments of two sets of features (N, F)."""
    (mean, covariance), (other_mean, other_covariance) = ((each.mean(0), np.cov(each.T)) for each in (left, right))
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T  # features that are always zero make it singular
    cross = np.sqrt(np.linalg.eigvalsh(root @ other_covariance @ root).clip(0)).sum()
    return float(np.square(mean - other_mean).sum() + np.trace(covariance + other_covariance) - 2 * cross)


def compute_features(network: nn.Module, pictures: Tensor) -> np.ndarray:
    """Return features (N, F), float64."""
    with torch.no_grad():
        return torch.cat([network(part) for part in pictures.split(500)]).double().numpy()


def run(client: Client, folder: Path) -> Json:
    """Train the job, the classifier and the plain loops; return the distances to the pictures of the test."""
    began = time.monotonic()
    spec = read_spec(GAN)
    job = train_job(client, spec)
    seconds = time.monotonic() - began
    classifier = read_spec(CLASSIFIER)
    judge = train_job(client, classifier | {"training": classifier["training"] | {"epochs": CLASSIFIER_EPOCHS}})
    network = feature_network(judge, folder / "judge")
    real = compute_features(network, read_pictures(folder / "fashion", "t10k"))

    def distance(pictures: Tensor) -> float:
        return round(frechet_distance(compute_features(network, pictures), real), 3)

    torch.manual_seed(0)
    loops = [train_gan(folder / "fashion", spec["training"]["steps"], seed) for seed in SEEDS]
    return {
        "job": distance(sample_pictures(job, SAMPLES)),
        "plain loops": [distance(draw(each, SAMPLES)) for each in loops],
        "untrained": distance(draw(Generator(), SAMPLES)),
        "other real pictures": distance(read_pictures(folder / "fashion", "train")[:SAMPLES]),
        "judge's accuracy": round(judge.document["result"]["values"]["test/accuracy"], 4),
        "seconds": round(seconds, 1),
        "samples": job.predict(count=60, select="sample", outputs="image", seed=9).document["predictions"],
    }


def contact_sheet(files: Sequence[bytes], columns: int, enlarged: int) -> bytes:
    """Return pictures of one size side by side, as a PNG file."""
    pictures = [Image.open(io.BytesIO(file)) for file in files]
    width, height = (side * enlarged for side in pictures[0].size)
    sheet = Image.new("L", (columns * width, -(-len(pictures) // columns) * height))
    for place, picture in enumerate(pictures):
        scaled = picture.resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(scaled, (place % columns * width, place // columns * height))
    content = io.BytesIO()
    sheet.save(content, "PNG", optimize=True)
    return content.getvalue()


def to_claims(figures: Json) -> list[Json]:
    """Return the claims about the distances."""
    plain = float(np.mean(figures["plain loops"]))
    bounds = {"the plain loop's": RATIO * plain, "an untrained generator's": UNTRAINED_SHARE * figures["untrained"]}
    what = "generative/dcgan-fashion: Frechet distance, beside"
    return [to_claim(f"{what} {name}", figures["job"], round(bound, 3), at_most=True) for name, bound in bounds.items()]


def main(names: Sequence[str] | None = None) -> int:
    """Train and write results/adversarial.json; returns 1 if a gate is missed."""
    parser = gate_arguments(__doc__)
    parser.add_argument("--picture", type=Path, help="write samples side by side to this PNG file")
    arguments = parser.parse_args(names)
    folder: Path = arguments.folder.expanduser()
    done = folder / "adversarial.json"
    ensure_data("fashion", folder)
    if arguments.again or not done.exists():
        os.environ |= {"GRAFTWERK_DATA_ROOT": str(folder / "fashion"), "GRAFTWERK_RATE_LIMIT": ""}
        with run_service(folder / "service") as client:
            done.write_text(json.dumps(run(client, folder)))
    figures = json.loads(done.read_text())
    rows = figures.pop("samples")
    if arguments.picture is not None:
        files = [base64.b64decode(row["sample"]["image"]) for row in rows]
        arguments.picture.write_bytes(contact_sheet(files, 15, 2))
    claims = to_claims(figures)
    write_results("adversarial", figures, claims)
    return 0 if all(map(is_within_bound, claims)) else 1


if __name__ == "__main__":
    sys.exit(main())
