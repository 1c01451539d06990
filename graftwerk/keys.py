"""API keys, their usage and the audit log."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Any

from graftwerk.http.pagination import paginate
from graftwerk.http.resources import AsyncResource, BlockingResource, Resource, iterator, operation
from graftwerk.types import Key


class KeysResource(Resource):
    """The keys of the key's owner."""

    @operation
    async def create(
        self,
        name: str,
        scopes: Sequence[str] = ("read", "write"),
        expires_at: datetime | None = None,
        limits: Mapping[str, Any] | None = None,
    ) -> Key:
        """Create a key. Its `token` is returned only here. `expires_at` needs a time zone.

        `limits` override the service's: requests, priority, running_jobs, queued_jobs, parameters, stored_bytes,
        unfinished_uploads.
        """
        body: dict[str, Any] = {"name": name, "scopes": list(scopes)}
        if expires_at is not None:
            body["expires_at"] = expires_at.isoformat()
        if limits:
            body["limits"] = dict(limits)
        return Key.from_document(await self._transport.create("/v1/keys", json=body))

    @operation
    async def list(self) -> list[Key]:
        """Return the keys, without their tokens."""
        return [Key.from_document(item) async for item in paginate(self._transport, "/v1/keys")]

    @operation
    async def change(self, /, key_id: str, **changes: Any) -> Key:
        """Change a key's name, expires_at (ISO 8601) or some of its limits; `None` removes a limit, or the expiry."""
        path = f"/v1/keys/{key_id}"
        return Key.from_document(await self._transport.json("PATCH", path, json=changes, repeatable=True))

    @operation
    async def rotate(self, key_id: str, grace_seconds: float = 3600.0) -> Key:
        """Return the key with a new `token`; the previous token stays valid for `grace_seconds`."""
        body = {"grace_seconds": grace_seconds}
        return Key.from_document(await self._transport.create(f"/v1/keys/{key_id}/rotate", json=body))

    @operation
    async def revoke(self, key_id: str) -> None:
        """Revoke a key, with immediate effect."""
        await self._transport.request("DELETE", f"/v1/keys/{key_id}")

    @operation
    async def usage(self) -> Mapping[str, Any]:
        """Return the client's own key, and its `limits`: name, limit, used, of."""
        usage: Mapping[str, Any] = await self._transport.json("GET", "/v1/usage")
        return usage

    @iterator
    async def audit(self, /, **filters: Any) -> AsyncGenerator[Mapping[str, Any]]:
        """Yield the actions of the owner's keys, newest first; filters: action, key, target."""
        async for entry in paginate(self._transport, "/v1/audit", filters):
            yield entry


class Keys(KeysResource, BlockingResource):
    """The keys of a `Client`."""


class AsyncKeys(KeysResource, AsyncResource):
    """The keys of an `AsyncClient`."""
