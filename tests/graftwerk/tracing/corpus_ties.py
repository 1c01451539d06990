"""The corpus: tied, shared and frozen weights."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.graftwerk.tracing.case import Case, Forward, X


class TiedAutoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(8, 4)
        self.bias = nn.Parameter(torch.zeros(8))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(torch.relu(self.encoder(x)), self.encoder.weight.t(), self.bias)


class TiedEmbedding(nn.Module):
    def __init__(self, padding: int | None = None) -> None:
        super().__init__()
        self.emb = nn.Embedding(10, 8, padding_idx=padding)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.emb(x), self.emb.weight)


class SharedParameter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
        self.b.weight = self.a.weight
        self.scale = nn.Parameter(torch.rand(8))
        self.other = self.scale

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x) * self.scale) + self.other


class SharedModule(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(8, 8), nn.Tanh())
        self.second = self.first

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class TiedConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv1d(4, 4, 3, padding=1), nn.Conv1d(4, 4, 3, padding=2, dilation=2)
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))


class FrozenScale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.fc.weight.requires_grad_(False)
        self.scale = nn.Parameter(torch.rand(8), requires_grad=False)
        self.emb = nn.Embedding.from_pretrained(torch.rand(8, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) * self.scale @ self.emb.weight


def tied_lstm() -> nn.Module:
    module = Forward(lambda self, x: self.b(self.a(x)[0])[0], a=nn.LSTM(8, 8), b=nn.LSTM(8, 8))
    module.b.weight_hh_l0 = module.a.weight_hh_l0  # type: ignore[union-attr,assignment]
    return module


CASES = [
    Case("tied_autoencoder", TiedAutoencoder, X),
    Case("tied_embedding", TiedEmbedding, {"x": ((5,), "int64")}),
    Case("tied_embedding_padding", lambda: TiedEmbedding(2), {"x": ((5,), "int64")}),
    Case("shared_parameter", SharedParameter, X),
    Case("shared_module", SharedModule, X),
    Case("tied_convolution", TiedConvolution, {"x": (4, 16)}),
    Case("frozen_scale", FrozenScale, X),
    Case("tied_lstm", tied_lstm, {"x": (7, 8)}, "LSTM cannot share", "self.a(x)"),
]
