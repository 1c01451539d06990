"""Places: from pointers into a job that was written out back to what the user wrote."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.errors import Problem


@dataclass
class Places:
    """Where the parts of a document come from, by JSON Pointer. What is not named stayed at its place."""

    moved: dict[str, str] = field(default_factory=dict)  # a part that was moved, with all that is in it
    generated: dict[str, str] = field(default_factory=dict)  # a part that was made → what it follows from

    def original(self, pointer: str) -> str:
        """Return the place in the user's document that a pointer into the written one means."""
        head, rest = pointer, ""
        while head:
            if head in self.moved:
                return self.moved[head] + rest
            if head in self.generated:
                return self.generated[head]
            head, _, last = head.rpartition("/")
            rest = f"/{last}{rest}"
        return pointer

    def translate(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return problems with the user's places, each once: a setting may be written out at several places."""
        return list(dict.fromkeys(replace(each, pointer=self.original(each.pointer)) for each in problems))

    def without_consequences(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return problems without those of parts that nobody wrote, if there are others: they follow from these."""
        found = list(problems)
        own = [each for each in found if not self._is_generated(each.pointer)]
        return own or found

    def _is_generated(self, pointer: str) -> bool:
        while pointer and pointer not in self.moved:
            if pointer in self.generated:
                return True
            pointer = pointer.rpartition("/")[0]
        return False

    def translate_report(self, report: Any) -> Any:
        """Return a report, a JSON document, in which each "pointer" is the user's place."""
        if not self.moved and not self.generated:
            return report
        if isinstance(report, Mapping):
            parts = {name: self.translate_report(part) for name, part in report.items()}
            pointer = parts.get("pointer")
            return parts | {"pointer": self.original(pointer)} if isinstance(pointer, str) else parts
        if isinstance(report, list | tuple):
            return [self.translate_report(part) for part in report]
        return report
