"""Compiled networks: what torch cannot put into one graph is carried out between graphs, with the same numbers."""

from typing import Any

import pytest
import torch

from tests.workers.network.networks import build_model
from tests.workers.network.runtime.control_flow_cases import CASES, example_values

# Dynamo itself looks at gradients of what comes out of the graph before.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")


@pytest.fixture(autouse=True)
def fresh() -> Any:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("name", CASES)
def test_dynamo_captures_the_same_network(name: str) -> None:
    model, columns = CASES[name]
    eager, compiled = build_model(model, columns), build_model(model, columns)
    compiled.compile(backend="eager")  # the capture, which control flow tries, without the long compilation
    inputs = example_values(columns)
    for _ in range(2):  # the second time from the cache
        expected, found = eager(inputs), compiled(inputs)
        assert all(value.allclose(found[output], atol=1e-6) for output, value in expected.items())
    for network, outputs in ((eager, expected), (compiled, found)):
        torch.stack([output.sum() for output in outputs.values()]).sum().backward()
        assert network.state_dict().keys() == eager.state_dict().keys()
    pairs = zip(eager.parameters(), compiled.parameters(), strict=True)
    assert all(
        (mine.grad is None) == (theirs.grad is None)
        and (mine.grad is None or mine.grad.allclose(theirs.grad, atol=1e-5))
        for mine, theirs in pairs
    )
