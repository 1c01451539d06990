"""Fields of objects: what an unknown one may have meant, where it belongs, and what an object lacks."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.spec.hints.names import choices, same_names, similar_names, suggestion
from app.spec.hints.places import (
    Model,
    ObjectPlace,
    Path,
    accepts,
    classes_at,
    kinds_of,
    object_places,
    required_fields,
)
from app.spec.kinds import KindModel

MAX_SUGGESTED_KINDS = 3
MAX_SUGGESTED_PLACES = 2


def allowed_classes(root: Model, document: Any, path: Path) -> list[Model]:
    """Return the classes that an object at a place may have, without those that its field does not take."""
    names = [part for part in path if isinstance(part, str)]
    field = names[-1] if names else ""
    classes = classes_at(root, document, path)
    return [each for each in classes if not issubclass(each, KindModel) or each.is_allowed_in(field)]


def allowed_kinds(root: Model, document: Any, path: Path) -> list[str]:
    """Return the kinds that an object at a place may have."""
    return [kind for each in allowed_classes(root, document, path) for kind in kinds_of(each)]


def unknown_field_hint(root: Model, document: Any, path: Path) -> str:
    """Return what to do with a field that its object does not have.

    In this order: the name that it has here, the object that it belongs to, the name that it resembles, or to remove
    it. A field that the object has already is never the hint.
    """
    parent, word = path[:-1], str(path[-1])
    value = _value(document, parent)
    fields = list(dict.fromkeys(name for each in classes_at(root, document, parent) for name in each.model_fields))
    free = [name for name in fields if name not in value]
    if names := same_names(word, free):
        return suggestion(names)
    pointer = "".join(f"/{part}" for part in parent)
    places = list(object_places(root, document))
    if any(each.pointer == pointer for each in places) and (hint := _move_hint(word, pointer, value[word], places)):
        return hint
    if names := similar_names(word, free):
        return suggestion(names)
    listing = choices(sorted(fields)).removeprefix("one of: ")
    return f"remove it; there are: {listing}" if listing else "remove it"


def _move_hint(word: str, pointer: str, value: Any, places: Sequence[ObjectPlace]) -> str:
    """Return the hint to the outermost object that has a field of that name, or else one that means it."""
    others = [each for each in places if each.pointer != pointer]
    found = [(each, word) for each in others if word in each.part.model_fields]
    if not found:
        found = [(each, names[0]) for each in others if (names := same_names(word, each.part.model_fields))]
    if not found:
        return ""
    depth = min(each.pointer.count("/") for each, _ in found)
    nearest = [(each, name) for each, name in found if each.pointer.count("/") == depth]
    free = [(each, name) for each, name in nearest if name not in each.value][:MAX_SUGGESTED_PLACES]
    if not free:
        return f"remove it: {nearest[0][0].pointer}/{nearest[0][1]} is there"
    return "move it to " + " or ".join(_target(each, name, word, value) for each, name in free)


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
    known = {field for each in classes for field in each.model_fields}
    for other in value if isinstance(value, dict) else ():
        if other not in known and (same_names(other, [name]) or similar_names(other, [name])):
            return f'rename "{other}" to "{name}"'
    return f'add "{name}": …'


def default_hint(classes: Sequence[Model], path: Path) -> str:
    """Return a hint with the default of a field, as an example of its form; an empty string if it has none."""
    for each in classes:
        field = each.model_fields.get(str(path[-1])) if path else None
        if field is not None and isinstance(field.default, str | int | float | tuple):
            return f"such as {json.dumps(field.default, ensure_ascii=False)}"
    return ""


def kind_hint(value: Any, classes: Sequence[Model]) -> str:
    """Return how an object gets its `kind`: the only ones that its fields fit, or a field that holds it."""
    fields: Mapping[str, Any] = value if isinstance(value, dict) else {}
    kinds = [kind for each in classes for kind in kinds_of(each)]
    fitting = [kind for each in classes for kind in kinds_of(each)[:1] if accepts(each, {**fields, "kind": kind})]
    if 0 < len(fitting) <= MAX_SUGGESTED_KINDS:
        return "add " + " or ".join(f'"kind": "{kind}"' for kind in fitting)
    for name, word in fields.items():
        if isinstance(word, str) and same_names(name, ["kind"]) and (word in kinds or same_names(word, kinds)):
            return f'rename "{name}" to "kind"'
    return choices(kinds)


def _value(document: Any, path: Path) -> Any:
    for part in path:
        document = document[part]
    return document


def _example(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False).replace('"…"', "…")
