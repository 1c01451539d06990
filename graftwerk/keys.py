"""API keys."""

from collections.abc import Sequence

from graftwerk.pages import pages
from graftwerk.transport import Transport
from graftwerk.types import Key


class Keys:
    """The keys of the key's owner."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, scopes: Sequence[str] = ("read", "write")) -> Key:
        """Create a key; its `token` is told this once."""
        body = {"name": name, "scopes": list(scopes)}
        return Key.from_document(self._transport.json("POST", "/v1/keys", json=body))

    def list(self) -> list[Key]:
        """Return the keys, without their tokens."""
        return [Key.from_document(item) for item in pages(self._transport, "/v1/keys")]

    def revoke(self, key_id: str) -> None:
        """Make a key invalid at once."""
        self._transport.request("DELETE", f"/v1/keys/{key_id}")
