"""The network as a graph for other programs: ONNX, and torch.export's own format.

Both hold one graph that fits every input, so a network whose course depends on the data has no such form.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy
import torch
from torch import Tensor

from app.errors import InvalidInput, MissingDependency, NotExportable, Problem, first_line
from app.spec.data.columns import Column, DataSchema
from app.spec.data.sequence_features import LENGTH_SUFFIX
from app.spec.network.network import Network
from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.inference.shape_inference import infer_shapes
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.leaves import LeafKind
from workers.network.runtime.build import FlowMetrics, GraphModule
from workers.network.runtime.control_flow import RecordMetric, discard_metric
from workers.torch_setup import is_out_of_memory

TRACED_EXAMPLES = 3  # neither 0 nor 1, which the exporter takes for fixed numbers
MAX_ONNX_BYTES = 2**31 - 1  # bytes of one file, which is a protocol buffer
CHECKED_EXAMPLES = (TRACED_EXAMPLES, 2, 5)
PACKAGES: Mapping[str, tuple[str, ...]] = {"onnx": ("onnx", "onnxscript"), "torch_export": ()}

# Kind → why no single graph computes it; `Repeat` and what is written out step by step are looked at more closely.
DATA_DEPENDENT_KINDS: Mapping[str, str] = {
    "If": "which branch runs depends on the data",
    "Route": "which rows go where depends on the data",
    "While": "how often the body runs depends on the data",
    "Fold": "the form of the trees depends on the data",
    **dict.fromkeys(
        ("rand", "randn", "rand_like", "randn_like", "bernoulli"), "it draws random numbers, other ones each time"
    ),
}
UNROLLED_KINDS = frozenset({"RNN", "GRU", "LSTM", "Scan"})  # for one length; batches of `"pad": "max_length"` have one

RunExported = Callable[..., tuple[Tensor, ...]]


class DiscardedFlowMetrics(FlowMetrics):
    """Counts of a graph that is only looked at: nothing is heard."""

    def recorder(self, path: str) -> RecordMetric:
        """Return a tally that forgets."""
        return discard_metric


@dataclass(frozen=True)
class ExportCase:
    """What is exported: the graph, and a function that draws inputs for it (examples, in order)."""

    graph: GraphModule
    sample_inputs: Callable[[int], tuple[Tensor, ...]]

    def reference_outputs(self, values: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the network's own outputs."""
        with torch.no_grad():
            return _as_tuple(self.graph(*values))


def export_graph(
    model: Network, schema: DataSchema, inputs: tuple[str, ...], weights: Mapping[str, Tensor], form: str, path: Path
) -> float:
    """Write the graph, with its weights, for any number of examples and any length of sequences, in a form of `FORMS`.

    The graph takes the inputs in order, and gives the outputs in order. Returns the largest absolute difference of its
    outputs to the network's own, on random inputs. Raises `NotExportable` with every node that stands in the way,
    `NotInstalled`, and `InvalidInput` for a network that cannot be built.
    """
    missing = [name for name in PACKAGES[form] if find_spec(name) is None]
    if missing:
        detail = f"this service lacks the packages {' and '.join(missing)}"
        raise MissingDependency(detail, hint="install graftwerk[onnx] where the API runs")
    settled = infer_shapes(model, schema, inputs)
    if settled.problems:
        raise InvalidInput(settled.problems)
    ragged = any(column.ragged for column in schema.columns if column.name in settled.blueprint.inputs)
    problems = list(_data_dependent_problems(settled.blueprint, ragged))
    if problems:
        raise NotExportable(problems)
    graph = GraphModule(settled.blueprint, DiscardedFlowMetrics())
    graph.load_state_dict(dict(weights))
    case = ExportCase(graph.eval(), _input_sampler(settled.blueprint, schema))
    size = sum(tensor.nbytes for tensor in graph.state_dict().values())
    if form == "onnx" and size > MAX_ONNX_BYTES:
        detail = f"the weights take {size:,} bytes, and a single ONNX file holds at most {MAX_ONNX_BYTES:,}"
        raise NotExportable([Problem("/model", "too_large", detail, "use torch_export")])
    try:
        return _export_and_compare(case, GRAPH_WRITERS[form], path)
    except Exception as error:  # exporters raise errors of many kinds, of which few say which node they mean
        _raise_if_out_of_memory(error)
        raise NotExportable(_find_refused_nodes(case, form, path.name) or [_whole_network_problem(error)]) from error


def _export_and_compare(case: ExportCase, write: "Callable[[ExportCase, Path], RunExported]", path: Path) -> float:
    """Write a graph, read it again, and return the largest difference that it makes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters' notes on themselves
        run = write(case, path)
        return max(_output_difference(run, case, examples) for examples in CHECKED_EXAMPLES)


def _output_difference(run: RunExported, case: ExportCase, examples: int) -> float:
    values = case.sample_inputs(examples)
    pairs = zip(run(*values), case.reference_outputs(values), strict=True)
    return max((_max_abs_difference(found, wanted) for found, wanted in pairs), default=0.0)


def _max_abs_difference(found: Tensor, wanted: Tensor) -> float:
    if found.shape != wanted.shape:
        raise ValueError(f"the graph gives {list(found.shape)} where the network gives {list(wanted.shape)}")
    gap = (found.double() - wanted.double()).abs().nan_to_num(0.0)  # NaN in the same place is no difference
    if not found.isnan().equal(wanted.isnan()):
        return float("inf")
    return float(gap.max()) if gap.numel() else 0.0


def _exported_program(case: ExportCase) -> Any:
    values, others = case.sample_inputs(TRACED_EXAMPLES), case.sample_inputs(TRACED_EXAMPLES + 1)
    examples = torch.export.Dim("N")
    shapes = tuple(
        {
            place: examples if (size, found) == (TRACED_EXAMPLES, TRACED_EXAMPLES + 1) else torch.export.Dim.AUTO
            for place, (size, found) in enumerate(zip(value.shape, other.shape, strict=True))
            if size != found
        }
        for value, other in zip(values, others, strict=True)
    )
    return torch.export.export(case.graph, values, dynamic_shapes=(shapes,))


def _torch_export(case: ExportCase, path: Path) -> RunExported:
    torch.export.save(_exported_program(case), path)
    module = torch.export.load(path).module()
    return lambda *values: _as_tuple(module(*values))


def _onnx(case: ExportCase, path: Path) -> RunExported:
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415 - an optional extra

    blueprint = case.graph.blueprint
    names = list(blueprint.inputs)
    program = torch.onnx.export(
        _exported_program(case),
        dynamo=True,
        verbose=False,
        input_names=names,
        output_names=_unused_names(blueprint.outputs, names),
    )
    if program is None:
        raise RuntimeError("the exporter gave nothing")
    program.save(path)
    session = ReferenceEvaluator(str(path))
    takes = list(session.input_names)  # an input that nothing reads may be gone

    def run(*values: Tensor) -> tuple[Tensor, ...]:
        fed = {name: value.numpy() for name, value in zip(names, values, strict=True) if name in takes}
        return tuple(torch.from_numpy(numpy.array(found, order="C")) for found in session.run(None, fed))

    return run


GRAPH_WRITERS: Mapping[str, Callable[[ExportCase, Path], RunExported]] = {"onnx": _onnx, "torch_export": _torch_export}


def _unused_names(outputs: Mapping[str, str], taken: list[str]) -> list[str]:
    """Return names of outputs that no input has: in ONNX all values share one space."""
    return [f"{name}_out" if name in taken else name for name in outputs]


def _as_tuple(output: Any) -> tuple[Tensor, ...]:
    return tuple(output) if isinstance(output, tuple | list) else (output,)


def _data_dependent_problems(blueprint: Blueprint, ragged: bool, within: str = "") -> Iterator[Problem]:
    """Yield a problem for every node whose course depends on the data, those in bodies too."""
    for node in blueprint.nodes:
        why = DATA_DEPENDENT_KINDS.get(node.kind, "")
        if node.kind == "Repeat" and node.parameters["times"] is None:
            why = "a node tells how often the body runs"
        if node.kind in UNROLLED_KINDS and ragged:
            why = "its steps are written out, and sequences are of any length"
        name = f"{within}{node.id}"
        if why:
            yield _problem(node, name, why)
        for body in node.bodies.values() if not why else ():
            yield from _data_dependent_problems(body, ragged, f"{name}/")


def _problem(node: ResolvedNode, name: str, why: str) -> Problem:
    detail = f"{name} ({node.kind}) has no fixed graph: {why}"
    return Problem(f"/model{node.pointer}", "not_exportable", detail, "use model.py, which computes the same")


def _find_refused_nodes(case: ExportCase, form: str, name: str) -> list[Problem]:
    """Export every node alone, on the values that it gets, and return a problem for each that is refused."""
    blueprint, drawn = case.graph.blueprint, case.sample_inputs
    problems, seen = [], set()
    for node in blueprint.nodes:
        if isinstance(CATALOG[node.kind], LeafKind) or (what := f"{node.kind} {node.parameters}") in seen:
            continue
        seen.add(what)
        names = tuple(f"in{place}" for place in range(len(node.inputs)))
        alone = ResolvedNode(
            node.id, node.kind, node.parameters, names, node.pointer, node.outputs, node.bodies, node.share
        )
        part = GraphModule(Blueprint(names, (alone,), {"output": node.id}), DiscardedFlowMetrics()).eval()
        before = GraphModule(
            Blueprint(blueprint.inputs, blueprint.nodes, dict(zip(names, node.inputs, strict=True))),
            DiscardedFlowMetrics(),
        )
        before.load_state_dict(case.graph.state_dict())
        before.eval()

        def draw(examples: int, before: GraphModule = before) -> tuple[Tensor, ...]:
            with torch.no_grad():
                return _as_tuple(before(*drawn(examples)))

        try:
            with TemporaryDirectory(prefix="graftwerk-export-") as folder:
                _export_and_compare(ExportCase(part, draw), GRAPH_WRITERS[form], Path(folder) / name)
        except Exception as error:  # as above
            _raise_if_out_of_memory(error)
            problems.append(_problem(node, node.id, _exporter_message(error)))
    return problems


def _raise_if_out_of_memory(error: Exception) -> None:
    """Raise what is no fault of the network: that memory or a disk is full."""
    if isinstance(error, MemoryError | OSError):
        raise error
    if is_out_of_memory(error):
        raise MemoryError(str(error)) from error


def _whole_network_problem(error: Exception) -> Problem:
    detail = f"the network as a whole is refused: {_exporter_message(error)}"
    return Problem("/model", "not_exportable", detail, "use model.py, which computes the same")


def _exporter_message(error: Exception) -> str:
    """Return the exporter's own words, from the innermost error that it tells."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return first_line(error)[:300]


def _input_sampler(blueprint: Blueprint, schema: DataSchema) -> Callable[[int], tuple[Tensor, ...]]:
    """Return what draws random examples: normal floats, and whole numbers that every embedding knows.

    Sequences are as long as can be for an odd number of examples, and one moment shorter for an even one.
    """

    def draw(examples: int) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(examples)
        return tuple(
            _random_column(schema, name, _vocabulary_size(blueprint, name), examples, generator)
            for name in blueprint.inputs
        )

    return draw


def _random_column(schema: DataSchema, name: str, words: int, examples: int, generator: torch.Generator) -> Tensor:
    column = schema.column(name)
    if column is None:
        raise InvalidInput([Problem("/model/inputs", "unknown_input", f'the data has no field "{name}"', "")])
    shape, dtype = (examples, *_shape(column, examples)), getattr(torch, column.dtype)
    if dtype.is_floating_point:
        return torch.randn(shape, generator=generator, dtype=dtype)
    sequence = schema.column(name.removesuffix(LENGTH_SUFFIX)) if name.endswith(LENGTH_SUFFIX) else None
    if sequence is not None and (sequence.ragged or sequence.padded):
        return torch.randint(1, _shape(sequence, examples)[0] + 1, shape, generator=generator)
    return torch.randint(0, words, shape, generator=generator).to(dtype)


def _shape(column: Column, examples: int) -> tuple[int, ...]:
    if not column.ragged or examples % 2 or column.shape[0] == 1:
        return column.shape
    return (column.shape[0] - 1, *column.shape[1:])


def _vocabulary_size(blueprint: Blueprint, name: str) -> int:
    known = [
        node.parameters["num_embeddings"]
        for node in blueprint.nodes
        if node.kind == "Embedding" and node.inputs == (name,)
    ]
    return min(known, default=2)
