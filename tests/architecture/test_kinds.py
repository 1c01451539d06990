"""The language and what builds it know the same kinds."""

from collections.abc import Iterable
from importlib import import_module

import pytest

from app.spec.data.images.transforms import MIXING_TRANSFORMS, TRANSFORMS
from app.spec.data.sources import BUILTIN_SCHEMAS, TORCHVISION_SCHEMAS
from app.spec.network.leaves import INITIALISERS, LEAVES
from app.spec.network.modules.catalog import MODULES
from app.spec.network.nodes import NODE_KINDS
from app.spec.network.operations.catalog import OPERATIONS
from app.spec.network.weights import PARAMETRIZATIONS
from app.spec.training.losses import OTHER_LOSSES, TORCH_LOSSES
from app.spec.training.metrics import GENERATED_METRICS, METRICS, SPAN_METRICS
from app.spec.training.optimizers import OPTIMIZERS
from app.spec.training.schedules import SCHEDULES
from app.spec.training.updates.weight_averages import AVERAGES


@pytest.mark.parametrize(
    ("spoken", "module", "name"),
    [
        (NODE_KINDS, "workers.network.kinds.catalog", "CATALOG"),
        (MODULES, "workers.network.kinds.modules", "MODULES"),
        (OPERATIONS, "workers.network.kinds.operations", "OPERATIONS"),
        (LEAVES, "workers.network.kinds.leaves", "LEAVES"),
        (PARAMETRIZATIONS, "workers.network.kinds.weights", "PARAMETRIZATIONS"),
        (INITIALISERS, "workers.network.kinds.leaves", "INITIALISERS"),
        ({**TORCH_LOSSES, **OTHER_LOSSES}, "workers.training.objective.losses", "LOSSES"),
        (OPTIMIZERS, "workers.training.optim.optimizers", "OPTIMIZERS"),
        (SCHEDULES, "workers.training.optim.schedules", "SCHEDULES"),
        (AVERAGES, "workers.training.optim.weight_averages", "AVERAGES"),
        (TRANSFORMS, "workers.data.images.transforms", "TRANSFORMS"),
        (MIXING_TRANSFORMS, "workers.data.images.mixing", "MIXING"),
        (BUILTIN_SCHEMAS, "workers.data.loading.sources", "BUILTIN"),
        (TORCHVISION_SCHEMAS, "workers.data.torchvision_datasets.catalog", "TORCHVISION"),
    ],
)
def test_every_kind_has_a_builder(spoken: Iterable[str], module: str, name: str) -> None:
    assert set(vars(import_module(module))[name]) == set(spoken)


def test_every_metric_has_a_formula() -> None:
    for what, made in import_module("workers.training.metrics.metrics").METRIC_DEFINITIONS.items():
        others = {"tags": SPAN_METRICS, "classes": GENERATED_METRICS}.get(what, frozenset())
        assert made.keys() | others == {name for name, row in METRICS.items() if what in row.task_types}
        for name, row in made.items():
            assert (
                row.input_field
                in {
                    "predicted": ("predicted", "tag_lists"),
                    "scores": ("scores", "ranking"),
                    "probabilities": ("probabilities", "scores"),
                    "quantiles": ("quantiles",),
                }[METRICS[name].requires]
            )
