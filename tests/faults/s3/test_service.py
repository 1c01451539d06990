"""A service on a bucket whose server fails and lies: nothing is lost, and what it says is true."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.faults.campaign import Campaign
from tests.faults.s3.deployment import serve_from_bucket
from tests.faults.s3.rounds import s3_faults
from tests.full import FULL

pytestmark = pytest.mark.skipif(not FULL, reason="takes a minute; `make faults` has it")


def test_jobs_uploads_and_downloads_survive_a_server_that_fails_and_lies() -> None:
    with TemporaryDirectory(prefix="graftwerk-s3-") as folder, serve_from_bucket(Path(folder)) as at:
        campaign = Campaign(at)
        for seed in range(3):
            told = campaign.run(s3_faults, seed)
            assert told["violations"] == [], told
            assert told["figures"]["lies"]
