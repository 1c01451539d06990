"""The limits of connections, and for whom they do not hold."""

import resource
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Self

from app.settings import Settings

MAX_PIPELINED = 8  # requests that wait for the answer to the one before; hardly any client sends two
MIN_TAKEN = 1 << 14  # bytes that a reader must take in `idle_seconds`, where as many wait for it
LINGER_SECONDS = 1.0  # for a refused client to read the refusal before the connection is reset
LINGER_BYTES = 1 << 20  # that are read and dropped meanwhile
MAX_LINGERING = 100
MAX_SWEEP_SECONDS = 1.0
SPARE_FILES = 1000  # open files beside connections: of databases, child processes and downloads
_IPV6_SITE = 64  # bits of an address that belong to a site, which has all addresses below them


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits in bytes, seconds and numbers; see the settings of these names."""

    connections: int
    per_address: int  # 0: no limit
    request_line: int
    head: int
    header_count: int
    head_seconds: float
    idle_seconds: float
    exempt: tuple[IPv4Network | IPv6Network, ...] = ()  # proxies, who connect for many

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the limits in the settings."""
        return cls(
            settings.max_connections,
            settings.address_connections,
            settings.request_line_limit,
            settings.head_limit,
            settings.header_count,
            settings.head_seconds,
            settings.idle_seconds,
            settings.trusted_proxies,
        )

    @property
    def sweep_seconds(self) -> float:
        """Time between two looks at every connection: short beside the limits of time."""
        return min(MAX_SWEEP_SECONDS, self.head_seconds / 4, self.idle_seconds / 4)

    def counted_address(self, host: str) -> str | None:
        """Return under what a peer's connections are counted: its address, or its IPv6 site; None: not at all."""
        try:
            address = ip_address(host)
        except ValueError:  # a peer that is gone already
            return host
        if not self.per_address or any(address in network for network in self.exempt):
            return None
        return host if address.version == 4 else str(ip_network((host, _IPV6_SITE), strict=False))


def raise_file_limit(settings: Settings) -> None:
    """Let the process open as many files as the connections in the settings need, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.max_connections + SPARE_FILES
    most = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
