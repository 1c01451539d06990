"""Problems of blocks: names that do not exist, blocks that contain themselves, and bodies nested too deep."""

from collections.abc import Iterator, Mapping

from app.errors import Problem
from app.spec.hints.names import Hints
from app.spec.network.network import Network
from app.spec.network.nodes import Body

MAX_BODY_DEPTH = 64  # levels of bodies in bodies, whether in place or blocks: what reads them is recursive

Uses = Mapping[str, Mapping[str, int]]  # block → blocks that it uses → levels of bodies from the one to the other


def block_problems(network: Network, hints: Hints) -> Iterator[Problem]:
    """Yield a problem for every unknown block, for a block that contains itself, and for bodies nested too deep."""
    uses: dict[str, dict[str, int]] = {}
    for name, body in (*network.blocks.items(), ("", network)):
        uses[name] = {}
        for place, used, level in _block_references(body, f"/blocks/{name}" if name else ""):
            uses[name][used] = max(level, uses[name].get(used, 0))
            if used not in network.blocks:
                yield _unknown_block(place, used, network.blocks, hints)
    depths: dict[str, int] = {}
    for name in network.blocks:
        reached, pending = set[str](), [name]
        while pending:
            inner = uses.get(pending.pop(), {}).keys() - reached
            reached |= inner
            pending += inner
        if name in reached:
            yield Problem(f"/blocks/{name}", "cycle", f'the block "{name}" contains itself', "use Repeat or While")
            return
    for name in (*network.blocks, ""):
        if _depth(name, uses, depths) > MAX_BODY_DEPTH:
            who, place = (f'the block "{name}"', f"/blocks/{name}") if name else ("the network", "")
            yield Problem(place, "too_deep", f"{who} nests bodies more than {MAX_BODY_DEPTH} deep", "nest fewer blocks")
            return


def _depth(name: str, uses: Uses, depths: dict[str, int]) -> int:
    """Return how deep bodies nest in a block. `depths` holds the results of inner blocks."""
    pending = [name]
    while pending:
        top = pending[-1]
        inner = uses.get(top, {})
        unknown = [used for used in inner if used not in depths]
        if unknown:
            pending += unknown
        else:
            depths[pending.pop()] = max((level + depths[used] for used, level in inner.items()), default=0)
    return depths[name]


def _unknown_block(place: str, used: str, known: Mapping[str, Body], hints: Hints) -> Problem:
    hint = hints.did_you_mean(used, lambda: known) or ("one of: " + ", ".join(known) if known else "add it to blocks")
    return Problem(place, "unknown_block", f'there is no block "{used}"', hint)


def _block_references(body: Body, place: str, level: int = 1) -> Iterator[tuple[str, str, int]]:
    """Yield (pointer, name, level of bodies) of every block that a body uses, at any depth of bodies in place."""
    for node_pointer, node in body.nodes_by_pointer().items():
        for pointer, inner in node.bodies().values():
            where = place + node_pointer + pointer
            if isinstance(inner, str):
                yield where, inner, level
            else:
                yield from _block_references(inner, where, level + 1)
