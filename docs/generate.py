"""Writes openapi.json and the generated parts of the documentation anew: ``python docs/generate.py``.

A part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``; its text comes from the program itself, and
a test fails where the two differ.
"""

import ast
import json
import re
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from keyword import iskeyword
from pathlib import Path
from typing import Any

import typer.main
from data_tables import datasets_table, environments_table, excluded_torchvision_table, torchvision_table
from edit_tables import edit_operations_table, edit_settings_table
from kind_tables import features_table, kinds_table, markdown_table, model_table
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from typer.core import TyperGroup

from app.api.lanes import LANE_DESCRIPTIONS, LANES
from app.api.main import create_app
from app.api.prometheus import metric_descriptions
from app.api.server.refusals import REFUSALS
from app.api.server.serving import CONNECTION_METRICS
from app.edits.states import TRANSITIONS as EDIT_TRANSITIONS
from app.edits.states import EditState
from app.faultpoints import FAULTPOINTS
from app.jobs.states import TRANSITIONS, Status
from app.logs import LOG_EVENTS
from app.settings import Settings
from app.spec.catalog import KIND_GROUPS
from app.spec.data.columns import COLUMN_TYPES, DATETIME_FORMATS, NUMBER_FORMATS
from app.spec.data.environments.catalog import UNSUPPORTED_ENVIRONMENTS
from app.spec.data.environments.dynamics import Dynamics
from app.spec.data.environments.environment import EnvironmentData
from app.spec.data.sources import BUILTIN_SCHEMAS
from app.spec.data.upload_formats import UPLOAD_FORMATS
from app.spec.inspection import Input, InspectionRequest
from app.spec.network.generation import Generation
from app.spec.network.wiring import RESERVED_IDS
from app.spec.training.metrics import METRICS
from app.spec.training.statistics import QUANTITIES
from app.webhooks.messages import MessageType
from graftwerk.cli.main import app as cli

DOCS = Path(__file__).parent
ROOT = DOCS.parent
GENERATED_SECTION = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def descriptions_table(rows: Mapping[str, str], title: str) -> str:
    """Return the table of words with a sentence each."""
    return markdown_table([title, "meaning"], ([f"`{name}`", sentence] for name, sentence in rows.items()))


def metrics_table() -> str:
    """Return the table of metrics."""
    rows = ([f"`{name}`", ", ".join(row.task_types), row.sentence] for name, row in METRICS.items())
    return markdown_table(["metric", "about", "meaning"], rows)


Transitions = Mapping[Any, tuple[frozenset[Any], Any]]  # verb → sources and target


def states_table(states: type[StrEnum], title: str) -> str:
    """Return the table of states with their sentences."""
    sentences = _member_docstrings(states)
    return markdown_table([title, "meaning"], ([f"`{state}`", sentences[state.name]] for state in states))


def transitions_table(states: type[StrEnum], transitions: Transitions) -> str:
    """Return the table of verbs: from where, to where."""
    sentences = _member_docstrings(type(next(iter(transitions))))
    rows = []
    for verb, (sources, target) in transitions.items():
        before = ", ".join(f"`{state}`" for state in states if state in sources)
        rows.append([f"`{verb}`", before, f"`{target}`", sentences[verb.name]])
    return markdown_table(["verb", "from", "to", "meaning"], rows)


def state_diagram(states: type[StrEnum], transitions: Transitions, beginning: str) -> str:
    """Return the state machine as a Mermaid diagram."""
    edges = [
        f"    {source} --> {target}: {verb}"
        for verb, (sources, target) in transitions.items()
        for source in states
        if source in sources
    ]
    ends = [f"    {state} --> [*]" for state in states if not any(state in s for s, _ in transitions.values())]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {beginning}", *edges, *ends, "```"])


def _member_docstrings(enum: type) -> dict[str, str]:
    """Return the docstring of each member, which Python does not keep."""
    module = sys.modules[enum.__module__]
    source = Path(str(module.__file__)).read_text()
    body = source.partition(f"class {enum.__name__}(")[2].partition("\n\n\n")[0]
    return dict(re.findall(r'^    ([A-Z_]+) = "[^"]*"\n    """(.*?)"""', body, re.MULTILINE | re.DOTALL))


def webhook_events_table() -> str:
    """Return the table of webhook events."""
    sentences = {MessageType[name].value: sentence for name, sentence in _member_docstrings(MessageType).items()}
    return markdown_table(
        ["event", "what it tells"], [[f"`{type_}`", sentence] for type_, sentence in sentences.items()]
    )


def settings_table() -> str:
    """Return the table of settings."""
    rows = [
        [f"`GRAFTWERK_{name.upper()}`", _format_default(field), field.description or ""]
        for name, field in Settings.model_fields.items()
    ]
    return markdown_table(["variable", "default", "meaning"], rows)


def refusals_table() -> str:
    """Return the table of what the server answers by itself."""
    rows = [[f"{int(refusal.status)}", f"`{refusal.code}`", refusal.detail] for refusal in REFUSALS]
    return markdown_table(["status", "code", "meaning"], rows)


def _format_default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path):
        value = f"~/{value.name}"
    return "" if value is None else f"`{value}`"


def commands_table() -> str:
    """Return the table of the command line's commands."""
    return markdown_table(["command", "what it does", "options"], _command_rows(typer.main.get_group(cli), "graftwerk"))


def _command_rows(group: TyperGroup, path: str) -> list[list[str]]:
    rows: list[list[str]] = []
    for name, command in group.commands.items():
        place = f"{path} {name}"
        rows += _command_rows(command, place) if isinstance(command, TyperGroup) else [_command_row(command, place)]
    return rows


def _command_row(command: Any, path: str) -> list[str]:
    words, options = [path], []
    for part in command.params:
        if part.param_type_name == "option":
            options.append(f"`{part.opts[0]}`")
        else:
            metavar = part.metavar or part.name.upper()
            words.append(metavar if part.required else f"[{metavar}]")
    sentence = (command.help or "").partition("\n\n")[0].replace("\n", " ")
    return [f"`{' '.join(words)}`", sentence, " ".join(options)]


def routes_table() -> str:
    """Return the table of routes, from the committed description of the API."""
    described = json.loads((DOCS / "openapi.json").read_text())
    rows = []
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            if isinstance(operation, Mapping) and "responses" in operation:
                rows.append([f"`{method.upper()} {path}`", operation.get("summary", ""), _operation_summary(operation)])
    return markdown_table(["route", "name", "what it does"], rows)


def _operation_summary(operation: Mapping[str, Any]) -> str:
    return str(operation.get("description", "")).partition("\n\n")[0].replace("\n", " ")


def lanes_table() -> str:
    """Return the table of the lanes of requests."""
    rows = [
        [f"`{lane}`", LANE_DESCRIPTIONS[lane], str(limits.concurrent), str(limits.per_key), f"{limits.wait_seconds:g}"]
        for lane, limits in LANES.items()
    ]
    return markdown_table(["lane", "requests", "at once", "of one key", "seconds to wait"], rows)


def folders_table() -> str:
    """Return a table of every folder of code with its docstring: what it is, what belongs there, what never."""
    packages = sorted(
        path for package in ("app", "workers", "graftwerk") for path in (ROOT / package).rglob("__init__.py")
    )
    rows = []
    for path in packages:
        docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
        summary, _, rest = docstring.partition("\n\n")
        here, never = (re.search(rf"{word}: (.*?)(?= Never: |$)", " ".join(rest.split())) for word in ("Here", "Never"))
        cells = [match[1] if match else "" for match in (here, never)]
        rows.append([f"`{path.parent.relative_to(ROOT)}/`", " ".join(summary.split()), *cells])
    return markdown_table(["folder", "what it is", "belongs here", "never"], rows)


def reserved_ids() -> str:
    """Return the names that no node can have, but for Python's own."""
    return ", ".join(f"`{name}`" for name in sorted(RESERVED_IDS) if not name.startswith("_") and not iskeyword(name))


IRREGULAR = {"control": "control", "leaves": "leaf", "losses": "loss", "generation-methods": "generation"}
KIND_SECTIONS = IRREGULAR | {f"{group}s": group for group in KIND_GROUPS if group not in IRREGULAR.values()}

SECTIONS: dict[str, Callable[[], str]] = {
    **{name: partial(kinds_table, group) for name, group in KIND_SECTIONS.items()},
    "folders": folders_table,
    "formats": lambda: descriptions_table(UPLOAD_FORMATS, "format"),
    "types": lambda: descriptions_table(COLUMN_TYPES, "type"),
    "number-formats": lambda: descriptions_table(NUMBER_FORMATS, "format"),
    "datetime-formats": lambda: descriptions_table(DATETIME_FORMATS, "format"),
    "reserved": reserved_ids,
    "features": features_table,
    "edit-operations": edit_operations_table,
    "edit-settings": edit_settings_table,
    "inspection": lambda: model_table(InspectionRequest),
    "inspection-input": lambda: model_table(Input),
    "generation": lambda: model_table(Generation),
    "metrics": metrics_table,
    "builtin": lambda: datasets_table(BUILTIN_SCHEMAS),
    "torchvision": torchvision_table,
    "left-out": excluded_torchvision_table,
    "environments": environments_table,
    "excluded-environments": lambda: descriptions_table(UNSUPPORTED_ENVIRONMENTS, "environment"),
    "environment-data": lambda: model_table(EnvironmentData),
    "dynamics": lambda: model_table(Dynamics),
    "statuses": lambda: states_table(Status, "status"),
    "transitions": lambda: transitions_table(Status, TRANSITIONS),
    "drawing": lambda: state_diagram(Status, TRANSITIONS, "queued: created"),
    "edit-states": lambda: states_table(EditState, "state"),
    "edit-transitions": lambda: transitions_table(EditState, EDIT_TRANSITIONS),
    "edit-drawing": lambda: state_diagram(EditState, EDIT_TRANSITIONS, "accepted: submitted"),
    "faultpoints": lambda: descriptions_table(FAULTPOINTS, "point"),
    "settings": settings_table,
    "lanes": lanes_table,
    "figures": lambda: descriptions_table(metric_descriptions() | CONNECTION_METRICS, "figure"),
    "refusals": refusals_table,
    "log-events": lambda: descriptions_table(LOG_EVENTS, "event"),
    "commands": commands_table,
    "quantities": lambda: descriptions_table(QUANTITIES, "quantity"),
    "routes": routes_table,
    "messages": webhook_events_table,
}


def regenerate(text: str) -> str:
    """Return a document with every generated section rewritten."""
    return GENERATED_SECTION.sub(lambda match: f"{match[1]}{SECTIONS[match[2]]()}\n{match[3]}", text)


def openapi_json() -> str:
    """Return the description of the API as JSON."""
    return json.dumps(create_app(Settings()).openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Rewrite every document."""
    (DOCS / "openapi.json").write_text(openapi_json())
    for path in sorted(DOCS.glob("*.md")):
        before = path.read_text()
        if (after := regenerate(before)) != before:
            path.write_text(after)
            sys.stdout.write(f"{path.name} written anew\n")


if __name__ == "__main__":
    main()
