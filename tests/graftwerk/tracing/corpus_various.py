"""The corpus: perceptrons, gates, mixtures, encoders, and functions of tensors."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.graftwerk.tracing.case import Case, Forward, X


class MLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(n, k) for n, k in zip([8, 6, 6], [6, 6, 3], strict=True))

    def forward(self, x: Tensor) -> Tensor:
        for i, layer in enumerate(self.layers):
            x = F.relu(layer(x)) if i < len(self.layers) - 1 else layer(x)
        return x


class ResidualMLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(OrderedDict([("norm", nn.LayerNorm(8)), ("fc", nn.Linear(8, 8)), ("act", nn.GELU())]))
        self.scale = nn.Parameter(torch.ones(1) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.net(x)


class MaxUnpooling(nn.Module):
    """The pooling of SegNet, with the places of the largest values."""

    def __init__(self, pool: nn.Module, unpool: nn.Module, to_size: bool = False) -> None:
        super().__init__()
        self.pool, self.unpool, self.to_size = pool, unpool, to_size

    def forward(self, x: Tensor) -> Tensor:
        pooled, indices = self.pool(x)
        if self.to_size:
            return self.unpool(pooled.relu(), indices, output_size=x.size())
        return self.unpool(pooled.relu(), indices)


class VAE(nn.Module):
    """Samples in training and in evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(8, 6), nn.Linear(6, 2), nn.Linear(6, 2)
        self.fc3, self.fc4 = nn.Linear(2, 6), nn.Linear(6, 8)

    def reparameterize(self, mu: Tensor, logvar: Tensor) -> Tensor:
        std = torch.exp(0.5 * logvar)
        return mu + torch.randn_like(std) * std

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h1 = F.relu(self.fc1(x.view(-1, 8)))
        mu, logvar = self.fc21(h1), self.fc22(h1)
        return torch.sigmoid(self.fc4(F.relu(self.fc3(self.reparameterize(mu, logvar))))), mu, logvar


class GatedUnit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.w1, self.w2, self.w3 = nn.Linear(8, 16), nn.Linear(8, 6), nn.Linear(8, 6), nn.Linear(6, 8)

    def forward(self, x: Tensor) -> Tensor:
        return F.glu(self.fc(x), dim=-1) + self.w3(F.silu(self.w1(x)) * self.w2(x))


class MixtureOfExperts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList([nn.Linear(8, 4) for _ in range(3)])
        self.gate = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        weights = F.softmax(self.gate(x), dim=1)
        outputs = torch.stack([expert(x) for expert in self.experts], dim=2)
        return (outputs * weights.unsqueeze(1).expand_as(outputs)).sum(dim=2)


class SparseExperts(nn.Module):
    """Chooses an expert by a mask of rows."""

    def __init__(self) -> None:
        super().__init__()
        self.experts, self.gate = nn.ModuleList([nn.Linear(8, 4) for _ in range(2)]), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        choice = self.gate(x).argmax(-1)
        out = torch.zeros(x.size(0), 4)
        for i, expert in enumerate(self.experts):
            mask = choice == i
            if mask.any():
                out[mask] = expert(x[mask])
        return out


class Siamese(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.out = nn.Sequential(nn.Linear(8, 6), nn.ReLU(inplace=True)), nn.Linear(6, 1)

    def forward_once(self, x: Tensor) -> Tensor:
        return self.body(x)

    def forward(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        a, b = self.forward_once(x), self.forward_once(y)
        return {"distance": F.pairwise_distance(a, b), "logit": self.out(torch.abs(a - b)).squeeze(1)}


class NeuralCF(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.users, self.items, self.mlp = nn.Embedding(5, 4), nn.Embedding(6, 4), nn.Linear(8, 1)
        self.user_bias = nn.Embedding(5, 1)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        u, i = self.users(user), self.items(item)
        dot = (u * i).sum(1)
        return torch.sigmoid(dot + self.user_bias(user).squeeze() + self.mlp(torch.cat([u, i], -1)).squeeze(-1))


class TabularNet(nn.Module):
    """Columns of one tensor: some are codes."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList([nn.Embedding(4, 2), nn.Embedding(4, 3)])
        self.bn, self.fc = nn.BatchNorm1d(3), nn.Linear(8, 2)

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        embedded = [e(codes[:, i]) for i, e in enumerate(self.embeddings)]
        return self.fc(torch.cat([*embedded, self.bn(numbers)], 1))


class Branches(nn.Module):
    """Decides by sizes, attributes and options, never by values."""

    def __init__(self, use_norm: bool = True) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.norm = nn.BatchNorm1d(8) if use_norm else None

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        assert x.dim() == 2, "expects (N, 8)"
        if x.shape[-1] != self.fc.in_features:
            raise ValueError(x.shape)
        y = self.fc(x)
        if self.norm is not None:
            y = self.norm(y)
        if skip is not None:
            y = y + skip
        if y.shape == x.shape:
            y = y + x
        return y


class LongOrShort(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] > 100:
            x = x[:, :100]
        return x.cumsum(1)


class Fourier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(8, 5))

    def forward(self, x: Tensor) -> Tensor:
        projected = 2 * torch.pi * x @ self.frequencies
        return torch.cat([torch.sin(projected), torch.cos(projected)], dim=-1)


class RBF(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.centres, self.log_sigmas = nn.Parameter(torch.randn(5, 8)), nn.Parameter(torch.zeros(5))

    def forward(self, x: Tensor) -> Tensor:
        size = (x.size(0), 5, 8)
        x, c = x.unsqueeze(1).expand(size), self.centres.unsqueeze(0).expand(size)
        return torch.exp(-((x - c).pow(2).sum(-1).pow(0.5) / torch.exp(self.log_sigmas).unsqueeze(0)))


class GraphConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        degree = adjacency.sum(-1, keepdim=True).clamp(min=1e-6)
        return F.relu(torch.matmul(adjacency / degree, x @ self.weight) + self.bias)


CASES = [
    Case(
        "joined_parts",
        lambda: Forward(lambda self, x: torch.cat(torch.split(self.a(x), 3, 1), 1), a=nn.Linear(8, 8)),
        X,
    ),
    Case("mlp", MLP, X),
    Case("residual_mlp", ResidualMLP, X),
    Case("vae", VAE, X),
    Case("gated_unit", GatedUnit, X),
    Case("mixture_of_experts", MixtureOfExperts, X),
    Case("sparse_experts", SparseExperts, X, "Python branches here on a tensor's value", "if mask.any()"),
    Case("siamese", Siamese, {"x": (8,), "y": (8,)}),
    Case("neural_cf", NeuralCF, {"user": ((), "int64"), "item": ((), "int64")}),
    Case("tabular_net", TabularNet, {"numbers": (3,), "codes": ((2,), "int64")}),
    Case("branches", Branches, X),
    Case("branches_without_norm", lambda: Branches(False), X),
    Case("long_or_short", LongOrShort, X, "branches here on a size", "if x.shape[1] > 100"),
    Case("long_or_short_told", LongOrShort, X, told=True),
    Case("fourier", Fourier, X),
    Case("rbf", RBF, X),
    Case("graph_convolution", GraphConvolution, {"x": (5, 4), "adjacency": (5, 5)}),
    Case("to_double", lambda: Forward(lambda self, x: self.a(x.double().float()), a=nn.Linear(8, 2)), X, "no float64"),
    Case("to_int", lambda: Forward(lambda self, x: self.a((x.abs() * 3).int()), a=nn.Embedding(4, 2)), X),
    Case("half", lambda: Forward(lambda self, x: x.half(), a=nn.Linear(8, 2)), X, "no float16", "x.half()"),
    Case("logic", lambda: Forward(lambda self, x: torch.where((x > 0.2) & ~(x > 0.8) | (x == 0), x, -x)), X),
    Case("full_tensor", lambda: Forward(lambda self, x: x + torch.full((x.size(0), 8), 0.5) * torch.ones(8)), X),
    Case("mean_of_steps", lambda: Forward(lambda self, x: x.sum(1) / x.size(1)), {"x": (7, 4)}),
    Case(
        "negative_slices",
        lambda: Forward(lambda self, x: x[:, 1:-1] - x[:, ::2].repeat(1, 2)[:, :6], a=nn.Linear(8, 8)),
        X,
        told=True,
    ),
    Case("topk", lambda: Forward(lambda self, x: torch.topk(self.a(x), 2).values, a=nn.Linear(8, 4)), X),
    Case("unpool", lambda: MaxUnpooling(nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)), {"x": (3, 8, 8)}),
    Case(
        "unpool_1d", lambda: MaxUnpooling(nn.MaxPool1d(3, 2, return_indices=True), nn.MaxUnpool1d(3, 2)), {"x": (3, 9)}
    ),
    Case(
        "unpool_to_size",
        lambda: MaxUnpooling(nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2), to_size=True),
        {"x": (3, 7, 9)},
        told=True,
    ),
    Case(
        "adaptive_softmax",
        lambda: Forward(lambda self, x, y: self.a(x, y).output, a=nn.AdaptiveLogSoftmaxWithLoss(8, 9, [2], 2.0)),
        {"x": (8,), "y": ((), "int64")},
    ),
    Case("item", lambda: Forward(lambda self, x: x * x.max().item()), X, "item", "x.max().item()"),
]
