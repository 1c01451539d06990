"""The gates of transfer, on a few made-up images: specs are accepted, an encoder goes on, claims compare figures."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet18

import graftwerk
from app.spec.data.columns import Column, DataSchema
from app.spec.job import parse_job, resolve_job_features
from examples import transfer
from examples.transfer import RUNS, first_of_each, plain_accuracies, read_fashion, write_data
from graftwerk.specs import read_spec
from tests.examples.test_real import LIMITS
from workers.children.inspect import inspect_job
from workers.network.runtime.build import build
from workers.protocol.child_requests import StartedFrom

LABELS = np.repeat(np.arange(10), 12)
IMAGE = Column(name="image", shape=(1, 28, 28), dtype="float32", peak=255.0)
LABEL = Column(name="label", dtype="int64", classes=10)
UNLABELLED = DataSchema(columns=(IMAGE,), rows={"train": 600}, inputs=("image",))
LABELLED = UNLABELLED.model_copy(update={"columns": (IMAGE, LABEL), "rows": {"train": 600, "test": 100}})
PRETRAINING = transfer.EXAMPLES_FOLDER / "pretraining"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The four data sets, of 120 images with a bright row that tells the class."""
    images = np.random.default_rng(0).integers(0, 60, (len(LABELS), 1, 28, 28)).astype(np.uint8)
    images[np.arange(len(LABELS)), 0, LABELS * 2] = 255
    raw = tmp_path / "fashion" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for split in ("train", "t10k"):
        (raw / f"{split}-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes(16) + images.tobytes()))
        (raw / f"{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(8) + LABELS.astype(np.uint8).tobytes()))
    (tmp_path / "digits").mkdir()
    columns = {"image": images, "label": LABELS}
    parts = {f"{split}/{name}": each for split in ("train", "test") for name, each in columns.items()}
    np.savez(tmp_path / "digits" / "digits.npz", **parts)
    for name in ("LABELLED", "CLOTHES"):
        monkeypatch.setattr(transfer, name, 50)
    return write_data(tmp_path)


def test_the_data_have_as_many_of_each_class(data: Path) -> None:
    few, labelled, unlabelled = (np.load(data / f"{name}.npz") for name in ("digits", "labelled", "unlabelled"))
    assert np.bincount(few["train/label"]).tolist() == [10] * 10
    assert np.bincount(labelled["train/label"]).tolist() == [5] * 10
    assert unlabelled.files == ["image"]
    assert (read_fashion(data.parent / "fashion", "train")[0][:, 0, :, 5].argmax(1) == LABELS * 2).all()
    assert first_of_each(np.array([1, 0, 1, 1, 0]), 2).tolist() == [0, 1, 2, 4]


def test_plain_pytorch_is_trained_on_the_same_images(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(num_classes: int) -> nn.Module:
        made.append(network := nn.Sequential())
        network.add_module("flat", nn.Flatten())
        network.add_module("body", nn.Linear(3 * 28 * 28, 16))
        network.add_module("fc", nn.Linear(16, num_classes))
        return network

    made: list[nn.Module] = []
    monkeypatch.setattr(transfer, "resnet18", build)
    found = plain_accuracies(data)
    assert found["transfer"] > 0.5  # the bright row is found again
    assert len(made) == 3


def test_the_specs_are_accepted_and_the_encoder_is_taken() -> None:
    views, probe = (read_spec(PRETRAINING / f"fashion-{name}.json") for name in ("simclr", "probe"))
    assert inspect_job(views, UNLABELLED, LIMITS).problems == ()
    features = resolve_job_features(parse_job(views), UNLABELLED)
    network = build(parse_job(views).model, features.schema, ())
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    start = StartedFrom(shapes, views, UNLABELLED.model_dump(mode="json"))
    moved = probe | {"start_from": {"checkpoint": "ckpt_" + "0" * 32, "match": "shapes"}}
    found = inspect_job(moved, LABELLED, LIMITS, start=start)
    assert found.problems == ()
    told = {warning.code: warning.detail for warning in found.warnings}
    assert told["begun_anew"].endswith("begin anew: head.weight, head.bias")
    assert "projection.linear1.weight" in told["left_out"]
    assert not {"frozen_at_random", "partly_taken"} & told.keys()


def test_the_head_is_left_out_though_its_shapes_fit() -> None:
    traced = graftwerk.trace(
        resnet18(num_classes=10), inputs=["image"], examples=[torch.rand(2, 3, 28, 28)], verify=False
    )
    spec = {
        "model": traced.model,
        "data": {"kind": "dataset", "id": "ds_" + "0" * 32, "target": "label", "transforms": [{"kind": "RGB"}]},
        "objective": {"loss": "CrossEntropyLoss"},
        "start_from": {"checkpoint": "ckpt_" + "0" * 32, "match": "shapes", "rename": {"fc": "clothes"}},
    }
    shapes = {name: tuple(value.shape) for name, value in traced.weights.items()}
    start = StartedFrom(shapes, {**spec, "start_from": None}, LABELLED.model_dump(mode="json"))
    found = inspect_job(spec, LABELLED, LIMITS, start=start)
    assert found.problems == ()
    told = {warning.code: warning.detail for warning in found.warnings}
    assert told["begun_anew"].endswith("begin anew: fc.weight, fc.bias")
    assert told["left_out"].endswith("left out: fc.weight, fc.bias")


def test_claims_compare_the_figures() -> None:
    ours, plain = {"transfer": 0.8, "scratch": 0.7}, {"transfer": 0.79, "scratch": 0.72}
    gain, behind = RUNS["transfer"][1]({"ours": ours, "plain": plain})
    assert (gain["measured"], behind["measured"], behind["at_most"]) == (pytest.approx(0.1), pytest.approx(0.02), True)
    tuned, random = RUNS["simclr"][1]({"probe": 0.8, "random": 0.6, "supervised": 0.75, "tuned": 0.81})
    assert (tuned["measured"], random["measured"]) == (pytest.approx(0.06), pytest.approx(0.2))
