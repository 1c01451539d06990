"""torch.export: the graph as an `ExportedProgram`, and its own file format."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.export import ExportedProgram

from workers.exports.samples import MIN_EXAMPLES, InputSampler
from workers.network.runtime.build import GraphModule
from workers.network.runtime.control_flow import as_tuple

TRACED_EXAMPLES = 3  # neither 0 nor 1, which the exporter takes for fixed numbers

RunExported = Callable[..., tuple[Tensor, ...]]


@dataclass(frozen=True)
class ExportCase:
    """The graph to export, a function that draws its inputs for a number of examples, and what is compared."""

    graph: GraphModule
    sample_inputs: InputSampler
    samples: tuple[int, ...] = (TRACED_EXAMPLES, 2, MIN_EXAMPLES)  # numbers of examples that are compared

    def reference_outputs(self, values: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the network's own outputs."""
        with torch.no_grad():
            return as_tuple(self.graph(*values))


def exported_program(case: ExportCase) -> ExportedProgram:
    """Return the graph for any number of examples, and any other size that differs between two batches of samples."""
    values, others = case.sample_inputs(TRACED_EXAMPLES), case.sample_inputs(TRACED_EXAMPLES + 1)
    examples = torch.export.Dim("N")
    shapes = tuple(
        {
            place: examples if (size, other_size) == (TRACED_EXAMPLES, TRACED_EXAMPLES + 1) else torch.export.Dim.AUTO
            for place, (size, other_size) in enumerate(zip(value.shape, other.shape, strict=True))
            if size != other_size
        }
        for value, other in zip(values, others, strict=True)
    )
    return torch.export.export(case.graph, values, dynamic_shapes=(shapes,))


def write_program(case: ExportCase, path: Path) -> RunExported:
    """Write a file of `torch.export`, and return what runs it."""
    torch.export.save(exported_program(case), path)
    module = torch.export.load(path).module()
    return lambda *values: as_tuple(module(*values))
