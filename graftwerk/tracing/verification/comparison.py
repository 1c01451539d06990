"""Comparison of a module with its network: outputs on random inputs, in both modes, and after a step of training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from graftwerk.tracing.recording.example_inputs import to_device
from graftwerk.tracing.recording.module_state import preserve_module
from graftwerk.tracing.verification.dropout import without_dropout
from graftwerk.tracing.verification.interpreter import InterpretedNetwork

Module = Any  # torch.nn.Module
Tensor = Any  # torch.Tensor
Inputs = tuple[Tensor, ...]
TOLERANCES = {"float64": 1e-6, "float32": 1e-3}  # of the difference to the largest value, by precision
STEP = 0.05  # length of the step of gradient descent, relative to the norm of the weights
SEED = 20240607


class _Different(Exception):
    """The module and the network differ."""


@dataclass
class _Pair:
    """A module and its network, in one precision. `drops`: dropout draws the same masks in both."""

    module: Module
    network: InterpretedNetwork
    tolerance: float
    drops: bool = True

    def run(self, inputs: Inputs, training: bool) -> tuple[list[Tensor], list[Tensor]]:
        """Return the outputs of both, which drew the same random numbers. Raises `_Different`."""
        torch = import_module("torch")
        results, dropped = [], []
        calls = ((self.module, self._call_module), (self.network, self._call_network))
        for part, call in calls:
            part.train(training)
            torch.manual_seed(SEED)
            if self.drops or not training:
                results.append(call(inputs))
                continue
            with without_dropout(part.modules()) as drops:
                results.append(call(inputs))
            dropped.append(sorted(drops))
        if dropped and dropped[0] != dropped[1]:
            raise _Different("the network drops other values in training than the module")
        return results[0], results[1]

    def _call_module(self, inputs: Inputs) -> list[Tensor]:
        result = self.module(*to_device(self.module, [each.clone() for each in inputs]))
        return [each.cpu() for each in _flat(result)]

    def _call_network(self, inputs: Inputs) -> list[Tensor]:
        return list(self.network(*[each.clone() for each in inputs]).values())

    def compare_training(self, inputs: Inputs, when: str) -> tuple[list[Tensor], list[Tensor]]:
        """As `compare`, in training; without dropout if its masks differ. Raises `_Different`."""
        if self.drops:
            try:
                return self.compare(inputs, True, when)
            except _Different:
                self.drops = False
        return self.compare(inputs, True, when)

    def compare(
        self, inputs: Inputs, training: bool, when: str, *, is_short: bool = False
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Run both and compare the outputs. Raises `_Different`.

        `is_short`: a module that pads packed sequences to the longest of the batch gives fewer steps than the network.
        """
        expected, actual = self.run(inputs, training)
        if len(expected) != len(actual):
            raise _Different(f"the module gives {len(expected)} outputs, the network {len(actual)}")
        pairs = list(zip(expected, actual, strict=True))
        for place, (one, other) in enumerate([_common(*each) for each in pairs] if is_short else pairs, 1):
            output = f"output {place}" if len(expected) > 1 else "the output"
            if one.shape != other.shape:
                shapes = f"{tuple(one.shape)}, the network gives {tuple(other.shape)}"
                raise _Different(f"{output} of the module is {shapes} {when}")
            difference = _difference(one, other)
            if not difference <= self.tolerance:
                raise _Different(f"{output} of the network differs from the module's by {difference:.2g} {when}")
        return expected, actual

    def step(self, outputs: tuple[list[Tensor], list[Tensor]]) -> bool:
        """Move both along their gradients; return whether there are any."""
        torch = import_module("torch")
        trained = [list(self.module.parameters()), list(self.network.parameters())]
        gradients: list[list[tuple[Tensor, Tensor]]] = []
        for values, parameters in zip(outputs, trained, strict=True):
            leaves = [each for each in parameters if each.requires_grad]
            loss = sum((each**2).mean() for each in values if each.requires_grad)
            if not leaves or not isinstance(loss, torch.Tensor):
                gradients.append([])
                continue
            found = torch.autograd.grad(loss, leaves, allow_unused=True)
            gradients.append([(p, g) for p, g in zip(leaves, found, strict=True) if g is not None])
        norms = [sum(float((g**2).sum()) for _, g in pairs) ** 0.5 for pairs in gradients]
        if abs(norms[0] - norms[1]) > self.tolerance * max(norms):
            raise _Different(
                f"the gradient of the network has the norm {norms[1]:.4g}, that of the module {norms[0]:.4g}: "
                "other tensors are trained"
            )
        if not gradients[0] or norms[0] == 0:
            return False
        size = sum(float((p.detach() ** 2).sum()) for p, _ in gradients[0]) ** 0.5
        with torch.no_grad():
            for parameter, gradient in (pair for pairs in gradients for pair in pairs):
                parameter.sub_(STEP * (size + 1e-3) / norms[0] * gradient)
        return True


def find_difference(
    module: Module,
    model: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    examples: Sequence[Inputs],
    short: Inputs = (),
) -> str:
    """Return how the network differs from the module, in words; empty if it does not.

    `short`: inputs with lengths none of which is that of the padded sequences.
    Both are run in float64 where the module can be, else in float32.
    """
    torch = import_module("torch")
    for dtype in (torch.float64, torch.float32):
        with preserve_module(module):
            torch.set_default_dtype(dtype)
            try:
                converted = [_converted(inputs, dtype) for inputs in examples]
                _compare(module.to(dtype), model, weights, converted, _converted(short, dtype))
            except _Different as difference:
                return str(difference)
            except (RuntimeError, TypeError, ValueError, IndexError) as error:
                if dtype is torch.float32:
                    return f"the module or the network cannot be run: {str(error).splitlines()[0]}"
                continue
            return ""
    return ""


def _compare(
    module: Module, model: Mapping[str, Any], weights: Mapping[str, Tensor], examples: list[Inputs], short: Inputs
) -> None:
    torch = import_module("torch")
    network = InterpretedNetwork(model, model.get("blocks", {}), weights)
    pair = _Pair(module, network, TOLERANCES[str(torch.get_default_dtype()).removeprefix("torch.")])
    with torch.no_grad():
        for inputs in examples:
            pair.compare(inputs, False, _when("in evaluation", inputs))
        if short:
            when = "where no sequence is as long as the padding (give pad_packed_sequence the total_length)"
            pair.compare(short, False, when, is_short=True)
    with torch.enable_grad():
        outputs = pair.compare_training(examples[0], _when("in training", examples[0]))
        if not pair.step(outputs):
            return
    with torch.no_grad():
        pair.compare_training(examples[-1], _when("in training, after one step", examples[-1]))
        pair.compare(examples[-1], False, _when("in evaluation, after one step", examples[-1]))


def _common(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Return what two tensors have in common: of each dimension the smaller size."""
    if one.dim() != other.dim():
        return one, other
    common = tuple(slice(min(sizes)) for sizes in zip(one.shape, other.shape, strict=True))
    return one[common], other[common]


def _when(words: str, inputs: Inputs) -> str:
    shapes = ", ".join(str(tuple(each.shape)) for each in inputs)
    return f"{words} on inputs {shapes}"


def _converted(inputs: Inputs, dtype: Any) -> Inputs:
    return tuple(each.to(dtype) if each.is_floating_point() else each for each in inputs)


def _difference(expected: Tensor, actual: Tensor) -> float:
    """Return the largest difference, relative to the largest finite value; equal infinities and NaN are equal."""
    torch = import_module("torch")
    one, other = expected.detach().to(torch.float64), actual.detach().to(torch.float64)
    same = (one == other) | (one.isnan() & other.isnan())
    if bool(same.all()):
        return 0.0
    finite = one[one.isfinite()].abs()
    scale = max(1e-3, float(finite.max())) if finite.numel() else 1.0
    return float((one - other)[~same].abs().nan_to_num(nan=float("inf")).max()) / scale


def _flat(value: Any) -> list[Tensor]:
    """Return the tensors of a module's result in order."""
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, tuple | list) else [value]
