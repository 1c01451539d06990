"""Sequences of classes that are read from sequences of another length: connectionist temporal classification.

Graves et al., "Connectionist Temporal Classification", ICML 2006.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from app.errors import BuildError
from app.spec.training.losses import BaseLoss
from workers.data.columns import PreparedColumn
from workers.training.objective.training_loss import DenominatorFunction, OutputTensors, StepDenominators, TargetTensors

END = -1  # behind the end of a sequence of classes


@dataclass(frozen=True)
class SequenceLoss:
    """`CTCLoss` of one output (N, C, T) and one target (N, S).

    A target ends at its first class that is negative, or the blank. The mean is over examples, each by the length of
    its target.
    """

    loss: nn.CTCLoss
    output: str
    target: str
    lengths: str | None  # the output with the number of steps (N); `None`: all of them
    classes_last: bool = False
    pointer: str = "/objective"

    @property
    def advice_if_infinite(self) -> str:
        """What to do first where the loss is infinite, in words with a separator behind them."""
        if self.loss.zero_infinity:
            return ""
        return (
            "a target that is longer than its steps, counting a blank between equal neighbours, has an infinite loss: "
            'leave such rows out, or set "zero_infinity": true in the loss; else '
        )

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs that it reads."""
        return (self.output,) if self.lengths is None else (self.output, self.lengths)

    def denominator_function(self, targets: Mapping[str, PreparedColumn], batches: int) -> DenominatorFunction | None:
        """Return `None`: all examples count alike."""
        return None

    def batch_loss(
        self, outputs: OutputTensors, targets: TargetTensors, share: float, denominators: StepDenominators | None = None
    ) -> Tensor:
        """Return the loss of a batch: a float32 scalar."""
        scores, target = outputs[self.output].float(), targets[self.target]
        steps = scores.transpose(0, 1) if self.classes_last else scores.permute(2, 0, 1)
        lengths = outputs[self.lengths].long() if self.lengths is not None else _whole(steps)
        ends = ((target >= 0) & torch.ne(target, self.loss.blank)).sum(1)
        loss = self._compute(steps, target.clamp(min=0), lengths, ends)
        return loss * share if share < 1 and self.loss.reduction != "sum" else loss

    def _compute(self, steps: Tensor, target: Tensor, lengths: Tensor, ends: Tensor) -> Tensor:
        try:
            loss: Tensor = self.loss(steps, target, lengths, ends)
        except RuntimeError as error:
            if "input_lengths" not in str(error):
                raise
            detail = (
                f'"{self.lengths}" says that a row has {int(lengths.max())} steps, and "{self.output}" has {len(steps)}'
            )
            hint = "where layers shorten the sequence, shorten the lengths alike: floor_divide, sub"
            raise BuildError(detail, pointer=f"{self.pointer}/loss/input_lengths", hint=hint) from error
        return loss

    def sum_and_divisor(
        self, outputs: OutputTensors, targets: TargetTensors, rows: int, mean_over_targets: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return the sum over a batch, and its number of examples."""
        loss = self.batch_loss(outputs, targets, 1)
        return (loss, None) if self.loss.reduction == "sum" else (loss * rows, torch.tensor(rows))

    def is_mean_over_targets(self, targets: Mapping[str, PreparedColumn]) -> bool:
        """Return `False`: it is a mean over all examples."""
        return False

    def pop_head_losses(self) -> None:
        """Return `None`: there is a single loss."""


def _whole(steps: Tensor) -> Tensor:
    return torch.full((steps.shape[1],), len(steps), device=steps.device)


def build_sequence_loss(
    spec: BaseLoss, output: str, target: str, *, classes_last: bool, pointer: str = "/objective"
) -> SequenceLoss:
    """Build the loss of torch for an output and a target."""
    settings = {name: value for name, value in spec.settings().items() if name not in spec.row.other_outputs}
    return SequenceLoss(nn.CTCLoss(**settings), output, target, spec.options.input_lengths, classes_last, pointer)


def greedy_decode(scores: Tensor, blank: int) -> Tensor:
    """Return the most probable classes of steps (N, T, C), repeated ones once and without blanks: int64 (N, T).

    They are at the beginning of each row, and `END` behind them.
    """
    best = scores.argmax(-1)
    kept = torch.ne(best, blank)
    kept[:, 1:] &= torch.ne(best[:, 1:], best[:, :-1])
    order = (~kept).to(torch.int8).argsort(dim=1, stable=True)
    within = torch.arange(best.shape[1], device=best.device) < kept.sum(1, keepdim=True)
    return torch.where(within, best.gather(1, order), END)


def blank_behind(scores: Tensor, lengths: Tensor, blank: int) -> Tensor:
    """Return scores (N, T, C) of which the steps behind the lengths (N) say blank."""
    behind = torch.arange(scores.shape[1], device=scores.device) >= lengths.unsqueeze(1)
    only = torch.full_like(scores[:1, :1], -torch.inf)
    only[..., blank] = 0
    return torch.where(behind.unsqueeze(-1), only, scores)


def sequence_distances(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the edit distances of rows of classes (N, T) and (N, S), which end at their first negative one: (N)."""
    lengths = (predicted >= 0).sum(1)
    width = int(lengths.max()) if len(lengths) else 0
    return edit_distances(predicted[:, :width], lengths, target, (target >= 0).sum(1))


def edit_distances(left: Tensor, left_lengths: Tensor, right: Tensor, right_lengths: Tensor) -> Tensor:
    """Return the Levenshtein distances of rows of tokens, (N, T) and (N, U) of the lengths (N): int64 (N)."""
    places = torch.arange(right.shape[1] + 1, device=right.device)
    rows = torch.arange(len(right), device=right.device)
    row = places.expand(len(right), -1)  # from nothing to each beginning of the right side
    distances = row[rows, right_lengths]
    for step in range(left.shape[1]):
        replaced = row[:, :-1] + torch.ne(left[:, step : step + 1], right)
        shorter = torch.cat([row[:, :1] + 1, torch.minimum(replaced, row[:, 1:] + 1)], 1)
        row = (shorter - places).cummin(1).values + places  # insertions cost one for each place
        distances = torch.where(left_lengths == step + 1, row[rows, right_lengths], distances)
    return distances
