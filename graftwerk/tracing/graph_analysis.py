"""Analysis of a recorded graph: live operations, uses of modules, and tensors that nodes cannot own alone."""

import operator
from collections import Counter
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from graftwerk.tracing.functions.functional_forms import FUNCTION_OF_KIND
from graftwerk.tracing.module_parameters import Module
from graftwerk.tracing.recording.symbolic_trace import FxNode, SymbolicTrace
from graftwerk.tracing.values import VaryingSize, shape_of

TYING_KINDS = frozenset(
    ["Linear", "Embedding", *(f"Conv{transposed}{d}d" for transposed in ("", "Transpose") for d in (1, 2, 3))]
)


def live_nodes(nodes: list[FxNode]) -> set[FxNode]:
    """Return the nodes that the output depends on."""
    live: set[FxNode] = set()
    pending = [node for node in nodes if node.op == "output"]
    while pending:
        node = pending.pop()
        if node not in live:
            live.add(node)
            pending += node.all_input_nodes
    return live


def count_uses(module: Module, nodes: set[FxNode]) -> Counter[int]:
    """Return how often each module is called, by identity."""
    return Counter(id(module.get_submodule(node.target)) for node in nodes if node.op == "call_module")


def owned_twice(module: Module) -> frozenset[int]:
    """Return the parameters, by identity, that two modules own."""
    owners = Counter(
        id(tensor) for part in module.modules() for tensor in part._parameters.values() if tensor is not None
    )
    return frozenset(each for each, count in owners.items() if count > 1)


def frozen_tensors(module: Module) -> frozenset[int]:
    """Return the parameters, by identity, that are not trained."""
    return frozenset(id(tensor) for tensor in module.parameters() if not tensor.requires_grad)


def tied_tensors(
    module: Module, kinds: Mapping[type, str], uses: Mapping[int, int], lent: frozenset[int]
) -> frozenset[int]:
    """Return the parameters, by identity, that are one node's and are tied to by others.

    Their modules are called at most once, and nothing else of them is tied, frozen or read by others (`lent`).
    """
    owners: dict[int, list[Module]] = {}
    for part in module.modules():
        for tensor in part._parameters.values():
            if tensor is not None and tensor.requires_grad and id(tensor) not in lent:
                owners.setdefault(id(tensor), []).append(part)
    shared = {each: parts for each, parts in owners.items() if len(parts) > 1}

    def is_plain(part: Module) -> bool:
        own = {id(tensor) for tensor in part.parameters()}
        return kinds.get(type(part)) in TYING_KINDS and uses.get(id(part), 0) <= 1 and own <= owners.keys()

    return frozenset(each for each, parts in shared.items() if all(map(is_plain, parts)))


def used_items(node: FxNode) -> frozenset[int]:
    """Return the indices of a node's tuple that are used; all, if it is used whole."""
    users = [user for user in node.users if user.users or user.op == "output"]
    parts = [user.args[1] if user.target is operator.getitem else None for user in users]
    return frozenset(each for each in parts if isinstance(each, int)) if None not in parts else frozenset({0, 1})


def shape_dependent_tensors(module: Module, recording: SymbolicTrace, nodes: list[FxNode]) -> frozenset[int]:
    """Return the parameters, by identity, of modules that are called on several shapes: blocks have one.

    With several inputs, sizes that differ between examples may be others in each, so a module that has a form with its
    tensors as inputs is written in that form.
    """
    node_type: type = import_module("torch.fx").Node
    several = sum(node.op == "placeholder" for node in recording.graph.nodes) > 1
    shapes: dict[int, set[Any]] = {}
    for node in nodes:
        if node.op == "call_module" and node.args and isinstance(node.args[0], node_type):
            samples = recording.tensors(node.args[0])
            part = module.get_submodule(node.target)
            key: Any = shape_of(samples)[1:] if samples else None
            if (
                several
                and type(part).__name__ in FUNCTION_OF_KIND
                and any(isinstance(s, VaryingSize) for s in key or ())
            ):
                key = node
            shapes.setdefault(id(part), set()).add(key)
    modules = {id(part): part for part in module.modules()}
    return frozenset(id(t) for key, found in shapes.items() if len(found) > 1 for t in modules[key].parameters())
