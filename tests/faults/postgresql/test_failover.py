"""A primary that dies while jobs train: what was acknowledged is on the standby, which takes its place."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.faults.campaign import Campaign
from tests.faults.deployment import Deployment
from tests.faults.postgresql.replicated import ReplicatedPostgres
from tests.faults.postgresql.rounds import failovers
from tests.full import FULL

pytestmark = pytest.mark.skipif(not FULL, reason="takes a minute; `make faults` has it")


def test_nothing_acknowledged_is_lost_by_failing_over() -> None:
    postgres = ReplicatedPostgres()
    try:
        with TemporaryDirectory(prefix="graftwerk-over-") as folder, Deployment(Path(folder), postgres) as at:
            campaign = Campaign(at)
            for seed in range(2):
                told = campaign.run(failovers, seed)
                assert told["violations"] == [], told
    finally:
        postgres.stop()
