"""How many requests a key may send, told with every answer (RateLimit headers) and enforced with 429."""

import time
from collections.abc import Mapping

from limits import parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.errors import TooManyRequests


class RateLimiter:
    """Counts in memory: with several API processes each counts for itself."""

    def __init__(self, rule: str) -> None:
        self._rules = parse_many(rule) if rule.strip() else []
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    def take(self, who: str) -> Mapping[str, str]:
        """Count a request; returns the headers that tell what is left. Raises `TooManyRequests`."""
        headers: dict[str, str] = {}
        for rule in self._rules:
            allowed = self._windows.hit(rule, who)
            window = self._windows.get_window_stats(rule, who)
            seconds = max(0.0, window.reset_time - time.time())
            if not allowed:
                raise TooManyRequests(seconds)
            headers = {
                "RateLimit-Policy": f'"default";q={rule.amount};w={rule.get_expiry()}',
                "RateLimit": f'"default";r={window.remaining};t={round(seconds)}',
            }
        return headers
