"""How many requests a key may send, told with every answer (RateLimit headers) and enforced with 429."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from limits import parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter


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
