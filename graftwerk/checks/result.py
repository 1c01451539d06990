"""The result of a check."""

from dataclasses import dataclass
from typing import Literal

CheckState = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was checked, its state, and how to fix it."""

    what: str
    state: CheckState
    detail: str
    hint: str = ""
