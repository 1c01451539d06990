"""Weights of modules are those of torch: its initialisers, its parametrizations, and tensors that modules share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from tests.workers.network.networks import build_model, import_source, infer_model, make_examples
from workers.network.analysis.parameters import index_parameters

WORDS = {"x": ((5,), "int64")}
EMBEDDING = {"kind": "Embedding", "id": "words", "num_embeddings": 9, "embedding_dim": 6}
HEAD = {"kind": "Linear", "id": "head", "out_features": 9, "tie": {"weight": "words.weight"}}
TIED = [EMBEDDING, {"kind": "Linear", "id": "inner", "out_features": 6}, HEAD]


def tied_in_torch() -> nn.Module:
    module = nn.Sequential()
    module.add_module("words", nn.Embedding(9, 6))
    module.add_module("inner", nn.Linear(6, 6))
    module.add_module("head", nn.Linear(6, 9))
    module.head.weight = module.words.weight  # type: ignore[union-attr, assignment]
    return module


def drawn(build: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return build()


def trained(module: nn.Module, run: Callable[[Tensor], Tensor], x: Tensor) -> dict[str, Tensor]:
    """Return the state after three steps."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1)
    module.train()
    for _ in range(3):
        optimizer.zero_grad()
        run(x).square().mean().backward()
        optimizer.step()
    return dict(module.state_dict())


def filled(module: nn.Module, *calls: tuple[str, Callable[[Tensor], Tensor]]) -> nn.Module:
    for name, fill in calls:
        fill(module.get_parameter(name))
    return module


@pytest.mark.parametrize(
    ("node", "build", "calls"),
    [
        (
            {"kind": "Linear", "out_features": 4, "init": {"weight": {"kind": "kaiming_normal", "mode": "fan_out"}}},
            lambda: nn.Linear(6, 4),
            [("weight", lambda each: nn.init.kaiming_normal_(each, mode="fan_out"))],
        ),
        (
            {"kind": "GRU", "hidden_size": 4, "init": {"weight_hh*": "orthogonal", "*": "zeros"}},
            lambda: nn.GRU(6, 4, batch_first=True),
            [
                ("weight_ih_l0", nn.init.zeros_),
                ("weight_hh_l0", nn.init.orthogonal_),
                ("bias_ih_l0", nn.init.zeros_),
                ("bias_hh_l0", nn.init.zeros_),
            ],
        ),
        (
            {"kind": "TransformerEncoderLayer", "nhead": 2, "init": {"*proj_weight": {"kind": "normal", "std": 0.02}}},
            lambda: nn.TransformerEncoderLayer(6, 2, batch_first=True),
            [("self_attn.in_proj_weight", lambda each: nn.init.normal_(each, std=0.02))],
        ),
    ],
    ids=["linear", "recurrent", "transformer"],
)
def test_initial_values_are_those_of_torch(node: dict[str, Any], build: Any, calls: list[Any], tmp_path: Path) -> None:
    network = build_model([{"id": "node", **node}], {"x": (5, 6)})
    expected = drawn(lambda: filled(build(), *calls)).state_dict()
    written = import_source(network, tmp_path).get_submodule("node").state_dict()
    for found in (network.get_submodule("node").state_dict(), written):
        assert found.keys() == expected.keys()
        assert all(value.equal(found[name]) for name, value in expected.items())


@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm"])
def test_parametrized_weights_are_trained_as_in_torch(kind: str) -> None:
    network = build_model([{"kind": "Linear", "id": "node", "out_features": 4, "parametrization": kind}], {"x": (6,)})
    module = drawn(lambda: vars(parametrizations)[kind](nn.Linear(6, 4)))
    x = torch.randn(8, 6)
    expected = trained(module, module, x)
    found = trained(network, lambda value: network({"x": value})["output"], x)
    assert found.keys() == {f"node.{name}" for name in expected}
    assert all(value.equal(found[f"node.{name}"]) for name, value in expected.items())


def test_tied_weights_are_trained_as_in_torch(tmp_path: Path) -> None:
    network, x = build_model(TIED, WORDS), make_examples(WORDS)["x"]
    module = drawn(tied_in_torch)
    written = import_source(network, tmp_path)
    expected = trained(module, module, x)
    for found in (trained(network, lambda value: network({"x": value})["output"], x), trained(written, written, x)):
        assert found.keys() == expected.keys()
        assert all(value.equal(found[name]) for name, value in expected.items())
        assert found["head.weight"].equal(found["words.weight"])


def test_tied_weights_are_counted_and_named_once() -> None:
    draft, network = infer_model(TIED, WORDS), build_model(TIED, WORDS)
    assert draft.parameters == sum(each.numel() for each in network.parameters())
    weights = index_parameters(draft.blueprint).weights
    assert {each.name for each in weights.values()} == {name for name, _ in network.named_parameters()}
    assert weights["head.weight"].name == "words.weight"
    state = {name: value.clone() for name, value in network.state_dict().items()}
    build_model(TIED, WORDS, seed=5).load_state_dict(load(save(state)), strict=True)


@pytest.mark.parametrize(
    ("changed", "pointer", "detail"),
    [
        (HEAD | {"out_features": 8}, "/layers/2/tie/weight", "weight of head is 8x6, but words.weight is 9x6"),
        (HEAD | {"tie": {"weight": "word.weight"}}, "/layers/2/tie/weight", "word.weight is no weight"),
        (HEAD | {"tie": {"wight": "words.weight"}}, "/layers/2/tie/wight", "head has no weight wight"),
        (HEAD | {"init": {"wight": "zeros"}}, "/layers/2/init/wight", "head has no weight wight"),
        (HEAD | {"init": {"weight": "zeros"}}, "/layers/2/init", "another node's"),
        (HEAD | {"init": {"bias": "orthogonal"}}, "/layers/2/init", "orthogonal needs a tensor of 2 or more"),
        (HEAD | {"parametrization": "spectral_norm"}, "/layers/2/parametrization", "another node's"),
        (
            {"kind": "GRU", "hidden_size": 4, "parametrization": {"kind": "weight_norm", "name": "weight_hh_l0"}},
            "/layers/2/parametrization",
            "from its plain weights",
        ),
        (
            {"kind": "Linear", "out_features": 4, "parametrization": {"kind": "weight_norm", "name": "wait"}},
            "/layers/2/parametrization",
            "has no weight wait",
        ),
    ],
)
def test_what_does_not_fit_has_a_place(changed: dict[str, Any], pointer: str, detail: str) -> None:
    (problem,) = infer_model([*TIED[:2], changed], WORDS).problems
    assert problem.pointer == pointer
    assert detail in problem.detail
    assert problem.hint


def test_all_mistakes_about_weights_are_told_at_once() -> None:
    wrong: dict[str, Any] = HEAD | {"init": {"wight": "zeros", "weight": "ones", "bias": "orthogonal"}}
    wrong |= {"tie": {"weight": "wards.weight", "bios": "words.weight"}}
    problems = infer_model([*TIED[:2], wrong], WORDS).problems
    assert [(each.pointer, each.code) for each in problems] == [
        ("/layers/2/init/wight", "unknown_weight"),
        ("/layers/2/init", "contradiction"),
        ("/layers/2/init", "invalid_value"),
        ("/layers/2/tie/bios", "unknown_weight"),
        ("/layers/2/tie/weight", "unknown_weight"),
    ]
    assert problems[-1].hint == 'did you mean "words"?'


def test_a_weight_that_is_computed_cannot_be_tied_to() -> None:
    layers = [{"kind": "Linear", "id": "first", "out_features": 4, "parametrization": "weight_norm"}]
    layers.append({"kind": "Linear", "id": "second", "out_features": 4, "tie": {"weight": "first.weight"}})
    (problem,) = infer_model(layers, {"x": ((4,), "float32")}).problems
    assert problem.pointer == "/layers/1/tie/weight"
    assert problem.detail == "first.weight is computed by a parametrization"
