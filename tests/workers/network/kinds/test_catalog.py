"""Every kind is built from its example, and from a few settings that take other paths."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.spec.network.backbones import BACKBONES
from app.spec.network.control import CONTROL
from app.spec.network.nodes import NODE_KINDS
from tests.workers.network.kinds.catalog_cases import CASES, CELL, VECTOR, model
from tests.workers.network.networks import Columns, build_model, import_source, infer_model, make_examples
from workers.network.inference import node_inference
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE
from workers.network.inference.shape_rules import POINTWISE_KINDS, SHAPE_RULES
from workers.network.kinds.catalog import CATALOG

BOOL_KINDS = """gt ge lt le eq ne logical_and logical_or logical_xor logical_not any all isnan isinf isfinite argmax
    argmin argsort count_nonzero one_hot arange length_mask zeros ones full zeros_like ones_like rand randn rand_like
    randn_like Training"""
KINDS_WITHOUT_GRADIENT = frozenset(
    {"stop_gradient", "Buffer", "Constant", *BOOL_KINDS.split()}
)  # no gradient comes out of these
LARGE = frozenset(BACKBONES) - {"squeezenet1_1"}


@pytest.fixture(params=CASES, ids=[f"{kind}-{number}" for number, (kind, _, _) in enumerate(CASES)])
def case(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any], Columns]:
    kind, settings, named = request.param
    named = named or {"x": VECTOR}
    return kind, model(kind, settings, named), named


def make_inputs(kind: str, named: Columns) -> dict[str, Tensor]:
    """Return examples among which the kind has something to do: from 1 on, or below zero."""
    moved = {"acosh": 1.0, "RReLU": -1.0}.get(kind, 0.0)
    return {name: value + moved if moved else value for name, value in make_examples(named).items()}


def run(network: nn.Module, values: Any, *, train: bool) -> Tensor:
    """Return the output; with `train`, after a draw of randomness that is the same every time."""
    network.train(train)
    torch.manual_seed(11)
    output: Tensor = network(values)["output"] if isinstance(values, dict) else network(*values)
    return output


def test_every_kind_has_a_case() -> None:
    assert {kind for kind, _, _ in CASES} == CATALOG.keys() - CONTROL.keys() - LARGE  # those are in test_control


def test_the_draft_tells_the_truth(case: tuple[str, dict[str, Any], Columns]) -> None:
    _, document, named = case
    draft = infer_model(document, named)
    assert draft.problems == []
    (trace,) = draft.nodes
    network = build_model(document, named)
    for count in (4, 5):  # embedding looks up rows 1 to 3
        output = run(network, make_examples(named, count), train=True)
        assert output.shape == torch.Size(count if size == SYMBOLIC_BATCH_SIZE else size for size in trace.output.shape)
        assert output.dtype == trace.output.dtype
    assert trace.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert trace.parameters + trace.buffers == sum(value.numel() for value in network.state_dict().values())


def test_gradients_flow(case: tuple[str, dict[str, Any], Columns]) -> None:
    kind, document, named = case
    network = build_model(document, named)
    values = make_inputs(kind, named)
    differentiable = list(values)[: 1 if kind.endswith("Loss") else None]  # no gradient for targets
    floats = [values[name].requires_grad_() for name in differentiable if values[name].is_floating_point()]
    output = run(network, values, train=True)
    assert output.isfinite().all()
    assert output.requires_grad == (kind not in KINDS_WITHOUT_GRADIENT and output.is_floating_point())
    if not output.requires_grad:
        return
    output.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert all(value.grad is not None for value in floats) or NODE_KINDS[kind].inputs == (0, 0)


def test_a_network_knows_whether_it_draws(case: tuple[str, dict[str, Any], Columns]) -> None:
    """The loop gives no seed to a step that draws nothing."""
    kind, document, named = case
    network = build_model(document, named)
    before = torch.get_rng_state()
    network(make_inputs(kind, named))
    assert network.is_random == (not torch.get_rng_state().equal(before))


def test_weights_make_a_round_trip(case: tuple[str, dict[str, Any], Columns]) -> None:
    kind, document, named = case
    first, second = build_model(document, named, seed=1), build_model(document, named, seed=2)
    second.load_state_dict(first.state_dict(), strict=True)
    values = make_inputs(kind, named)
    assert run(first, values, train=False).equal(run(second, values, train=False))


def test_the_source_is_the_same_network(case: tuple[str, dict[str, Any], Columns], tmp_path: Path) -> None:
    kind, document, named = case
    network, values = build_model(document, named, seed=1), make_inputs(kind, named)
    other = import_source(network, tmp_path, seed=2)
    assert list(other.state_dict()) == list(network.state_dict())
    other.load_state_dict(network.state_dict(), strict=True)
    for train in (True, False):
        assert run(network, values, train=train).equal(run(other, list(values.values()), train=train))
    again = import_source(network, tmp_path, seed=1).state_dict()
    assert all(value.equal(again[name]) for name, value in build_model(document, named, seed=1).state_dict().items())


def test_an_lstm_cell_has_two_outputs(tmp_path: Path) -> None:
    nodes = [{"id": "cell", "kind": "LSTMCell", "inputs": ["x", "h", "c"], "hidden_size": 6}]
    document = {"inputs": ["x", "h", "c"], "nodes": nodes, "outputs": {"one": "cell", "h": "cell.h", "c": "cell.c"}}
    named = CELL | {"c": (6,)}
    network, values = build_model(document, named), make_examples(named)
    found = network(values)
    assert found["one"].equal(found["h"])
    assert not found["h"].equal(found["c"])
    other = import_source(network, tmp_path)
    other.load_state_dict(network.state_dict())
    assert all(value.equal(found[name]) for name, value in other(*values.values()).items())


def test_variational_dropout_drops_the_same_at_every_step() -> None:
    network = build_model([{"kind": "VariationalDropout"}], {"x": (50, 40)})
    output = run(network, {"x": torch.ones(3, 50, 40)}, train=True)
    assert output.equal(output[:, :1].expand_as(output))
    assert sorted(output.unique().tolist()) == [0.0, 2.0]
    assert not output[0].equal(output[1])
    assert run(network, {"x": torch.ones(3, 50, 40)}, train=False).eq(1).all()


@pytest.mark.parametrize("kind", [*SHAPE_RULES, *sorted(POINTWISE_KINDS)])
def test_rules_agree_with_torch(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [(settings, named) for name, settings, named in CASES if name == kind]
    with_rules = [infer_model(model(kind, settings, named), named).nodes for settings, named in cases]
    monkeypatch.setattr(node_inference, "apply_shape_rule", lambda *_: None)
    monkeypatch.setattr(node_inference, "POINTWISE_KINDS", frozenset())
    for (settings, named), traces in zip(cases, with_rules, strict=True):
        (found,), (expected,) = traces, infer_model(model(kind, settings, named), named).nodes
        assert (found.output.shape, found.output.dtype) == (expected.output.shape, expected.output.dtype)
        assert (found.parameters, found.buffers) == (expected.parameters, expected.buffers)
