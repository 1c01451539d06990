"""Writes openapi.json and the generated parts of the documentation anew: ``python docs/generate.py``.

A part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``; its text comes from the program itself, and
a test fails where the two differ.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer.main
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from typer.core import TyperGroup

from app.api.main import create_app
from app.api.prometheus import explained
from app.faultpoints import POINTS
from app.jobs.states import TRANSITIONS, Status, Verb
from app.logs import EVENTS
from app.settings import Settings
from app.spec.base import Part
from app.spec.catalog import GROUPS, NODES
from app.spec.data.columns import TYPES, DataSchema
from app.spec.data.sources import BUILTIN, FORMATS
from app.spec.data.torchvision_datasets import HOMES, LEFT_OUT, TORCHVISION
from app.spec.training.metrics import METRICS
from app.webhooks.messages import MessageType
from graftwerk.cli.main import app as cli

DOCS = Path(__file__).parent
PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
BASE_FIELDS = frozenset({"kind", "id", "inputs"})
LARGEST = 2**31 - 1  # a bound that only says "an int32"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles)]
    return "\n".join(lines + ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows])


def kinds(group: str) -> str:
    """Return the table of a group of kinds."""
    (rows, classes), nodes = GROUPS[group], group in NODES
    titles = ["kind", "fields", *(["inputs", "shapes"] if nodes else []), "meaning"]
    lines = []
    for name, kind in rows.items():
        least, most = kind.inputs
        arity = str(least) if least == most else f"{least}-{'any' if most >= 1024 else most}"
        shown = [arity, kind.shapes] if nodes else []
        lines.append([f"`{name}`", fields(classes[name]), *shown, kind.sentence])
    return table(titles, lines)


def fields(part: type[Part]) -> str:
    """Return the fields of a class with their types and defaults."""
    schema = part.model_json_schema()
    if "$ref" in schema:  # a part that may contain its like
        schema = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    required = schema.get("required", [])
    shown = []
    for name, field in schema["properties"].items():
        if name in BASE_FIELDS:
            continue
        default = "" if name in required else f" = {json.dumps(_plain(field.get('default')))}"
        shown.append(f"`{name}: {_type(field)}{default}`")
    return ", ".join(shown)


def _plain(value: Any) -> Any:
    return value["kind"] if isinstance(value, dict) else value


def _type(schema: Mapping[str, Any]) -> str:
    if members := schema.get("anyOf") or (schema.get("oneOf", []) if _names_a_body(schema) else []):
        return " or ".join(dict.fromkeys(_type(item) for item in members if item.get("type") != "null"))
    if "enum" in schema:
        return " or ".join(json.dumps(item) for item in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if schema.get("type") in ("integer", "number"):
        return {"integer": "int", "number": "number"}[schema["type"]] + _bounds(schema)
    if schema.get("type") == "array":
        return "list"
    words = {"boolean": "bool", "string": "text", "#/$defs/Body": "body"}
    return words.get(schema.get("type") or schema.get("$ref", ""), "initialiser")


def _names_a_body(schema: Mapping[str, Any]) -> bool:
    return any(item.get("$ref") == "#/$defs/Body" for item in schema.get("oneOf", []))


def _bounds(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if high is not None and high < LARGEST:
        return f" {low:g}..{high:g}"
    if low is not None and low > -LARGEST:
        return f" ≥ {low:g}"
    return " > 0" if schema.get("exclusiveMinimum") == 0 else ""


def data_sets(schemas: Mapping[str, DataSchema]) -> str:
    """Return the table of the named data sets."""
    rows = []
    for name, schema in schemas.items():
        columns = ", ".join(f"`{column.name}` {list(column.shape)} {column.dtype}" for column in schema.columns)
        rows.append([f"`{name}`", columns, ", ".join(f"{count:,} {split}" for split, count in schema.rows.items())])
    return table(["name", "columns", "rows"], rows)


def pictures() -> str:
    """Return the table of torchvision's data sets."""
    rows = []
    for name, schema in TORCHVISION.items():
        image, *targets = schema.columns
        size = " x ".join(map(str, image.shape)) if len(image.shape) == 3 else f"{image.shape[0]}, of unlike sizes"
        classes = ", ".join(f"{target.classes} (`{target.name}`)" for target in targets)
        counts = ", ".join(f"{count:,} {split}" for split, count in schema.rows.items())
        rows.append(
            [f"[`{name}`]({HOMES[name]})", "files" if image.type == "image" else "bytes", size, classes, counts]
        )
    return table(["name", "kept as", "channels, height, width", "classes", "rows"], rows)


def left_out() -> str:
    """Return the table of torchvision's data sets that are not among them, by reason."""
    reasons: dict[str, list[str]] = {}
    for name, reason in LEFT_OUT.items():
        reasons.setdefault(reason, []).append(f"`{name}`")
    return table(["reason", "data sets"], ([reason, ", ".join(names)] for reason, names in reasons.items()))


def sentences(rows: Mapping[str, str], title: str) -> str:
    """Return the table of words with a sentence each."""
    return table([title, "meaning"], ([f"`{name}`", sentence] for name, sentence in rows.items()))


def metrics() -> str:
    """Return the table of metrics."""
    rows = ([f"`{name}`", ", ".join(row.about), row.sentence] for name, row in METRICS.items())
    return table(["metric", "about", "meaning"], rows)


def statuses() -> str:
    """Return the table of statuses with their sentences."""
    sentences = _sentences(Status)
    return table(["status", "meaning"], ([f"`{status}`", sentences[status.name]] for status in Status))


def transitions() -> str:
    """Return the table of verbs: from where, to where."""
    sentences = _sentences(Verb)
    rows = []
    for verb, (sources, target) in TRANSITIONS.items():
        before = ", ".join(f"`{status}`" for status in Status if status in sources)
        rows.append([f"`{verb}`", before, f"`{target}`", sentences[verb.name]])
    return table(["verb", "from", "to", "meaning"], rows)


def drawing() -> str:
    """Return the state machine as a Mermaid diagram."""
    edges = [
        f"    {source} --> {target}: {verb}"
        for verb, (sources, target) in TRANSITIONS.items()
        for source in Status
        if source in sources
    ]
    ends = [f"    {status} --> [*]" for status in Status if not any(status in s for s, _ in TRANSITIONS.values())]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> queued: created", *edges, *ends, "```"])


def _sentences(enum: type) -> dict[str, str]:
    """Return the sentence under each member, which Python itself forgets."""
    module = sys.modules[enum.__module__]
    source = Path(str(module.__file__)).read_text()
    body = source.partition(f"class {enum.__name__}(")[2].partition("\n\n\n")[0]
    return dict(re.findall(r'^    ([A-Z_]+) = "[^"]*"\n    """(.*?)"""', body, re.MULTILINE | re.DOTALL))


def messages() -> str:
    """Return the table of what webhooks tell."""
    told = {MessageType[name].value: sentence for name, sentence in _sentences(MessageType).items()}
    return table(["event", "what it tells"], [[f"`{type_}`", sentence] for type_, sentence in told.items()])


def settings() -> str:
    """Return the table of settings."""
    rows = [
        [f"`GRAFTWERK_{name.upper()}`", _default(field), field.description or ""]
        for name, field in Settings.model_fields.items()
    ]
    return table(["variable", "default", "meaning"], rows)


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path):
        value = f"~/{value.name}"
    return "" if value is None else f"`{value}`"


def commands() -> str:
    """Return the table of the command line's commands."""
    return table(["command", "what it does", "options"], _commands(typer.main.get_group(cli), "graftwerk"))


def _commands(group: TyperGroup, path: str) -> list[list[str]]:
    rows: list[list[str]] = []
    for name, command in group.commands.items():
        place = f"{path} {name}"
        rows += _commands(command, place) if isinstance(command, TyperGroup) else [_command(command, place)]
    return rows


def _command(command: Any, path: str) -> list[str]:
    words, options = [path], []
    for part in command.params:
        if part.param_type_name == "option":
            options.append(f"`{part.opts[0]}`")
        else:
            metavar = part.metavar or part.name.upper()
            words.append(metavar if part.required else f"[{metavar}]")
    sentence = (command.help or "").partition("\n\n")[0].replace("\n", " ")
    return [f"`{' '.join(words)}`", sentence, " ".join(options)]


def routes() -> str:
    """Return the table of routes, from the committed description of the API."""
    described = json.loads((DOCS / "openapi.json").read_text())
    rows = []
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            if isinstance(operation, Mapping) and "responses" in operation:
                rows.append([f"`{method.upper()} {path}`", operation.get("summary", ""), _sentence(operation)])
    return table(["route", "name", "what it does"], rows)


def _sentence(operation: Mapping[str, Any]) -> str:
    return str(operation.get("description", "")).partition("\n\n")[0].replace("\n", " ")


PARTS: dict[str, Callable[[], str]] = {
    "formats": lambda: sentences(FORMATS, "format"),
    "types": lambda: sentences(TYPES, "type"),
    "modules": lambda: kinds("module"),
    "operations": lambda: kinds("operation"),
    "backbones": lambda: kinds("backbone"),
    "control": lambda: kinds("control"),
    "leaves": lambda: kinds("leaf"),
    "initialisers": lambda: kinds("initialiser"),
    "losses": lambda: kinds("loss"),
    "optimizers": lambda: kinds("optimizer"),
    "schedules": lambda: kinds("schedule"),
    "averages": lambda: kinds("average"),
    "transforms": lambda: kinds("transform"),
    "metrics": metrics,
    "builtin": lambda: data_sets(BUILTIN),
    "torchvision": pictures,
    "left-out": left_out,
    "statuses": statuses,
    "transitions": transitions,
    "drawing": drawing,
    "faultpoints": lambda: sentences(POINTS, "point"),
    "settings": settings,
    "figures": lambda: sentences(explained(), "figure"),
    "log-events": lambda: sentences(EVENTS, "event"),
    "commands": commands,
    "routes": routes,
    "messages": messages,
}


def written_anew(text: str) -> str:
    """Return a document with every generated part replaced by what the program says now."""
    return PART.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}\n{found[3]}", text)


def openapi() -> str:
    """Return the description of the API as JSON."""
    return json.dumps(create_app(Settings()).openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Rewrite every document."""
    (DOCS / "openapi.json").write_text(openapi())
    for path in sorted(DOCS.glob("*.md")):
        before = path.read_text()
        if (after := written_anew(before)) != before:
            path.write_text(after)
            sys.stdout.write(f"{path.name} written anew\n")


if __name__ == "__main__":
    main()
