"""Metrics for Prometheus: of jobs and workers from the database, and of this process.

Workers have no port: they report with their heartbeats. The results of queries are cached for some seconds, so that
frequent scrapes put no load on the database.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import QueuePool, Row
from sqlalchemy.orm import Session

from app import heartbeat
from app.api.lanes import Lane
from app.api.services import Services
from app.errors import Unavailable
from app.jobs import repository

CACHE_SECONDS = 3.0
CACHE_SHARE = (
    50.0  # results are kept for so many times as long as the queries took: counting millions of jobs takes long
)

MetricType = type[GaugeMetricFamily] | type[CounterMetricFamily]
MetricLabels = tuple[str, ...]
MetricSamples = Iterable[tuple[MetricLabels, float]]

# Name → kind, labels, meaning. `docs/operations.md` shows them, and the rules of `docs/alerts.yml` use them.
PROMETHEUS_METRICS: Mapping[str, tuple[MetricType, MetricLabels, str]] = {
    "graftwerk_jobs": (GaugeMetricFamily, ("status",), "Jobs by status."),
    "graftwerk_queue_depth": (GaugeMetricFamily, ("queue",), "Jobs that wait, by queue."),
    "graftwerk_queue_oldest_seconds": (GaugeMetricFamily, ("queue",), "How long the oldest of them has waited."),
    "graftwerk_queue_workers": (GaugeMetricFamily, ("queue",), "Workers that serve the queue."),
    "graftwerk_steps_per_second": (GaugeMetricFamily, (), "Steps per second of all running jobs together."),
    "graftwerk_lease_age_seconds": (GaugeMetricFamily, (), "Since the renewal of the oldest lease of a running job."),
    "graftwerk_worker_slots": (GaugeMetricFamily, ("worker", "state"), "Slots of a worker, free or used."),
    "graftwerk_worker_seen_seconds": (GaugeMetricFamily, ("worker",), "Since a worker's last sign of life and round."),
    "graftwerk_worker_deaf_seconds": (GaugeMetricFamily, ("worker",), "For how long a worker hears no wake-ups."),
    "graftwerk_attempts": (CounterMetricFamily, ("worker", "ending", "code"), "Ended attempts, by the error's code."),
    "graftwerk_checkpoints": (CounterMetricFamily, ("worker",), "Checkpoints that were listed."),
    "graftwerk_checkpoint_bytes": (CounterMetricFamily, ("worker",), "Their bytes."),
    "graftwerk_checkpoint_seconds": (CounterMetricFamily, ("worker",), "How long writing them took."),
    "graftwerk_wake_ups": (CounterMetricFamily, ("by", "result"), "Wake-ups that were sent or dropped."),
    "graftwerk_disk_free_bytes": (GaugeMetricFamily, ("by",), "Free room on the disk of the home directory."),
    "graftwerk_database_connections": (GaugeMetricFamily, ("state",), "Connections of this API, and their limit."),
    "graftwerk_lane_requests": (GaugeMetricFamily, ("lane", "state"), "Requests of a lane in progress or waiting."),
    "graftwerk_lane_refused": (CounterMetricFamily, ("lane",), "Requests that found no place in their lane: 503."),
    "graftwerk_uploads": (GaugeMetricFamily, (), "Uploads that arrive at this API now."),
    "graftwerk_streams": (GaugeMetricFamily, (), "Event streams that are open at this API now."),
}


def metric_descriptions() -> dict[str, str]:
    """Return the meaning of every metric, by its name in Prometheus."""
    return {
        name + ("_total" if kind is CounterMetricFamily else ""): meaning + (f" By {', '.join(by)}." if by else "")
        for name, (kind, by, meaning) in PROMETHEUS_METRICS.items()
    }


@dataclass(frozen=True, slots=True)
class DatabaseSnapshot:
    """The results of one round of queries."""

    jobs: Mapping[str, int]
    queues: Mapping[str, tuple[int, float]]  # how many wait, and how long the oldest (seconds)
    running: repository.RunningStats
    workers: list[tuple[Row[Any], float]]


class MetricsCollector(Collector):
    """Collects all metrics per scrape; without a database only those of this process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._cached: DatabaseSnapshot | None = None
        self._fetch_at = float("-inf")

    def collect(self) -> Iterable[Metric]:
        """Return the figures."""
        samples = dict(self._process_samples())
        known = self._snapshot()
        if known is not None:  # no figure is better than a wrong one
            samples |= dict(self._job_samples(known)) | dict(_worker_samples(known))
            samples["graftwerk_wake_ups"] = [*self._wake_up_samples(), *samples["graftwerk_wake_ups"]]
            samples["graftwerk_disk_free_bytes"] = [*self._disk_samples(), *samples["graftwerk_disk_free_bytes"]]
        return [_metric_family(name, found) for name, found in samples.items()]

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering queries no database."""
        return []

    def _snapshot(self) -> DatabaseSnapshot | None:
        with self._lock:
            began = time.monotonic()
            if began >= self._fetch_at:
                try:
                    self._cached = self._services.db.read(_database_snapshot)
                except Unavailable:
                    self._cached = None
                ended = time.monotonic()
                self._fetch_at = ended + max(CACHE_SECONDS, CACHE_SHARE * (ended - began))
            return self._cached

    def _process_samples(self) -> Iterator[tuple[str, MetricSamples]]:
        services = self._services
        pool = services.db.engine.pool
        if isinstance(pool, QueuePool):
            most = pool.size() + max(0, pool._max_overflow)
            yield "graftwerk_database_connections", [(("in use",), pool.checkedout()), (("limit",), most)]
        yield from self._lane_samples()
        yield "graftwerk_uploads", [((), services.lanes.queues[Lane.UPLOAD].in_use)]
        yield "graftwerk_streams", [((), services.lanes.queues[Lane.STREAM].in_use)]
        yield "graftwerk_wake_ups", self._wake_up_samples()
        yield "graftwerk_disk_free_bytes", self._disk_samples()

    def _lane_samples(self) -> Iterator[tuple[str, MetricSamples]]:
        queues = self._services.lanes.queues
        states = [(lane, state, count) for lane, queue in queues.items() for state, count in queue.counts.items()]
        yield "graftwerk_lane_requests", [((lane, state), count) for lane, state, count in states]
        yield "graftwerk_lane_refused", [((lane,), queue.refused) for lane, queue in queues.items()]

    def _wake_up_samples(self) -> list[tuple[MetricLabels, float]]:
        waker = self._services.waker
        return [(("api", result), count) for result, count in waker.counts().items()]

    def _disk_samples(self) -> list[tuple[MetricLabels, float]]:
        return [(("api",), self._services.settings.disk_free)]

    def _job_samples(self, known: DatabaseSnapshot) -> Iterator[tuple[str, MetricSamples]]:
        yield "graftwerk_jobs", [((status,), count) for status, count in known.jobs.items()]
        serving = {name: 0 for row, _ in known.workers for name in row.queues}
        for row, seconds in known.workers:
            if heartbeat.liveness(row, seconds) == "listening":
                serving |= {name: serving[name] + 1 for name in row.queues}
        queues = sorted({*serving, *known.queues})
        waiting = {name: known.queues.get(name, (0, 0.0)) for name in queues}
        yield "graftwerk_queue_depth", [((name,), waiting[name][0]) for name in queues]
        yield "graftwerk_queue_oldest_seconds", [((name,), waiting[name][1]) for name in queues]
        yield "graftwerk_queue_workers", [((name,), serving.get(name, 0)) for name in queues]
        yield "graftwerk_steps_per_second", [((), known.running.steps_per_second)]
        left = known.running.min_lease_remaining
        age = 0.0 if left is None else max(0.0, self._services.settings.lease_seconds - left)
        yield "graftwerk_lease_age_seconds", [((), age)]


def _worker_samples(known: DatabaseSnapshot) -> Iterator[tuple[str, MetricSamples]]:
    """Yield the figures of workers: counters of all of the last hour, gauges of those that have not stopped."""
    running = [each for each in known.workers if heartbeat.liveness(*each) != "stopped" and each[0].figures is not None]
    slots = [
        ((row.name, state), count)
        for row, _ in running
        for state, count in (("free", row.free or 0), ("used", row.slots - (row.free or 0)))
    ]
    yield "graftwerk_worker_slots", slots
    yield "graftwerk_worker_seen_seconds", [((row.name,), seconds) for row, seconds in running]
    yield "graftwerk_worker_deaf_seconds", [((row.name,), row.deaf_seconds or 0.0) for row, _ in running]
    reports = [(row.name, row.figures) for row, _ in known.workers if row.figures is not None]
    yield (
        "graftwerk_attempts",
        [
            ((name, ending, code), count)
            for name, figures in reports
            for ending, codes in figures["attempts"].items()
            for code, count in codes.items()
        ],
    )
    for figure, key in (("checkpoints", "count"), ("checkpoint_bytes", "bytes"), ("checkpoint_seconds", "seconds")):
        yield f"graftwerk_{figure}", [((name,), figures["checkpoints"][key]) for name, figures in reports]
    yield (
        "graftwerk_wake_ups",
        [((name, result), count) for name, figures in reports for result, count in figures["wake_ups"].items()],
    )
    yield (
        "graftwerk_disk_free_bytes",
        [((row.name,), row.figures["disk_free"]) for row, _ in running if row.figures is not None],
    )


def _metric_family(name: str, samples: MetricSamples) -> Metric:
    kind, labels, meaning = PROMETHEUS_METRICS[name]
    family = kind(name, meaning, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _database_snapshot(session: Session) -> DatabaseSnapshot:
    return DatabaseSnapshot(
        repository.count_by_status(session),
        repository.queue_backlog(session),
        repository.running_stats(session),
        heartbeat.list_workers(session),
    )
