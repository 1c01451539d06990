"""The network as data: a chain of `layers`, or named `nodes` with inputs and outputs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from keyword import kwlist
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from app.errors import Problem
from app.spec.base import Name, Part
from app.spec.kinds import Kind, classes, closed_union
from app.spec.modules import MODULES
from app.spec.operations import LEAVES, OPERATIONS
from app.spec.problems import nearest

KINDS: Mapping[str, Kind] = {**MODULES, **OPERATIONS, **LEAVES}
MOST_HINTS = 8  # the nearest name is worth a search only for the first few mistakes

_TORCH_NAMES = """
    T_destination add_module apply bfloat16 blueprint buffers call_super_init children compile cpu cuda double
    dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu
    load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters
    register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to to_empty
    train training type xpu zero_grad
"""
# What a node cannot be called, since ids become attributes of a torch module (a test compares with torch).
RESERVED = frozenset([*dir(object), *kwlist, *_TORCH_NAMES.split()])


class BaseNode(Part):
    """What every node has. In `layers` the `id` may be left out and there are no `inputs`."""

    kind: str
    id: Name | None = None
    inputs: Annotated[tuple[Name, ...], Field(max_length=1024)] | None = None

    def parameters(self) -> dict[str, object]:
        """Return the kind's own fields by name."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in BaseNode.model_fields}


NODE_CLASSES = classes(KINDS, BaseNode)

if TYPE_CHECKING:
    Node = BaseNode
else:
    Node = closed_union(NODE_CLASSES)

Nodes = Annotated[tuple[Node, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Placed:
    """A node with everything settled: its name, what feeds it, and where the user wrote it."""

    id: str
    node: BaseNode
    inputs: tuple[str, ...]
    pointer: str  # relative to the network, for example "/layers/3"


class Network(Part):
    """A network in one of its two forms: either `layers`, or `inputs`, `nodes` and `outputs`."""

    layers: Nodes | None = None
    inputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=64)] | None = None
    nodes: Nodes | None = None
    outputs: Annotated[dict[Name, Name], Field(min_length=1, max_length=64)] | None = None

    def input_names(self, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return the data fields that the network reads; a chain of layers reads the data's first default input."""
        return self.inputs or (default if self.layers is None else default[:1])

    def placed(self, default_inputs: tuple[str, ...] = ("input",)) -> list[Placed]:
        """Return the nodes in an order in which each follows what it reads (the user's order wherever possible)."""
        if self.layers is not None:
            return list(_chain(self.layers, self.input_names(default_inputs)[0]))
        return _ordered(_named(self.nodes or ()))

    def output_names(self) -> dict[str, str]:
        """Return the outputs: name to node id; by default `output` is the last node."""
        if self.outputs:
            return dict(self.outputs)
        if self.layers is not None:
            return {"output": list(_chain(self.layers, ""))[-1].id}
        return {"output": list(_named(self.nodes or ()))[-1].id}


def check_network(network: Network, fields: tuple[str, ...], default_inputs: tuple[str, ...]) -> list[Problem]:
    """Return every problem of names, wiring and arity. `fields` are the data's columns."""
    problems = _form_problems(network)
    if problems:
        return problems
    inputs = network.input_names(default_inputs)
    for position, name in enumerate(network.inputs or ()):
        if fields and name not in fields:
            hint = nearest(name, fields) or "the data has: " + ", ".join(fields)
            detail = f'the data has no field "{name}"'
            problems.append(Problem(f"/inputs/{position}", "unknown_input", detail, hint))
        if name in inputs[:position]:
            problems.append(Problem(f"/inputs/{position}", "duplicate_id", f'"{name}" is listed twice', "remove it"))
    if network.layers is not None:
        return problems + _layer_problems(network.layers)
    nodes = list(_named(network.nodes or ()))
    problems += _wiring_problems(nodes, inputs)
    known = [placed.id for placed in nodes] + list(inputs)
    for name, source in (network.outputs or {}).items():
        if source not in known:
            detail = f'output "{name}" names "{source}", which is no node'
            problems.append(Problem(f"/outputs/{name}", "unknown_node", detail, nearest(source, known)))
    return problems or _cycle_problems(nodes)


def _form_problems(network: Network) -> list[Problem]:
    if (network.layers is None) == (network.nodes is None):
        return [Problem("", "network_form", "a network has either layers or nodes", "write one of the two")]
    if network.layers is not None and network.outputs is not None:
        return [Problem("/outputs", "network_form", "a chain of layers has one output, its last layer",
                        "remove outputs, or write the network with nodes")]  # fmt: skip
    if network.layers is not None and network.inputs is not None and len(network.inputs) > 1:
        return [Problem("/inputs", "network_form", "a chain of layers has one input",
                        "write the network with nodes")]  # fmt: skip
    return []


def _layer_problems(layers: tuple[BaseNode, ...]) -> list[Problem]:
    problems = []
    for position, layer in enumerate(layers):
        if layer.inputs is not None:
            problems.append(Problem(f"/layers/{position}/inputs", "network_form",
                                    "a layer reads the layer before it and has no inputs",
                                    "remove inputs, or write the network with nodes"))  # fmt: skip
        least, most = _arity(layer)
        if not least <= 1 <= most:
            scalar = ' or give a "scalar"' if KINDS[layer.kind].inputs == (1, 2) else ""
            problems.append(Problem(f"/layers/{position}", "arity",
                                    f"{layer.kind} takes {least} inputs and a layer has one",
                                    f"write the network with nodes{scalar}"))  # fmt: skip
    return problems + _id_problems(list(_chain(layers, "")))


def _id_problems(nodes: list[Placed]) -> list[Problem]:
    seen: dict[str, str] = {}
    problems = []
    for placed in nodes:
        if placed.id in RESERVED or placed.id.startswith("_"):
            detail = f'a node cannot be called "{placed.id}": the network itself uses such names'
            problems.append(Problem(f"{placed.pointer}/id", "reserved_id", detail, "choose another id"))
        if placed.id in seen:
            detail = f'the id "{placed.id}" is taken by {seen[placed.id]}'
            problems.append(Problem(f"{placed.pointer}/id", "duplicate_id", detail, "choose another id"))
        seen.setdefault(placed.id, placed.pointer)
    return problems


def _wiring_problems(nodes: list[Placed], inputs: tuple[str, ...]) -> list[Problem]:
    problems = _id_problems(nodes)
    known = {placed.id for placed in nodes} | set(inputs)
    for placed in nodes:
        if placed.node.id is None:
            problems.append(Problem(f"{placed.pointer}/id", "missing", '"id" is required', "give the node a name"))
        if placed.id in inputs:
            detail = f'"{placed.id}" is an input of the network'
            problems.append(Problem(f"{placed.pointer}/id", "duplicate_id", detail, "choose another id"))
        for position, source in enumerate(placed.inputs):
            if source not in known:
                detail = f'"{source}" is neither a node nor an input'
                problems.append(Problem(f"{placed.pointer}/inputs/{position}", "unknown_node", detail,
                                        nearest(source, known)))  # fmt: skip
        problems += _arity_problems(placed)
    return problems


def _arity_problems(placed: Placed) -> list[Problem]:
    least, most = _arity(placed.node)
    count = len(placed.inputs)
    if least <= count <= most:
        return []
    wanted = str(least) if least == most else f"{least} to {most}"
    detail = f"{placed.node.kind} takes {wanted} inputs and has {count}"
    return [Problem(f"{placed.pointer}/inputs", "arity", detail, "")]


def _arity(node: BaseNode) -> tuple[int, int]:
    """Return the least and the largest number of inputs."""
    if "scalar" not in type(node).model_fields:
        return KINDS[node.kind].inputs
    count = 2 if getattr(node, "scalar", None) is None else 1  # two tensors, or one and a number
    return count, count


def _cycle_problems(nodes: list[Placed]) -> list[Problem]:
    ordered = {placed.id for placed in _ordered(nodes)}
    stuck = [placed for placed in nodes if placed.id not in ordered]
    names = ", ".join(placed.id for placed in stuck[:8])
    return [Problem(f"{placed.pointer}/inputs", "cycle", f"{names} feed each other in a circle",
                    "break the circle") for placed in stuck[:1]]  # fmt: skip


def _chain(layers: tuple[BaseNode, ...], source: str) -> Iterator[Placed]:
    counts: dict[str, int] = {}
    for position, layer in enumerate(layers):
        counts[layer.kind] = counts.get(layer.kind, 0) + 1
        name = layer.id or f"{layer.kind.lower()}{counts[layer.kind]}"
        inputs = () if KINDS[layer.kind].inputs == (0, 0) else (source,)
        yield Placed(name, layer, inputs, f"/layers/{position}")
        source = name


def _named(nodes: tuple[BaseNode, ...]) -> Iterator[Placed]:
    for position, node in enumerate(nodes):
        yield Placed(node.id or f"/nodes/{position}", node, node.inputs or (), f"/nodes/{position}")


def _ordered(nodes: Iterator[Placed] | list[Placed]) -> list[Placed]:
    """Order topologically (Kahn 1962): always the first one written that can come. What lies on a cycle is left out."""
    nodes = list(nodes)
    names = {placed.id for placed in nodes}
    waiting = [{source for source in placed.inputs if source in names} for placed in nodes]
    readers: dict[str, list[int]] = {}
    for place, sources in enumerate(waiting):
        for source in sources:
            readers.setdefault(source, []).append(place)
    ready = [place for place, sources in enumerate(waiting) if not sources]  # ascending, so a heap
    ordered: list[Placed] = []
    while ready:
        placed = nodes[heappop(ready)]
        ordered.append(placed)
        for place in readers.pop(placed.id, ()):
            waiting[place].discard(placed.id)
            if not waiting[place]:
                heappush(ready, place)
    return ordered
