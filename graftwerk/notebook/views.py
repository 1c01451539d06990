"""Jobs, networks and data sets as HTML."""

from collections.abc import Iterator, Mapping
from typing import Any

from graftwerk.notebook.html import Html, element, join, link, table, warnings_html
from graftwerk.numbers import parse_number

STATUS_COLOURS = {"succeeded": "#16a34a", "failed": "#dc2626", "cancelled": "#b45309", "running": "#0891b2"}
MAX_LABELS = 8  # of a column that are shown


def job_html(document: Mapping[str, Any], address: str) -> Html:
    """Return a job: name, status, progress, latest values, error, and a link to its page at `address`."""
    status, progress = document["status"], document.get("progress") or {}
    state = document.get("phase") or status
    colour = STATUS_COLOURS.get(status, "inherit")
    parts = [
        element("b", document["name"]),
        "  ",
        element("span", state, style=f"color:{colour};margin:0 8px"),
        link(address, document["id"]),
    ]
    step, total = progress.get("step"), progress.get("total_steps")
    if step is not None and total:
        bar = element("progress", value=step, max=total, style="vertical-align:middle;margin-right:8px")
        parts.append(element("div", bar, f"step {step} of {total}"))
    elif step is not None:
        parts.append(element("div", f"step {step}"))
    latest = progress.get("latest") or {}
    if latest:
        rows = [(name, f"{parse_number(value):.5g}") for name, value in latest.items()]
        parts.append(table(("metric", "latest"), rows))
    if error := document.get("error"):
        where = f" ({error['pointer']})" if error.get("pointer") else ""
        message = f": {error['message']}{where}"
        parts.append(element("div", element("b", error["code"]), message, style="color:#dc2626"))
    return element("div", *parts, warnings_html(document.get("warnings") or ()))


def network_html(document: Mapping[str, Any]) -> Html:
    """Return a network: its nodes with what they read, their shapes and parameters, and the totals."""
    inputs = ", ".join(f"{name}: {_shape(each)}" for name, each in document["inputs"].items())
    totals = document.get("totals") or {}
    figures = [f"{_count(totals.get('parameters'))} parameters, {_count(totals.get('trainable'))} of them trainable"]
    if totals.get("flops") is not None:
        figures.append(f"{_count(totals['flops'])} operations for an example")
    titles = ("node", "kind", "reads", "shape", "parameters")
    summary = element("div", element("b", "inputs "), inputs, "; ", ", ".join(figures))
    return element("div", summary, table(titles, _node_rows(document["nodes"])))


def _node_rows(nodes: list[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    for node in nodes:
        outputs = node.get("outputs") or {"": node.get("output")}
        shapes = ", ".join(_shape(output) for output in outputs.values() if output)
        reads = ", ".join(node.get("inputs") or ())
        yield str(node["id"]), str(node["kind"]), reads, shapes, _count(node.get("parameters"))


def dataset_html(document: Mapping[str, Any]) -> Html:
    """Return a data set: its columns and what a job makes of them, rows, problems, warnings, and first rows."""
    schema = document.get("data_schema") or {"columns": [], "rows": {}}
    rows = ", ".join(f"{count:,} {split}" for split, count in schema["rows"].items())
    head = [element("b", document["name"]), f" {document['status']} ", document["id"], f" {rows}"]
    titles = ("column", "type", "role", "shape", "missing", "values")
    columns = table(titles, (_column_row(column, schema) for column in schema["columns"]))
    preview = document.get("preview") or []
    names = list(dict.fromkeys(name for row in preview for name in row))
    shown = (tuple(_value(row.get(name)) for name in names) for row in preview)
    return element(
        "div",
        join(head),
        columns if schema["columns"] else Html(),
        warnings_html([*(document.get("problems") or ()), *(schema.get("warnings") or ())]),
        element("details", element("summary", f"the first {len(preview)} rows"), table(names, shown))
        if preview
        else Html(),
    )


def _column_row(column: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[str, ...]:
    labels = column.get("labels") or ()
    values = ", ".join(map(str, labels[:MAX_LABELS])) + (f" and {len(labels) - MAX_LABELS} more" * (len(labels) > 8))
    shape = " x ".join(map(str, column.get("shape") or ()))
    return column["name"], column["type"], _role(column, schema), shape, str(column.get("missing") or ""), values


def _role(column: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if column["name"] == schema.get("target"):
        return "target"
    if column.get("ignored"):
        return f"ignored: {column['ignored']}"
    return "input" if column["name"] in schema.get("inputs", ()) else "ignored"


def _shape(output: Mapping[str, Any]) -> str:
    return " x ".join(map(str, output["shape"])) or "scalar"


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def _value(value: Any) -> str:
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 80 else text[:80] + "…"
