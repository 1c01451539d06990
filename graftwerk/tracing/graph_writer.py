"""The network as it is written: nodes with readable names, blocks for shared parts, and the weights under new names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from keyword import kwlist
from typing import Any

from graftwerk.tracing.symbolic_shapes import SymbolicShapes
from graftwerk.tracing.unsupported import UnsupportedOperation

MAX_NAME_CHARACTERS = 64  # characters of a name
MAX_CONSTANT_ELEMENTS = 4096  # numbers that are written into the network
SIGNIFICANT_DIGITS = 4  # of the mean and the deviation that a parameter is drawn with


def reserved_names() -> frozenset[str]:
    """Return what no node can be called, since its name becomes an attribute of a module."""
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

    def unique_name(self, wanted: str, kind: str) -> str:
        """Return a free name, like the wanted one: a path's dots become underscores."""
        plain = "".join(sign if sign.isalnum() and sign.isascii() else "_" for sign in wanted).strip("_")
        base = (plain if plain[:1].isalpha() else f"{kind.lower()}{plain}")[: MAX_NAME_CHARACTERS - 5]
        found, count = base, 1
        while found in self._used_names:
            count += 1
            found = f"{base}_{count}"
        self._used_names.add(found)
        return found

    def add(
        self,
        kind: str,
        inputs: Sequence[str],
        parameters: Mapping[str, Any] | None = None,
        *,
        name: str = "",
        known: Mapping[str, Any] | None = None,
    ) -> str:
        """Write a node and return its id, by default its kind after the scope. `known` tells more of its sizes."""
        made = self.unique_name(name or f"{self.scope}.{kind.lower()}", kind)
        node: dict[str, Any] = {"id": made, "kind": kind}
        if inputs:
            node["inputs"] = list(inputs)
        written = {key: _to_json(value) for key, value in (parameters or {}).items()}
        self.nodes.append(node | written)
        self.sizes.infer(made, kind, inputs, {**written, **(known or {})})
        return made

    def add_shared(self, block: str, kind: str, inputs: Sequence[str], parameters: Mapping[str, Any], name: str) -> str:
        """Write a use of a part that is used more than once; returns its id. The part is called `block` within."""
        inner = "part"
        if block not in self.blocks:
            names = [f"in{place}" for place in range(len(inputs))]
            part = {"id": inner, "kind": kind, "inputs": names, **parameters}
            self.blocks[block] = {"inputs": names, "nodes": [part]}
        made = self.add("block", inputs, {"name": block, "share": block}, name=name)
        self.sizes.infer(made, kind, inputs, parameters)
        return made

    def add_weights(self, owner: str, tensors: Mapping[str, Any]) -> None:
        """Take over the weights of a part."""
        self.weights |= {f"{owner}.{name}": tensor.detach() for name, tensor in tensors.items()}

    def parameter(self, path: str, tensor: Any, frozen: bool = False) -> str:
        """Write a trainable tensor, or a kept one, which begins with the values that it has here as well as can be."""
        check_tensors(path, tensor)
        made = self.add(
            "Buffer" if frozen else "Parameter",
            (),
            {"shape": list(tensor.shape), "init": _initializer(tensor)},
            name=path,
        )
        self.weights[made] = tensor.detach()
        self.sizes.set_shape(made, tuple(tensor.shape))
        return made

    def constant(self, value: Any, name: str = "") -> str:
        """Write a number, or a small tensor of numbers. Raises `Refusal`."""
        tensor = import_module("torch").as_tensor(value)
        if not tensor.is_floating_point() and tensor.dim() > 0:
            raise UnsupportedOperation(
                f"a constant holds numbers of float32, and this one {tensor.dtype}",
                "give it as an input of the data, or convert it where it is made",
            )
        if tensor.numel() > MAX_CONSTANT_ELEMENTS or tensor.dim() > 3:
            detail = f"a constant has at most {MAX_CONSTANT_ELEMENTS:,} numbers in 3 dimensions, and this one "
            detail += f"{tensor.numel():,} in {tensor.dim()}"
            raise UnsupportedOperation(detail, "make it an nn.Parameter, or compute it")
        if not tensor.isfinite().all():
            raise UnsupportedOperation("a constant holds finite numbers only", "use a large number such as -1e9")
        made = self.add("Constant", (), {"value": tensor.float().tolist()}, name=name)
        self.sizes.set_shape(made, tuple(tensor.shape))
        return made

    def to_document(self, outputs: Mapping[str, str]) -> dict[str, Any]:
        """Return the network."""
        model: dict[str, Any] = {"inputs": list(self.inputs), "nodes": self.nodes}
        if outputs != {"output": self.nodes[-1]["id"]}:
            model["outputs"] = dict(outputs)
        if self.blocks:
            model["blocks"] = self.blocks
        return model


def check_tensors(path: str, *tensors: Any) -> None:
    """Raise `Refusal` for tensors that are not trained, or not in single precision."""
    for tensor in tensors:
        if tensor.is_floating_point() and str(tensor.dtype) != "torch.float32":
            raise UnsupportedOperation(
                f"{path} holds {tensor.dtype}, and networks hold float32", "convert it with .float()"
            )
        if tensor.is_leaf and not tensor.requires_grad and type(tensor).__name__ == "Parameter":
            raise UnsupportedOperation(
                f"{path} is frozen, and a network's parameters are all trained", "set requires_grad"
            )


def _initializer(tensor: Any) -> dict[str, Any]:
    """Return how to fill a tensor like this one: with its one value, or at random with its mean and deviation."""
    values = tensor.detach().float().flatten()
    if values.numel() and bool((values == values[0]).all()):
        value = float(values[0])
        named = {0.0: "zeros", 1.0: "ones"}.get(value)
        return {"kind": named} if named else {"kind": "constant", "value": value}
    mean, std = (
        float(f"{float(values.mean()):.{SIGNIFICANT_DIGITS}g}"),
        float(f"{float(values.std()):.{SIGNIFICANT_DIGITS}g}"),
    )
    centred = abs(mean) < 3 * std / values.numel() ** 0.5  # what chance alone makes of a mean of zero
    return {"kind": "normal", **({} if centred else {"mean": mean}), "std": std}


def _to_json(value: Any) -> Any:
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        return [_to_json(item) for item in value]
    return value
