"""What devices attempts on this machine can use, found out in a process that may initialise them."""

import json
from multiprocessing.connection import Connection


def report_devices(pipe: Connection) -> None:
    """Send the kinds of devices that there are, as a JSON list, best first."""
    from workers.training.devices import available_devices  # noqa: PLC0415 - the forkserver has torch

    pipe.send_bytes(json.dumps(available_devices()).encode())
    pipe.close()
