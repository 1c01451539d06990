"""The tables of kinds: their fields, types, defaults and shapes, from the language's classes."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from app.spec.base import SpecModel
from app.spec.catalog import KIND_GROUPS, NODE_GROUPS
from app.spec.data.features import FEATURE_CLASSES
from app.spec.network.fields import MAX_INPUTS
from app.spec.network.weights import WEIGHT_FIELDS

BASE_FIELDS = frozenset({"kind", "id", "inputs"})  # of all nodes
WEIGHTS = "weights"  # in place of the fields of weights, which have a section of their own
MAX_INT32 = 2**31 - 1  # a bound that only says "an int32"


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles)]
    return "\n".join(lines + ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows])


def kinds_table(group: str) -> str:
    """Return the table of a group of kinds."""
    (rows, classes), nodes = KIND_GROUPS[group], group in NODE_GROUPS
    titles = ["kind", "fields", *(["inputs", "shapes"] if nodes else []), "meaning"]
    lines = []
    for name, kind in rows.items():
        least, most = kind.inputs
        arity = str(least) if least == most else f"{least}-{'any' if most >= MAX_INPUTS else most}"
        shown = [arity, kind.shapes] if nodes else []
        lines.append([f"`{name}`", fields_table(classes[name]), *shown, kind.sentence])
    return markdown_table(titles, lines)


def features_table() -> str:
    """Return the table of the kinds of features: the columns that each reads, and its fields."""
    rows = []
    for kind, part in FEATURE_CLASSES.items():
        types = ", ".join(f"`{each}`" for each in part.column_types)
        rows.append([f"`{kind}`", types, fields_table(part), (part.__doc__ or "").partition("\n")[0]])
    return markdown_table(["kind", "reads columns of type", "fields", "meaning"], rows)


def model_table(part: type[SpecModel]) -> str:
    """Return the table of the fields of one class, with their descriptions."""
    described = {name: field.description or "" for name, field in part.model_fields.items()}
    return markdown_table(["field", "meaning"], ([text, described[name]] for name, text in _field_texts(part)))


def fields_table(part: type[SpecModel]) -> str:
    """Return the fields of a class with their types and defaults, but for those of all nodes."""
    texts = {name: text for name, text in _field_texts(part) if name not in BASE_FIELDS}
    if texts.keys() >= WEIGHT_FIELDS.keys():
        texts = {name: text for name, text in texts.items() if name not in WEIGHT_FIELDS} | {WEIGHTS: f"*{WEIGHTS}*"}
    return ", ".join(texts.values())


def _field_texts(part: type[SpecModel]) -> Iterator[tuple[str, str]]:
    """Yield the names of the fields of a class, and each with its type and default."""
    schema = part.model_json_schema()
    if "$ref" in schema:  # a part that may contain its like
        schema = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        default = "" if name in required else f" = {json.dumps(_plain_text(field.get('default')))}"
        yield name, f"`{name}: {_format_type(field)}{default}`"


def _plain_text(value: Any) -> Any:
    return value["kind"] if isinstance(value, dict) else value


def _format_type(schema: Mapping[str, Any]) -> str:
    members = schema.get("anyOf") or (schema.get("oneOf", []) if _is_body_reference(schema) else [])
    if members and not _is_union_of_kinds(schema):
        return " or ".join(dict.fromkeys(_format_type(item) for item in members if item.get("type") != "null"))
    if "enum" in schema:
        return " or ".join(json.dumps(item) for item in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if schema.get("type") in ("integer", "number"):
        return {"integer": "int", "number": "number"}[schema["type"]] + _format_bounds(schema)
    if schema.get("type") == "array":
        return "list"
    words = {"boolean": "bool", "string": "text", "object": "object"}
    return words.get(schema.get("type", "")) or schema.get("$ref", "").rpartition("/")[2].lower() or _group(schema)


def _group(schema: Mapping[str, Any]) -> str:
    """Return the group of the kinds among which a field chooses."""
    unions = [each for each in (schema, *schema.get("anyOf", [])) if "discriminator" in each]
    kinds = unions[0]["discriminator"]["mapping"] if unions else {}
    return next((group for group, (table, _) in KIND_GROUPS.items() if kinds and set(kinds) <= set(table)), "kind")


def _is_union_of_kinds(schema: Mapping[str, Any]) -> bool:
    return any("discriminator" in member for member in schema.get("anyOf", []))


def _is_body_reference(schema: Mapping[str, Any]) -> bool:
    return any(item.get("$ref") == "#/$defs/Body" for item in schema.get("oneOf", []))


def _format_bounds(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if high is not None and high < MAX_INT32:
        return f" {_format_number(low)}..{_format_number(high)}" if low is not None else f" ≤ {_format_number(high)}"
    if low is not None and low > -MAX_INT32:
        return f" ≥ {_format_number(low)}"
    return " > 0" if schema.get("exclusiveMinimum") == 0 else ""


def _format_number(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"
