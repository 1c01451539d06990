"""Both clients, for tests that are written once."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.graftwerk.client_kinds import AsyncKind, BlockingKind, ClientKind


@pytest.fixture(params=["blocking", "async"])
def api(request: pytest.FixtureRequest) -> Iterator[ClientKind]:
    if request.param == "blocking":
        yield BlockingKind()
        return
    with asyncio.Runner() as runner:
        yield AsyncKind(runner)
