"""Whether losses, their targets and the network's outputs agree: resolved from their shapes, before anything is built.

What passes here is what `workers.training.objective.losses` can compute (a test compares).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from app.errors import Problem
from app.spec.data.columns import Column
from app.spec.job import JobSpec
from app.spec.training.losses import equivalent_loss, task_type
from app.spec.training.metric_families import TopAccuracy, parse_metric
from app.spec.training.metrics import GENERATED_METRICS, MAX_CLASSES, SPAN_METRICS, UNLIMITED_CLASS_METRICS, metric_kind
from app.spec.training.objective import Head, head_pointer
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE, describe_shape
from workers.network.inference.partial_network import InferredNode, PartialNetwork
from workers.training.validation.outputs.other_losses import OTHER_OUTPUT_CHECKS
from workers.training.validation.outputs.shape_check import TargetShapeCheck
from workers.training.validation.outputs.target_shapes import target_shape_problems

KINDS_WITH_LENGTHS = frozenset(
    {"RNN", "GRU", "LSTM", "TransformerEncoderLayer", "pool_sequence"}
)  # a second input is lengths


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """An output of the network on the meta device, and the nodes that it comes from, the last one first."""

    source: str
    value: Tensor
    path: tuple[InferredNode, ...]
    pointer: str  # the pointer of the node that gives it


def objective_problems(job: JobSpec, targets: Mapping[str, Column | None], draft: PartialNetwork) -> list[Problem]:
    """Return every problem of the objective; none of outputs that could not be settled.

    `targets` are the columns that heads are compared with.
    """
    problems: list[Problem] = []
    trained, minimised = draft.trainable_nodes(), job.training.minimised_heads(job.objective.all_heads())
    for name, head in job.objective.all_heads().items():
        where, target = head_pointer(name), targets[name]
        if (output := find_output(draft, head.output)) is not None:
            wrong = list(
                _output_loss_problems(output) if not head.has_loss_target else _compared_output_problems(output)
            )
            if not wrong and head.has_loss_target and target is not None:
                check = TargetShapeCheck(
                    head.loss, output.value, target, output.path, f"{where}/loss", head.classes == "last"
                )
                wrong += [*target_shape_problems(check), *_metric_problems(head, where, output.value, target)]
                wrong += _other_output_problems(check, output.source, draft)
            if name in minimised and output.source not in trained and output.value.is_floating_point():
                detail = f"{output.source} depends on nothing that is trained"
                wrong.insert(
                    0, Problem("/model", "nothing_to_train", detail, "add a layer with parameters, or a Parameter node")
                )
            problems += wrong
        if head.scores is not None and not head.has_loss_target and target is not None:
            scores = find_output(draft, head.scores)
            problems += _scores_problems(head, where, scores, target) if scores is not None else ()
        if target is not None and not draft.problems:
            problems += _generation_problems(head, where, target, draft)
    return list(dict.fromkeys(problems))


def _other_output_problems(check: TargetShapeCheck, source: str, draft: PartialNetwork) -> Iterator[Problem]:
    """Yield why the outputs that a loss reads beside its own are not what it takes them for."""
    for field, name in check.loss.other_outputs.items():
        other = find_output(draft, name)
        if other is not None and other.source == source:
            detail, hint = f"{check.kind} reads {source} for its output too", "name another output of the network"
            yield Problem(f"{check.pointer}/{field}", "contradiction", detail, hint)
            continue
        problem = OTHER_OUTPUT_CHECKS[field](check, other.value) if other is not None else None
        if problem is not None:
            yield problem


def find_output(draft: PartialNetwork, name: str | None) -> NetworkOutput | None:
    """Return an output of a network, the first one by default; `None` if it is not settled."""
    outputs = draft.blueprint.outputs
    source = outputs.get(name) if name else next(iter(outputs.values()))
    if source is None or source not in draft.values:
        return None
    traces = {each: trace for trace in draft.nodes for each in trace.named_outputs()}
    end = traces.get(source)
    place = "/model" + (end.node.pointer if end is not None else "")
    return NetworkOutput(source, draft.values[source], _trace_path(end, traces), place)


def _compared_output_problems(output: NetworkOutput) -> Iterator[Problem]:
    """An output that is compared has a row of numbers for each example."""
    value, source = output.value, output.source
    if not value.is_floating_point():
        dtype = str(value.dtype).removeprefix("torch.")
        yield Problem(
            output.pointer,
            "dtype_mismatch",
            f"the loss reads {source}, which gives {dtype}",
            "let the loss read an output of float32",
        )
    elif (
        value.ndim == 0
        or value.shape[0] != SYMBOLIC_BATCH_SIZE
        or any(size % SYMBOLIC_BATCH_SIZE == 0 for size in value.shape[1:])
    ):
        detail = f"the loss reads {source}, which gives {describe_shape(value.shape)}: no row for each example"
        yield Problem(output.pointer, "shape_mismatch", detail, "keep dimension 0, which counts the examples")


def _output_loss_problems(output: NetworkOutput) -> Iterator[Problem]:
    """An output that is a loss is one number, or one for each example."""
    shape, source = tuple(output.value.shape), output.source
    if not output.value.is_floating_point():
        dtype = str(output.value.dtype).removeprefix("torch.")
        yield Problem(output.pointer, "dtype_mismatch", f"{source} is the loss, and gives {dtype}", "give float32")
    elif shape not in ((), (SYMBOLIC_BATCH_SIZE,), (SYMBOLIC_BATCH_SIZE, 1)):
        inner = list(range(1, len(shape))) if shape[0] == SYMBOLIC_BATCH_SIZE else []
        hint = f'insert {{"kind": "mean", "dim": {inner}}} after it' if inner else 'insert {"kind": "mean"} after it'
        detail = f"{source} is the loss, and gives {describe_shape(shape)}: neither one number nor one for each example"
        yield Problem(output.pointer, "shape_mismatch", detail, hint)


def _scores_problems(head: Head, where: str, scores: NetworkOutput, target: Column) -> Iterator[Problem]:
    """The output beside an own loss is compared by the metrics: scores, or what was decided, as whole numbers."""
    value = scores.value
    if value.is_floating_point():
        wrong = list(_compared_output_problems(scores))
        if not wrong:
            loss, is_last = equivalent_loss(head.loss, target), head.classes == "last"
            check = TargetShapeCheck(loss, value, target, scores.path, f"{where}/scores", is_last)
            wrong = list(target_shape_problems(check))
        yield from wrong
    elif tuple(value.shape) != (SYMBOLIC_BATCH_SIZE, *target.shape):
        expected = describe_shape((SYMBOLIC_BATCH_SIZE, *target.shape))
        detail = f"{scores.source} gives {describe_shape(value.shape)}, and targets are {expected}"
        yield Problem(f"{where}/scores", "shape_mismatch", detail, "give scores, or one whole number for each target")
    yield from _metric_problems(head, where, value, target)


def _metric_problems(head: Head, where: str, value: Tensor, target: Column) -> Iterator[Problem]:
    """Metrics that an output of this type or width has no answer for."""
    what = task_type(head.loss, target)
    classes = (
        (value.shape[-1 if head.classes == "last" else 1] if value.ndim > 1 else 0)
        if (value.is_floating_point())
        else target.classes or 0
    )
    for position, name in enumerate(head.metrics):
        place = f"{where}/metrics/{position}"
        row = metric_kind(name)
        if row is not None and row.requires != "predicted" and not value.is_floating_point():
            detail = f"{name} needs scores, and the output tells decisions alone"
            yield Problem(place, "contradiction", detail, "let the output give scores, or remove it")
        elif (
            what in ("classes", "tags")
            and classes > MAX_CLASSES
            and name not in UNLIMITED_CLASS_METRICS | SPAN_METRICS
            and not isinstance(parse_metric(name), TopAccuracy)
        ):
            detail = f"{name} is reported of at most {MAX_CLASSES:,} classes, and there are {classes:,}"
            yield Problem(place, "too_many", detail, "use accuracy, top5_accuracy or perplexity")


def _generation_problems(head: Head, where: str, target: Column, draft: PartialNetwork) -> Iterator[Problem]:
    """Metrics of generated texts where no node goes on with the text."""
    node = draft.blueprint.generator
    reads = node.inputs[node.free_running.arguments.get("carry", 0)] if node and node.free_running else None
    for position, name in enumerate(head.metrics):
        if name in GENERATED_METRICS and target.follows is not None and target.follows != reads:
            detail = f'{name} is about texts that a network generates, and no node goes on with "{target.follows}"'
            hint = 'add "generate": {} to the Scan or block that reads it'
            yield Problem(f"{where}/metrics/{position}", "contradiction", detail, hint)


def _trace_path(end: InferredNode | None, traces: Mapping[str, InferredNode]) -> tuple[InferredNode, ...]:
    path: list[InferredNode] = []
    resolved: set[str] = set()
    while end is not None and end.node.id not in resolved:
        path.append(end)
        resolved.add(end.node.id)
        single = len(end.inputs) == 1 or end.node.kind in KINDS_WITH_LENGTHS
        end = traces.get(end.node.inputs[0]) if single else None
    return tuple(path)
