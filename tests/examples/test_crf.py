"""A linear-chain CRF said in nodes: its loss and its best path are those of going through all paths."""

import json
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from app.spec.network.network import Network
from app.storage.local import LocalStore
from tests.examples.example_runner import EXAMPLES_FOLDER
from tests.workers.data.schemas import job_view
from tests.workers.network.networks import import_source
from tests.workers.training.datasets import DatasetHarness, InMemoryDataset, dataset_job, entity_dataset
from tests.workers.training.test_resume import assert_same
from workers.network.runtime.build import BuiltNetwork, build

PART: dict[str, Any] = json.loads((EXAMPLES_FOLDER / "parts" / "crf.json").read_text())
LENGTHS = [4, 1, 3, 5, 2]


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[DatasetHarness]:
    yield DatasetHarness(tmp_path, LocalStore(tmp_path / "store"), corpus=entity_dataset())
    torch.use_deterministic_algorithms(False)


def spec(**training: Any) -> dict[str, Any]:
    objective = {**PART["objective"], "metrics": ["accuracy", "span_f1"]}
    return {**dataset_job(PART["model"], training=training), "objective": objective}


@pytest.fixture
def network(reading: DatasetHarness) -> BuiltNetwork:
    corpus: InMemoryDataset | None = reading.corpus
    assert corpus is not None
    torch.manual_seed(0)
    made = build(Network.model_validate(PART["model"]), job_view(corpus.schema).schema, ("tokens",))
    for name in ("moves", "first", "last"):
        torch.nn.init.normal_(made.get_parameter(name))  # far from zero, so that they decide
    return made


def batch() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    tags = torch.randint(0, 3, (5, 5), generator=generator)
    for row, length in enumerate(LENGTHS):
        tags[row, length:] = -100
    return {
        "tokens": torch.randint(2, 30, (5, 5), generator=generator),
        "tokens_length": torch.tensor(LENGTHS),
        "tags": tags,
    }


@torch.no_grad()
def test_loss_and_path_are_those_of_all_paths(network: BuiltNetwork) -> None:
    values = batch()
    found = network.eval()(values)
    words = network.get_submodule("words")(values["tokens"])
    moves, first, last = (network.get_parameter(name) for name in ("moves", "first", "last"))
    for row, length in enumerate(LENGTHS):
        read, _ = network.get_submodule("read")(words[row : row + 1, :length])
        emitted = network.get_submodule("emitted")(read)[0]

        def score(path: tuple[int, ...], emitted: Tensor = emitted) -> Tensor:
            steps = torch.stack([emitted[place, tag] for place, tag in enumerate(path)]).sum()
            between = [moves[one, next_] for one, next_ in pairwise(path)]
            return first[path[0]] + steps + sum(between, torch.zeros(())) + last[path[-1]]

        paths = list(product(range(3), repeat=length))
        scores = torch.stack([score(path) for path in paths])
        gold = score(tuple(values["tags"][row, :length].tolist()))
        torch.testing.assert_close(found["loss"][row], scores.logsumexp(0) - gold, rtol=1e-5, atol=1e-5)
        best = paths[int(scores.argmax())]
        assert found["scores"][row, :, :length].argmax(0).tolist() == list(best)


def test_gradients_are_those_of_autograd_through_all_paths(network: BuiltNetwork) -> None:
    """The loss of a path is its negative log-probability: the sum over all paths of probabilities is 1."""
    values = batch()
    total = torch.zeros(())
    for path in product(range(3), repeat=3):
        tags = torch.full((1, 5), -100)
        tags[0, :3] = torch.tensor(path)
        one = {"tokens": values["tokens"][2:3], "tokens_length": torch.tensor([3]), "tags": tags}
        total = total + (-network(one)["loss"][0]).exp()
    assert float(total.detach()) == pytest.approx(1, abs=1e-5)
    total.backward()
    for name in ("moves", "first", "last"):
        gradient = network.get_parameter(name).grad
        assert gradient is not None
        assert gradient.abs().max() < 1e-5  # of a constant


def test_it_is_learned_and_goes_on_bit_by_bit(reading: DatasetHarness) -> None:
    attempt = reading.run(spec(steps=60, batch_size=16))
    assert attempt.points("val/span_f1")[-1][1] > 0.9
    assert_same(reading, spec(steps=9), 3, 2)


def test_its_source_gives_the_same(network: BuiltNetwork, tmp_path: Path) -> None:
    other = import_source(network, tmp_path)
    other.load_state_dict(network.state_dict(), strict=True)
    values = batch()
    assert all(value.equal(network(values)[name]) for name, value in other(*values.values()).items())
