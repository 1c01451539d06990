"""Which attempts have stopped renewing their leases, judged without a clock that others share or that can be set."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from app.jobs.repository import Lease


@dataclass(slots=True)
class _Observation:
    lease: Lease
    seconds: float = 0.0  # for which it has been seen unchanged


class LeaseObserver:
    """Watches leases: one that has not changed for `lease_seconds` of this process's own time has expired.

    A look counts for at most a third of a lease, the time between two renewals, however long ago the one before was:
    when everything was suspended, or the database away, attempts have two thirds to renew their leases afterwards.
    """

    def __init__(self, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._observations: dict[tuple[str, int], _Observation] = {}  # by job and fence
        self._looked_at = 0.0

    def forget(self) -> None:
        """Begin anew: nobody could renew a lease."""
        self._observations.clear()

    def expired(self, leases: Iterable[Lease]) -> list[Lease]:
        """Return those of the running jobs' leases that have expired by now."""
        now = time.monotonic()
        elapsed, self._looked_at = min(now - self._looked_at, self._lease_seconds / 3), now
        before, self._observations = self._observations, {}
        for lease in leases:
            known = before.get((lease.job_id, lease.fence))
            unchanged = known is not None and known.lease == lease
            seconds = known.seconds + elapsed if known is not None and unchanged else 0.0
            self._observations[lease.job_id, lease.fence] = _Observation(lease, seconds)
        return [each.lease for each in self._observations.values() if each.seconds >= self._lease_seconds]
