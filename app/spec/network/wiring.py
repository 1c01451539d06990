"""Problems of a body's nodes: their ids, what they read, and how many inputs they have."""

from collections.abc import Mapping
from keyword import kwlist

from app.errors import Problem
from app.spec.hints.names import Hints, choices
from app.spec.network.network import Network
from app.spec.network.nodes import (
    NODE_KINDS,
    BaseNode,
    Body,
    WiredNode,
    referenced_node,
    topological_sort,
    wire_layers,
    wire_nodes,
)

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
# Ids become attributes of a torch module, so a node cannot have these (a test compares with torch).
RESERVED_IDS = frozenset([*dir(object), *kwlist, *_TORCH_NAMES.split()])


def node_problems(
    network: Network, body: Body, inputs: tuple[str, ...], hints: Hints, fields: tuple[str, ...] = ()
) -> list[Problem]:
    """Return the problems of named nodes and of the outputs that name them.

    `fields` are columns of the data that may be among the body's inputs.
    """
    nodes = list(wire_nodes(body.nodes or ()))
    known: dict[str, tuple[str, ...]] = dict.fromkeys(inputs, ()) | {
        wired.id: network.node_output_names(wired.node) for wired in nodes if wired.node.id is not None
    }
    hidden = {f"{wired.id}.{name}": field for wired in nodes for name, field in _optional_outputs(wired.node).items()}
    problems = _wiring_problems(nodes, inputs, known, hints, fields, hidden)
    for name, source in (body.outputs or {}).items():
        if (reason := _unresolved_reference(source, known, hints, hidden)) is not None:
            detail = f'output "{name}" names "{source}", {reason[0]}'
            problems.append(Problem(f"/outputs/{name}", "unknown_node", detail, reason[1]))
    return problems or _cycle_problems(nodes)


def _optional_outputs(node: BaseNode) -> dict[str, str]:
    """Return the outputs that a node has only where a field is true: name → field."""
    kind = NODE_KINDS[node.kind]
    named = dict.fromkeys(kind.outputs[1:], kind.outputs_field) if kind.outputs_field else {}
    return {**named, **kind.optional_outputs}


def _unresolved_reference(
    ref: str, known: Mapping[str, tuple[str, ...]], hints: Hints, hidden: Mapping[str, str]
) -> tuple[str, str] | None:
    """Return why a reference has no target, and a hint; `None` if it has one.

    `hidden` are the fields that would give a node further outputs, by the references to them.
    """
    owner, _, output = ref.partition(".")
    if owner not in known:
        return "which is not a node", hints.did_you_mean(owner, lambda: known) or choices(known)
    if output and output not in known[owner]:
        has = ", ".join(known[owner])
        what = f"the outputs {has}" if has else "no named outputs"
        if ref in hidden:
            return f"but {owner} has {what}", f'set "{hidden[ref]}": true in {owner}'
        whole = [owner, *(f"{owner}.{name}" for name in known[owner])]
        return f"but {owner} has {what}", hints.did_you_mean(ref, lambda: whole) or choices(whole)
    return None


def layer_problems(layers: tuple[BaseNode, ...]) -> list[Problem]:
    """Return the problems of a chain of layers."""
    problems = []
    for position, layer in enumerate(layers):
        if (references := layer.references()) or layer.inputs is not None:
            field = references[0][0] if references and layer.inputs is None else "/inputs"
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
            twin = _twin_layer(layer.kind)
            problems.append(
                Problem(
                    f"/layers/{position}",
                    "arity",
                    f"{layer.kind} takes {least} input{'s' if least != 1 else ''} and a layer has one",
                    f'set "kind" to "{twin}"' if twin else f"write the network with nodes{scalar}",
                )
            )
    return problems + _id_problems(list(wire_layers(layers, "")))


def _twin_layer(kind: str) -> str | None:
    """Return the kind of one input that differs from another in case alone: `Linear` for the operation `linear`."""
    twins = (name for name in NODE_KINDS if name != kind and name.lower() == kind.lower())
    return next((name for name in twins if NODE_KINDS[name].inputs[0] <= 1 <= NODE_KINDS[name].inputs[1]), None)


def _id_problems(nodes: list[WiredNode], inputs: tuple[str, ...] = ()) -> list[Problem]:
    pointers: dict[str, str] = {}  # by id
    problems = []
    for wired in nodes:
        if wired.id in RESERVED_IDS or wired.id.startswith("_"):
            detail = f'a node cannot have the id "{wired.id}", which is reserved'
            hint = f'use "{_free_id(wired, nodes, inputs)}"'
            problems.append(Problem(f"{wired.pointer}/id", "reserved_id", detail, hint))
        if wired.id in pointers:
            detail = f'the id "{wired.id}" is taken by {pointers[wired.id]}'
            hint = f'use "{_free_id(wired, nodes, inputs)}"'
            problems.append(Problem(f"{wired.pointer}/id", "duplicate_id", detail, hint))
        pointers.setdefault(wired.id, wired.pointer)
    return problems


def _free_id(wired: WiredNode, nodes: list[WiredNode], inputs: tuple[str, ...]) -> str:
    """Return an id that is free: the only one that others name and no node has, or one after the node's kind."""
    taken = {each.id for each in nodes} | set(inputs)
    named = {referenced_node(source) for each in nodes for _, source in each.node.references()} - taken
    if len(named) == 1:
        return named.pop()
    kind = wired.node.kind.lower()
    return next(name for count in range(1, len(nodes) + 2) if (name := f"{kind}{count}") not in taken)


def _wiring_problems(
    nodes: list[WiredNode],
    inputs: tuple[str, ...],
    known: Mapping[str, tuple[str, ...]],
    hints: Hints,
    fields: tuple[str, ...],
    hidden: Mapping[str, str],
) -> list[Problem]:
    problems = _id_problems(nodes, inputs)
    previous = inputs[0]
    for wired in nodes:
        if wired.node.id is None:
            hint = f'add "id": "{_free_id(wired, nodes, inputs)}"'
            problems.append(Problem(f"{wired.pointer}/id", "missing", '"id" is required', hint))
        if wired.id in inputs:
            detail, hint = f'"{wired.id}" is an input of the network', f'use "{_free_id(wired, nodes, inputs)}"'
            problems.append(Problem(f"{wired.pointer}/id", "duplicate_id", detail, hint))
        for place, source in wired.node.references():
            if referenced_node(source) not in known:
                detail = f'"{source}" is neither a node nor an input'
                if source in fields:
                    hint = f'add "{source}" to the inputs of the network'
                else:
                    hint = hints.did_you_mean(source, lambda: known) or choices(known)
                problems.append(Problem(wired.pointer + place, "unknown_node", detail, hint))
            elif (reason := _unresolved_reference(source, known, hints, hidden)) is not None:
                problems.append(Problem(wired.pointer + place, "unknown_output", f'"{source}": {reason[0]}', reason[1]))
        problems += _arity_problems(wired, previous)
        previous = wired.id
    return problems


def _arity_problems(wired: WiredNode, previous: str) -> list[Problem]:
    """Return the problem of a node's number of inputs. `previous` is what stands before it, and may be one."""
    least, most = _arity(wired.node)
    count = len(wired.node.inputs or ())
    if least <= count <= most:
        return []
    expected = str(least) if least == most else f"{least} to {most}"
    detail = f"{wired.node.kind} takes {expected} input{'s' if expected != '1' else ''} and has {count}"
    other = ", or join them by cat" if most == 1 < count else ""
    if "scalar" in wired.node.setting_names:
        other = ', or give a "scalar"' if count < least else ', or remove "scalar"'
    if count == 0 and least == 1:
        return [Problem(f"{wired.pointer}/inputs", "arity", detail, f'add "inputs": ["{previous}"]')]
    change = f"name {least - count} more" if count < least else f"keep {most} of them" if most else "remove inputs"
    return [Problem(f"{wired.pointer}/inputs", "arity", detail, change + other)]


def _arity(node: BaseNode) -> tuple[int, int]:
    """Return the least and the largest number of inputs."""
    if "scalar" not in node.setting_names:
        return NODE_KINDS[node.kind].inputs
    count = 2 if node.settings()["scalar"] is None else 1  # two tensors, or one and a number
    return count, count


def _cycle_problems(nodes: list[WiredNode]) -> list[Problem]:
    ordered = {wired.id for wired in topological_sort(nodes)}
    stuck = [wired for wired in nodes if wired.id not in ordered]
    names = ", ".join(wired.id for wired in stuck[:8])
    return [
        Problem(f"{wired.pointer}/inputs", "cycle", f"there is a cycle among {names}", "remove one of the references")
        for wired in stuck[:1]
    ]
