"""Operations that are more than one row of a table: sizes, views, parts of tensors, pairs of results."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graftwerk.tracing.calls import references
from graftwerk.tracing.sizes import Shape, Size
from graftwerk.tracing.unsupported import Refusal
from graftwerk.tracing.values import Parts, Tensor, item, part, shape_item, slices, stretches
from graftwerk.tracing.writer import Writer

FIXED = "only sizes can be asked of a tensor here"


@dataclass(frozen=True)
class Asked:
    """A call: the first operand is the tensor that it is made of."""

    writer: Writer
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def tensor(self) -> str:
        """Return the first operand. Raises `Refusal`."""
        return references([self.args[0] if self.args else self.kwargs.get("input")])[0]

    def value(self, place: int, name: str, default: Any = None) -> Any:
        """Return an argument by its place or its name."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name, default)

    def add(self, kind: str, inputs: list[str], **parameters: Any) -> Tensor:
        """Write a node."""
        return Tensor(self.writer.add(kind, inputs, parameters))


def attribute(asked: Asked) -> Any:
    """Return what ``getattr`` gives."""
    owner, name = asked.args[0], asked.args[1]
    if isinstance(owner, Parts):
        if name in owner.names:
            return owner.take(owner.names.index(name))
        raise Refusal(f"there is no {name} here")
    ref = asked.tensor()
    if name == "shape":
        return Shape(ref)
    if name == "T" and asked.writer.sizes.ranks.get(ref, 2) == 2:
        return asked.add("transpose", [ref], dim0=0, dim1=1)
    if name == "mT":
        return asked.add("transpose", [ref], dim0=-2, dim1=-1)
    raise Refusal(f"{name} is not known before there is data", FIXED)


def taken(asked: Asked) -> Any:
    """Return what ``value[index]`` gives."""
    value, index = asked.args
    if isinstance(value, Parts):
        return part(value, index)
    if isinstance(value, Shape):
        return shape_item(asked.writer, value, index)
    if isinstance(value, Tensor):
        return item(asked.writer, value, index)
    return value[index]


def _size(asked: Asked) -> Any:
    dim = asked.value(1, "dim")
    shape = Shape(asked.tensor())
    return shape if dim is None else shape_item(asked.writer, shape, dim)


def _view(asked: Asked) -> Tensor:
    rest = asked.args[1:] or (asked.kwargs.get("shape", asked.kwargs.get("size")),)
    wanted = rest[0] if len(rest) == 1 and isinstance(rest[0], tuple | list | Shape) else rest
    if isinstance(wanted, Shape) or any(isinstance(each, Shape) for each in wanted):
        raise Refusal("the shape of another tensor is not known", "write its sizes one by one")
    ref, writer = asked.tensor(), asked.writer
    shape = writer.sizes.reshaped(ref, wanted)
    tokens = [each.token if isinstance(each, Size) and size == -1 else size
              for each, size in zip(wanted, shape, strict=True)]  # fmt: skip
    return Tensor(writer.add("reshape", [ref], {"shape": shape}, known={"tokens": tokens}))


def _squeeze(asked: Asked) -> Any:
    dim = asked.value(1, "dim")
    if isinstance(asked.args[0], Parts) and "squeeze" in asked.args[0].names and dim in (0, None):
        return asked.args[0].take(-1)
    if dim is None:
        raise Refusal("which dimensions have size one is not known", "name the dimension")
    return asked.add("squeeze", [asked.tensor()], dim=dim)


def _extreme(kind: str, several: str) -> Callable[[Asked], Any]:
    def written(asked: Asked) -> Any:
        other = asked.value(1, "other", asked.kwargs.get("dim"))
        if isinstance(other, Tensor):
            return asked.add(several, [asked.tensor(), other.ref])
        if other is None:
            return asked.add(kind, [asked.tensor()])
        keep = {"keepdim": True} if asked.value(2, "keepdim", False) else {}

        def take(index: int) -> Tensor:
            if index != 0:
                raise Refusal("the places of the largest and smallest values are not given", "use the values")
            return asked.add(kind, [asked.tensor()], dim=other, **keep)

        return Parts(take, ("values", "indices"))

    return written


def _split(asked: Asked) -> Parts:
    sizes = asked.value(1, "split_size_or_sections", asked.kwargs.get("split_size"))
    if not isinstance(sizes, int) and not (isinstance(sizes, tuple | list) and all(isinstance(s, int) for s in sizes)):
        raise Refusal("the sizes of the parts come from the data", "use numbers")
    return stretches(asked.writer, Tensor(asked.tensor()), sizes, asked.value(2, "dim", 0))


def _unbind(asked: Asked) -> Parts:
    return slices(asked.writer, Tensor(asked.tensor()), asked.value(1, "dim", 0))


def _linear(asked: Asked) -> Tensor:
    weight, bias = asked.value(1, "weight"), asked.value(2, "bias")
    turned = asked.add("transpose", references([weight]), dim0=0, dim1=1)
    product = asked.add("matmul", [asked.tensor(), turned.ref])
    return product if bias is None else asked.add("add", [product.ref, *references([bias])])


def _where(asked: Asked) -> Tensor:
    given = [asked.args[0], asked.value(1, "input"), asked.value(2, "other")]
    return asked.add("where", [_ref(asked.writer, each) for each in given])


def _einsum(asked: Asked) -> Tensor:
    if not isinstance(asked.args[0], str):
        raise Refusal("einsum is told what to do by a string", "write it as one equation")
    rest = asked.args[1:]
    operands = list(rest[0]) if len(rest) == 1 and isinstance(rest[0], tuple | list) else list(rest)
    return asked.add("einsum", references(operands), equation=asked.args[0])


def _ref(writer: Writer, value: Any) -> str:
    if isinstance(value, int | float):
        return writer.constant(float(value))
    return references([value])[0]


def _transposed(asked: Asked) -> Tensor:
    return asked.add("transpose", [asked.tensor()], dim0=0, dim1=1)


def _converted(dtype: str) -> Callable[[Asked], Tensor]:
    return lambda asked: asked.add("to", [asked.tensor()], dtype=dtype)


# Methods that convert → the language's name of what they convert to.
DTYPES: Mapping[str, str] = {"float": "float32", "double": "float64", "long": "int64", "int": "int32", "bool": "bool"}

# Names of methods, and of functions of torch or torch.nn.functional.
SPECIAL: Mapping[str, Callable[[Asked], Any]] = {
    "size": _size,
    "view": _view,
    "reshape": _view,
    "squeeze": _squeeze,
    "max": _extreme("amax", "maximum"),
    "min": _extreme("amin", "minimum"),
    "split": _split,
    "unbind": _unbind,
    "linear": _linear,
    "where": _where,
    "einsum": _einsum,
    "t": _transposed,
    **{method: _converted(dtype) for method, dtype in DTYPES.items()},
}
