"""A worker whose consumer hangs ends by itself, so that whatever started it starts one that listens."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.db.session import Database
from graftwerk.supervise.broker import EmbeddedBroker
from tests.acceptance.service import wait_until

HANGING = """
import sys, time
from celery.signals import worker_ready
from workers.__main__ import main

@worker_ready.connect(weak=False)
def hang(**_):
    print("hanging", file=sys.stderr, flush=True)
    while True:  # in the consumer's own thread, which so hears neither wake-ups nor signals
        time.sleep(60)

sys.exit(main())
"""


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_hung_consumer_is_noticed_and_the_worker_ends(
    database: Database, broker: EmbeddedBroker, tmp_path: Path
) -> None:
    settings = {
        "HOME": str(tmp_path),
        "DATABASE_URL": str(database.url),
        "BROKER_URL": broker.url,
        "SLOTS": "1",
        "SWEEP_SECONDS": "0.3",
        "DEAF_SECONDS": "2",
        "DRAIN_SECONDS": "1",
        "LOG_JSON": "true",
    }
    environment = os.environ | {f"GRAFTWERK_{name}": value for name, value in settings.items()}
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen([sys.executable, "-c", HANGING], env=environment, stderr=log)
    try:
        wait_until(lambda: b"hanging" in (tmp_path / "log").read_bytes(), "a start", 120)
        began = time.monotonic()
        assert worker.wait(60) == os.EX_TEMPFAIL
        assert time.monotonic() - began < 45
    finally:
        worker.kill()
        worker.wait(20)
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines() if line.startswith("{")]
    (deaf,) = [line for line in lines if line["event"] == "worker_deaf"]
    assert deaf["seconds"] >= 2
    assert deaf["worker"].endswith(f":{worker.pid}")
