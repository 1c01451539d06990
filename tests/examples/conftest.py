"""Each example trained for some steps, once for all tests of a module."""

from collections.abc import Callable, Iterator

import pytest
import torch

from app.storage.catalog import open_store
from tests.examples.example_runner import TREES_FILE, ExampleRunner, shortened_spec, upload_trees
from tests.workers.training.harness import TrainingAttempt
from tests.workers.training.harness import TrainingHarness as Builtin


@pytest.fixture(scope="session")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> ExampleRunner:
    """A laboratory that has the syntax trees, with one thread."""
    folder = tmp_path_factory.mktemp("examples")
    builtin = Builtin(folder, open_store(str(folder / "store"), {}))
    return ExampleRunner(builtin, upload_trees(folder / "store" / TREES_FILE))


@pytest.fixture(scope="session")
def trained(lessons: ExampleRunner) -> Callable[[str], TrainingAttempt]:
    """A function that returns what came of an example's first steps."""
    known: dict[str, TrainingAttempt] = {}

    def attempt(name: str) -> TrainingAttempt:
        if name not in known:
            known[name] = lessons.run(shortened_spec(name))
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
