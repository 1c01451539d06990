"""What requests are authenticated by: tokens of keys, and of the sessions that keys open."""

from collections.abc import Collection, Sequence

from sqlalchemy.orm import Session

from app.access import keys, sessions
from app.access.keys import ValidKey
from app.access.tokens import KEY, SESSION, Credential, parse_id


def authenticate(session: Session, token: str) -> ValidKey:
    """Return the key that a token opens. Raises `Unauthenticated`."""
    found = parse_id(token)
    if found is not None and found.startswith(SESSION):
        return sessions.authenticate(session, token)
    return keys.authenticate(session, token)


def invalid_credentials(session: Session, credentials: Collection[Credential]) -> set[Credential]:
    """Return those of the credentials that are not valid (any more): one query of each noun, however many there are."""
    by_key = {each for each in credentials if each.noun == KEY}
    by_session = set(credentials) - by_key
    return keys.invalid_credentials(session, by_key) | sessions.invalid_credentials(session, by_session)


def record_use(session: Session, ids: Sequence[str]) -> None:
    """Record the use of keys and sessions, to about a minute."""
    of_sessions = [each for each in ids if each.startswith(SESSION)]
    of_keys = [each for each in ids if not each.startswith(SESSION)]
    if of_keys:
        keys.record_use(session, of_keys)
    if of_sessions:
        sessions.record_use(session, of_sessions)
