"""The cache keeps the networks that were used last."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from workers.prediction.network import NetworkCache


@dataclass
class Network:
    """As much of a trained network as the cache looks at."""

    nbytes: int


def get_and_report_load(cache: NetworkCache, name: str, size: int = 40) -> bool:
    """Get a network; returns whether it had to be loaded."""
    loaded: list[str] = []

    def load() -> Any:
        loaded.append(name)
        return Network(size)

    assert cache.get(name, size, load).nbytes == size
    return bool(loaded)


def test_the_least_recently_used_is_dropped_first() -> None:
    cache = NetworkCache(100)
    assert [get_and_report_load(cache, name) for name in "abab"] == [True, True, False, False]
    assert get_and_report_load(cache, "a") is False
    assert get_and_report_load(cache, "c") is True
    assert ("a" in cache, "b" in cache, "c" in cache) == (True, False, True)
    assert cache.nbytes == 80


def test_a_large_one_stands_alone() -> None:
    cache = NetworkCache(100)
    for name in "ab":
        get_and_report_load(cache, name)
    assert get_and_report_load(cache, "large", 500)
    assert cache.nbytes == 500
    assert get_and_report_load(cache, "large", 500) is False
    assert get_and_report_load(cache, "a")
    assert cache.nbytes == 40


def test_one_that_cannot_be_loaded_is_not_kept() -> None:
    cache = NetworkCache(100)
    with suppress(ZeroDivisionError):
        cache.get("a", 10, lambda: 1 // 0)  # type: ignore[arg-type, return-value]
    assert "a" not in cache
    assert get_and_report_load(cache, "a")
