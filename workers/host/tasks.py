"""The Celery task that a wake-up runs."""

from celery import Celery

from app.jobs.dispatch import WORK_TASK
from workers.host.worker import Worker


def register_tasks(app: Celery, worker: Worker) -> None:
    """Register the task of a worker."""

    @app.task(name=WORK_TASK, ignore_result=True)
    def work() -> None:
        worker.heartbeat.probe.record_message()
        worker.run_waiting_jobs()
