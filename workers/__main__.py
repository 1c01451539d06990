"""Start a worker: ``python -m workers``."""

import os
import sys
from typing import Any

import structlog
from celery.signals import setup_logging, worker_ready, worker_shutting_down

from app.db import migrate
from app.db.session import Database
from app.jobs.dispatch import Waker
from app.logs import configure
from app.settings import get_settings
from app.storage.open import open_store
from app.webhooks.sender import WebhookSender
from app.webhooks.targets import TargetPolicy
from workers.host.celery_app import create_celery, queue_names
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
    """Serve until told to stop; then every attempt checkpoints and hands its job back."""
    chosen = get_settings()
    process = {"process": "worker", "worker": worker_name()}
    configure(chosen.log_json, **process)
    if not migrate.is_compatible(chosen.resolved_database_url, patient=True):
        return os.EX_CONFIG
    forkserver.warm_up()
    queues = queue_names(chosen)
    store = open_store(chosen.resolved_artifact_url, chosen.store_options)
    with Waker(chosen.broker_url.get_secret_value()) as waker:
        url = chosen.resolved_database_url
        db = Database(url, pool_size=chosen.resolved_slots + 2)  # each slot, the sweeper, and one
        worker = Worker(chosen, db, store, waker, queues)
        sweeper = PeriodicRunner(worker)
        post = Database(url, pool_size=1)  # what waits for receivers takes no slot's connection
        targets = TargetPolicy(http=chosen.webhook_http, private=chosen.webhook_private)
        courier = WebhookSender(post, targets)

        @setup_logging.connect(weak=False)
        def on_setup_logging(**_: Any) -> None:
            configure(chosen.log_json, **process)  # instead of Celery's own, which would silence ours

        @worker_ready.connect(weak=False)
        def on_ready(**_: Any) -> None:
            _log.info("worker_ready", slots=chosen.resolved_slots, queues=queues)

        @worker_shutting_down.connect(weak=False)
        def on_shutting_down(**_: Any) -> None:
            worker.draining.set()  # only a flag: Celery then waits for the attempts, which end at their next step

        app = create_celery(chosen, worker.heartbeat.probe.queue)
        register_tasks(app, worker)
        sweeper.start()
        courier.start()
        try:
            app.worker_main(CELERY_OPTIONS)
        finally:
            sweeper.stop()
            worker.close()
            courier.stop()
            post.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
