"""Modules as users write them, for the tests of tracing."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Classifier(nn.Module):
    """Reads a text: an embedding, an LSTM and its final state."""

    def __init__(self, both: bool = False, first: bool = True) -> None:
        super().__init__()
        self.emb = nn.Embedding(10, 8)
        self.lstm = nn.LSTM(8, 6, batch_first=first, bidirectional=both)
        self.fc = nn.Linear(12 if both else 6, 3)

    def forward(self, words: Tensor) -> Tensor:
        embedded = self.emb(words)
        _, (h, _) = self.lstm(embedded if self.lstm.batch_first else embedded.transpose(0, 1))
        return self.fc(torch.cat([h[-2], h[-1]], dim=1) if self.lstm.bidirectional else h[-1])


class SequenceClassifier(Classifier):
    """Uses both what a recurrent module gives, and one layer twice."""

    def forward(self, words: Tensor) -> Tensor:
        output, (h, _) = self.lstm(self.emb(words))
        return self.fc(output.mean(1)) + self.fc(h[0])


class RawParameters(nn.Module):
    """Residuals, raw parameters, numbers on both sides, and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(4, 4))
        self.scale = nn.Parameter(torch.ones(4))
        self.register_buffer("mu", torch.randn(4))
        self.fc = nn.Linear(4, 4)
        self.drop = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.sigmoid(x @ self.w) * self.scale + x
        y = y + F.relu(self.fc(y))
        y = F.dropout(y, 0.1, training=self.training)
        y += 1
        y = 1 / (1 + torch.exp(-(2 - y))) - self.mu
        return self.drop(self.fc(y)).softmax(dim=-1), F.linear(x, self.w)


class HandWrittenAttention(nn.Module):
    """Attention by hand: sizes are asked of the data."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.shape
        q, k, v = self.qkv(self.norm(x)).split(8, dim=2)
        q = q.view(b, t, 2, c // 2).transpose(1, 2)
        k = k.view(b, t, 2, c // 2).transpose(1, 2)
        v = v.view(b, t, 2, c // 2).transpose(1, 2)
        weights = F.softmax(q @ k.transpose(-2, -1) / math.sqrt(4), dim=-1)
        return x + self.out((weights @ v).transpose(1, 2).contiguous().view(b, t, c))


class JointAttention(HandWrittenAttention):
    """The same, with queries, keys and values in one tensor."""

    def forward(self, x: Tensor) -> Tensor:
        b, t, _ = x.size()
        q, k, v = self.qkv(self.norm(x)).reshape(b, t, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(-2, -1) * 0.5).softmax(-1)
        return x + self.out((weights @ v).transpose(1, 2).reshape(b, t, 8))


class SmallTransformer(nn.Module):
    """A small Transformer, with its steps or its examples first."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=first, activation="gelu")
        self.emb, self.pos = nn.Embedding(10, 8), nn.Parameter(torch.randn(1, 7, 8))
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out, self.first = nn.Linear(8, 3), first

    def forward(self, words: Tensor) -> Tensor:
        x = self.emb(words) + self.pos
        if self.first:
            return self.out(self.encoder(x)[:, 0])
        return self.out(self.encoder(x.permute(1, 0, 2))[0])


class FunctionalConvolution(nn.Module):
    """Functions instead of modules, in place where they can be; sizes in view."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, (3, 3), padding=(1, 1))
        self.act = nn.ReLU(inplace=True)
        self.fc = nn.Linear(64, 3)

    def forward(self, image: Tensor, unused: Tensor | None = None) -> dict[str, Tensor]:
        x = self.conv(image)
        self.act(x)  # x itself changes
        x = F.max_pool2d(x, 2)
        best = x.flatten(2).max(dim=2).values
        x = F.leaky_relu(x, 0.2, inplace=True).view(x.size(0), -1)
        return {"logits": self.fc(x), "best": best, "last": x[:, -1], "some": x[..., 1:3], "mean": x.mean((1,))}


class DataDependentBranch(nn.Module):
    """Looks at values, and uses what no kind is for."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:  # line one
            x = torch.fft.fft(x)  # line two
        y = torch.kron(x, x)  # line three
        while y.mean() > 0:  # line four
            y = self.fc(y)
        return y
