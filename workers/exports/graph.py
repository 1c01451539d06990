"""The network as a graph for other programs: ONNX, and torch.export's own format.

Both hold one graph that fits every input, so a network whose course depends on the data has no such form.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from app.errors import InvalidInput, MissingDependency, NotExportable, Problem
from app.spec.data.columns import DataSchema
from app.spec.network.network import Network
from workers.exports.onnx import MAX_ONNX_BYTES, write_onnx
from workers.exports.program import TRACED_EXAMPLES, ExportCase, RunExported, write_program
from workers.exports.samples import input_sampler
from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.inference.shape_inference import infer_shapes
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.leaves import LeafKind
from workers.network.kinds.operations import OPERATIONS
from workers.network.runtime.build import FlowMetrics, GraphModule
from workers.network.runtime.control_flow import RecordMetric, as_tuple, discard_metric
from workers.torch_errors import OUT_OF_MEMORY_MESSAGES

CHECKED_EXAMPLES = (TRACED_EXAMPLES, 2, 5)
PACKAGES: Mapping[str, tuple[str, ...]] = {"onnx": ("onnx", "onnxscript"), "torch_export": ()}

# Kind → why no single graph computes it; `Repeat` and what is written out step by step are looked at more closely.
DATA_DEPENDENT_KINDS: Mapping[str, str] = {
    "If": "which branch runs depends on the data",
    "Route": "which rows go where depends on the data",
    "While": "how often the body runs depends on the data",
    "Fold": "the form of the trees depends on the data",
    **{kind: "it draws random numbers, other ones each time" for kind, row in OPERATIONS.items() if row.uses_rng},
}
UNROLLED_KINDS = frozenset({"RNN", "GRU", "LSTM", "Scan"})  # for one length; batches of `"pad": "max_length"` have one

GraphWriter = Callable[[ExportCase, Path], RunExported]


class DiscardedFlowMetrics(FlowMetrics):
    """Counts of a graph that is only looked at: nothing is heard."""

    def recorder(self, path: str) -> RecordMetric:
        """Return a tally that forgets."""
        return discard_metric


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
    case = ExportCase(graph.eval(), input_sampler(settled.blueprint, schema))
    size = sum(tensor.nbytes for tensor in graph.state_dict().values())
    if form == "onnx" and size > MAX_ONNX_BYTES:
        detail = f"the weights take {size:,} bytes, and a single ONNX file holds at most {MAX_ONNX_BYTES:,}"
        raise NotExportable([Problem("/model", "too_large", detail, "use torch_export")])
    try:
        return _export_and_compare(case, GRAPH_WRITERS[form], path)
    except Exception as error:  # exporters raise errors of many kinds, of which few say which node they mean
        _raise_if_out_of_memory(error)
        raise NotExportable(_find_refused_nodes(case, form, path.name) or [_whole_network_problem(error)]) from error


def _export_and_compare(case: ExportCase, write: GraphWriter, path: Path) -> float:
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


GRAPH_WRITERS: Mapping[str, GraphWriter] = {"onnx": write_onnx, "torch_export": write_program}


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
                return as_tuple(before(*drawn(examples)))

        try:
            with TemporaryDirectory(prefix="graftwerk-export-") as folder:
                _export_and_compare(ExportCase(part, draw), GRAPH_WRITERS[form], Path(folder) / name)
        except Exception as error:  # as above
            _raise_if_out_of_memory(error)
            problems.append(_problem(node, node.id, _first_line(error)))
    return problems


def _raise_if_out_of_memory(error: Exception) -> None:
    """Raise what is no fault of the network: that memory or a disk is full."""
    if isinstance(error, MemoryError | OSError):
        raise error
    if any(words in str(error) for words in OUT_OF_MEMORY_MESSAGES):
        raise MemoryError(str(error)) from error


def _whole_network_problem(error: Exception) -> Problem:
    detail = f"the network as a whole is refused: {_first_line(error)}"
    return Problem("/model", "not_exportable", detail, "use model.py, which computes the same")


def _first_line(error: Exception) -> str:
    """Return the exporter's own words, from the innermost error that it tells."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
