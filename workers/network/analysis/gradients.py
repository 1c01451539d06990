"""What autograd makes of a network: the graph of backward, and whether its gradients are those of the function."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from app.spec.data.columns import DataSchema
from workers.network.runtime.build import BuiltNetwork

EXAMPLES = 2  # so few show everything that a batch shows
MAX_CHECKED_ELEMENTS = 5_000  # numbers that are varied, each for two forward passes
TOLERANCE = 1e-5  # between analytic and numeric gradients, in double precision


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """How far analytic gradients are from differences, per parameter and per input of floats."""

    passed: bool
    differences: Mapping[str, float]  # largest absolute difference

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"passed": self.passed, "differences": dict(self.differences), "tolerance": TOLERANCE}


def random_inputs(schema: DataSchema, names: Sequence[str], seed: int = 0) -> dict[str, Tensor]:
    """Return `EXAMPLES` random examples of columns: normal floats, 0 and 1 for whole numbers, and true for bools."""
    generator = torch.Generator().manual_seed(seed)
    values = {}
    for name in names:
        column = schema.column(name)
        if column is None:
            continue
        drawn = torch.randn(EXAMPLES, *column.shape, generator=generator, dtype=torch.float64)
        values[name] = drawn if "float" in column.dtype else (drawn > 0).to(getattr(torch, column.dtype))
    return values


@contextmanager
def _double_precision() -> Iterator[None]:
    """Have what a network makes of whole numbers, or of nothing, be double as its weights are."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@_double_precision()
def backward_graph(network: BuiltNetwork, values: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the graph of backward after one forward pass: nodes {id, name, parameter?} and edges, from the outputs on.

    A node is a function that passes gradients on; "AccumulateGrad" are the parameters, with their names.
    """
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    network.double().train()
    outputs = network(values)
    roots = {name: value.grad_fn for name, value in outputs.items() if value.grad_fn is not None}
    numbers: dict[Any, int] = {}
    nodes, edges = [], []
    for function, following in _walk(list(roots.values())):
        number = numbers.setdefault(function, len(numbers))
        variable = getattr(function, "variable", None)
        parameter = {"parameter": names[id(variable)]} if id(variable) in names else {}
        nodes.append({"id": number, "name": function.name(), **parameter})
        edges += [[number, numbers.setdefault(each, len(numbers))] for each in following]
    return {"outputs": {name: numbers[root] for name, root in roots.items()}, "nodes": nodes, "edges": edges}


def _walk(roots: Sequence[Any]) -> Iterator[tuple[Any, list[Any]]]:
    """Yield every function of backward once, with those that it passes gradients to; without recursion."""
    seen, waiting = set(roots), list(dict.fromkeys(roots))
    for function in waiting:  # grows while it is walked
        following = [each for each, _ in function.next_functions if each is not None]
        for each in following:
            if each not in seen:
                seen.add(each)
                waiting.append(each)
        yield function, following


@_double_precision()
def check_gradients(network: BuiltNetwork, values: Mapping[str, Tensor]) -> GradientCheck:
    """Compare every gradient of the sum of squares of the outputs with central differences, in double precision.

    What the network draws at random is drawn the same every time. Raises `ValueError` for more than `MOST_CHECKED`
    numbers.
    """
    network.double().train()
    tensors: dict[str, Tensor] = dict(network.named_parameters())
    tensors |= {name: value.requires_grad_() for name, value in values.items() if value.is_floating_point()}
    count = sum(tensor.numel() for tensor in tensors.values())
    if count > MAX_CHECKED_ELEMENTS:
        raise ValueError(f"{count:,} numbers would be varied, at most {MAX_CHECKED_ELEMENTS:,} are")

    def loss() -> Tensor:
        torch.manual_seed(0)
        return torch.stack([output.double().square().sum() for output in network(values).values()]).sum()

    whole = loss()
    found = torch.autograd.grad(whole, list(tensors.values()), allow_unused=True) if whole.requires_grad else []
    differences = {}
    for (name, tensor), gradient in zip(tensors.items(), found, strict=False):
        expected = _central_differences(tensor, loss)
        told = torch.zeros_like(tensor) if gradient is None else gradient
        scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
        differences[name] = float((told - expected).abs().max()) / scale if expected.numel() else 0.0
    return GradientCheck(all(value <= TOLERANCE for value in differences.values()), differences)


@torch.no_grad()
def _central_differences(tensor: Tensor, loss: Callable[[], Tensor], step: float = 1e-6) -> Tensor:
    """Return the central differences of a function that depends on the tensor, element by element."""
    flat, found = tensor.data.view(-1), torch.empty(tensor.numel(), dtype=torch.float64)
    for place in range(tensor.numel()):
        before = flat[place].item()
        flat[place] = before + step
        above = loss()
        flat[place] = before - step
        found[place] = (above - loss()) / (2 * step)
        flat[place] = before
    return found.view_as(tensor)
