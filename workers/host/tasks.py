"""The tasks: three lines each."""

from celery import Celery

from app.jobs.dispatch import WORK
from workers.host.worker import Worker


def register(app: Celery, worker: Worker) -> None:
    """Register the tasks of a worker."""

    @app.task(name=WORK, ignore_result=True)
    def work() -> None:
        worker.pulse.hearing.heard()
        worker.work()
