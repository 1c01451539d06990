"""Trained weights of torchvision before a job begins: what of them does not fit, and images unlike those they know."""

from collections.abc import Iterator

from app.errors import Problem
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.data.images.feature import ImageFeature
from workers.network.analysis.pretrained import begun_anew, pretrained_nodes
from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.kinds.backbones import torchvision_weights
from workers.training.checkpoints.weight_match import tell_names

TOLERANCE = 0.01  # of a mean or a deviation, in units of the range of values


def pretrained_warnings(blueprint: Blueprint, resolved: ResolvedFeatures) -> Iterator[Problem]:
    """Yield which tensors begin anew beside trained weights, and images that are normalised unlike theirs."""
    for path, node in pretrained_nodes(blueprint):
        place, name = f"/model{node.pointer}/weights", node.parameters["weights"]
        if anew := [f"{path}.{each}" for each in begun_anew(node)]:
            detail = f"{name} has other shapes: {tell_names(anew)} begin anew"
            yield Problem(place, "begun_anew", detail, "that is right for other classes or channels than theirs")
        if "." not in path and node.inputs[0] in blueprint.inputs:
            yield from _normalization_warnings(node, resolved, place)


def _normalization_warnings(node: ResolvedNode, resolved: ResolvedFeatures, place: str) -> Iterator[Problem]:
    """Yield that the images of an input are normalised unlike those of the weights, if they are."""
    weights = torchvision_weights(node.kind, node.parameters["weights"])
    if not node.parameters.get("transform_input", True):
        detail = f"{weights.name} of {node.kind} was trained with its input changed by the network"
        yield Problem(place, "other_normalization", detail, 'set "transform_input": true')
    theirs = weights.transforms()
    expected = tuple(tuple(round(value, 4) for value in values) for values in (theirs.mean, theirs.std))
    found = _normalization(resolved, node.inputs[0])
    if found is None or not all(map(_is_near, found, expected)):
        what = "not normalised" if found is None else f"normalised by {list(found[0])} and {list(found[1])}"
        mean, std = map(list, expected)
        detail = f"{weights.name} knows images normalised by mean {mean} and std {std}; these are {what}"
        hint = f'end the transforms with {{"kind": "Normalize", "mean": {mean}, "std": {std}}}'
        yield Problem(place, "other_normalization", detail, hint)


def _is_near(ours: tuple[float, ...], theirs: tuple[float, ...]) -> bool:
    """Say whether numbers by channel, or one for all channels, are those of the weights."""
    values = ours * len(theirs) if len(ours) == 1 else ours
    return len(values) == len(theirs) and all(
        abs(value - known) <= TOLERANCE for value, known in zip(values, theirs, strict=True)
    )


def _normalization(resolved: ResolvedFeatures, name: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Return mean and deviation by which the images of a column are normalised in evaluation; `None` if by none."""
    feature = resolved.features.get(name)
    steps = (feature.evaluation_transforms or ()) if isinstance(feature, ImageFeature) else ()
    last = next((step.settings() for step in reversed(steps) if step.kind == "Normalize"), None)
    return (tuple(last["mean"]), tuple(last["std"])) if last is not None else None
