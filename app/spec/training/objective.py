"""The objective: what is minimised, what outputs are compared with, and what is reported beside it."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from app.errors import Problem
from app.spec.base import Name, Positive, SpecModel, validation_error
from app.spec.data.columns import Column, ColumnName
from app.spec.problems import did_you_mean
from app.spec.training.losses import OUTPUT_LOSS, Loss
from app.spec.training.metrics import Metric, metric_mismatch

RESERVED_HEAD_NAMES = frozenset({"flow"})  # series of what control flow did


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
    """Which output is compared with which target, and what is reported of it."""

    output: Name | None = Field(None, description=OUTPUT_DESCRIPTION)
    target: ColumnName | None = Field(None, description=TARGET_DESCRIPTION)
    classes: Literal["first", "last"] = Field("first", description=CLASSES_DESCRIPTION)
    scores: Name | None = Field(None, description=SCORES_DESCRIPTION)
    metrics: Annotated[tuple[Metric, ...], Field(max_length=32)] = ()


class Head(BaseHead):
    """One of several losses, and its weight in their sum."""

    loss: Loss
    weight: Positive = 1.0

    @property
    def has_loss_target(self) -> bool:
        """Whether the loss compares an output with a target."""
        return self.loss.kind != OUTPUT_LOSS

    @property
    def metrics_output(self) -> str | None:
        """The output that metrics are about, `None` for the first one. See `watches`."""
        return self.output if self.has_loss_target else self.scores

    @property
    def has_metrics_output(self) -> bool:
        """Whether there is an output that metrics and reports compare with a target."""
        return self.has_loss_target or self.scores is not None


class Objective(BaseHead):
    """One loss; or several, as heads with names, whose weighted sum is minimised."""

    loss: Loss | None = None
    heads: Annotated[dict[HeadName, Head], Field(min_length=1, max_length=64)] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> "Objective":
        if self.heads is None and self.loss is None:
            raise validation_error("missing", "an objective has a loss, or several heads", 'add "loss": {"kind": …}')
        beside = sorted(self.model_fields_set - {"heads"})
        if self.heads is not None and beside:
            detail = f"with heads, {', '.join(beside)} belong to each head"
            raise validation_error("contradiction", detail, "move them into the heads, or remove heads")
        return self

    def all_heads(self) -> dict[str, Head]:
        """Return the heads by name; of the form with one loss a single one, whose name is empty."""
        if self.heads is not None:
            return dict(self.heads)
        fields: dict[str, Any] = {name: getattr(self, name) for name in (*BaseHead.model_fields, "loss")}
        return {"": Head.model_construct(weight=1.0, **fields)}

    def series_names(self) -> tuple[str, ...]:
        """Return the names of all series that are evaluated."""
        found = ["train/loss", "val/loss"]
        for name, head in self.all_heads().items():
            found += [f"{split}/{name}/loss" for split in ("train", "val") if name]
            found += [f"val/{series_prefix(name)}{metric}" for metric in head.metrics]
        return tuple(found)


def head_pointer(head: str) -> str:
    """Return the pointer of a head in a job."""
    return f"/objective/heads/{head}" if head else "/objective"


def series_prefix(head: str) -> str:
    """Return what stands before the names of a head's own series, after `val/`."""
    return f"{head}/" if head else ""


def objective_changes(new: Objective, old: Objective) -> dict[str, tuple[Any, Any]]:
    """Return what of two objectives decides over a training: both values by their place in a job."""
    mine, theirs = new.all_heads(), old.all_heads()
    if mine.keys() != theirs.keys():
        return {"objective/heads": (tuple(mine), tuple(theirs))}
    return {
        f"{head_pointer(name)[1:]}/{field}": (getattr(mine[name], field), getattr(theirs[name], field))
        for name in mine
        for field in ("loss", "weight", "output", "target", "classes")
    }


def objective_problems(
    objective: Objective, outputs: Iterable[str], targets: Mapping[str, Column | None]
) -> list[Problem]:
    """Return what heads name that is not there, and metrics that say nothing of what the heads are about.

    `outputs` are the network's, `targets` the columns by head.
    """
    problems = []
    for name, head in objective.all_heads().items():
        where = head_pointer(name)
        for field in ("output", "scores"):
            wanted = getattr(head, field)
            if wanted is not None and wanted not in outputs:
                detail = f'the network has no output "{wanted}"'
                problems.append(Problem(f"{where}/{field}", "unknown_output", detail, did_you_mean(wanted, outputs)))
        if head.has_loss_target and head.scores is not None:
            detail = f"{head.loss.kind} compares an output itself, which the metrics are about"
            problems.append(Problem(f"{where}/scores", "contradiction", detail, "remove scores"))
        for position, metric in enumerate(head.metrics):
            reason = _head_metric_mismatch(metric, head, targets[name])
            if reason is not None:
                problems.append(Problem(f"{where}/metrics/{position}", "contradiction", *reason))
    return problems


def _head_metric_mismatch(metric: str, head: Head, target: Column | None) -> tuple[str, str] | None:
    if not head.has_metrics_output:
        detail = f"{metric} compares an output with a target, and this loss is an output itself"
        return detail, 'name what is compared: "scores": an output'
    return metric_mismatch(metric, head.loss, target) if target is not None else None
