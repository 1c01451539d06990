"""Clients nobody should suffer from: a friendly one is answered meanwhile, and a job trains on to the same bits."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.campaign import Campaign, Round
from tests.faults.clients.rounds import set_scene, suffer
from tests.faults.clients.unfriendly import UNFRIENDLY_CLIENTS
from tests.faults.deployment import Deployment
from tests.full import choose

SIZE, POINTS = 0.1, 8_000  # of the crowds, and of the long job; `make faults` has those of the reports
SHORT = ("endless_header", "repeated_waits", "revoked_keys", "trickling_uploads")


@pytest.fixture(scope="module")
def campaign() -> Iterator[Campaign]:
    """A campaign on a service of its own."""
    with tempfile.TemporaryDirectory(prefix="graftwerk-clients-") as folder, Deployment(Path(folder)) as at:
        yield Campaign(at)


def test_unfriendly_clients_do_no_harm(campaign: Campaign) -> None:
    def clients(here: Round) -> None:
        scene = set_scene(here, SIZE, POINTS)
        wrong = []
        for name in choose(UNFRIENDLY_CLIENTS, *SHORT):
            wrong += [f"{name}: {each}" for each in suffer(here, scene, name)]
            print(name, {figure: value for figure, value in here.figures.items() if figure.startswith(name)}, wrong)
        assert not wrong, "; ".join(wrong)

    assert campaign.run(clients, 1)["violations"] == []
