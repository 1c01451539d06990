"""The power fails under a service at work: nothing acknowledged is lost, and its jobs end as if it had not."""

import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.faults.power.log import missing_compiler
from tests.faults.power.rounds import losses, record, violations_after_restart

pytestmark = pytest.mark.skipif(missing_compiler() is not None, reason=str(missing_compiler()))


def test_nothing_acknowledged_is_lost_when_the_power_fails() -> None:
    with TemporaryDirectory(prefix="graftwerk-power-") as folder:  # a path short enough for sockets
        recording = record(Path(folder))
        assert losses(recording, random.Random(1), 6) == []
        assert violations_after_restart(recording, random.Random(1), Path(folder) / "restart") == []
