"""API keys: ``gw_<id>_<secret>``. Only a digest of the secret is stored."""

import hmac
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from app.access.tokens import DUMMY_DIGEST, KEY, Credential, make_token, new_secret, parse_credential, secret_digest
from app.db.clock import database_time
from app.db.paging import IndexedRows, paginate
from app.db.tables import KeyRow, now
from app.errors import InvalidInput, InvalidState, NotFound, Problem, Unauthenticated
from app.ids import new_id
from app.spec.hints.names import did_you_mean

SCOPES = ("read", "write", "admin")
LAST_USED_RESOLUTION_SECONDS = 60.0  # how exact `last_used_at` is
_IDS_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class ValidKey:
    """A key that was opened by its own token, or by one of a session."""

    row: KeyRow
    credential: Credential
    seconds: float  # for which it is open for certain; infinite for a key that neither expires nor was rotated


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
    secret = new_secret()
    kept = [scope for scope in SCOPES if scope in scopes]
    row = KeyRow(
        id=new_id("key"),
        owner=owner,
        name=name,
        scopes=kept,
        digest=secret_digest(secret),
        expires_at=expires_at,
        limits=dict(limits or {}),
        revoked_at=None,
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    return row, make_token(row.id, secret)


def _check_expiry(session: Session, expires_at: float | None) -> None:
    if expires_at is not None and expires_at <= database_time(session):
        problem = Problem("/expires_at", "out_of_range", "the time of expiry is in the past", "give a later time")
        raise InvalidInput([problem])


def invalid_credentials(session: Session, credentials: Collection[Credential]) -> set[Credential]:
    """Return those of the keys' credentials that are not valid (any more): one query, however many there are."""
    key_ids = sorted({each.id for each in credentials})
    valid = set()
    for start in range(0, len(key_ids), _IDS_PER_QUERY):
        query = select(KeyRow, now().label("clock")).where(KeyRow.id.in_(key_ids[start : start + _IDS_PER_QUERY]))
        rows = {row.KeyRow.id: (row.KeyRow, row.clock) for row in session.execute(query)}
        valid |= {each for each in credentials if each.id in rows and is_open(*rows[each.id], each.digest)}
    return set(credentials) - valid


def is_open(row: KeyRow, clock: float, digest: str) -> bool:
    """Return whether a secret opens a key at a time: neither revoked nor expired, and the old one within its grace."""
    matches = hmac.compare_digest(row.digest, digest)
    if row.old_until is not None and row.old_until > clock:
        matches |= hmac.compare_digest(row.old_digest or DUMMY_DIGEST, digest)
    expired = row.expires_at is not None and row.expires_at <= clock
    return matches and not expired and row.revoked_at is None


def seconds_left(row: KeyRow, clock: float, digest: str) -> float:
    """Return how long a secret that opens a key does so for certain."""
    grace_ends = None if hmac.compare_digest(row.digest, digest) else row.old_until
    return min((end - clock for end in (row.expires_at, grace_ends) if end is not None), default=math.inf)


def authenticate(session: Session, token: str) -> ValidKey:
    """Return the key of a token; raises `Unauthenticated` if there is none, or if it was revoked or has expired.

    After a rotation the old token stays valid until its grace is over.
    """
    credential = parse_credential(token, KEY)
    if credential is None:
        raise Unauthenticated
    result = session.execute(select(KeyRow, now().label("clock")).where(KeyRow.id == credential.id)).first()
    if result is None:
        hmac.compare_digest(DUMMY_DIGEST, credential.digest)
        raise Unauthenticated
    row: KeyRow = result.KeyRow
    if not is_open(row, result.clock, credential.digest):
        raise Unauthenticated
    return ValidKey(row, credential, seconds_left(row, result.clock, credential.digest))


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
    secret = new_secret()
    row.old_digest, row.old_until = row.digest, now() + grace_seconds  # read back below
    row.digest = secret_digest(secret)
    session.flush()
    session.refresh(row)
    return row, make_token(row.id, secret)


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
