"""How a node is called where calling its module or a function of torch is not enough.

`model.py` carries the source of the functions it uses, so each of them depends on nothing but torch, and
`run_recurrent` on `run_padded`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def run_padded(module: nn.RNNBase, x: Tensor, lengths: Tensor) -> Tensor:
    """Run over x (N, L, F) to the end of each sequence: (N, L, H), zeros behind the ends; H counts both directions.

    The outputs are those over a packed sequence. Of that, backward on a CPU takes time in the square of L, since the
    gradient of every step is as large as the whole; here what is computed behind the ends is thrown away instead.
    """
    ends, places = lengths.long().unsqueeze(1), torch.arange(x.shape[1], device=x.device)
    turned = torch.where(places < ends, ends - 1 - places, places).unsqueeze(2)
    run = getattr(torch, module.mode.lower())  # gru, lstm, rnn_tanh, rnn_relu
    directions = 2 if module.bidirectional else 1
    sides: list[Tensor] = []
    for number, weights in enumerate(module.all_weights):
        back = number % directions
        if number and not back:  # the next layer
            x, sides = nn.functional.dropout(torch.cat(sides, 2), module.dropout, module.training), []
        seen = x.gather(1, turned.expand(-1, -1, x.shape[2])) if back else x
        hidden = x.new_zeros(1, x.shape[0], module.proj_size or module.hidden_size)
        cell = x.new_zeros(1, x.shape[0], module.hidden_size)
        begin = (hidden, cell) if module.mode == "LSTM" else hidden
        side = run(seen, begin, weights, module.bias, 1, 0.0, module.training, False, True)[0]
        sides.append(side.gather(1, turned.expand(-1, -1, side.shape[2])) if back else side)
    return torch.cat(sides, 2).masked_fill((places >= ends).unsqueeze(2), 0.0)


def run_recurrent(module: nn.RNNBase, x: Tensor, lengths: Tensor | None = None, *, returns: str = "sequence") -> Tensor:
    """Run over x (N, L, F); with `lengths` (N), each at least 1, each sequence ends there.

    Returns all outputs (N, L, H) as "sequence", the output of the last step (N, H) as "last", or the last layer's
    final hidden state (N, H) as "state"; H counts both directions.
    """
    output: Tensor
    if lengths is None:
        output = module(x)[0]
    elif x.is_cuda:
        packed = pack_padded_sequence(x, lengths.long().cpu(), batch_first=True, enforce_sorted=False)
        output, _ = pad_packed_sequence(module(packed)[0], batch_first=True, total_length=x.shape[1])
    else:
        output = run_padded(module, x, lengths)
    if returns == "sequence":
        return output
    if lengths is None:
        last = output[:, -1]
    else:
        last = output[torch.arange(x.shape[0], device=x.device), lengths.long().to(x.device) - 1]
    if returns == "last" or not module.bidirectional:
        return last
    half = output.shape[2] // 2
    return torch.cat([last[:, :half], output[:, 0, half:]], dim=-1)  # the way back ends at the beginning


def attend(
    module: nn.MultiheadAttention,
    query: Tensor,
    key: Tensor | None = None,
    value: Tensor | None = None,
    lengths: Tensor | None = None,
    *,
    is_causal: bool = False,
) -> Tensor:
    """Attend from query (N, L, E) to key and value (N, S, E): to itself without a key, to the key without a value.

    With `lengths` (N), each at least 1, nothing behind the keys' ends is seen; causally, nothing behind one's place.
    """
    key = query if key is None else key
    places = torch.arange(key.shape[1], device=key.device)
    hidden = None if lengths is None else places >= lengths.to(key.device).unsqueeze(1)
    later = places > torch.arange(query.shape[1], device=key.device).unsqueeze(1) if is_causal else None
    value = key if value is None else value
    output: Tensor = module(query, key, value, key_padding_mask=hidden, attn_mask=later, need_weights=False)[0]
    return output


def encode(
    module: nn.TransformerEncoderLayer, x: Tensor, lengths: Tensor | None = None, *, is_causal: bool = False
) -> Tensor:
    """Run over x (N, L, E); with `lengths` (N), each at least 1, nothing behind the ends is seen.

    Causally, nothing behind one's place is seen. What is returned behind an end has no meaning.
    """
    places = torch.arange(x.shape[1], device=x.device)
    hidden = None if lengths is None else places >= lengths.to(x.device).unsqueeze(1)
    output: Tensor = module(x, places > places.unsqueeze(1) if is_causal else None, hidden)
    return output


def decode(
    module: nn.TransformerDecoderLayer,
    x: Tensor,
    memory: Tensor,
    lengths: Tensor | None = None,
    *,
    is_causal: bool = False,
) -> Tensor:
    """Run over x (N, L, E) beside memory (N, S, E); with `lengths` (N), each at least 1, those of the memory.

    Causally, nothing of x behind one's place is seen.
    """
    hidden = None
    if lengths is not None:
        hidden = torch.arange(memory.shape[1], device=x.device) >= lengths.to(x.device).unsqueeze(1)
    places = torch.arange(x.shape[1], device=x.device)
    later = places > places.unsqueeze(1) if is_causal else None
    output: Tensor = module(x, memory, later, memory_key_padding_mask=hidden)
    return output


def length_mask(x: Tensor, lengths: Tensor) -> Tensor:
    """Tell which places of x (N, L, ...) lie before the end of their sequence: bool (N, L)."""
    return torch.arange(x.shape[1], device=x.device) < lengths.to(x.device).unsqueeze(1)


def pool_sequence(x: Tensor, lengths: Tensor | None = None, *, by: str = "mean") -> Tensor:
    """Return the "mean", "sum", "max" or "last" of what x (N, L, ...) holds before each end: (N, ...).

    Each length (N) is at least 1; without them all of x counts.
    """
    if lengths is None:
        lengths = torch.full((x.shape[0],), x.shape[1], device=x.device)
    lengths = lengths.to(x.device)
    if by == "last":
        return x[torch.arange(x.shape[0], device=x.device), lengths.long() - 1]
    beyond = torch.arange(x.shape[1], device=x.device) >= lengths.unsqueeze(1)
    beyond = beyond.reshape(beyond.shape + (1,) * (x.ndim - 2))
    if by == "max":
        return x.masked_fill(beyond, -torch.inf).amax(1)
    total = x.masked_fill(beyond, 0.0).sum(1)
    return total if by == "sum" else total / lengths.reshape((-1,) + (1,) * (x.ndim - 2))


def add_sinusoids(x: Tensor) -> Tensor:
    """Add sines and cosines of the places (Vaswani et al. 2017) to x (N, L, F)."""
    length, width = x.shape[-2:]
    places = torch.arange(length, device=x.device).unsqueeze(1)
    rates = torch.exp(torch.arange(0, width, 2, device=x.device) * (-9.210340371976184 / width))  # log of 10,000
    waves = torch.stack([torch.sin(places * rates), torch.cos(places * rates)], 2).flatten(1)[:, :width]
    return x + waves.to(x.dtype)


def reshape(x: Tensor, *, shape: Sequence[int]) -> Tensor:
    """Give x another shape; 0 keeps the dimension at that place, -1 is what is left."""
    return x.reshape([x.shape[place] if size == 0 else size for place, size in enumerate(shape)])


def windows(x: Tensor, *, dimension: int, size: int, step: int) -> Tensor:
    """Return every window of a size along a dimension, with its values in a new last dimension."""
    return x.unfold(dimension, size, step)


def einsum(*inputs: Tensor, equation: str) -> Tensor:
    """Sum products over the indices of an equation."""
    return torch.einsum(equation, *inputs)


def index_select(x: Tensor, index: Tensor, *, dim: int) -> Tensor:
    """Return the items of a dimension that the index (K) names."""
    return x.index_select(dim, index)


def gather(x: Tensor, index: Tensor, *, dim: int) -> Tensor:
    """Return for each place of the index the item of a dimension that it names."""
    return x.gather(dim, index)


def scatter_add(x: Tensor, index: Tensor, source: Tensor, *, dim: int) -> Tensor:
    """Add the items of the source at the places of a dimension that the index names."""
    return x.scatter_add(dim, index, source)


def outer(x: Tensor, y: Tensor) -> Tensor:
    """Multiply every value of x (..., a) with every value of y (..., b): (..., a, b)."""
    return x.unsqueeze(-1) * y.unsqueeze(-2)


def to(x: Tensor, *, dtype: str) -> Tensor:
    """Give the values another type: "float32", "int64" or "bool"."""
    floats = torch.promote_types(torch.get_default_dtype(), x.dtype)  # double in a double network
    return x.to({"float32": floats, "int64": torch.int64, "bool": torch.bool}[dtype])


def arange(x: Tensor, *, dim: int = 1, dtype: str = "int64") -> Tensor:
    """Count the places of a dimension of x: (L)."""
    floats = torch.promote_types(torch.get_default_dtype(), x.dtype)  # double in a double network
    types = {"float32": floats, "int64": torch.int64, "bool": torch.bool}
    return torch.arange(x.shape[dim], device=x.device).to(types[dtype])


def full(x: Tensor, *, shape: Sequence[int], value: float = 0.0) -> Tensor:
    """Return a number everywhere, as many rows as x has: (N, *shape)."""
    floats = torch.promote_types(torch.get_default_dtype(), x.dtype)  # double in a double network
    return torch.full((x.shape[0], *shape), value, dtype=floats, device=x.device)


def zeros(x: Tensor, *, shape: Sequence[int], dtype: str = "float32") -> Tensor:
    """Return zeros, as many rows as x has: (N, *shape)."""
    floats = torch.promote_types(torch.get_default_dtype(), x.dtype)  # double in a double network
    types = {"float32": floats, "int64": torch.int64, "bool": torch.bool}
    return torch.zeros((x.shape[0], *shape), dtype=types[dtype], device=x.device)


def ones(x: Tensor, *, shape: Sequence[int], dtype: str = "float32") -> Tensor:
    """Return ones, as many rows as x has: (N, *shape)."""
    floats = torch.promote_types(torch.get_default_dtype(), x.dtype)  # double in a double network
    types = {"float32": floats, "int64": torch.int64, "bool": torch.bool}
    return torch.ones((x.shape[0], *shape), dtype=types[dtype], device=x.device)


def rand(x: Tensor, *, shape: Sequence[int]) -> Tensor:
    """Return uniform random numbers, as many rows as x has: (N, *shape)."""
    floats = torch.promote_types(torch.get_default_dtype(), x.dtype)  # double in a double network
    return torch.rand((x.shape[0], *shape), dtype=floats, device=x.device)


def randn(x: Tensor, *, shape: Sequence[int]) -> Tensor:
    """Return normal random numbers, as many rows as x has: (N, *shape)."""
    floats = torch.promote_types(torch.get_default_dtype(), x.dtype)  # double in a double network
    return torch.randn((x.shape[0], *shape), dtype=floats, device=x.device)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Attend from query to key and value; where the mask is false, or by how much is added to the scores."""
    return nn.functional.scaled_dot_product_attention(query, key, value, mask, is_causal=is_causal, scale=scale)


def run_lstm_cell(module: nn.LSTMCell, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Take one step of an LSTM: the new h and c (N, H)."""
    states: tuple[Tensor, Tensor] = module(x, (h, c))
    return states


def run_segmentation(module: nn.Module, x: Tensor) -> Tensor:
    """Return the classes of every pixel, as torchvision's networks for segmentation give them among others."""
    output: Tensor = module(x)["out"]
    return output


def adapt_input_channels(module: nn.Module, *, in_channels: int) -> nn.Module:
    """Give a network a first convolution for images of so many channels, drawn anew."""
    name, old = next((name, part) for name, part in module.named_modules() if isinstance(part, nn.Conv2d))
    if old.in_channels != in_channels:
        settings: dict[str, Any] = {
            name: getattr(old, name) for name in ("out_channels", "kernel_size", "stride", "padding", "dilation")
        }
        new = nn.Conv2d(in_channels, bias=old.bias is not None, **settings)
        owner, _, last = name.rpartition(".")
        setattr(module.get_submodule(owner), last, new)
    return module


class VariationalDropout(nn.Module):
    """Dropout with one mask for a whole sequence (Gal and Ghahramani 2016): x (N, L, F) → the same."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Zero the same features at every step, and scale what is left."""
        mask = torch.ones_like(x[:, :1])
        return x * nn.functional.dropout(mask, self.p, self.training)


class Training(nn.Module):
    """Tells whether the network is training."""

    def forward(self) -> Tensor:
        """Return one bool."""
        return torch.tensor(self.training)
