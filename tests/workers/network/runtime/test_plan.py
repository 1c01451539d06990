"""A plan computes what a naive walk computes, and holds nothing longer than needed."""

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.runtime.plan import ExecutionPlan, build_plan

Value = tuple[Any, ...]  # what was computed, as a term: no two different computations are equal


def term(name: str) -> Callable[..., Any]:
    return lambda *inputs: (name, *inputs)


@st.composite
def blueprints(draw: st.DrawFn) -> Blueprint:
    """Draw an acyclic network: every node reads any that come before it, leaves read nothing."""
    inputs = [f"x{place}" for place in range(draw(st.integers(1, 3)))]
    names, nodes = list(inputs), []
    for place in range(draw(st.integers(1, 14))):
        recent = st.sampled_from(names[-3:])  # so that chains are likely
        sources = draw(st.lists(recent | st.sampled_from(names), min_size=0, max_size=3))
        nodes.append(
            ResolvedNode(f"n{place}", "leaf" if not sources else "node", {}, tuple(sources), f"/nodes/{place}")
        )
        names.append(f"n{place}")
    outputs = draw(st.dictionaries(st.sampled_from("abc"), st.sampled_from(names), min_size=1))
    return Blueprint(tuple(inputs), tuple(nodes), outputs)


def make_plan(blueprint: Blueprint) -> ExecutionPlan:
    calls: dict[str, Any] = {node.id: term(node.id) for node in blueprint.nodes if node.kind == "node"}
    return build_plan(blueprint, calls)


def run_naively(blueprint: Blueprint) -> dict[str, Any]:
    values: dict[str, Any] = {name: (name,) for name in blueprint.inputs}
    for node in blueprint.nodes:
        values[node.id] = (node.id, *(values[name] for name in node.inputs))
    return {name: values[source] for name, source in blueprint.outputs.items()}


def execute_plan(blueprint: Blueprint, made: ExecutionPlan) -> tuple[dict[str, Any], Mapping[int, Any]]:
    """Return the outputs, and the slots that are filled at the end. Reading an empty slot fails."""
    slots: dict[int, Any] = {slot: (name,) for slot, name in enumerate(blueprint.inputs)}
    slots |= {slot: (name,) for name, slot in made.leaves}
    for step in made.steps:
        value = step.call(*[slots[slot] for slot in step.reads])
        for slot in step.frees:
            del slots[slot]
        for following in step.chained:
            value = following(value)
        assert step.write not in slots
        slots[step.write] = value
    return {name: slots[slot] for name, slot in zip(blueprint.outputs, made.outputs, strict=True)}, slots


@given(blueprints())
def test_a_plan_computes_the_network(blueprint: Blueprint) -> None:
    outputs, _ = execute_plan(blueprint, make_plan(blueprint))
    assert outputs == run_naively(blueprint)


@given(blueprints())
def test_what_was_read_is_freed_unless_it_is_an_output(blueprint: Blueprint) -> None:
    made = make_plan(blueprint)
    _, left = execute_plan(blueprint, made)
    kept = set(made.outputs)
    read = {slot for step in made.steps for slot in step.reads}
    assert kept <= left.keys() < set(range(made.slot_count)) | {made.slot_count}
    assert not (read - kept) & left.keys()


@given(blueprints())
def test_steps_are_joined_wherever_one_is_the_only_reader_of_the_one_before(blueprint: Blueprint) -> None:
    made = make_plan(blueprint)
    readers = [slot for step in made.steps for slot in step.reads] + list(made.outputs)
    for before, after in zip(made.steps, made.steps[1:], strict=False):
        assert not (after.reads == (before.write,) and readers.count(before.write) == 1)
    assert sum(1 + len(step.chained) for step in made.steps) == sum(node.kind == "node" for node in blueprint.nodes)


def test_a_chain_is_one_step() -> None:
    nodes = tuple(
        ResolvedNode(f"n{place}", "node", {}, (f"n{place - 1}" if place else "x0",), "") for place in range(9)
    )
    (step,) = make_plan(Blueprint(("x0",), nodes, {"y": "n8"})).steps
    assert len(step.chained) == 8


def test_a_value_that_is_read_twice_by_one_node_is_freed_once() -> None:
    node = ResolvedNode("n0", "node", {}, ("x0", "x0"), "")
    (step,) = make_plan(Blueprint(("x0",), (node,), {"y": "n0"})).steps
    assert (step.reads, step.frees) == ((0, 0), (0,))
