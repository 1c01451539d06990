"""One call of a function or method, as handlers read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graftwerk.tracing.functions.indexing import finite
from graftwerk.tracing.graph_writer import GraphWriter
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import Shape, TensorRef, shape_of, tensor_refs


@dataclass(frozen=True)
class OperatorCall:
    """A call of a function, or of a method with its tensor as the first argument. `results`: its values on examples."""

    writer: GraphWriter
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    results: tuple[Any, ...] = ()

    @property
    def operand(self) -> TensorRef:
        """The first operand. Raises `UnsupportedOperation` if it is not a tensor."""
        value = self.args[0] if self.args else self.kwargs.get("input")
        if not isinstance(value, TensorRef):
            raise UnsupportedOperation("an operand is not a single tensor", "take one of its items")
        return value

    @property
    def shape(self) -> Shape:
        """The first operand's sizes."""
        return self.operand.shape

    @property
    def result_dtype(self) -> str:
        """The dtype's name of the result."""
        return str(self.results[0].dtype).removeprefix("torch.") if self.results else ""

    @property
    def result_shape(self) -> Shape:
        """The sizes of the result."""
        return shape_of(self.results)

    def tensor(self) -> str:
        """Return the first operand's reference. Raises `UnsupportedOperation`."""
        return self.operand.ref

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument by position or name."""
        return self.args[position] if len(self.args) > position else self.kwargs.get(name, default)

    def add(self, kind: str, inputs: list[str], **parameters: Any) -> TensorRef:
        """Write a node."""
        return TensorRef(self.writer.add(kind, inputs, parameters))

    def number_or_ref(self, value: Any) -> str:
        """Return the reference of a tensor, or of a constant for a number."""
        if isinstance(value, int | float):
            return self.writer.constant(float(finite(value)))
        return tensor_refs([value])[0]
