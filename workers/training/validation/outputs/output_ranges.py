"""Networks whose last activation gives other numbers than their loss compares: they train, and learn something else."""

from collections.abc import Iterator, Mapping

from app.errors import Problem
from app.spec.data.columns import Column
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.job import JobSpec
from app.spec.training.objective import Head, head_pointer
from workers.network.inference.partial_network import InferredNode, PartialNetwork
from workers.training.validation.objective import NetworkOutput, find_output

RESHAPING_KINDS = frozenset(
    {"Flatten", "Unflatten", "Identity", "Dropout", "reshape", "squeeze", "unsqueeze", "permute", "transpose"}
)
UNBOUNDED_KINDS = frozenset({"Linear", "Conv1d", "Conv2d", "Conv3d", "linear", "conv1d", "conv2d", "conv3d"})
PROBABILITY_KINDS = frozenset({"Sigmoid", "Hardsigmoid", "Softmax", "Softmax2d", "sigmoid", "softmax"})
POSITIVE_KINDS = PROBABILITY_KINDS | {"ReLU", "ReLU6", "Softplus", "relu", "softplus", "exp", "abs"}
BOUNDED_KINDS = frozenset({"Tanh", "Hardtanh", "Softsign", "tanh"})

# Loss → kinds that give what it does not compare, what that is, and what to do.
UNFIT_OUTPUTS: Mapping[str, tuple[frozenset[str], str, str]] = {
    **dict.fromkeys(
        ("CrossEntropyLoss", "MultiMarginLoss"),
        (PROBABILITY_KINDS, "compares scores of any size, which it brings between 0 and 1 itself", "remove it"),
    ),
    **dict.fromkeys(
        ("BCEWithLogitsLoss", "SoftMarginLoss", "MultiLabelSoftMarginLoss"),
        (POSITIVE_KINDS, "takes a score above 0 for a yes, so that no answer would be no", "remove it"),
    ),
    "NLLLoss": (
        UNBOUNDED_KINDS | POSITIVE_KINDS | BOUNDED_KINDS,
        "compares logarithms of probabilities, and falls without end on others",
        'use {"kind": "CrossEntropyLoss"} on scores, or end with {"kind": "LogSoftmax", "dim": 1}',
    ),
    "CTCLoss": (
        UNBOUNDED_KINDS | POSITIVE_KINDS | BOUNDED_KINDS,
        "compares logarithms of probabilities, and falls without end on others",
        'end with {"kind": "LogSoftmax", "dim": 1}',
    ),
    "KLDivLoss": (
        UNBOUNDED_KINDS | POSITIVE_KINDS | BOUNDED_KINDS,
        "compares logarithms of probabilities, and falls without end on others",
        'end with {"kind": "LogSoftmax", "dim": 1}',
    ),
    "BCELoss": (
        UNBOUNDED_KINDS,
        "compares probabilities, and fails on others",
        'use {"kind": "BCEWithLogitsLoss"}, or insert {"kind": "Sigmoid"} after it',
    ),
}


def output_range_warnings(
    job: JobSpec, features: ResolvedFeatures, targets: Mapping[str, Column | None], draft: PartialNetwork
) -> Iterator[Problem]:
    """Yield a warning for each head whose output has another range than its loss compares.

    `targets` are the columns that heads are compared with.
    """
    for name, head in job.objective.all_heads().items():
        target, output = targets[name], find_output(draft, head.output)
        if output is not None and not head.has_loss_target:
            yield from _own_loss_warnings(head_pointer(name), output)
        if target is None or output is None or not head.has_loss_target:
            continue
        yield from _unused_score_warnings(head, head_pointer(name), output, target)
        last = next((trace for trace in output.path if trace.node.kind not in RESHAPING_KINDS), None)
        if last is None:
            continue
        place, what = f"{head_pointer(name)}/loss", f"{last.node.id} ({last.node.kind})"
        kinds, expected, hint = UNFIT_OUTPUTS.get(head.loss.kind, (frozenset(), "", ""))
        if last.node.kind in kinds:
            yield Problem(place, "output_range", f"{head.loss.kind} {expected}: it reads {what}", hint)
        elif _is_standardised(features, target) and (given := _given_range(last)) is not None:
            detail = f'"{target.name}" is standardised, with values on both sides of 0, and {what} gives none {given}'
            columns = ", ".join(f'"{column}"' for column in features.feature_of(target.name).source_columns)
            feature = f'{{"{target.name}": {{"kind": "numbers", "columns": [{columns}], "scale": "none"}}}}'
            yield Problem(
                place, "output_range", detail, f'remove it, or learn the numbers as they are: "features": {feature}'
            )


def _own_loss_warnings(pointer: str, output: NetworkOutput) -> Iterator[Problem]:
    """Yield that what is minimised grows as the network learns: it is the log-probability of the target."""
    node = output.path[0].node if output.path else None
    if (
        node is not None
        and node.kind == "AdaptiveLogSoftmaxWithLoss"
        and output.source in (node.id, f"{node.id}.output")
    ):
        detail = f"{output.source} is the log-probability of the target, which falls without end if it is minimised"
        yield Problem(f"{pointer}/output", "output_range", detail, f"let the output of the loss be {node.id}.loss")


def _unused_score_warnings(head: Head, pointer: str, output: NetworkOutput, target: Column) -> Iterator[Problem]:
    """Yield that there are more scores than labels, of which the others can be predicted, and mean nothing."""
    is_of_classes, labels = head.loss.row.task_type == "classes", len(target.labels or ())
    if is_of_classes and labels and output.value.ndim > 1:
        scores = output.value.shape[-1 if head.classes == "last" else 1]
        if scores > labels:
            detail = f'"{target.name}" has {labels} labels, and {output.source} gives {scores} scores, some for none'
            yield Problem(f"{pointer}/loss", "unused_scores", detail, f"give {labels} scores")


def _is_standardised(features: ResolvedFeatures, target: Column) -> bool:
    feature = features.features.get(target.name)
    return feature is not None and feature.kind == "numbers" and feature.model_dump().get("scale") == "standard"


def _given_range(last: InferredNode) -> str | None:
    """Return which numbers an activation never gives, in words; `None` if it gives all."""
    if last.node.kind in PROBABILITY_KINDS:
        return "outside 0 to 1"
    if last.node.kind in POSITIVE_KINDS:
        return "below 0"
    return "outside -1 to 1" if last.node.kind in BOUNDED_KINDS else None
