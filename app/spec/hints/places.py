"""What the language allows at a place of a document: the classes of its object, and the types of its value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

Path = Sequence[str | int]
Model = type[BaseModel]

_MAX_DEPTH = 4  # levels of objects in which a field is looked for


def types_at(root: Model, document: Any, path: Path) -> list[Any]:
    """Return the types that a value may have at a place: the members of a union one by one, without `None`.

    Of several classes of objects only those remain that the `kind` in the document selects.
    """
    types: list[Any] = [root]
    here = document
    for part in path:
        types = [inner for each in types for inner in _inner_types(each, part)]
        here = _child(here, part)
        types = _selected(types, here)
    return types


def classes_at(root: Model, document: Any, path: Path) -> list[Model]:
    """Return the classes that an object at a place may have, those that its `kind` selects."""
    return [_without_constraints(each) for each in types_at(root, document, path) if _is_model(each)]


def accepts(type_: Any, value: Any) -> bool:
    """Say whether a value is valid of a type, which is a class of objects or has none in it."""
    try:
        if type_ is _without_constraints(type_) and _is_model(type_):
            type_.model_validate(value)
        else:
            TypeAdapter(type_).validate_python(value)
    except ValidationError:
        return False
    return True


def field_types(part: Model, name: str) -> list[Any]:
    """Return the types that a field may have, one by one."""
    return list(_members(_full_type(part.model_fields[name])))


def words_of(types: Sequence[Any]) -> list[Any]:
    """Return the values that types list, and those that their items list."""
    words: list[Any] = []
    for each in types:
        plain = _without_constraints(each)
        items = [member for argument in get_args(plain) for member in _members(argument)]
        for type_ in (plain, *items) if get_origin(plain) in (tuple, list) else (plain,):
            if get_origin(_without_constraints(type_)) is Literal:
                words += get_args(_without_constraints(type_))
            elif isinstance(type_, type) and issubclass(type_, Enum):
                words += [member.value for member in type_]
    return words


def element_classes(type_: Any, item: Any) -> list[Model]:
    """Return the classes of objects that a list or a mapping of this type holds, those that fit an item."""
    plain = _without_constraints(type_)
    held = (member for argument in get_args(plain) for member in _members(argument))
    models = [_without_constraints(each) for each in held if _is_model(each)]
    return _selected(models, item)


def kinds_of(part: Model) -> tuple[str, ...]:
    """Return the kinds that select a class; none if it is of no union."""
    field = part.model_fields.get("kind")
    return get_args(field.annotation) if field is not None else ()


def tag_field(part: Model) -> str:
    """Return the field whose value selects a class of a union: in specs `kind`, in edits `op`."""
    return "op" if "op" in part.model_fields else "kind"


def _is_tagged(part: Model, value: Mapping[str, Any]) -> bool:
    """Say whether an object has the kind or the operation of a class, or the class has none."""
    name = tag_field(part)
    field = part.model_fields.get(name)
    tags = get_args(field.annotation) if field is not None else ()
    return not tags or value.get(name) in tags


@dataclass(frozen=True, slots=True)
class ObjectPlace:
    """An object that a document has, or may have, at a place that no list or name leads to.

    `kind` is the one that selects its class where the document has no object yet: by default, or as a bare name.
    """

    pointer: str
    part: Model
    value: Mapping[str, Any]
    kind: str | None = None


def object_places(root: Model, document: Any) -> Iterator[ObjectPlace]:
    """Yield the objects of a document whose place is fixed, the outermost first. Objects of unknown kinds are left out.

    An object that the document does not have yet is one of them if its class is known.
    """
    level = [ObjectPlace("", root, document if isinstance(document, dict) else {})]
    for _ in range(_MAX_DEPTH):
        yield from level
        level = [inner for place in level for inner in _inner_places(place)]


def _inner_places(place: ObjectPlace) -> Iterator[ObjectPlace]:
    for name, field in place.part.model_fields.items():
        value, kind = place.value.get(name), None
        if isinstance(value, str):
            kind = value
        elif value is None and isinstance(default := field.get_default(call_default_factory=True), BaseModel):
            kind = getattr(default, "kind", None)
        elif value is not None and not isinstance(value, dict):
            continue
        fields = value if isinstance(value, dict) else {}
        types = _selected([*_members(_full_type(field))], {"kind": kind} if kind else fields)
        if len(types) == 1 and _is_model(types[0]):
            yield ObjectPlace(f"{place.pointer}/{name}", _without_constraints(types[0]), fields, kind)


def _is_model(type_: Any) -> bool:
    plain = _without_constraints(type_)
    return isinstance(plain, type) and issubclass(plain, BaseModel)


def _full_type(field: Any) -> Any:
    """Return the type of a field with its constraints."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _members(type_: Any) -> Iterator[Any]:
    """Yield the members of a union of any depth, and any other type as it is; constraints of a union are left out."""
    inner = _without_constraints(type_)
    if get_origin(inner) in (Union, UnionType):
        for member in get_args(inner):
            yield from _members(member)
    elif inner is not NoneType:
        yield type_


def _without_constraints(type_: Any) -> Any:
    while get_origin(type_) is Annotated:
        type_ = get_args(type_)[0]
    return type_


def _inner_types(type_: Any, part: str | int) -> Iterator[Any]:
    plain = _without_constraints(type_)
    origin, arguments = get_origin(plain), get_args(plain)
    if _is_model(plain):
        if (field := plain.model_fields.get(str(part))) is not None:
            yield from _members(_full_type(field))
    elif origin is tuple and isinstance(part, int):
        uniform = arguments[-1] is Ellipsis
        if uniform or part < len(arguments):
            yield from _members(arguments[0 if uniform else part])
    elif origin is list and isinstance(part, int):
        yield from _members(arguments[0])
    elif origin is dict:
        yield from _members(arguments[1])


def _child(value: Any, part: str | int) -> Any:
    if isinstance(value, list) and isinstance(part, int):
        return value[part] if part < len(value) else None
    return value.get(part) if isinstance(value, dict) else None


def _selected(types: list[Any], value: Any) -> list[Any]:
    """Return the types that fit a value: of an object the class of its kind, or of its operation."""
    if isinstance(value, dict):
        models = [each for each in types if _is_model(each)]
        chosen = [each for each in models if _is_tagged(_without_constraints(each), value)]
        return chosen or models or types
    return types
