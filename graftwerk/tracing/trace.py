"""`trace`: an `nn.Module` as a network spec."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graftwerk.errors import CannotExpress
from graftwerk.tracing.converter import GraphConverter
from graftwerk.tracing.fx_trace import UNKNOWN_LOCATION, SymbolicTrace, make_obstacle, symbolic_trace
from graftwerk.tracing.graph_writer import GraphWriter
from graftwerk.tracing.module_parameters import leaf_types
from graftwerk.tracing.values import TensorRef, TupleValue

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True, slots=True)
class Traced:
    """A traced module: `model` as a job spec has it, and its weights under the spec's names."""

    model: Mapping[str, Any]
    weights: Mapping[str, "torch.Tensor"]


def trace(module: "nn.Module", *, inputs: Sequence[str] = ("x",)) -> Traced:
    """Return a module as a network of nodes that computes the same.

    `inputs` names the columns for forward's parameters, in order; parameters without a column keep their defaults.
    Node ids follow the module's paths. A parameter that forward uses directly is initialised from a normal
    distribution with its mean and standard deviation. Submodules that forward does not use are left out.

    Raises `CannotExpress` with every line concerned: Python's `if` and `while` on tensor values, and operations and
    options that the language does not have.
    """
    kinds = leaf_types()
    with _preserve_module(module):
        recording = symbolic_trace(module, tuple(inputs), kinds)
        writer = GraphWriter(tuple(inputs))
        converter = GraphConverter(module, recording, writer, kinds)
        output = converter.run()
        _check_ties(module, recording)
        outputs = _outputs(writer, output, recording) if not recording.obstacles else {}
        if recording.obstacles:
            raise CannotExpress(sorted(recording.obstacles, key=lambda each: (each.file, each.line)))
        return Traced(writer.to_document(outputs), writer.weights)


@contextmanager
def _preserve_module(module: "nn.Module") -> Iterator[None]:
    """Remove the constants that torch.fx stores in the module."""
    before = set(vars(module))
    try:
        yield
    finally:
        for name in set(vars(module)) - before:
            delattr(module, name)


def _check_ties(module: "nn.Module", recording: SymbolicTrace) -> None:
    """Record an obstacle for every tensor that two modules share: only uses of one block can share weights."""
    owners: dict[int, list[str]] = {}
    for path, part in module.named_modules():
        for name, parameter in part.named_parameters(recurse=False):
            owners.setdefault(id(parameter), []).append(f"{path}.{name}".strip("."))
    for names in owners.values():
        if len(names) > 1:
            detail = f"{' and '.join(names)} are one tensor, which two nodes cannot share"
            hint = "call one module twice, or give each its own tensor"
            recording.obstacles.append(make_obstacle(names[0], UNKNOWN_LOCATION, detail, hint))


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
    invalid = [
        name for name, each in outputs.items() if not isinstance(each, TensorRef) or not str(name).isidentifier()
    ]
    for name in invalid:
        what = "several values" if isinstance(outputs[name], TupleValue) else "not a tensor"
        detail = f'the output "{name}" is {what}'
        recording.obstacles.append(
            make_obstacle("output", UNKNOWN_LOCATION, detail, "return tensors, or a dict of them")
        )
    if invalid:
        return {}
    if not writer.nodes:
        return {name: writer.add("Identity", [each.ref]) for name, each in outputs.items()}
    return {str(name): each.ref for name, each in outputs.items()}
