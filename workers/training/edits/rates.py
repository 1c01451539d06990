"""Rates and momenta across an edit: what a schedule has made of them goes on, and what the document changes changes.

For every number there are three values: what the old document says, what the new one says, and the present one. Where
the documents agree the present one goes on. A rate that the new document multiplies is multiplied. Anything else is
what the new document says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workers.training.assembly import InitialRates
from workers.training.optim.schedules import JsonState

GROUP_RATES = frozenset({"lr", "initial_lr", "max_lr", "min_lr"})  # of a parameter group
SCHEDULE_RATES = frozenset({"base_lrs", "max_lrs", "_last_lr", "whole"})  # of a schedule, by group
BY_GROUP = SCHEDULE_RATES | {"min_lrs", "base_momentums", "max_momentums"}


@dataclass(frozen=True)
class RateChange:
    """The documents before and after an edit, and for every new group the old one whose parameters it continues."""

    before: InitialRates
    after: InitialRates
    origins: Sequence[int | None]  # `None`: a group of new parameters alone, which goes on like the first group

    def groups(self, present: Sequence[JsonState]) -> list[JsonState]:
        """Return the parameter groups afterwards, without parameters."""
        return [
            {
                name: self._group_value(position, name, present[self.origins[position] or 0].get(name, value))
                for name, value in group.items()
            }
            for position, group in enumerate(self.after.groups)
        ]

    def schedule(self, present: JsonState) -> JsonState:
        """Return the state of the schedule afterwards."""
        assert self.before.schedule is not None  # noqa: S101 - as there is a present one
        assert self.after.schedule is not None  # noqa: S101 - it is the same schedule
        return self._schedule(present, self.before.schedule, self.after.schedule)

    def _group_value(self, position: int, name: str, present: Any) -> Any:
        old = self.before.groups[self.origins[position] or 0]
        new = self.after.groups[position][name]
        if name in GROUP_RATES and name in old:
            return self._rate(position, present, old[name], new)
        return present if name in old and _equal(old[name], new) else new

    def _schedule(self, present: JsonState, old: JsonState, new: JsonState) -> JsonState:
        result: dict[str, Any] = {}
        for name, value in new.items():
            if name in BY_GROUP and isinstance(value, list):
                result[name] = self._by_group(name, present[name], old[name], value)
            elif isinstance(value, Mapping):
                result[name] = self._schedule(present[name], old[name], value)
            else:
                result[name] = present.get(name) if _equal(old.get(name), value) else value
        return result

    def _by_group(self, name: str, present: Sequence[Any], old: Sequence[Any], new: Sequence[Any]) -> list[Any]:
        values = []
        for position, value in enumerate(new):
            origin = self.origins[position] or 0
            if name in SCHEDULE_RATES:
                values.append(self._rate(position, present[origin], old[origin], value))
            else:
                values.append(present[origin] if _equal(old[origin], value) else value)
        return values

    def _rate(self, position: int, present: float, old: float, new: float) -> float:
        """Return a rate of a new group: in the proportion of the documents, and exact where nothing has moved it."""
        origin = self.origins[position]
        if origin is None:
            return new * (present / old) if old else new
        was, now = self.before.rates[origin], self.after.rates[position]
        if was == now:  # whatever a schedule makes of the other groups' rates
            return present
        if present == old and new != old:
            return new
        return present * (now / was) if was else new


def _equal(one: Any, other: Any) -> bool:
    """Compare values of which one may have been JSON, where a tuple is a list."""
    return bool(_plain(one) == _plain(other))


def _plain(value: Any) -> Any:
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
