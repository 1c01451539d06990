"""Logs: one line each to standard error, for people or as JSON; every library's lines too. Keys are never logged."""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from typing import Any

import structlog
from structlog.types import Processor

from app.settings import Settings

_TOKEN = re.compile(r"gw_[0-9A-Za-z]+_[\w-]+")
_QUIET = {"httpx": logging.WARNING, "kombu": logging.WARNING, "alembic": logging.WARNING}


def configure(settings: Settings, level: int = logging.INFO) -> None:
    """Send what structlog and the standard library log to standard error. Calling it again replaces the set-up."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderer(settings), _mask],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, quieter in _QUIET.items():
        logging.getLogger(name).setLevel(quieter)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def bind(**values: Any) -> AbstractContextManager[None]:
    """Add `job_id`, `request_id` or the like to every line logged inside a ``with``, in this thread or task."""
    return structlog.contextvars.bound_contextvars(**values)


def _renderer(settings: Settings) -> list[Processor]:
    if settings.log_json:
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)  # locals hold secrets
        return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]


def _mask(logger: Any, method: str, line: str | bytes | MutableMapping[str, Any]) -> str:
    """Replace every API key in the finished line, wherever it came from."""
    return _TOKEN.sub("gw_***", str(line))
