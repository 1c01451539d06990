"""API keys, what they may use, and what was done with them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from graftwerk.http.pagination import paginate
from graftwerk.http.transport import Transport
from graftwerk.types import Key


class Keys:
    """The keys of the key's owner."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        name: str,
        scopes: Sequence[str] = ("read", "write"),
        expires_at: datetime | None = None,
        limits: Mapping[str, Any] | None = None,
    ) -> Key:
        """Create a key; its `token` is told this once. `expires_at` needs a time zone.

        `limits` differ from the service's: requests, priority, running_jobs, queued_jobs, parameters, stored_bytes,
        unfinished_uploads.
        """
        body: dict[str, Any] = {"name": name, "scopes": list(scopes)}
        if expires_at is not None:
            body["expires_at"] = expires_at.isoformat()
        if limits:
            body["limits"] = dict(limits)
        return Key.from_document(self._transport.json("POST", "/v1/keys", json=body))

    def list(self) -> list[Key]:
        """Return the keys, without their tokens."""
        return [Key.from_document(item) for item in paginate(self._transport, "/v1/keys")]

    def change(self, key_id: str, **changes: Any) -> Key:
        """Change a key's name, expires_at (text) or some of its limits; None takes a limit, or the expiry, away."""
        return Key.from_document(self._transport.json("PATCH", f"/v1/keys/{key_id}", json=changes, repeatable=True))

    def rotate(self, key_id: str, grace_seconds: float = 3600.0) -> Key:
        """Give a key another `token`, told this once; the one before opens for `grace_seconds` more."""
        body = {"grace_seconds": grace_seconds}
        return Key.from_document(self._transport.json("POST", f"/v1/keys/{key_id}/rotate", json=body))

    def revoke(self, key_id: str) -> None:
        """Make a key invalid at once."""
        self._transport.request("DELETE", f"/v1/keys/{key_id}")

    def usage(self) -> Mapping[str, Any]:
        """Return the key that asks, and its `limits`: name, limit, used, of."""
        found: Mapping[str, Any] = self._transport.json("GET", "/v1/usage")
        return found

    def audit(self, **filters: Any) -> Iterator[Mapping[str, Any]]:
        """Yield what the owner's keys did, newest first; filters: action, key, target."""
        yield from paginate(self._transport, "/v1/audit", filters)
