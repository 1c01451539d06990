"""Images: residual convolutions, as deep as the images are large, and the mean over what is left of them.

Blocks are those of He et al. (2016), Deep Residual Learning, with group normalisation: no size of a batch disturbs it.
"""

from typing import Any

from app.proposals.draft import Draft
from app.spec.data.columns import Column

MIN_SIDE = 4  # pixels after the last stage
MAX_STAGES = 4
MAX_SIDE = 128  # pixels: larger images are resized
COMMON_SIDE = 64  # pixels, where images have different sizes
MIN_SHIFTED_SIDE = 16  # smaller images are not shifted
FEW_IMAGES = 2_000  # with fewer, the layers are half as wide
GROUPS = 8


def add_image_branch(draft: Draft, column: Column) -> str:
    """Add a column of images, and return the node of its row (N, k)."""
    height, width, transforms = _size(column)
    side = min(height, width)
    if side >= MIN_SHIFTED_SIDE:
        margin = max(1, side // 10)
        transforms.append({"kind": "RandomCrop", "size": [height, width], "padding": margin, "padding_mode": "edge"})
    feature: dict[str, Any] = {"kind": "image", "column": column.name}
    feature |= {"scale": "unit"} if column.dtype != "uint8" else {}
    name = draft.add_feature(column.name, feature | ({"transforms": transforms} if transforms else {}))
    draft.explain(f"/data/features/{name}", _transforms_reason(column, transforms))
    return _add_stages(draft, name, side)


def _size(column: Column) -> tuple[int, int, list[dict[str, Any]]]:
    """Return height and width in the network, and the transform that brings images to them."""
    if len(column.shape) < 3:
        return COMMON_SIDE, COMMON_SIDE, [{"kind": "Resize", "size": [COMMON_SIDE, COMMON_SIDE]}]
    height, width = column.shape[-2:]
    if max(height, width) <= MAX_SIDE:
        return height, width, []
    factor = MAX_SIDE / max(height, width)
    size = [max(MIN_SIDE, round(each * factor)) for each in (height, width)]
    return size[0], size[1], [{"kind": "Resize", "size": size}]


def _transforms_reason(column: Column, transforms: list[dict[str, Any]]) -> str:
    parts = []
    kinds = [each["kind"] for each in transforms]
    if "Resize" in kinds:
        why = "have different sizes and" if len(column.shape) < 3 else "are larger than needed and"
        parts.append(f"Images {why} are resized to {transforms[0]['size']}.")
    if "RandomCrop" in kinds:
        parts.append("In training they are shifted a little at random, which changes the meaning of hardly any image.")
    parts.append("Nothing is flipped, rotated or recoloured: that may change what an image shows, such as a letter.")
    return " ".join(parts)


def _add_stages(draft: Draft, image: str, side: int) -> str:
    stages = max(1, min(MAX_STAGES, (side // MIN_SIDE).bit_length()))
    width = 16 if draft.rows < FEW_IMAGES else 32
    read = image
    for stage in range(stages):
        first = _add_convolution(draft, read, width << stage)
        second = _add_convolution(draft, first, width << stage)
        read = draft.add_node("sum", "add", [first, second])
        if stage == 0:
            widths = ", ".join(str(width << each) for each in range(stages))
            reason = f"{stages} stages of two convolutions for images of {side} pixels, {widths} channels wide."
            draft.explain_node(first, reason)
        if stage < stages - 1:
            read = draft.add_node("smaller", "MaxPool2d", [read], kernel_size=2)
    pooled = draft.add_node("pooled", "mean", [read], dim=[2, 3])
    draft.explain_node(pooled, "The mean over all places: what an image shows does not depend on where it is.")
    return pooled


def _add_convolution(draft: Draft, read: str, width: int) -> str:
    convolution = draft.add_node("conv", "Conv2d", [read], out_channels=width, kernel_size=3, padding=1, bias=False)
    norm = draft.add_node("norm", "GroupNorm", [convolution], num_groups=GROUPS)
    return draft.add_node("active", "ReLU", [norm])
