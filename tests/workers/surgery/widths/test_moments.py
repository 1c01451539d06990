"""Training on after a widening: the optimiser makes the steps that it would have made."""

import pytest
import torch

from tests.workers.surgery.widths.networks import batch, built, job_of, mapped_network, revision_of, schema_of
from tests.workers.surgery.widths.width_cases import CASES
from workers.network.runtime.build import BuiltNetwork
from workers.surgery.apply import NamedState, ParameterState, map_state
from workers.surgery.draft import Change

TRAINED = [
    "linear, batch norm, slopes",
    "convolution, flatten",
    "residual",
    "dense",
    "LSTM, state",
    "Transformer",
    "repeat",
]


def optimizer_of(network: BuiltNetwork) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), lr=0.01, eps=1e-10)


def step(network: BuiltNetwork, optimizer: torch.optim.Optimizer, inputs: tuple[str, ...]) -> None:
    """Take a step; in evaluation mode, where nothing is random."""
    values = {name: value.double() if value.is_floating_point() else value for name, value in batch(inputs).items()}
    (output,) = network(values).values()
    optimizer.zero_grad()
    (output * torch.linspace(-1, 1, output.numel(), dtype=torch.float64).view(output.shape)).sum().backward()
    optimizer.step()


def named_state(network: BuiltNetwork, optimizer: torch.optim.Optimizer) -> NamedState:
    values = {
        name: ParameterState(
            {key: value.clone() for key, value in optimizer.state[parameter].items()}, optimizer.param_groups[0]
        )
        for name, parameter in network.named_parameters()
        if parameter in optimizer.state
    }
    return NamedState({name: value.clone() for name, value in network.state_dict().items()}, {}, values)


def change_of_last_step(
    network: BuiltNetwork, optimizer: torch.optim.Optimizer, inputs: tuple[str, ...]
) -> dict[str, torch.Tensor]:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    step(network, optimizer, inputs)
    return {name: value - before[name] for name, value in network.state_dict().items()}


def indexed(value: torch.Tensor, change: Change, name: str) -> torch.Tensor:
    for axis in change.tensors[name].axes:
        value = value.index_select(axis.axis, torch.tensor(axis.indices))
    return value


@pytest.mark.parametrize("name", TRAINED)
def test_adam_steps_on_as_before(name: str) -> None:
    """Adam's step does not depend on the scale of gradients: that of each copy is that of the original.

    It would not be, if the moments were not scaled as the gradients of copies are.
    """
    case = CASES[name]
    job, schema = job_of(case.model, case.inputs), schema_of(case.inputs)
    to = 2 * case.size if case.exact == "multiples" else case.size + case.block
    (change,) = revision_of(job, schema, {"op": "widen", "node": case.node, "to": to}).changes
    network = built(job, schema).double()
    optimizer = optimizer_of(network)
    for _ in range(3):
        step(network, optimizer, case.inputs)
    state = map_state(named_state(network, optimizer), [change], "Adam", lambda *_: {})
    wider = mapped_network(network, (change,)).double()
    wider.load_state_dict(dict(state.weights))
    going_on = optimizer_of(wider)
    for each, parameter in wider.named_parameters():
        going_on.state[parameter] = dict(state.parameters[each].values)
    expected = change_of_last_step(network, optimizer, case.inputs)
    actual = change_of_last_step(wider, going_on, case.inputs)
    for each, _ in wider.named_parameters():
        torch.testing.assert_close(actual[each], indexed(expected[each], change, each), rtol=1e-5, atol=1e-6, msg=each)
