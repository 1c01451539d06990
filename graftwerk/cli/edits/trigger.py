"""When an edit is applied, as written on the command line: `step=5000`, `epoch=3`, `val/loss<0.3`."""

import re
from typing import Any

import typer

COUNT = re.compile(r"(step|epoch) *= *(\d+)")
BOUND = re.compile(r"(?P<metric>\S+?) *(?P<sign>[<>]) *(?P<value>[-+.\deE]+)")
PLATEAU = re.compile(r"(?P<metric>\S+) plateau (?P<count>\d+)(?: (?P<mode>min|max))?")
FORMS = 'now, step=5000, epoch=3, "val/loss<0.3", "val/accuracy>0.9", or "val/loss plateau 5" (evaluations)'


def parse_trigger(text: str) -> Any:
    """Return `at` of an edit. Raises `typer.BadParameter`."""
    text = text.strip()
    if text == "now":
        return text
    if count := COUNT.fullmatch(text):
        return {count[1]: int(count[2])}
    if plateau := PLATEAU.fullmatch(text):
        condition: dict[str, Any] = {"metric": plateau["metric"], "plateau": int(plateau["count"])}
        return {"when": condition | ({"mode": plateau["mode"]} if plateau["mode"] else {})}
    if bound := BOUND.fullmatch(text):
        try:
            value = float(bound["value"])
        except ValueError:
            raise typer.BadParameter(f"{bound['value']} is no number", param_hint="--at") from None
        return {"when": {"metric": bound["metric"], "below" if bound["sign"] == "<" else "above": value}}
    raise typer.BadParameter(f"{text} is not a trigger: {FORMS}", param_hint="--at")


def format_trigger(at: Any) -> str:
    """Return `at` of an edit as it is written on the command line."""
    if not isinstance(at, dict):
        return str(at)
    condition = at.get("when")
    if condition is None:
        return " ".join(f"{name}={value}" for name, value in at.items() if value is not None)
    if condition.get("plateau") is not None:
        mode = " max" if condition.get("mode") == "max" else ""
        return f"{condition['metric']} plateau {condition['plateau']}{mode}"
    below = condition.get("below")
    return f"{condition['metric']}<{below:g}" if below is not None else f"{condition['metric']}>{condition['above']:g}"
