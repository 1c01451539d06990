"""API keys: ``gw_<id>_<secret>``. Only a digest of the secret is stored."""

import hashlib
import hmac
import math
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from app.db.clock import database_time
from app.db.paging import IndexedRows, paginate
from app.db.tables import KeyRow, now
from app.errors import InvalidInput, InvalidState, NotFound, Problem, Unauthenticated
from app.ids import new_id
from app.spec.hints.names import did_you_mean

SCOPES = ("read", "write", "admin")
LAST_USED_RESOLUTION_SECONDS = 60.0  # how exact `last_used_at` is
_IDS_PER_QUERY = 500
_DUMMY_DIGEST = "0" * 64  # compared with when there is no such key, so that the answer takes as long


@dataclass(frozen=True, slots=True)
class ValidKey:
    """A key whose token was sent: its row, the token's digest, and how long it opens for certain."""

    row: KeyRow
    digest: str
    seconds: float  # until it expires, or a rotated token's grace is over; infinite for neither


def create(
    session: Session,
    owner: str,
    name: str,
    scopes: Sequence[str],
    expires_at: float | None = None,
    limits: Mapping[str, Any] | None = None,
) -> tuple[KeyRow, str]:
    """Create a key and return it with its token, which is not stored. Raises `InvalidInput`.

    `limits` are those that differ from the settings', see `app.access.quotas`.
    """
    problems = [
        Problem(
            f"/scopes/{index}",
            "unknown_value",
            f'there is no scope "{scope}"',
            did_you_mean(scope, SCOPES) or "one of: " + ", ".join(SCOPES),
        )
        for index, scope in enumerate(scopes)
        if scope not in SCOPES
    ]
    if not scopes:
        problems = [Problem("/scopes", "too_few", "a key without a scope can do nothing", "for example: read, write")]
    if problems:
        raise InvalidInput(problems)
    _check_expiry(session, expires_at)
    secret = secrets.token_urlsafe(32)
    kept = [scope for scope in SCOPES if scope in scopes]
    row = KeyRow(
        id=new_id("key"),
        owner=owner,
        name=name,
        scopes=kept,
        digest=_digest(secret),
        expires_at=expires_at,
        limits=dict(limits or {}),
        revoked_at=None,
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    return row, _token(row, secret)


def _check_expiry(session: Session, expires_at: float | None) -> None:
    if expires_at is not None and expires_at <= database_time(session):
        problem = Problem("/expires_at", "out_of_range", "the time of expiry is in the past", "give a later time")
        raise InvalidInput([problem])


@dataclass(frozen=True, slots=True)
class Credential:
    """The key and the digest of the secret in a token."""

    key_id: str
    digest: str


def parse_credential(token: str) -> Credential | None:
    """Return the credential in a token, whether or not it is valid; `None` for malformed tokens."""
    key_id = parse_key_id(token)
    return Credential(key_id, token_digest(token)) if key_id is not None else None


def invalid_credentials(session: Session, credentials: Collection[Credential]) -> set[Credential]:
    """Return those of the credentials that are not valid (any more): one query, however many there are."""
    key_ids = sorted({each.key_id for each in credentials})
    valid = set()
    for start in range(0, len(key_ids), _IDS_PER_QUERY):
        query = select(KeyRow, now().label("clock")).where(KeyRow.id.in_(key_ids[start : start + _IDS_PER_QUERY]))
        rows = {row.KeyRow.id: (row.KeyRow, row.clock) for row in session.execute(query)}
        valid |= {each for each in credentials if each.key_id in rows and _is_valid(*rows[each.key_id], each.digest)}
    return set(credentials) - valid


def _is_valid(row: KeyRow, clock: float, digest: str) -> bool:
    """Return whether a secret opens a key at a time: neither revoked nor expired, and the old one within its grace."""
    matches = hmac.compare_digest(row.digest, digest)
    if row.old_until is not None and row.old_until > clock:
        matches |= hmac.compare_digest(row.old_digest or _DUMMY_DIGEST, digest)
    expired = row.expires_at is not None and row.expires_at <= clock
    return matches and not expired and row.revoked_at is None


def authenticate(session: Session, token: str) -> ValidKey:
    """Return the key of a token; raises `Unauthenticated` if there is none, or if it was revoked or has expired.

    After a rotation the old token stays valid until its grace is over.
    """
    key_id = parse_key_id(token)
    query = select(KeyRow, now().label("clock")).where(KeyRow.id == key_id)
    result = session.execute(query).first() if key_id else None
    digest = token_digest(token)
    if result is None:
        hmac.compare_digest(_DUMMY_DIGEST, digest)
        raise Unauthenticated
    if not _is_valid(result.KeyRow, result.clock, digest):
        raise Unauthenticated
    row: KeyRow = result.KeyRow
    grace_ends = None if hmac.compare_digest(row.digest, digest) else row.old_until
    ends = [end - result.clock for end in (row.expires_at, grace_ends) if end is not None]
    return ValidKey(row, digest, min(ends, default=math.inf))


def token_digest(token: str) -> str:
    """Return the digest of a token's secret, as it is stored."""
    return _digest(_secret(token))


def parse_key_id(token: str) -> str | None:
    """Return the id in a token, whether or not there is such a key; `None` for malformed tokens."""
    prefix, _, rest = token.partition("_")
    key_id = rest.partition("_")[0]
    return f"key_{key_id}"[:40] if prefix == "gw" and key_id.isalnum() and key_id.isascii() else None


def page(session: Session, owner: str, limit: int, after: str | None = None) -> tuple[Sequence[KeyRow], bool]:
    """Return up to `limit` of the owner's keys, newest first, revoked ones too, older than `after`; and whether there
    are more.
    """
    parts = [IndexedRows(KeyRow.id, {KeyRow.owner: owner})]
    return paginate(session, select(KeyRow), KeyRow.id, limit, after, parts)


def find_for_update(session: Session, owner: str, key_id: str) -> KeyRow:
    """Return the owner's key, as it stays until the transaction ends. Raises `NotFound` for any other."""
    row = session.scalar(select(KeyRow).where(KeyRow.id == key_id, KeyRow.owner == owner).with_for_update())
    if row is None:
        raise NotFound(f"there is no key {key_id}")
    return row


def update_key(session: Session, owner: str, key_id: str, changes: Mapping[str, Any]) -> KeyRow:
    """Change a key's name, expires_at (Unix seconds) or limits. Raises `NotFound`, `InvalidState`, `InvalidInput`."""
    row = _check_not_revoked(find_for_update(session, owner, key_id))
    _check_expiry(session, changes.get("expires_at"))
    for name in ("name", "expires_at", "limits"):
        if name in changes:
            setattr(row, name, changes[name])
    session.flush()
    return row


def rotate(session: Session, owner: str, key_id: str, grace_seconds: float) -> tuple[KeyRow, str]:
    """Give a key another secret, and return it with its token; the one before opens for the grace.

    Raises `NotFound`, and `InvalidState` for a key that was revoked.
    """
    row = _check_not_revoked(find_for_update(session, owner, key_id))
    secret = secrets.token_urlsafe(32)
    row.old_digest, row.old_until = row.digest, now() + grace_seconds  # read back below
    row.digest = _digest(secret)
    session.flush()
    session.refresh(row)
    return row, _token(row, secret)


def _check_not_revoked(row: KeyRow) -> KeyRow:
    if row.revoked_at is not None:
        raise InvalidState("the key is revoked", hint="create another one")
    return row


def revoke(session: Session, owner: str, key_id: str) -> KeyRow:
    """Revoke a key; revoking twice is no error. Raises `NotFound` for another owner's key."""
    row = find_for_update(session, owner, key_id)
    if row.revoked_at is None:
        row.revoked_at = now()  # the database's clock, read back below
        session.flush()
        session.refresh(row)
    return row


def record_use(session: Session, key_ids: Sequence[str]) -> None:
    """Record the use of keys, unless it was recorded less than a minute ago."""
    stale = or_(KeyRow.last_used_at.is_(None), KeyRow.last_used_at < now() - LAST_USED_RESOLUTION_SECONDS)
    session.execute(
        update(KeyRow)
        .where(KeyRow.id.in_(sorted(key_ids)), stale)
        .values(last_used_at=now())
        .execution_options(synchronize_session=False)
    )


def _token(row: KeyRow, secret: str) -> str:
    return f"gw_{row.id.removeprefix('key_')}_{secret}"


def _secret(token: str) -> str:
    return token.partition("_")[2].partition("_")[2]


def _digest(secret: str) -> str:
    """SHA-256 suffices: the secret has 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
