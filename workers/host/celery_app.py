"""The Celery application, which only receives wake-ups."""

from celery import Celery
from kombu import Exchange, Queue

from app.settings import Settings
from workers.host.broker import WakeUpConnection


def create_celery(settings: Settings, own_queue: str) -> Celery:
    """Return the application for a worker; `own_queue` is the queue by which it sends wake-ups to itself."""
    queues = queue_names(settings)
    app = Celery("graftwerk", broker=settings.broker_url.get_secret_value())
    app.amqp.Connection = WakeUpConnection
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=False,  # a wake-up carries nothing: losing one costs seconds, doing one twice costs a query
        task_queues=[*map(Queue, queues), Queue(own_queue, Exchange(own_queue), own_queue)],
        task_default_queue=queues[0],
        task_create_missing_queues=False,
        worker_prefetch_multiplier=1,
        worker_concurrency=settings.resolved_slots,
        worker_pool="threads",
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,  # a job outlives its broker
        worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"unacked_restore_throttle": 1, "socket_keepalive": True, "health_check_interval": 10},
    )
    return app


def queue_names(settings: Settings) -> list[str]:
    """Return the queues that the worker serves."""
    return [name.strip() for name in settings.queues.split(",") if name.strip()] or ["default"]
