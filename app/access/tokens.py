"""Tokens: ``<prefix>_<id>_<secret>``. The secret has 256 random bits, and only a digest of it is stored."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

KEY, SESSION, LINK = "key", "ses", "lnk"  # what a token opens, as the ids of these nouns begin
TOKEN_PREFIXES: Mapping[str, str] = {KEY: "gw", SESSION: "gws", LINK: "gwl"}
DUMMY_DIGEST = "0" * 64  # compared with when there is no such row, so that the answer takes as long
_NOUNS = {prefix: noun for noun, prefix in TOKEN_PREFIXES.items()}
_MAX_ID_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Credential:
    """The id in a token, of a key or of a session, and the digest of its secret."""

    id: str
    digest: str

    @property
    def noun(self) -> str:
        """What the token opens, such as `KEY`."""
        return self.id.partition("_")[0]


def new_secret() -> str:
    """Return a secret that nobody can guess."""
    return secrets.token_urlsafe(32)


def make_token(row_id: str, secret: str) -> str:
    """Return the token of a row's id and secret."""
    noun, _, rest = row_id.partition("_")
    return f"{TOKEN_PREFIXES[noun]}_{rest}_{secret}"


def parse_id(token: str) -> str | None:
    """Return the id in a token, whether or not there is such a row; `None` for malformed tokens."""
    prefix, _, rest = token.partition("_")
    digits = rest.partition("_")[0]
    if prefix not in _NOUNS or not (digits.isalnum() and digits.isascii()):
        return None
    return f"{_NOUNS[prefix]}_{digits}"[:_MAX_ID_LENGTH]


def parse_credential(token: str, noun: str | None = None) -> Credential | None:
    """Return the credential in a token, whether or not it is valid; `None` for malformed ones, and other nouns'."""
    row_id = parse_id(token)
    credential = Credential(row_id, token_digest(token)) if row_id is not None else None
    return credential if credential is not None and noun in (None, credential.noun) else None


def token_digest(token: str) -> str:
    """Return the digest of a token's secret, as it is stored."""
    return secret_digest(token.partition("_")[2].partition("_")[2])


def secret_digest(secret: str) -> str:
    """SHA-256 suffices: the secret has 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
