"""Widening: more channels, so that the network computes what it did before."""

from collections.abc import Container
from math import floor

from app.spec.edits.operations import Widen
from workers.surgery.draft import Change, Draft
from workers.surgery.operations.width_changes import Width, change_width, check_obstacles, find_width, refusal, warn
from workers.surgery.tensor_map import NEW
from workers.surgery.widths.groups import Prevents


def widen(draft: Draft, operation: Widen, index: int) -> Change:
    """Widen a node, and all that follows. Raises `InvalidInput`.

    New channel i is a copy of channel i mod n, and what reads copies is divided by their number (Chen et al. 2016,
    Net2Net, where the copied channels are drawn). With `init: zero` new channels are drawn, and their readers are zero.
    """
    pointer = f"/operations/{index}"
    width = find_width(draft, operation.node, index)
    check_obstacles(width, {"change", "output", "widen"}, f"{pointer}/node")
    before = width.channels
    after = _new_channels(width, operation, pointer)
    if operation.init == "zero":
        if operation.noise:
            detail = "noise is added to copies, and init zero makes none"
            raise refusal(f"{pointer}/noise", "contradiction", detail, 'remove noise, or set "init" to "copy"')
        _check_exact(width, {"zero", "uneven"}, f"{pointer}/init", 'set "init" to "copy"')
        indices = (*range(before), *[NEW] * (after - before))
    else:
        if after % before:
            size = width.part.size
            hint = f"use a multiple of {size}, such as {2 * size} or {3 * size}" if operation.to else "use 2.0, or 3.0"
            _check_exact(width, {"uneven"}, f"{pointer}/{_field(operation)}", hint)
        indices = tuple(channel % before for channel in range(after))
        if not operation.noise:
            detail = f"copies in {operation.node} get equal gradients: without dropout they stay equal"
            warn(draft, pointer, "equal_copies", detail, 'set "noise": 0.01, or "init": "zero", which is exact too')
    return change_width(draft, width, indices, index, field=_field(operation), noise=operation.noise)


def _field(operation: Widen) -> str:
    return "to" if operation.to is not None else "by"


def _new_channels(width: Width, operation: Widen, pointer: str) -> int:
    """Return the new number of channels. Raises `InvalidInput`."""
    size, block, path = width.part.size, width.block, width.place.path
    if (operation.to is None) == (operation.by is None):
        raise refusal(pointer, "contradiction", "widen needs a size or a factor", 'give "to" or "by"')
    if operation.by is not None:
        return max(width.channels + 1, floor(width.channels * operation.by + 0.5))
    after = operation.to or 0
    if after <= size:
        hint = 'use "op": "narrow"' if after < size else f"use at least {size + block}"
        raise refusal(f"{pointer}/to", "invalid_value", f"{path} has {size} outputs already", hint)
    if after % block:
        detail = f"the outputs of {path} are added in blocks of {block}, as other layers need them"
        nearest = after - after % block
        hint = " or ".join(str(each) for each in (nearest, nearest + block) if each > size)
        raise refusal(f"{pointer}/to", "invalid_value", detail, f"use {hint}")
    return after // block


def _check_exact(width: Width, kinds: Container[Prevents], pointer: str, hint: str) -> None:
    """Raise `InvalidInput` if the wider network would not compute the same."""
    if obstacles := width.obstacles(kinds):
        detail = f"the wider network would not compute the same: {obstacles[0].detail}"
        raise refusal(pointer, "not_preserved", detail, hint)
