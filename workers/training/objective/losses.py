"""Losses by kind, what they want their targets to be, and what their means are over."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from app.errors import BuildError
from app.spec.training.losses import BaseLoss
from workers.data.columns import PreparedColumn, RaggedTensor

OutputTensors = Mapping[str, Tensor]
TargetTensors = Mapping[str, Tensor]
StepDenominator = Any  # what the losses of a step are divided by, as a `Counter` returned it
DenominatorFunction = Callable[[Sequence[TargetTensors]], StepDenominator]  # of the targets of all batches of a step

TENSOR_SETTINGS = frozenset({"weight", "pos_weight"})  # settings that torch wants as tensors


class TrainingLoss(Protocol):
    """What the loop minimises."""

    def denominator_function(self, targets: Mapping[str, PreparedColumn], parts: int) -> DenominatorFunction | None:
        """Return what counts for the mean of a step of `parts` batches; `None` where all examples count alike.

        Looks at every target, and waits for the device.
        """
        ...

    def batch_loss(
        self, outputs: OutputTensors, targets: TargetTensors, share: float, whole: StepDenominator = None
    ) -> Tensor:
        """Return what a batch, which has this share of the step's examples, adds to the loss: a scalar in float32."""
        ...

    def pop_head_losses(self) -> Tensor | None:
        """Return the losses of the heads since this was last asked, added up over batches; `None` for a single one."""
        ...


class EvaluationLoss(TrainingLoss, Protocol):
    """A loss that can be told of many batches together."""

    def is_mean_over_targets(self, targets: Mapping[str, PreparedColumn]) -> bool:
        """Say whether the loss is a mean over the targets that count, and not over all examples."""
        ...

    def sum_and_divisor(
        self, outputs: OutputTensors, targets: TargetTensors, rows: int, counts: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return what a batch adds to the sum of which the loss is the mean, and what it adds to the divisor.

        A loss that is a sum over examples has no divisor.
        """
        ...


def _cast_classes(target: PreparedColumn) -> PreparedColumn:
    """Whole numbers are classes; anything else is a probability of each class."""
    return target.to(torch.float32 if target.is_floating_point() else torch.int64)


def _cast_indices(target: PreparedColumn) -> PreparedColumn:
    return target.to(torch.int64)


def _cast_numbers(target: PreparedColumn) -> PreparedColumn:
    return target.to(torch.float32)


@dataclass(frozen=True)
class TargetCast:
    """What makes targets of a loss. Places behind the end of a list are given what does not count."""

    function: Callable[[PreparedColumn], PreparedColumn]
    pad: float = math.nan

    def __call__(self, target: PreparedColumn) -> PreparedColumn:
        """Return the targets."""
        found = self.function(target)
        return replace(found, pad=self.pad) if isinstance(found, RaggedTensor) else found


# Kind → (class, cast of the targets, whether output and target have the same shape).
LOSSES: Mapping[str, tuple[type[nn.Module], Callable[[PreparedColumn], PreparedColumn], bool]] = {
    "CrossEntropyLoss": (nn.CrossEntropyLoss, _cast_classes, False),
    "NLLLoss": (nn.NLLLoss, _cast_indices, False),
    "MSELoss": (nn.MSELoss, _cast_numbers, True),
    "L1Loss": (nn.L1Loss, _cast_numbers, True),
    "SmoothL1Loss": (nn.SmoothL1Loss, _cast_numbers, True),
    "HuberLoss": (nn.HuberLoss, _cast_numbers, True),
    "BCEWithLogitsLoss": (nn.BCEWithLogitsLoss, _cast_numbers, True),
    "BCELoss": (nn.BCELoss, _cast_numbers, True),
    "KLDivLoss": (nn.KLDivLoss, _cast_numbers, True),
    "PoissonNLLLoss": (nn.PoissonNLLLoss, _cast_numbers, True),
    "SoftMarginLoss": (nn.SoftMarginLoss, _cast_numbers, True),
    "MultiLabelSoftMarginLoss": (nn.MultiLabelSoftMarginLoss, _cast_numbers, True),
    "MultiMarginLoss": (nn.MultiMarginLoss, _cast_indices, False),
}
TARGET_MEAN_LOSSES = frozenset({nn.CrossEntropyLoss, nn.NLLLoss})  # whose means leave targets out, or weigh them
UNMASKABLE_LOSSES = frozenset(
    {"KLDivLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss"}
)  # which can leave nothing out


@dataclass(frozen=True)
class TargetLoss:
    """The loss of one output, compared with one target."""

    kind: str
    loss: nn.Module
    same_shape: bool
    is_sum: bool  # over the examples, not averaged
    output: str
    target: str
    classes_last: bool = False  # the scores of classes are the output's last dimension
    sum_loss: nn.Module | None = None  # the same loss as a sum, where a mean is over targets that count, not all
    pointer: str = "/objective"

    def denominator_function(self, targets: Mapping[str, PreparedColumn], parts: int) -> DenominatorFunction | None:
        """Return what sums `denominator` over a step if rows may count unlike."""
        if not self._is_uneven(targets[self.target], parts):
            return None

        def count(batches: Sequence[TargetTensors]) -> Tensor:
            whole = torch.stack([self.denominator(targets) for targets in batches]).sum()
            return whole + (whole == 0)  # no target counts: the loss is 0

        return count

    def batch_loss(
        self, outputs: OutputTensors, targets: TargetTensors, share: float, whole: StepDenominator = None
    ) -> Tensor:
        """Return the loss of a batch. (N, 1) and (N) are taken for the same; other shapes must be, else `BuildError`.

        Mixed precision ends here: a loss in half precision loses its sums.
        """
        output, target = outputs[self.output].float(), targets[self.target]
        if self.same_shape and output.shape != target.shape:
            target = self._reshape_target(output, target)
        elif self.classes_last:
            output, target = _flatten_classes(output, target)
        if whole is not None:
            divided: Tensor = self._sum(output, target) / whole
            return divided
        loss: Tensor = self.loss(output, target)
        return loss * share if share < 1 and not self.is_sum else loss

    def pop_head_losses(self) -> None:
        """Return nothing: the only loss is the whole."""

    def numerator(self, outputs: OutputTensors, targets: TargetTensors) -> Tensor:
        """Return the sum of which the loss is the mean: 0 where no target counts. See `counts`."""
        return self.batch_loss(outputs, targets, 1, 1)

    def denominator(self, targets: TargetTensors) -> Tensor:
        """Return how many targets count (integer), or their summed weight (float): a scalar. See `counts`."""
        target = targets[self.target]
        if self.same_shape:
            return (~target.isnan()).sum()
        kept, weight = torch.ne(target, self.ignore_index), self.loss.weight
        if not isinstance(weight, Tensor):
            return kept.sum()
        return (weight[target.clamp(0, len(weight) - 1)] * kept).sum()  # a class beyond them is for the loss to refuse

    def sum_and_divisor(
        self, outputs: OutputTensors, targets: TargetTensors, rows: int, counts: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return the sum of a batch, and its divisor."""
        if counts:
            return self.numerator(outputs, targets), self.denominator(targets)
        loss = self.batch_loss(outputs, targets, 1)
        return (loss, None) if self.is_sum else (loss * rows, torch.tensor(rows))

    def is_mean_over_targets(self, targets: Mapping[str, PreparedColumn]) -> bool:
        """Say whether the loss is a mean over the targets that count, and not over all examples.

        Those are classes, by their weights, that are not ignored; and numbers that are not behind the end of a series.
        """
        target = targets[self.target]
        return self.sum_loss is not None and (
            isinstance(target, RaggedTensor) if self.same_shape else not target.is_floating_point()
        )

    def _is_uneven(self, target: PreparedColumn, parts: int) -> bool:
        """Say whether the rows of a step of `parts` batches may count unlike."""
        if not self.is_mean_over_targets({self.target: target}):
            return False
        if not isinstance(target, Tensor):  # padded with targets that do not count
            return True
        weight = self.loss.weight
        if isinstance(weight, Tensor) and (parts > 1 or not weight.all()):
            return True
        return bool(torch.eq(target, self.ignore_index).any())

    @property
    def ignore_index(self) -> int:
        """The class of targets that do not count."""
        ignored: int = vars(self.loss)["ignore_index"]
        return ignored

    def _sum(self, output: Tensor, target: Tensor) -> Tensor:
        assert self.sum_loss is not None  # noqa: S101 - only such losses are told what they are means over
        if not self.same_shape:
            found: Tensor = self.sum_loss(output, target)
            return found
        there = ~target.isnan()
        each: Tensor = self.sum_loss(torch.where(there, output, 0), torch.where(there, target, 0))
        return (each * there).sum()

    def _reshape_target(self, output: Tensor, target: Tensor) -> Tensor:
        if output.numel() != target.numel():
            detail = f"{self.kind} compares {list(output.shape)} with targets of {list(target.shape)}"
            hint = "make the last layer as wide as the target"
            raise BuildError(detail, pointer=f"{self.pointer}/loss", hint=hint)
        return target.reshape(output.shape)


def _flatten_classes(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return scores (N, …, C) and classes (N, …), or probabilities like the scores, as rows."""
    width = output.shape[-1]
    return output.reshape(-1, width), target.reshape(-1, width) if target.is_floating_point() else target.reshape(-1)


def build_loss(
    spec: BaseLoss,
    output: str = "output",
    target: str = "target",
    *,
    last: bool = False,
    place: str = "/objective",
    device: torch.device | None = None,
) -> TargetLoss:
    """Build a loss. Raises `BuildError` if torch refuses its settings."""
    kind, _, same_shape = LOSSES[spec.kind]
    settings: dict[str, Any] = {name: getattr(spec, name) for name in type(spec).model_fields if name != "kind"}
    for name in TENSOR_SETTINGS & settings.keys():
        settings[name] = None if settings[name] is None else torch.tensor(settings[name], device=device)
    counting = None
    try:
        loss = kind(**settings)
        if (
            settings["reduction"] == "mean"
            and (same_shape or kind in TARGET_MEAN_LOSSES)
            and spec.kind not in UNMASKABLE_LOSSES
        ):
            counting = kind(**settings | {"reduction": "none" if same_shape else "sum"})
    except ValueError as error:
        raise BuildError(f"{spec.kind}: {error}", pointer=f"{place}/loss") from error
    return TargetLoss(
        spec.kind, loss, same_shape, settings["reduction"] == "sum", output, target, last, counting, place
    )
