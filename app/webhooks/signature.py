"""Signatures of Standard Webhooks: HMAC-SHA256 of id, time and body with a shared secret."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

SECRET_PREFIX = "whsec_"  # noqa: S105 - how every secret begins


def new_secret() -> str:
    """Return a fresh secret of 256 random bits."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signed_headers(message_id: str, at: float, body: str, keys: Sequence[str]) -> dict[str, str]:
    """Return the headers by which a receiver with one of the secrets (`keys`) verifies the message.

    `at` is the time of this attempt in Unix seconds: receivers refuse what is old, so that nothing can be replayed.
    """
    timestamp = str(int(at))
    signed = f"{message_id}.{timestamp}.{body}".encode()
    signatures = [f"v1,{_signature(secret, signed)}" for secret in keys]
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
