"""Weights by which rare classes count as much as frequent ones, from the training rows alone.

They are no part of a training's state: the same rows give the same weights whenever an attempt begins.
"""

import torch
from torch import Tensor

from app.spec.training.losses import BALANCED, BaseLoss
from workers.data.columns import PreparedColumn, RaggedTensor


def resolve_balanced_weights(loss: BaseLoss, target: PreparedColumn, classes: int) -> BaseLoss:
    """Return the loss with numbers in the place of weights that are to be balanced."""
    if getattr(loss, "weight", None) == BALANCED:
        return loss.model_copy(update={"weight": class_weights(target, classes, getattr(loss, "ignore_index", -100))})
    if getattr(loss, "pos_weight", None) == BALANCED:
        return loss.model_copy(update={"pos_weight": positive_weights(target)})
    return loss


def class_weights(target: PreparedColumn, classes: int, ignored: int) -> tuple[float, ...]:
    """Return rows / (classes x rows of the class) for each class; a class without rows has no weight."""
    values = _target_values(target).flatten()
    counts = torch.bincount(values[values != ignored], minlength=classes)[:classes].double()
    weights = torch.where(counts > 0, counts.sum() / (classes * counts.clamp(min=1)), 0.0)
    return tuple(weights.tolist())


def positive_weights(target: PreparedColumn) -> tuple[float, ...]:
    """Return how many times as often the answer is no, for each column of a row of answers, else for all together.

    Where it is never yes, a yes counts as one.
    """
    values = _target_values(target)
    columns = values if isinstance(target, Tensor) and target.ndim == 2 else values.reshape(-1, 1)
    yes = (columns > 0.5).double().sum(0)
    return tuple(torch.where(yes > 0, (len(columns) - yes) / yes.clamp(min=1), 1.0).tolist())


def _target_values(target: PreparedColumn) -> Tensor:
    if isinstance(target, RaggedTensor):
        return target.values
    return target if isinstance(target, Tensor) else target.batch(torch.arange(len(target)), None)
