"""Proxies that know their sizes: a number where it is always the same, a recorded operation where it differs."""

import builtins
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, get_args

from graftwerk.tracing.recording.symbolic_trace import FxNode, SymbolicTrace

IN_PLACE_OPERATORS = (
    "iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "imatmul", "iand", "ior", "ixor",
)  # fmt: skip


class Sizes(tuple[Any, ...]):
    """The sizes of a traced tensor, as a `torch.Size`."""

    def numel(self) -> Any:
        """Return the number of elements."""
        count: Any = 1
        for size in self:
            count = count * size
        return count


class _ProxyMethods:
    """What a proxy does otherwise than `torch.fx.Proxy`."""

    recording: SymbolicTrace
    node: FxNode
    tracer: Any

    _is_param = _is_buffer = False  # isinstance reads them
    is_nested = is_sparse = is_quantized = is_meta = False

    def __iter__(self) -> Any:
        return self.tracer.iter(self)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.tracer.create_proxy("call_function", operator.setitem, (self, index, value), {})

    def _tensor(self) -> Any:
        tensors = self.recording.tensors(self.node)
        if not tensors:
            raise AttributeError("not a tensor")
        return tensors[0]

    def _size(self, dim: int) -> Any:
        found = [tensor.shape[dim] for tensor in self.recording.tensors(self.node)]
        dim %= self._tensor().dim()
        if len(set(found)) == 1:
            self.recording.reads_rank |= dim not in (0, -1)  # the number is that of another dimension in another rank
            return found[0]
        if dim not in self.recording.sizes.setdefault(self.node, {}):
            self.recording.sizes[self.node][dim] = self.tracer.create_proxy("call_method", "size", (self, dim), {})
        return self.recording.sizes[self.node][dim]

    @property
    def shape(self) -> Sizes:
        self.recording.reads_rank = True
        return Sizes(self._size(dim) for dim in range(self._tensor().dim()))

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self._size(dim)

    @property
    def ndim(self) -> int:
        self.recording.reads_rank = True
        return int(self._tensor().dim())

    def dim(self) -> int:
        return self.ndim

    def numel(self) -> Any:
        return self.shape.numel()

    @property
    def dtype(self) -> Any:
        return self._tensor().dtype

    @property
    def device(self) -> Any:
        return self._tensor().device

    @property
    def is_cuda(self) -> bool:
        return bool(self._tensor().is_cuda)

    @property
    def requires_grad(self) -> bool:
        return bool(self._tensor().requires_grad)

    def is_floating_point(self) -> bool:
        return bool(self._tensor().is_floating_point())

    def get_device(self) -> int:
        return int(self._tensor().get_device())

    def __len__(self) -> int:
        values = self.recording.values[self.node]
        lengths = {len(value) for value in values if isinstance(value, tuple | list)}
        if len(lengths) == 1 and len(values) > 0:
            return lengths.pop()
        size = self._size(0)
        if not isinstance(size, int):
            raise TypeError("this length is a size that differs between inputs: it cannot be interpreted as an integer")
        return size


def proxy_class(recording: SymbolicTrace) -> type:
    """Return the class of proxies whose values are in a recording."""
    operators = {f"__{name}__": _in_place_operator(name) for name in IN_PLACE_OPERATORS}
    bases = (_ProxyMethods, import_module("torch.fx").Proxy)
    return type("TensorProxy", bases, {"recording": recording, **operators})


@contextmanager
def proxies_as_tensors(proxy_type: type) -> Iterator[None]:
    """Let `isinstance` say in Python code that a proxy of a tensor is one.

    A `__class__` that says so would convince the C code of torch too (`torch.tensor(x)`, functions of TorchScript),
    which then reads memory that is not there.
    """
    before, tensor = builtins.isinstance, import_module("torch").Tensor

    def is_instance(instance: Any, kinds: Any, /) -> bool:
        found = before(instance, kinds)
        kind: type = type(instance)
        if found or kind is not proxy_type:
            return found
        return _names_tensor(kinds, tensor) and bool(instance.recording.tensors(instance.node))

    builtins.isinstance = is_instance
    try:
        yield
    finally:
        builtins.isinstance = before


def _names_tensor(kinds: Any, tensor: type) -> bool:
    several = kinds if type(kinds) is tuple else get_args(kinds)
    return kinds is tensor or any(_names_tensor(each, tensor) for each in several)


def _in_place_operator(name: str) -> Any:
    """Return the method of an operator such as ``+=``, which torch.fx would record as if it made a new tensor."""
    function = getattr(operator, name)
    return lambda self, other: self.tracer.create_proxy("call_function", function, (self, other), {})
