"""Sends what waits for webhooks. Runs in every worker, beside training and without a say in it.

It has a database connection of its own, and a thread for every attempt: a receiver that is slow delays nothing but its
own messages.
"""

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

import structlog

from app.db.session import Database
from app.errors import InvalidInput, Unavailable
from app.webhooks import deliveries
from app.webhooks.deliveries import ClaimedMessage, DeliveryResult
from app.webhooks.http import post
from app.webhooks.signature import signed_headers
from app.webhooks.targets import Target, TargetPolicy

MAX_IN_FLIGHT = 32  # attempts under way in one worker; half of them are not given to webhooks that are failing
POLL_SECONDS = 1.0
DRAIN_SECONDS = 2.0  # for attempts under way when the worker is told to stop

PostFunction = Callable[[Target, dict[str, str], str], DeliveryResult]

_log = structlog.get_logger(__name__)


class WebhookSender:
    """A thread that claims, lets others send, and records what came of it. At least once, under one id."""

    def __init__(self, db: Database, targets: TargetPolicy, send: PostFunction = post) -> None:
        self._db, self._targets, self._send = db, targets, send
        self._stop = threading.Event()
        self._results: SimpleQueue[tuple[ClaimedMessage, DeliveryResult]] = SimpleQueue()
        self._unrecorded: tuple[ClaimedMessage, DeliveryResult] | None = None
        self._in_flight = 0
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Claim no more, and wait some seconds for what is under way; the rest is sent again by somebody else."""
        self._stop.set()
        self._thread.join(timeout=DRAIN_SECONDS + 2 * POLL_SECONDS)

    def _run(self) -> None:
        until = float("inf")
        while (self._in_flight and time.monotonic() < until) or not self._stop.is_set():
            if self._stop.is_set():
                until = min(until, time.monotonic() + DRAIN_SECONDS)
            try:
                self.run_round(POLL_SECONDS)
            except Unavailable:  # nothing is lost: what was sent meanwhile is recorded, or sent again
                self._stop.wait(POLL_SECONDS)
            except Exception:  # a fault in one round must not end sending for good
                _log.exception("courier_failed")
                self._stop.wait(POLL_SECONDS)

    def run_round(self, wait: float = 0.0) -> None:
        """Record what has ended, waiting up to so many seconds for something to; then start what is due."""
        while self._record(wait):
            wait = 0.0
        while not self._stop.is_set() and self._start():
            pass

    def _record(self, wait: float) -> bool:
        if self._unrecorded is None:
            try:
                self._unrecorded = self._results.get(timeout=wait) if wait else self._results.get_nowait()
            except Empty:
                return False
            self._in_flight -= 1
        claimed, attempt = self._unrecorded
        counted = self._db.run(deliveries.record_result, claimed, attempt)
        self._unrecorded = None
        told = {"message": claimed.id, "status": attempt.status, "error": attempt.error, "counted": counted}
        _log.info("webhook_sent", webhook=claimed.webhook_id, ms=round(1000 * attempt.seconds), **told)
        return True

    def _start(self) -> bool:
        """Claim a message and let a thread send it; false where there is none, or no place."""
        if self._in_flight >= MAX_IN_FLIGHT or not self._db.read(deliveries.has_due_message):
            return False
        claimed = self._db.run(deliveries.claim, healthy=self._in_flight >= MAX_IN_FLIGHT // 2)
        if claimed is None:
            return False
        self._in_flight += 1
        threading.Thread(target=self._send_in_thread, args=(claimed,), name="carrier", daemon=True).start()
        return True

    def _send_in_thread(self, claimed: ClaimedMessage) -> None:
        try:
            attempt = self._attempt(claimed)
        except Exception as error:  # a fault of ours: tried again like any other
            _log.exception("webhook_not_sent", webhook=claimed.webhook_id)
            attempt = DeliveryResult(None, 0.0, "internal", type(error).__name__)
        self._results.put((claimed, attempt))

    def _attempt(self, claimed: ClaimedMessage) -> DeliveryResult:
        try:
            target = self._targets.check(claimed.url)  # again, for names change
        except InvalidInput as error:
            return DeliveryResult(None, 0.0, error.problems[0].code, error.detail)
        headers = signed_headers(claimed.id, claimed.at, claimed.body, claimed.secrets)
        return self._send(target, headers, claimed.body)
