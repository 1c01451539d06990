"""What new nodes compute at first: proofs that it is their input, or zero, from the network on the meta device."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.errors import Problem
from app.spec.edits.operations import Initialisation
from workers.network.inference.partial_network import InferredNode, PartialNetwork
from workers.surgery.initial.fills import ZERO_TENSORS
from workers.surgery.initial.identities import Refusal, identity_refusal
from workers.surgery.initial.intervals import ANY, Interval, value_intervals
from workers.surgery.lineage import Lineage, node_at
from workers.surgery.node_places import JsonObject

Plan = dict[str, Initialisation]  # how the nodes of a block start, by pointer

_ZERO_HINT = (
    'use "init": "default"; linear layers, convolutions, embeddings, recurrent layers, attention and normalisations '
    "with weights can"
)


@dataclass(frozen=True, slots=True)
class InitialFunction:
    """What an operation says of a node that it writes; `pointer` leads to the operation."""

    init: Initialisation
    pointer: str


def check_initial_functions(
    network: PartialNetwork, model: JsonObject, functions: Mapping[int, InitialFunction], lineage: Lineage
) -> list[Problem]:
    """Return a problem for every node that cannot compute what an operation says, with pointers into the edit.

    `functions` are those of nodes by the identity of their objects in the document. How the nodes inside a new block
    start is noted in the lineage.
    """
    problems: dict[str, Problem] = {}
    traces = list(inferred_nodes(network))
    starts: dict[tuple[str, str], set[Initialisation | None]] = {}  # of the nodes that share parameters
    for trace, _ in traces:
        function = functions.get(id(node_at(model, trace.node.pointer)))
        starts.setdefault(_share_key(trace), set()).add(None if function is None else function.init)
    for trace, interval in traces:
        node = node_at(model, trace.node.pointer)
        function = functions.get(id(node))
        if function is None or function.init == "default":
            continue
        result = _zero(trace) if function.init == "zero" else _identity(trace, interval)
        if len(starts[_share_key(trace)]) > 1 and not lineage.origin(node).is_reset:
            detail = f'{trace.node.id} has the parameters of the other nodes with "share": "{trace.node.share}"'
            result = Refusal(detail, 'leave out "share", or use "init": "default"')
        if isinstance(result, Refusal):
            place = f"{function.pointer}/init"
            problems.setdefault(place, Problem(place, f"not_{function.init}", result.detail, result.hint))
        elif trace.bodies:
            lineage.set_inner(node, result)
    return list(problems.values())


def _share_key(trace: InferredNode) -> tuple[str, str]:
    """Return what the nodes of a body that share parameters have in common, and no others."""
    pointer = trace.node.pointer
    return (pointer, "") if trace.node.share is None else (pointer.rpartition("/")[0], trace.node.share)


def inferred_nodes(network: PartialNetwork) -> Iterator[tuple[InferredNode, Interval]]:
    """Yield every node with the interval of its first input, those of bodies included."""
    pending, visited = [network], {id(network)}
    while pending:
        within = pending.pop()
        intervals = value_intervals(within)
        for trace in within.nodes:
            yield trace, _first(trace, intervals)
            for body in trace.bodies.values():
                if id(body.network) not in visited:
                    visited.add(id(body.network))
                    pending.append(body.network)


def _first(trace: InferredNode, intervals: Mapping[str, Interval]) -> Interval:
    return intervals.get(trace.node.inputs[0], ANY) if trace.node.inputs else ANY


def _zero(trace: InferredNode) -> Plan | Refusal:
    kind, parameters = trace.node.kind, trace.node.parameters
    if parameters.get("parametrization") is not None:
        return Refusal(f"the weights of {trace.node.id} are computed from others", 'use "init": "default"')
    if kind in ZERO_TENSORS and ZERO_TENSORS[kind](parameters):
        return {}
    return Refusal(f"{trace.node.id} has no weights that would make it compute zero", _ZERO_HINT)


def _identity(trace: InferredNode, interval: Interval) -> Plan | Refusal:
    """Return how the nodes of a block start so that it computes its input; nothing for another node that can."""
    if trace.node.kind != "block":
        return identity_refusal(trace, interval) or {}
    body = trace.bodies["name"].network
    if len(body.blueprint.inputs) != 1 or len(body.blueprint.outputs) != 1:
        return Refusal(f"the block {trace.node.id} has several inputs or outputs", 'use "init": "default"')
    result = _Block(body, body.blueprint.inputs[0], interval).plan(next(iter(body.blueprint.outputs.values())))
    return result if isinstance(result, Refusal) else result[0]


class _Block:
    """A block whose output shall be its input: by layers that compute theirs, and sums with a branch of zeros."""

    def __init__(self, body: PartialNetwork, source: str, interval: Interval) -> None:
        self._nodes = {trace.node.id: trace for trace in body.nodes}
        self._source, self._interval = source, interval

    def plan(self, name: str) -> tuple[Plan, Interval] | Refusal:
        """Return how nodes start so that a value is the block's input, and the interval of the value."""
        if name not in self._nodes:
            if name == self._source:
                return {}, self._interval
            return Refusal(f"{name} is one of several outputs", 'use "init": "default"')
        trace = self._nodes[name]
        if trace.node.kind == "add" and len(trace.node.inputs) == 2:
            return self._sum(trace)
        inner = self.plan(trace.node.inputs[0]) if trace.node.inputs else Refusal(f"{name} reads nothing", "")
        if isinstance(inner, Refusal):
            return inner
        own = _identity(trace, inner[1])
        return own if isinstance(own, Refusal) else (inner[0] | own | {trace.node.pointer: "identity"}, inner[1])

    def _sum(self, trace: InferredNode) -> tuple[Plan, Interval] | Refusal:
        first, second = trace.node.inputs
        refusal = None
        for kept, branch in ((first, second), (second, first)):
            zero = self._nodes.get(branch)
            result = self.plan(kept)
            if isinstance(result, Refusal):
                refusal = refusal or result
            elif zero is None or isinstance(_zero(zero), Refusal) or zero.output.shape != trace.output.shape:
                refusal = Refusal(f"{branch} has no weights that would make it zero", "end the branch with a layer")
            else:
                return result[0] | {zero.node.pointer: "zero"}, result[1]
        return refusal or Refusal(f"{trace.node.id} is not the block's input", "")
