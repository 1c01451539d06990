"""What the loop minimises: the loss of one output, as a mean that is put together from batches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from app.errors import BuildError
from app.spec.training.losses import BaseLoss
from workers.data.columns import PreparedColumn, RaggedTensor
from workers.training.objective.losses import LOSSES, LossFunction
from workers.training.objective.quantiles import quantile_targets

OutputTensors = Mapping[str, Tensor]
TargetTensors = Mapping[str, Tensor]
StepDenominators = Sequence[Tensor | None]  # by head: scalars, `None` for a mean over all examples
DenominatorFunction = Callable[[Sequence[TargetTensors]], StepDenominators]  # from the targets of a step's batches

TENSOR_SETTINGS = frozenset({"weight", "pos_weight", "quantiles"})  # settings that torch wants as tensors


class TrainingLoss(Protocol):
    """What the loop minimises."""

    def denominator_function(self, targets: Mapping[str, PreparedColumn], batches: int) -> DenominatorFunction | None:
        """Return what counts the targets of a step of `batches`; `None` if all examples count alike.

        Reads every target, and waits for the device.
        """
        ...

    def batch_loss(
        self, outputs: OutputTensors, targets: TargetTensors, share: float, denominators: StepDenominators | None = None
    ) -> Tensor:
        """Return what a batch adds to the loss of its step: a float32 scalar.

        `share` is the batch's part of the examples of the step; `denominators` are those of the step.
        """
        ...

    def pop_head_losses(self) -> Tensor | None:
        """Return the losses of the heads (heads,) since the last call, summed over batches; `None` for a single one."""
        ...


class EvaluationLoss(TrainingLoss, Protocol):
    """A loss that can be summed over the batches of a split."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs of the network that it reads."""
        ...

    def is_mean_over_targets(self, targets: Mapping[str, PreparedColumn]) -> bool:
        """Return whether the loss is a mean over the targets that are not ignored, and not over all examples."""
        ...

    def sum_and_divisor(
        self, outputs: OutputTensors, targets: TargetTensors, rows: int, mean_over_targets: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return what a batch adds to the numerator and the denominator of the mean: scalars.

        A loss that is a sum over examples has no denominator.
        """
        ...


@dataclass(frozen=True)
class OutputLoss:
    """A loss that is an output itself: one number, or one for each example, which are averaged."""

    output: str

    @property
    def outputs(self) -> tuple[str, ...]:
        """The output that it is."""
        return (self.output,)

    def denominator_function(self, targets: Mapping[str, PreparedColumn], batches: int) -> DenominatorFunction | None:
        """Return `None`: all examples count alike."""
        return None

    def batch_loss(
        self, outputs: OutputTensors, targets: TargetTensors, share: float, denominators: StepDenominators | None = None
    ) -> Tensor:
        """Return the mean of the output times `share`: a float32 scalar."""
        output = outputs[self.output].float()
        loss = output if output.ndim == 0 else output.mean()
        return loss * share if share < 1 else loss

    def sum_and_divisor(
        self, outputs: OutputTensors, targets: TargetTensors, rows: int, mean_over_targets: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return the sum over a batch, and its number of examples."""
        return self.batch_loss(outputs, targets, 1) * rows, torch.tensor(rows)

    def is_mean_over_targets(self, targets: Mapping[str, PreparedColumn]) -> bool:
        """Return `False`: it is a mean over all examples."""
        return False

    def pop_head_losses(self) -> None:
        """Return `None`: there is a single loss."""


@dataclass(frozen=True)
class TargetLoss:
    """The loss of one output, compared with one target.

    `sum_loss` is the same loss as a sum (of classes) or number by number (elementwise), where the mean is over the
    targets that are not ignored.
    """

    kind: str
    row: LossFunction
    loss: nn.Module
    is_sum: bool  # over the examples, not averaged
    output: str
    target: str
    classes_last: bool = False  # the scores of classes are the output's last dimension
    sum_loss: nn.Module | None = None
    weight: Tensor | None = None  # of classes: (C)
    ignore_index: int = -100
    pointer: str = "/objective"
    others: tuple[str, ...] = ()  # outputs that the loss reads after its target
    quantiles: int = 0  # how many of each target an output (N, …, Q) holds

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs that it reads."""
        return (self.output, *self.others)

    def denominator_function(self, targets: Mapping[str, PreparedColumn], batches: int) -> DenominatorFunction | None:
        """Return what sums `denominator` over a step if its rows may count unlike."""
        if not self._is_uneven(targets[self.target], batches):
            return None

        def count(step: Sequence[TargetTensors]) -> StepDenominators:
            total = torch.stack([self.denominator(batch) for batch in step]).sum()
            return (total + (total == 0),)  # the loss is 0 if every target is ignored

        return count

    def batch_loss(
        self, outputs: OutputTensors, targets: TargetTensors, share: float, denominators: StepDenominators | None = None
    ) -> Tensor:
        """Return the loss of a batch: a float32 scalar.

        The output is cast to float32 first: sums in half precision lose digits. Shapes (N, 1) and (N) are the same.
        Raises `BuildError` for other shapes that differ.
        """
        if denominators is not None and denominators[0] is not None:
            return self.numerator(outputs, targets) / denominators[0]
        loss = self._compute(self.loss, outputs, *self._aligned(outputs, targets))
        return loss * share if share < 1 and not self.is_sum else loss

    def pop_head_losses(self) -> None:
        """Return `None`: there is a single loss."""

    def numerator(self, outputs: OutputTensors, targets: TargetTensors) -> Tensor:
        """Return the sum over the targets that are not ignored: a scalar."""
        assert self.sum_loss is not None  # noqa: S101 - `is_mean_over_targets`
        output, target = self._aligned(outputs, targets)
        if not self.row.elementwise:
            total: Tensor = self.sum_loss(output, target)
            return total
        valid = ~target.isnan()
        losses = self._compute(self.sum_loss, outputs, torch.where(valid, output, 0), torch.where(valid, target, 0))
        return (losses * valid).sum()

    def denominator(self, targets: TargetTensors) -> Tensor:
        """Return the number of targets that are not ignored (int64), or the sum of their weights (float32)."""
        target = targets[self.target]
        if self.row.elementwise:
            return (~target.isnan()).sum() * max(1, self.quantiles)
        valid = torch.ne(target, self.ignore_index)
        if self.weight is None:
            return valid.sum()
        codes = target.clamp(0, len(self.weight) - 1)  # a class beyond the weights is for the loss to refuse
        return (self.weight[codes] * valid).sum()

    def sum_and_divisor(
        self, outputs: OutputTensors, targets: TargetTensors, rows: int, mean_over_targets: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return the sum over a batch, and what it is divided by: scalars."""
        if mean_over_targets:
            return self.numerator(outputs, targets), self.denominator(targets)
        loss = self.batch_loss(outputs, targets, 1)
        return (loss, None) if self.is_sum else (loss * rows, torch.tensor(rows))

    def is_mean_over_targets(self, targets: Mapping[str, PreparedColumn]) -> bool:
        """Return whether the loss is a mean over the targets that are not ignored, and not over all examples.

        So it is for classes, by their weights, and for numbers of rows of unlike length.
        """
        target = targets[self.target]
        return self.sum_loss is not None and (
            isinstance(target, RaggedTensor) if self.row.elementwise else not target.is_floating_point()
        )

    def _is_uneven(self, target: PreparedColumn, batches: int) -> bool:
        """Return whether the rows of a step of `batches` may count unlike."""
        if not self.is_mean_over_targets({self.target: target}):
            return False
        if not isinstance(target, Tensor):  # padded with targets that are ignored
            return True
        if self.weight is not None and (batches > 1 or not self.weight.all()):
            return True
        return bool(torch.eq(target, self.ignore_index).any())

    def _compute(self, loss: nn.Module, outputs: OutputTensors, output: Tensor, target: Tensor) -> Tensor:
        """Return what a module of the loss gives; `outputs` have what it reads beside output and target."""
        result: Tensor
        if not self.others:
            result = loss(output, target)
            return result
        try:
            result = loss(output, target, *(outputs[name].float() for name in self.others))
        except ValueError as error:  # the only one whose values torch looks at is a variance
            hint = 'end with {"kind": "Softplus"}'
            raise BuildError(f"{self.kind}: {error}", pointer=f"{self.pointer}/loss", hint=hint) from error
        return result

    def _aligned(self, outputs: OutputTensors, targets: TargetTensors) -> tuple[Tensor, Tensor]:
        output, target = outputs[self.output].float(), targets[self.target]
        if self.quantiles:
            return output, quantile_targets(output, target)
        if self.row.elementwise and output.shape != target.shape:
            return output, self._reshape_target(output, target)
        return _flatten_classes(output, target) if self.classes_last else (output, target)

    def _reshape_target(self, output: Tensor, target: Tensor) -> Tensor:
        if output.numel() != target.numel():
            detail = f"{self.kind} compares {list(output.shape)} with targets of {list(target.shape)}"
            hint = "make the last layer as wide as the target"
            raise BuildError(detail, pointer=f"{self.pointer}/loss", hint=hint)
        return target.reshape(output.shape)


def _flatten_classes(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return scores (N, …, C) and classes (N, …), or probabilities of the scores' shape, as rows (M, C) and (M)."""
    width = output.shape[-1]
    return output.reshape(-1, width), target.reshape(-1, width) if target.is_floating_point() else target.reshape(-1)


def build_loss(
    spec: BaseLoss,
    output: str = "output",
    target: str = "target",
    *,
    classes_last: bool = False,
    pointer: str = "/objective",
    device: torch.device | None = None,
) -> TargetLoss:
    """Build a loss of torch. Raises `BuildError` if torch refuses its settings."""
    row = LOSSES[spec.kind]
    settings: dict[str, Any] = {name: value for name, value in spec if name not in ("kind", *spec.row.other_outputs)}
    for name in TENSOR_SETTINGS & settings.keys():
        settings[name] = None if settings[name] is None else torch.tensor(settings[name], device=device)
    sum_loss = None
    try:
        loss = row.module(**settings)
        if settings["reduction"] == "mean" and row.divisible:
            sum_loss = row.module(**settings | {"reduction": "none" if row.elementwise else "sum"})
    except ValueError as error:
        raise BuildError(f"{spec.kind}: {error}", pointer=f"{pointer}/loss") from error
    return TargetLoss(
        kind=spec.kind,
        row=row,
        loss=loss,
        is_sum=settings["reduction"] == "sum",
        output=output,
        target=target,
        classes_last=classes_last,
        sum_loss=sum_loss,
        weight=settings.get("weight"),
        ignore_index=spec.options.ignore_index,
        pointer=pointer,
        others=tuple(spec.other_outputs.values()),
        quantiles=len(spec.options.quantiles),
    )
