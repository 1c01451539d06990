"""API keys: ``gw_<id>_<secret>``. Only a digest of the secret is stored."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import KeyRow, now
from app.errors import InvalidInput, NotFound, Problem, Unauthenticated
from app.ids import new_id
from app.spec.problems import nearest

SCOPES = ("read", "write", "admin")
_NOBODY = "0" * 64  # compared with when there is no such key, so that the answer takes as long


def create(session: Session, owner: str, name: str, scopes: Sequence[str]) -> tuple[KeyRow, str]:
    """Create a key and return it with its token, which cannot be told again. Raises `InvalidInput`."""
    problems = [
        Problem(f"/scopes/{index}", "unknown_value", f'there is no scope "{scope}"',
                nearest(scope, SCOPES) or "one of: " + ", ".join(SCOPES))
        for index, scope in enumerate(scopes) if scope not in SCOPES
    ]  # fmt: skip
    if not scopes:
        problems = [Problem("/scopes", "too_few", "a key without a scope can do nothing", "for example: read, write")]
    if problems:
        raise InvalidInput(problems)
    secret = secrets.token_urlsafe(32)
    kept = [scope for scope in SCOPES if scope in scopes]
    row = KeyRow(id=new_id("key"), owner=owner, name=name, scopes=kept, digest=_digest(secret), revoked_at=None)
    session.add(row)
    session.flush()
    session.refresh(row)
    return row, f"gw_{row.id.removeprefix('key_')}_{secret}"


def authenticate(session: Session, token: str) -> KeyRow:
    """Return the key of a token; raises `Unauthenticated` if there is none, or if it was revoked."""
    prefix, _, rest = token.partition("_")
    key_id, _, secret = rest.partition("_")
    row = session.get(KeyRow, f"key_{key_id}") if prefix == "gw" and key_id.isalnum() and key_id.isascii() else None
    right = hmac.compare_digest(row.digest if row else _NOBODY, _digest(secret))
    if row is None or not right or row.revoked_at is not None:
        raise Unauthenticated
    return row


def list_keys(session: Session, owner: str) -> list[KeyRow]:
    """Return the owner's keys, newest first, revoked ones too."""
    return list(session.scalars(select(KeyRow).where(KeyRow.owner == owner).order_by(KeyRow.id.desc())))


def revoke(session: Session, owner: str, key_id: str) -> KeyRow:
    """Make a key invalid for good; doing so twice is no error. Raises `NotFound` for another owner's key."""
    row = session.scalar(select(KeyRow).where(KeyRow.id == key_id, KeyRow.owner == owner).with_for_update())
    if row is None:
        raise NotFound(f"there is no key {key_id}")
    if row.revoked_at is None:
        row.revoked_at = now()  # the database's clock, read back below
        session.flush()
        session.refresh(row)
    return row


def _digest(secret: str) -> str:
    """SHA-256 suffices: the secret has 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
