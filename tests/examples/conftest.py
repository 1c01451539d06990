"""Each example trained for some steps, once for all tests of a module."""

from collections.abc import Callable, Iterator

import pytest
import torch

from app.storage.open import open_store
from tests.examples.lessons import TREES, Lessons, short, upload
from tests.workers.training.laboratory import Attempt
from tests.workers.training.laboratory import Laboratory as Builtin


@pytest.fixture(scope="session")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> Lessons:
    """A laboratory that has the syntax trees, with one thread."""
    folder = tmp_path_factory.mktemp("examples")
    builtin = Builtin(folder, open_store(str(folder / "store"), {}))
    return Lessons(builtin, upload(folder / "store" / TREES))


@pytest.fixture(scope="session")
def trained(lessons: Lessons) -> Callable[[str], Attempt]:
    """A function that returns what came of an example's first steps."""
    known: dict[str, Attempt] = {}

    def attempt(name: str) -> Attempt:
        if name not in known:
            known[name] = lessons.run(short(name))
        return known[name]

    return attempt


@pytest.fixture(scope="module", autouse=True)
def as_it_was() -> Iterator[None]:
    """Use one thread, also for what a module trains for all its tests, and put torch's global settings back."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
