"""Layers that normalise over a batch, and batches of one example, which torch refuses in the middle of a training.

Whether a layer can normalise a batch is asked of torch itself, on the meta device.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from app.errors import Problem
from app.spec.data.columns import DataSchema
from app.spec.job import JobSpec
from workers.network.analysis.graph import with_batch_size
from workers.network.inference.input_checks import META, SYMBOLIC_BATCH_SIZE
from workers.network.inference.partial_network import BRANCHING_KINDS, InferredNode, PartialNetwork
from workers.network.kinds.backbones import BACKBONES
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.module_kind import ModuleKind
from workers.training.validation.batch_sizes import BatchSizes, training_batches

BATCH_NORMS = frozenset({"BatchNorm1d", "BatchNorm2d", "BatchNorm3d"})
CHECKED_KINDS = frozenset({*BATCH_NORMS, "GroupNorm", *BACKBONES})
BY_ITSELF = "use LayerNorm, which normalises every example by itself"


@dataclass
class NormalizationCheck:
    """What the layers of a network cannot normalise: problems, and warnings of what may happen."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class LayerUse:
    """A layer, and how the batches that it receives come about."""

    trace: InferredNode
    is_certain: bool = True  # it runs in every forward pass
    selector: str | None = None  # the node that passes on some of a batch's rows; `None`: the layer receives all

    @property
    def name(self) -> str:
        """The layer in messages."""
        return f"{self.trace.node.id} ({self.trace.node.kind})"

    @property
    def pointer(self) -> str:
        """The JSON Pointer of the layer in a job."""
        return f"/model{self.trace.node.pointer}"

    @property
    def has_fixed_rows(self) -> bool:
        """Whether dimension 0 does not count the examples."""
        return self.trace.inputs[0].shape[0] % SYMBOLIC_BATCH_SIZE != 0

    def refuses(self, batch_size: int) -> bool:
        """Return whether torch refuses to normalise a batch of this many examples in training."""
        node, row = self.trace.node, CATALOG[self.trace.node.kind]
        assert isinstance(row, ModuleKind)  # noqa: S101 - `CHECKED_KINDS` are modules
        parameters = dict(node.parameters)
        if parameters.get("momentum", 0.0) is None:  # it would read a counter, which has no value here
            parameters["momentum"] = 0.0
        inputs = [
            torch.empty(with_batch_size(value.shape, batch_size), dtype=value.dtype, device=META)
            for value in self.trace.inputs
        ]
        try:
            with META, torch.no_grad():
                row.bind(row.module(parameters), parameters)(*inputs)
        except ValueError:
            return True
        return False


def check_normalization(job: JobSpec, schema: DataSchema, network: PartialNetwork) -> NormalizationCheck:
    """Return what cannot be normalised in the batches of the job, or may not be; `network` has no problems."""
    result, batches = NormalizationCheck(), training_batches(job, schema)
    may_be_single = batches.smallest == 1 if batches is not None else not job.training.drop_last
    single: list[LayerUse] = []  # layers that receive a batch of one example
    for use in _layer_uses(network):
        if use.trace.node.kind == "GroupNorm":
            result.problems += [_constant_problem(use)] if use.refuses(1) else []
        elif use.selector is not None:
            result.warnings += [_selected_rows_warning(use)] if use.refuses(1) else []
        elif use.has_fixed_rows and use.refuses(2):
            result.problems.append(_fixed_rows_problem(use))
        elif may_be_single and use.refuses(1):
            single.append(use)
        if use.trace.node.kind in BATCH_NORMS and not use.trace.node.parameters["track_running_stats"]:
            result.warnings.append(_batch_statistics_warning(use))
    if batches is None:
        result.warnings += [_unknown_rows_warning(single[0])] if single else []
    elif certain := [use for use in single if use.is_certain]:
        result.problems.append(_single_example_problem(certain, batches))
    elif single:
        result.warnings.append(_single_example_problem(single, batches))
    return result


def _layer_uses(
    network: PartialNetwork,
    is_certain: bool = True,
    selector: str | None = None,
    visited: set[tuple[int, bool, bool]] | None = None,
) -> Iterator[LayerUse]:
    """Yield the layers to check, those of bodies too; a body that is used twice in the same way once."""
    visited, key = set() if visited is None else visited, (id(network), is_certain, selector is None)
    if key in visited:
        return
    visited.add(key)
    for trace in network.nodes:
        node = trace.node
        if node.kind in CHECKED_KINDS:
            yield LayerUse(trace, is_certain, selector)
        inner = node.id if _selects_rows(trace) else selector
        runs = is_certain and node.kind not in {*BRANCHING_KINDS, "While"} and bool(node.parameters.get("times", 1))
        for body in trace.bodies.values():
            yield from _layer_uses(body.network, runs, inner, visited)


def _selects_rows(trace: InferredNode) -> bool:
    """Return whether the bodies of a node receive some of the rows of a batch, as many as the data say."""
    parameters = trace.node.parameters
    return trace.node.kind in ("Route", "Fold") or bool(parameters.get("per_example") or parameters.get("lengths"))


def _single_example_problem(uses: Sequence[LayerUse], batches: BatchSizes) -> Problem:
    """A batch of one example that reaches a layer: it follows from the rows, the batch size and `drop_last`."""
    use, others = uses[0], len(uses) - 1
    layers = use.name + (f" and {others} more" if others else "")
    needs = f"normalise{'' if others else 's'} over the batch, which takes two examples or more"
    if batches.rows == 1:
        return Problem(use.pointer, "batch_of_one", f"{layers} {needs}: there is one row to train on", BY_ITSELF)
    size = batches.nearest_without_single()
    if batches.full == 1:
        detail = f"{layers} {needs}: every batch holds one"
        return Problem("/training/batch_size", "batch_of_one", detail, f'set "batch_size": {size}')
    detail = f"{layers} {needs}: of {batches.rows:,} rows in batches of {batches.full:,}, the last batch holds one"
    hint = f'set "drop_last": true, or "batch_size": {size}'
    return Problem("/training/batch_size", "batch_of_one", detail, hint)


def _fixed_rows_problem(use: LayerUse) -> Problem:
    detail = f"{use.name} normalises over dimension 0, which holds a single row whatever the batch is"
    return Problem(use.pointer, "batch_of_one", detail, "keep dimension 0, which counts the examples")


def _selected_rows_warning(use: LayerUse) -> Problem:
    detail = (
        f"{use.name} normalises over the rows that {use.selector} passes on: where that is a single one, the training "
        "ends with an error"
    )
    return Problem(use.pointer, "batch_of_one", detail, BY_ITSELF)


def _unknown_rows_warning(use: LayerUse) -> Problem:
    detail = (
        f"{use.name} normalises over the batch, and the data decide how many rows are held out: where the last batch "
        "holds one row, the training ends with an error"
    )
    return Problem("/training/drop_last", "batch_of_one", detail, 'set "drop_last": true')


def _batch_statistics_warning(use: LayerUse) -> Problem:
    detail = (
        f"{use.name} keeps no statistics: evaluations and predictions depend on the other rows of their batch, and a "
        "row alone is refused"
    )
    return Problem(use.pointer, "batch_statistics", detail, 'set "track_running_stats": true')


def _constant_problem(use: LayerUse) -> Problem:
    groups, channels = (use.trace.node.parameters[name] for name in ("num_groups", "num_channels"))
    detail = f"{use.name} normalises groups of a single value, which gives the same output whatever the input is"
    divisor = next(size for size in range(groups // 2, 0, -1) if channels % size == 0) if groups > 1 else None
    hint = f"set num_groups to {divisor}, or {BY_ITSELF}" if divisor is not None else "remove it"
    return Problem(f"{use.pointer}/num_groups", "nothing_to_normalize", detail, hint)
