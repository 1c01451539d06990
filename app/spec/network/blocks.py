"""Problems of blocks: names that do not exist, blocks that contain themselves, and blocks nested too deep."""

from collections.abc import Iterator, Mapping

from app.errors import Problem
from app.spec.hints.names import Hints
from app.spec.network.network import Network
from app.spec.network.nodes import Body

MAX_BLOCK_DEPTH = 32  # levels of blocks inside blocks


def block_problems(network: Network, hints: Hints) -> Iterator[Problem]:
    """Yield a problem for every unknown block, for a block that contains itself, and for one that nests too deep."""
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
        reached, pending = set[str](), [name]
        while pending:
            inner = uses.get(pending.pop(), set()) - reached
            reached |= inner
            pending += inner
        if name in reached:
            yield Problem(f"/blocks/{name}", "cycle", f'the block "{name}" contains itself', "use Repeat or While")
            return
    for name in uses:
        if _block_depth(name, uses, depths) > MAX_BLOCK_DEPTH:
            detail = f'the block "{name}" nests blocks more than {MAX_BLOCK_DEPTH} deep'
            yield Problem(f"/blocks/{name}", "too_deep", detail, "nest fewer blocks")
            return


def _block_depth(name: str, uses: Mapping[str, set[str]], depths: dict[str, int]) -> int:
    """Return how deep blocks nest in a block. `depths` holds the results of inner blocks."""
    pending = [name]
    while pending:
        top = pending[-1]
        unknown = [inner for inner in uses.get(top, ()) if inner not in depths]
        if unknown:
            pending += unknown
        else:
            depths[pending.pop()] = 1 + max((depths[inner] for inner in uses.get(top, ())), default=0)
    return depths[name]


def _unknown_block(place: str, used: str, known: Mapping[str, Body], hints: Hints) -> Problem:
    hint = hints.did_you_mean(used, lambda: known) or ("one of: " + ", ".join(known) if known else "add it to blocks")
    return Problem(place, "unknown_block", f'there is no block "{used}"', hint)


def _block_references(body: Body, place: str) -> Iterator[tuple[str, str]]:
    """Yield (pointer, name) of every block that a body uses, at any depth of bodies in place."""
    for node_pointer, node in body.nodes_by_pointer().items():
        for pointer, inner in node.bodies().values():
            where = place + node_pointer + pointer
            if isinstance(inner, str):
                yield where, inner
            else:
                yield from _block_references(inner, where)
