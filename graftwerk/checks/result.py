"""One thing that was looked at."""

from dataclasses import dataclass
from typing import Literal

CheckState = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was looked at, how it is, and how to mend it."""

    what: str
    state: CheckState
    detail: str
    hint: str = ""
