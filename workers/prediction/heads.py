"""From a job's objective to what each output of its network means."""

from collections.abc import Sequence
from typing import Any, cast

from app.spec.data.base_feature import BaseFeature
from app.spec.data.columns import Column, DataSchema
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.data.sequence_features import TagsFeature
from app.spec.job import JobSpec, head_targets
from app.spec.training.losses import LOSS_CLASSES, OUTPUT_LOSS, BaseLoss, task_type
from app.spec.training.objective import Head
from workers.data.features.preparation import Preparation
from workers.data.features.scaling import Scaling
from workers.prediction.meaning import ACTIVATIONS, PredictionDecoder
from workers.training.objective.decode import EQUIVALENT_LOSSES

SIGNED_LABELS = {"SoftMarginLoss": (-1, 1)}  # what its targets are


def prediction_decoders(
    job: JobSpec,
    stored: DataSchema,
    seen: ResolvedFeatures,
    preparation: Preparation,
    outputs: Sequence[str],
    first: str,
) -> dict[str, PredictionDecoder]:
    """Return what these outputs mean; `first` is the one that heads are about unless they name another.

    What is compared with no target is told as it is.
    """
    found = dict.fromkeys(outputs, PredictionDecoder("raw"))
    targets = head_targets(job, stored, seen)
    for name, head in reversed(job.objective.all_heads().items()):
        output, target = head.metrics_output or first, targets[name]
        if head.has_metrics_output and output in found and target is not None:
            preprocessor = preparation.preprocessors.get(target.name)
            scaling = preprocessor.target_scaling if preprocessor is not None else None
            found[output] = prediction_decoder(head, target, seen, scaling)
    return found


def prediction_decoder(
    head: Head, target: Column, seen: ResolvedFeatures, scaling: Scaling | None = None
) -> PredictionDecoder:
    """Return what an output means that a head compares with a target."""
    feature = seen.features[target.name]
    kind = task_type(head.loss, target)
    kind = "tags" if feature.kind == "tags" and kind == "classes" else kind
    like = EQUIVALENT_LOSSES[kind] if head.loss.kind == OUTPUT_LOSS else head.loss.kind
    loss = (
        cast(BaseLoss, LOSS_CLASSES[like].model_validate({"kind": like}))
        if head.loss.kind == OUTPUT_LOSS
        else head.loss
    )
    labels: tuple[Any, ...] = target.labels or ((False, True) if target.dtype == "bool" else ())
    if kind == "decisions":
        labels = SIGNED_LABELS.get(like) or (labels if len(labels) == 2 else ())
    return PredictionDecoder(
        about=kind,
        activation=ACTIVATIONS[like](loss),
        dim=-1 if head.classes == "last" else 1,
        target=target.name,
        loss=head.loss.kind,
        labels=labels if kind != "numbers" else (),
        scaling=scaling if kind == "numbers" else None,
        aligned_input=_aligned_input(feature, target.name, seen),
    )


def _aligned_input(feature: BaseFeature, target: str, seen: ResolvedFeatures) -> str | None:
    """Return the input that a target goes along with, place by place: what tags belong to, or itself."""
    if not isinstance(feature, TagsFeature):
        return target
    others = {name: other for name, other in seen.features.items() if other is not feature}
    return next((name for name, other in others.items() if feature.of in other.source_columns), None)
