"""Weights by which rare classes count as much as frequent ones, from the training rows alone.

They are no part of a training's state: the same rows give the same weights whenever an attempt begins. Checkpoints have
them for evaluations of other rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from app.spec.data.columns import Column
from app.spec.training.losses import BALANCED, BaseLoss, equivalent_loss
from app.spec.training.objective import Objective
from workers.data.columns import PreparedColumn, RaggedTensor, WindowTensor
from workers.training.objective.losses import target_cast

WEIGHT_OPTIONS = ("weight", "pos_weight")
CLASS_WEIGHTS_KEY = "class_weights"  # in a stored preparation


def resolve_balanced_weights(loss: BaseLoss, target: PreparedColumn, classes: int) -> BaseLoss:
    """Return the loss with numbers in the place of balanced weights."""
    options = loss.options
    if options.weight == BALANCED:
        return loss.model_copy(update={"weight": class_weights(target, classes, options.ignore_index)})
    if options.pos_weight == BALANCED:
        return loss.model_copy(update={"pos_weight": positive_weights(target)})
    return loss


def balanced_weights(
    spec: Objective, columns: Mapping[str, Column | None], targets: Mapping[str, PreparedColumn]
) -> dict[str, dict[str, Sequence[float]]]:
    """Return the numbers in the place of balanced weights, by head and option; `targets` are those of training rows."""
    weights: dict[str, dict[str, Sequence[float]]] = {}
    for name, head in spec.all_heads().items():
        column, options = columns[name], head.loss.options._asdict()
        balanced = [option for option in WEIGHT_OPTIONS if options[option] == BALANCED]
        if balanced and column is not None:
            target = target_cast(equivalent_loss(head.loss, column), column)(targets[column.name])
            resolved = resolve_balanced_weights(head.loss, target, column.classes or 0).options._asdict()
            weights[name] = {option: resolved[option] for option in balanced}
    return weights


def with_weights(spec: Objective, weights: Mapping[str, Mapping[str, Any]]) -> Objective:
    """Return the objective with numbers in the place of balanced weights, as `balanced_weights` returned them."""
    heads = {
        name: head.loss.model_copy(update={option: tuple(value) for option, value in weights.get(name, {}).items()})
        for name, head in spec.all_heads().items()
    }
    if spec.heads is None:
        return spec.model_copy(update={"loss": heads[""]})
    return spec.model_copy(
        update={"heads": {name: head.model_copy(update={"loss": heads[name]}) for name, head in spec.heads.items()}}
    )


def class_weights(target: PreparedColumn, classes: int, ignore_index: int) -> tuple[float, ...]:
    """Return rows / (classes that have rows · rows of the class) for each class, as scikit-learn's "balanced".

    Ignored targets do not count. A class without rows has the weight 1, the mean over all rows: with 0 a mean over
    held-out rows of that class alone would be no number.
    """
    values = _target_values(target).flatten()
    counts = torch.bincount(values[(values != ignore_index) & (values >= 0)], minlength=classes)[:classes].double()
    weights = torch.where(counts > 0, counts.sum() / ((counts > 0).sum() * counts.clamp(min=1)), 1.0)
    return tuple(weights.tolist())


def positive_weights(target: PreparedColumn) -> tuple[float, ...]:
    """Return negatives / positives: for each label of targets (N, C), else a single one for all targets.

    Ignored targets, which are NaN, do not count. Without positives or without negatives the weight is 1.
    """
    values = _target_values(target)
    labels = values if isinstance(target, Tensor) and target.ndim == 2 else values.reshape(-1, 1)
    positives, negatives = ((labels > 0.5).double().sum(0), (labels <= 0.5).double().sum(0))
    return tuple(torch.where(positives * negatives > 0, negatives / positives.clamp(min=1), 1.0).tolist())


def _target_values(target: PreparedColumn) -> Tensor:
    if isinstance(target, RaggedTensor):
        return target.values
    if isinstance(target, WindowTensor):
        return target[:]
    return target if isinstance(target, Tensor) else target.batch(torch.arange(len(target)), None)
