"""Trained weights of torchvision: files of its own names in the data root, made here from seeded models."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import workers.torch_setup  # noqa: F401 - comes before torchvision
from app.errors import DataError, TrainingError
from app.spec.network.backbones import BACKBONES, weight_names
from tests.workers.training.harness import TrainingHarness, digits_job, resume_candidates
from workers.training.checkpoints.torchvision_weights import CHECKPOINTS

from torchvision import models  # isort: skip

UNUSABLE = {"IMAGENET1K_FEATURES"}
PutFile = Callable[..., Path]


@pytest.fixture
def put(laboratory: TrainingHarness, monkeypatch: pytest.MonkeyPatch) -> PutFile:
    """Save the content of a file of weights below the data root under its proper name, which has its sum."""

    def write(content: Any, kind: str = "squeezenet1_1", digest: str | None = None) -> Path:
        folder = laboratory.folder / CHECKPOINTS
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(content, folder / "new")
        digest = digest or hashlib.sha256((folder / "new").read_bytes()).hexdigest()[:8]
        name = f"{kind}-{digest}.pth"
        monkeypatch.setattr(models.get_model_weights(kind)["IMAGENET1K_V1"].value, "url", f"https://x.org/m/{name}")
        return (folder / "new").rename(folder / name)

    return write


def trained_state(build: Callable[..., nn.Module] = models.squeezenet1_1, seed: int = 7) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return dict(build().state_dict())


def job(kind: str = "squeezenet1_1", data: Any = None, **settings: Any) -> dict[str, Any]:
    large = [{"kind": "Resize", "size": [32, 32]}, {"kind": "RGB"}]
    node = {"kind": kind, "id": "net", "num_classes": 10, "weights": "IMAGENET1K_V1", **settings}
    digits = {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.8}, "transforms": large}
    plan = {"steps": 1, "batch_size": 8, "optimizer": {"kind": "SGD", "lr": 0.0}}
    return digits_job([node], training=plan, data=data or digits)


def test_the_names_are_torchvisions() -> None:
    for kind in BACKBONES:
        assert set(weight_names(kind)) == {each.name for each in models.get_model_weights(kind)} - UNUSABLE, kind


def test_a_backbone_begins_as_torchvisions_own(laboratory: TrainingHarness, put: PutFile) -> None:
    state = trained_state()
    path = put(state)
    attempt = laboratory.run(job(num_classes=1000))
    own = models.squeezenet1_1()
    own.load_state_dict(torch.load(path, weights_only=True))
    ours = attempt.prepared.network.net
    assert all(torch.equal(value, own.state_dict()[name]) for name, value in ours.state_dict().items())
    images = torch.rand(2, 3, 64, 64)
    assert torch.equal(ours.eval()(images), own.eval()(images))
    [event] = attempt.events("initial_weights")
    assert (event["from"], event["taken"], event["begun_anew"], event["left_out"]) == (path.name, len(state), 0, 0)


def test_another_head_and_other_channels_begin_anew(laboratory: TrainingHarness, put: PutFile) -> None:
    state = trained_state()
    put(state)
    grey = {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.8}}
    spec = job(data=grey | {"transforms": [{"kind": "Resize", "size": [32, 32]}]})
    attempt = laboratory.run(spec)
    found = attempt.prepared.network.net.state_dict()
    assert torch.equal(found["features.3.squeeze.weight"], state["features.3.squeeze.weight"])
    torch.manual_seed(0)
    new = models.squeezenet1_1(num_classes=10)  # what a job of this seed draws
    assert torch.equal(found["classifier.1.weight"], new.state_dict()["classifier.1.weight"])
    [event] = attempt.events("initial_weights")
    anew = ["net.features.0.weight", "net.classifier.1.weight", "net.classifier.1.bias"]
    assert event["names"]["begun_anew"] == anew
    plain = [node for node in spec["model"]["layers"] if node.pop("weights")]
    assert torch.equal(found["features.0.weight"], laboratory.run(spec | {"model": {"layers": plain}})
                       .prepared.network.net.state_dict()["features.0.weight"])  # fmt: skip


def test_old_names_and_missing_counts_are_known(laboratory: TrainingHarness, put: PutFile) -> None:
    state = trained_state(models.densenet121)
    old = {
        name.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): value
        for name, value in state.items()
        if "num_batches" not in name
    }
    put(old, "densenet121")
    prepared = laboratory.prepare(job("densenet121"))
    found = prepared.network.net.state_dict()
    name = "features.denseblock1.denselayer1.norm1.weight"
    assert torch.equal(found[name], state[name])
    assert found["features.norm0.num_batches_tracked"] == 0


class Payload:
    """An object whose unpickling would run code."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    ("content", "digest", "match"),
    [
        (None, None, "not on this machine"),
        ("state", "00000000", "damaged"),
        ({"classifier.1.weight": torch.zeros(3)}, None, "not the file of"),
        ([1, 2], None, "tensors by name"),
        ("payload", None, "weights alone"),
    ],
)
def test_a_file_that_is_none_is_refused_by_name(
    laboratory: TrainingHarness, put: PutFile, tmp_path: Path, content: Any, digest: str | None, match: str
) -> None:
    made = {"state": trained_state, "payload": lambda: Payload(tmp_path / "run")}
    if content is not None:
        path = put(made[content]() if isinstance(content, str) else content, digest=digest)
    else:
        path = laboratory.folder / CHECKPOINTS / "squeezenet1_1-b8a52dc0.pth"
    with pytest.raises(TrainingError, match=match) as caught:
        laboratory.prepare(job())
    assert isinstance(caught.value, DataError)
    assert caught.value.pointer == "/model/layers/0/weights"
    assert path.name in f"{caught.value.detail} {caught.value.hint}" or match == "tensors by name"
    assert not (tmp_path / "run").exists()


def test_a_job_that_has_begun_needs_the_file_no_more(laboratory: TrainingHarness, put: PutFile) -> None:
    path = put(trained_state())
    spec = job() | {"training": {"steps": 4, "batch_size": 8, "optimizer": "SGD", "device": "cpu"}}
    whole = laboratory.run(spec)
    first = laboratory.run(spec, stops={2: "pause"})
    path.unlink()
    second = laboratory.run(spec, resume_from=resume_candidates(*first.context.saved))
    assert second.weights() == whole.weights()
