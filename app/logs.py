"""Logs: one line each to standard error, for people or as JSON; every library's lines too. Keys are never logged.

Every line says which process wrote it, and inside a request or an attempt which one: `request_id`, `job_id`, `fence`.
The event is one of `LOG_EVENTS`, so that programs can search for it; a test compares them with the code.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

LOG_EVENTS: Mapping[str, str] = {
    "clock_set": "The wall clock was set, and SQLite's clock with it; by how many seconds.",
    "clock_not_set": "SQLite's clock could not be compared with the wall clock; the exception is with it.",
    "line": "What the broker, the migrations or `graftwerk up` itself said, in `detail`.",
    "connections_refused": "Connections were ended because of a limit: how many since the last such line, by code.",
    "request": "A request was answered: method, path, status, ms.",
    "request_failed": "A request failed because a part of the service is unavailable or overloaded.",
    "bug": "A request met a fault of this service; the exception is with it.",
    "job_accepted": "A job was accepted; its id beside that of the request.",
    "edit_accepted": "An edit of a job was accepted; its number beside the ids.",
    "statistics_left_out": "A sample of statistics was left out for want of memory; the training goes on.",
    "statistics_failed": "A sample of statistics met a fault of this service; the exception is with it.",
    "edit_failed": "An edit met a fault of this service, and is rejected; the exception is with it.",
    "inspector_not_started": "No child process could be started to inspect, read or predict.",
    "inspection_failed": "A child process ended while it inspected a spec.",
    "export_failed": "A child process ended while it exported a network.",
    "prediction_failed": "A child process ended while it predicted.",
    "upload_not_read": "A child process ended while it read an upload.",
    "wake_up_failed": "The broker did not take a wake-up.",
    "wake_ups_dropped": "Wake-ups were given up; the periodic duties find the jobs.",
    "tables_unfit": "The database is at a revision that this version cannot use; the process ends.",
    "database_full": "The disk of the database is full; what is to be written waits.",
    "database_away": "The database does not answer.",
    "worker_ready": "A worker listens: its slots and queues.",
    "worker_silent": "Another worker has sent no heartbeat for a while and did not stop in order.",
    "message_dropped": "A message in the broker was no wake-up: `reason` says malformed, unknown_task, or an error.",
    "consumer_ended": "Celery's consumer ended the worker's process by itself, with this code.",
    "worker_ended": "The consumer ended without a signal; the process ends with 70, to be restarted.",
    "worker_deaf": "The worker receives none of its own wake-ups; it checkpoints and ends, to be restarted.",
    "sweep_failed": "A periodic duty failed; it is tried again in the next round.",
    "lease_expired": "An attempt whose lease ran out was recorded as lost.",
    "attempt_started": "A worker has claimed a job.",
    "attempt_prepared": "The attempt's process has its assignment and begins.",
    "attempt_timed": "What an attempt's process spent its time on: `ms` by phase, `saving` for its last checkpoint.",
    "attempt_crashed": "The attempt's process met a fault of this service; the exception is with it.",
    "attempt_ended": "An attempt's end was recorded.",
    "attempt_superseded": "Another attempt owns the job: this one was ended and wrote nothing more.",
    "attempt_not_recorded": "The report of an attempt could not be recorded; the attempt counts as lost.",
    "outcome_refused": "An attempt's end came after the job had changed hands.",
    "webhook_secrets_sealed": "Secrets that were plain, or sealed with another key, were sealed with the first key.",
    "webhook_secret_lost": "No key opens the secret of this webhook: bring the key back, or rotate the secret.",
    "webhook_sent": "The outcome of sending a message to a webhook: status, error, ms.",
    "webhook_not_sent": "Sending a message failed by a fault of this service; it is tried again.",
    "courier_failed": "A round of sending messages failed; the next one comes.",
    "survey_failed": "The artifact store could not be searched for orphans; the next search comes.",
    "orphans_removed": "Files were removed that crashes had left behind, and that no row lists.",
    "temporary_files_removed": "Temporary files were removed that killed processes had left in the spool.",
    "artifacts_of_another_database": "The artifact store is that of another database: nothing is removed there.",
    "files_not_listed": "The artifact store could not be listed for files to remove.",
    "removed_by_age": "What is past its age was removed: jobs, idempotent responses, uploads, sessions, audit entries.",
    "journal_not_written": "When keys were last used, or refusals, could not be written down; the next time they are.",
    "look_failed": "A look at the jobs that streams and long polls wait for met a fault of this service; they wait on.",
    "journal_failed": "Writing down when keys were last used, or refusals, met a fault of this service.",
    "file_not_deleted": "A superfluous file could not be removed; it only takes up space.",
}

# What is masked wherever it stands: keys, webhooks' secrets, credentials in headers, passwords in URLs.
_SECRET_PATTERNS = (
    (re.compile(r"gw[sl]?_[0-9A-Za-z]+_[\w-]+"), "gw_***"),  # of keys, sessions and links
    (re.compile(r"whsec_[\w+/=-]+"), "whsec_***"),
    (re.compile(r"\b(Bearer|Basic) +[\w.~+/=-]+", re.IGNORECASE), r"\1 ***"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@", re.IGNORECASE), r"\1:***@"),
)
_WORD = re.compile(r"[\w./:@%+-]+")  # text that needs no quotes
_QUIET_LOGGERS = ("alembic", "celery.app.trace", "celery.worker.strategy", "httpx", "kombu")


def configure(as_json: bool, **always: object) -> None:
    """Send what structlog and the standard library log to standard error. Calling it again replaces the set-up.

    `always` is on every line, from whichever thread.
    """

    def add_always(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
        return {**always, **line}

    shared: list[Processor] = [
        add_always,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderer(as_json), _redact],
        )
    )
    logging.raiseExceptions = False  # a line that cannot be formatted would be printed as it is, with its secrets
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)  # else they would stand between the lines, in a form of their own
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(  # not by way of the standard library, which costs a request three times as much
        processors=[*shared, *_renderer(as_json), _redact],
        logger_factory=partial(_LineLogger, handler),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )


def bind(**values: object) -> AbstractContextManager[None]:
    """Add `job_id`, `request_id` or the like to every line logged inside a ``with``, in this thread or task."""
    return structlog.contextvars.bound_contextvars(**values)


class _LineLogger:
    """Writes finished lines to the handler's stream; one that cannot be written is lost, and fails nobody."""

    def __init__(self, handler: logging.StreamHandler[Any], name: str = "app") -> None:
        self._handler, self.name = handler, name

    def info(self, line: str) -> None:
        self._handler.acquire()
        try:
            self._handler.stream.write(line + "\n")
            self._handler.flush()
        except (OSError, ValueError):  # a pipe that nobody reads, a stream that is closed
            pass
        finally:
            self._handler.release()

    debug = warning = error = critical = info


def _renderer(as_json: bool) -> list[Processor]:
    if as_json:
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)  # locals hold secrets
        return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback
    console = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    return [console if sys.stderr.isatty() else _PlainRenderer(console)]


class _PlainRenderer:
    """Writes lines as structlog's renderer does without colours, in a fifth of the time; `other` has exceptions."""

    def __init__(self, other: Processor) -> None:
        self._other = other

    def __call__(self, logger: WrappedLogger, method: str, line: EventDict) -> Any:
        if "exc_info" in line or "exception" in line or "stack" in line:
            return self._other(logger, method, line)
        head = [str(line.pop(name, "")) for name in ("timestamp", "level", "event", "logger")]
        pairs = [f"{name}={value if _is_word(value) else repr(value)}" for name, value in sorted(line.items())]
        return f"{head[0]} [{head[1]:<9}] {head[2]:<30} [{head[3]}] {' '.join(pairs)}".rstrip()


def _is_word(value: object) -> bool:
    return type(value) is str and _WORD.fullmatch(value) is not None


def _redact(logger: Any, method: str, line: str | bytes | MutableMapping[str, Any]) -> str:
    """Replace every secret in the finished line, wherever it came from."""
    text = str(line)
    for secret, mask in _SECRET_PATTERNS:
        text = secret.sub(mask, text)
    return text
