"""The order of a network's nodes, and the names that none of them can have."""

import re
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from app.spec.base import NAME_PATTERN
from app.spec.network.network import Network
from app.spec.network.nodes import NODE_KINDS
from app.spec.network.wiring import RESERVED_IDS
from tests.app.spec.network.test_network import network, node, problems
from workers.network.blueprint import Blueprint
from workers.network.runtime.build import BuiltNetwork


def order(document: Mapping[str, Any]) -> list[str]:
    return [placed.id for placed in Network.model_validate(document).wired_nodes(("x", "y"))]


def test_the_order_written_is_kept_wherever_it_can_be() -> None:
    nodes = [node("a"), node("b"), node("late", inputs=["d"]), node("c", inputs=["a"]), node("d", inputs=["b"])]
    assert order(network(*nodes)) == ["a", "b", "c", "d", "late"]


@given(st.permutations(range(8)), st.randoms(use_true_random=False))
def test_every_order_of_writing_gives_an_order_of_running(places: list[int], random: Any) -> None:
    sources = {place: sorted(random.sample(range(place), min(place, 2))) for place in range(8)}
    nodes = {place: node(f"n{place}", "cat", [f"n{each}" for each in sources[place]] or ["x"]) for place in range(8)}
    found = order({"nodes": [nodes[place] for place in places]})
    assert sorted(found) == sorted(f"n{place}" for place in range(8))
    for place, reads in sources.items():
        assert all(found.index(f"n{each}") < found.index(f"n{place}") for each in reads)
    assert order({"nodes": [nodes[int(name[1:])] for name in found]}) == found


def test_ten_thousand_nodes_in_the_worst_order() -> None:
    nodes = [node(f"n{place}", inputs=[f"n{place - 1}" if place else "x"]) for place in range(10_000)]
    assert problems(network(*nodes[::-1])) == []


def test_a_chain_of_readers_is_no_cycle_but_its_end_is() -> None:
    nodes = [node(f"n{place}", inputs=[f"n{(place + 1) % 5}"]) for place in range(5)] + [node("after", inputs=["n0"])]
    ((place, code, detail, _),) = problems(network(*nodes))
    assert (place, code) == ("/nodes/0/inputs", "cycle")
    assert detail.startswith("there is a cycle among n0, n1, n2, n3, n4, after")


def test_reserved_names_are_those_of_torch() -> None:
    """Ids become attributes of a module: none may hide what is there. Those with an underscore are refused as such."""
    built = BuiltNetwork(Blueprint(("x",), (), {"y": "x"}))
    taken = {name for name in (*dir(built), *vars(built), *dir(nn.Module())) if not name.startswith("_")}
    assert taken <= RESERVED_IDS


def test_no_kind_gives_its_layers_a_reserved_name() -> None:
    names = {f"{kind.lower()}{count}" for kind in NODE_KINDS for count in (1, 25)}
    assert not names & RESERVED_IDS
    assert all(re.match(NAME_PATTERN, name) for name in names)
