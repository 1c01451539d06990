"""Start a worker: ``python -m workers``."""

import os
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from celery.signals import setup_logging, worker_ready, worker_shutting_down

from app.db import revisions
from app.db.sealing import open_sealer
from app.db.session import Database
from app.disk.spool import Spool
from app.jobs.dispatch import Waker
from app.logs import configure
from app.settings import PRIVATE_UMASK, Settings, get_settings
from app.storage.catalog import open_store
from app.webhooks.sender import WebhookSender
from app.webhooks.targets import TargetPolicy
from workers.host.celery_app import create_celery, queue_names
from workers.host.duties import duties
from workers.host.periodic import PeriodicRunner
from workers.host.tasks import register_tasks
from workers.host.worker import Worker, worker_name
from workers.runner import forkserver

CELERY_OPTIONS = [
    "--quiet",
    "worker",
    "--loglevel=WARNING",
    "--without-gossip",
    "--without-mingle",
    "--without-heartbeat",
]

_log = structlog.get_logger(__name__)


def main() -> int:
    """Serve until SIGTERM or SIGINT; then every attempt saves a checkpoint and gives its job back.

    Returns the exit code: 0 only after such a signal. However else the consumer ends, whatever started the worker is to
    start it again.
    """
    os.umask(PRIVATE_UMASK)
    settings = get_settings()
    log_context = {"process": "worker", "worker": worker_name()}
    configure(settings.log_json, **log_context)
    if not revisions.is_compatible(settings.resolved_database_url, patient=True):
        return os.EX_CONFIG
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(settings.home / "compiled"))  # outlives this process
    with Spool(settings.resolved_spool, "worker") as spool:
        spool.make_default()
        return _serve(settings, spool, log_context)


def _serve(settings: Settings, spool: Spool, log_context: Mapping[str, str]) -> int:
    devices = forkserver.warm_up(settings.fork_server)
    queues = queue_names(settings)
    store = open_store(settings.resolved_artifact_url, settings.store_options)
    url = settings.resolved_database_url
    signalled: list[bool] = []
    with Waker(settings.broker_url.get_secret_value()) as waker:
        db = Database(url, pool_size=settings.resolved_slots + 2)  # each slot, the periodic duties, and one
        worker = Worker(settings, db, store, waker, queues, devices, spool)
        runner = PeriodicRunner(duties(worker), settings.sweep_seconds)
        webhook_db = Database(url, pool_size=1)  # webhooks take no slot's connection
        targets = TargetPolicy(http=settings.webhook_http, private=settings.webhook_private)
        sender = WebhookSender(webhook_db, targets, open_sealer(settings))

        @setup_logging.connect(weak=False)
        def on_setup_logging(**_: Any) -> None:
            configure(settings.log_json, **log_context)  # instead of Celery's own, which would silence ours

        @worker_ready.connect(weak=False)
        def on_ready(**_: Any) -> None:
            _log.info("worker_ready", slots=settings.resolved_slots, queues=queues, devices=devices)

        @worker_shutting_down.connect(weak=False)
        def on_shutting_down(**_: Any) -> None:
            signalled.append(True)
            worker.draining.set()  # only a flag: Celery then waits for the attempts, which end at their next step

        app = create_celery(settings, worker.heartbeat.probe.queue)
        register_tasks(app, worker)
        runner.start()
        sender.start()
        try:
            app.worker_main(CELERY_OPTIONS)
        except SystemExit as error:  # Celery's own ends, also those that say 0
            _log.info("consumer_ended", code=error.code)
        finally:
            runner.stop()
            worker.close()
            sender.stop()
            webhook_db.close()
    if signalled:
        return os.EX_OK
    _log.error("worker_ended", hint="the consumer ended without a signal; see the lines above")
    return os.EX_SOFTWARE


if __name__ == "__main__":
    sys.exit(main())
