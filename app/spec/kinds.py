"""Literal tables of kinds, and the discriminated unions made of them.

A row describes a kind and its fields. A Pydantic class is made of it, for validation and JSON Schema. The workers have
a table with the same keys, which holds the builders; `tests/architecture/test_kinds.py` compares the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, create_model

from app.spec.base import SpecModel


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of a table.

    `fields` maps a name to a type (required), or to a pair of type and default. `inputs` is the minimum and the maximum
    number of inputs of a node, `shapes` describes them and the output. `references` are the fields that name more
    inputs, which a node reads after these. `outputs` names several outputs, of which the node's own id is the first;
    with `outputs_field` they are there only where that field is true, and one in `optional_outputs` only where its own
    field is. `output_inputs` says of how many of the first inputs an output is computed, if not of all. Of the fields
    in each of `exactly_one_of` one is given.
    """

    sentence: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[int, int] = (1, 1)
    shapes: str = "(N, *) → (N, *)"
    example: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    outputs_field: str = ""
    references: tuple[str, ...] = ()
    exactly_one_of: tuple[tuple[str, ...], ...] = ()
    optional_outputs: Mapping[str, str] = field(default_factory=dict)
    output_inputs: Mapping[str, int] = field(default_factory=dict)

    def output_names(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of the outputs of a node with these settings; none for a node with one output."""
        if self.outputs_field and not settings.get(self.outputs_field):
            return ()
        optional = self.optional_outputs
        return tuple(name for name in self.outputs if name not in optional or settings.get(optional[name]))


KindTable = Mapping[str, Kind]


class KindModel(SpecModel):
    """A part of a spec whose `kind` selects a row of a table."""

    setting_names: ClassVar[tuple[str, ...]] = ()
    elsewhere_hint: ClassVar[str] = ""  # where a kind may stand that a field does not take

    kind: str

    @classmethod
    def is_suggested_in(cls, field: str) -> bool:
        """Say whether a hint may suggest the kind for a field."""
        return True

    def settings(self) -> dict[str, Any]:
        """Return the row's own fields by name."""
        return {name: getattr(self, name) for name in self.setting_names}


Model = TypeVar("Model", bound=KindModel)


def create_kind_model(name: str, kind: Kind, base: type[Model], class_name: str = "") -> type[Model]:
    """Return the class of one kind: the base's fields, a literal `kind`, and the row's own fields.

    The class has the kind's name unless another is given.
    """
    fields: dict[str, Any] = {"kind": (Literal[name], ...)}
    for key, value in kind.fields.items():
        fields[key] = value if isinstance(value, tuple) else (value, ...)
    model = create_model(class_name or name, __base__=base, __doc__=kind.sentence, __module__=base.__module__, **fields)
    model.setting_names = tuple(kind.fields)
    return model


def create_kind_models(
    table: KindTable, base: type[Model], names: Mapping[str, str] = MappingProxyType({})
) -> dict[str, type[Model]]:
    """Return the classes of a table by kind; `names` holds the class names that differ from the kinds'."""
    return {name: create_kind_model(name, kind, base, names.get(name, "")) for name, kind in table.items()}


def discriminated_union(*tables: Mapping[str, type[SpecModel]]) -> Any:
    """Return the discriminated union of all classes.

    A text in place of an object is its `kind`: "ReLU" is {"kind": "ReLU"}. The JSON Schema has the texts that are
    enough, those of the kinds without a required field.
    """
    members = {kind: member for table in tables for kind, member in table.items()}
    union: Any = Annotated[_union(*members.values()), Field(discriminator="kind")]
    names = tuple(kind for kind, member in members.items() if not required_fields(member))
    accepted = _union(Literal.__getitem__(names), union) if names else union
    return Annotated[union, BeforeValidator(_from_kind, json_schema_input_type=accepted)]


def kind_or_name(part: type[SpecModel]) -> Any:
    """Return the type of an object with several kinds, in whose place a text is its `kind`."""
    accepted = _union(part.model_fields["kind"].annotation, part)
    return Annotated[part, BeforeValidator(_from_kind, json_schema_input_type=accepted)]


def required_fields(member: type[BaseModel]) -> list[str]:
    """Return the fields of a class that have no default, besides `kind`."""
    fields = member.model_fields.items()
    return [field.alias or name for name, field in fields if field.is_required() and name != "kind"]


def field_names(member: type[BaseModel]) -> list[str]:
    """Return the fields of a class by the names that they have in documents."""
    return [field.alias or name for name, field in member.model_fields.items()]


def _union(*members: Any) -> Any:
    return reduce(or_, members)


def _from_kind(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value
