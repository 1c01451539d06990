"""The catalogue: every kind that a spec may name, with its JSON Schema."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from app.spec.base import SpecModel
from app.spec.data.environments.catalog import ENVIRONMENTS, NamedEnvironment
from app.spec.data.environments.experience import EXPERIENCE_CLASSES, EXPERIENCES
from app.spec.data.environments.exploration import EXPLORATION_CLASSES, EXPLORATIONS
from app.spec.data.environments.spaces import SPACE_CLASSES, SPACES
from app.spec.data.environments.wrappers import WRAPPER_CLASSES, WRAPPERS
from app.spec.data.images.transforms import MIXING_CLASSES, MIXING_TRANSFORMS, TRANSFORM_CLASSES, TRANSFORMS
from app.spec.kinds import Kind, KindTable
from app.spec.network.backbones import BACKBONES
from app.spec.network.control import CONTROL
from app.spec.network.generation import METHOD_CLASSES, METHODS
from app.spec.network.leaves import INITIALISER_CLASSES, INITIALISERS, LEAVES
from app.spec.network.modules.catalog import MODULES
from app.spec.network.nodes import NODE_CLASSES
from app.spec.network.operations.catalog import OPERATIONS
from app.spec.network.weights import PARAMETRIZATION_CLASSES, PARAMETRIZATIONS
from app.spec.training.algorithms.catalog import ALGORITHM_CLASSES, ALGORITHMS
from app.spec.training.losses import LOSS_CLASSES, LOSSES
from app.spec.training.metrics import METRICS
from app.spec.training.optimizers import OPTIMIZER_CLASSES, OPTIMIZERS
from app.spec.training.schedules import SCHEDULE_CLASSES, SCHEDULES
from app.spec.training.updates.weight_averages import AVERAGE_CLASSES, AVERAGES

# Group → its table and the classes made from it.
KIND_GROUPS: Mapping[str, tuple[KindTable, Mapping[str, type[SpecModel]]]] = {
    "module": (MODULES, NODE_CLASSES),
    "backbone": (BACKBONES, NODE_CLASSES),
    "operation": (OPERATIONS, NODE_CLASSES),
    "leaf": (LEAVES, NODE_CLASSES),
    "control": (CONTROL, NODE_CLASSES),
    "initialiser": (INITIALISERS, INITIALISER_CLASSES),
    "parametrization": (PARAMETRIZATIONS, PARAMETRIZATION_CLASSES),
    "generation": (METHODS, METHOD_CLASSES),
    "loss": (LOSSES, LOSS_CLASSES),
    "optimizer": (OPTIMIZERS, OPTIMIZER_CLASSES),
    "schedule": (SCHEDULES, SCHEDULE_CLASSES),
    "average": (AVERAGES, AVERAGE_CLASSES),
    "space": (SPACES, SPACE_CLASSES),
    "wrapper": (WRAPPERS, WRAPPER_CLASSES),
    "exploration": (EXPLORATIONS, EXPLORATION_CLASSES),
    "experience": (EXPERIENCES, EXPERIENCE_CLASSES),
    "algorithm": (ALGORITHMS, ALGORITHM_CLASSES),
    "transform": ({**TRANSFORMS, **MIXING_TRANSFORMS}, {**TRANSFORM_CLASSES, **MIXING_CLASSES}),
}
NODE_GROUPS = frozenset({"module", "backbone", "operation", "leaf", "control"})


def build_catalog() -> dict[str, Any]:
    """Return every kind with a reference to its JSON Schema, and all schemas by name.

    It takes about a second.
    """
    parts = [classes[kind] for table, classes in KIND_GROUPS.values() for kind in table]
    names, definitions = models_json_schema([(part, "validation") for part in parts], ref_template="#/schemas/{model}")
    references = {part: reference for (part, _), reference in names.items()}
    return {"kinds": list(_kind_entries(references)), "schemas": definitions["$defs"]}


def _kind_entries(references: Mapping[Any, object]) -> Iterator[dict[str, Any]]:
    for group, (table, classes) in KIND_GROUPS.items():
        for name, kind in table.items():
            wiring = _wiring_fields(kind) if group in NODE_GROUPS else {}
            yield {
                "kind": name,
                "group": group,
                "sentence": kind.sentence,
                **wiring,
                "example": {"kind": name, **kind.example},
                "schema": references[classes[name]],
            }
    for name, row in METRICS.items():
        yield {
            "kind": name,
            "group": "metric",
            "sentence": row.sentence,
            "about": list(row.task_types),
            "example": name,
            "schema": {"const": name},
        }
    for name, environment in ENVIRONMENTS.items():
        yield {
            "kind": name,
            "group": "environment",
            "sentence": environment.sentence,
            "shapes": environment_shapes(environment),
            "package": environment.package,
            "example": name,
            "schema": {"const": name},
        }


def environment_shapes(environment: NamedEnvironment) -> str:
    """Return the spaces of an environment in words: "(N, 3) → (N, 1) in -2..2", what is observed and what is done."""
    return f"{environment.observation.description} → {environment.action.description}"


def _wiring_fields(kind: Kind) -> dict[str, Any]:
    least, most = kind.inputs
    return {"shapes": kind.shapes, "least_inputs": least, "most_inputs": most, "outputs": list(kind.outputs)}
