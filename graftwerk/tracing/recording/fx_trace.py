"""A module's forward, traced by torch.fx: its operations, and the line of user code of each."""

from collections.abc import Mapping, Sequence
from inspect import Parameter, signature
from typing import Any

from graftwerk.errors import CannotExpress
from graftwerk.tracing.recording.example_inputs import ExampleInputs
from graftwerk.tracing.recording.factories import recorded_factories
from graftwerk.tracing.recording.locations import error_location, forward_location
from graftwerk.tracing.recording.module_state import preserve_attributes, python_random_state, training_mode
from graftwerk.tracing.recording.node_values import NodeRunner
from graftwerk.tracing.recording.proxies import proxies_as_tensors
from graftwerk.tracing.recording.recorder import SIZE_HINT, TraceAborted, make_tracer
from graftwerk.tracing.recording.symbolic_trace import UNKNOWN_LOCATION, FxNode, SymbolicTrace, make_obstacle

Module = Any  # torch.nn.Module
PYTHON_RANDOM = "forward draws random numbers of Python or numpy, which a network of the language cannot"


def symbolic_trace(
    module: Module, inputs: Sequence[str], leaves: Mapping[type, str], examples: ExampleInputs
) -> SymbolicTrace:
    """Trace the module's forward in training and evaluation mode, which may differ only in dropout.

    Raises `CannotExpress` if the inputs do not fit forward's parameters.
    """
    fixed = default_arguments(module, inputs)
    # What forward assigns to its module, and the constants that torch.fx stores there, are of one trace.
    with preserve_attributes(module), training_mode(module, training=False):
        evaluation = _trace_forward(module, fixed, leaves, examples)
    with preserve_attributes(module), training_mode(module, training=True):
        training = _trace_forward(module, fixed, leaves, examples)
    if not (training.is_incomplete or evaluation.is_incomplete or training.obstacles):
        training.obstacles += evaluation.obstacles
        _compare_modes(training, evaluation)
    return training


def default_arguments(module: Module, inputs: Sequence[str]) -> dict[str, Any]:
    """Return the defaults of the parameters of forward that have no input. Raises `CannotExpress`."""
    parameters = signature(module.forward).parameters
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    names = [name for name, parameter in parameters.items() if parameter.kind in kinds]
    takes_more = any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in parameters.values())
    if len(inputs) > len(names) and not takes_more:
        detail = f"forward takes {len(names)} inputs, but {len(inputs)} are named"
        raise CannotExpress([make_obstacle("forward", UNKNOWN_LOCATION, detail, f"name {len(names)} of them")])
    rest = {name: parameters[name].default for name in names[len(inputs) :]}
    missing = [name for name, default in rest.items() if default is Parameter.empty]
    if missing:
        detail = f"forward needs {', '.join(missing)}, but no input is named for it"
        raise CannotExpress(
            [make_obstacle("forward", UNKNOWN_LOCATION, detail, f"name {len(inputs) + len(missing)} inputs")]
        )
    return rest


def _trace_forward(
    module: Module, fixed: dict[str, Any], leaves: Mapping[type, str], examples: ExampleInputs
) -> SymbolicTrace:
    recording = SymbolicTrace(None)
    runner = NodeRunner(module, recording, examples, list(fixed.values()))
    tracer, random_state = make_tracer(leaves, recording, runner, _trace_forward.__code__), python_random_state()
    try:
        with recorded_factories(tracer), proxies_as_tensors(tracer.proxy_type):
            recording.graph = tracer.trace(module, concrete_args=fixed or None)
    except TraceAborted:
        recording.is_incomplete = True
    except Exception as error:  # raised by the module's own code on proxies
        recording.is_incomplete = True
        location = error_location(error.__traceback__)
        message = (str(error).splitlines() or [type(error).__name__])[0]
        name = type(module).__name__
        on_size = any(words in message for words in ("as an integer", "must be int", "__index__", "real number"))
        hint = SIZE_HINT if on_size else "forward must not depend on the values of tensors"
        recording.obstacles.append(make_obstacle(name, location, f"torch.fx cannot trace this: {message}", hint))
    if python_random_state() != random_state:
        location = forward_location(module)
        hint = "use torch.rand_like or nn.Dropout"
        recording.obstacles.append(make_obstacle(type(module).__name__, location, PYTHON_RANDOM, hint))
    recording.graph = tracer.graph if recording.graph is None else recording.graph
    return recording


def _compare_modes(training: SymbolicTrace, evaluation: SymbolicTrace) -> None:
    """Record the first operation that differs between the modes, and every dropout that ignores the mode."""
    pairs = list(zip(training.graph.nodes, evaluation.graph.nodes, strict=False))
    for node, other in pairs:
        if _node_signature(node) != _node_signature(other):
            detail = "training and evaluation differ from here on, but a spec has one network"
            training.add_obstacle(node, detail, "use modules such as nn.Dropout, which depend on the mode")
            return
        if node.kwargs.get("training") is True and other.kwargs.get("training") is True:
            detail = "this samples in evaluation too, but the language samples in training only"
            training.add_obstacle(node, detail, "pass training=self.training")
        if node.kwargs.get("dropout_p") and other.kwargs.get("dropout_p"):
            detail = "this drops attention in evaluation too, but the language drops in training only"
            training.add_obstacle(node, detail, "pass dropout_p=P if self.training else 0.0")


def _node_signature(node: FxNode) -> tuple[str, str, str]:
    options = {name: value for name, value in node.kwargs.items() if name not in ("training", "dropout_p")}
    args = node.args
    if getattr(node.target, "__name__", "") == "stochastic_depth":
        args, options = node.args[:3], {name: value for name, value in options.items() if name != "training"}
    return node.op, str(node.target), f"{args} {options}"
