"""Secrets at rest: sealed with keys that are not in the database (Fernet: AES-128 in CBC mode with an HMAC-SHA256)."""

import base64
import secrets
from collections.abc import Sequence
from contextlib import suppress

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.disk.durability import create_once, sync_file
from app.errors import GraftwerkError
from app.settings import Settings

KEY_FILE = "secret-key"  # in the home directory, where no setting names a key
SEALED_PREFIX = "sealed:"


class SecretSealed(GraftwerkError):
    """The secret is sealed with a key that this process does not have: set GRAFTWERK_SECRET_KEY, or rotate it."""

    code = "secret_sealed"


class Sealer:
    """Seals with the first key, and opens what any of the keys has sealed. Safe for threads."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernets = [_fernet(key) for key in keys]

    def seal(self, text: str) -> str:
        """Return a text as it may be stored."""
        return SEALED_PREFIX + self._fernets[0].encrypt(text.encode()).decode()

    def open(self, stored: str) -> str:
        """Return a text as it was before it was sealed; one that never was, unchanged. Raises `SecretSealed`."""
        if not stored.startswith(SEALED_PREFIX):
            return stored
        for fernet in self._fernets:
            with suppress(InvalidToken):
                return fernet.decrypt(stored.removeprefix(SEALED_PREFIX).encode()).decode()
        raise SecretSealed

    def reseal(self, stored: str) -> str:
        """Return a stored text sealed with the first key: the same if it is already. Raises `SecretSealed`."""
        with suppress(InvalidToken):
            if stored.startswith(SEALED_PREFIX):
                self._fernets[0].decrypt(stored.removeprefix(SEALED_PREFIX).encode())
                return stored
        return self.seal(self.open(stored))


def _fernet(key: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"graftwerk secrets at rest").derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))


def open_sealer(settings: Settings) -> Sealer:
    """Return the sealer of the settings' keys, or of the one in the home directory, which is made if it is missing.

    Processes that start together end with the same key. Raises `OSError`.
    """
    if settings.sealing_keys:
        return Sealer(settings.sealing_keys)
    path = settings.home / KEY_FILE
    if not path.exists():
        create_once(path, secrets.token_hex(32) + "\n")
    else:
        sync_file(path.parent)  # another process may have made it just now, and this one seals with it from here on
    return Sealer(path.read_text().split())
