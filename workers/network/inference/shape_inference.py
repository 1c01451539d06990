"""From a spec to a blueprint, node by node on the meta device."""

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
from workers.network.inference.vocabulary_sizes import VocabularySizes, check_class_count, resolve_vocabulary_size
from workers.network.inference.weights import check_named_nodes, check_ties
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.control import ControlKind
from workers.network.kinds.leaves import LeafKind
from workers.network.kinds.module_kind import ModuleKind

MAX_INFERENCE_COST = 1000  # of all nodes that are run on the meta device; one operation costs 1, see `ModuleKind.cost`


def infer_shapes(
    network: Network, schema: DataSchema, inputs: tuple[str, ...], skip: AbstractSet[str] = frozenset()
) -> PartialNetwork:
    """Infer every node. `skip` holds the pointers of nodes that have problems already.

    `inputs` are the columns that the network reads unless it names its own. Pointers are relative to the network.
    """
    names = network.input_names(inputs)
    columns = [column for name in names if (column := schema.column(name)) is not None]
    values = {column.name: _column(column.shape, column.dtype) for column in columns}
    inference = _ShapeInference(network, skip)
    for column in columns:
        inference.vocabulary_sizes.record(values[column.name], column.classes)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):  # leaves are initialised for a check
        return inference.body(network, values, inputs, "")


@dataclass
class _ShapeInference:
    """Infers a network and its bodies. A body that is used twice on values of equal types is inferred once."""

    network: Network
    skip: AbstractSet[str]
    inferred_nodes: dict[Any, InferredNode] = field(default_factory=dict)
    inferred_bodies: dict[Any, PartialNetwork] = field(default_factory=dict)
    shared_bodies: dict[str, PartialNetwork] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    vocabulary_sizes: VocabularySizes = field(default_factory=VocabularySizes)
    cost: int = 0

    def body(self, body: Body, values: dict[str, Tensor], inputs: tuple[str, ...], place: str) -> PartialNetwork:
        """Infer the nodes of the body at the pointer `place`, in topological order."""
        names = body.input_names(inputs)
        result = PartialNetwork(Blueprint(names, (), {}), values=values, problems=self.problems)
        nodes, left_out = body.wired_nodes(inputs), []
        for wired in nodes:
            known = all(name in values for name in wired.inputs)
            trace = self._trace(wired, result, place) if known and place + wired.pointer not in self.skip else None
            values.pop(wired.id, None)  # a layer may have the name of the input of the chain
            if trace is not None:
                result.nodes.append(trace)
                values |= trace.named_outputs()
            elif place + wired.pointer not in self.skip:
                left_out.append(wired)
        result.blueprint = Blueprint(names, tuple(trace.node for trace in result.nodes), body.output_names())
        self.problems += check_ties(result.blueprint, result.nodes)
        self.problems += check_named_nodes(left_out, [wired.id for wired in nodes], place)
        return result

    def _trace(self, wired: WiredNode, result: PartialNetwork, place: str) -> InferredNode | None:
        """Return a node with its outputs. Equal nodes on inputs of equal types are computed once."""
        inputs = tuple(result.values[name] for name in wired.inputs)
        row, parameters = CATALOG[wired.node.kind], wired.node.settings()
        key = None
        if not isinstance(row, LeafKind | ControlKind):
            key = (wired.node.kind, tuple(parameters.items()), *map(self._type, inputs))
            if key in self.inferred_nodes:
                trace = self.inferred_nodes[key]
                resolved = replace(trace.node, id=wired.id, inputs=wired.inputs, pointer=place + wired.pointer)
                return replace(trace, node=resolved, inputs=inputs)
        try:
            if isinstance(row, ControlKind):
                return self._with_bodies(wired, row, inputs, place)
            vocabulary_size = self.vocabulary_sizes.get(inputs[0]) if inputs else None
            if isinstance(row, ModuleKind):
                parameters = resolve_vocabulary_size(wired.id, parameters, vocabulary_size)
            if "n_classes" in parameters:
                check_class_count(wired.id, parameters, self.vocabulary_sizes.get(inputs[1]))
            trace = infer_node(wired, row, parameters, inputs, place, self._spend)
            self.vocabulary_sizes.propagate(wired.node.kind, trace)
        except NodeError as error:
            for each in (error, *error.others):
                where = place + wired.pointer + (f"/{each.field}" if each.field else "")
                self.problems.append(Problem(where, each.code, each.detail, each.hint))
            return None
        except UnresolvedBodyError:
            return None
        if key is not None:
            self.inferred_nodes[key] = trace
        return trace

    def _spend(self, name: str, cost: int) -> None:
        """Add a cost. Raises `NodeError` once the sum exceeds the limit, and `UnresolvedBodyError` afterwards."""
        before, self.cost = self.cost, self.cost + cost
        if before > MAX_INFERENCE_COST:
            raise UnresolvedBodyError
        if self.cost > MAX_INFERENCE_COST:
            detail = f"the network has too many different layers up to {name} to check them"
            hint = "use fewer different settings: equal layers are checked once"
            raise NodeError(detail, hint, code="too_many_different")

    def _with_bodies(self, wired: WiredNode, row: ControlKind, inputs: tuple[Tensor, ...], place: str) -> InferredNode:
        node, where = wired.node, place + wired.pointer
        references = node.bodies()
        bodies = {name: self.network.resolve_body(ref) for name, (_, ref) in references.items()}

        def infer_body(name: str, values: Sequence[Tensor]) -> tuple[PartialNetwork, str]:
            pointer, ref = references[name]
            at = f"/blocks/{ref}" if isinstance(ref, str) else where + pointer
            return self._inner(bodies[name], values, at, f"{wired.id}: {name}"), at

        settings = node.settings()
        inference = BodyInference(wired.id, settings, bodies, infer_body, self.vocabulary_sizes)
        shapes = row.infer(inference, inputs)
        share = f"{settings['name']} {settings['share']}" if settings.get("share") and "name" in settings else None
        tied = share is not None and share in self.shared_bodies
        networks = [inner.network for inner in inference.inferred.values()]
        if share is not None:
            if tied and self.shared_bodies[share] is not networks[0]:
                raise NodeError(
                    f"{wired.id} shares parameters with a use on other shapes", "use another share", field="share"
                )
            self.shared_bodies[share] = networks[0]
        blueprints = {name: inner.network.blueprint for name, inner in inference.inferred.items()}
        resolved = ResolvedNode(
            wired.id,
            node.kind,
            shapes.keywords,
            wired.inputs,
            where,
            self.network.node_output_names(node),
            blueprints,
            share,
            shapes.free_running,
        )
        parameters, buffers = (
            (0, 0) if tied else (sum(each.parameters for each in networks), sum(each.buffers for each in networks))
        )
        return InferredNode(
            resolved, inputs, shapes.outputs[0], parameters, buffers, shapes.outputs[1:], inference.inferred
        )

    def _inner(self, body: Body, values: Sequence[Tensor], place: str, who: str) -> PartialNetwork:
        names = body.input_names(("input",))
        if len(names) != len(values):
            listing = ", ".join(names)
            detail = f"{who} takes {len(names)} inputs ({listing}) and receives {len(values)}"
            raise NodeError(detail, "change its inputs")
        key = (place, *map(self._type, values))
        if key not in self.inferred_bodies:
            self.inferred_bodies[key] = self.body(body, dict(zip(names, values, strict=True)), ("input",), place)
        return self.inferred_bodies[key]

    def _type(self, value: Tensor) -> tuple[torch.Size, torch.dtype, int | None]:
        return value.shape, value.dtype, self.vocabulary_sizes.get(value)


def _column(shape: tuple[int, ...], dtype: str) -> Tensor:
    return torch.empty((SYMBOLIC_BATCH_SIZE, *shape), dtype=getattr(torch, dtype), device=META)
