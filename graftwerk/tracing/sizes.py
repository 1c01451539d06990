"""What is known of shapes without any data: which dimensions are the same, and which are fixed numbers.

A size is a number, or a token that stands for one; equal tokens are equal sizes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graftwerk.tracing.unsupported import Refusal

Extent = Any  # an int, or a token
Rule = Callable[[int], Extent | None]


@dataclass(frozen=True)
class Size:
    """A size that the user's code asked for, or computed from others."""

    token: Extent


@dataclass(frozen=True)
class Shape:
    """All sizes of a tensor."""

    ref: str


@dataclass
class Sizes:
    """The shapes of all nodes, as far as they are known."""

    ranks: dict[str, int] = field(default_factory=dict)
    least: dict[str, int] = field(default_factory=dict)  # dimensions that there are, and perhaps more
    rules: dict[str, Rule] = field(default_factory=dict)
    leaves: set[str] = field(default_factory=set)  # parameters and constants, which broadcast

    def at(self, ref: str, place: int) -> Extent:
        """Return the size of a dimension."""
        rank = self.ranks.get(ref)
        if rank is not None and place < 0:
            place += rank
        rule = self.rules.get(ref)
        found = rule(place) if rule is not None else None
        return (ref, place) if found is None else found

    def fixed(self, ref: str, shape: Sequence[int]) -> None:
        """Note the shape of a parameter or a constant."""
        self.ranks[ref], self.rules[ref] = len(shape), lambda place: shape[place]
        self.leaves.add(ref)

    def at_least(self, ref: str, count: int) -> None:
        """Note that a tensor has so many dimensions, or more."""
        self.least[ref] = max(count, self.least.get(ref, 0))

    def like(self, ref: str, source: str, more: int = 0) -> int | None:
        """Note that a tensor has as many dimensions as another, or `more`; returns how many, if that is known."""
        self.least[ref] = self.least.get(source, -more) + more
        if source in self.ranks:
            self.ranks[ref] = self.ranks[source] + more
        return self.ranks.get(ref)

    def inner(self, ref: str, place: int) -> bool:
        """Say whether a place is surely not the last dimension."""
        rank = self.ranks.get(ref)
        return place < (self.least.get(ref, 1) if rank is None else rank) - 1

    def note(self, ref: str, kind: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
        """Note what is known of a node's output."""
        rule = RULES.get(kind, _batch if kind in BATCHED or kind[0].isupper() else None)
        if rule is not None and inputs:
            rule(self, ref, inputs, parameters)

    def reshaped(self, ref: str, wanted: Sequence[Any]) -> list[int]:
        """Return the language's shape, where 0 keeps a dimension and one -1 is what is left. Raises `Refusal`."""
        sizes = [item.token if isinstance(item, Size) else item for item in wanted]
        if not all(isinstance(size, int) or isinstance(item, Size) for size, item in zip(sizes, wanted, strict=True)):
            raise Refusal("the new shape is made of something that is no size", "use numbers, or sizes of this tensor")
        known = [size if isinstance(size, int) else 0 if self.at(ref, place) == size else None
                 for place, size in enumerate(sizes)]  # fmt: skip
        unknown = [place for place, size in enumerate(known) if size is None]
        if len(unknown) + known.count(-1) > 1:
            places = ", ".join(map(str, unknown))
            raise Refusal(f"the new sizes at {places} are computed from the data's sizes",
                          "write all but one of them as numbers, or keep dimensions in their places")  # fmt: skip
        return [-1 if size is None else size for size in known]


def _same(sizes: Sizes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    source = next((each for each in inputs if each not in sizes.leaves), inputs[0])
    others = [each for each in inputs if each != source and each not in sizes.leaves]
    if all(sizes.ranks.get(each) == sizes.ranks.get(source) for each in others):
        sizes.like(ref, source)

    def rule(place: int) -> Extent | None:
        found = sizes.at(source, place)
        return found if place == 0 or all(sizes.at(each, place) in (found, 1) for each in others) else None

    sizes.rules[ref] = rule


def _batch(sizes: Sizes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    sizes.rules[ref] = lambda place: sizes.at(inputs[0], 0) if place == 0 else None


def _last(sizes: Sizes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    """All dimensions but the last stay: what a Linear does."""
    rank = sizes.like(ref, inputs[0])

    def rule(place: int) -> Extent | None:
        if place == (-1 if rank is None else rank - 1):
            found: int = parameters["out_features"]
            return found
        return sizes.at(inputs[0], place) if place <= 0 or sizes.inner(ref, place) else None

    sizes.rules[ref] = rule


def _looked_up(sizes: Sizes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    rank = sizes.like(ref, inputs[0], 1)
    width = parameters["embedding_dim"]
    last = -1 if rank is None else rank - 1
    sizes.rules[ref] = lambda place: width if place == last else sizes.at(inputs[0], place) if place >= 0 else None


def _sequence(sizes: Sizes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    if parameters.get("returns", "sequence") != "sequence":
        return _batch(sizes, ref, inputs, parameters)
    sizes.ranks[ref] = 3
    sizes.rules[ref] = lambda place: sizes.at(inputs[0], place) if place < 2 else None
    return None


def _reshaped(sizes: Sizes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    shape = parameters["shape"]
    sizes.ranks[ref] = len(shape)
    tokens = parameters.get("tokens", shape)

    def rule(place: int) -> Extent | None:
        token = tokens[place]
        return None if token == -1 else sizes.at(inputs[0], place) if token == 0 else token

    sizes.rules[ref] = rule


def _moved(sizes: Sizes, ref: str, inputs: Sequence[str], order: Callable[[int], int]) -> None:
    sizes.like(ref, inputs[0])
    sizes.rules[ref] = lambda place: sizes.at(inputs[0], order(place)) if place >= 0 else None


def _transposed(sizes: Sizes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    rank, first, second = sizes.ranks.get(inputs[0]), parameters["dim0"], parameters["dim1"]
    if rank is not None:
        first, second = first % rank, second % rank
    elif min(first, second) < 0:  # counted from the end, which is not known
        return
    swap = {first: second, second: first}
    _moved(sizes, ref, inputs, lambda place: swap.get(place, place))


def _permuted(sizes: Sizes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    dims = parameters["dims"]
    sizes.ranks[inputs[0]] = len(dims)
    _moved(sizes, ref, inputs, lambda place: dims[place])


def _product(sizes: Sizes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    ranks = [sizes.ranks.get(each) for each in inputs]
    if None in ranks or ranks[0] != ranks[1] or (rank := ranks[0]) is None or rank < 2:
        return _batch(sizes, ref, inputs, parameters) if inputs[0] not in sizes.leaves else None
    sizes.ranks[ref] = rank
    sizes.rules[ref] = lambda place: sizes.at(inputs[place == rank - 1], place)
    return None


def _flat(sizes: Sizes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    start = parameters.get("start_dim", 1)
    sizes.rules[ref] = lambda place: sizes.at(inputs[0], place) if 0 <= place < start else None


def _reduced(sizes: Sizes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    dims = parameters.get("dim")
    gone = {dims} if isinstance(dims, int) else set(dims or ())
    if gone and min(gone) > 0:
        sizes.rules[ref] = lambda place: sizes.at(inputs[0], place) if 0 <= place < min(gone) else None


def _narrowed(sizes: Sizes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    rank, dim = sizes.like(ref, inputs[0]), parameters["dim"]
    if rank is not None or dim >= 0:
        place_of = dim % rank if rank is not None else dim
        sizes.rules[ref] = lambda place: parameters["length"] if place == place_of else (
            sizes.at(inputs[0], place) if place >= 0 else None)  # fmt: skip


def _selected(sizes: Sizes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    rank, dim = sizes.like(ref, inputs[0], -1), parameters["dim"]
    if rank is not None or dim >= 0:
        gone = dim % (rank + 1) if rank is not None else dim
        sizes.rules[ref] = lambda place: sizes.at(inputs[0], place + (place >= gone)) if place >= 0 else None


def _unsqueezed(sizes: Sizes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    rank, dim = sizes.like(ref, inputs[0], 1), parameters["dim"]
    if rank is not None or dim >= 0:
        new = dim % rank if rank is not None else dim
        sizes.rules[ref] = lambda place: 1 if place == new else (
            sizes.at(inputs[0], place - (place > new)) if place >= 0 else None)  # fmt: skip


def _joined(sizes: Sizes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    dim = parameters.get("dim", 1)
    rank = sizes.like(ref, inputs[0])
    if rank is not None:
        dim %= rank
    if dim > 0:
        sizes.rules[ref] = lambda place: sizes.at(inputs[0], place) if 0 <= place != dim else None


# Kinds of modules whose output begins with the examples have `_batch`, and so have these operations.
BATCHED = frozenset({"softmax"})
SAME = """
    Identity BatchNorm1d BatchNorm2d BatchNorm3d InstanceNorm1d InstanceNorm2d InstanceNorm3d LayerNorm RMSNorm
    GroupNorm LocalResponseNorm Dropout Dropout1d Dropout2d Dropout3d AlphaDropout ReLU ReLU6 LeakyReLU PReLU ELU SELU
    CELU GELU SiLU Mish Sigmoid Tanh Softplus Softsign Softmax Softmin LogSoftmax LogSigmoid Hardtanh Hardsigmoid
    Hardswish Tanhshrink Softshrink Hardshrink Threshold MultiheadAttention TransformerEncoderLayer
    add sub mul div pow maximum minimum gt ge lt le eq ne logical_and logical_or logical_not where neg abs exp log sqrt
    square sin cos sigmoid tanh relu clamp softmax log_softmax stop_gradient masked_fill normalize cumsum cumprod
    rsqrt reciprocal erf log1p expm1 to scaled_dot_product_attention tril triu zeros_like ones_like
"""
RULES: Mapping[str, Callable[[Sizes, str, Sequence[str], Mapping[str, Any]], None]] = {
    **dict.fromkeys(SAME.split(), _same),
    **dict.fromkeys(("mean", "sum", "amax", "amin", "any", "all"), _reduced),
    **dict.fromkeys(("RNN", "GRU", "LSTM"), _sequence),
    "Linear": _last,
    "Embedding": _looked_up,
    "reshape": _reshaped,
    "transpose": _transposed,
    "permute": _permuted,
    "matmul": _product,
    "flatten": _flat,
    "Flatten": _flat,
    "cat": _joined,
    "narrow": _narrowed,
    "select": _selected,
    "unsqueeze": _unsqueezed,
}
