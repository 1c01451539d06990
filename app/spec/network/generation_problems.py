"""Problems of nodes that run freely: where they stand, and what they read."""

from collections.abc import Iterator

from app.errors import Problem
from app.spec.network.network import Network
from app.spec.network.nodes import BaseNode, Body, WiredNode, referenced_node

# What belongs to a column of tokens, beside themselves: known only once the text is complete.
LENGTH_SUFFIX, NEXT_SUFFIX = "_length", "_next"
ROW_COUNT_KINDS = frozenset({"zeros", "ones", "full", "rand", "randn"})  # which read nothing but the number of rows
MASKED_KINDS = frozenset({"TransformerEncoderLayer", "TransformerDecoderLayer", "MultiheadAttention"})
CAUSAL_HINT = 'set "is_causal" to true'


def generation_problems(network: Network, default_inputs: tuple[str, ...]) -> Iterator[Problem]:
    """Yield the problems of all nodes with `generate`; pointers are relative to the network."""
    for place, body in (*((f"/blocks/{name}", block) for name, block in network.blocks.items()), ("", network)):
        yield from _inner_problems(body, place, is_network=not place)
    if not network.input_names(default_inputs):
        return  # a network that reads nothing is refused elsewhere
    found = [wired for wired in network.wired_nodes(default_inputs) if _generates(wired.node)]
    for wired in found[1:]:
        detail = f"{found[0].id} generates already, and a network generates one text"
        yield Problem(f"{wired.pointer}/generate", "contradiction", detail, "remove it")
    for wired in found[:1]:
        yield from _reading_problems(network, wired, default_inputs)
        yield from _order_problems(network, wired)


def _generates(node: BaseNode) -> bool:
    return node.kind in ("Scan", "block") and node.settings()["generate"] is not None


def _inner_problems(body: Body, place: str, *, is_network: bool) -> Iterator[Problem]:
    """Yield nodes inside bodies that generate: only one of the network itself can be run by itself."""
    for pointer, node in body.nodes_by_pointer().items():
        if _generates(node) and not is_network:
            detail = "a node inside another body cannot generate"
            yield Problem(f"{place}{pointer}/generate", "contradiction", detail, "let a node of the network generate")
        for where, inner in node.bodies().values():
            if isinstance(inner, Body):
                yield from _inner_problems(inner, place + pointer + where, is_network=False)


def _reading_problems(network: Network, wired: WiredNode, default_inputs: tuple[str, ...]) -> Iterator[Problem]:
    """Yield tokens that are no input of the network, and other values that depend on them."""
    field = "/over" if wired.node.kind == "Scan" else "/inputs"
    references = [(pointer, source) for pointer, source in wired.node.references() if pointer != "/lengths"]
    tokens = [source for pointer, source in references if pointer.startswith(field)] or list(wired.inputs)
    if wired.node.kind == "Scan" and len(tokens) > 1:
        detail = f"{wired.id} generates one sequence, and runs along {len(tokens)}"
        yield Problem(f"{wired.pointer}/over", "contradiction", detail, "join them before, or remove generate")
        return
    if wired.node.kind == "Scan" and wired.node.settings()["reverse"]:
        detail = f"{wired.id} runs from the end, where nothing is known of a text that grows"
        yield Problem(f"{wired.pointer}/reverse", "contradiction", detail, "remove reverse")
    names = network.input_names(default_inputs)
    if tokens[0] not in names:
        hint = "look the tokens up by an Embedding in its body"
        detail = f'{wired.id} generates tokens, so it reads them as the data has them, and "{tokens[0]}" is a node'
        yield Problem(f"{wired.pointer}{field}/0", "contradiction", detail, hint)
        return
    unknown = {tokens[0], tokens[0] + LENGTH_SUFFIX, tokens[0] + NEXT_SUFFIX}
    dependent = _dependents(network.wired_nodes(default_inputs), unknown)
    for pointer, source in references:
        if pointer != f"{field}/0" and referenced_node(source) in dependent:
            detail = f'"{source}" depends on the whole of "{tokens[0]}", of which {wired.id} generates the rest'
            hint = "a causal network needs no lengths of what it generates: leave it out"
            yield Problem(wired.pointer + pointer, "contradiction", detail, hint)


def _order_problems(network: Network, wired: WiredNode) -> Iterator[Problem]:
    """Yield nodes of a block that would see later tokens, as far as their settings tell."""
    if wired.node.kind != "block":
        return
    name = wired.node.settings()["name"]
    block = network.blocks[name]
    names = block.input_names(("input",))
    dependent = _dependents(block.wired_nodes(), {names[0]})
    for inner in block.wired_nodes():
        settings = inner.node.settings()
        reads = referenced_node(inner.inputs[0]) in dependent if inner.inputs else False
        is_self_attention = inner.node.kind != "MultiheadAttention" or len(inner.inputs) == 1
        place = f"/blocks/{name}{inner.pointer}"
        if reads and inner.node.kind in MASKED_KINDS and is_self_attention and not settings["is_causal"]:
            detail = f"{inner.id} sees later tokens, which do not exist yet where {wired.id} generates"
            yield Problem(f"{place}/is_causal", "contradiction", detail, CAUSAL_HINT)
        if reads and settings.get("bidirectional"):
            detail = f"{inner.id} reads from the end too, where nothing exists yet when {wired.id} generates"
            yield Problem(f"{place}/bidirectional", "contradiction", detail, "set it to false")


def _dependents(nodes: list[WiredNode], sources: set[str]) -> set[str]:
    """Return `sources`, and the nodes whose values depend on them; `nodes` are in topological order."""
    dependent = set(sources)
    for wired in nodes:
        reads = not dependent.isdisjoint(map(referenced_node, wired.inputs))
        if reads and wired.node.kind not in ROW_COUNT_KINDS:
            dependent.add(wired.id)
    return dependent
