"""The network being written: nodes with readable ids, blocks for shared modules, and weights under the new names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from keyword import kwlist
from typing import Any

from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import VaryingSize

MAX_NAME_CHARACTERS = 64
MAX_CONSTANT_ELEMENTS = 16384  # elements
MAX_CONSTANT_DIMENSIONS = 3
SIGNIFICANT_DIGITS = 4  # of the mean and standard deviation of an initialiser
MAX_EXACT_INTEGER = 1 << 24  # in float32
LOWEST_FLOAT = -3.4028234663852886e38  # of float32, in the place of minus infinity
DTYPES = {"float32": "float32", "int64": "int64", "int32": "int64", "int16": "int64", "uint8": "int64", "bool": "bool"}


def reserved_names() -> frozenset[str]:
    """Return the names that no node can have, since ids become attributes of a module."""
    nn = import_module("torch.nn")
    return frozenset([*dir(nn.Module()), "blueprint", "is_random", "call_super_init", *kwlist])


@dataclass
class GraphWriter:
    """Collects nodes in order. A reference is a node's id, or the name of an input."""

    inputs: Sequence[str]
    nodes: list[dict[str, Any]] = field(default_factory=list)
    blocks: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, Any] = field(default_factory=dict)
    sources: dict[VaryingSize, tuple[str, int]] = field(default_factory=dict)  # a tensor with that size, and where
    frozen: list[str] = field(default_factory=list)  # Buffers whose values are in `weights` alone
    scope: str = ""  # path of the module whose operations are being written
    _used_names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._used_names |= {*self.inputs, *reserved_names()}

    def unique_name(self, name: str, kind: str) -> str:
        """Return an unused name, derived from `name`: dots of a path become underscores."""
        plain = "".join(sign if sign.isalnum() and sign.isascii() else "_" for sign in name).strip("_")
        base = (plain if plain[:1].isalpha() else f"{kind.lower()}{plain}")[: MAX_NAME_CHARACTERS - 5]
        unique, count = base, 1
        while unique in self._used_names:
            count += 1
            unique = f"{base}_{count}"
        self._used_names.add(unique)
        return unique

    def add(
        self, kind: str, inputs: Sequence[str], parameters: Mapping[str, Any] | None = None, *, name: str = ""
    ) -> str:
        """Write a node and return its id (default: scope and kind). Raises `UnsupportedOperation`."""
        fields = {key: _to_json(value) for key, value in (parameters or {}).items()}
        if any(_is_varying(value) for value in fields.values()):
            raise UnsupportedOperation(
                f"the fields of {kind} are fixed, but here one is a size that differs between inputs",
                "use numbers, or pass examples=(…) to trace",
            )
        ref = self.unique_name(name or f"{self.scope}.{kind.lower()}", kind)
        node: dict[str, Any] = {"id": ref, "kind": kind}
        if inputs:
            node["inputs"] = list(inputs)
        self.nodes.append(node | fields)
        return ref

    def add_shared(
        self, block: str, kind: str, inputs: Sequence[str], parameters: Mapping[str, Any], name: str,
        outputs: Sequence[str] = (),
    ) -> str:  # fmt: skip
        """Write a call of a module that is called more than once, as a shared block; return the node's id."""
        inner = "part"
        if block not in self.blocks:
            names = [f"in{index}" for index in range(len(inputs))]
            part = {"id": inner, "kind": kind, "inputs": names, **parameters}
            self.blocks[block] = {"inputs": names, "nodes": [part]}
            if outputs:
                self.blocks[block]["outputs"] = {each: f"{inner}.{each}" for each in outputs}
        return self.add("block", inputs, {"name": block, "share": block}, name=name)

    def add_weights(self, owner: str, tensors: Mapping[str, Any]) -> None:
        """Store the weights of a node under its id."""
        self.weights |= {f"{owner}.{name}": tensor.detach() for name, tensor in tensors.items()}

    def parameter(self, path: str, tensor: Any) -> str:
        """Write a Parameter, initialised like the tensor, and return its id; a frozen one is a Constant or Buffer."""
        check_float32(path, tensor)
        if not tensor.requires_grad and tensor.numel() <= MAX_CONSTANT_ELEMENTS:
            return self.constant(tensor, path)
        kind = "Parameter" if tensor.requires_grad else "Buffer"
        ref = self.add(kind, (), {"shape": list(tensor.shape), "init": _initializer(tensor)}, name=path)
        self.weights[ref] = tensor.detach()
        if kind == "Buffer":
            self.frozen.append(ref)
        return ref

    def constant(self, value: Any, name: str = "") -> str:
        """Write a Constant from a number or a small tensor; return its id. Raises `UnsupportedOperation`."""
        tensor = import_module("torch").as_tensor(value).detach()
        dtype = str(tensor.dtype).removeprefix("torch.")
        if dtype not in DTYPES:
            raise UnsupportedOperation(f"a constant is float32, but this one is {dtype}", "convert it with .float()")
        if tensor.numel() > MAX_CONSTANT_ELEMENTS:
            detail = f"a constant has at most {MAX_CONSTANT_ELEMENTS:,} elements, but this one has {tensor.numel():,}"
            raise UnsupportedOperation(detail, "make it an nn.Parameter, or compute it in forward")
        if (
            dtype != "float32"
            and tensor.numel()
            and int(tensor.abs().max() if dtype != "bool" else 0) > MAX_EXACT_INTEGER
        ):
            raise UnsupportedOperation("an integer constant beyond 2^24 is not exact in float32", "use a smaller one")
        if bool(tensor.isnan().any()):
            raise UnsupportedOperation("a constant must be a number", "remove the NaN")
        values = tensor.float().clamp(LOWEST_FLOAT, -LOWEST_FLOAT)
        flat = values.flatten() if values.dim() > MAX_CONSTANT_DIMENSIONS else values
        ref = self.add("Constant", (), {"value": flat.tolist()}, name=name)
        if flat is not values:
            ref = self.add("reshape", [ref], {"shape": list(values.shape)})
        return ref if dtype == "float32" else self.add("to", [ref], {"dtype": DTYPES[dtype]})

    def to_document(self, outputs: Mapping[str, str]) -> dict[str, Any]:
        """Return the network's JSON; `outputs`: node ids by name."""
        model: dict[str, Any] = {"inputs": list(self.inputs), "nodes": self.nodes}
        if outputs != {"output": self.nodes[-1]["id"]}:
            model["outputs"] = dict(outputs)
        if self.blocks:
            model["blocks"] = self.blocks
        return model

    def note_sizes(self, ref: str, shape: Sequence[Any]) -> None:
        """Remember that a tensor has these sizes, for operations that read a size from a tensor."""
        for dim, size in enumerate(shape):
            if isinstance(size, VaryingSize):
                self.sources.setdefault(size, (ref, dim))

    def source(self, size: VaryingSize) -> tuple[str, int]:
        """Return a tensor that has a size, and its dimension. Raises `UnsupportedOperation`."""
        if size not in self.sources:
            raise UnsupportedOperation(
                "this size is computed from sizes that differ between inputs", "pass examples=(…) to trace"
            )
        return self.sources[size]


def check_float32(path: str, *tensors: Any) -> None:
    """Raise `UnsupportedOperation` for floats of another precision."""
    for tensor in tensors:
        if tensor.is_floating_point() and str(tensor.dtype) != "torch.float32":
            raise UnsupportedOperation(
                f"{path} is {tensor.dtype}, but networks are float32", "convert it with .float()"
            )


def _initializer(tensor: Any) -> dict[str, Any]:
    """Return an initialiser for a tensor: constant, or normal with its mean and standard deviation."""
    values = tensor.detach().float().flatten()
    if values.numel() and bool((values == values[0]).all()):
        value = float(values[0])
        kind = {0.0: "zeros", 1.0: "ones"}.get(value)
        return {"kind": kind} if kind else {"kind": "constant", "value": value}
    mean, std = (
        float(f"{float(values.mean()):.{SIGNIFICANT_DIGITS}g}"),
        float(f"{float(values.std()):.{SIGNIFICANT_DIGITS}g}"),
    )
    centred = abs(mean) < 3 * std / values.numel() ** 0.5  # within the sampling error of a zero mean
    return {"kind": "normal", **({} if centred else {"mean": mean}), "std": std}


def _to_json(value: Any) -> Any:
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        return [_to_json(item) for item in value]
    return value


def _is_varying(value: Any) -> bool:
    return any(map(_is_varying, value)) if isinstance(value, list) else isinstance(value, VaryingSize)
