"""The network as a module, whose `forward` runs a precomputed plan of calls."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from app.errors import InvalidInput, OutOfMemory
from app.spec.data.columns import DataSchema
from app.spec.network.network import Network
from workers.network.analysis.dependencies import prune_to_outputs
from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.inference.shape_inference import infer_shapes
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.control import ControlKind
from workers.network.kinds.leaves import LeafKind
from workers.network.kinds.module_kind import ModuleKind
from workers.network.kinds.operations import OperationKind
from workers.network.kinds.weights import tie_parameters
from workers.network.runtime.control_flow import RecordMetric, TensorOrTuple, unwrap_single
from workers.network.runtime.plan import ExecutionPlan, NodeCall, build_plan
from workers.torch_setup import is_out_of_memory


class FlowMetrics:
    """Metrics of control flow by node, such as how often a branch was taken, or the number of iterations."""

    def __init__(self) -> None:
        self._recorded: dict[str, list[tuple[float, int]]] = {}

    def recorder(self, path: str) -> RecordMetric:
        """Return the function that records the metrics of a node."""

        def record(name: str, value: float, count: int) -> None:
            self._recorded.setdefault(f"{path}/{name}", []).append((value, count))

        opaque: RecordMetric = torch.compiler.disable(record)  # a growing list would recompile every step
        return opaque

    def drain(self) -> dict[str, float]:
        """Return the means over examples since the last call, and reset."""
        if not self._recorded:  # as after every step of a network without control flow
            return {}
        means = {
            name: sum(value * count for value, count in records) / max(1, sum(count for _, count in records))
            for name, records in self._recorded.items()
        }
        self._recorded.clear()
        return means


class GraphModule(nn.Module):
    """A network or body built from its blueprint. Submodules have the ids of their nodes.

    Weights are initialised in the order of the blueprint, from torch's global generator.
    """

    def __init__(self, blueprint: Blueprint, metrics: FlowMetrics, path: str = "") -> None:
        super().__init__()
        self.blueprint, self._metrics, self._path = blueprint, metrics, path
        shared: dict[str, nn.Module] = {}
        for node in blueprint.nodes:
            row = CATALOG[node.kind]
            if isinstance(row, LeafKind):
                row.register(self, node.id, row.tensor(node.parameters))
            elif isinstance(row, ModuleKind):
                self.add_module(node.id, row.module(node.parameters))
            elif isinstance(row, ControlKind):
                part = shared.get(node.share or "") or _build_bodies(node, row, metrics, f"{path}{node.id}")
                if node.share is not None:
                    shared[node.share] = part
                self.add_module(node.id, part)
        tie_parameters(self, blueprint)
        self._plan = build_plan(blueprint, self._calls())

    def _calls(self) -> dict[str, NodeCall]:
        """Return the callable of each node, bound to this graph's own submodules."""
        calls: dict[str, NodeCall] = {}
        for node in self.blueprint.nodes:
            row = CATALOG[node.kind]
            if isinstance(row, ModuleKind):
                calls[node.id] = row.bind(self.get_submodule(node.id), node.parameters)
            elif isinstance(row, ControlKind):
                record = self._metrics.recorder(f"{self._path}{node.id}")
                calls[node.id] = row.bind(self.get_submodule(node.id), node.parameters, record)
            elif not isinstance(row, LeafKind):
                calls[node.id] = row.bind(node.parameters)
        return calls

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for a copy, without the plan, which is bound to this graph's own submodules."""
        state: dict[str, Any] = super().__getstate__()  # type: ignore[no-untyped-call]
        return {name: value for name, value in state.items() if name != "_plan"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state, with a new plan."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._plan = build_plan(self.blueprint, self._calls())

    def forward(self, *inputs: Tensor) -> TensorOrTuple:
        """Return the output (N, ...), or a tuple of several, for inputs (N, ...) in order."""
        return unwrap_single(self._run(inputs))

    def _run(self, inputs: Sequence[Tensor], plan: ExecutionPlan | None = None) -> list[Tensor]:
        width, leaves, steps, outputs = plan or self._plan
        slots: list[Any] = [*inputs, *[None] * (width - len(inputs))]  # every slot is filled before it is read
        for name, slot in leaves:
            slots[slot] = getattr(self, name)  # by name: `to` puts other tensors in the place of buffers
        for call, reads, frees, chained, write in steps:
            value = call(*[slots[slot] for slot in reads])
            for slot in frees:
                slots[slot] = None
            for following in chained:
                value = following(value)
            slots[write] = value
        return [slots[slot] for slot in outputs]


# Functions, not methods: every public name of the module is one that no node can have.
def graph_path(graph: GraphModule) -> str:
    """Return the ids above a graph and the name of its body, each followed by a slash; empty for the network itself."""
    return graph._path


def observed_plan(graph: GraphModule, observe: Callable[[ResolvedNode, str, NodeCall], NodeCall]) -> ExecutionPlan:
    """Return a graph's plan with another call for each node, made by `observe` of the node, its path and its call."""
    nodes = {node.id: node for node in graph.blueprint.nodes}
    calls = {name: observe(nodes[name], graph._path + name, call) for name, call in graph._calls().items()}
    return build_plan(graph.blueprint, calls)


def swap_plan(graph: GraphModule, plan: ExecutionPlan) -> ExecutionPlan:
    """Let `forward` of a graph run another plan of the same blueprint; return the one before."""
    before, graph._plan = graph._plan, plan
    return before


def _build_bodies(node: ResolvedNode, row: ControlKind, metrics: FlowMetrics, place: str) -> nn.Module:
    """Return the bodies of a node by name; a `block` node is its body itself."""
    if row.function is None:
        return GraphModule(node.bodies["name"], metrics, f"{place}/")
    return nn.ModuleDict({name: GraphModule(body, metrics, f"{place}/{name}/") for name, body in node.bodies.items()})


class BuiltNetwork(GraphModule):
    """A network from the data's columns to named outputs.

    `is_random` says whether a forward pass in training mode draws random numbers.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint, FlowMetrics())
        self.is_random = _is_random(blueprint)

    def forward(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:  # type: ignore[override]
        """Return the outputs (N, ...) by name, for inputs (N, ...) by name."""
        results = self._run([values[name] for name in self.blueprint.inputs])
        return dict(zip(self.blueprint.outputs, results, strict=True))


def network_part(network: BuiltNetwork, outputs: Sequence[str]) -> BuiltNetwork:
    """Return the part of a network that some of its outputs need, on the same modules and tensors.

    It runs no other node: those draw no random numbers, and their statistics stay as they are.
    """
    part = copy.copy(network)
    part.blueprint = prune_to_outputs(network.blueprint, outputs)
    part.is_random = _is_random(part.blueprint)
    part._compiled_call_impl = None
    part._plan = build_plan(part.blueprint, network._calls())
    return part


def is_random_node(node: ResolvedNode) -> bool:
    """Say whether a node draws random numbers in training mode, itself or in its bodies."""
    row = CATALOG[node.kind]
    if isinstance(row, ModuleKind):
        return row.is_random(node.parameters)
    return (isinstance(row, OperationKind) and row.uses_rng) or any(map(_is_random, node.bodies.values()))


def _is_random(blueprint: Blueprint) -> bool:
    return any(map(is_random_node, blueprint.nodes))


def flow_metrics(network: BuiltNetwork) -> dict[str, float]:
    """Return the metrics of control flow since the last call: means by "node/metric"."""
    return network._metrics.drain()


def run_before(network: BuiltNetwork, part: Blueprint, values: Mapping[str, Tensor]) -> list[Tensor]:
    """Return the outputs of a part of a network, which has its nodes and their weights."""
    calls = network._calls()
    plan = build_plan(part, {node.id: calls[node.id] for node in part.nodes if node.id in calls})
    return network._run([values[name] for name in part.inputs], plan)


def build(network: Network, schema: DataSchema, inputs: tuple[str, ...]) -> BuiltNetwork:
    """Build the network on the CPU, with weights from torch's global generator.

    `inputs` are the columns that it reads unless it names its own. Raises `InvalidInput` with every problem, whose
    pointers are relative to the network, and `OutOfMemory`.
    """
    inferred = infer_shapes(network, schema, inputs)
    if inferred.problems:
        raise InvalidInput(inferred.problems)
    try:
        return BuiltNetwork(inferred.blueprint)
    except RuntimeError as error:  # torch has no class of its own for a full CPU memory
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory("the weights of the network do not fit into memory") from None
