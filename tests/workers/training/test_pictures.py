"""Pictures that are changed at random: the same training wherever they are made ready, in one go or in pieces."""

from typing import Any

import pytest

from tests.workers.training.laboratory import Laboratory, job
from tests.workers.training.test_resume import assert_same
from workers.data.feed import Feed
from workers.data.stream import Stream, Streamed
from workers.messages import Ending

PLAIN = [{"kind": "RandomCrop", "size": 8, "padding": 1}, {"kind": "RandomRotation", "degrees": 15},
         {"kind": "Normalize", "mean": [0.3], "std": [0.4]}, {"kind": "RandomErasing"}]  # fmt: skip
POLICY = [{"kind": "Pad", "padding": 1}, {"kind": "RandAugment"}, {"kind": "RandomResizedCrop", "size": 8}]
MIXED = [*PLAIN, {"kind": "MixUp"}, {"kind": "CutMix"}]


def pictures(transforms: list[Any], **data: Any) -> dict[str, Any]:
    """Return a job on digits that are changed; its network draws random numbers of its own."""
    spec = job(training={"accumulate": 2, "steps": 7})
    return spec | {"data": {**spec["data"], "transforms": transforms, **data}}


@pytest.mark.parametrize("loading", ["resident", "streamed"])
@pytest.mark.parametrize("transforms", [PLAIN, POLICY, MIXED], ids=["plain", "policy", "mixed"])
def test_it_goes_on_bit_by_bit_in_the_middle_of_an_epoch(
    laboratory: Laboratory, loading: str, transforms: list[Any]
) -> None:
    data = {"evaluation_transforms": []} if transforms is POLICY else {}
    attempt = assert_same(laboratory, pictures(transforms, loading=loading, **data), 2, 3, loaders=2)
    aside = loading == "streamed"
    assert isinstance(attempt.prepared.supply(), Stream if aside else Feed)
    assert isinstance(attempt.prepared.validation, Streamed) is aside
    other = laboratory.run(pictures(transforms, loading="auto", **data), loaders=1)
    assert other.weights() == attempt.weights()
    assert laboratory.run(pictures([], **data)).weights() != attempt.weights()


def test_a_network_learns_from_mixed_pictures(laboratory: Laboratory) -> None:
    spec = pictures([{"kind": "MixUp", "alpha": 0.2}])
    spec["training"] |= {"accumulate": 1, "steps": 120, "optimizer": {"kind": "Adam", "lr": 0.01}}
    attempt = laboratory.run(spec)
    assert attempt.outcome.ending is Ending.SUCCEEDED
    assert attempt.points("val/accuracy")[-1][1] > 0.85


def test_an_autoencoder_learns_changed_pictures(laboratory: Laboratory) -> None:
    layers = [{"kind": "Conv2d", "out_channels": 1, "kernel_size": 3, "padding": 1}]
    spec = job(layers, objective={"loss": {"kind": "MSELoss"}}, training={"steps": 3})
    spec["data"] |= {"target": "image", "transforms": PLAIN[:1]}
    assert laboratory.run(spec).outcome.ending is Ending.SUCCEEDED
