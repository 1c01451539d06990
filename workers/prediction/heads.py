"""From a job's objective to what each output of its network means."""

from collections.abc import Sequence
from typing import Any, cast

from app.spec.data.columns import Column, DataSchema
from app.spec.data.feature_schema import View
from app.spec.job import Job, head_targets
from app.spec.training.losses import LOSS_CLASSES, OWN, BaseLoss, about
from app.spec.training.objective import Head
from workers.data.features.numbers import Scaling
from workers.data.features.preparation import Preparation
from workers.prediction.meaning import ACTIVATIONS, Meaning
from workers.training.objective.decode import READ_LIKE

SIGNS = {"SoftMarginLoss": (-1, 1)}  # what its targets are


def meanings(
    job: Job, stored: DataSchema, seen: View, preparation: Preparation, outputs: Sequence[str], first: str
) -> dict[str, Meaning]:
    """Return what these outputs mean; `first` is the one that heads are about unless they name another.

    What is compared with no target is told as it is.
    """
    found = dict.fromkeys(outputs, Meaning("raw"))
    targets = head_targets(job, stored, seen)
    for name, head in reversed(job.objective.all_heads().items()):
        output, target = head.watched or first, targets[name]
        if head.watches and output in found and target is not None:
            scaling = getattr(preparation.preparers.get(target.name), "scaling", None)
            found[output] = meaning(head, target, seen, scaling if isinstance(scaling, Scaling) else None)
    return found


def meaning(head: Head, target: Column, seen: View, scaling: Scaling | None = None) -> Meaning:
    """Return what an output means that a head compares with a target."""
    part: Any = seen.features[target.name]
    kind = about(head.loss, target)
    kind = "tags" if part.kind == "tags" and kind == "classes" else kind
    like = READ_LIKE[kind] if head.loss.kind == OWN else head.loss.kind
    loss = cast(BaseLoss, LOSS_CLASSES[like].model_validate({"kind": like})) if head.loss.kind == OWN else head.loss
    labels: tuple[Any, ...] = target.labels or ((False, True) if target.dtype == "bool" else ())
    if kind == "decisions":
        labels = SIGNS.get(like) or (labels if len(labels) == 2 else ())
    return Meaning(
        about=kind,
        activation=ACTIVATIONS[like](loss),
        dim=-1 if head.classes == "last" else 1,
        target=target.name,
        loss=head.loss.kind,
        labels=labels if kind != "numbers" else (),
        scaling=scaling if kind == "numbers" and not getattr(part, "indicators", False) else None,
        along=_along(part, target.name, seen),
    )


def _along(part: Any, target: str, seen: View) -> str | None:
    """Return the input that a target goes along with, place by place: what tags belong to, or itself."""
    if part.kind != "tags":
        return target
    others: dict[str, Any] = {name: other for name, other in seen.features.items() if other is not part}
    return next((name for name, other in others.items() if getattr(other, "column", None) == part.of), None)
