"""API keys: ``gw_<id>_<secret>``. Only the SHA-256 of the secret is stored."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db.tables import KeyRow, now
from app.errors import NotFound, Unauthenticated
from app.ids import new_id

SCOPES = ("read", "write", "admin")


def create(session: Session, owner: str, name: str, scopes: Sequence[str]) -> tuple[KeyRow, str]:
    """Make a key; returns its row and its token, which can never be shown again."""
    secret = secrets.token_hex(32)
    row = KeyRow(id=new_id("key"), owner=owner, name=name, scopes=list(scopes), digest=_digest(secret))
    session.add(row)
    session.flush()
    session.refresh(row)
    return row, f"gw_{row.id.removeprefix('key_')}_{secret}"


def authenticate(session: Session, token: str) -> KeyRow:
    """Return the key of a token; raises `Unauthenticated`."""
    prefix, _, rest = token.partition("_")
    identity, _, secret = rest.partition("_")
    row = session.get(KeyRow, f"key_{identity}") if prefix == "gw" and len(identity) == 32 else None
    # An unknown key takes as long as a wrong secret: both compare.
    matches = hmac.compare_digest(row.digest if row else "0" * 64, _digest(secret))
    if row is None or not matches or row.revoked_at is not None:
        raise Unauthenticated
    return row


def list_keys(session: Session, owner: str) -> Sequence[KeyRow]:
    """Return the owner's keys, newest first."""
    return session.scalars(select(KeyRow).where(KeyRow.owner == owner).order_by(KeyRow.id.desc())).all()


def revoke(session: Session, owner: str, key_id: str) -> KeyRow:
    """Revoke a key for good; revoking twice is no error. Raises `NotFound`."""
    row = session.scalar(select(KeyRow).where(KeyRow.id == key_id, KeyRow.owner == owner))
    if row is None:
        raise NotFound(f"there is no key {key_id}")
    if row.revoked_at is None:
        session.execute(update(KeyRow).where(KeyRow.id == key_id).values(revoked_at=now()))
        session.refresh(row)
    return row


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
