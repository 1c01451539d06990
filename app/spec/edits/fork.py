"""A fork: a new job from a job's checkpoint, with changes to its spec."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.spec.base import Count, Size, SpecModel


class Fork(SpecModel):
    """The checkpoint that a new job starts from, and the changes to the spec."""

    from_step: Annotated[Count, Field(description="Step of a listed checkpoint; default: the newest.")] | None = None
    from_revision: Annotated[Size, Field(description="Of that checkpoint, where an edit came at its step.")] | None = (
        None
    )
    what: Literal["weights", "everything"] = "everything"
    changes: dict[str, Any] = Field(default_factory=dict, description="A JSON merge patch (RFC 7396) for the spec.")


def fork_spec(spec: dict[str, Any], fork: Fork, checkpoint: str) -> dict[str, Any]:
    """Return the new job's spec, as a user would write it."""
    start = {"start_from": {"checkpoint": checkpoint, "what": fork.what}}
    result: dict[str, Any] = merge_patch(spec | start, fork.changes)
    _replace_rate(result, fork.changes)
    return result


def _replace_rate(spec: dict[str, Any], changes: dict[str, Any]) -> None:
    """Remove the rate of the optimiser if the changes give the plan another one: `lr` there means the same."""
    match changes:
        case {"training": {"lr": _, **others}} if "optimizer" not in others:
            match spec:
                case {"training": {"optimizer": dict() as optimizer}}:
                    spec["training"]["optimizer"] = {name: each for name, each in optimizer.items() if name != "lr"}


def merge_patch(target: Any, patch: Any) -> Any:
    """Return a document with a merge patch applied (RFC 7396): null removes, objects merge, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result
