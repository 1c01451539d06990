"""The graph of backward, and a comparison of gradients with finite differences."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from app.spec.data.columns import DataSchema
from workers.network.runtime.build import BuiltNetwork

EXAMPLES = 2  # the smallest batch with interactions between examples
MAX_CHECKED_ELEMENTS = 5_000  # each takes two forward passes
TOLERANCE = 1e-5  # relative to the largest gradient of a tensor, or absolute where that is below 1


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """The differences of analytic and numeric gradients, per parameter and per floating-point input."""

    passed: bool
    differences: Mapping[str, float]  # largest difference, scaled as `TOLERANCE` is

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"passed": self.passed, "differences": dict(self.differences), "tolerance": TOLERANCE}


def random_inputs(schema: DataSchema, names: Sequence[str], seed: int = 0) -> dict[str, Tensor]:
    """Return random columns (EXAMPLES, *shape): normal in float64, or 0 and 1 in the column's integer or bool dtype."""
    generator = torch.Generator().manual_seed(seed)
    values = {}
    for name in names:
        column = schema.column(name)
        if column is None:
            continue
        sample = torch.randn(EXAMPLES, *column.shape, generator=generator, dtype=torch.float64)
        values[name] = sample if "float" in column.dtype else (sample > 0).to(getattr(torch, column.dtype))
    return values


@contextmanager
def _double_precision() -> Iterator[None]:
    """Make float64 the default dtype, so that tensors which a network creates have the dtype of its weights."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@_double_precision()
def backward_graph(network: BuiltNetwork, values: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the graph of backward after one forward pass: outputs, nodes {id, name, parameter?} and edges.

    A node is a `grad_fn`; an "AccumulateGrad" node has the name of its parameter. Edges lead away from the outputs.
    """
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    network.double().train()
    outputs = network(values)
    roots = {name: value.grad_fn for name, value in outputs.items() if value.grad_fn is not None}
    numbers: dict[Any, int] = {}
    nodes, edges = [], []
    for function, following in _walk(list(roots.values())):
        number = numbers.setdefault(function, len(numbers))
        variable = getattr(function, "variable", None)  # of AccumulateGrad alone; torch has no public class for it
        parameter = {"parameter": names[id(variable)]} if id(variable) in names else {}
        nodes.append({"id": number, "name": function.name(), **parameter})
        edges += [[number, numbers.setdefault(each, len(numbers))] for each in following]
    return {"outputs": {name: numbers[root] for name, root in roots.items()}, "nodes": nodes, "edges": edges}


def _walk(roots: Sequence[Any]) -> Iterator[tuple[Any, list[Any]]]:
    """Yield every `grad_fn` once, with its successors. Iterative, since graphs are deep."""
    visited, functions = set(roots), list(dict.fromkeys(roots))
    for function in functions:  # grows while it is walked
        following = [each for each, _ in function.next_functions if each is not None]
        for each in following:
            if each not in visited:
                visited.add(each)
                functions.append(each)
        yield function, following


@_double_precision()
def check_gradients(network: BuiltNetwork, values: Mapping[str, Tensor]) -> GradientCheck:
    """Compare the gradient of the sum of squares of the outputs with central differences, in float64.

    Every forward pass has the same random seed. Raises `ValueError` for more than `MAX_CHECKED_ELEMENTS` elements.
    """
    network.double().train()
    tensors: dict[str, Tensor] = dict(network.named_parameters())
    tensors |= {name: value.requires_grad_() for name, value in values.items() if value.is_floating_point()}
    count = sum(tensor.numel() for tensor in tensors.values())
    if count > MAX_CHECKED_ELEMENTS:
        raise ValueError(f"{count:,} elements would be checked, at most {MAX_CHECKED_ELEMENTS:,} are allowed")

    def loss() -> Tensor:
        torch.manual_seed(0)
        return torch.stack([output.double().square().sum() for output in network(values).values()]).sum()

    total = loss()
    gradients = torch.autograd.grad(total, list(tensors.values()), allow_unused=True) if total.requires_grad else []
    differences = {}
    for (name, tensor), gradient in zip(tensors.items(), gradients, strict=False):
        expected = _central_differences(tensor, loss)
        analytic = torch.zeros_like(tensor) if gradient is None else gradient
        scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
        differences[name] = float((analytic - expected).abs().max()) / scale if expected.numel() else 0.0
    return GradientCheck(all(value <= TOLERANCE for value in differences.values()), differences)


@torch.no_grad()
def _central_differences(tensor: Tensor, loss: Callable[[], Tensor], step: float = 1e-6) -> Tensor:
    """Return the central differences of `loss` with respect to each element, in the shape of `tensor`."""
    flat, differences = tensor.data.view(-1), torch.empty(tensor.numel(), dtype=torch.float64)
    for place in range(tensor.numel()):
        before = flat[place].item()
        flat[place] = before + step
        above = loss()
        flat[place] = before - step
        differences[place] = (above - loss()) / (2 * step)
        flat[place] = before
    return differences.view_as(tensor)
