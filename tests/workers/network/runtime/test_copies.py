"""Copies of networks, as averages of weights need them."""

import copy

import pytest
import torch

from tests.workers.network.networks import built
from tests.workers.network.runtime.flows import CASES, values
from workers.network.runtime.build import counted


@pytest.mark.parametrize("name", CASES)
def test_a_copy_runs_on_its_own_weights_and_counts_for_itself(name: str) -> None:
    model, columns = CASES[name]
    network = built(model, columns)
    twin = copy.deepcopy(network)
    before = network(values(columns))
    heard = counted(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    after = twin(values(columns))
    assert all(after[output].equal(value) for output, value in before.items())
    assert counted(twin) == heard
    assert counted(network) == {}
