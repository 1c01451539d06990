"""Losses by kind, and what they want their targets to be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from app.errors import BuildError
from app.spec.objective import BaseLoss
from workers.data.columns import Made, Ragged

TENSORS = frozenset({"weight", "pos_weight"})  # settings that torch wants as tensors


def _classes(target: Made) -> Made:
    """Whole numbers are classes; anything else is a probability of each class."""
    return target.to(torch.float32 if target.is_floating_point() else torch.int64)


def _index(target: Made) -> Made:
    return target.to(torch.int64)


def _numbers(target: Made) -> Made:
    return target.to(torch.float32)


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


@dataclass(frozen=True)
class Objective:
    """The loss of one output: `objective(outputs, target)` is a scalar in float32."""

    kind: str
    loss: nn.Module
    cast: Callable[[Made], Made]
    same_shape: bool
    summed: bool  # over the examples, not averaged
    output: str | None = None
    counting: nn.Module | None = None  # the same loss as a sum, where a mean is over targets that count, not all

    def __call__(self, outputs: Mapping[str, Tensor], target: Tensor) -> Tensor:
        """Return the loss. (N, 1) and (N) are taken for the same; any other difference in shape raises `BuildError`."""
        return self._of(self.loss, outputs, target)

    def numerator(self, outputs: Mapping[str, Tensor], target: Tensor) -> Tensor:
        """Return the sum of which the loss is the mean: 0 where no target counts. See `counts`."""
        return self._of(self.loss if self.counting is None else self.counting, outputs, target)

    def denominator(self, target: Tensor) -> Tensor:
        """Return how many targets count (integer), or their summed weight (float): a scalar. See `counts`."""
        kept, weight = torch.ne(target, self.ignored), self.loss.weight
        if not isinstance(weight, Tensor):
            return kept.sum()
        return (weight[target.clamp(0, len(weight) - 1)] * kept).sum()  # a class beyond them is for the loss to refuse

    def counts(self, target: Made) -> bool:
        """Say whether the loss is a mean over the targets that count: classes, not ignored, by their weights."""
        return self.counting is not None and not target.is_floating_point()

    def uneven(self, target: Made, parts: int) -> bool:
        """Say whether steps of `parts` batches out of these targets need `denominator`: their rows may count unlike.

        Looks at every target, and waits for the device.
        """
        if not self.counts(target):
            return False
        if isinstance(target, Ragged):  # padded with targets that do not count
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

    def _of(self, loss: nn.Module, outputs: Mapping[str, Tensor], target: Tensor) -> Tensor:
        output = self.chosen(outputs).float()  # mixed precision ends here: a loss in half precision loses its sums
        if self.same_shape and output.shape != target.shape:
            if output.numel() != target.numel():
                detail = f"{self.kind} compares {list(output.shape)} with targets of {list(target.shape)}"
                hint = "make the last layer as wide as the target"
                raise BuildError(detail, pointer="/objective/loss", hint=hint)
            target = target.reshape(output.shape)
        result: Tensor = loss(output, target)
        return result

    def chosen(self, outputs: Mapping[str, Tensor]) -> Tensor:
        """Return the output that the loss reads: the named one, or the first."""
        return outputs[self.output] if self.output is not None else next(iter(outputs.values()))


def build_loss(spec: BaseLoss, output: str | None = None, device: torch.device | None = None) -> Objective:
    """Build a loss. Raises `BuildError` if torch refuses its settings."""
    kind, cast, same_shape = LOSSES[spec.kind]
    settings: dict[str, Any] = {name: getattr(spec, name) for name in type(spec).model_fields if name != "kind"}
    for name in TENSORS & settings.keys():
        settings[name] = None if settings[name] is None else torch.tensor(settings[name], device=device)
    try:
        loss = kind(**settings)
        counting = (
            kind(**settings | {"reduction": "sum"}) if kind in COUNTING and settings["reduction"] == "mean" else None
        )
    except ValueError as error:
        raise BuildError(f"{spec.kind}: {error}", pointer="/objective/loss") from error
    return Objective(spec.kind, loss, cast, same_shape, settings["reduction"] == "sum", output, counting)
