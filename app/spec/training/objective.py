"""The objective: losses, the outputs and targets that they compare, and metrics."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from app.errors import Problem
from app.spec.base import Name, OneOrMany, Positive, SpecModel, validation_error
from app.spec.data.columns import Column, ColumnName
from app.spec.hints.names import choices, did_you_mean
from app.spec.training.losses import OUTPUT_LOSS, Loss
from app.spec.training.metrics import Metric, metric_mismatch

RESERVED_HEAD_NAMES = frozenset({"flow"})  # of the series of control flow


def _validate_head_name(name: str) -> str:
    if name in RESERVED_HEAD_NAMES:
        raise validation_error(
            "reserved_id", f'a head cannot be called "{name}": series have that name', "choose another name"
        )
    return name


HeadName = Annotated[Name, AfterValidator(_validate_head_name)]
OUTPUT_DESCRIPTION = "Which output of the network; default: the first one."
TARGET_DESCRIPTION = "A feature or a column that the output is compared with; default: the data's target."
CLASSES_DESCRIPTION = "Where an output has the scores of the classes: first, (N, C, …) as in torch; or last, (N, …, C)."
SCORES_DESCRIPTION = (
    "Beside a loss that is an output itself: the output whose scores the metrics compare with the target."
)


class BaseHead(SpecModel):
    """The loss, the output, the target that it is compared with, and the metrics."""

    loss: Loss | None = None
    output: Name | None = Field(None, description=OUTPUT_DESCRIPTION)
    target: ColumnName | None = Field(None, description=TARGET_DESCRIPTION)
    classes: Literal["first", "last"] = Field("first", description=CLASSES_DESCRIPTION)
    scores: Name | None = Field(None, description=SCORES_DESCRIPTION)
    metrics: Annotated[tuple[Metric, ...], Field(max_length=32), OneOrMany(kinds=True)] = ()


class Head(BaseHead):
    """One of several losses, and its weight in their sum."""

    loss: Loss
    weight: Positive = 1.0

    def loss_outputs(self, first: str) -> tuple[str, ...]:
        """Return the outputs that the loss reads; `first` is the network's first one."""
        return (self.output or first, *self.loss.other_outputs.values())

    @property
    def has_loss_target(self) -> bool:
        """Whether the loss compares an output with a target."""
        return self.loss.kind != OUTPUT_LOSS

    @property
    def metrics_output(self) -> str | None:
        """The output that metrics compare with the target, `None` for the first one. See `has_metrics_output`."""
        return self.output if self.has_loss_target else self.scores

    @property
    def has_metrics_output(self) -> bool:
        """Whether there is an output that metrics and reports compare with a target."""
        return self.has_loss_target or self.scores is not None


class Objective(BaseHead):
    """One loss; or several, as heads with names, whose weighted sum is minimised."""

    heads: Annotated[dict[HeadName, Head], Field(min_length=1, max_length=64)] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> "Objective":
        if self.heads is None and self.loss is None:
            raise validation_error(
                "missing", "an objective has a loss, or several heads", 'add "loss": "CrossEntropyLoss"'
            )
        others = sorted(self.model_fields_set - {"heads"})
        if self.heads is not None and others:
            detail = f"with heads, {', '.join(others)} belong to each head"
            raise validation_error("contradiction", detail, "move them into the heads, or remove heads")
        return self

    def all_heads(self) -> dict[str, Head]:
        """Return the heads by name; an objective with one loss has a single head, whose name is empty."""
        if self.heads is not None:
            return dict(self.heads)
        fields: dict[str, Any] = {name: getattr(self, name) for name in BaseHead.model_fields}
        return {"": Head.model_construct(weight=1.0, **fields)}

    def series_names(self, minimised: Sequence[str] | None = None, of_training: bool = False) -> tuple[str, ...]:
        """Return the names of all series that are evaluated.

        `minimised` are the heads that are trained, if not all; `of_training`: metrics are of the training rows too.
        """
        names = ["train/loss", "val/loss"]
        for name, head in self.all_heads().items():
            splits = ("train", "val") if minimised is None or name in minimised else ("val",)
            names += [f"{split}/{name}/loss" for split in splits if name]
            measured = ("train", "val") if of_training else ("val",)
            names += [f"{split}/{series_prefix(name)}{metric}" for split in measured for metric in head.metrics]
        return tuple(names)


def head_pointer(head: str) -> str:
    """Return the pointer of a head in a job."""
    return f"/objective/heads/{head}" if head else "/objective"


def series_prefix(head: str) -> str:
    """Return the prefix of the names of a head's series, after `val/`."""
    return f"{head}/" if head else ""


def objective_changes(new: Objective, old: Objective) -> dict[str, tuple[Any, Any]]:
    """Return the fields that determine a training, with their new and old values, by their place in a job."""
    new_heads, old_heads = new.all_heads(), old.all_heads()
    if new_heads.keys() != old_heads.keys():
        return {"objective/heads": (tuple(new_heads), tuple(old_heads))}
    return {
        f"{head_pointer(name)[1:]}/{field}": (getattr(new_heads[name], field), getattr(old_heads[name], field))
        for name in new_heads
        for field in ("loss", "weight", "output", "target", "classes")
    }


def objective_problems(
    objective: Objective, outputs: Iterable[str], targets: Mapping[str, Column | None]
) -> list[Problem]:
    """Return the problems of heads: unknown outputs, and metrics that do not apply.

    `outputs` are the network's, `targets` the columns by head.
    """
    problems = []
    for name, head in objective.all_heads().items():
        pointer = head_pointer(name)
        named = {"output": head.output, "scores": head.scores}
        named |= {f"loss/{field}": output for field, output in head.loss.other_outputs.items()}
        for field, output in named.items():
            if output is not None and output not in outputs:
                detail = f'the network has no output "{output}"'
                hint = did_you_mean(output, outputs) or choices(outputs)
                problems.append(Problem(f"{pointer}/{field}", "unknown_output", detail, hint))
        if head.has_loss_target and head.scores is not None:
            detail = f"{head.loss.kind} and its metrics compare the same output with the target"
            problems.append(Problem(f"{pointer}/scores", "contradiction", detail, "remove scores"))
        for position, metric in enumerate(head.metrics):
            reason = _head_metric_mismatch(metric, head, targets[name])
            if reason is not None:
                problems.append(Problem(f"{pointer}/metrics/{position}", "contradiction", *reason))
    return problems


def _head_metric_mismatch(metric: str, head: Head, target: Column | None) -> tuple[str, str] | None:
    if not head.has_metrics_output:
        detail = f"{metric} compares an output with a target, and this loss is an output itself"
        return detail, 'set "scores" to the output that metrics compare with the target'
    return metric_mismatch(metric, head.loss, target) if target is not None else None
