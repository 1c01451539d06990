"""The language and what builds it know the same kinds."""

from collections.abc import Iterable
from importlib import import_module

import pytest

from app.spec.averages import AVERAGES
from app.spec.data import BUILTIN, TORCHVISION
from app.spec.leaves import INITIALISERS, LEAVES
from app.spec.losses import TORCH_LOSSES
from app.spec.metrics import METRICS, SPANS
from app.spec.modules import MODULES
from app.spec.network import KINDS
from app.spec.operations import OPERATIONS
from app.spec.optimizers import OPTIMIZERS
from app.spec.schedules import SCHEDULES
from app.spec.transforms import MIXING, TRANSFORMS


@pytest.mark.parametrize(
    ("spoken", "module", "name"),
    [
        (KINDS, "workers.network.catalog", "CATALOG"),
        (MODULES, "workers.network.modules", "MODULES"),
        (OPERATIONS, "workers.network.operations", "OPERATIONS"),
        (LEAVES, "workers.network.leaves", "LEAVES"),
        (INITIALISERS, "workers.network.leaves", "INITIALISERS"),
        (TORCH_LOSSES, "workers.training.losses", "LOSSES"),
        (OPTIMIZERS, "workers.training.optimizers", "OPTIMIZERS"),
        (SCHEDULES, "workers.training.schedules", "SCHEDULES"),
        (AVERAGES, "workers.training.averages", "AVERAGES"),
        (TRANSFORMS, "workers.data.transforms", "TRANSFORMS"),
        (MIXING, "workers.data.mixing", "MIXING"),
        (BUILTIN, "workers.data.sources", "BUILTIN"),
        (TORCHVISION, "workers.data.torchvision_sets", "TORCHVISION"),
    ],
)  # fmt: skip
def test_every_kind_has_a_builder(spoken: Iterable[str], module: str, name: str) -> None:
    assert set(vars(import_module(module))[name]) == set(spoken)


def test_every_metric_has_a_formula() -> None:
    for what, made in import_module("workers.training.metrics").MADE.items():
        spans = SPANS if what == "tags" else frozenset()
        assert made.keys() | spans == {name for name, row in METRICS.items() if what in row.about}
        for name, row in made.items():  # what needs no probabilities may be fed them: they are in order
            assert row.fed in {"choice": ("choice", "lists"), "scores": ("scores", "chances"),
                               "chances": ("chances", "scores")}[METRICS[name].needs]  # fmt: skip
