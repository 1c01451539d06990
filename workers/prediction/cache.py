"""The last few networks, ready to answer: the least recently asked one goes first when room is needed."""

from collections.abc import Callable

from workers.prediction.network import TrainedNetwork


class NetworkCache:
    """Networks by the id of their checkpoint, together of at most `limit` bytes; a larger one stands alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[str, TrainedNetwork] = {}  # the most recently asked one last

    @property
    def nbytes(self) -> int:
        """The size of all that are held."""
        return sum(trained.nbytes for trained in self._entries.values())

    def __contains__(self, checkpoint: str) -> bool:
        return checkpoint in self._entries

    def get(self, checkpoint: str, size: int, load: Callable[[], TrainedNetwork]) -> TrainedNetwork:
        """Return a network; loads one of about `size` bytes if it is not there, after making room for it."""
        found = self._entries.pop(checkpoint, None)
        if found is None:
            while self._entries and self.nbytes + size > self._limit:
                del self._entries[next(iter(self._entries))]
            found = load()
        self._entries[checkpoint] = found
        return found
