"""A kind of module: the class of torch that builds it, the inputs that it accepts, and how it is called."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from torch import Tensor, nn

from app.spec.network.weights import WEIGHT_FIELDS
from workers.network.blueprint import Parameters
from workers.network.kinds.weights import finish_weights
from workers.network.runtime.control_flow import TensorOrTuple
from workers.network.runtime.plan import NodeCall

INPUT_DESCRIPTIONS = {  # by number of dimensions, the batch included
    2: "features (C) per example",
    3: "sequences (C, L) per example",
    4: "images (C, H, W) per example",
    5: "volumes (C, D, H, W) per example",
}


Accepts = Literal["float", "integer", "any"]


@dataclass(frozen=True)
class ModuleKind:
    """One row: `build(**parameters, **fixed_arguments)` returns the module.

    `dimensions` are the numbers of dimensions that the first input may have, batch included; empty for any.
    `input_text` describes it where the numbers do not. `call(module, *inputs, **parameters)` replaces
    `module(*inputs)`; it takes `call_parameters`, which the constructor does not. `probability_parameter` is the
    probability of random changes in training; `uses_rng` marks a module that is random whatever its parameters. `cost`
    is the time on the meta device, relative to an operation. `adapt(module, **parameters)` changes a built module;
    `adapt_defaults` are the parameters that need no change; `initial_parameters` those that say which weights a new
    job gives the module. `path` is the name of `build` in Python source, by default
    in `torch.nn`. The operations of an `opaque` module are counted by running it. `lengths_index` is the index of the
    optional input with the lengths of sequences. `references` are the parameters that name more inputs, which `call`
    takes by these names; a test compares them with the language's. `newer_parameters` are unknown to the oldest torch
    that is supported: they are passed only where they are not true. `layer_parameters` are numbers of layers, each of
    which has the `cost`. With `has_weights` the language's fields of weights are parameters too.
    """

    build: Callable[..., nn.Module]
    dimensions: tuple[int, ...] = ()
    input_text: str = ""
    accepts: Accepts = "float"
    fixed_arguments: Parameters = field(default_factory=dict)
    call: NodeCall | None = None
    call_parameters: tuple[str, ...] = ()
    probability_parameter: str = ""
    cost: int = 2
    uses_rng: bool = False
    adapt: Callable[..., nn.Module] | None = None
    adapt_defaults: Parameters = field(default_factory=dict)
    initial_parameters: tuple[str, ...] = ()
    path: str = ""
    opaque: bool = False
    lengths_index: int = 0
    references: tuple[str, ...] = ()
    newer_parameters: tuple[str, ...] = ()
    layer_parameters: tuple[str, ...] = ()
    has_weights: bool = False

    @property
    def input_description(self) -> str:
        """The expected input in words."""
        return self.input_text or " or ".join(INPUT_DESCRIPTIONS[count] for count in self.dimensions)

    def arguments(self, parameters: Parameters) -> dict[str, Any]:
        """Return the arguments of the constructor, from complete parameters."""
        left_out = {*self.excluded_parameters(), *(name for name in self.newer_parameters if parameters[name] is True)}
        return {name: value for name, value in parameters.items() if name not in left_out} | dict(self.fixed_arguments)

    def excluded_parameters(self) -> frozenset[str]:
        """Return the parameters that the constructor does not take."""
        own = WEIGHT_FIELDS if self.has_weights else ()
        return frozenset(
            (*self.call_parameters, *self.adapt_defaults, *self.initial_parameters, *self.references, *own)
        )

    def named_inputs(self, parameters: Parameters) -> tuple[str, ...]:
        """Return the references that are given: the names of a node's last inputs."""
        return tuple(name for name in self.references if parameters[name] is not None)

    def adapt_arguments(self, parameters: Parameters) -> dict[str, Any]:
        """Return the arguments of `adapt`; empty if it need not be called."""
        arguments = {name: parameters[name] for name in self.adapt_defaults}
        return arguments if arguments != self.adapt_defaults else {}

    def is_random(self, parameters: Parameters) -> bool:
        """Say whether a module with complete parameters draws random numbers in training."""
        return self.uses_rng or (self.probability_parameter != "" and parameters[self.probability_parameter] > 0)

    def cost_of(self, parameters: Parameters) -> int:
        """Return the cost of a node with complete parameters."""
        return self.cost * (sum(parameters[name] for name in self.layer_parameters) or 1)

    def module(self, parameters: Parameters) -> nn.Module:
        """Return the module of a node with complete parameters. Raises what torch raises."""
        module = self.build(**self.arguments(parameters))
        changes = self.adapt_arguments(parameters)
        if self.adapt is not None and changes:
            module = self.adapt(module, **changes)
        return finish_weights(module, parameters) if self.has_weights else module

    def bind(self, module: nn.Module, parameters: Parameters) -> NodeCall:
        """Return the callable of a node, which takes its inputs."""
        if self.call is None:
            return module
        call = partial(self.call, module, **{name: parameters[name] for name in self.call_parameters})
        names = self.named_inputs(parameters)
        return partial(_call_by_name, call, names) if names else call


def _call_by_name(call: NodeCall, names: tuple[str, ...], *inputs: Tensor) -> TensorOrTuple:
    """Call with the last inputs by their names."""
    count = len(inputs) - len(names)
    return call(*inputs[:count], **dict(zip(names, inputs[count:], strict=True)))
