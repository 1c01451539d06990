"""Sessions: browsers that are signed in with a key, and may do what the key may; and links that open one.

A session ends with the secret of the key that it was opened with, when it was not used for a while, and after a week.
"""

import hashlib
import hmac
from collections.abc import Collection, Sequence
from typing import TypeVar

from sqlalchemy import Row, Select, delete, or_, select, update
from sqlalchemy.orm import Session

from app.access import keys
from app.access.keys import ValidKey
from app.access.tokens import (
    DUMMY_DIGEST,
    KEY,
    LINK,
    SESSION,
    Credential,
    make_token,
    new_secret,
    parse_credential,
    secret_digest,
)
from app.db.tables import KeyRow, SessionLinkRow, SessionRow, now
from app.errors import Unauthenticated
from app.ids import new_id

R = TypeVar("R", SessionRow, SessionLinkRow)
MAX_SECONDS = 7 * 86_400.0
IDLE_SECONDS = 12 * 3600.0  # without a request
LINK_SECONDS = 600.0
_IDS_PER_QUERY = 500
LINK_SPENT = "this link was used before, or it is too old"
LINK_HINT = "make another one: graftwerk open"


def create(session: Session, key: ValidKey) -> tuple[SessionRow, str]:
    """Create a session of a key that was opened with its own token, and return it with the token of its cookie."""
    secret = new_secret()
    row = SessionRow(
        id=new_id(SESSION),
        key_id=key.row.id,
        digest=secret_digest(secret),
        key_digest=key.credential.digest,
        expires_at=now() + MAX_SECONDS,
    )
    return _insert(session, row), make_token(row.id, secret)


def authenticate(session: Session, token: str) -> ValidKey:
    """Return the key of a session's token. Raises `Unauthenticated` if the session has ended, or there is none."""
    credential = parse_credential(token, SESSION)
    if credential is None:
        raise Unauthenticated
    found = session.execute(_with_keys().where(SessionRow.id == credential.id)).first()
    if found is None:
        hmac.compare_digest(DUMMY_DIGEST, credential.digest)
    if found is None or not _is_open(found, credential.digest):
        raise Unauthenticated
    return ValidKey(found.KeyRow, credential, _end(found) - found.clock)


def invalid_credentials(session: Session, credentials: Collection[Credential]) -> set[Credential]:
    """Return those of the sessions' credentials that are not valid (any more)."""
    ids = sorted({each.id for each in credentials})
    valid = set()
    for start in range(0, len(ids), _IDS_PER_QUERY):
        query = _with_keys().where(SessionRow.id.in_(ids[start : start + _IDS_PER_QUERY]))
        rows = {row.SessionRow.id: row for row in session.execute(query)}
        valid |= {each for each in credentials if each.id in rows and _is_open(rows[each.id], each.digest)}
    return set(credentials) - valid


def find(session: Session, session_id: str) -> tuple[SessionRow, KeyRow, float]:
    """Return a session, its key, and when it ends unless it is used again. Raises `Unauthenticated`."""
    found = session.execute(_with_keys().where(SessionRow.id == session_id)).first()
    if found is None:
        raise Unauthenticated
    return found.SessionRow, found.KeyRow, _end(found)


def end(session: Session, session_id: str) -> None:
    """End a session; twice is no error."""
    session.execute(delete(SessionRow).where(SessionRow.id == session_id))


def record_use(session: Session, session_ids: Sequence[str]) -> None:
    """Record the use of sessions, unless it was recorded less than a minute ago."""
    stale = SessionRow.last_used_at < now() - keys.LAST_USED_RESOLUTION_SECONDS
    used = update(SessionRow).where(SessionRow.id.in_(sorted(session_ids)), stale).values(last_used_at=now())
    session.execute(used.execution_options(synchronize_session=False))


def create_link(session: Session, credential: Credential) -> tuple[SessionLinkRow, str]:
    """Create a link that signs in with the key of a credential, which is valid, and return it with its token."""
    key_id, key_digest = credential.id, credential.digest
    if credential.noun != KEY:
        row = find(session, credential.id)[0]
        key_id, key_digest = row.key_id, row.key_digest
    secret = new_secret()
    link = SessionLinkRow(
        id=new_id(LINK),
        key_id=key_id,
        digest=secret_digest(secret),
        key_digest=key_digest,
        expires_at=now() + LINK_SECONDS,
    )
    return _insert(session, link), make_token(link.id, secret)


def open_link(session: Session, token: str) -> ValidKey:
    """Use a link up, and return the key that it signs in with.

    Raises `Unauthenticated` if there is none, if it was used before or is too old, or if its key has ended. Of requests
    that use one link at once, one gets it.
    """
    credential = parse_credential(token, LINK)
    if credential is None:
        raise Unauthenticated(LINK_SPENT, hint=LINK_HINT)
    this = (SessionLinkRow.id == credential.id, SessionLinkRow.digest == credential.digest)
    spent = delete(SessionLinkRow).where(*this, SessionLinkRow.expires_at > now())
    columns = (SessionLinkRow.key_id, SessionLinkRow.key_digest)
    link = session.execute(spent.returning(*columns), execution_options={"synchronize_session": False}).first()
    if link is None:
        raise Unauthenticated(LINK_SPENT, hint=LINK_HINT)
    found = session.execute(select(KeyRow, now().label("clock")).where(KeyRow.id == link.key_id)).one()
    if not keys.is_open(found.KeyRow, found.clock, link.key_digest):
        raise Unauthenticated
    seconds = keys.seconds_left(found.KeyRow, found.clock, link.key_digest)
    return ValidKey(found.KeyRow, Credential(link.key_id, link.key_digest), seconds)


def csrf_token(token: str) -> str:
    """Return what the page of a session proves itself with: it follows from the cookie, but not the other way round."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


def purge(session: Session, limit: int = 1000) -> int:
    """Remove up to `limit` sessions that have ended by time, and as many links; return how many."""
    ended = or_(SessionRow.expires_at < now(), SessionRow.last_used_at < now() - IDLE_SECONDS)
    old = select(SessionRow.id).where(ended).limit(limit)
    links = select(SessionLinkRow.id).where(SessionLinkRow.expires_at < now()).limit(limit)
    removals = (
        delete(SessionRow).where(SessionRow.id.in_(old)).returning(SessionRow.id),
        delete(SessionLinkRow).where(SessionLinkRow.id.in_(links)).returning(SessionLinkRow.id),
    )
    options = {"synchronize_session": False}
    return sum(len(session.scalars(removal, execution_options=options).all()) for removal in removals)


def _insert(session: Session, row: R) -> R:
    """Insert a row, and return it with its times, which the database computes."""
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def _with_keys() -> Select[SessionRow, KeyRow, float]:
    return select(SessionRow, KeyRow, now().label("clock")).join(KeyRow, KeyRow.id == SessionRow.key_id)


def _is_open(found: Row[SessionRow, KeyRow, float], digest: str) -> bool:
    row, key, clock = found
    matches = hmac.compare_digest(row.digest, digest)
    return matches and keys.is_open(key, clock, row.key_digest) and _end(found) > clock


def _end(found: Row[SessionRow, KeyRow, float]) -> float:
    """Return when a session ends unless it is used again."""
    row, key, clock = found
    key_ends = clock + keys.seconds_left(key, clock, row.key_digest)
    return min(row.expires_at, row.last_used_at + IDLE_SECONDS, key_ends)
