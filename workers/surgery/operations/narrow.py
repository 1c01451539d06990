"""Narrowing: structured pruning of channels."""

import torch

from app.spec.edits.operations import Narrow
from workers.surgery.draft import Change, Draft
from workers.surgery.operations.width_changes import Width, change_width, check_obstacles, find_width, refusal
from workers.surgery.widths.importance import channel_scores


def narrow(draft: Draft, operation: Narrow, index: int) -> Change:
    """Remove channels of a node, and all that follows. Raises `InvalidInput`.

    The outputs that stay are recorded in the draft's choices; those that are there already are kept.
    """
    pointer = f"/operations/{index}"
    width = find_width(draft, operation.node, index)
    check_obstacles(width, {"change", "output"}, f"{pointer}/node")
    given = [name for name in ("to", "fraction", "keep") if getattr(operation, name) is not None]
    if len(given) != 1:
        detail = "narrow needs a size, a share or the outputs that stay"
        raise refusal(pointer, "contradiction", detail, 'give "to", "fraction" or "keep"')
    if operation.keep is not None:
        channels = _channels_of(width, operation.keep, f"{pointer}/keep")
    elif index in draft.choices:
        channels = _channels_of(width, tuple(draft.choices[index]), pointer)
    else:
        channels = _choose(draft, width, operation, _remaining(width, operation, pointer))
    if operation.keep is None:
        draft.choices[index] = _outputs_of(width, channels)
    return change_width(draft, width, channels, index, field=given[0])


def _remaining(width: Width, operation: Narrow, pointer: str) -> int:
    """Return how many channels remain. Raises `InvalidInput`."""
    size, block, path = width.part.size, width.block, width.place.path
    if operation.fraction is not None:
        remaining = width.channels - max(1, round(operation.fraction * width.channels))
        if remaining < 1:
            detail = f"nothing would remain of {path}, which has {_count(width)}"
            raise refusal(f"{pointer}/fraction", "invalid_value", detail, "use a smaller fraction, or remove the layer")
        return remaining
    after = operation.to or 0
    if after >= size:
        hint = 'use "op": "widen"' if after > size else f"use less than {size}"
        raise refusal(f"{pointer}/to", "invalid_value", f"{path} has only {size} outputs", hint)
    if after % block:
        nearest = after - after % block
        detail = f"the outputs of {path} are removed in blocks of {block}, as other layers need them"
        hint = " or ".join(str(each) for each in (nearest, nearest + block) if 0 < each < size)
        raise refusal(f"{pointer}/to", "invalid_value", detail, f"use {hint}" if hint else "narrow another layer")
    return after // block


def _count(width: Width) -> str:
    return f"{width.part.size} outputs" + (f" in blocks of {width.block}" if width.block > 1 else "")


def _choose(draft: Draft, width: Width, operation: Narrow, remaining: int) -> tuple[int, ...]:
    """Return the channels that matter most, in their order; of equal ones the first. Without weights: the first."""
    if draft.weights is None:
        return tuple(range(remaining))
    scores = channel_scores(width.dependencies, width.group, draft.weights, operation.by)
    best = torch.sort(scores, descending=True, stable=True).indices[:remaining]
    return tuple(sorted(best.tolist()))


def _outputs_of(width: Width, channels: tuple[int, ...]) -> tuple[int, ...]:
    """Return the outputs that channels stand for, in ascending order."""
    part, count = width.part, width.channels
    return tuple(
        (repetition * count + channel) * part.inner + place
        for repetition in range(part.outer)
        for channel in channels
        for place in range(part.inner)
    )


def _channels_of(width: Width, outputs: tuple[int, ...], pointer: str) -> tuple[int, ...]:
    """Return the channels that outputs belong to. Raises `InvalidInput` for part of one, and for unknown outputs."""
    size, path = width.part.size, width.place.path
    if beyond := [each for each in outputs if each >= size]:
        detail = f"{path} has no output {beyond[0]}"
        raise refusal(pointer, "invalid_value", detail, f"use 0 to {size - 1}")
    channels = tuple(sorted({output // width.part.inner % width.channels for output in outputs}))
    expected = _outputs_of(width, channels)
    if set(expected) != set(outputs):
        missing = sorted(set(expected) - set(outputs))
        detail = f"outputs of {path} go together in blocks of {width.block}, and {missing[0]} is not among those kept"
        raise refusal(pointer, "invalid_value", detail, f"keep {', '.join(map(str, missing[:8]))} too")
    if len(expected) == size:
        raise refusal(pointer, "invalid_value", f"{path} has no other outputs", "leave out those to remove")
    return channels
