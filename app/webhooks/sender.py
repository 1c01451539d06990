"""Sends the messages that wait for webhooks. Runs in every worker, beside training.

It has a database connection of its own and a thread for every message under way: a slow receiver delays only its own
messages.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

import structlog

from app.db.sealing import Sealer, SecretSealed
from app.db.session import Database
from app.errors import InvalidInput, Unavailable
from app.periodic import Periodic
from app.webhooks import deliveries, repository
from app.webhooks.deliveries import ClaimedMessage, DeliveryResult
from app.webhooks.http import post
from app.webhooks.signature import signed_headers
from app.webhooks.targets import Target, TargetPolicy

MAX_IN_FLIGHT = 32  # messages under way in one worker; half of them are kept for webhooks that do not fail
POLL_SECONDS = 1.0
DRAIN_SECONDS = 2.0  # for messages under way when the worker stops

PostFunction = Callable[[Target, dict[str, str], str], DeliveryResult]

_log = structlog.get_logger(__name__)


class WebhookSender:
    """Claims messages, sends each in a thread, and records the results. Delivers at least once, under one id."""

    def __init__(self, db: Database, targets: TargetPolicy, sealer: Sealer, send: PostFunction = post) -> None:
        self._db, self._targets, self._sealer, self._send = db, targets, sealer, send
        self._resealed = False
        self._results: SimpleQueue[tuple[ClaimedMessage, DeliveryResult]] = SimpleQueue()
        self._unrecorded: tuple[ClaimedMessage, DeliveryResult] | None = None
        self._in_flight = 0
        self._rounds = Periodic("webhooks", 0.0, lambda: self.run_round(POLL_SECONDS), _log_failure)

    def start(self) -> None:
        """Begin."""
        self._rounds.start()

    def stop(self) -> None:
        """Claim no more, and wait some seconds for what is under way; the rest is sent again by another worker."""
        if not self._rounds.stop(2 * POLL_SECONDS):
            return
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._in_flight and time.monotonic() < deadline:
            try:
                self.run_round(POLL_SECONDS)
            except Exception as error:
                _log_failure(error)
                time.sleep(POLL_SECONDS)

    def run_round(self, wait: float = 0.0) -> None:
        """Record the results that are there, waiting up to `wait` seconds for the first; then send what is due."""
        if not self._resealed:
            self._reseal()
        while self._record(wait):
            wait = 0.0
        while not self._rounds.is_stopping and self._start():
            pass

    def _reseal(self) -> None:
        """Seal, once, what an older version stored in plain text, and what another key has sealed."""
        changed, lost = self._db.run(repository.reseal, self._sealer)
        self._resealed = True
        if changed:
            _log.info("webhook_secrets_sealed", count=changed)
        for webhook in lost:
            _log.error("webhook_secret_lost", webhook=webhook, hint=SecretSealed().detail)

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
        result = {"message": claimed.id, "status": attempt.status, "error": attempt.error, "counted": counted}
        _log.info("webhook_sent", webhook=claimed.webhook_id, ms=round(1000 * attempt.seconds), **result)
        return True

    def _start(self) -> bool:
        """Claim a message and send it in a thread; returns false if none is due, or too many are under way."""
        if self._in_flight >= MAX_IN_FLIGHT or not self._db.read(deliveries.has_due_message):
            return False
        claimed = self._db.run(deliveries.claim, healthy=self._in_flight >= MAX_IN_FLIGHT // 2)
        if claimed is None:
            return False
        self._in_flight += 1
        threading.Thread(target=self._send_in_thread, args=(claimed,), name="webhook", daemon=True).start()
        return True

    def _send_in_thread(self, claimed: ClaimedMessage) -> None:
        try:
            attempt = self._attempt(claimed)
        except Exception as error:  # a fault of this service: retried like any other failure
            _log.exception("webhook_not_sent", webhook=claimed.webhook_id)
            attempt = DeliveryResult(None, 0.0, "internal", type(error).__name__)
        self._results.put((claimed, attempt))

    def _attempt(self, claimed: ClaimedMessage) -> DeliveryResult:
        try:
            target = self._targets.check(claimed.url)  # again: names may resolve to other addresses by now
        except InvalidInput as error:
            return DeliveryResult(None, 0.0, error.problems[0].code, error.detail)
        try:
            secrets = [self._sealer.open(claimed.secrets[0])]
        except SecretSealed as error:
            return DeliveryResult(None, 0.0, error.code, error.detail)
        for old in claimed.secrets[1:]:
            with suppress(SecretSealed):  # the receiver has the new one
                secrets.append(self._sealer.open(old))
        headers = signed_headers(claimed.id, claimed.at, claimed.body, secrets)
        return self._send(target, headers, claimed.body)


def _log_failure(error: Exception) -> None:
    if not isinstance(error, Unavailable):  # nothing is lost: results are recorded later, or messages sent again
        _log.error("courier_failed", exc_info=error)
