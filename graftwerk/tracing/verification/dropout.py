"""Runs without dropout, for networks whose tensors are laid out otherwise in memory than the module's.

Torch draws a mask in the order of memory, so the same seed gives another mask there. Both are then compared without
dropout, and so are the rates and sizes of what each would have dropped.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

Tensor = Any  # torch.Tensor
Drop = tuple[str, float, int]  # function, rate, number of values
ATTENTION = "scaled_dot_product_attention"
NAMES = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")


@contextmanager
def without_dropout(modules: Iterable[Any]) -> Iterator[list[Drop]]:
    """Let dropout return its input; yield the list of what would have been dropped."""
    functional, rnn = import_module("torch.nn.functional"), import_module("torch.nn").RNNBase
    drops: list[Drop] = []
    before = {name: getattr(functional, name) for name in (*NAMES, ATTENTION)}
    recurrent = [(module, module.dropout) for module in modules if isinstance(module, rnn)]
    try:
        for name in NAMES:
            setattr(functional, name, _identity(name, drops))
        setattr(functional, ATTENTION, _attention(before[ATTENTION], drops))
        for module, rate in recurrent:
            module.dropout = 0.0
            drops += [("rnn", rate, module.num_layers)] if rate else []
        yield drops
    finally:
        for name, function in before.items():
            setattr(functional, name, function)
        for module, rate in recurrent:
            module.dropout = rate


def _identity(name: str, drops: list[Drop]) -> Callable[..., Tensor]:
    def call(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if training and p:
            drops.append((name, float(p), input.numel()))
        return input

    return call


def _attention(original: Callable[..., Tensor], drops: list[Drop]) -> Callable[..., Tensor]:
    def call(
        query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0, *rest: Any,
        **options: Any,
    ) -> Tensor:  # fmt: skip
        if dropout_p:
            drops.append(("dropout", float(dropout_p), query.shape[:-1].numel() * key.shape[-2]))
        return original(query, key, value, attn_mask, 0.0, *rest, **options)

    return call
