"""`trace`: an `nn.Module` as a network spec."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graftwerk.errors import CannotExpress
from graftwerk.tracing.converter import GraphConverter
from graftwerk.tracing.graph_writer import GraphWriter
from graftwerk.tracing.module_parameters import leaf_types
from graftwerk.tracing.recording.aliasing import functionalize
from graftwerk.tracing.recording.example_inputs import ExampleInputs, NoExamples, find_examples, fix_sizes
from graftwerk.tracing.recording.fx_trace import default_arguments, symbolic_trace
from graftwerk.tracing.recording.locations import error_location, forward_location
from graftwerk.tracing.recording.module_state import preserve_module
from graftwerk.tracing.recording.symbolic_trace import UNKNOWN_LOCATION, SymbolicTrace, make_obstacle
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import TensorRef, TupleValue
from graftwerk.tracing.verification.comparison import find_difference
from graftwerk.tracing.verification.kept_state import kept_state, shared_memory

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True, slots=True)
class Traced:
    """A traced module: `model` as a job spec has it, and its weights under the spec's names.

    `frozen` are the weights that are not trained and whose values only `weights` has: train from `weights`.
    """

    model: Mapping[str, Any]
    weights: Mapping[str, "torch.Tensor"]
    frozen: tuple[str, ...] = ()


def trace(
    module: "nn.Module",
    *,
    inputs: Sequence[str] = ("x",),
    examples: "Sequence[torch.Tensor] | None" = None,
    verify: bool = True,
) -> Traced:
    """Return a module as a network of nodes that computes the same.

    `inputs` names the columns for forward's parameters, in order; parameters without a column keep their defaults.
    `examples` are tensors (N, *) on which forward runs, one for each input; by default some are found by trying.
    Node ids follow the module's paths. A parameter that forward uses directly is initialised from a normal
    distribution with its mean and standard deviation. Submodules that forward does not use are left out.

    In the end the module and the network are run on random inputs of several sizes, in evaluation and in training, and
    again after one step of gradient descent; `verify=False` leaves that out. The module is left as it was.

    Raises `CannotExpress` with every line concerned: Python's `if` and `while` on tensor values, operations and options
    that the language does not have, writes in place whose effect is read through another tensor, modules on which no
    inputs are found, and networks that differ from the module.
    """
    names = tuple(inputs)
    with preserve_module(module):
        default_arguments(module, names)
        try:
            found = find_examples(module, names, _checked(examples, names))
        except NoExamples as error:
            raise CannotExpress([_no_examples(module, error, given=examples is not None)]) from error.errors[0]
        try:
            return _trace(module, names, found, pins_sizes=False, verify=verify)
        except CannotExpress:
            if examples is None or found.are_sizes_fixed:
                raise
            return _trace(module, names, fix_sizes(found), pins_sizes=True, verify=verify)


def _trace(
    module: "nn.Module", names: tuple[str, ...], examples: ExampleInputs, *, pins_sizes: bool, verify: bool
) -> Traced:
    kinds = leaf_types()
    recording = symbolic_trace(module, names, kinds, examples)
    functionalize(recording)
    writer = GraphWriter(names)
    converter = GraphConverter(module, recording, writer, kinds)
    output = converter.run(pins_sizes or (recording.reads_rank and not examples.is_rank_certain))
    outputs = _outputs(writer, output, recording) if not recording.obstacles else {}
    if recording.obstacles:
        raise CannotExpress(sorted(set(recording.obstacles), key=lambda each: (each.file, each.line)))
    traced = Traced(writer.to_document(outputs), writer.weights, tuple(writer.frozen))
    unlike = [*shared_memory(module), *(kept_state(module, examples.traced[0]) if verify else ())]
    if unlike:
        raise CannotExpress(unlike)
    difference = (
        find_difference(module, traced.model, traced.weights, examples.verified, examples.short) if verify else ""
    )
    if difference:
        name = type(module).__name__
        hint = "report it, with the module; the language may lack what forward does here"
        raise CannotExpress([make_obstacle(name, forward_location(module), difference, hint)])
    return traced


def _checked(examples: "Sequence[torch.Tensor] | None", names: tuple[str, ...]) -> "Sequence[torch.Tensor] | None":
    """Return the examples. Raises `ValueError` unless there is one for each input, all with as many rows."""
    if examples is None:
        return None
    if len(examples) != len(names) or len({len(each) for each in examples}) != 1 or len(examples[0]) < 1:
        raise ValueError("examples needs one tensor (N, *) for each input, all with the same N")
    return examples


def _no_examples(module: "nn.Module", error: NoExamples, given: bool) -> Any:
    said = (str(error.errors[0]).splitlines() or [type(error.errors[0]).__name__])[0]
    detail = "forward does not run on the examples" if given else str(error)
    hint = "pass tensors of the shapes of your data" if given else "pass examples=(…), one tensor (N, *) for each input"
    location = error_location(error.errors[0].__traceback__)
    return make_obstacle(type(module).__name__, location, f"{detail}: {said}", hint)


def _outputs(writer: GraphWriter, value: Any, recording: SymbolicTrace) -> dict[str, str]:
    """Return node ids by output name: a dict's keys, ``output1``… for several values, ``output`` for one."""
    if isinstance(value, TensorRef):
        outputs = {"output": value}
    elif isinstance(value, Mapping):
        outputs = dict(value)
    elif isinstance(value, tuple | list):
        outputs = {f"output{index}": each for index, each in enumerate(value, 1)}
    else:
        outputs = {"output": value}
    outputs = {
        name: each.tensor() if isinstance(each, TupleValue) and each.tensor is not None else each
        for name, each in outputs.items()
    }
    for name, each in outputs.items():
        if not isinstance(each, TensorRef) or not str(name).isidentifier():
            what = "several values" if isinstance(each, TupleValue) else "not a tensor"
            detail = f'the output "{name}" is {what}'
            recording.obstacles.append(
                make_obstacle("output", UNKNOWN_LOCATION, detail, "return tensors, or a dict of them")
            )
    if recording.obstacles:
        return {}
    try:
        refs = {str(name): each.ref for name, each in outputs.items()}
    except UnsupportedOperation as error:
        recording.obstacles.append(make_obstacle("output", UNKNOWN_LOCATION, error.detail, error.hint))
        return {}
    return {name: writer.add("Identity", [ref]) if ref in writer.inputs else ref for name, ref in refs.items()}
