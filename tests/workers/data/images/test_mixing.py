"""A batch is mixed as torchvision mixes it, by numbers that follow from its step."""

from typing import Any

import pytest
import torch

from app.spec.data.images.transforms import MIXING_CLASSES
from app.spec.data.images.transforms import MIXING_TRANSFORMS as SPOKEN
from tests.workers.data.images.image_data import random_pixels
from workers.data.images.mixing import MIXING, Mixing, cutmix, mixup
from workers.data.rng import batch_generator

from torchvision.transforms import v2  # isort: skip

X = random_pixels(6, 3, 12, 10) / 255
Y = torch.arange(6) % 4


def mixing(*kinds: str, seed: int = 5, alpha: float = 1.0) -> Mixing:
    parts = tuple(MIXING_CLASSES[kind].model_validate({"kind": kind, "alpha": alpha}) for kind in kinds)
    return Mixing(parts, seed, ("image",), {"label": 4})


def test_language_and_workers_know_the_same_kinds() -> None:
    assert MIXING.keys() == SPOKEN.keys()


@pytest.mark.parametrize("kind", MIXING)
@pytest.mark.parametrize("number", range(4))
def test_it_is_torchvisions(monkeypatch: pytest.MonkeyPatch, kind: str, number: int) -> None:
    inputs, targets = mixing(kind)(7, number, {"image": X, "n": Y}, {"label": Y})
    stream = batch_generator(5, 7, number)
    stream.integers(1)
    share = float(stream.beta(1.0, 1.0))
    middle = iter([int(stream.integers(10 if turn else 12)) for turn in range(2)])
    theirs: Any = getattr(v2, kind)(num_classes=4)
    monkeypatch.setattr(theirs, "_dist", torch.distributions.Bernoulli(0.5))
    monkeypatch.setattr(theirs._dist, "sample", lambda shape: torch.tensor(share, dtype=torch.float64))
    params = list(middle)[::-1]  # torchvision draws the column first
    monkeypatch.setattr(torch, "randint", lambda high, size: torch.tensor([params.pop(0)]))
    image, label = theirs(X, Y)
    assert inputs["image"].equal(image)
    assert targets["label"].allclose(label)
    assert targets["label"].sum(1).allclose(torch.ones(6))
    assert inputs["n"] is Y


def test_every_batch_of_every_step_draws_anew_and_always_the_same() -> None:
    mixed = [
        mixing("MixUp")(step, number, {"image": X}, {"label": Y})[0]["image"]
        for step, number in ((1, 0), (1, 1), (2, 0), (1, 0))
    ]
    assert mixed[0].equal(mixed[3])
    assert not mixed[0].equal(mixed[1])
    assert not mixed[0].equal(mixed[2])
    assert not mixed[0].equal(mixing("MixUp", seed=6)(1, 0, {"image": X}, {"label": Y})[0]["image"])


def test_of_several_kinds_a_batch_gets_one() -> None:
    result = set()
    for step in range(20):
        image = mixing("MixUp", "CutMix")(step, 0, {"image": X}, {"label": Y})[0]["image"]
        original = (image == X) | (image == X.roll(1, 0))
        result.add(bool(original.all()))
    assert result == {True, False}


@pytest.mark.parametrize("share", [0.0, 0.37, 1.0])
def test_the_share_that_is_left_is_what_labels_say(share: float) -> None:
    ones = torch.zeros(2, 1, 12, 10)
    ones[0] = 1
    for mix in (mixup, cutmix):
        change, remaining = mix(share, (12, 10), batch_generator(1, 1, 1))
        assert abs(change(ones)[0].mean().item() - remaining) < 1e-6


def test_targets_are_announced_as_probabilities() -> None:
    announced = mixing("MixUp").targets({"label": Y, "other": Y})
    assert announced["label"].is_floating_point()
    assert announced["other"] is Y
