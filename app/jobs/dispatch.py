"""Wake-ups: Celery messages that only say "work is waiting". A lost one costs seconds, see `workers.host.duties`."""

import threading
from collections import Counter
from types import TracebackType
from typing import Self

import structlog
from celery import Celery

from app.faultpoints import faultpoint

WORK_TASK = "graftwerk.work"
MAX_PENDING = 10_000
EXPIRE_SECONDS = 60.0  # of a wake-up that no worker had a slot for: after a job it looks for the next one anyway

_log = structlog.get_logger(__name__)


class Waker:
    """Sends wake-ups from a thread of its own, so that a request neither waits for the broker nor fails with it.

    `sent` and `dropped` are counts by queue.
    """

    def __init__(self, broker_url: str) -> None:
        self._celery = Celery("graftwerk", broker=broker_url, set_as_current=False)
        self._celery.conf.update(
            task_ignore_result=True,
            broker_connection_retry=False,
            broker_transport_options={"socket_connect_timeout": 1.0, "socket_timeout": 2.0, "max_retries": 0},
        )
        self.sent: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self._pending: list[str] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="waker", daemon=True)
        self._thread.start()

    def wake(self, queue: str) -> None:
        """Let a worker of the queue look for work, soon. Call after the commit."""
        with self._changed:
            if len(self._pending) < MAX_PENDING:  # beyond that, workers look for jobs by themselves
                self._pending.append(queue)
            else:
                self.dropped[queue] += 1
            self._changed.notify()

    def counts(self) -> dict[str, int]:
        """Return the number of wake-ups sent and dropped, over all queues."""
        return {"sent": sum(list(self.sent.values())), "dropped": sum(list(self.dropped.values()))}

    def close(self) -> None:
        """Send what is pending and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout=5)
        self._celery.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._closed)
                batch, self._pending = self._pending, []
                if not batch and self._closed:
                    return
            for position, queue in enumerate(batch):
                if not self._send(queue):
                    self.dropped.update(batch[position:])
                    _log.warning("wake_ups_dropped", queue=queue, count=len(batch) - position)
                    break
                faultpoint("wake_up_sent")

    def _send(self, queue: str) -> bool:
        try:
            self._celery.send_task(WORK_TASK, queue=queue, expires=EXPIRE_SECONDS, retry=False, ignore_result=True)
        except Exception as error:  # whatever the broker's client raises: workers look for jobs by themselves
            _log.warning("wake_up_failed", queue=queue, error=type(error).__name__)
            return False
        self.sent[queue] += 1
        return True
