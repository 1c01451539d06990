"""Values that are accepted in place of one that is not: the same thing, written as the field takes it."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from re import ASCII, findall, sub
from typing import Any

from app.ids import CHECKPOINT_ID_PATTERN, DATASET_ID_PATTERN, WEBHOOK_ID_PATTERN
from app.spec.base import MAX_INT64
from app.spec.hints.names import choices
from app.spec.hints.places import Model, accepts, element_classes, field_types, kinds_of, tag_field
from app.spec.kinds import field_names, required_fields

MAX_SHOWN_VALUE = 80  # characters of a value in a hint
MAX_CONVERTED_LENGTH = 200  # of a text or a list
MAX_TRIED_CLASSES = 4  # of a union: among very many classes some would take anything
_FORM_HINTS = {  # by Pydantic's type of an error
    "tuple_type": "write a list",
    "dict_type": 'write an object, by name: {"NAME": …}',
    "int_type": "use a whole number",
    "int_parsing": "use a whole number",
    "int_from_float": "use a whole number",
    "float_type": "use a number",
    "float_parsing": "use a number",
    "finite_number": "use a finite number",
}
_ID_HINTS = {
    DATASET_ID_PATTERN: "GET /v1/datasets lists the ids, which begin with ds_",
    CHECKPOINT_ID_PATTERN: "GET /v1/jobs/{id}/checkpoints lists the ids, which begin with ckpt_",
    WEBHOOK_ID_PATTERN: "GET /v1/webhooks lists the ids, which begin with whk_",
}
_MIN_PERCENT = 2  # a share that is greater is taken for one in percent


def value_hint(types: Sequence[Any], value: Any, context: Mapping[str, Any], is_required: bool) -> str:
    """Return a hint to a value of one of the types, or an empty string.

    `context` are the bounds of the violated constraint.
    """
    if (value is None or value is False) and not is_required:
        return "remove it"
    plain = [each for each in types if not element_classes(each, value)]
    for other in _conversions(value):
        if any(accepts(each, other) for each in plain):
            return f"use {_show(other)}"
    if isinstance(value, float) and math.isfinite(value) and not context:  # a whole number is expected
        whole = [each for each in (math.floor(value), math.ceil(value)) if any(accepts(type_, each) for type_ in plain)]
        if whole:
            return f"use {' or '.join(map(str, whole))}"
    item = {"kind": value} if isinstance(value, str) else value
    if any(accepts(part, item) for each in types for part in element_classes(each, item)):
        return f"use [{_show(value)}]"
    return _bound_hint(context)


def object_hint(classes: Sequence[Model], value: Any) -> str:
    """Return how an object is written that holds `value` in its only possible field, or an empty string."""
    if isinstance(value, list) and len(value) == 1 and any(_is_kind(each, value[0]) for each in classes):
        return f"use {_show(value[0])}"
    if isinstance(value, str) and any(_is_kind(each, value) for each in classes):
        return f'use {{"kind": "{value}"}}'
    if len(classes) > MAX_TRIED_CLASSES:
        field = tag_field(classes[0])
        return f'write an object with {"an" if field == "op" else "a"} "{field}"'
    found = [other for each in classes for other in _wrapped(each, value)]
    shown = [_show(other) for other in found[: 1 if isinstance(value, list) else 2]]
    return f"use {' or '.join(shown)}" if shown else ""


def _is_kind(part: Model, value: Any) -> bool:
    return (value.get("kind") if isinstance(value, dict) else value) in kinds_of(part)


def _conversions(value: Any) -> Iterator[Any]:
    """Yield what a value may have been meant as, the likeliest first; of long ones nothing."""
    if isinstance(value, str | list | dict) and len(value) > MAX_CONVERTED_LENGTH:
        return
    if isinstance(value, str):
        yield from _numbers(value)
        yield from {"true": (True,), "yes": (True,), "false": (False,), "no": (False,)}.get(value.lower(), ())
        if "/" in value:  # a path that is written as a JSON Pointer
            yield value.strip("/").replace("/", ".")
        yield identifier(value)
        yield [int(digits) for digits in findall(r"\d+", value)]
    elif isinstance(value, float) and math.isfinite(value) and value.is_integer():
        yield int(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if _MIN_PERCENT <= value <= MAX_INT64:
            yield value / 100
        yield str(value)
        yield f"n{value}"
    if isinstance(value, dict):
        yield list(value)
        yield from value.values() if len(value) == 1 else ()
    if isinstance(value, str | list) and all(isinstance(each, str) for each in value):
        yield {each: each for each in ([value] if isinstance(value, str) else value)}
    if isinstance(value, list) and value and all(each == value[0] for each in value):
        yield value[0]
    if not isinstance(value, list):
        yield [value]
        yield from ([number] for number in (_numbers(value) if isinstance(value, str) else ()))
    if isinstance(value, list):
        yield [next(_numbers(item), item) if isinstance(item, str) else item for item in value]


def identifier(text: str) -> str:
    """Return a text as a name: its letters and digits, with _ between them."""
    return sub(r"\W+", "_", text.strip(), flags=ASCII).strip("_")


def _numbers(text: str) -> Iterator[int | float]:
    """Yield the number that a text holds: with a comma, with thin marks between thousands, or in percent."""
    plain = text.strip().replace("_", "").replace(" ", "")
    share = plain.endswith("%")
    try:
        number = float(plain.rstrip("%").replace(",", "."))
    except ValueError:
        return
    if math.isfinite(number):
        yield number / 100 if share else int(number) if number.is_integer() else number


def _bound_hint(context: Mapping[str, Any]) -> str:
    for bound, words in (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than")):
        if bound in context:
            return f"use {words} {_plain_number(context[bound])}"
    return ""


def _plain_number(bound: float) -> int | float:
    return int(bound) if float(bound).is_integer() else bound


def form_hint(kind: str, value: Any, context: Mapping[str, Any], classes: Sequence[Model]) -> str:
    """Return what form a value must have, for an error of Pydantic of this type; an empty string if it is plain."""
    if classes and len(classes) <= MAX_TRIED_CLASSES:
        fields = choices(name for each in classes for name in field_names(each))
        return f"write an object, with {fields}" if fields else "write an object"
    if kind == "tuple_type" and isinstance(value, dict):
        return "write a list of its values"
    if kind == "too_short":
        return f"add at least {context['min_length'] - context['actual_length']}"
    if kind == "too_long":
        return f"keep at most {context['max_length']}"
    return _FORM_HINTS.get(kind) or _ID_HINTS.get(context.get("pattern", ""), "")


def _wrapped(part: Model, value: Any) -> Iterator[dict[str, Any]]:
    kind = {"kind": kinds_of(part)[0]} if kinds_of(part) else {}
    if isinstance(value, bool):
        defaults = (field.default for field in part.model_fields.values())
        yield from ({},) if value and not required_fields(part) and any(each is not None for each in defaults) else ()
        return
    fields = required_fields(part) or [name for name in part.model_fields if name != "kind"]
    for name in fields:
        is_list = any(element_classes(each, value) for each in field_types(part, name))
        if is_list and isinstance(value, list):
            yield {**kind, name: value}  # what is wrong inside is told next
        elif is_list and any(
            _is_kind(each, value)
            for type_ in field_types(part, name)
            for each in element_classes(type_, {"kind": value})
        ):
            yield {**kind, name: [value]}
        elif accepts(part, candidate := {**kind, name: value}) and not _is_name_list(part, name, value):
            yield candidate


def _is_name_list(part: Model, name: str, value: Any) -> bool:
    """Say whether a field takes a text only as a list of one name: any text would be one."""
    return isinstance(value, str) and any(accepts(each, [value]) for each in field_types(part, name))


def _show(value: Any) -> str:
    """Return a value as JSON; of a long one only the names of its fields."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) > MAX_SHOWN_VALUE and isinstance(value, dict):
        fields = (f'"{name}": {_short(inner)}' for name, inner in value.items())
        return "{" + ", ".join(fields) + "}"
    return text if len(text) <= MAX_SHOWN_VALUE else text[:MAX_SHOWN_VALUE] + "…"


def _short(value: Any) -> str:
    if isinstance(value, list | dict):
        return "[…]" if isinstance(value, list) else "{…}"
    return json.dumps(value, ensure_ascii=False)[:MAX_SHOWN_VALUE]
