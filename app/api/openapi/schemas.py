"""JSON Schemas of the description: unions have names, and the kinds of the language are open objects.

A spec may name some four hundred kinds. `/v1/catalog` has the schema of each, so the description says of a place for a
kind only that it takes an object with a `kind`; all else stays typed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import CoreRef, GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from app.spec.data.environments.experience import EXPERIENCES
from app.spec.data.environments.exploration import EXPLORATIONS
from app.spec.data.environments.spaces import SPACES
from app.spec.data.environments.wrappers import WRAPPERS
from app.spec.data.features import FEATURE_CLASSES
from app.spec.data.images.transforms import MIXING_TRANSFORMS, TRANSFORMS
from app.spec.edits.operations import OPERATION_NAMES
from app.spec.network.nodes import NODE_KINDS, BaseNode
from app.spec.training.algorithms.catalog import ALGORITHMS
from app.spec.training.losses import LOSSES
from app.spec.training.optimizers import OPTIMIZERS
from app.spec.training.schedules import SCHEDULES
from app.spec.training.updates.weight_averages import AVERAGES

MAX_LISTED_NAMES = 40  # kinds by name; the catalogue has the others
SCHEMA_REF = "#/components/schemas/{model}"

# Tags of a union of kinds → the name of its schema, and what the kinds are.
KIND_UNIONS: Mapping[frozenset[str], tuple[str, str]] = {
    frozenset(NODE_KINDS): ("NodeKind", "module, backbone, operation, leaf or control"),
    frozenset(LOSSES): ("LossKind", "loss"),
    frozenset(OPTIMIZERS): ("OptimizerKind", "optimizer"),
    frozenset(SCHEDULES): ("ScheduleKind", "schedule"),
    frozenset(AVERAGES): ("AverageKind", "average"),
    frozenset(TRANSFORMS): ("TransformKind", "transform"),
    frozenset({**TRANSFORMS, **MIXING_TRANSFORMS}): ("TrainingTransformKind", "transform"),
    frozenset(SPACES): ("SpaceKind", "space"),
    frozenset(WRAPPERS): ("WrapperKind", "wrapper"),
    frozenset(EXPLORATIONS): ("ExplorationKind", "exploration"),
    frozenset(EXPERIENCES): ("ExperienceKind", "experience"),
    frozenset(ALGORITHMS): ("AlgorithmKind", "algorithm"),
}
# Tags of the other unions that `kind` selects → the names of their schemas.
NAMED_UNIONS: Mapping[frozenset[str], str] = {
    frozenset(FEATURE_CLASSES): "Feature",
    frozenset({"builtin", "torchvision", "dataset", "environment"}): "Data",
    frozenset({"builtin", "torchvision", "upload"}): "DatasetSource",
    frozenset(OPERATION_NAMES): "Operation",
}


def request_schemas(models: Mapping[str, type[BaseModel]]) -> dict[str, JsonSchemaValue]:
    """Return the schemas of models by name, and of all that they refer to."""
    schemas: dict[str, JsonSchemaValue] = {}
    for name, model in models.items():
        schema = model.model_json_schema(ref_template=SCHEMA_REF, schema_generator=_NamedUnionSchemas)
        merge_schemas(schemas, schema.pop("$defs", {}))
        merge_schemas(schemas, {name: schema})
    return dict(sorted(schemas.items()))


def merge_schemas(schemas: dict[str, Any], others: Mapping[str, Any]) -> None:
    """Add schemas to `schemas`. Raises `ValueError` if two different schemas have one name."""
    for name, schema in others.items():
        if schemas.setdefault(name, schema) != schema:
            raise ValueError(f'two schemas are named "{name}": give one of them another name')


class _NamedUnionSchemas(GenerateJsonSchema):
    """Puts unions into components, and never visits the hundreds of members of a union of kinds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._definitions: dict[str, core_schema.CoreSchema] = {}  # not visited yet, by reference

    def definitions_schema(self, schema: core_schema.DefinitionsSchema) -> JsonSchemaValue:
        """Generate a schema, and of its definitions those that it refers to."""
        self._definitions |= {definition["ref"]: definition for definition in schema["definitions"]}
        return self.generate_inner(schema["schema"])

    def definition_ref_schema(self, schema: core_schema.DefinitionReferenceSchema) -> JsonSchemaValue:
        """Generate a reference, and the definition that it leads to."""
        definition = self._definitions.pop(schema["schema_ref"], None)
        if definition is not None:
            self.generate_inner(definition)
        return super().definition_ref_schema(schema)

    def union_schema(self, schema: core_schema.UnionSchema) -> JsonSchemaValue:
        """Generate a union; of a kind's bare name and the kinds, the component of the kinds, with the names."""
        choices = [choice[0] if isinstance(choice, tuple) else choice for choice in schema["choices"]]
        unions = [choice for choice in choices if choice["type"] == "tagged-union"]
        names = [name for choice in choices if choice["type"] == "literal" for name in choice["expected"]]
        if len(unions) != 1 or (tags := frozenset(map(str, unions[0]["choices"]))) not in KIND_UNIONS:
            return super().union_schema(schema)
        name, groups = KIND_UNIONS[tags]
        return self._component(name, lambda: _open_kind_schema(name, groups, names))

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """Return a reference to the component of a union in the tables above; other unions as Pydantic does."""
        tags = frozenset(str(tag) for tag in schema["choices"])
        if tags in KIND_UNIONS:
            name, groups = KIND_UNIONS[tags]
            return self._component(name, lambda: _open_kind_schema(name, groups, ()))
        generate = super().tagged_union_schema
        if tags in NAMED_UNIONS:
            return self._component(NAMED_UNIONS[tags], lambda: generate(schema))
        return generate(schema)

    def _component(self, name: str, generate: Callable[[], JsonSchemaValue]) -> JsonSchemaValue:
        definition, reference = self.get_cache_defs_ref_schema(CoreRef(name))
        if definition not in self.definitions:
            self.definitions[definition] = {}  # a union may contain itself
            self.definitions[definition] = generate()
        return reference


def _open_kind_schema(name: str, groups: str, names: Sequence[str]) -> JsonSchemaValue:
    """Return the schema of an object with a `kind`, or of one of the names, which are enough by themselves."""
    shared = BaseNode.model_json_schema()["properties"] if name == "NodeKind" else {"kind": {"type": "string"}}
    kind = {"type": "object", "properties": shared, "required": ["kind"], "additionalProperties": True}
    article = "An" if groups[0] in "aeiou" else "A"
    described = {
        "title": name,
        "description": f"{article} {groups}, by its `kind`. `GET /v1/catalog` has the schema of each kind.",
    }
    bare: dict[str, Any] = {"type": "string", "description": "The `kind` alone, of one without a required field."}
    if len(names) <= MAX_LISTED_NAMES:
        bare["enum"] = list(names)
    return described | ({"anyOf": [bare, kind]} if names else kind)
