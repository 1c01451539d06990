"""The real application: on both databases, with a store, an inspector, and a broker that is away."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from app.api.access_log import AccessLog
from app.api.children.inspector import Inspector
from app.api.children.predictor import PredictorPool
from app.api.job_documents import JobDocuments
from app.api.key_cache import KeyCache
from app.api.lanes import Lanes, lane_limits
from app.api.main import create_app
from app.api.rate_limits import RateLimiter
from app.api.services import JOB_READING_THREADS, JobReads, Services
from app.api.streams.event_stream import EventStreams
from app.api.streams.job_watcher import JobWatcher
from app.db.sealing import open_sealer
from app.db.session import Database
from app.disk.spool import Spool
from app.jobs.dispatch import Waker
from app.settings import Settings
from app.storage.catalog import open_store
from app.storage.protocol import ArtifactStore
from app.webhooks.targets import TargetPolicy
from tests.app.api.client import Api, Client, run_app

UNREACHABLE_BROKER_URL = "redis://127.0.0.1:1/0"  # refuses every connection

StartApp = Callable[..., Api]


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal("asyncio") as opened:
        yield opened


@pytest.fixture(scope="session")
def shared_inspector() -> Iterator[Inspector]:
    """One for all tests: its children import torch."""
    opened = Inspector(Settings(upload_limit=1 << 26))
    opened.warm_up()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def shared_predictors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PredictorPool]:
    """One for all tests, as above."""
    opened = PredictorPool(Settings(home=tmp_path_factory.mktemp("predictors"), predictors=1))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def described() -> dict[str, Any]:
    """The description of the API; making it takes longer than most tests."""
    document: dict[str, Any] = create_app(Settings()).openapi()
    return document


@pytest.fixture(scope="session")
def waker() -> Iterator[Waker]:
    with Waker(UNREACHABLE_BROKER_URL) as opened:
        yield opened


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """For modules where the database makes no difference: they return it from a `database_url` of their own."""
    shutil.copyfile(migrated_file, tmp_path / "graftwerk.db")
    return f"sqlite:///{tmp_path / 'graftwerk.db'}"


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return open_store(str(tmp_path / "artifacts"), {})


@pytest.fixture
def serve(
    database: Database,
    artifacts: ArtifactStore,
    shared_inspector: Inspector,
    shared_predictors: PredictorPool,
    waker: Waker,
    portal: BlockingPortal,
    tmp_path: Path,
    described: dict[str, Any],
) -> Iterator[StartApp]:
    """Starts applications on the test's database and store: with settings of one's own, and parts."""
    parts = {
        "db": database,
        "store": artifacts,
        "waker": waker,
        "inspector": shared_inspector,
        "predictors": shared_predictors,
    }

    with ExitStack() as stack:

        def start(*, other: Mapping[str, Any] | None = None, **chosen: Any) -> Api:
            @contextmanager
            def opening(settings: Settings) -> Iterator[Services]:
                db = dict(other or {}).get("db", database)
                targets = TargetPolicy(http=settings.webhook_http, private=settings.webhook_private)
                with AccessLog(database) as access_log, Spool(settings.resolved_spool, "api") as spool:
                    own = {
                        "job_watcher": JobWatcher(database),
                        "rate_limiter": RateLimiter(),
                        "targets": targets,
                        "access_log": access_log,
                        "event_streams": EventStreams(database),
                        "job_reads": JobReads(JOB_READING_THREADS),
                        "lanes": Lanes(lane_limits(settings)),
                        "key_cache": KeyCache(db, settings, max_age=0.0),  # tests change rows
                        "job_documents": JobDocuments(db, settings.limit_running_jobs, position_seconds=0.0),
                        "spool": spool,
                        "sealer": open_sealer(settings),
                    }
                    yield Services(settings, **(parts | own | dict(other or {})))

            settings = Settings(home=tmp_path, **({"rate_limit": "", "upload_limit": 1 << 26} | chosen))
            app = create_app(settings, opening)
            app.openapi_schema = described
            return stack.enter_context(run_app(app, portal))

        yield start


@pytest.fixture
def api(serve: StartApp) -> Api:
    return serve()


@pytest.fixture
def anna(api: Api) -> Client:
    return api.client("anna")


@pytest.fixture
def bert(api: Api) -> Client:
    return api.client("bert")
