"""The network being written: nodes with readable ids, blocks for shared modules, and weights under the new names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from keyword import kwlist
from typing import Any

from graftwerk.tracing.symbolic_shapes import SymbolicShapes
from graftwerk.tracing.unsupported import UnsupportedOperation

MAX_NAME_CHARACTERS = 64
MAX_CONSTANT_ELEMENTS = 4096  # elements
SIGNIFICANT_DIGITS = 4  # of the mean and standard deviation of an initialiser


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
    sizes: SymbolicShapes = field(default_factory=SymbolicShapes)
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
        self,
        kind: str,
        inputs: Sequence[str],
        parameters: Mapping[str, Any] | None = None,
        *,
        name: str = "",
        known: Mapping[str, Any] | None = None,
    ) -> str:
        """Write a node and return its id (default: scope and kind). `known`: further parameters for the shape rules."""
        ref = self.unique_name(name or f"{self.scope}.{kind.lower()}", kind)
        node: dict[str, Any] = {"id": ref, "kind": kind}
        if inputs:
            node["inputs"] = list(inputs)
        fields = {key: _to_json(value) for key, value in (parameters or {}).items()}
        self.nodes.append(node | fields)
        self.sizes.infer(ref, kind, inputs, {**fields, **(known or {})})
        return ref

    def add_shared(self, block: str, kind: str, inputs: Sequence[str], parameters: Mapping[str, Any], name: str) -> str:
        """Write a call of a module that is called more than once, as a shared block; return the node's id."""
        inner = "part"
        if block not in self.blocks:
            names = [f"in{index}" for index in range(len(inputs))]
            part = {"id": inner, "kind": kind, "inputs": names, **parameters}
            self.blocks[block] = {"inputs": names, "nodes": [part]}
        ref = self.add("block", inputs, {"name": block, "share": block}, name=name)
        self.sizes.infer(ref, kind, inputs, parameters)
        return ref

    def add_weights(self, owner: str, tensors: Mapping[str, Any]) -> None:
        """Store the weights of a node under its id."""
        self.weights |= {f"{owner}.{name}": tensor.detach() for name, tensor in tensors.items()}

    def parameter(self, path: str, tensor: Any, frozen: bool = False) -> str:
        """Write a Parameter (`frozen`: a Buffer), initialised like the tensor, and return its id."""
        check_tensors(path, tensor)
        ref = self.add(
            "Buffer" if frozen else "Parameter",
            (),
            {"shape": list(tensor.shape), "init": _initializer(tensor)},
            name=path,
        )
        self.weights[ref] = tensor.detach()
        self.sizes.set_shape(ref, tuple(tensor.shape))
        return ref

    def constant(self, value: Any, name: str = "") -> str:
        """Write a Constant from a number or a small tensor; return its id. Raises `UnsupportedOperation`."""
        tensor = import_module("torch").as_tensor(value)
        if not tensor.is_floating_point() and tensor.dim() > 0:
            raise UnsupportedOperation(
                f"a constant is float32, but this one is {tensor.dtype}",
                "make it an input column, or convert it with .float()",
            )
        if tensor.numel() > MAX_CONSTANT_ELEMENTS or tensor.dim() > 3:
            detail = f"a constant has at most {MAX_CONSTANT_ELEMENTS:,} elements in 3 dimensions, but this one has "
            detail += f"{tensor.numel():,} in {tensor.dim()}"
            raise UnsupportedOperation(detail, "make it an nn.Parameter, or compute it")
        if not tensor.isfinite().all():
            raise UnsupportedOperation("a constant must be finite", "use a large number such as -1e9")
        ref = self.add("Constant", (), {"value": tensor.float().tolist()}, name=name)
        self.sizes.set_shape(ref, tuple(tensor.shape))
        return ref

    def to_document(self, outputs: Mapping[str, str]) -> dict[str, Any]:
        """Return the network's JSON; `outputs`: node ids by name."""
        model: dict[str, Any] = {"inputs": list(self.inputs), "nodes": self.nodes}
        if outputs != {"output": self.nodes[-1]["id"]}:
            model["outputs"] = dict(outputs)
        if self.blocks:
            model["blocks"] = self.blocks
        return model


def check_tensors(path: str, *tensors: Any) -> None:
    """Raise `UnsupportedOperation` for tensors that are frozen or not float32."""
    for tensor in tensors:
        if tensor.is_floating_point() and str(tensor.dtype) != "torch.float32":
            raise UnsupportedOperation(
                f"{path} is {tensor.dtype}, but networks are float32", "convert it with .float()"
            )
        if tensor.is_leaf and not tensor.requires_grad and type(tensor).__name__ == "Parameter":
            raise UnsupportedOperation(
                f"{path} is frozen, but all parameters of a network are trained", "set requires_grad"
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
