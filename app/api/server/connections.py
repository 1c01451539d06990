"""Every connection of one server: admitted, counted by address, and looked at periodically."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

import structlog

from app.api.server.limits import MAX_LINGERING, ConnectionLimits
from app.api.server.refusals import ADDRESS, CONNECTIONS, DISPLACED, Refusal

LOG_SECONDS = 10.0  # for so long refusals are counted in one line

_log = structlog.get_logger(__name__)


class Connection(Protocol):
    """What the table knows of a connection."""

    @property
    def awaits_head(self) -> bool:
        """Whether the client owes the head of a request."""

    def check_time(self, now: float) -> None:
        """End the connection if one of its limits of time has passed."""

    def abort(self) -> None:
        """End the connection at once."""


class ConnectionTable:
    """The open connections in the order of their arrival. For one event loop.

    Connections over a limit are refused, unless another one, of the same address for the limit of addresses, still owes
    the head of a request: then the oldest such connection is ended instead. So heads that never come keep nobody out.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.refused: Counter[str] = Counter()  # by code
        self._unlogged: Counter[str] = Counter()
        self._open: dict[Connection, str | None] = {}  # → the address under which it is counted
        self._by_address: dict[str, dict[Connection, None]] = {}
        self._lingering: dict[Connection, None] = {}  # refused, while the client reads why
        self._sweep: asyncio.TimerHandle | None = None
        self._next_line = 0.0

    @property
    def count(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def admit(self, connection: Connection, host: str) -> Refusal | None:
        """Add a connection from `host`, or return why it is refused."""
        self._schedule()
        address = self.limits.counted_address(host)
        if address is not None:
            peers = self._by_address.setdefault(address, {})
            if len(peers) >= self.limits.per_address and not self._displace(peers):
                return ADDRESS
        if len(self._open) >= self.limits.connections and not self._displace(self._open):
            self._forget_address(address)
            return CONNECTIONS
        self._open[connection] = address
        if address is not None:
            self._by_address.setdefault(address, {})[connection] = None
        return None

    def remove(self, connection: Connection) -> None:
        """Forget a connection."""
        self._lingering.pop(connection, None)
        address = self._open.pop(connection, None)
        if address is not None:
            self._by_address[address].pop(connection, None)
            self._forget_address(address)

    def linger(self, connection: Connection) -> None:
        """Count a refused connection no longer; it ends soon, and at once where too many linger."""
        self.remove(connection)
        self._lingering[connection] = None
        if len(self._lingering) > MAX_LINGERING:
            oldest = next(iter(self._lingering))
            del self._lingering[oldest]
            oldest.abort()

    def record(self, code: str) -> None:
        """Count why a connection was ended."""
        self.refused[code] += 1
        self._unlogged[code] += 1

    def _displace(self, candidates: Iterable[Connection]) -> bool:
        """End the oldest connection that owes the head of a request; return whether there is one."""
        oldest = next((connection for connection in candidates if connection.awaits_head), None)
        if oldest is None:
            return False
        self.record(DISPLACED)
        self.remove(oldest)
        oldest.abort()
        return True

    def _forget_address(self, address: str | None) -> None:
        if address is not None and not self._by_address.get(address, True):
            del self._by_address[address]

    def _schedule(self) -> None:
        if self._sweep is None:
            loop = asyncio.get_running_loop()
            self._sweep = loop.call_later(self.limits.sweep_seconds, self._check_all, loop)

    def _check_all(self, loop: asyncio.AbstractEventLoop) -> None:
        """Check every connection, and come again as long as there are any."""
        self._sweep = None
        now = loop.time()
        for connection in [*self._open, *self._lingering]:
            connection.check_time(now)
        if self._unlogged and now >= self._next_line:
            _log.warning("connections_refused", **self._unlogged)
            self._unlogged.clear()
            self._next_line = now + LOG_SECONDS
        if self._open or self._lingering or self._unlogged:
            self._schedule()
