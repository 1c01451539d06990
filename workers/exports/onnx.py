"""ONNX: one file with the graph and its weights."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from workers.exports.program import ExportCase, RunExported, exported_program

MAX_ONNX_BYTES = 2**31 - 1  # bytes of one file, which is a protocol buffer


def _remainder(a: Tensor | float, b: Tensor | float) -> Any:
    """Return the remainder as torch computes it; torch's exporter divides, whose rounding errors grow with a / b."""
    rest = torch.fmod(a, b)  # type: ignore[arg-type]
    if not rest.is_floating_point():
        return NotImplemented  # of integers ONNX has an operation
    wrong_sign = (rest != 0) & ((rest < 0) != (b < 0))
    return torch.where(wrong_sign, rest + b, rest)


DECOMPOSITIONS: dict[torch._ops.OperatorBase, Callable[..., Any]] = {
    torch.ops.aten.remainder.Scalar: _remainder,
    torch.ops.aten.remainder.Tensor: _remainder,
}


def write_onnx(case: ExportCase, path: Path) -> RunExported:
    """Write an ONNX file, and return what runs it. Raises what torch's exporter raises."""
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415 - an optional extra

    blueprint = case.graph.blueprint
    names = list(blueprint.inputs)
    program = torch.onnx.export(
        exported_program(case).run_decompositions(DECOMPOSITIONS),
        dynamo=True,
        verbose=False,
        input_names=names,
        output_names=_unused_names(blueprint.outputs, names),
    )
    if program is None:
        raise RuntimeError("the exporter returned nothing")
    program.save(path)
    session = ReferenceEvaluator(str(path), new_ops=[_max_pool()])
    input_names = list(session.input_names)  # without inputs that nothing reads

    def run(*values: Tensor) -> tuple[Tensor, ...]:
        feeds = {name: value.numpy() for name, value in zip(names, values, strict=True) if name in input_names}
        return tuple(torch.from_numpy(numpy.array(output, order="C")) for output in session.run(None, feeds))

    return run


def _max_pool() -> type[Any]:
    """Return the reference's MaxPool with the places of what it took, which its shortcut for strides of 1 gets wrong.

    torch's exporter numbers the places of each channel by a pool of one element.
    """
    from onnx.reference.ops.op_max_pool import MaxPool as ReferenceMaxPool  # noqa: PLC0415 - an optional extra

    class MaxPool(ReferenceMaxPool):
        """It is found by its name."""

        def _run(self, *values: Any, **settings: Any) -> Any:
            run = super()._max_pool if len(self.onnx_node.output) > 1 else super()._run
            return run(*values, **settings)  # type: ignore[no-untyped-call]

    return MaxPool


def _unused_names(outputs: Mapping[str, str], taken: list[str]) -> list[str]:
    """Return names of outputs that no input has: in ONNX all values share one namespace."""
    return [f"{name}_out" if name in taken else name for name in outputs]
