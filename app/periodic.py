"""One thing that is done again and again, in a thread of its own."""

import threading
from collections.abc import Callable

RETRY_SECONDS = 1.0  # at least, after a failure: an action without an interval must not fail in a busy loop


class Periodic:
    """A daemon thread that runs `action` every `interval` seconds, counted from the end of the last run.

    The first run comes after `delay` seconds, or after one interval. An action that raises is run again after its
    interval; `on_failure` is called with the exception.
    """

    def __init__(
        self,
        name: str,
        interval: float,
        action: Callable[[], object],
        on_failure: Callable[[Exception], object],
        delay: float | None = None,
    ) -> None:
        self._interval, self._action, self._on_failure = interval, action, on_failure
        self._delay = interval if delay is None else delay
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> bool:
        """Begin no further run, and wait up to `timeout` seconds for the current one; returns whether it has ended."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        wait = self._delay
        while not self._stop.wait(wait):
            wait = self._interval
            try:
                self._action()
            except Exception as error:  # a fault in one run must not end them for good
                self._on_failure(error)
                wait = max(wait, RETRY_SECONDS)
