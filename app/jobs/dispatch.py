"""Wake-ups: Celery messages that only say "work is waiting". A lost one costs seconds, see `workers.host.periodic`."""

import threading
from collections import Counter
from types import TracebackType
from typing import Self

import structlog
from celery import Celery

from app.faultpoints import faultpoint

WORK_TASK = "graftwerk.work"
MAX_PENDING = 10_000
EXPIRE_SECONDS = 60.0  # a wake-up that nobody had time for: whoever was busy looks for work anyway

_log = structlog.get_logger(__name__)


class Waker:
    """Sends wake-ups from a thread of its own, so that a request neither waits for the broker nor fails with it.

    Wake-ups for the same queue that pile up while the broker is slow are counted, and sent one message each. `sent` and
    `dropped` say how many, by queue.
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
            if len(self._pending) < MAX_PENDING:  # beyond that the sweepers do
                self._pending.append(queue)
            else:
                self.dropped[queue] += 1
            self._changed.notify()

    def counts(self) -> dict[str, int]:
        """Return how many wake-ups were sent and dropped, of all queues."""
        return {"sent": sum(list(self.sent.values())), "dropped": sum(list(self.dropped.values()))}

    def close(self) -> None:
        """Send what is due and stop."""
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
                due, self._pending = self._pending, []
                if not due and self._closed:
                    return
            for position, queue in enumerate(due):
                if not self._send(queue):
                    self.dropped.update(due[position:])
                    _log.warning("wake_ups_dropped", queue=queue, count=len(due) - position)
                    break
                faultpoint("wake_up_sent")

    def _send(self, queue: str) -> bool:
        try:
            self._celery.send_task(WORK_TASK, queue=queue, expires=EXPIRE_SECONDS, retry=False, ignore_result=True)
        except Exception as error:  # whatever the broker's client raises: the sweepers look
            _log.warning("wake_up_failed", queue=queue, error=type(error).__name__)
            return False
        self.sent[queue] += 1
        return True
