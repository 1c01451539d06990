"""How many requests a key may send, told with every answer (RateLimit headers) and enforced with 429."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.errors import ServiceOverloaded


@dataclass(frozen=True, slots=True)
class RateLimitResult:
    """What is left to somebody after a request: headers that tell it, and how long to wait where nothing was left."""

    headers: Mapping[str, str]
    retry_after: float | None = None  # seconds


class RateLimiter:
    """Counts in memory: with several API processes each counts for itself."""

    def __init__(self) -> None:
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    def hit(self, who: str, rule: str) -> RateLimitResult:
        """Count a request by every part of a rule such as ``10/second;1200/minute``, and tell what each leaves."""
        policies, left, wait = [], [], None
        for part in parse_rate(rule):
            allowed = self._windows.hit(part, who)
            window = self._windows.get_window_stats(part, who)
            seconds = max(0.0, window.reset_time - time.time())
            name = f"{part.amount}/{part.multiples}{part.GRANULARITY.name}" if len(parse_rate(rule)) > 1 else "default"
            policies.append(f'"{name}";q={part.amount};w={part.get_expiry()}')
            left.append(f'"{name}";r={window.remaining};t={round(seconds)}')
            if not allowed:
                wait = max(wait or 0.0, seconds)
                break
        return RateLimitResult(rate_limit_headers(policies, left), wait)


def rate_limit_headers(policies: Sequence[str], left: Sequence[str]) -> dict[str, str]:
    """Return the headers that tell policies, and what each leaves (draft-ietf-httpapi-ratelimit-headers)."""
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)} if policies else {}


@lru_cache(maxsize=1000)
def parse_rate(text: str) -> tuple[RateLimitItem, ...]:
    """Return the parts of a rule. Raises `ValueError`."""
    return tuple(parse_many(text)) if text.strip() else ()


class ConcurrencyLimiter:
    """Room for so many requests of a kind at the same time. For one event loop."""

    def __init__(self, most: int, what: str) -> None:
        self._max, self._what = most, what
        self._in_use = 0

    @property
    def in_use(self) -> int:
        """How many are held."""
        return self._in_use

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Hold a place. Raises `Overloaded` if there is none."""
        if self._in_use >= self._max:
            raise ServiceOverloaded(f"{self._max} {self._what} already", hint="try again in some seconds")
        self._in_use += 1
        try:
            yield
        finally:
            self._in_use -= 1
