"""From a spec to a blueprint: node by node on the meta device, where tensors have shapes and no memory."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from app.errors import Problem
from app.spec.data.columns import DataSchema
from app.spec.network.network import Network
from app.spec.network.nodes import Body, WiredNode
from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.inference.control_flow import BodyInference, UnresolvedBodyError
from workers.network.inference.input_checks import META, SYMBOLIC_BATCH_SIZE, NodeError
from workers.network.inference.node_inference import infer_node
from workers.network.inference.partial_network import InferredNode, PartialNetwork
from workers.network.inference.vocabulary_sizes import VocabularySizes, resolve_vocabulary_size
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.control import ControlKind
from workers.network.kinds.leaves import LeafKind
from workers.network.kinds.modules import ModuleKind

MAX_INFERENCE_COST = 1000  # of all nodes that are run on the meta device; one operation costs 1, see `ModuleKind.cost`


def infer_shapes(
    network: Network, schema: DataSchema, inputs: tuple[str, ...], skip: AbstractSet[str] = frozenset()
) -> PartialNetwork:
    """Settle every node. `skip` holds pointers of nodes that are known to be wrong; they are passed over in silence.

    Problems' pointers are relative to the network.
    """
    names = network.input_names(inputs)
    columns = [column for name in names if (column := schema.column(name)) is not None]
    values = {column.name: _column(column.shape, column.dtype) for column in columns}
    drafter = _ShapeInference(network, skip)
    for column in columns:
        drafter.vocabulary_sizes.record(values[column.name], column.classes)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):  # some leaves are filled, to try
        return drafter.body(network, values, inputs, "")


@dataclass
class _ShapeInference:
    """Drafts a network and the bodies in it; a body that is used twice on like values is drafted once."""

    network: Network
    skip: AbstractSet[str]
    inferred_nodes: dict[Any, InferredNode] = field(default_factory=dict)
    inferred_bodies: dict[Any, PartialNetwork] = field(default_factory=dict)
    shared_bodies: dict[str, PartialNetwork] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    vocabulary_sizes: VocabularySizes = field(default_factory=VocabularySizes)
    cost: int = 0

    def body(self, body: Body, values: dict[str, Tensor], inputs: tuple[str, ...], place: str) -> PartialNetwork:
        """Settle the nodes of a body, which stands at `place`, in an order in which each follows what it reads."""
        names = body.input_names(inputs)
        result = PartialNetwork(Blueprint(names, (), {}), values=values, problems=self.problems)
        for placed in body.wired_nodes(inputs):
            known = all(name in values for name in placed.inputs)
            trace = self._trace(placed, result, place) if known and place + placed.pointer not in self.skip else None
            values.pop(placed.id, None)  # a layer may be named like the input of the chain
            if trace is not None:
                result.nodes.append(trace)
                values |= trace.named_outputs()
        result.blueprint = Blueprint(names, tuple(trace.node for trace in result.nodes), body.output_names())
        return result

    def _trace(self, placed: WiredNode, result: PartialNetwork, place: str) -> InferredNode | None:
        """Return what a node does; a node like one before it, on inputs like those, is not computed again."""
        inputs = tuple(result.values[name] for name in placed.inputs)
        row, parameters = CATALOG[placed.node.kind], placed.node.settings()
        key = None
        if not isinstance(row, LeafKind | ControlKind):
            key = (placed.node.kind, tuple(parameters.items()), *map(self._type, inputs))
            if key in self.inferred_nodes:
                like = self.inferred_nodes[key]
                settled = replace(like.node, id=placed.id, inputs=placed.inputs, pointer=place + placed.pointer)
                return replace(like, node=settled, inputs=inputs)
        try:
            if isinstance(row, ControlKind):
                return self._with_bodies(placed, row, inputs, place)
            counted = self.vocabulary_sizes.get(inputs[0]) if inputs else None
            if isinstance(row, ModuleKind):
                parameters = resolve_vocabulary_size(placed.id, parameters, counted)
            trace = infer_node(placed, row, parameters, inputs, place, self._spend)
            self.vocabulary_sizes.propagate(placed.node.kind, trace)
        except NodeError as found:
            where = place + placed.pointer + (f"/{found.field}" if found.field else "")
            self.problems.append(Problem(where, found.code, found.detail, found.hint))
            return None
        except UnresolvedBodyError:
            return None
        if key is not None:
            self.inferred_nodes[key] = trace
        return trace

    def _spend(self, name: str, cost: int) -> None:
        """Count what asking torch takes. Raises `Mismatch` once it is too much, and `Unsettled` from then on."""
        before, self.cost = self.cost, self.cost + cost
        if before > MAX_INFERENCE_COST:
            raise UnresolvedBodyError
        if self.cost > MAX_INFERENCE_COST:
            detail = f"the layers up to {name} are too many different ones to check"
            raise NodeError(detail, "give layers the same settings, which is checked once", code="too_many_different")

    def _with_bodies(self, placed: WiredNode, row: ControlKind, inputs: tuple[Tensor, ...], place: str) -> InferredNode:
        node, where = placed.node, place + placed.pointer
        written = node.bodies()
        forms = {name: self.network.resolve_body(ref) for name, (_, ref) in written.items()}

        def make(name: str, values: Sequence[Tensor]) -> tuple[PartialNetwork, str]:
            pointer, ref = written[name]
            at = f"/blocks/{ref}" if isinstance(ref, str) else where + pointer
            return self._inner(forms[name], values, at, f"{placed.id}: {name}"), at

        given = node.settings()
        shop = BodyInference(placed.id, given, forms, make)
        found = row.infer(shop, inputs)
        share = f"{given['name']} {given['share']}" if given.get("share") and "name" in given else None
        tied = share is not None and share in self.shared_bodies
        drafts = [inner.network for inner in shop.inferred.values()]
        if share is not None:
            if tied and self.shared_bodies[share] is not drafts[0]:
                raise NodeError(
                    f"{placed.id} shares parameters with a use on other shapes", "use another share", field="share"
                )
            self.shared_bodies[share] = drafts[0]
        bodies = {name: inner.network.blueprint for name, inner in shop.inferred.items()}
        settled = ResolvedNode(
            placed.id,
            node.kind,
            found.keywords,
            placed.inputs,
            where,
            self.network.node_output_names(node),
            bodies,
            share,
        )
        parameters, buffers = (
            (0, 0) if tied else (sum(draft.parameters for draft in drafts), sum(draft.buffers for draft in drafts))
        )
        return InferredNode(settled, inputs, found.outputs[0], parameters, buffers, found.outputs[1:], shop.inferred)

    def _inner(self, body: Body, values: Sequence[Tensor], place: str, who: str) -> PartialNetwork:
        names = body.input_names(("input",))
        if len(names) != len(values):
            wanted = ", ".join(names)
            raise NodeError(f"{who} takes {len(names)} inputs ({wanted}) and gets {len(values)}", "change its inputs")
        key = (place, *map(self._type, values))
        if key not in self.inferred_bodies:
            self.inferred_bodies[key] = self.body(body, dict(zip(names, values, strict=True)), ("input",), place)
        return self.inferred_bodies[key]

    def _type(self, value: Tensor) -> tuple[torch.Size, torch.dtype, int | None]:
        return value.shape, value.dtype, self.vocabulary_sizes.get(value)


def _column(shape: tuple[int, ...], dtype: str) -> Tensor:
    return torch.empty((SYMBOLIC_BATCH_SIZE, *shape), dtype=getattr(torch, dtype), device=META)
