"""Recurrent layers, attention, and Transformer layers."""

from workers.surgery.widths.axes import Axes, Axis, nested_axis
from workers.surgery.widths.dependencies import NodeScope
from workers.surgery.widths.rules.elementwise import opaque

Outputs = tuple[Axes, ...]
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}  # stacked in one weight


def recurrent(node: NodeScope) -> Outputs:
    """Follow (N, L, in) → (N, L, H) or (N, H). All layers and directions have the same hidden units."""
    if node.trace.node.outputs or node.parameters.get("proj_size") or len(node.inputs) > 2 or _has_states(node):
        return opaque(node)
    batch, *steps, features = node.inputs[0]
    node.obstruct_all(steps, "works along them")
    hidden = node.width("hidden_size")
    node.size("input_size", features)
    gates = nested_axis(hidden, outer=GATES[node.kind])
    directions = ("", "_reverse") if node.parameters["bidirectional"] else ("",)
    output = nested_axis(hidden, outer=len(directions))
    for layer in range(node.parameters["num_layers"]):
        for direction in directions:
            suffix = f"l{layer}{direction}"
            node.produce(f"weight_ih_{suffix}", gates)
            node.read(f"weight_ih_{suffix}", output if layer else features)
            _add_recurrence(node, suffix, gates, hidden)
    return ((batch, *steps, output) if node.parameters["returns"] == "sequence" else (batch, output),)


def _has_states(node: NodeScope) -> bool:
    return any(node.parameters.get(name) is not None for name in ("h_0", "c_0"))


def _has_masks(node: NodeScope) -> bool:
    return any("mask" in name and value is not None for name, value in node.parameters.items())


def _add_recurrence(node: NodeScope, suffix: str, gates: Axis, hidden: Axis) -> None:
    node.produce(f"weight_hh_{suffix}", gates)
    node.read(f"weight_hh_{suffix}", hidden)
    node.produce(f"bias_ih_{suffix}", gates)
    node.produce(f"bias_hh_{suffix}", gates)


def cell(node: NodeScope) -> Outputs:
    """Follow x (N, in) and states (N, H) to new states."""
    (batch, features), *states = node.inputs
    hidden = node.width("hidden_size")
    node.size("input_size", features)
    for state in states:
        node.unify(state[1], hidden)
    gates = nested_axis(hidden, outer=GATES[node.kind.removesuffix("Cell")])
    for name, axis in (("weight_ih", features), ("weight_hh", hidden)):
        node.produce(name, gates)
        node.read(name, axis)
    node.produce("bias_ih", gates)
    node.produce("bias_hh", gates)
    return tuple((batch, hidden) for _ in states)


def attention(node: NodeScope) -> Outputs:
    """Follow query, key and value (N, L, E): channels change in blocks of one head each."""
    sources = any(node.parameters[name] for name in ("kdim", "vdim", "add_bias_kv"))
    if sources or node.trace.node.outputs or _has_masks(node):
        return opaque(node)
    *leading, features = node.inputs[0]
    count = len([axes for axes in node.inputs if len(axes) == len(node.inputs[0])])  # without lengths
    for axes in node.inputs[:count]:
        node.obstruct_all(axes[1:-1], "works along them")
    _add_attention(node, "", [axes[-1] for axes in node.inputs[:count]], ("embed_dim", "num_heads"))
    return ((*leading, features),)


def _add_attention(node: NodeScope, prefix: str, inputs: list[Axis], fields: tuple[str, str]) -> None:
    width, count = fields
    size, heads = node.parameters[width], node.parameters[count]
    per_head = size // heads
    blocks = node.group(count, heads)
    channels = nested_axis(blocks, inner=per_head)
    for axis in inputs:
        node.unify(axis, channels)
    node.size(width, channels)
    node.size(count, blocks)
    node.obstruct(blocks, "zero", f"copies heads, of {per_head} channels each")
    for name in ("in_proj_weight", "in_proj_bias"):
        node.produce(prefix + name, nested_axis(channels, outer=3))
    node.read(prefix + "in_proj_weight", channels)
    node.produce(prefix + "out_proj.weight", channels)
    node.read(prefix + "out_proj.weight", channels)
    node.produce(prefix + "out_proj.bias", channels)


def transformer(node: NodeScope) -> Outputs:
    """Follow x (N, L, E), and the memory of a decoder. The layers' own width is that of their feed-forward part."""
    if _has_masks(node):
        return opaque(node)
    decodes = "Decoder" in node.kind
    for axes in node.inputs[: 1 + decodes]:
        node.obstruct_all(axes[1:-1], "works along them")
    features, inner = node.inputs[0][-1], node.width("dim_feedforward")
    node.obstruct(features, "uneven", "normalises over all channels together")
    layers = [f"layers.{place}." for place in range(node.parameters.get("num_layers", 0))] or [""]
    for prefix in layers:
        _add_attention(node, f"{prefix}self_attn.", [features], ("d_model", "nhead"))
        if decodes:
            _add_attention(node, f"{prefix}multihead_attn.", [features, node.inputs[1][-1]], ("d_model", "nhead"))
        node.produce(f"{prefix}linear1.weight", inner)
        node.read(f"{prefix}linear1.weight", features)
        node.produce(f"{prefix}linear1.bias", inner)
        node.produce(f"{prefix}linear2.weight", features)
        node.read(f"{prefix}linear2.weight", inner)
        node.produce(f"{prefix}linear2.bias", features)
        for number in range(1, 4 if decodes else 3):
            _add_norm(node, f"{prefix}norm{number}", features)
    if node.parameters.get("norm"):
        _add_norm(node, "norm", features)
    return (node.inputs[0],)


def _add_norm(node: NodeScope, name: str, features: Axis) -> None:
    node.produce(f"{name}.weight", features)
    node.produce(f"{name}.bias", features)
