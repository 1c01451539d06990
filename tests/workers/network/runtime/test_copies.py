"""Copies of networks, as averages of weights need them."""

import copy

import pytest
import torch

from tests.workers.network.networks import build_model
from tests.workers.network.runtime.control_flow_cases import CASES, example_values
from workers.network.runtime.build import flow_metrics


@pytest.mark.parametrize("name", CASES)
def test_a_copy_runs_on_its_own_weights_and_counts_for_itself(name: str) -> None:
    model, columns = CASES[name]
    network = build_model(model, columns)
    twin = copy.deepcopy(network)
    before = network(example_values(columns))
    heard = flow_metrics(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    after = twin(example_values(columns))
    assert all(after[output].equal(value) for output, value in before.items())
    assert flow_metrics(twin) == heard
    assert flow_metrics(network) == {}
