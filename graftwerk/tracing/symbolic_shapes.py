"""Symbolic shape inference: which dimensions are equal, and which are fixed numbers.

A size is a number, or a token for an unknown one; equal tokens are equal sizes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graftwerk.tracing.unsupported import UnsupportedOperation

Dim = Any  # an int, or a token
DimRule = Callable[[int], Dim | None]


@dataclass(frozen=True)
class SymbolicSize:
    """A size that user code has read, or computed from others."""

    token: Dim


@dataclass(frozen=True)
class SymbolicShape:
    """All sizes of a tensor."""

    ref: str


@dataclass
class SymbolicShapes:
    """The shapes of all nodes, as far as they are known."""

    ranks: dict[str, int] = field(default_factory=dict)
    min_ranks: dict[str, int] = field(default_factory=dict)  # lower bounds
    rules: dict[str, DimRule] = field(default_factory=dict)
    leaves: set[str] = field(default_factory=set)  # parameters and constants, which broadcast

    def size(self, ref: str, dim: int) -> Dim:
        """Return the size of a dimension."""
        rank = self.ranks.get(ref)
        if rank is not None and dim < 0:
            dim += rank
        rule = self.rules.get(ref)
        size = rule(dim) if rule is not None else None
        return (ref, dim) if size is None else size

    def set_shape(self, ref: str, shape: Sequence[int]) -> None:
        """Set the shape of a parameter or a constant."""
        self.ranks[ref], self.rules[ref] = len(shape), lambda place: shape[place]
        self.leaves.add(ref)

    def set_min_rank(self, ref: str, count: int) -> None:
        """Set a lower bound of the number of dimensions."""
        self.min_ranks[ref] = max(count, self.min_ranks.get(ref, 0))

    def copy_rank(self, ref: str, source: str, more: int = 0) -> int | None:
        """Set the rank of `ref` to that of `source` plus `more`; return it, if known."""
        self.min_ranks[ref] = self.min_ranks.get(source, -more) + more
        if source in self.ranks:
            self.ranks[ref] = self.ranks[source] + more
        return self.ranks.get(ref)

    def is_not_last(self, ref: str, dim: int) -> bool:
        """Return whether a dimension is certainly not the last."""
        rank = self.ranks.get(ref)
        return dim < (self.min_ranks.get(ref, 1) if rank is None else rank) - 1

    def infer(self, ref: str, kind: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
        """Apply the shape rule of a node's kind."""
        rule = SHAPE_RULES.get(kind, _batch_only if kind in BATCH_PRESERVING or kind[0].isupper() else None)
        if rule is not None and inputs:
            rule(self, ref, inputs, parameters)

    def resolve_shape(self, ref: str, shape: Sequence[Any]) -> list[int]:
        """Return a reshape target: 0 keeps a dimension, one -1 is inferred. Raises `UnsupportedOperation`."""
        sizes = [item.token if isinstance(item, SymbolicSize) else item for item in shape]
        if not all(
            isinstance(size, int) or isinstance(item, SymbolicSize) for size, item in zip(sizes, shape, strict=True)
        ):
            raise UnsupportedOperation(
                "the new shape contains something that is not a size", "use numbers, or sizes of this tensor"
            )
        known = [
            size if isinstance(size, int) else 0 if self.size(ref, dim) == size else None
            for dim, size in enumerate(sizes)
        ]
        unknown = [dim for dim, size in enumerate(known) if size is None]
        if len(unknown) + known.count(-1) > 1:
            dims = ", ".join(map(str, unknown))
            raise UnsupportedOperation(
                f"the new sizes of dimensions {dims} are computed from the data's sizes",
                "write all but one as numbers, or keep the dimensions where they are",
            )
        return [-1 if size is None else size for size in known]


def _elementwise(sizes: SymbolicShapes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    source = next((each for each in inputs if each not in sizes.leaves), inputs[0])
    others = [each for each in inputs if each != source and each not in sizes.leaves]
    if all(sizes.ranks.get(each) == sizes.ranks.get(source) for each in others):
        sizes.copy_rank(ref, source)

    def rule(place: int) -> Dim | None:
        found = sizes.size(source, place)
        return found if place == 0 or all(sizes.size(each, place) in (found, 1) for each in others) else None

    sizes.rules[ref] = rule


def _batch_only(sizes: SymbolicShapes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    sizes.rules[ref] = lambda place: sizes.size(inputs[0], 0) if place == 0 else None


def _linear(sizes: SymbolicShapes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    """A Linear keeps all dimensions but the last."""
    rank = sizes.copy_rank(ref, inputs[0])

    def rule(place: int) -> Dim | None:
        if place == (-1 if rank is None else rank - 1):
            found: int = parameters["out_features"]
            return found
        return sizes.size(inputs[0], place) if place <= 0 or sizes.is_not_last(ref, place) else None

    sizes.rules[ref] = rule


def _embedding(sizes: SymbolicShapes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    rank = sizes.copy_rank(ref, inputs[0], 1)
    width = parameters["embedding_dim"]
    last = -1 if rank is None else rank - 1
    sizes.rules[ref] = lambda place: width if place == last else sizes.size(inputs[0], place) if place >= 0 else None


def _recurrent(sizes: SymbolicShapes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    if parameters.get("returns", "sequence") != "sequence":
        return _batch_only(sizes, ref, inputs, parameters)
    sizes.ranks[ref] = 3
    sizes.rules[ref] = lambda place: sizes.size(inputs[0], place) if place < 2 else None
    return None


def _reshape(sizes: SymbolicShapes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    shape = parameters["shape"]
    sizes.ranks[ref] = len(shape)
    tokens = parameters.get("tokens", shape)

    def rule(place: int) -> Dim | None:
        token = tokens[place]
        return None if token == -1 else sizes.size(inputs[0], place) if token == 0 else token

    sizes.rules[ref] = rule


def _permute_dims(sizes: SymbolicShapes, ref: str, inputs: Sequence[str], order: Callable[[int], int]) -> None:
    sizes.copy_rank(ref, inputs[0])
    sizes.rules[ref] = lambda place: sizes.size(inputs[0], order(place)) if place >= 0 else None


def _transpose(sizes: SymbolicShapes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    rank, first, second = sizes.ranks.get(inputs[0]), parameters["dim0"], parameters["dim1"]
    if rank is not None:
        first, second = first % rank, second % rank
    elif min(first, second) < 0:  # counted from an unknown end
        return
    swap = {first: second, second: first}
    _permute_dims(sizes, ref, inputs, lambda place: swap.get(place, place))


def _permute(sizes: SymbolicShapes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    dims = parameters["dims"]
    sizes.ranks[inputs[0]] = len(dims)
    _permute_dims(sizes, ref, inputs, lambda place: dims[place])


def _matmul(sizes: SymbolicShapes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    ranks = [sizes.ranks.get(each) for each in inputs]
    if None in ranks or ranks[0] != ranks[1] or (rank := ranks[0]) is None or rank < 2:
        return _batch_only(sizes, ref, inputs, parameters) if inputs[0] not in sizes.leaves else None
    sizes.ranks[ref] = rank
    sizes.rules[ref] = lambda place: sizes.size(inputs[place == rank - 1], place)
    return None


def _flatten(sizes: SymbolicShapes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    start = parameters.get("start_dim", 1)
    sizes.rules[ref] = lambda place: sizes.size(inputs[0], place) if 0 <= place < start else None


def _reduce(sizes: SymbolicShapes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    dims = parameters.get("dim")
    gone = {dims} if isinstance(dims, int) else set(dims or ())
    if gone and min(gone) > 0:
        sizes.rules[ref] = lambda place: sizes.size(inputs[0], place) if 0 <= place < min(gone) else None


def _narrow(sizes: SymbolicShapes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    rank, dim = sizes.copy_rank(ref, inputs[0]), parameters["dim"]
    if rank is not None or dim >= 0:
        place_of = dim % rank if rank is not None else dim
        sizes.rules[ref] = lambda place: (
            parameters["length"] if place == place_of else (sizes.size(inputs[0], place) if place >= 0 else None)
        )


def _select(sizes: SymbolicShapes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    rank, dim = sizes.copy_rank(ref, inputs[0], -1), parameters["dim"]
    if rank is not None or dim >= 0:
        gone = dim % (rank + 1) if rank is not None else dim
        sizes.rules[ref] = lambda place: sizes.size(inputs[0], place + (place >= gone)) if place >= 0 else None


def _unsqueeze(sizes: SymbolicShapes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    rank, dim = sizes.copy_rank(ref, inputs[0], 1), parameters["dim"]
    if rank is not None or dim >= 0:
        new = dim % rank if rank is not None else dim
        sizes.rules[ref] = lambda place: (
            1 if place == new else (sizes.size(inputs[0], place - (place > new)) if place >= 0 else None)
        )


def _cat(sizes: SymbolicShapes, ref: str, inputs: Sequence[str], parameters: Mapping[str, Any]) -> None:
    dim = parameters.get("dim", 1)
    rank = sizes.copy_rank(ref, inputs[0])
    if rank is not None:
        dim %= rank
    if dim > 0:
        sizes.rules[ref] = lambda place: sizes.size(inputs[0], place) if 0 <= place != dim else None


# `_batch_only` applies to all kinds of modules without a rule, and to these operations.
BATCH_PRESERVING = frozenset({"softmax"})
SHAPE_PRESERVING = """
    Identity BatchNorm1d BatchNorm2d BatchNorm3d InstanceNorm1d InstanceNorm2d InstanceNorm3d LayerNorm RMSNorm
    GroupNorm LocalResponseNorm Dropout Dropout1d Dropout2d Dropout3d AlphaDropout ReLU ReLU6 LeakyReLU PReLU ELU SELU
    CELU GELU SiLU Mish Sigmoid Tanh Softplus Softsign Softmax Softmin LogSoftmax LogSigmoid Hardtanh Hardsigmoid
    Hardswish Tanhshrink Softshrink Hardshrink Threshold MultiheadAttention TransformerEncoderLayer
    add sub mul div pow maximum minimum gt ge lt le eq ne logical_and logical_or logical_not where neg abs exp log sqrt
    square sin cos sigmoid tanh relu clamp softmax log_softmax stop_gradient masked_fill normalize cumsum cumprod
    rsqrt reciprocal erf log1p expm1 to scaled_dot_product_attention tril triu zeros_like ones_like
"""
SHAPE_RULES: Mapping[str, Callable[[SymbolicShapes, str, Sequence[str], Mapping[str, Any]], None]] = {
    **dict.fromkeys(SHAPE_PRESERVING.split(), _elementwise),
    **dict.fromkeys(("mean", "sum", "amax", "amin", "any", "all"), _reduce),
    **dict.fromkeys(("RNN", "GRU", "LSTM"), _recurrent),
    "Linear": _linear,
    "Embedding": _embedding,
    "reshape": _reshape,
    "transpose": _transpose,
    "permute": _permute,
    "matmul": _matmul,
    "flatten": _flatten,
    "Flatten": _flatten,
    "cat": _cat,
    "narrow": _narrow,
    "select": _select,
    "unsqueeze": _unsqueeze,
}
