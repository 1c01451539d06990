"""The control-flow kinds: what infers their shapes, and which function carries them out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from workers.network.bodies import Found, Workshop, again, along, choose, loop, sort, up, use_block
from workers.network.flow import branch, repeat, route, scan
from workers.network.flow import loop as turn
from workers.network.forest import fold_trees


@dataclass(frozen=True)
class Control:
    """One row: `infer(workshop, inputs)` on the meta device, `function(bodies, *inputs, **keywords)` for real.

    Without a function the node is its only body.
    """

    infer: Callable[[Workshop, tuple[Tensor, ...]], Found]
    function: Callable[..., Any] | None


CONTROL: Mapping[str, Control] = {
    "block": Control(use_block, None),
    "If": Control(choose, branch),
    "Route": Control(sort, route),
    "Repeat": Control(again, repeat),
    "While": Control(loop, turn),
    "Scan": Control(along, scan),
    "Fold": Control(up, fold_trees),
}
