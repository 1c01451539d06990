"""What is to happen at which point: written by a campaign, read by the processes it hurts, in a folder they share."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PLAN_FILE, FIRED_FILE = "plan.json", "fired.jsonl"
FOLDER_VARIABLE = "GRAFTWERK_FAULTS"  # the variable of the environment that names the folder of the plan


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: it happens once, when a process passes the point for the `hit`-th time since the plan was written."""

    point: str
    action: str
    hit: int = 1
    seconds: float = 0.0  # of a delay


@dataclass(frozen=True, slots=True)
class FaultFolder:
    """The folder that a campaign and its service share."""

    folder: Path

    def write(self, number: int, strikes: Sequence[Fault]) -> None:
        """Put a plan in force, under a new number."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / "plan.part"
        part.write_text(json.dumps({"number": number, "strikes": [asdict(strike) for strike in strikes]}))
        part.replace(self.folder / PLAN_FILE)

    def read(self) -> tuple[int, list[Fault]]:
        """Return the plan in force."""
        try:
            document = json.loads((self.folder / PLAN_FILE).read_text())
        except FileNotFoundError:
            return 0, []
        return document["number"], [Fault(**strike) for strike in document["strikes"]]

    def version(self) -> int:
        """Return a number that changes with the plan."""
        try:
            return (self.folder / PLAN_FILE).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def mark_fired(self, number: int, index: int, strike: Fault) -> bool:
        """Note that a strike happens now; false if it has happened already."""
        try:
            (self.folder / f"{number}-{index}").touch(exist_ok=False)
        except FileExistsError:
            return False
        told = {"number": number, "point": strike.point, "action": strike.action, "pid": os.getpid(), "at": time.time()}
        with (self.folder / FIRED_FILE).open("a") as log:
            log.write(json.dumps(told) + "\n")
        return True

    def fired(self, number: int) -> list[dict[str, Any]]:
        """Return what has happened of a plan, in order."""
        try:
            lines = (self.folder / FIRED_FILE).read_text().splitlines()
        except FileNotFoundError:
            return []
        return [told for told in map(json.loads, lines) if told["number"] == number]
