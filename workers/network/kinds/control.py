"""Kinds of control flow: the function that infers shapes, and the function that runs the bodies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from workers.network.blueprint import Parameters
from workers.network.inference.control_flow import (
    BodyInference,
    ControlFlowShapes,
    infer_block,
    infer_fold,
    infer_if,
    infer_repeat,
    infer_route,
    infer_scan,
    infer_while,
)
from workers.network.runtime.control_flow import RecordMetric, branch, repeat, route, scan, while_loop
from workers.network.runtime.fold_bodies import fold_trees
from workers.network.runtime.generation import GeneratedTokens, generate_from_block, generate_from_scan
from workers.network.runtime.plan import NodeCall


@dataclass(frozen=True)
class ControlKind:
    """One row: `infer(inference, inputs)` on the meta device, and `function(bodies, *inputs, **keywords)` in `forward`.

    Without a function the node is its only body. `compiled` says what `mode: compiled` does: "whole" makes it a part of
    the graph around it, "bodies" compiles each body and chooses among them outside the graph, "no" does not compile it.
    """

    infer: Callable[[BodyInference, tuple[Tensor, ...]], ControlFlowShapes]
    function: NodeCall | None
    compiled: Literal["whole", "bodies", "no"] = "whole"

    def bind(self, bodies: nn.Module, keywords: Parameters, record: RecordMetric) -> NodeCall:
        """Return the callable of a node, which takes its inputs, as torch's compiler shall treat it."""
        if self.function is None:
            return bodies
        call = partial(self.function, bodies, **keywords, record=record)
        if self.compiled == "whole":
            return call
        opaque: NodeCall = torch.compiler.disable(call, recursive=self.compiled == "no")
        return opaque


CONTROL: Mapping[str, ControlKind] = {
    "block": ControlKind(infer_block, None),
    "If": ControlKind(infer_if, branch, "bodies"),
    "Route": ControlKind(infer_route, route, "bodies"),
    "Repeat": ControlKind(infer_repeat, repeat),
    "While": ControlKind(infer_while, while_loop, "bodies"),
    "Scan": ControlKind(infer_scan, scan),
    "Fold": ControlKind(infer_fold, fold_trees, "no"),
}

# Kinds that can run freely → the function, of the node's bodies and inputs, and of the arguments in `FreeRunning`.
FREE_RUNNING: Mapping[str, Callable[..., GeneratedTokens]] = {"Scan": generate_from_scan, "block": generate_from_block}
