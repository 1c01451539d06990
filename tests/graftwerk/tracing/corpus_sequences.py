"""The corpus: recurrent networks, and convolutions over sequences."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.graftwerk.tracing.case import Case, Forward

WORDS = {"x": ((7,), "int64")}
STEPS = {"x": (7, 4)}
WORDS_AND_LENGTHS = {"x": ((7,), "int64"), "lengths": ((), "int64")}


class StockLSTM(nn.Module):
    """States of zeros, made in forward."""

    def __init__(self, kind: str = "LSTM", bidirectional: bool = False) -> None:
        super().__init__()
        self.hidden_dim, self.num_layers = 5, 2
        self.directions = 2 if bidirectional else 1
        make = getattr(nn, kind)
        self.rnn = make(4, 5, 2, batch_first=True, bidirectional=bidirectional)
        self.fc = nn.Linear(5 * self.directions, 1)

    def forward(self, x: Tensor) -> Tensor:
        h0 = torch.zeros(self.num_layers * self.directions, x.size(0), self.hidden_dim).requires_grad_()
        c0 = torch.zeros(self.num_layers * self.directions, x.size(0), self.hidden_dim).requires_grad_()
        state = (h0.detach(), c0.detach()) if isinstance(self.rnn, nn.LSTM) else h0
        out, _ = self.rnn(x, state)
        return self.fc(out[:, -1, :])


class LearnedState(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.h0, self.rnn = nn.Parameter(torch.zeros(1, 1, 5)), nn.GRU(4, 5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.rnn(x, self.h0.expand(-1, x.size(0), -1).contiguous())
        return out.sum(1)


class EncoderDecoder(nn.Module):
    """A decoder that starts with the final states of an encoder."""

    def __init__(self, kind: str, layers: int, batch_first: bool = True, bidirectional: bool = False) -> None:
        super().__init__()
        make, settings = getattr(nn, kind), {"batch_first": batch_first, "bidirectional": bidirectional}
        self.batch_first = batch_first
        self.encoder, self.decoder = make(4, 5, layers, **settings), make(4, 5, layers, **settings)
        self.fc = nn.Linear(10 if bidirectional else 5, 2)

    def forward(self, x: Tensor) -> Tensor:
        steps = x if self.batch_first else x.transpose(0, 1)
        _, state = self.encoder(steps)
        output, _ = self.decoder(steps, state)
        return self.fc(output if self.batch_first else output.transpose(0, 1))


class PackedClassifier(nn.Module):
    def __init__(self, kind: str = "LSTM", bidirectional: bool = True) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4, padding_idx=0)
        self.rnn = getattr(nn, kind)(4, 5, batch_first=True, bidirectional=bidirectional)
        self.fc, self.dropout = nn.Linear(10 if bidirectional else 5, 2), nn.Dropout(0.3)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        embedded = self.dropout(self.embedding(x))
        packed = pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, state = self.rnn(packed)
        hidden = state[0] if isinstance(state, tuple) else state
        if self.rnn.bidirectional:
            return self.fc(torch.cat((hidden[-2, :, :], hidden[-1, :, :]), dim=1))
        return self.fc(hidden.squeeze(0))


class PackedTagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.rnn = nn.Embedding(10, 4), nn.GRU(4, 5, batch_first=True)
        self.fc = nn.Linear(5, 3)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(x), lengths, batch_first=True, enforce_sorted=False)
        out, hidden = self.rnn(packed)
        out, _ = pad_packed_sequence(out, batch_first=True, total_length=x.size(1))
        return self.fc(out) + self.fc(hidden[-1]).unsqueeze(1)


class CellLoop(nn.Module):
    """A cell in a loop over the steps."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.cell, self.out = getattr(nn, kind)(4, 5), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(x.size(0), 5)
        c = torch.zeros(x.size(0), 5)
        outputs = []
        for step in range(x.size(1)):
            if isinstance(self.cell, nn.LSTMCell):
                h, c = self.cell(x[:, step], (h, c))
            else:
                h = self.cell(x[:, step, :], h)
            outputs.append(self.out(h))
        return torch.stack(outputs, dim=1)


class ElmanByHand(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.i2h, self.h2o = nn.Linear(4 + 5, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = x.new_zeros(x.shape[0], 5)
        for step in x.unbind(1):
            hidden = torch.tanh(self.i2h(torch.cat((step, hidden), 1)))
        return F.log_softmax(self.h2o(hidden), dim=-1)


class TextCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 6)
        self.convs = nn.ModuleList([nn.Conv2d(1, 3, (k, 6)) for k in (2, 3)])
        self.fc = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        embedded = self.embedding(x).unsqueeze(1)
        conved = [F.relu(conv(embedded)).squeeze(3) for conv in self.convs]
        pooled = [F.max_pool1d(each, each.shape[2]).squeeze(2) for each in conved]
        return self.fc(torch.cat(pooled, dim=1))


class Chomp(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, : -self.size].contiguous()


class TemporalBlock(nn.Module):
    """A block of a TCN (locuslab), whose convolutions have weight norm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = weight_norm(nn.Conv1d(4, 5, 3, padding=4, dilation=2))
        self.conv2 = weight_norm(nn.Conv1d(5, 5, 3, padding=4, dilation=2))
        self.net = nn.Sequential(self.conv1, Chomp(4), nn.ReLU(), nn.Dropout(0.2), self.conv2, Chomp(4), nn.ReLU())
        self.downsample = nn.Conv1d(4, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.net(x) + self.downsample(x))


class Seq2Seq(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.GRU(4, 5, batch_first=True), nn.GRU(4, 5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        _, hidden = self.encoder(x)
        out, _ = self.decoder(x, hidden)
        return out


class BiLSTMPooling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 3, bidirectional=True)
        self.attention = nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        out, (h, _) = self.lstm(x.permute(1, 0, 2))
        out = out.permute(1, 0, 2)
        weights = torch.softmax(self.attention(out).squeeze(-1), dim=1)
        context = torch.bmm(weights.unsqueeze(1), out).squeeze(1)
        return torch.cat([context, h.permute(1, 0, 2).reshape(x.size(0), -1), out.max(dim=1)[0]], dim=-1)


class WaveNetGate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.filter, self.gate = nn.Conv1d(4, 3, 2), nn.Conv1d(4, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (1, 0))
        return torch.tanh(self.filter(x)) * torch.sigmoid(self.gate(x))


def old_weight_norm() -> nn.Module:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.Sequential(nn.utils.weight_norm(nn.Linear(8, 4)), nn.ReLU(), nn.Linear(4, 2))


CASES = [
    Case("stock_lstm", StockLSTM, STEPS),
    Case("stock_gru", lambda: StockLSTM("GRU"), STEPS),
    Case("stock_bilstm", lambda: StockLSTM(bidirectional=True), STEPS),
    Case("learned_state", LearnedState, STEPS),
    Case("packed_bilstm", PackedClassifier, WORDS_AND_LENGTHS),
    Case("packed_gru", lambda: PackedClassifier("GRU", False), WORDS_AND_LENGTHS),
    Case("packed_tagger", PackedTagger, WORDS_AND_LENGTHS),
    Case("lstm_cell_loop", lambda: CellLoop("LSTMCell"), STEPS, told=True),
    Case("gru_cell_loop", lambda: CellLoop("GRUCell"), STEPS, told=True),
    Case("gru_cell_loop_untold", lambda: CellLoop("GRUCell"), STEPS, refused="integer", line="range(x.size(1))"),
    Case("elman_by_hand", ElmanByHand, STEPS, told=True),
    Case("text_cnn", TextCNN, WORDS, told=True),
    Case("temporal_block", TemporalBlock, {"x": (4, 16)}, told=True),
    Case("seq2seq", Seq2Seq, STEPS),
    Case("seq2seq_lstm", lambda: EncoderDecoder("LSTM", 2), STEPS),
    Case("seq2seq_time_first", lambda: EncoderDecoder("GRU", 1, batch_first=False, bidirectional=True), STEPS),
    Case(
        "cell_state",
        lambda: Forward(
            lambda self, x: self.rnn(x)[1][1][0] + self.rnn2(x)[1][0][0],
            rnn=nn.LSTM(4, 3, 2, batch_first=True),
            rnn2=nn.LSTM(4, 3, 2, batch_first=True),
        ),
        STEPS,
    ),
    Case("bilstm_pooling", BiLSTMPooling, STEPS),
    Case("wavenet_gate", WaveNetGate, {"x": (4, 16)}),
    Case("weight_norm", lambda: nn.Sequential(weight_norm(nn.Linear(8, 4)), nn.Tanh()), {"x": (8,)}),
    Case("old_weight_norm", old_weight_norm, {"x": (8,)}),
    Case(
        "spectral_norm",
        lambda: Forward(lambda self, x: self.a(x), a=spectral_norm(nn.Linear(8, 4))),
        {"x": (8,)},
        refused="changes",
        line="self.a(x)",
    ),
]
