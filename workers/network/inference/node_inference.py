"""Shape inference of one node: by rule, or by running it on the meta device."""

import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from app.errors import first_line
from app.spec.network.nodes import WiredNode
from workers.network.blueprint import Parameters, ResolvedNode
from workers.network.inference.costs import count_weights
from workers.network.inference.input_checks import (
    INDEX_DTYPES,
    META,
    SYMBOLIC_BATCH_SIZE,
    NodeError,
    check_cutoffs,
    check_dimension,
    check_dtypes,
    check_lengths,
    check_scalar,
    describe_shape,
    resolve_parameters,
)
from workers.network.inference.partial_network import InferredNode
from workers.network.inference.shape_rules import POINTWISE_KINDS, apply_shape_rule
from workers.network.inference.weights import check_weights
from workers.network.kinds.leaves import INITIALISERS, LeafKind
from workers.network.kinds.module_kind import ModuleKind
from workers.network.kinds.operations import COMPARISONS, OperationKind
from workers.network.kinds.sequences import run_recurrent
from workers.network.runtime.control_flow import as_tuple
from workers.network.runtime.plan import NodeCall

MAX_NODE_WEIGHTS = 1 << 40  # elements; more than any memory holds, and far from overflowing 64 bits
TORCH_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, AssertionError, ArithmeticError)
BROADCASTING_KINDS = frozenset({"add", "sub", "mul", "div", "pow", "maximum", "minimum", "where", *COMPARISONS})
HINTS = {
    "cat": "all dimensions but `dim` must be equal",
    "stack": "all shapes must be equal",
    "reshape": "0 keeps the dimension at that index, -1 is inferred",
    "matmul": "the last dimension of the first must equal the last but one of the second",
    **dict.fromkeys(BROADCASTING_KINDS, "dimensions must be equal, or 1"),
    **dict.fromkeys(
        ("MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"),
        "the second input are the indices of the pool that made the first one's shape: POOL.indices; "
        "output_size is within a stride of what it is by default",
    ),
}


def infer_node(
    wired: WiredNode,
    row: ModuleKind | OperationKind | LeafKind,
    parameters: Parameters,
    inputs: tuple[Tensor, ...],
    place: str,
    spend: Callable[[str, int], None],
) -> InferredNode:
    """Return the outputs and sizes of a node. Raises `NodeError`, and what `spend(node, cost)` raises."""
    kind, name = wired.node.kind, wired.id
    if isinstance(row, ModuleKind):
        parameters = resolve_parameters(name, row, parameters, inputs)
    if isinstance(row, ModuleKind) and row.has_weights:
        check_weights(name, row, parameters)
    check_cutoffs(name, parameters)
    if (count := count_weights(kind, parameters)) > MAX_NODE_WEIGHTS:
        raise NodeError(f"{name} would have {count:,} parameters", "make it smaller", code="too_many_parameters")
    check_dimension(name, kind, parameters, inputs)
    check_scalar(name, kind, parameters, inputs)
    node = ResolvedNode(name, kind, parameters, wired.inputs, place + wired.pointer, wired.node.output_names())
    if isinstance(row, LeafKind):
        return _infer_leaf(node, row)
    if isinstance(row, ModuleKind):
        plain = inputs and not row.named_inputs(parameters) and parameters.get("parametrization") is None
        if plain and (result := apply_shape_rule(kind, parameters, tuple(inputs[0].shape))) is not None:
            shape, trained, buffers = result
            if shape == inputs[0].shape:
                return InferredNode(node, inputs, inputs[0], trained, buffers)
            (output,) = _call_on_meta(node, inputs, lambda *_: torch.empty(shape, device=META))
            return InferredNode(node, inputs, output, trained, buffers)
        spend(name, row.cost_of(parameters))
        return _infer_module(node, row, inputs)
    check_dtypes(name, row.accepts, check_lengths(name, row.lengths_index, inputs))
    if kind in POINTWISE_KINDS and len(inputs) == 1 and inputs[0].dtype == torch.float32:
        return InferredNode(node, inputs, inputs[0])
    spend(name, 1)
    output, *others = _call_on_meta(node, inputs, row.bind(parameters))
    if kind in BROADCASTING_KINDS and list(output.shape).count(SYMBOLIC_BATCH_SIZE) > 1:
        detail = f"{name} would combine every example with every other: {_describe_shapes(inputs)}"
        hint = 'give both the same number of dimensions, for example with {"kind": "squeeze", "dim": 1}'
        raise NodeError(detail, hint)
    return InferredNode(node, inputs, output, other_outputs=tuple(others))


def _infer_module(node: ResolvedNode, row: ModuleKind, inputs: tuple[Tensor, ...]) -> InferredNode:
    parameters = dict(node.parameters)
    if parameters.get("momentum", 0.0) is None:  # it would read a counter, which has no value here
        parameters["momentum"] = 0.0
    try:
        with META:
            module = row.module(parameters)
    except TORCH_ERRORS as error:
        raise NodeError(f"{node.id}: {_torch_message(error)}", code="invalid_value") from None
    call: NodeCall = row.bind(module, node.parameters)
    if row.call is run_recurrent:
        call = partial(_recurrent_output, node)
    if node.kind in LOSS_RULES:
        call = partial(LOSS_RULES[node.kind], node)
    with ExitStack() as stack:
        counter = stack.enter_context(FlopCounterMode(display=False)) if row.opaque else None
        if not inputs:
            stack.enter_context(META)  # it creates a tensor
        output, *others = _call_on_meta(node, inputs, call)
    trained, buffers = (sum(each.numel() for each in group) for group in (module.parameters(), module.buffers()))
    operations = counter.get_total_flops() if counter is not None else None
    return InferredNode(node, inputs, output, trained, buffers, tuple(others), flops=operations)


def _call_on_meta(node: ResolvedNode, inputs: tuple[Tensor, ...], call: NodeCall) -> tuple[Tensor, ...]:
    try:
        return as_tuple(call(*inputs))
    except TORCH_ERRORS as error:
        line = _torch_message(error)
        if "overflow" in line:
            detail = f"{node.id} would create a tensor larger than any memory"
            raise NodeError(detail, "make it smaller", code="too_much_memory") from None
        verb = "combine" if len(inputs) > 1 else "take"
        raise NodeError(
            f"{node.id} cannot {verb} {_describe_shapes(inputs)}: {line}", HINTS.get(node.kind, "")
        ) from None


def _describe_shapes(values: tuple[Tensor, ...]) -> str:
    return " and ".join(describe_shape(value.shape) for value in values)


def _torch_message(error: Exception) -> str:
    """Return the first line of torch's message, with the batch size as N."""
    return re.sub(r"\d+", lambda match: _number(int(match[0])), first_line(error))


def _number(value: int) -> str:
    times, rest = divmod(value, SYMBOLIC_BATCH_SIZE)
    return str(value) if rest or not value else f"{times if times > 1 else ''}N"


def _gaussian_loss(node: ResolvedNode, mean: Tensor, target: Tensor, variance: Tensor) -> Tensor:
    """Return the output of GaussianNLLLoss, of which torch reads values."""
    if variance.shape not in (mean.shape, (*mean.shape[:-1], 1), mean.shape[:-1]):
        detail = f"the variance of {node.id} is {describe_shape(variance.shape)}, its mean {describe_shape(mean.shape)}"
        raise NodeError(detail, "give one variance for each number, or one for each example (N, 1)", field="inputs/2")
    return torch.nn.functional.mse_loss(mean, target, reduction=node.parameters["reduction"])


def _connectionist_loss(node: ResolvedNode, scores: Tensor, targets: Tensor, *lengths: Tensor) -> Tensor:
    """Return the output of CTCLoss, of which torch reads values."""
    if targets.ndim != 2 or targets.dtype not in INDEX_DTYPES:
        detail = f"the targets of {node.id} are {describe_shape(targets.shape)} of {str(targets.dtype)[6:]}"
        raise NodeError(detail, "give class numbers (N, S)", field="inputs/1")
    for place, value in enumerate(lengths, start=2):
        if value.shape != (SYMBOLIC_BATCH_SIZE,) or value.dtype not in INDEX_DTYPES:
            detail = f"the lengths of {node.id} are {describe_shape(value.shape)} of {str(value.dtype)[6:]}"
            raise NodeError(detail, "use one integer per example", field=f"inputs/{place}")
    if node.parameters["blank"] >= scores.shape[2]:
        detail = f"{node.id} reads scores of {scores.shape[2]} classes"
        raise NodeError(detail, f"use 0 to {scores.shape[2] - 1}", field="blank", code="invalid_value")
    return scores[:, 0, 0] if node.parameters["reduction"] == "none" else scores.mean()


def _adaptive_softmax(node: ResolvedNode, x: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
    """Return the outputs of AdaptiveLogSoftmaxWithLoss, whose computation depends on values."""
    if x.dtype != torch.float32:
        detail = f"{node.id} expects float32 but receives {str(x.dtype)[6:]}"
        raise NodeError(detail, "give features (N, F), then class numbers (N)", field="inputs/0", code="dtype_mismatch")
    if targets.shape != (SYMBOLIC_BATCH_SIZE,) or targets.dtype != torch.int64:
        detail = f"the targets of {node.id} are {describe_shape(targets.shape)} of {str(targets.dtype)[6:]}"
        raise NodeError(detail, "give class numbers (N) of int64", field="inputs/1")
    classes = node.parameters["n_classes"]
    shapes: tuple[tuple[int, ...], ...] = (tuple(targets.shape), (), (len(x), classes))
    return tuple(torch.empty(shape, device=META) for shape in shapes[: len(node.outputs)])


LOSS_RULES: Mapping[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    "GaussianNLLLoss": _gaussian_loss,
    "CTCLoss": _connectionist_loss,
    "AdaptiveLogSoftmaxWithLoss": _adaptive_softmax,
}


def _recurrent_output(node: ResolvedNode, x: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """Return the outputs of `run_recurrent` by rule: on the meta device torch would still run every step."""
    parameters, (examples, steps, _) = node.parameters, x.shape
    directions = 1 + parameters["bidirectional"]
    hidden = parameters.get("proj_size") or parameters["hidden_size"]
    layers = directions * parameters["num_layers"]
    states = {"h_0": (examples, layers, hidden), "c_0": (examples, layers, parameters["hidden_size"])}
    given = [name for name in states if parameters.get(name) is not None]
    for name, value in zip(given, others[len(others) - len(given) :], strict=True):
        if value.shape != states[name]:
            detail = f"{name} of {node.id} is {describe_shape(states[name])} but receives {describe_shape(value.shape)}"
            raise NodeError(detail, "give (N, num_layers x directions, H)", field=name)
    leading = (examples, steps) if parameters["returns"] == "sequence" else (examples,)
    shape = (*leading, directions * hidden)
    final = [states[name.replace("_n", "_0")] for name in node.outputs[1:]]
    return tuple(torch.empty(each, device=META) for each in (shape, *final))


def _infer_leaf(node: ResolvedNode, row: LeafKind) -> InferredNode:
    parameters, field, hint = node.parameters, "value", "give lists of equal lengths"
    if row.storage != "constant":
        shape, init = node.parameters["shape"], node.parameters["init"]
        least, most = INITIALISERS[init.kind].min_dimensions, INITIALISERS[init.kind].max_dimensions
        if not least <= len(shape) <= most:
            needs = f"{least} or more" if most > 5 else f"{least} to {most}"
            detail = f"{init.kind} needs a tensor of {needs} dimensions, {node.id} has {len(shape)}"
            raise NodeError(detail, 'use {"kind": "normal"} or {"kind": "uniform"}', field="init", code="invalid_value")
        parameters, field, hint = {"shape": (1,) * len(shape), "init": init}, "init", ""
    try:
        sample = row.tensor(parameters)  # on the CPU, with one element: the meta device accepts any numbers
    except TORCH_ERRORS as error:
        raise NodeError(f"{node.id}: {_torch_message(error)}", hint, field=field, code="invalid_value") from None
    if not sample.isfinite().all():
        raise NodeError(
            f"{node.id} has values beyond the range of float32",
            "use smaller numbers",
            field=field,
            code="invalid_value",
        )
    if row.storage == "constant":
        return InferredNode(node, (), sample.to(META))
    output = torch.empty(shape, device=META)
    trained = row.storage == "parameter"
    return InferredNode(node, (), output, output.numel() if trained else 0, 0 if trained else output.numel())
