"""Moments as they are written, and as an edit has them."""

from typing import Any

import pytest
import typer

from app.spec.edits.edit import parse_edit
from graftwerk.cli.edits.trigger import format_trigger, parse_trigger


@pytest.mark.parametrize(
    ("text", "at", "written"),
    [
        ("now", "now", "now"),
        ("step=5000", {"step": 5000}, "step=5000"),
        (" epoch = 3 ", {"epoch": 3}, "epoch=3"),
        ("val/loss<0.3", {"when": {"metric": "val/loss", "below": 0.3}}, "val/loss<0.3"),
        ("val/loss < 3e-1", {"when": {"metric": "val/loss", "below": 0.3}}, "val/loss<0.3"),
        ("val/accuracy>0.9", {"when": {"metric": "val/accuracy", "above": 0.9}}, "val/accuracy>0.9"),
        ("val/loss plateau 5", {"when": {"metric": "val/loss", "plateau": 5}}, "val/loss plateau 5"),
        (
            "val/accuracy plateau 5 max",
            {"when": {"metric": "val/accuracy", "plateau": 5, "mode": "max"}},
            "val/accuracy plateau 5 max",
        ),
    ],
)
def test_both_ways(text: str, at: Any, written: str) -> None:
    assert parse_trigger(text) == at
    assert format_trigger(at) == written
    parse_edit({"at": at, "operations": [{"op": "remove", "node": "a"}]})


@pytest.mark.parametrize("text", ["", "soon", "step=-1", "step=x", "epoch=1.5", "val/loss=0.3", "val/loss<", "a<1e"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_trigger(text)
