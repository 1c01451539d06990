"""Recurrent layers over sequences of unlike length: what packed sequences give, forward and backward."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from workers.network.kinds.sequences import run_recurrent

KINDS: dict[str, tuple[type[nn.RNNBase], dict[str, Any]]] = {
    "gru": (nn.GRU, {}),
    "lstm": (nn.LSTM, {}),
    "projected lstm": (nn.LSTM, {"proj_size": 2}),
    "rnn": (nn.RNN, {}),
    "rectified rnn": (nn.RNN, {"nonlinearity": "relu"}),
    "without bias": (nn.GRU, {"bias": False}),
    "three layers": (nn.GRU, {"num_layers": 3}),
}
LENGTHS = torch.tensor([6, 1, 4, 6, 2])


def run_packed(module: nn.RNNBase, x: Tensor, returns: str) -> Tensor:
    outputs, state = module(pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False))
    padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
    if returns == "sequence":
        return padded
    if returns == "last":
        return padded[torch.arange(len(x)), LENGTHS - 1]
    hidden = state[0] if isinstance(state, tuple) else state
    return torch.cat([hidden[-2], hidden[-1]], 1) if module.bidirectional else hidden[-1]  # type: ignore[no-any-return]


@pytest.mark.parametrize("returns", ["sequence", "last", "state"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("name", KINDS)
def test_lengths_are_those_of_packed_sequences(name: str, bidirectional: bool, returns: str) -> None:
    torch.manual_seed(0)
    kind, settings = KINDS[name]
    module = kind(3, 4, batch_first=True, bidirectional=bidirectional, **settings).double()
    x = torch.randn(5, 7, 3, dtype=torch.float64, requires_grad=True)
    expected, found = run_packed(module, x, returns), run_recurrent(module, x, LENGTHS, returns=returns)
    torch.testing.assert_close(found, expected)
    variables = [x, *module.parameters()]
    for ours, theirs in zip(
        torch.autograd.grad(found.square().sum(), variables),
        torch.autograd.grad(expected.square().sum(), variables),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("returns", ["sequence", "last", "state"])
def test_whole_sequences_are_those_of_torch(returns: str) -> None:
    module, x = nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True), torch.randn(5, 7, 3)
    outputs, (hidden, _) = module(x)
    expected = {"sequence": outputs, "last": outputs[:, -1], "state": torch.cat([hidden[-2], hidden[-1]], 1)}
    assert run_recurrent(module, x, returns=returns).equal(expected[returns])


def test_layers_drop_out_while_training_only() -> None:
    module, x = nn.GRU(3, 4, num_layers=2, batch_first=True, dropout=0.5), torch.randn(5, 7, 3)
    assert not run_recurrent(module, x, LENGTHS).equal(run_recurrent(module, x, LENGTHS))
    module.eval()
    assert run_recurrent(module, x, LENGTHS).equal(run_recurrent(module, x, LENGTHS))


def test_what_lies_behind_an_end_is_no_matter() -> None:
    module, x = nn.GRU(3, 4, batch_first=True, bidirectional=True), torch.randn(5, 7, 3)
    other = x.clone()
    for row, length in enumerate(LENGTHS.tolist()):
        other[row, length:] = torch.inf
    assert run_recurrent(module, other, LENGTHS).equal(run_recurrent(module, x, LENGTHS))


@pytest.mark.parametrize("with_lengths", [False, True], ids=["whole", "ragged"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("name", KINDS)
def test_states_go_in_and_out_as_in_torch(name: str, bidirectional: bool, with_lengths: bool) -> None:
    torch.manual_seed(0)
    kind, settings = KINDS[name]
    module = kind(3, 4, batch_first=True, bidirectional=bidirectional, **settings).double()
    x = torch.randn(5, 7, 3, dtype=torch.float64)
    layers = module.num_layers * (1 + bidirectional)
    sizes = (module.proj_size or 4, *([4] if kind is nn.LSTM else []))
    begin = [torch.randn(5, layers, size, dtype=torch.float64) for size in sizes]
    turned = [state.transpose(0, 1).contiguous() for state in begin]
    given = turned[0] if len(turned) == 1 else tuple(turned)
    packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False) if with_lengths else x
    outputs, final = module(packed, given)
    if with_lengths:
        outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
    named = dict(zip(("h_0", "c_0"), begin, strict=False))
    lengths = LENGTHS if with_lengths else None
    found, *states = run_recurrent(module, x, lengths, **named, return_states=True)
    torch.testing.assert_close(found, outputs)
    torch.testing.assert_close(run_recurrent(module, x, lengths, **named), outputs)
    for state, expected in zip(states, final if isinstance(final, tuple) else (final,), strict=True):
        assert state.equal(expected.transpose(0, 1))
