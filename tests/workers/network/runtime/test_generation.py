"""Free running: the tokens of a loop in plain torch, the best text of all, and draws that follow the softmax."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor, nn

from tests.workers.network.networks import import_source
from tests.workers.network.runtime.generating import CLASSES, NETWORKS, built_network, prompts
from workers.network.runtime.build import BuiltNetwork, GraphModule
from workers.network.runtime.free_run import free_run
from workers.network.runtime.generation import draw_tokens, uniform_numbers

EXCLUDED, STOP = (0, 1, 2), 3
SETTINGS: dict[str, Any] = {"max_length": 6, "stop": STOP, "exclude": EXCLUDED}
KINDS = pytest.mark.parametrize("kind", NETWORKS)


def scan_by_hand(network: BuiltNetwork, topic: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the scores behind a text by modules of torch alone."""
    weights = network.state_dict()

    def part(module: nn.Module, prefix: str) -> nn.Module:
        module.load_state_dict({name: weights[f"{prefix}.{name}"] for name in module.state_dict()})
        return module

    about, vector = (
        part(nn.Embedding(count, 8), name) for count, name in ((5, "about"), (CLASSES, "write.body.vector"))
    )
    cell, head = part(nn.GRUCell(8, 8), "write.body.new"), part(nn.Linear(8, CLASSES), "write.body.scores")

    def scores(text: Tensor) -> Tensor:
        h = torch.zeros(len(text), 8)
        for step in range(text.shape[1]):
            h = cell(vector(text[:, step]) * weights["factor"] + about(topic), h)
        result: Tensor = head(h)
        return result

    return scores


def teacher_forced(network: BuiltNetwork, topic: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the scores behind a text as training computes them."""
    return lambda text: network({"text": text, "topic": topic})["scores"][:, -1]


def greedy_by_hand(scores: Callable[[Tensor], Tensor], text: Tensor, steps: int) -> list[list[int]]:
    """Return the texts of a loop that has no batches of unlike ends: each row stops at its own."""
    made: list[list[int]] = [[] for _ in text]
    for _ in range(steps):
        following = scores(text)
        following[:, list(EXCLUDED)] = -torch.inf
        token = following.argmax(1)
        for row, each in zip(made, token.tolist(), strict=True):
            if STOP not in row:
                row.append(each)
        text = torch.cat([text, token.unsqueeze(1)], 1)
    return made


@torch.no_grad()
@pytest.mark.parametrize("seed", range(3))
@KINDS
def test_greedy_is_the_loop_in_plain_torch(kind: str, seed: int) -> None:
    network, values = built_network(kind, seed), prompts(5, 4)
    by_hand = scan_by_hand if kind == "Scan" else teacher_forced
    expected = greedy_by_hand(by_hand(network, values["topic"]), values["text"], 6)
    made = free_run(network, values, SETTINGS)
    assert [row[:length] for row, length in zip(made.tokens.tolist(), made.lengths.tolist(), strict=True)] == expected
    assert made.ended.tolist() == [row[-1] == STOP for row in expected]


@torch.no_grad()
@KINDS
def test_log_probabilities_are_those_of_the_text_given_as_a_whole(kind: str) -> None:
    network, values = built_network(kind, 1), prompts(5, 3)
    made = free_run(network, values, {**SETTINGS, "method": "sample", "seed": 4})
    text = torch.cat([values["text"], made.tokens], 1)
    each = network({**values, "text": text})["scores"][:, 2:-1].double().log_softmax(2)
    expected = each.gather(2, made.tokens.unsqueeze(2)).squeeze(2)
    known = torch.arange(made.tokens.shape[1]) < made.lengths.unsqueeze(1)
    torch.testing.assert_close(made.log_probabilities, expected.where(known, 0.0), atol=1e-6, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("settings", [{}, {"method": "sample", "top_k": 4}, {"method": "beam", "beams": 3}])
@KINDS
def test_a_row_does_not_depend_on_the_others(kind: str, settings: dict[str, Any]) -> None:
    network, values = built_network(kind, 2), prompts(6, 4)
    numbers = uniform_numbers(6, 6, 0)
    drawn = {"draws": numbers} if settings.get("method") == "sample" else {}
    together = free_run(network, values, {**SETTINGS, **settings, **drawn})
    for row in range(6):
        own = {"draws": numbers[[row]]} if drawn else {}
        one = {name: value[[row]] for name, value in values.items()}
        alone = free_run(network, one, {**SETTINGS, **settings, **own})
        length = int(together.lengths[row])
        assert alone.tokens[0].tolist() == together.tokens[row, :length].tolist()
        likelihoods = together.log_probabilities[row, :length]
        torch.testing.assert_close(alone.log_probabilities[0], likelihoods, atol=1e-6, rtol=0)


def best_by_force(
    network: BuiltNetwork, values: dict[str, Tensor], most: int, penalty: float
) -> tuple[list[int], float]:
    """Return the best of all texts of up to `most` tokens."""
    tokens = [token for token in range(CLASSES) if token not in (*EXCLUDED, STOP)]
    texts = [(*text, STOP) for length in range(most) for text in product(tokens, repeat=length)]
    texts += product(tokens, repeat=most)
    found = []
    for length in range(1, most + 1):
        alike = torch.tensor([text for text in texts if len(text) == length])
        whole = {"topic": values["topic"].expand(len(alike)), "text": values["text"].expand(len(alike), -1)}
        text = torch.cat([whole["text"], alike], 1)
        each = network({**whole, "text": text})["scores"][:, values["text"].shape[1] - 1 : -1].double().log_softmax(2)
        scores = each.gather(2, alike.unsqueeze(2)).squeeze(2).sum(1) / length**penalty
        found.append((float(scores.max()), alike[scores.argmax()].tolist()))
    score, text = max(found)
    return text, score


@torch.no_grad()
@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0, 2.0])
@KINDS
def test_enough_beams_find_the_best_of_all_texts(kind: str, penalty: float) -> None:
    network, values = built_network(kind, 3), prompts(4, 2)
    beams = {"method": "beam", "beams": 125, "length_penalty": penalty, "max_length": 4}
    made = free_run(network, values, {**SETTINGS, **beams})
    for row in range(4):
        one = {name: value[[row]] for name, value in values.items()}
        text, score = best_by_force(network, one, 4, penalty)
        length = int(made.lengths[row])
        assert made.tokens[row, :length].tolist() == text
        assert float(made.log_probabilities[row].sum()) / length**penalty == pytest.approx(score, abs=1e-6)


@torch.no_grad()
@KINDS
def test_one_beam_without_an_end_is_greedy(kind: str) -> None:
    network, values = built_network(kind, 4), prompts(4, 3)
    settings = {**SETTINGS, "stop": None, "exclude": (*EXCLUDED, STOP)}
    greedy = free_run(network, values, settings)
    beam = free_run(network, values, {**settings, "method": "beam", "beams": 1})
    assert beam.tokens.tolist() == greedy.tokens.tolist()
    assert greedy.tokens.shape == (4, 6)
    assert not beam.ended.any()


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, 9),
        ({"temperature": 0.5}, 9),
        ({"temperature": 3.0}, 9),
        ({"top_k": 3}, 3),
        ({"top_p": 0.8}, 4),
        ({"top_p": 1e-9}, 1),
    ],
)
def test_draws_follow_the_softmax(settings: dict[str, Any], kept: int) -> None:
    scores = torch.tensor([1.5, -1.0, 0.5, 0.5, 2.0, -0.5, 0.0, -2.0, 1.0])
    numbers = uniform_numbers(20_000, 1, 5).squeeze(1)
    counts = draw_tokens(scores.expand(20_000, -1), numbers, **{"temperature": 1.0, **settings}).bincount(minlength=9)
    expected = (scores.double() / settings.get("temperature", 1.0)).softmax(0)
    order = expected.argsort(descending=True, stable=True)
    expected[order[kept:]] = 0.0
    expected = expected / expected.sum() * 20_000
    assert not counts[expected == 0].any()
    if kept > 1:
        assert chisquare(counts[expected > 0], expected[expected > 0]).pvalue > 0.01


def test_excluded_tokens_are_never_drawn() -> None:
    scores = torch.full((1000, 4), -torch.inf)
    scores[:, 2] = 0.0
    assert set(draw_tokens(scores, torch.linspace(0, 1, 1000).double(), 1.0).tolist()) == {2}


@torch.no_grad()
@pytest.mark.parametrize("kind", NETWORKS)
def test_model_py_generates_the_same(kind: str, tmp_path: Path) -> None:
    method = {"kind": "sample", "top_p": 0.9}
    network, values = built_network(kind, 5, max_length=6, method=method), prompts(4, 3)
    loaded = import_source(network, tmp_path)
    loaded.load_state_dict(network.state_dict())
    inputs = [values[name] for name in network.blueprint.inputs]
    own, beam = {**SETTINGS, "method": "sample", "top_p": 0.9}, {"method": "beam"}
    for said, meant in (({}, own), ({"seed": 3}, own | {"seed": 3}), (beam, SETTINGS | beam)):
        made, expected = loaded.eval().generate(*inputs, **said), free_run(network, values, meant)
        assert all(torch.equal(a, b) for a, b in zip(made, expected, strict=True))


@torch.no_grad()
@KINDS
def test_compiled_bodies_generate_the_same(kind: str) -> None:
    network, values = built_network(kind, 6), prompts(3, 3)
    expected = free_run(network, values, SETTINGS)
    for part in network.modules():
        if isinstance(part, GraphModule):
            part.compile(backend="eager")  # as a training with mode compiled does, without the long compilation
    made = free_run(network, values, SETTINGS)
    assert made.tokens.tolist() == expected.tokens.tolist()
    torch.testing.assert_close(made.log_probabilities, expected.log_probabilities, atol=1e-6, rtol=0)


def test_a_network_that_generates_nothing_says_so() -> None:
    network = built_network("Scan")
    network.blueprint = type(network.blueprint)(network.blueprint.inputs, (), {})
    with pytest.raises(ValueError, match="no node of the network generates"):
        free_run(network, {}, SETTINGS)
