"""A corpus of modules: each traced network equals its module, or the trace names the line that it cannot express.

The comparison is made with the network that the workers build, and knows nothing of the one at the end of a trace.
"""

import json
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from app.spec.network.validation import check_network
from graftwerk import CannotExpress, trace
from tests.full import FULL
from tests.graftwerk.tracing import (
    corpus_attention,
    corpus_images,
    corpus_sequences,
    corpus_ties,
    corpus_traps,
    corpus_various,
)
from tests.graftwerk.tracing.case import Case
from tests.workers.network.networks import make_examples, parse_model, schema
from workers.network.runtime.build import BuiltNetwork, build

CORPUS = (corpus_images, corpus_sequences, corpus_attention, corpus_traps, corpus_ties, corpus_various)
SLOW = frozenset({"torchvision_efficientnet", "torchvision_shufflenet", "torchvision_mobilenet"})  # in `make faults`
CASES: list[Case] = [case for module in CORPUS for case in module.CASES if FULL or case.name not in SLOW]
RATE = 0.05


def examples_of(case: Case, count: int) -> dict[str, Tensor]:
    values = make_examples(case.columns, count)
    if "lengths" in values:
        values["lengths"] = torch.tensor([7, 3, 5, 1, 7, 2][:count])
    return {name: each - 0.5 if each.is_floating_point() else each for name, each in values.items()}


def named_outputs(result: object, names: list[str]) -> dict[str, Tensor]:
    if isinstance(result, Mapping):
        return dict(result)
    several = result if isinstance(result, tuple | list) else (result,)
    return dict(zip(names, several, strict=True))


def outputs(module: nn.Module, other: BuiltNetwork, values: dict[str, Tensor]) -> tuple[dict[str, Tensor], ...]:
    torch.manual_seed(3)
    found = other({name: each.clone() for name, each in values.items()})
    torch.manual_seed(3)
    return found, named_outputs(module(*(each.clone() for each in values.values())), list(found))


def assert_equal(found: dict[str, Tensor], wanted: dict[str, Tensor], tolerance: float, when: str) -> None:
    assert found.keys() == wanted.keys()
    for name, value in found.items():
        torch.testing.assert_close(
            value, wanted[name], rtol=tolerance * 10, atol=tolerance, check_dtype=False, msg=lambda m: when + m
        )


def step(module: nn.Module, values: dict[str, Tensor]) -> None:
    """Descend along the gradient of the outputs' mean squares."""
    trained = [each for each in module.parameters() if each.requires_grad]
    loss = sum(each.pow(2).mean() for each in values.values() if each.requires_grad)
    if not trained or not isinstance(loss, Tensor):
        return
    for parameter, gradient in zip(trained, torch.autograd.grad(loss, trained, allow_unused=True), strict=True):
        if gradient is not None:
            parameter.data -= RATE * gradient


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_network_equals_the_module_or_a_line_is_named(case: Case) -> None:
    torch.manual_seed(1)
    module = case.make()
    before = {name: each.clone() for name, each in module.state_dict().items()}
    values = examples_of(case, 5)
    names = tuple(values)
    told = list(values.values()) if case.told else None
    if case.refused:
        with pytest.raises(CannotExpress) as caught:
            trace(module, inputs=names, examples=told)
        assert case.refused in str(caught.value)
        assert any(case.line in each.source and each.file for each in caught.value.obstacles)
        return
    traced = trace(module, inputs=names, examples=told)
    assert all(torch.equal(before[name], each) for name, each in module.state_dict().items())
    network = parse_model(json.loads(json.dumps(traced.model)))
    assert check_network(network, names, names) == []
    other = build(network, schema(case.columns), names)
    other.load_state_dict(dict(traced.weights), strict=True)
    for training in (False, True):
        module.train(training)
        other.train(training)
        assert_equal(*outputs(module, other, values), case.tolerance, f"training {training}: ")
    found, wanted = outputs(module, other, values)
    step(other, found)
    step(module, wanted)
    for training in (True, False):
        module.train(training)
        other.train(training)
        assert_equal(*outputs(module, other, examples_of(case, 4)), case.tolerance * 10, f"after, {training}: ")


def test_the_corpus_is_large_enough() -> None:
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)
