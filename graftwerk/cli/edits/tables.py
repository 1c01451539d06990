"""Edits, dry runs and differences as text: tables without colours, which other programs can split into columns."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from graftwerk.cli.edits.trigger import format_trigger
from graftwerk.cli.output import out, print_table, print_warnings
from graftwerk.jobs.edits import Edit
from graftwerk.numbers import parse_number

# Part of an inspection's totals and memory → its title, where the name alone does not say enough.
TOTAL_NAMES: Mapping[str, str] = {
    "flops": "operations of one example",
    **{name: f"bytes of {name}" for name in ("weights", "gradients", "optimizer", "average", "activations")},
    "total": "bytes of memory in all",
}
PLAIN_FIELDS = frozenset({"op", "node", "nodes", "after", "to", "path", "value", "with"})  # shown without their names


def format_operation(operation: Mapping[str, Any]) -> str:
    """Return an operation in about its short form."""
    parts = [str(operation["op"])]
    for name, value in operation.items():
        if name != "op" and value is not None:
            text = _format_value(value)
            parts.append(text if name in PLAIN_FIELDS or isinstance(value, Mapping) else f"{name}={text}")
    return " ".join(parts)


def print_edit(edit: Edit) -> None:
    """Print one edit: its state, and why it was rejected."""
    outcome = f", as revision {edit.revision} before step {edit.step}" if edit.revision is not None else ""
    waits = f", waits for {format_trigger(edit.at)}" if edit.pending and edit.at != "now" else ""
    out().print(f"edit {edit.number}: {edit.state}{outcome}{waits}", markup=False)
    for problem in edit.problems:
        out().print(Text.assemble(("  ", ""), (problem.pointer or "/", "bold"), f": {problem.detail}"))
        if problem.hint:
            out().print(Text.assemble(("    hint: ", "cyan"), problem.hint))


def print_dry_run(report: Mapping[str, Any]) -> None:
    """Print what an edit would do: nodes, totals, settings, and the measured difference of the outputs."""
    before = ", after edits " + ", ".join(map(str, report["pending"])) if report["pending"] else ""
    out().print(f"dry run on revision {report['revision']}{before}: nothing is changed\n", markup=False)
    print_network_diff(report["diff"])
    out().print(_format_difference(report.get("difference")), markup=False)
    print_warnings(report)


def print_network_diff(diff: Mapping[str, Any]) -> None:
    """Print what differs between two revisions: nodes, totals and settings."""
    tables = (
        (("", "NODE", "KIND", "SHAPE", "PARAMETERS"), list(_node_rows(diff))),
        (("TOTAL", "BEFORE", "AFTER", "CHANGE"), list(_total_rows(diff["totals"]))),
        (("SETTING", "BEFORE", "AFTER"), [_setting_row(*item) for item in diff["settings"].items()]),
    )
    for titles, rows in tables:
        if rows:
            print_table(titles, rows)
            out().print()
    if not any(rows for _, rows in tables):
        out().print("nothing differs")


def _node_rows(diff: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a row of each node that was added (+), removed (-) or changed (~)."""
    for sign, part in (("+", "added"), ("-", "removed")):
        for path, node in diff[part].items():
            yield sign, path, node["kind"], _format_shape(node), _format_count(node.get("parameters"))
    for path, change in diff["changed"].items():
        before, after = change["before"], change["after"]
        shape = _change(_format_shape(before), _format_shape(after))
        count = _change(*(_format_count(node.get("parameters")) for node in (before, after)))
        kind = _change(before.get("kind", ""), after.get("kind", ""))
        reads = _change(*(",".join(node.get("inputs", ())) for node in (before, after)))
        yield "~", path, kind, shape or (f"reads {reads}" if reads else ""), count


def _total_rows(totals: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, counts in totals.items():
        before, after = counts["before"], counts["after"]
        if before != after:
            ratio = f"x {after / before:.3g}" if before and after is not None else ""
            yield TOTAL_NAMES.get(name, name), _format_count(before), _format_count(after), ratio


def _setting_row(pointer: str, change: Mapping[str, Any]) -> tuple[str, ...]:
    return pointer, *(json.dumps(change[side]) for side in ("before", "after"))


def _format_difference(difference: Mapping[str, Any] | None) -> str:
    if difference is None:
        return "outputs: not compared: without a checkpoint, for large data, and where gradients choose"
    what = f"{difference['rows']} rows, weights of step {difference['step']}"
    lines = [f"outputs, evaluation mode, {what}:"]
    for name, value in difference["max"].items():
        largest, relative = (f"{parse_number(each):.3g}" for each in (value, difference["relative"].get(name)))
        lines.append(f"  {name}: differs by at most {largest} ({relative} of its scale)")
    lines += [f"  {name}: cannot be compared" for name in difference["left_out"]]
    return "\n".join(lines)


def _format_shape(node: Mapping[str, Any]) -> str:
    """Return the shapes of a node's outputs, such as N x 64."""
    outputs = node.get("outputs") or {"": node.get("output")}
    return ", ".join(" x ".join(map(str, output["shape"])) for output in outputs.values() if output)


def _change(before: str, after: str) -> str:
    return before if before == after else f"{before} -> {after}"


def _format_count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def _format_value(value: Any) -> str:
    if isinstance(value, Mapping):
        fields = (f"{name}={_format_value(each)}" for name, each in value.items() if name != "kind")
        return " ".join([str(value.get("kind", "")), *fields]).strip()
    if isinstance(value, list | tuple):
        return ",".join(map(_format_value, value))
    return value if isinstance(value, str) else json.dumps(value)
