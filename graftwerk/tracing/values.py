"""Values of traced operations: tensors that are nodes, sizes that differ between inputs, and tuples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graftwerk.tracing.recording.symbolic_trace import Dependence
from graftwerk.tracing.unsupported import UnsupportedOperation


@dataclass(frozen=True)
class VaryingSize:
    """A size that differs between inputs, by its values on the examples. Equal values are equal sizes."""

    values: tuple[int, ...]


Size = int | VaryingSize
Shape = tuple[Size, ...]


class TensorRef:
    """A tensor: a node's id, or the name of an input. `write` writes the node when the tensor is first used.

    `samples` are its values on the examples, if known.
    """

    def __init__(
        self, ref: str | Callable[[], str], samples: Sequence[Any] = (), dependence: Dependence = Dependence.DATA
    ) -> None:
        self._ref, self.samples, self.dependence = ref, tuple(samples), dependence

    @property
    def ref(self) -> str:
        """The reference. Raises `UnsupportedOperation` if the node cannot be written."""
        if not isinstance(self._ref, str):
            self._ref = self._ref()
        return self._ref

    @property
    def is_written(self) -> bool:
        """Whether the node stands in the network."""
        return isinstance(self._ref, str)

    @property
    def shape(self) -> Shape:
        """The sizes. Raises `UnsupportedOperation` if they are not known."""
        if not self.samples:
            raise UnsupportedOperation("the sizes of this tensor are not known", "take them from an input")
        return shape_of(self.samples)

    @property
    def dtype(self) -> str:
        """The dtype's name in torch; empty if it is not known."""
        return str(self.samples[0].dtype).removeprefix("torch.") if self.samples else ""

    @property
    def is_zero(self) -> bool:
        """Whether every element is zero, whatever the inputs."""
        known = bool(self.samples) and self.dependence is not Dependence.DATA
        return known and not any(bool(each.any()) for each in self.samples)


@dataclass(frozen=True)
class TupleValue:
    """A tuple of values; an item's nodes are written when it is used. `tensor` stacks them, if they are states."""

    get_item: Callable[[int], Any]
    names: tuple[str, ...] = ()  # attributes of a named tuple
    tensor: Callable[[], TensorRef] | None = None


@dataclass(frozen=True)
class PackedValue:
    """Sequences with their lengths, as `pack_padded_sequence` returns them. `is_time_first`: (L, N, *)."""

    sequence: TensorRef
    lengths: TensorRef
    is_time_first: bool


@dataclass(frozen=True)
class UnsupportedValue:
    """The result of an operation that cannot be expressed."""


def shape_of(samples: Sequence[Any]) -> Shape:
    """Return the sizes of tensors of one rank: numbers where they agree."""
    return tuple(common_size(sizes) for sizes in zip(*(each.shape for each in samples), strict=True))


def common_size(sizes: Sequence[int]) -> Size:
    """Return the number if all are equal, else a size that differs."""
    return int(sizes[0]) if len(set(sizes)) == 1 else VaryingSize(tuple(map(int, sizes)))


def tuple_item(parts: TupleValue, index: Any) -> Any:
    """Return an item of a tuple. Raises `UnsupportedOperation`."""
    if not isinstance(index, int):
        raise UnsupportedOperation("only single items can be taken here", "take them one by one")
    return parts.get_item(index)


def tensor_refs(values: Sequence[Any]) -> list[str]:
    """Return the references of tensors. Raises `UnsupportedOperation` if a value is not a tensor."""
    for value in values:
        if not isinstance(value, TensorRef):
            what = "a size that differs between inputs" if isinstance(value, VaryingSize) else "not a single tensor"
            raise UnsupportedOperation(f"an operand is {what}", "take one of its items, or give examples to trace")
    return [value.ref for value in values]
