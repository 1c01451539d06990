"""The services behind the routes: opened when the application starts, closed when it stops."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.api.access_log import AccessLog
from app.api.children.inspector import Inspector
from app.api.children.pool import share_server
from app.api.children.predictor import PredictorPool
from app.api.job_documents import JobDocument, JobDocuments
from app.api.key_cache import KeyCache
from app.api.lanes import Lanes, lane_limits
from app.api.rate_limits import RateLimiter
from app.api.streams.call_queue import CallQueue
from app.api.streams.event_stream import EventStreams
from app.api.streams.job_watcher import JobWatcher
from app.api.streams.shared_reads import SharedReads
from app.db.sealing import Sealer, open_sealer
from app.db.session import Database
from app.disk.spool import Spool, remove_abandoned
from app.jobs.dispatch import Waker
from app.settings import Settings
from app.storage.catalog import open_store
from app.storage.protocol import ArtifactStore
from app.webhooks.targets import TargetPolicy

JOB_READING_THREADS = 2  # for the answers of long polls

JobReads = SharedReads[tuple[str, int], JobDocument]  # a job's document, by its id and version


@dataclass(frozen=True, slots=True)
class Services:
    """The services behind the routes."""

    settings: Settings
    db: Database
    store: ArtifactStore
    waker: Waker
    inspector: Inspector
    predictors: PredictorPool
    job_watcher: JobWatcher
    rate_limiter: RateLimiter
    targets: TargetPolicy
    access_log: AccessLog
    event_streams: EventStreams
    job_reads: JobReads
    lanes: Lanes
    spool: Spool
    sealer: Sealer
    key_cache: KeyCache
    job_documents: JobDocuments


@contextmanager
def open_services(settings: Settings) -> Iterator[Services]:
    """Open every service. What processes that were killed left in the spool is removed before."""
    with suppress(OSError):
        remove_abandoned(settings.resolved_spool)
    spool = Spool(settings.resolved_spool, "api", settings.spool_reserve)
    spool.make_default()
    with spool, _open_parts(settings, spool) as services:
        yield services


@contextmanager
def _open_parts(settings: Settings, spool: Spool) -> Iterator[Services]:
    db = Database(settings.resolved_database_url)
    share_server(settings.fork_server)
    inspector, predictors = Inspector(settings), PredictorPool(settings)
    try:
        store = open_store(settings.resolved_artifact_url, settings.store_options)
        with Waker(settings.broker_url.get_secret_value()) as waker, AccessLog(db) as access_log:
            call_queue = CallQueue()
            yield Services(
                settings=settings,
                db=db,
                store=store,
                waker=waker,
                inspector=inspector,
                predictors=predictors,
                job_watcher=JobWatcher(db, call_queue),
                rate_limiter=RateLimiter(),
                targets=TargetPolicy(http=settings.webhook_http, private=settings.webhook_private),
                access_log=access_log,
                event_streams=EventStreams(db, call_queue),
                job_reads=JobReads(JOB_READING_THREADS, call_queue=call_queue),
                lanes=Lanes(lane_limits(settings)),
                spool=spool,
                sealer=open_sealer(settings),
                key_cache=KeyCache(db, settings),
                job_documents=JobDocuments(db, settings.limit_running_jobs),
            )
    finally:
        inspector.close()
        predictors.close()
        db.close()


async def _get_services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_get_services)]
