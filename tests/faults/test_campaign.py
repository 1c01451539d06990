"""A short campaign with real processes on either database; `make faults` is the long one."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.campaign import Campaign, Round
from tests.faults.plan import Fault
from tests.faults.stages import ALL_KINDS, serve

SHORT = {
    "sqlite": ("wipes", "cancels", "drains", "deaf", "edits"),
    "postgresql": ("databases", "duplicates", "zombies"),
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def campaign(request: pytest.FixtureRequest) -> Iterator[Campaign]:
    """A campaign on a service of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="graftwerk-faults-") as folder,
        serve(Path(folder), request.param) as deployment,
    ):
        yield Campaign(deployment)


def kills(here: Round) -> None:
    """The attempt dies in the middle of a step and of a file, its worker when a checkpoint is about to be listed."""
    here.plan(
        Fault("mid_step", "kill_runner", 70),
        Fault("file_half_written", "kill_runner", 20),
        Fault("before_row", "kill_worker", 3),
    )
    here.submit("dropout")


def test_whatever_dies_the_job_ends_as_if_nothing_had_happened(campaign: Campaign) -> None:
    told = campaign.run(kills, 0)
    assert told["violations"] == []
    assert [each["action"] for each in told["struck"]].count("kill_runner") == 2
    assert len(told["recovered"]) == 3


def test_every_promise_is_kept(campaign: Campaign) -> None:
    backend = "sqlite" if campaign.deployment.postgres is None else "postgresql"
    for name in SHORT[backend]:
        assert campaign.run(ALL_KINDS[name], 1)["violations"] == [], name
