"""From a real `nn.Module` to the language: `trace(module)`."""

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
    """A module in the language: `model` as a job has it, and its weights under the language's names."""

    model: Mapping[str, Any]
    weights: Mapping[str, "torch.Tensor"]


def trace(module: "nn.Module", *, inputs: Sequence[str] = ("x",)) -> Traced:
    """Write a module as a network of nodes, which computes the same.

    `inputs` names the data's columns for forward's parameters, in order; parameters without one keep their defaults.
    Names follow the module's own paths. A parameter that forward uses directly is drawn anew with its mean and
    deviation. Parts that forward does not use are left out. Raises `CannotExpress` with every line that stands in the
    way: Python's own `if` and `while` on values, operations and options that the language does not have.
    """
    kinds = leaf_types()
    with _preserve_module(module):
        recording = symbolic_trace(module, tuple(inputs), kinds)
        writer = GraphWriter(tuple(inputs))
        translation = GraphConverter(module, recording, writer, kinds)
        found = translation.run()
        _check_ties(module, recording)
        outputs = _outputs(writer, found, recording) if not recording.obstacles else {}
        if recording.obstacles:
            raise CannotExpress(sorted(recording.obstacles, key=lambda each: (each.file, each.line)))
        return Traced(writer.to_document(outputs), writer.weights)


@contextmanager
def _preserve_module(module: "nn.Module") -> Iterator[None]:
    """Take away what torch.fx leaves in the module: the constants that it met."""
    before = set(vars(module))
    try:
        yield
    finally:
        for name in set(vars(module)) - before:
            delattr(module, name)


def _check_ties(module: "nn.Module", recording: SymbolicTrace) -> None:
    """Note tensors that two modules share: uses of one block can share, and different nodes cannot."""
    owners: dict[int, list[str]] = {}
    for path, part in module.named_modules():
        for name, parameter in part.named_parameters(recurse=False):
            owners.setdefault(id(parameter), []).append(f"{path}.{name}".strip("."))
    for names in owners.values():
        if len(names) > 1:
            detail = f"{' and '.join(names)} are one tensor, and two nodes cannot share one"
            hint = "call one module twice, or give each a tensor of its own"
            recording.obstacles.append(make_obstacle(names[0], UNKNOWN_LOCATION, detail, hint))


def _outputs(writer: GraphWriter, value: Any, recording: SymbolicTrace) -> dict[str, str]:
    """Return the outputs: a dict keeps its names, several values are numbered, one is called output."""
    if isinstance(value, TensorRef):
        found = {"output": value}
    elif isinstance(value, Mapping):
        found = dict(value)
    elif isinstance(value, tuple | list):
        found = {f"output{place}": each for place, each in enumerate(value, 1)}
    else:
        found = {"output": value}
    wrong = [name for name, each in found.items() if not isinstance(each, TensorRef) or not str(name).isidentifier()]
    for name in wrong:
        what = "several values" if isinstance(found[name], TupleValue) else "no tensor"
        detail = f'the output "{name}" is {what}'
        recording.obstacles.append(
            make_obstacle("output", UNKNOWN_LOCATION, detail, "return tensors, or a dict of them")
        )
    if wrong:
        return {}
    if not writer.nodes:
        return {name: writer.add("Identity", [each.ref]) for name, each in found.items()}
    return {str(name): each.ref for name, each in found.items()}
