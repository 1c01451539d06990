"""Habits of people's modules that once ended the process, were refused for nothing, or became another network."""

import random
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from app.spec.network.validation import check_network
from graftwerk import CannotExpress, trace
from tests.graftwerk.tracing.case import Forward
from tests.workers.network.networks import Columns, make_examples, parse_model, schema
from workers.network.runtime.build import build

ROW: Columns = {"x": (8,)}
IMAGE: Columns = {"x": (3, 8, 8)}


class Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return -gradients[0]


def double(x: Tensor) -> Tensor:
    return x * 2


with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # people still have it
    scripted = torch.jit.script(double)


def with_linear(does: Callable[..., Any], **parts: Any) -> nn.Module:
    return Forward(does, a=nn.Linear(8, 8), **parts)


def without_gradient(self: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        h = self.a(x)
    return self.a(h) + h


def in_bfloat(self: Any, x: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return self.a(x).float()


def one_row(self: Any, x: Tensor) -> Tensor:
    return self.a(x) if x.size(0) == 1 else self.a(x - x.mean(0))


def padded(self: Any, x: Tensor) -> Tensor:
    if x.shape[1] % 5 != 0:
        x = F.pad(x, (0, 0, 0, 5 - x.shape[1] % 5))
    return self.a(x).sum(-1)


def counted(self: Any, x: Tensor) -> Tensor:
    self.calls = self.calls + 1
    return torch.tanh(self.a(x)) if self.calls > 50 else self.a(x)


def drawn(self: Any, x: Tensor) -> Tensor:
    return self.a(x * 0 if self.training and self.chance.random() < 1e-9 else x)


def stays(self: Any, x: Tensor) -> Tensor:
    return self.norm.eval()(self.a(x))


def always_drops(self: Any, x: Tensor) -> Tensor:
    return self.drop.train()(self.a(x))


def aliased(self: Any, x: Tensor) -> Tensor:
    return self.b(self.a(x))


def same_memory() -> nn.Module:
    module = with_linear(aliased, b=nn.Linear(8, 8))
    module.b.weight.data = module.a.weight.data
    return module


REFUSED: list[tuple[str, Callable[[], nn.Module], str]] = [
    ("Reversal.apply", lambda: with_linear(lambda s, x: Reversal.apply(s.a(x))), "Reversal is not in the language"),
    ("scripted(", lambda: with_linear(lambda s, x: scripted(s.a(x))), "cannot trace"),
    ("torch.tensor(s", lambda: with_linear(lambda s, x: torch.tensor(s.a(x)) + x), "tensor is not in the language"),
    ("self.a(x).float()", lambda: with_linear(in_bfloat), "autocast"),
    ("x.size(0) == 1", lambda: with_linear(one_row), "branches here on a size"),
    ("", lambda: with_linear(counted, calls=0), "calls is another after each forward"),
    ("", lambda: with_linear(drawn, chance=random.Random(0)), "chance is another after each forward"),
    ("self.norm.eval()", lambda: with_linear(stays, norm=nn.BatchNorm1d(8)), "BatchNorm1d is in evaluation"),
    ("self.drop.train()", lambda: with_linear(always_drops, drop=nn.Dropout(0.5)), "Dropout is in training"),
    ("", lambda: with_linear(lambda s, x: checkpoint(s.a, s.a(x), use_reentrant=True)), "use_reentrant"),
    ("", same_memory, "a.weight and b.weight are two tensors in the same memory"),
]


@pytest.mark.parametrize(("line", "make", "words"), REFUSED, ids=[words for _, _, words in REFUSED])
@pytest.mark.filterwarnings("ignore:To copy construct", "ignore:None of the inputs")
def test_what_a_network_cannot_do_is_refused(line: str, make: Callable[[], nn.Module], words: str) -> None:
    with pytest.raises(CannotExpress) as caught:
        trace(make())
    assert any(words in each.detail and line in each.source and each.file for each in caught.value.obstacles)


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells, self.head = nn.GRU(8, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        steps, _ = nn.utils.rnn.pad_packed_sequence(self.cells(packed)[0], batch_first=True)
        return self.head(steps.mean(1))


def test_a_mean_over_the_longest_of_the_batch_is_refused() -> None:
    with pytest.raises(CannotExpress, match="give pad_packed_sequence the total_length"):
        trace(Packed(), inputs=["x", "lengths"])


def test_a_branch_on_a_size_is_not_decided_by_examples_of_another_rank() -> None:
    network = parse_model(dict(trace(with_linear(padded)).model))
    with pytest.raises(Exception, match="cannot take 10x8"):
        build(network, schema({"x": (10, 8)}), ("x",))


EQUAL: dict[str, tuple[Callable[[], nn.Module], Columns]] = {
    "checkpoint": (lambda: with_linear(lambda s, x: checkpoint(s.a, x, use_reentrant=False)), ROW),
    "no_grad": (lambda: with_linear(without_gradient), ROW),
    "isinstance": (lambda: with_linear(lambda s, x: s.a(x) if isinstance(x, Tensor | list) else x), ROW),
    "InstanceNorm2d": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4)), IMAGE),
    "BatchNorm2d": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False)), IMAGE),
    "GroupNorm": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4, affine=False)), IMAGE),
}


@pytest.mark.parametrize("name", EQUAL)
def test_what_is_left_equals_the_module(name: str) -> None:
    torch.manual_seed(1)
    make, columns = EQUAL[name]
    module = make()
    traced = trace(module)
    network = parse_model(dict(traced.model))
    assert check_network(network, ("x",), ("x",)) == []
    other = build(network, schema(columns), ("x",))
    other.load_state_dict(dict(traced.weights), strict=True)
    values = make_examples(columns)
    for training in (False, True):
        found = other.train(training)({"x": values["x"].clone()})["output"]
        wanted = module.train(training)(values["x"].clone())
        torch.testing.assert_close(found, wanted)
    norms = (
        [
            sum(each.norm() for each in torch.autograd.grad((y**2).mean(), list(m.parameters())))
            for y, m in ((found, other), (wanted, module))
        ]
        if name != "reentrant"
        else [0.0, 0.0]
    )
    assert norms[0] == pytest.approx(norms[1])
