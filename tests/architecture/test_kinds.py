"""The language and what builds it know the same kinds."""

from collections.abc import Iterable
from importlib import import_module

import pytest

from app.spec.averages import AVERAGES
from app.spec.data import BUILTIN, TORCHVISION
from app.spec.leaves import INITIALISERS, LEAVES
from app.spec.modules import MODULES
from app.spec.network import KINDS
from app.spec.objective import LOSSES, METRICS
from app.spec.operations import OPERATIONS
from app.spec.optimizers import OPTIMIZERS
from app.spec.schedules import SCHEDULES


@pytest.mark.parametrize(
    ("spoken", "module", "name"),
    [
        (KINDS, "workers.network.catalog", "CATALOG"),
        (MODULES, "workers.network.modules", "MODULES"),
        (OPERATIONS, "workers.network.operations", "OPERATIONS"),
        (LEAVES, "workers.network.leaves", "LEAVES"),
        (INITIALISERS, "workers.network.leaves", "INITIALISERS"),
        (LOSSES, "workers.training.losses", "LOSSES"),
        (OPTIMIZERS, "workers.training.optimizers", "OPTIMIZERS"),
        (SCHEDULES, "workers.training.schedules", "SCHEDULES"),
        (AVERAGES, "workers.training.averages", "AVERAGES"),
        (BUILTIN, "workers.data.sources", "BUILTIN"),
        (TORCHVISION, "workers.data.sources", "TORCHVISION"),
    ],
)  # fmt: skip
def test_every_kind_has_a_builder(spoken: Iterable[str], module: str, name: str) -> None:
    assert set(vars(import_module(module))[name]) == set(spoken)


def test_every_metric_has_a_formula() -> None:
    metrics = import_module("workers.training.metrics")
    assert {*metrics.CLASS_METRICS, *metrics.SUM_METRICS} == set(METRICS)
