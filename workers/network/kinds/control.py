"""The control-flow kinds: what infers their shapes, and which function carries them out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from workers.network.inference.control_flow import (
    Found,
    Workshop,
    again,
    along,
    choose,
    loop,
    sort,
    up,
    use_block,
)
from workers.network.runtime.control_flow import Tally, branch, repeat, route, scan
from workers.network.runtime.control_flow import loop as turn
from workers.network.runtime.fold_bodies import fold_trees


@dataclass(frozen=True)
class Control:
    """One row: `infer(workshop, inputs)` on the meta device, `function(bodies, *inputs, **keywords)` for real.

    Without a function the node is its only body. `compiled` says what `mode: compiled` makes of it: "whole" goes into
    the graph around it; of "bodies" each is compiled, and which of them run is decided between graphs; "no": as it is.
    """

    infer: Callable[[Workshop, tuple[Tensor, ...]], Found]
    function: Callable[..., Any] | None
    compiled: Literal["whole", "bodies", "no"] = "whole"

    def bound(self, bodies: nn.Module, keywords: Mapping[str, Any], tally: Tally) -> Callable[..., Any]:
        """Return the callable of a node, as torch's compiler is to see it: it takes the inputs alone."""
        if self.function is None:
            return bodies
        call = partial(self.function, bodies, **keywords, tally=tally)
        if self.compiled == "whole":
            return call
        opaque: Callable[..., Any] = torch.compiler.disable(call, recursive=self.compiled == "no")
        return opaque


CONTROL: Mapping[str, Control] = {
    "block": Control(use_block, None),
    "If": Control(choose, branch, "bodies"),
    "Route": Control(sort, route, "bodies"),
    "Repeat": Control(again, repeat),
    "While": Control(loop, turn, "bodies"),
    "Scan": Control(along, scan),
    "Fold": Control(up, fold_trees, "no"),
}
