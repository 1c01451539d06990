"""A full disk: the service says so, waits, and goes on when there is room."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.faults.campaign import Campaign
from tests.faults.disk.deployment import serve_on_small_disks
from tests.faults.disk.rounds import full_disks
from tests.faults.power.log import missing_compiler
from tests.full import FULL

pytestmark = [
    pytest.mark.skipif(not FULL, reason="takes a minute; `make faults` has it"),
    pytest.mark.skipif(missing_compiler() is not None, reason=str(missing_compiler())),
]


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_a_full_disk_is_waited_for(backend: str) -> None:
    with TemporaryDirectory(prefix="graftwerk-full-") as folder, serve_on_small_disks(Path(folder), backend) as at:
        campaign = Campaign(at)
        for seed in range(3):
            told = campaign.run(full_disks, seed)
            assert told["violations"] == [], told
