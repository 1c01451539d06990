"""Rate limits per key: RateLimit headers with every response, and 429."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter


@dataclass(frozen=True, slots=True)
class RateLimitResult:
    """The RateLimit headers after a request, and how long to wait if it exceeds the limit."""

    headers: Mapping[str, str]
    retry_after: float | None = None  # seconds


class RateLimiter:
    """Counts in memory: with several API processes each counts for itself."""

    def __init__(self) -> None:
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    def hit(self, who: str, rule: str) -> RateLimitResult:
        """Count a request by every part of a rule such as ``10/second;1200/minute``, and return what each leaves."""
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
    """Return the headers of policies and of what each leaves (draft-ietf-httpapi-ratelimit-headers)."""
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)} if policies else {}


@lru_cache(maxsize=1000)
def parse_rate(text: str) -> tuple[RateLimitItem, ...]:
    """Return the parts of a rule. Raises `ValueError`."""
    return tuple(parse_many(text)) if text.strip() else ()
