"""How many requests a key may send, told with every answer (RateLimit headers) and enforced with 429."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from limits import parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.errors import Overloaded


@dataclass(frozen=True, slots=True)
class Share:
    """What is left to somebody after a request: headers that tell it, and how long to wait where nothing was left."""

    headers: Mapping[str, str]
    wait: float | None = None  # seconds


class RateLimiter:
    """Counts in memory: with several API processes each counts for itself."""

    def __init__(self, rule: str) -> None:
        self._rules = parse_many(rule) if rule.strip() else []
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    def take(self, who: str) -> Share:
        """Count a request by every rule, and tell what the tightest leaves."""
        share, least = Share({}), math.inf
        for rule in self._rules:
            allowed = self._windows.hit(rule, who)
            window = self._windows.get_window_stats(rule, who)
            seconds = max(0.0, window.reset_time - time.time())
            headers = {
                "RateLimit-Policy": f'"default";q={rule.amount};w={rule.get_expiry()}',
                "RateLimit": f'"default";r={window.remaining};t={round(seconds)}',
            }
            if not allowed:
                return Share(headers, seconds)
            if window.remaining < least:
                share, least = Share(headers), window.remaining
        return share


class Places:
    """Room for so many requests of a kind at the same time. For one event loop."""

    def __init__(self, most: int, what: str) -> None:
        self._most, self._what = most, what
        self._taken = 0

    @property
    def count(self) -> int:
        """How many are held."""
        return self._taken

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place. Raises `Overloaded` if there is none."""
        if self._taken >= self._most:
            raise Overloaded(f"{self._most} {self._what} already", hint="try again in some seconds")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
