"""Fields of objects: what an unknown one may have meant, where it belongs, and what an object lacks."""

import json
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any

from app.spec.hints.names import MAX_CANDIDATES, choices, fold, same_names, similar_names, suggestion
from app.spec.hints.places import (
    Model,
    ObjectPlace,
    Path,
    classes_at,
    element_classes,
    field_types,
    kinds_of,
    object_places,
    types_at,
)
from app.spec.hints.synonyms import UNNEEDED_FIELDS
from app.spec.kinds import field_names, required_fields

MAX_SUGGESTED_PLACES = 2
PLURAL_KINDS = {"tensor": "numbers", "category": "table"}  # features that read one column → several
NAMING_FIELDS = frozenset({"kind", "name", "id"})  # of very many objects, so no place of their own


def unknown_field_hint(root: Model, document: Any, path: Path) -> str:
    """Return what to do with a field that its object does not have: the first of the hints that there is."""
    return next(filter(None, _field_hints(root, document, path)))


def _field_hints(root: Model, document: Any, path: Path) -> Iterator[str]:
    """Yield hints, the likeliest first, or empty strings.

    They are the name that the field has here, another kind, a layer of its own, the object that it belongs to, the name
    that it resembles, and to remove it. A field that the object has already is never the hint.
    """
    parent, word = path[:-1], str(path[-1])
    value = _value(document, parent)
    classes = classes_at(root, document, parent)
    fields = list(dict.fromkeys(name for each in classes for name in field_names(each)))
    free = [name for name in fields if name not in value]
    missing = {name for each in classes for name in required_fields(each)} & set(free)
    yield UNNEEDED_FIELDS.get(fold(word), "")
    yield _plural_kind(value, word)
    yield suggestion(_preferred(same_names(word, free), missing))
    yield _unwrapping_hint(value[word], fields)
    yield _twin_kind(root, document, parent, word)
    yield _layer_hint(root, document, parent, value[word])
    pointer = "".join(f"/{part}" for part in parent)
    places = list(object_places(root, document))
    if word not in NAMING_FIELDS and any(each.pointer == pointer for each in places):
        yield _move_hint(word, pointer, value[word], places)
    yield suggestion(_preferred(similar_names(word, free), missing))
    present = [name for name in fields if name in value]
    yield from (f"remove it: {pointer}/{name} is there" for name in same_names(word, present))
    yield from (f"remove it: {pointer}/{name} is there" for name in similar_names(word, present))
    listing = choices(sorted(fields)).removeprefix("one of: ")
    yield f"remove it; there are: {listing}" if listing else "remove it"


def _plural_kind(value: Any, word: str) -> str:
    """Return the hint to the kind that takes several values where this one takes one of them: {"columns": [a, b]}."""
    several = value.get(word) if isinstance(value, dict) else None
    kind = PLURAL_KINDS.get(str(value.get("kind"))) if isinstance(several, list) and len(several) > 1 else None
    return f'set "kind" to "{kind}"' if kind is not None and word == "columns" else ""


def _unwrapping_hint(value: Any, fields: Sequence[str]) -> str:
    """Return the hint to write fields without the object around them: {"kind": "Adam", "params": {"lr": 0.1}}."""
    is_wrapper = isinstance(value, dict) and any(name in fields or same_names(name, fields) for name in value)
    return "remove it: what is in it is written in its place" if is_wrapper else ""


def _twin_kind(root: Model, document: Any, place: Path, word: str) -> str:
    """Return the hint to the kind that has the field, and differs in case alone from that of the object."""
    kind = _value(document, place).get("kind")
    if not isinstance(kind, str) or not place or not isinstance(place[-1], int):
        return ""
    union = (each for type_ in types_at(root, document, place[:-1]) for each in element_classes(type_, None))
    twins = (name for each in union if word in each.model_fields for name in kinds_of(each))
    return next((f'set "kind" to "{name}"' for name in twins if name != kind and fold(name) == fold(kind)), "")


def _layer_hint(root: Model, document: Any, place: Path, value: Any) -> str:
    """Return the hint to a layer of its own, where a field of a layer has the name of one: {"activation": "relu"}."""
    if not isinstance(value, str) or [*place[-2:-1]] != ["layers"]:
        return ""
    holder = classes_at(root, document, place[:-2])
    layers = (type_ for each in holder for type_ in field_types(each, "layers"))
    kinds = [kind for type_ in layers for each in element_classes(type_, None) for kind in kinds_of(each)]
    names = [value] if value in kinds else same_names(value, kinds)
    return f'remove it, and insert "{names[0]}" behind the layer' if names else ""


def _preferred(names: list[str], missing: AbstractSet[str]) -> list[str]:
    """Return those names that the object must have and lacks, or else all."""
    return [name for name in names if name in missing] or names


def _move_hint(word: str, pointer: str, value: Any, places: Sequence[ObjectPlace]) -> str:
    """Return the hint to the outermost object that has a field of that name, or else one that means it."""
    others = [each for each in places if each.pointer != pointer]
    found = [(each, word) for each in others if word in each.part.model_fields]
    if not found:
        found = [(each, names[0]) for each in others if (names := _own_names(word, each))]
    if not found:
        return ""
    depth = min(each.pointer.count("/") for each, _ in found)
    nearest = [(each, name) for each, name in found if each.pointer.count("/") == depth]
    free = [(each, name) for each, name in nearest if name not in each.value][:MAX_SUGGESTED_PLACES]
    if not free:
        return f"remove it: {nearest[0][0].pointer}/{nearest[0][1]} is there"
    return "move it to " + " or ".join(_target(each, name, word, value) for each, name in free)


def _own_names(word: str, place: ObjectPlace) -> list[str]:
    return [name for name in same_names(word, place.part.model_fields) if name not in NAMING_FIELDS]


def _target(place: ObjectPlace, name: str, word: str, value: Any) -> str:
    """Return the place of a field that is moved: an object, and what it is called or how it is written there."""
    target = place.pointer or "the top level"
    if place.kind is not None:
        return f"{target} as {_example({'kind': place.kind, name: value})}"
    return target if name == word else f'{target} as "{name}"'


def missing_field_hint(name: str, value: Any, classes: Sequence[Model]) -> str:
    """Return how an object gets a field that it lacks: from one that it has under another name, or as a new one."""
    if isinstance(value, str):  # a kind by its bare name
        needed = {field: "…" for each in classes if value in kinds_of(each) for field in required_fields(each)}
        return f"use {_example({'kind': value, **needed})}"
    known = {field for each in classes for field in field_names(each)}
    for other in islice(value, MAX_CANDIDATES) if isinstance(value, dict) else ():
        if other not in known and (same_names(other, [name]) or similar_names(other, [name])):
            return _plural_kind(value, other) or f'rename "{other}" to "{name}"'
    examples = [each.model_fields[name].examples for each in classes if name in each.model_fields]
    example = json.dumps(examples[0][0]) if examples and examples[0] else "…"
    return f'add "{name}": {example}'


def default_hint(root: Model, document: Any, path: Path) -> str:
    """Return a hint with the default of a field, or of its item, as an example; an empty string if it has none."""
    position = path[-1] if path and isinstance(path[-1], int) else None
    holder, names = (path[:-1], path[-1:]) if position is None else (path[:-2], path[-2:-1])
    for each in classes_at(root, document, holder):
        for field in (each.model_fields[str(name)] for name in names if str(name) in each.model_fields):
            default = field.default
            if position is not None:
                default = default[position] if isinstance(default, tuple) and position < len(default) else None
            if isinstance(default, str | int | float | tuple) and default not in ("", ()):
                return f"such as {json.dumps(default, ensure_ascii=False)}"
    return ""


def _value(document: Any, path: Path) -> Any:
    for part in path:
        document = document[part]
    return document


def _example(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False).replace('"…"', "…")
