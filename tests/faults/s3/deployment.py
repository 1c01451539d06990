"""A service whose artifacts are in a bucket, behind a server that may fail and lie."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from moto.server import ThreadedMotoServer

from app.storage.catalog import open_store
from tests.conftest import BUCKET
from tests.faults.deployment import FAST_SETTINGS, Deployment
from tests.faults.s3.lying_server import LyingServer
from tests.postgres import Postgres


@dataclass
class BucketDeployment(Deployment):
    """The service, and what its store is told."""

    lying: LyingServer = field(kw_only=True)
    url: str = field(kw_only=True)
    told_options: Mapping[str, str] = field(kw_only=True)  # of the store as the service sees it


@contextmanager
def serve_from_bucket(folder: Path, postgres: Postgres | None = None) -> Iterator[BucketDeployment]:
    """Serve with artifacts in a new bucket."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    upstream = f"http://{host}:{port}"
    httpx.put(f"{upstream}/{BUCKET}").raise_for_status()
    lying = LyingServer(upstream)
    options = {"region": "us-east-1", "access_key_id": "test", "secret_access_key": "test"}
    url, told = f"s3://{BUCKET}/{uuid.uuid4().hex}", {**options, "endpoint": lying.endpoint}
    settings = FAST_SETTINGS | {
        "ARTIFACT_URL": url,
        "S3_ENDPOINT": lying.endpoint,
        "S3_ACCESS_KEY_ID": "test",
        "S3_SECRET_ACCESS_KEY": "test",
    }
    true = open_store(url, {**options, "endpoint": upstream})
    at = BucketDeployment(folder, postgres, settings=settings, artifacts=true, lying=lying, url=url, told_options=told)
    try:
        with at:
            yield at
    finally:
        lying.stop()
        server.stop()
