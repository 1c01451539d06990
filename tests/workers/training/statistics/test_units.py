"""Dead units: zero or saturated in the whole step."""

from typing import Any

import pytest
import torch
from torch import nn

from app.spec.network.modules.activations import ACTIVATIONS
from tests.workers.training.harness import TrainingHarness, digits_job
from workers.training.statistics.units import CHANNELS, FEATURES, LIVE_RANGES, by_unit

BORDERS: dict[str, tuple[Any, list[float], list[float]]] = {  # kind: settings, dead values, live ones
    "ReLU": ({}, [0.0], [1e-30, 5.0]),
    "ReLU6": ({}, [0.0, 6.0], [1e-30, 5.999]),
    "Hardtanh": ({"min_val": -2.0, "max_val": 3.0}, [-2.0, 3.0], [-1.99, 0.0, 2.99]),
    "Hardsigmoid": ({}, [0.0, 1.0], [0.001, 0.5, 0.999]),
    "Hardswish": ({}, [0.0], [-0.1, 0.1]),
    "Softshrink": ({}, [0.0], [-0.1, 0.1]),
    "Hardshrink": ({}, [0.0], [-0.6, 0.6]),
    "Threshold": ({"value": 0.5}, [0.5], [0.4, 0.6]),
    "Sigmoid": ({}, [0.0, 0.003, 0.997, 1.0], [0.005, 0.5, 0.995]),
    "Tanh": ({}, [-1.0, -0.997, 0.997, 1.0], [-0.99, 0.0, 0.99]),
    "ELU": ({"alpha": 2.0}, [-2.0, -1.995], [-1.9, 0.0, 7.0]),
    "CELU": ({"alpha": 1.0}, [-1.0, -0.997], [-0.99, 7.0]),
    "SELU": ({}, [-1.758], [-1.7, 7.0]),
    "GELU": ({}, [0.0, -0.003, 0.003], [-0.1, 0.005]),
    "SiLU": ({}, [0.0, -0.003], [-0.1, 0.005]),
    "Mish": ({}, [0.0, -0.003], [-0.1, 0.005]),
}


@pytest.mark.parametrize("kind", BORDERS)
def test_dead_and_live_values(kind: str) -> None:
    settings, dead, live = BORDERS[kind]
    rule = LIVE_RANGES[kind](settings)
    assert not rule.live_units(torch.tensor([dead]).T).any()
    for value in live:
        assert rule.live_units(torch.tensor([[*dead, value]]).T).all(), value


def test_every_activation_that_can_die_is_tested() -> None:
    assert set(LIVE_RANGES) == {*BORDERS, "relu", "sigmoid", "tanh"}
    assert set(BORDERS) <= set(ACTIVATIONS)


@pytest.mark.parametrize(
    ("shape", "axis", "expected"),
    [
        ((5,), FEATURES, (5, 1)),
        ((5, 3), CHANNELS, (5, 3)),
        ((5, 7, 3), FEATURES, (35, 3)),
        ((5, 3, 7), CHANNELS, (35, 3)),
        ((5, 3, 7, 2), CHANNELS, (70, 3)),
        ((5, 3, 7, 2), FEATURES, (105, 2)),
    ],
)
def test_units_are_channels_or_features(shape: Any, axis: int, expected: Any) -> None:
    output = torch.rand(shape)
    rows = by_unit(output, axis)
    assert rows.shape == expected
    if len(shape) > 1:
        moved = output.movedim(1 if axis == CHANNELS else -1, 0)
        assert rows.sum(0).tolist() == pytest.approx(moved.flatten(1).sum(1).tolist(), rel=1e-5)


def test_the_share_is_that_of_channels(laboratory: TrainingHarness) -> None:
    layers = [
        {"kind": "Conv2d", "id": "conv", "out_channels": 4, "kernel_size": 3},
        {"kind": "BatchNorm2d"},
        {"kind": "ReLU", "id": "relu"},
        {"kind": "Flatten"},
        {"kind": "ReLU", "id": "flat"},
        {"kind": "Linear", "out_features": 10},
    ]
    prepared = laboratory.prepare(digits_job(layers, training={"steps": 2, "accumulate": 2}))
    norm = prepared.network.get_submodule("batchnorm2d1")
    assert isinstance(norm, nn.BatchNorm2d)
    with torch.no_grad():
        norm.bias[1:3] = -100.0
    from workers.training.statistics.sampler import StatisticsSampler

    sampler = StatisticsSampler(prepared.state, prepared.plan)
    sampler.run(prepared.training_step, prepared.state, prepared.state.source.batches(0))
    pending = sampler.take(prepared.training_step, {})
    assert pending is not None
    sample = pending.read()
    assert sample.series is not None
    values = dict(zip(sample.series, sample.values, strict=True))
    assert values["relu", "dead_share"] == 0.5
    flat = values["flat", "dead_share"]
    assert flat is not None
    assert 0.5 <= flat < 0.7  # behind Flatten every pixel of a channel is a unit
