"""Export of a network as one graph for other programs, in ONNX or the format of torch.export.

A network whose control flow depends on the data has no single graph.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from app.errors import InvalidInput, MissingDependency, NotExportable, Problem, first_line
from app.spec.data.columns import DataSchema
from app.spec.network.network import Network
from workers.exports.onnx import MAX_ONNX_BYTES, write_onnx
from workers.exports.program import TRACED_EXAMPLES, ExportCase, RunExported, write_program
from workers.exports.samples import ValueRanges, input_sampler, sample_count
from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.inference.shape_inference import infer_shapes
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.leaves import LeafKind
from workers.network.kinds.operations import OPERATIONS
from workers.network.runtime.build import FlowMetrics, GraphModule
from workers.network.runtime.control_flow import RecordMetric, as_tuple, discard_metric
from workers.torch_setup import is_out_of_memory

PACKAGES: Mapping[str, tuple[str, ...]] = {"onnx": ("onnx", "onnxscript"), "torch_export": ()}

# Kind → why no single graph computes it. `Repeat` and `UNROLLED_KINDS` depend on their parameters.
DATA_DEPENDENT_KINDS: Mapping[str, str] = {
    "If": "which branch runs depends on the data",
    "Route": "which rows go where depends on the data",
    "While": "how often the body runs depends on the data",
    "Fold": "the shape of the trees depends on the data",
    **{kind: "it draws new random numbers in every run" for kind, row in OPERATIONS.items() if row.uses_rng},
}
UNROLLED_KINDS = frozenset({"RNN", "GRU", "LSTM", "Scan"})  # for one length, as with `"pad": "max_length"`

GraphWriter = Callable[[ExportCase, Path], RunExported]


class DiscardedFlowMetrics(FlowMetrics):
    """Metrics of control flow that are not recorded."""

    def recorder(self, path: str) -> RecordMetric:
        """Return a function that ignores a metric."""
        return discard_metric


def export_graph(
    model: Network,
    schema: DataSchema,
    inputs: tuple[str, ...],
    weights: Mapping[str, Tensor],
    form: str,
    path: Path,
    ranges: ValueRanges | None = None,
    part: Callable[[Blueprint], Blueprint] | None = None,
) -> float:
    """Write the graph with its weights, for any number of examples and any length of sequences.

    `form` is a key of `GRAPH_WRITERS`. The graph takes the inputs and returns the outputs in order, those of the
    network or of what `part` makes of it. Returns the largest absolute difference between its outputs and the
    network's, on random inputs within `ranges`. Raises `NotExportable` with every node that cannot be exported,
    `MissingDependency`, and `InvalidInput` for a network that cannot be built.
    """
    missing = [name for name in PACKAGES[form] if find_spec(name) is None]
    if missing:
        detail = f"this service lacks the packages {' and '.join(missing)}"
        raise MissingDependency(detail, hint="install graftwerk[onnx] where the API runs")
    inferred = infer_shapes(model, schema, inputs)
    if inferred.problems:
        raise InvalidInput(inferred.problems)
    blueprint = part(inferred.blueprint) if part is not None else inferred.blueprint
    ragged = any(column.ragged for column in schema.columns if column.name in blueprint.inputs)
    problems = list(_data_dependent_problems(blueprint, ragged))
    if problems:
        raise NotExportable(problems)
    graph = GraphModule(blueprint, DiscardedFlowMetrics())
    names = graph.state_dict().keys() if part is not None else weights.keys()
    graph.load_state_dict({name: weights[name] for name in names})
    samples = (TRACED_EXAMPLES, 2, sample_count(blueprint, schema))
    case = ExportCase(graph.eval(), input_sampler(blueprint, schema, ranges), samples)
    size = sum(tensor.nbytes for tensor in graph.state_dict().values())
    if form == "onnx" and size > MAX_ONNX_BYTES:
        detail = f"the weights take {size:,} bytes, and a single ONNX file holds at most {MAX_ONNX_BYTES:,}"
        raise NotExportable([Problem("/model", "too_large", detail, "use torch_export")])
    try:
        return _export_and_compare(case, GRAPH_WRITERS[form], path)
    except Exception as error:  # exporters raise many types of errors, few of which name the node
        _raise_if_out_of_memory(error)
        raise NotExportable(_find_refused_nodes(case, form, path) or [_whole_network_problem(error)]) from error


def _export_and_compare(case: ExportCase, write: GraphWriter, path: Path) -> float:
    """Write a graph, read it again, and return the largest difference of its outputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the exporters' internals
        run = write(case, path)
        return max(_output_difference(run, case, examples) for examples in case.samples)


def _output_difference(run: RunExported, case: ExportCase, examples: int) -> float:
    values = case.sample_inputs(examples)
    pairs = zip(run(*values), case.reference_outputs(values), strict=True)
    return max((_max_abs_difference(actual, expected) for actual, expected in pairs), default=0.0)


def _max_abs_difference(actual: Tensor, expected: Tensor) -> float:
    if actual.shape != expected.shape:
        raise ValueError(f"the graph returns {list(actual.shape)} where the network returns {list(expected.shape)}")
    gap = (actual.double() - expected.double()).abs().nan_to_num(0.0)  # NaN in the same place is no difference
    if not actual.isnan().equal(expected.isnan()):
        return float("inf")
    return float(gap.max()) if gap.numel() else 0.0


GRAPH_WRITERS: Mapping[str, GraphWriter] = {"onnx": write_onnx, "torch_export": write_program}


def _data_dependent_problems(blueprint: Blueprint, ragged: bool, within: str = "") -> Iterator[Problem]:
    """Yield a problem for every node that depends on the data in a way that no graph has, in bodies too."""
    for node in blueprint.nodes:
        why = DATA_DEPENDENT_KINDS.get(node.kind, "")
        if node.kind == "Repeat" and node.parameters["times"] is None:
            why = "a node computes how often the body runs"
        if node.kind in UNROLLED_KINDS and ragged:
            why = "its steps are unrolled, and sequences have variable length"
        name = f"{within}{node.id}"
        if why:
            yield _problem(node, name, why)
        for body in node.bodies.values() if not why else ():
            yield from _data_dependent_problems(body, ragged, f"{name}/")


def _problem(node: ResolvedNode, name: str, why: str) -> Problem:
    detail = f"{name} ({node.kind}) has no fixed graph: {why}"
    return Problem(f"/model{node.pointer}", "not_exportable", detail, "use model.py, which computes the same")


def _find_refused_nodes(case: ExportCase, form: str, path: Path) -> list[Problem]:
    """Export every node alone, on its inputs, and return a problem for each that fails."""
    blueprint, sample_inputs = case.graph.blueprint, case.sample_inputs
    problems, tried = [], set()
    for node in blueprint.nodes:
        if isinstance(CATALOG[node.kind], LeafKind) or (key := f"{node.kind} {node.parameters}") in tried:
            continue
        tried.add(key)
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
                return as_tuple(before(*sample_inputs(examples)))

        try:
            with TemporaryDirectory(dir=path.parent) as folder:
                _export_and_compare(ExportCase(part, draw), GRAPH_WRITERS[form], Path(folder) / path.name)
        except Exception as error:  # as above
            _raise_if_out_of_memory(error)
            problems.append(_problem(node, node.id, _exporter_message(error)))
    return problems


def _raise_if_out_of_memory(error: Exception) -> None:
    """Raise errors that are no fault of the network: a full memory or disk."""
    if isinstance(error, MemoryError | OSError):
        raise error
    if is_out_of_memory(error):
        raise MemoryError(str(error)) from error


def _whole_network_problem(error: Exception) -> Problem:
    detail = f"the network cannot be exported: {_exporter_message(error)}"
    return Problem("/model", "not_exportable", detail, "use model.py, which computes the same")


def _exporter_message(error: Exception) -> str:
    """Return the first line of the exporter's message, from its innermost cause."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return first_line(error)[:300]
