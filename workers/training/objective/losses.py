"""Losses by kind, what they want their targets to be, and what their means are over."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from app.errors import BuildError
from app.spec.training.losses import BaseLoss
from workers.data.columns import Made, Ragged

Outputs = Mapping[str, Tensor]
Targets = Mapping[str, Tensor]
Whole = Any  # what the losses of a step are divided by, as a `Counter` returned it
Counter = Callable[[Sequence[Targets]], Whole]  # of the targets of all batches of a step

SOME = frozenset({"weight", "pos_weight"})  # settings that torch wants as tensors


class Minimised(Protocol):
    """What the loop minimises."""

    def counter(self, targets: Mapping[str, Made], parts: int) -> Counter | None:
        """Return what counts for the mean of a step of `parts` batches; `None` where all examples count alike.

        Looks at every target, and waits for the device.
        """
        ...

    def part(self, outputs: Outputs, targets: Targets, share: float, whole: Whole = None) -> Tensor:
        """Return what a batch, which has this share of the step's examples, adds to the loss: a scalar in float32."""
        ...

    def heard(self) -> Tensor | None:
        """Return the losses of the heads since this was last asked, added up over batches; `None` for a single one."""
        ...


class Measured(Minimised, Protocol):
    """A loss that can be told of many batches together."""

    def counts(self, targets: Mapping[str, Made]) -> bool:
        """Say whether the loss is a mean over the targets that count, and not over all examples."""
        ...

    def measured(self, outputs: Outputs, targets: Targets, rows: int, counts: bool) -> tuple[Tensor, Tensor | None]:
        """Return what a batch adds to the sum of which the loss is the mean, and what it adds to the divisor.

        A loss that is a sum over examples has no divisor.
        """
        ...


def _classes(target: Made) -> Made:
    """Whole numbers are classes; anything else is a probability of each class."""
    return target.to(torch.float32 if target.is_floating_point() else torch.int64)


def _index(target: Made) -> Made:
    return target.to(torch.int64)


def _numbers(target: Made) -> Made:
    return target.to(torch.float32)


@dataclass(frozen=True)
class Cast:
    """What makes targets of a loss. Places behind the end of a list are given what does not count."""

    function: Callable[[Made], Made]
    pad: float = math.nan

    def __call__(self, target: Made) -> Made:
        """Return the targets."""
        found = self.function(target)
        return replace(found, pad=self.pad) if isinstance(found, Ragged) else found


# Kind → (class, cast of the targets, whether output and target have the same shape).
LOSSES: Mapping[str, tuple[type[nn.Module], Callable[[Made], Made], bool]] = {
    "CrossEntropyLoss": (nn.CrossEntropyLoss, _classes, False),
    "NLLLoss": (nn.NLLLoss, _index, False),
    "MSELoss": (nn.MSELoss, _numbers, True),
    "L1Loss": (nn.L1Loss, _numbers, True),
    "SmoothL1Loss": (nn.SmoothL1Loss, _numbers, True),
    "HuberLoss": (nn.HuberLoss, _numbers, True),
    "BCEWithLogitsLoss": (nn.BCEWithLogitsLoss, _numbers, True),
    "BCELoss": (nn.BCELoss, _numbers, True),
    "KLDivLoss": (nn.KLDivLoss, _numbers, True),
    "PoissonNLLLoss": (nn.PoissonNLLLoss, _numbers, True),
    "SoftMarginLoss": (nn.SoftMarginLoss, _numbers, True),
    "MultiLabelSoftMarginLoss": (nn.MultiLabelSoftMarginLoss, _numbers, True),
    "MultiMarginLoss": (nn.MultiMarginLoss, _index, False),
}
COUNTING = frozenset({nn.CrossEntropyLoss, nn.NLLLoss})  # whose means leave targets out, or weigh them
UNBROKEN = frozenset({"KLDivLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss"})  # which can leave nothing out


@dataclass(frozen=True)
class Comparison:
    """The loss of one output, compared with one target."""

    kind: str
    loss: nn.Module
    same_shape: bool
    summed: bool  # over the examples, not averaged
    output: str
    target: str
    last: bool = False  # the scores of classes are the output's last dimension
    counting: nn.Module | None = None  # the same loss as a sum, where a mean is over targets that count, not all
    place: str = "/objective"

    def counter(self, targets: Mapping[str, Made], parts: int) -> Counter | None:
        """Return what sums `denominator` over a step if rows may count unlike."""
        if not self._uneven(targets[self.target], parts):
            return None

        def count(batches: Sequence[Targets]) -> Tensor:
            whole = torch.stack([self.denominator(targets) for targets in batches]).sum()
            return whole + (whole == 0)  # no target counts: the loss is 0

        return count

    def part(self, outputs: Outputs, targets: Targets, share: float, whole: Whole = None) -> Tensor:
        """Return the loss of a batch. (N, 1) and (N) are taken for the same; other shapes must be, else `BuildError`.

        Mixed precision ends here: a loss in half precision loses its sums.
        """
        output, target = outputs[self.output].float(), targets[self.target]
        if self.same_shape and output.shape != target.shape:
            target = self._like(output, target)
        elif self.last:
            output, target = _flat(output, target)
        if whole is not None:
            divided: Tensor = self._sum(output, target) / whole
            return divided
        loss: Tensor = self.loss(output, target)
        return loss * share if share < 1 and not self.summed else loss

    def heard(self) -> None:
        """Return nothing: the only loss is the whole."""

    def numerator(self, outputs: Outputs, targets: Targets) -> Tensor:
        """Return the sum of which the loss is the mean: 0 where no target counts. See `counts`."""
        return self.part(outputs, targets, 1, 1)

    def denominator(self, targets: Targets) -> Tensor:
        """Return how many targets count (integer), or their summed weight (float): a scalar. See `counts`."""
        target = targets[self.target]
        if self.same_shape:
            return (~target.isnan()).sum()
        kept, weight = torch.ne(target, self.ignored), self.loss.weight
        if not isinstance(weight, Tensor):
            return kept.sum()
        return (weight[target.clamp(0, len(weight) - 1)] * kept).sum()  # a class beyond them is for the loss to refuse

    def measured(self, outputs: Outputs, targets: Targets, rows: int, counts: bool) -> tuple[Tensor, Tensor | None]:
        """Return the sum of a batch, and its divisor."""
        if counts:
            return self.numerator(outputs, targets), self.denominator(targets)
        loss = self.part(outputs, targets, 1)
        return (loss, None) if self.summed else (loss * rows, torch.tensor(rows))

    def counts(self, targets: Mapping[str, Made]) -> bool:
        """Say whether the loss is a mean over the targets that count, and not over all examples.

        Those are classes, by their weights, that are not ignored; and numbers that are not behind the end of a series.
        """
        target = targets[self.target]
        return self.counting is not None and (
            isinstance(target, Ragged) if self.same_shape else not target.is_floating_point()
        )

    def _uneven(self, target: Made, parts: int) -> bool:
        """Say whether the rows of a step of `parts` batches may count unlike."""
        if not self.counts({self.target: target}):
            return False
        if not isinstance(target, Tensor):  # padded with targets that do not count
            return True
        weight = self.loss.weight
        if isinstance(weight, Tensor) and (parts > 1 or not weight.all()):
            return True
        return bool(torch.eq(target, self.ignored).any())

    @property
    def ignored(self) -> int:
        """The class of targets that do not count."""
        ignored: int = vars(self.loss)["ignore_index"]
        return ignored

    def _sum(self, output: Tensor, target: Tensor) -> Tensor:
        assert self.counting is not None  # noqa: S101 - only such losses are told what they are means over
        if not self.same_shape:
            found: Tensor = self.counting(output, target)
            return found
        there = ~target.isnan()
        each: Tensor = self.counting(torch.where(there, output, 0), torch.where(there, target, 0))
        return (each * there).sum()

    def _like(self, output: Tensor, target: Tensor) -> Tensor:
        if output.numel() != target.numel():
            detail = f"{self.kind} compares {list(output.shape)} with targets of {list(target.shape)}"
            hint = "make the last layer as wide as the target"
            raise BuildError(detail, pointer=f"{self.place}/loss", hint=hint)
        return target.reshape(output.shape)


def _flat(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
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
) -> Comparison:
    """Build a loss. Raises `BuildError` if torch refuses its settings."""
    kind, _, same_shape = LOSSES[spec.kind]
    settings: dict[str, Any] = {name: getattr(spec, name) for name in type(spec).model_fields if name != "kind"}
    for name in SOME & settings.keys():
        settings[name] = None if settings[name] is None else torch.tensor(settings[name], device=device)
    counting = None
    try:
        loss = kind(**settings)
        if settings["reduction"] == "mean" and (same_shape or kind in COUNTING) and spec.kind not in UNBROKEN:
            counting = kind(**settings | {"reduction": "none" if same_shape else "sum"})
    except ValueError as error:
        raise BuildError(f"{spec.kind}: {error}", pointer=f"{place}/loss") from error
    return Comparison(spec.kind, loss, same_shape, settings["reduction"] == "sum", output, target, last,
                      counting, place)  # fmt: skip
