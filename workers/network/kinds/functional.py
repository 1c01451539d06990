"""Functions and modules that torch lacks, and adapters of those that it has (see `sequences` and `stacks` too).

`model.py` carries the source of those that it uses, so they may import only torch and the standard library.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


def length_mask(x: Tensor, lengths: Tensor) -> Tensor:
    """Return a mask (N, L) of the steps of x (N, L, ...) before the end of their sequence."""
    return torch.arange(x.shape[1], device=x.device) < lengths.to(x.device).unsqueeze(1)


def pool_sequence(x: Tensor, lengths: Tensor | None = None, *, by: str = "mean") -> Tensor:
    """Return the "mean", "sum", "max" or "last" step (N, ...) of x (N, L, ...) before `lengths` (N), each at least 1.

    Without `lengths`, of all steps.
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
    """Return x (N, L, F) plus sines and cosines of the positions (Vaswani et al. 2017)."""
    length, width = x.shape[-2:]
    places = torch.arange(length, device=x.device).unsqueeze(1)
    rates = torch.exp(torch.arange(0, width, 2, device=x.device) * (-9.210340371976184 / width))  # log of 10,000
    waves = torch.stack([torch.sin(places * rates), torch.cos(places * rates)], 2).flatten(1)[:, :width]
    return x + waves.to(x.dtype)


def reshape(x: Tensor, *, shape: Sequence[int]) -> Tensor:
    """Return x in another shape, where 0 keeps the dimension at that index and -1 is inferred."""
    return x.reshape([x.shape[place] if size == 0 else size for place, size in enumerate(shape)])


def windows(x: Tensor, *, dimension: int, size: int, step: int) -> Tensor:
    """Return all windows along a dimension, with their values in a new last dimension."""
    return x.unfold(dimension, size, step)


def einsum(*inputs: Tensor, equation: str) -> Tensor:
    """Return the sum of products that an equation describes."""
    return torch.einsum(equation, *inputs)


def index_select(x: Tensor, index: Tensor, *, dim: int) -> Tensor:
    """Return the slices of a dimension at `index` (K)."""
    return x.index_select(dim, index)


def gather(x: Tensor, index: Tensor, *, dim: int) -> Tensor:
    """Return the items of a dimension at `index`, in the shape of `index`."""
    return x.gather(dim, index)


def scatter_add(x: Tensor, index: Tensor, source: Tensor, *, dim: int) -> Tensor:
    """Return x with the items of `source` added at `index` along a dimension."""
    return x.scatter_add(dim, index, source)


def outer(x: Tensor, y: Tensor) -> Tensor:
    """Return the outer products (..., a, b) of x (..., a) and y (..., b)."""
    return x.unsqueeze(-1) * y.unsqueeze(-2)


def to(x: Tensor, *, dtype: str) -> Tensor:
    """Return x in dtype "float32", "int64" or "bool"."""
    floats = torch.promote_types(torch.get_default_dtype(), x.dtype)  # float64 in a float64 network
    return x.to({"float32": floats, "int64": torch.int64, "bool": torch.bool}[dtype])


def arange(x: Tensor, *, dim: int = 1, dtype: str = "int64") -> Tensor:
    """Return the indices (L) of a dimension of x of size L."""
    floats = torch.promote_types(torch.get_default_dtype(), x.dtype)  # float64 in a float64 network
    types = {"float32": floats, "int64": torch.int64, "bool": torch.bool}
    return torch.arange(x.shape[dim], device=x.device).to(types[dtype])


def full(x: Tensor, *, shape: Sequence[int], value: float = 0.0) -> Tensor:
    """Return a constant (N, *shape), with N and the device of x."""
    floats = torch.promote_types(torch.get_default_dtype(), x.dtype)  # float64 in a float64 network
    return torch.full((x.shape[0], *shape), value, dtype=floats, device=x.device)


def zeros(x: Tensor, *, shape: Sequence[int], dtype: str = "float32") -> Tensor:
    """Return zeros (N, *shape), with N and the device of x."""
    floats = torch.promote_types(torch.get_default_dtype(), x.dtype)  # float64 in a float64 network
    types = {"float32": floats, "int64": torch.int64, "bool": torch.bool}
    return torch.zeros((x.shape[0], *shape), dtype=types[dtype], device=x.device)


def ones(x: Tensor, *, shape: Sequence[int], dtype: str = "float32") -> Tensor:
    """Return ones (N, *shape), with N and the device of x."""
    floats = torch.promote_types(torch.get_default_dtype(), x.dtype)  # float64 in a float64 network
    types = {"float32": floats, "int64": torch.int64, "bool": torch.bool}
    return torch.ones((x.shape[0], *shape), dtype=types[dtype], device=x.device)


def rand(x: Tensor, *, shape: Sequence[int]) -> Tensor:
    """Return uniform random numbers (N, *shape), with N and the device of x."""
    floats = torch.promote_types(torch.get_default_dtype(), x.dtype)  # float64 in a float64 network
    return torch.rand((x.shape[0], *shape), dtype=floats, device=x.device)


def randn(x: Tensor, *, shape: Sequence[int]) -> Tensor:
    """Return normal random numbers (N, *shape), with N and the device of x."""
    floats = torch.promote_types(torch.get_default_dtype(), x.dtype)  # float64 in a float64 network
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
    """Return the attention (N, ..., L, V) of query (N, ..., L, E) to key (N, ..., S, E) and value (N, ..., S, V).

    `mask` is bool, false for masked keys, or float, which is added to the scores.
    """
    return nn.functional.scaled_dot_product_attention(query, key, value, mask, is_causal=is_causal, scale=scale)


def max_unpool(
    module: nn.MaxUnpool1d | nn.MaxUnpool2d | nn.MaxUnpool3d,
    x: Tensor,
    indices: Tensor,
    *,
    output_size: int | Sequence[int] | None = None,
) -> Tensor:
    """Return x (N, C, *) at the places `indices` of zeros (N, C, *output_size), by default what windows cover."""
    sizes = [output_size] * (x.ndim - 2) if isinstance(output_size, int) else output_size
    output: Tensor = module(x, indices, None if sizes is None else list(sizes))
    return output


def connectionist_loss(
    module: nn.CTCLoss, scores: Tensor, targets: Tensor, lengths: Tensor, target_lengths: Tensor
) -> Tensor:
    """Return the loss of log-probabilities (N, T, C) and class numbers (N, S), which end at their lengths (N)."""
    loss: Tensor = module(scores.transpose(0, 1), targets, lengths, target_lengths)
    return loss


def adaptive_log_softmax(
    module: nn.AdaptiveLogSoftmaxWithLoss, x: Tensor, targets: Tensor | None = None, *, return_log_prob: bool = False
) -> Tensor | tuple[Tensor, ...]:
    """Return the log-probabilities of class numbers (N), minus their mean, and on request those of all classes.

    Without class numbers, those of all classes (N, n_classes) alone.
    """
    if targets is None:
        everything: Tensor = module.log_prob(x)
        return everything
    output, loss = module(x, targets)
    return (output, loss, module.log_prob(x)) if return_log_prob else (output, loss)


def set_loss_weights(module: nn.Module, **weights: float | Sequence[float] | None) -> nn.Module:
    """Set the weights of a loss, by name."""
    for name, value in weights.items():
        setattr(module, name, None if value is None else torch.tensor(value))
    return module


def run_segmentation(module: nn.Module, x: Tensor) -> Tensor:
    """Return the logits (N, num_classes, H, W) of a segmentation network of torchvision, which returns a dict."""
    output: Tensor = module(x)["out"]
    return output


def adapt_input_channels(module: nn.Module, *, in_channels: int) -> nn.Module:
    """Replace the first convolution by a randomly initialised one for `in_channels` channels."""
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
        """Return x with the same features of all steps zeroed, and the others scaled."""
        mask = torch.ones_like(x[:, :1])
        return x * nn.functional.dropout(mask, self.p, self.training)


class Training(nn.Module):
    """The mode of the network: training or evaluation."""

    def forward(self) -> Tensor:
        """Return a bool scalar, true in training."""
        return torch.tensor(self.training)
