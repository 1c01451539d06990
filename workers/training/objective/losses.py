"""Losses of torch by kind: the half of `app.spec.training.losses` that needs torch."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from app.spec.data.columns import Column
from app.spec.training.losses import IGNORE_INDEX, BaseLoss
from workers.data.columns import PreparedColumn, RaggedTensor
from workers.training.objective.quantiles import QuantileLoss


def _softmax(scores: Tensor) -> Tensor:
    return scores.softmax(-1)


def _identity(scores: Tensor) -> Tensor:
    return scores


@dataclass(frozen=True)
class LossFunction:
    """How torch computes a kind of loss, and how its outputs and targets are read.

    Parameters
    ----------
    module
        The class in torch.
    elementwise
        Whether output and target have the same shape. Otherwise outputs are scores (N, C, …) and targets classes
        (N, …).
    divisible
        Whether targets can be left out of the mean, which is then a sum over batches divided by a count.
    to_probability
        From scores to probabilities of the same shape: of the classes in the last dimension, or of yes. `None` if
        outputs are not probabilities in any form.
    threshold
        A score above it is a yes.
    target_values
        The targets that stand for no and yes.
    """

    module: type[nn.Module]
    elementwise: bool = True
    divisible: bool = True
    to_probability: Callable[[Tensor], Tensor] | None = None
    threshold: float = 0.0
    target_values: tuple[int, int] = (0, 1)

    @property
    def target_threshold(self) -> float:
        """A target above it is a yes."""
        return sum(self.target_values) / 2


LOSSES: Mapping[str, LossFunction] = {
    "CrossEntropyLoss": LossFunction(nn.CrossEntropyLoss, elementwise=False, to_probability=_softmax),
    "NLLLoss": LossFunction(nn.NLLLoss, elementwise=False, to_probability=torch.exp),
    "MSELoss": LossFunction(nn.MSELoss),
    "L1Loss": LossFunction(nn.L1Loss),
    "SmoothL1Loss": LossFunction(nn.SmoothL1Loss),
    "HuberLoss": LossFunction(nn.HuberLoss),
    "BCEWithLogitsLoss": LossFunction(nn.BCEWithLogitsLoss, to_probability=torch.sigmoid),
    "BCELoss": LossFunction(nn.BCELoss, to_probability=_identity, threshold=0.5),
    "KLDivLoss": LossFunction(nn.KLDivLoss, divisible=False),
    "PoissonNLLLoss": LossFunction(nn.PoissonNLLLoss),
    # The logistic loss: least where the score is the logarithm of the odds.
    "SoftMarginLoss": LossFunction(nn.SoftMarginLoss, to_probability=torch.sigmoid, target_values=(-1, 1)),
    "MultiLabelSoftMarginLoss": LossFunction(
        nn.MultiLabelSoftMarginLoss, divisible=False, to_probability=torch.sigmoid
    ),
    "MultiMarginLoss": LossFunction(nn.MultiMarginLoss, elementwise=False, divisible=False),
    "GaussianNLLLoss": LossFunction(nn.GaussianNLLLoss),
    "QuantileLoss": LossFunction(QuantileLoss),
    "CTCLoss": LossFunction(nn.CTCLoss, elementwise=False, divisible=False),
}


@dataclass(frozen=True)
class TargetCast:
    """From a prepared column to the targets of a loss.

    `pad` fills batches of rows of unlike length; it is what the loss leaves out. With `keeps_soft`, floating-point
    targets are probabilities of classes and become float32, whatever `dtype` is. `decisions` are what stands for the
    codes 0 and 1 of a no and a yes. Codes from `blank` on make room for it.
    """

    dtype: torch.dtype
    pad: float = math.nan
    keeps_soft: bool = False
    decisions: tuple[int, int] = (0, 1)
    blank: int | None = None

    def __call__(self, column: PreparedColumn) -> PreparedColumn:
        """Return the targets."""
        is_soft = self.keeps_soft and column.is_floating_point()
        targets = column.to(torch.float32 if is_soft else self.dtype)
        if isinstance(targets, RaggedTensor):
            values = self._decide(targets.values)
            if not values.is_floating_point() and self.pad != IGNORE_INDEX:  # a text that goes on has an unknown end
                values = torch.where(values == IGNORE_INDEX, int(self.pad), values)
            return replace(targets, values=values, pad=self.pad)
        return self._decide(targets) if isinstance(targets, Tensor) else targets

    def _decide(self, codes: Tensor) -> Tensor:
        no, yes = self.decisions
        if self.blank is not None:
            return codes + (codes >= self.blank)
        return codes if (no, yes) == (0, 1) else codes * (yes - no) + no


def target_cast(loss: BaseLoss, column: Column) -> TargetCast:
    """Return the cast of the targets in `column` of a loss of torch.

    Columns with labels hold their positions, and booleans 0 and 1; any other holds the very numbers that are compared.
    """
    row = LOSSES[loss.kind]
    if row.elementwise:
        is_coded = loss.row.task_type == "decisions" and (bool(column.labels) or column.dtype == "bool")
        return TargetCast(torch.float32, decisions=row.target_values if is_coded else (0, 1))
    blank = loss.options.blank if loss.row.task_type == "sequences" and column.labels is not None else None
    return TargetCast(torch.int64, loss.options.ignore_index, loss.row.takes_soft_targets, blank=blank)
