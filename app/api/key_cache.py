"""Keys and sessions that were valid a moment ago, so that most requests are authenticated without the database.

A key is asked for again after a second at most, so that other processes' changes hold from then on; those of this
process hold at once. Tokens that are refused are not kept: nobody can fill the cache with them.
"""

import hmac
import threading
import time
from dataclasses import dataclass
from functools import partial

from app.access import credentials
from app.access.keys import ValidKey
from app.access.quotas import EffectiveLimits, effective_limits
from app.access.tokens import SESSION, parse_id, token_digest
from app.api.streams.call_queue import CallQueue
from app.api.streams.shared_reads import SharedReads
from app.db.session import Database
from app.settings import Settings

MAX_AGE_SECONDS = 1.0
MAX_KEYS = 10_000
THREADS = 4  # of requests whose key is not known yet


@dataclass(frozen=True, slots=True)
class Identity:
    """A key as requests need it, and the session that stands for it, "" for none."""

    owner: str
    key_id: str
    scopes: frozenset[str]
    limits: EffectiveLimits
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class CachedKey:
    """A key, the digest of the token that was sent, and the time on the monotonic clock until which it holds."""

    identity: Identity
    digest: str
    until: float


class KeyCache:
    """Authenticates tokens; safe for threads."""

    def __init__(self, db: Database, settings: Settings, max_age: float = MAX_AGE_SECONDS) -> None:
        self._db, self._settings, self._max_age = db, settings, max_age
        self._lock = threading.Lock()
        self._keys: dict[str, CachedKey] = {}  # by the id of the key or the session whose token it was
        self._changes = 0
        self._reads = SharedReads[tuple[str, int], Identity](THREADS, call_queue=CallQueue())

    async def identify(self, token: str) -> Identity:
        """Return who a token stands for; requests that ask at the same time share a read. Raises `Unauthenticated`."""
        known = self.find(token)
        if known is not None:
            return known
        key = token_digest(token), self._changes  # what was asked for before a change is not shared after it
        return await self._reads.get(key, partial(self.authenticate, token))

    def find(self, token: str) -> Identity | None:
        """Return who a token stands for, if that is known; it needs no database and waits for nothing."""
        cached = self._keys.get(parse_id(token) or "")
        if cached is None or not hmac.compare_digest(cached.digest, token_digest(token)):
            return None
        return cached.identity if time.monotonic() < cached.until else None

    def authenticate(self, token: str) -> Identity:
        """Return who a token stands for, from the database. Raises `Unauthenticated`."""
        changes, read_at = self._changes, time.monotonic()
        found = self._db.read(credentials.authenticate, token)
        identity = self._identity(found)
        until = read_at + min(self._max_age, found.seconds)
        with self._lock:
            if changes == self._changes:  # else what was read may be older than the change
                if len(self._keys) >= MAX_KEYS:
                    self._keys.clear()
                self._keys[found.credential.id] = CachedKey(identity, found.credential.digest, until)
        return identity

    def forget(self, changed_id: str) -> None:
        """Ask the database again for a key or a session that has changed, and for the sessions of the key."""
        with self._lock:
            self._changes += 1
            self._keys.pop(changed_id, None)
            for session_id in [each for each, cached in self._keys.items() if cached.identity.key_id == changed_id]:
                del self._keys[session_id]

    def _identity(self, found: ValidKey) -> Identity:
        row = found.row
        limits = effective_limits(self._settings, row.limits, "admin" in row.scopes)
        session_id = found.credential.id if found.credential.noun == SESSION else ""
        return Identity(row.owner, row.id, frozenset(row.scopes), limits, session_id)
