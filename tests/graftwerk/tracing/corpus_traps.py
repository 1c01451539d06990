"""The corpus: writes in place, aliases, tied weights and state, which once became other networks without a word."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.graftwerk.tracing.case import Case, Forward, X


def linears() -> dict[str, nn.Module]:
    return {"a": nn.Linear(8, 8), "b": nn.Linear(8, 4)}


def write(method: Any) -> Any:
    """Return a forward that changes h in some way, and reads it afterwards."""

    def forward(self: Any, x: Tensor) -> Tensor:
        h = self.a(x)
        method(h)
        return self.b(h)

    return forward


def slice_write(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    h[:, :3].mul_(2)
    return self.b(h)


def name_write(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    k = h
    k += 1
    return self.b(h)


def view_write(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    h.view(-1).add_(1)
    return self.b(h)


def view_read(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    flat = h.view(-1, 2, 4)
    h.mul_(3)
    return self.b(h) + flat.sum((1, 2)).unsqueeze(1)


def chunk_write(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    h.chunk(2, 1)[0].mul_(2)
    return self.b(h)


def other_half(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    first, second = h[:, :4], h[:, 4:]
    first.mul_(2)
    return self.b(torch.cat([second, first], 1))


def alias_module(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    k = self.same(h)
    y = self.act(k)
    return self.b(h) + y[:, :4]


def functional_relu(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    y = F.relu(h, inplace=True)
    return self.b(h) - y[:, :4]


def dropout_in_place(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    F.dropout(h, 0.5, self.training, inplace=True)
    return self.b(h)


def out_argument(self: Any, x: Tensor) -> Tensor:
    h = self.a(x).detach()
    torch.add(h, 1, out=h)
    return self.b(h)


def mask_assignment(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    h[h < 0] = 0.5
    return self.b(h)


def column_assignment(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    h[:, 2] = 0
    h[:, 4:6] = x[:, :2]
    return self.b(h)


def row_assignment(self: Any, x: Tensor) -> Tensor:
    h = self.a(x).clone()
    h[x[:, 0] > 0] = self.a(x)[x[:, 0] > 0]
    return self.b(h)


def input_write(self: Any, x: Tensor) -> Tensor:
    x += 1
    return self.b(self.a(x) + x)


def transposed_write(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    h.t().sub_(1)
    return self.b(h)


def detached_write(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    h.detach().zero_()
    return self.b(h)


def data_write(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    h.data.mul_(2)
    return self.b(h)


def second_write(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    v = h.view(-1, 4, 2)
    h += 1
    w = v.sum(2)
    h.mul_(2)
    return self.b(h) + v.sum(2) + w


def column_addition(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    h[:, 2] += 1
    h[..., 4:] *= x[:, :4]
    return self.b(h)


def viewed_as(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    h.view_as(x).add_(1)
    return torch.addmm(self.b.bias, h, self.b.weight.t())


def row_write(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    h[0].mul_(2)
    return self.b(h)


def grown(self: Any, x: Tensor) -> Tensor:
    outputs, h = [], self.a(x)
    for _ in range(3):
        h.add_(1)
        outputs.append(h)
    return torch.cat(outputs, 1)


def renamed(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    k = h
    h = h + 1
    k *= 0.5
    return self.b(h) + k[:, :4]


def replaced_data(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    h.data = x * 2
    return self.b(h)


def numpy_write(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    h.detach().numpy()[:] = 0
    return self.b(h)


def expanded_write(self: Any, x: Tensor) -> Tensor:
    h = self.a(x)
    h.select(1, 0).fill_(1.0)
    return self.b(h)


def buffer_write(self: Any, x: Tensor) -> Tensor:
    self.mean.mul_(0.9).add_(0.1 * x.mean(0))
    return self.b(self.a(x - self.mean))


def counter(self: Any, x: Tensor) -> Tensor:
    self.mean += 1
    return self.b(self.a(x)) + self.mean.sum()


def functional_batch_norm(self: Any, x: Tensor) -> Tensor:
    bn = self.bn
    return F.batch_norm(x, bn.running_mean, bn.running_var, bn.weight, bn.bias, self.training)


def statistics(self: Any, x: Tensor) -> Tensor:
    y = self.bn(x)
    return y + self.bn.running_mean


def kept_state(self: Any, x: Tensor) -> Tensor:
    y = self.b(self.a(x)) + self.kept
    self.kept = self.kept + 1.0
    return y


def python_random(self: Any, x: Tensor) -> Tensor:
    import random

    return self.b(self.a(x)) * random.random()


def noise(self: Any, x: Tensor) -> Tensor:
    return self.b(self.a(x)) + torch.randn(4)


def with_mean() -> dict[str, Any]:
    return linears() | {"mean": nn.Buffer(torch.zeros(8))}


PARTIAL = "writes to a part of a tensor that is read again"
STATE = "belongs to the module"
TRAPS: list[tuple[Any, str, str]] = [
    (slice_write, PARTIAL, "h[:, :3].mul_(2)"),
    (name_write, "", ""),
    (view_write, PARTIAL, "h.view(-1).add_(1)"),
    (view_read, "", ""),
    (chunk_write, PARTIAL, "h.chunk(2, 1)[0].mul_(2)"),
    (other_half, "", ""),
    (functional_relu, "", ""),
    (dropout_in_place, "", ""),
    (out_argument, "", ""),
    (mask_assignment, "", ""),
    (column_assignment, "", ""),
    (row_assignment, "mask", "h[x[:, 0] > 0] = "),
    (input_write, "", ""),
    (transposed_write, PARTIAL, "h.t().sub_(1)"),
    (detached_write, "past its gradient", "h.detach().zero_()"),
    (data_write, "past its gradient", "h.data.mul_(2)"),
    (second_write, "", ""),
    (column_addition, "", ""),
    (viewed_as, "", ""),
    (row_write, PARTIAL, "h[0].mul_(2)"),
    (grown, "", ""),
    (renamed, "", ""),
    (replaced_data, "differs", ""),
    (numpy_write, "numpy", ""),
    (expanded_write, PARTIAL, "h.select(1, 0).fill_(1.0)"),
    (python_random, "draws random numbers of Python", ""),
    (noise, "rows first", "torch.randn(4)"),
]
WRITES = {
    "relu": torch.relu_,
    "clamp": lambda h: h.clamp_(min=0),
    "masked_fill": lambda h: h.masked_fill_(h > 0, 2.0),
    "copy": lambda h: h.copy_(h * 2),
    "fill": lambda h: h.fill_(3.0),
    "zero": lambda h: h.zero_(),
    "identity_add": lambda h: h.contiguous().add_(1),
}

CASES = [
    *(Case(f.__name__, lambda f=f: Forward(f, **linears()), X, refused, line) for f, refused, line in TRAPS),
    *(Case(f"write_{n}", lambda method=m: Forward(write(method), **linears()), X) for n, m in WRITES.items()),
    Case("alias_module", lambda: Forward(alias_module, **linears(), same=nn.Identity(), act=nn.ReLU(inplace=True)), X),
    Case("buffer_write", lambda: Forward(buffer_write, **with_mean()), X, STATE, "self.mean.mul_(0.9)"),
    Case("counter", lambda: Forward(counter, **with_mean()), X, STATE, "self.mean += 1"),
    Case(
        "functional_batch_norm",
        lambda: Forward(functional_batch_norm, bn=nn.BatchNorm1d(8)),
        X,
        "batch_norm",
        "F.batch_norm",
    ),
    Case("statistics", lambda: Forward(statistics, bn=nn.BatchNorm1d(8)), X, "changes it in training", "running_mean"),
    Case("kept_state", lambda: Forward(kept_state, **linears(), kept=torch.zeros(4)), X, "kept is another after"),
]
