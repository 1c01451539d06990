"""The network as data, and every problem of its names, wiring and form."""

from collections.abc import Iterator, Mapping
from keyword import kwlist
from typing import Annotated

from pydantic import Field

from app.errors import Problem
from app.spec.base import Name
from app.spec.network.control import EXACTLY_ONE_OF
from app.spec.network.nodes import (
    NODE_CLASSES,
    NODE_KINDS,
    BaseNode,
    Body,
    WiredNode,
    referenced_node,
    topological_sort,
    wire_layers,
    wire_nodes,
)
from app.spec.problems import Hints

_TORCH_NAMES = """
    T_destination add_module apply bfloat16 blueprint buffers call_super_init children compile cpu cuda double
    dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu is_random
    load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters
    register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to to_empty
    train training type xpu zero_grad
"""
# What a node cannot be called, since ids become attributes of a torch module (a test compares with torch).
RESERVED_IDS = frozenset([*dir(object), *kwlist, *_TORCH_NAMES.split()])
MAX_BLOCK_DEPTH = 32  # blocks in blocks in blocks


class Network(Body):
    """A network, and the blocks that its nodes may use by name."""

    blocks: Annotated[dict[Name, Body], Field(max_length=256)] = Field(default_factory=dict)

    def resolve_body(self, ref: Body | str) -> Body:
        """Return a body that is written in place or named."""
        return self.blocks[ref] if isinstance(ref, str) else ref

    def node_output_names(self, node: BaseNode) -> tuple[str, ...]:
        """Return the names of a node's outputs; none for a node with one output and no names."""
        bodies = node.bodies()
        if not bodies:
            return NODE_KINDS[node.kind].outputs
        return tuple(self.resolve_body(next(iter(bodies.values()))[1]).output_names())


def check_network(network: Network, fields: tuple[str, ...], default_inputs: tuple[str, ...]) -> list[Problem]:
    """Return every problem of names, wiring and arity. `fields` are the data's columns."""
    hints = Hints()
    problems = list(_block_problems(network, hints))
    if problems:  # what such a block has for outputs cannot be told
        return problems
    for name, block in network.blocks.items():
        problems += _check_body(network, block, f"/blocks/{name}", hints)
    for position, name in enumerate(network.inputs or ()):
        if fields and name not in fields:
            hint = hints.did_you_mean(name, lambda: fields) or "the data has: " + ", ".join(fields)
            detail = f'the data has no field "{name}"'
            problems.append(Problem(f"/inputs/{position}", "unknown_input", detail, hint))
    return problems + _check_body(network, network, "", hints, default_inputs)


def _block_problems(network: Network, hints: Hints) -> Iterator[Problem]:
    """Yield a problem for every name of a block that does not exist, and for blocks that contain themselves."""
    uses: dict[str, set[str]] = {}
    for name, block in network.blocks.items():
        uses[name] = set()
        for place, used in _block_references(block, f"/blocks/{name}"):
            uses[name].add(used)
            if used not in network.blocks:
                yield _unknown_block(place, used, network.blocks, hints)
    for place, used in _block_references(network, ""):
        if used not in network.blocks:
            yield _unknown_block(place, used, network.blocks, hints)
    depths: dict[str, int] = {}
    for name in uses:
        seen, waiting = set[str](), [name]
        while waiting:
            inner = uses.get(waiting.pop(), set()) - seen
            seen |= inner
            waiting += inner
        if name in seen:
            yield Problem(f"/blocks/{name}", "cycle", f'the block "{name}" contains itself', "use Repeat or While")
            return
    for name in uses:
        if _block_depth(name, uses, depths) > MAX_BLOCK_DEPTH:
            detail = f'the block "{name}" nests blocks more than {MAX_BLOCK_DEPTH} deep'
            yield Problem(f"/blocks/{name}", "too_deep", detail, "nest fewer")
            return


def _block_depth(name: str, uses: Mapping[str, set[str]], depths: dict[str, int]) -> int:
    """Return how deep blocks nest in a block; stops looking beyond what is allowed."""
    waiting = [name]
    while waiting:
        top = waiting[-1]
        unknown = [inner for inner in uses.get(top, ()) if inner not in depths]
        if unknown:
            waiting += unknown
        else:
            depths[waiting.pop()] = 1 + max((depths[inner] for inner in uses.get(top, ())), default=0)
    return depths[name]


def _unknown_block(place: str, used: str, known: Mapping[str, Body], hints: Hints) -> Problem:
    hint = hints.did_you_mean(used, lambda: known) or (
        "one of: " + ", ".join(known) if known else "write it into blocks"
    )
    return Problem(place, "unknown_block", f'there is no block "{used}"', hint)


def _block_references(body: Body, place: str) -> Iterator[tuple[str, str]]:
    """Yield (pointer, name) of every block that a body uses, at any depth of bodies in place."""
    for form in ("layers", "nodes"):
        for position, node in enumerate(getattr(body, form) or ()):
            for pointer, inner in node.bodies().values():
                where = f"{place}/{form}/{position}{pointer}"
                if isinstance(inner, str):
                    yield where, inner
                else:
                    yield from _block_references(inner, where)


def _check_body(
    network: Network, body: Body, place: str, hints: Hints, default_inputs: tuple[str, ...] = ("input",)
) -> list[Problem]:
    """Return the problems of a body; `place` is its pointer, and the bodies inside it are checked too."""
    problems = _form_problems(body)
    if not problems:
        names = body.inputs or ()
        twice = [position for position, name in enumerate(names) if name in names[:position]]
        problems += [
            Problem(f"/inputs/{position}", "duplicate_id", f'"{names[position]}" is listed twice', "remove it")
            for position in twice
        ]
        problems += (
            _layer_problems(body.layers)
            if body.layers is not None
            else _node_problems(network, body, body.input_names(default_inputs), hints)
        )
    found = [problem.with_prefix(place) for problem in problems]
    for form in ("layers", "nodes"):
        for position, node in enumerate(getattr(body, form) or ()):
            where = f"{place}/{form}/{position}"
            found += _field_problems(node, where)
            for pointer, inner in node.bodies().values():
                if isinstance(inner, Body):
                    found += _check_body(network, inner, where + pointer, hints)
    return found


def _field_problems(node: BaseNode, place: str) -> Iterator[Problem]:
    for choice in EXACTLY_ONE_OF.get(node.kind, ()):
        given = [field for field in choice if getattr(node, field) is not None]
        if len(given) != 1:
            code, detail = ("contradiction", "not both") if given else ("missing", "one of them")
            names = " or ".join(f'"{field}"' for field in choice)
            yield Problem(f"{place}/{choice[0]}", code, f"{node.kind} has {names}, {detail}", "")


def _node_problems(network: Network, body: Body, inputs: tuple[str, ...], hints: Hints) -> list[Problem]:
    nodes = list(wire_nodes(body.nodes or ()))
    known: dict[str, tuple[str, ...]] = dict.fromkeys(inputs, ()) | {
        placed.id: network.node_output_names(placed.node) for placed in nodes
    }
    problems = _wiring_problems(nodes, inputs, known, hints)
    for name, source in (body.outputs or {}).items():
        if (reason := _unresolved_reference(source, known, hints)) is not None:
            detail = f'output "{name}" names "{source}", {reason[0]}'
            problems.append(Problem(f"/outputs/{name}", "unknown_node", detail, reason[1]))
    return problems or _cycle_problems(nodes)


def _unresolved_reference(ref: str, known: Mapping[str, tuple[str, ...]], hints: Hints) -> tuple[str, str] | None:
    """Return why a reference leads nowhere, and a hint; `None` if it leads somewhere."""
    owner, _, output = ref.partition(".")
    if owner not in known:
        return "which is no node", hints.did_you_mean(owner, lambda: known)
    if output and output not in known[owner]:
        has = ", ".join(known[owner])
        what = f"the outputs {has}" if has else "no named outputs"
        return f"but {owner} has {what}", hints.did_you_mean(output, lambda: known[owner])
    return None


def _form_problems(body: Body) -> list[Problem]:
    if (body.layers is None) == (body.nodes is None):
        return [Problem("", "network_form", "a network has either layers or nodes", "write one of the two")]
    if body.layers is not None and body.outputs is not None:
        return [
            Problem(
                "/outputs",
                "network_form",
                "a chain of layers has one output, its last layer",
                "remove outputs, or write the network with nodes",
            )
        ]
    if body.layers is not None and body.inputs is not None and len(body.inputs) > 1:
        return [Problem("/inputs", "network_form", "a chain of layers has one input", "write the network with nodes")]
    return []


def _layer_problems(layers: tuple[BaseNode, ...]) -> list[Problem]:
    problems = []
    for position, layer in enumerate(layers):
        if (named_here := layer.references()) or layer.inputs is not None:
            field = named_here[0][0] if named_here and layer.inputs is None else "/inputs"
            problems.append(
                Problem(
                    f"/layers/{position}{field}",
                    "network_form",
                    "a layer reads the layer before it and has no inputs",
                    f"remove {field[1:]}, or write the network with nodes",
                )
            )
        least, most = _arity(layer)
        if not least <= 1 <= most:
            scalar = ' or give a "scalar"' if NODE_KINDS[layer.kind].inputs == (1, 2) else ""
            problems.append(
                Problem(
                    f"/layers/{position}",
                    "arity",
                    f"{layer.kind} takes {least} inputs and a layer has one",
                    f"write the network with nodes{scalar}",
                )
            )
    return problems + _id_problems(list(wire_layers(layers, "")))


def _id_problems(nodes: list[WiredNode]) -> list[Problem]:
    seen: dict[str, str] = {}
    problems = []
    for placed in nodes:
        if placed.id in RESERVED_IDS or placed.id.startswith("_"):
            detail = f'a node cannot be called "{placed.id}": the network itself uses such names'
            problems.append(Problem(f"{placed.pointer}/id", "reserved_id", detail, "choose another id"))
        if placed.id in seen:
            detail = f'the id "{placed.id}" is taken by {seen[placed.id]}'
            problems.append(Problem(f"{placed.pointer}/id", "duplicate_id", detail, "choose another id"))
        seen.setdefault(placed.id, placed.pointer)
    return problems


def _wiring_problems(
    nodes: list[WiredNode], inputs: tuple[str, ...], known: Mapping[str, tuple[str, ...]], hints: Hints
) -> list[Problem]:
    problems = _id_problems(nodes)
    for placed in nodes:
        if placed.node.id is None:
            problems.append(Problem(f"{placed.pointer}/id", "missing", '"id" is required', "give the node a name"))
        if placed.id in inputs:
            detail = f'"{placed.id}" is an input of the network'
            problems.append(Problem(f"{placed.pointer}/id", "duplicate_id", detail, "choose another id"))
        for place, source in placed.node.references():
            if referenced_node(source) not in known:
                detail = f'"{source}" is neither a node nor an input'
                hint = hints.did_you_mean(source, lambda: known)
                problems.append(Problem(placed.pointer + place, "unknown_node", detail, hint))
            elif (reason := _unresolved_reference(source, known, hints)) is not None:
                problems.append(
                    Problem(placed.pointer + place, "unknown_output", f'"{source}": {reason[0]}', reason[1])
                )
        problems += _arity_problems(placed)
    return problems


def _arity_problems(placed: WiredNode) -> list[Problem]:
    least, most = _arity(placed.node)
    count = len(placed.node.inputs or ())
    if least <= count <= most:
        return []
    wanted = str(least) if least == most else f"{least} to {most}"
    detail = f"{placed.node.kind} takes {wanted} inputs and has {count}"
    return [Problem(f"{placed.pointer}/inputs", "arity", detail, "")]


def _arity(node: BaseNode) -> tuple[int, int]:
    """Return the least and the largest number of inputs."""
    if "scalar" not in type(node).model_fields:
        return NODE_KINDS[node.kind].inputs
    count = 2 if getattr(node, "scalar", None) is None else 1  # two tensors, or one and a number
    return count, count


def _cycle_problems(nodes: list[WiredNode]) -> list[Problem]:
    reached = {placed.id for placed in topological_sort(nodes)}
    stuck = [placed for placed in nodes if placed.id not in reached]
    names = ", ".join(placed.id for placed in stuck[:8])
    return [
        Problem(f"{placed.pointer}/inputs", "cycle", f"{names} feed each other in a circle", "break the circle")
        for placed in stuck[:1]
    ]


__all__ = ["NODE_CLASSES", "NODE_KINDS", "RESERVED_IDS", "BaseNode", "Network", "WiredNode", "check_network"]
