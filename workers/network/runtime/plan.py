"""The sequence of calls that computes a network, with the slots that each call reads, writes and frees."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from workers.network.blueprint import Blueprint
from workers.network.runtime.control_flow import TensorOrTuple

NodeCall = Callable[..., TensorOrTuple]
NamedSlots = tuple[tuple[str, int], ...]  # (name, slot)


class PlanStep(NamedTuple):
    """A node, and the chain of nodes behind it, each of which is the only reader of the one before."""

    call: NodeCall
    reads: tuple[int, ...]
    frees: tuple[int, ...]  # slots that are not read after `call`
    chained: tuple[NodeCall, ...]
    write: int


class ExecutionPlan(NamedTuple):
    """What `forward` needs. Slots are numbered from 0 to `slot_count`, those of the inputs first, in order."""

    slot_count: int
    leaves: NamedSlots
    steps: tuple[PlanStep, ...]
    outputs: tuple[int, ...]  # slots


def build_plan(blueprint: Blueprint, calls: Mapping[str, NodeCall]) -> ExecutionPlan:
    """Return the plan. Nodes that are not in `calls` are leaves, which are read as attributes."""
    slots = {name: slot for slot, name in enumerate(blueprint.inputs)}
    width, leaves, steps = len(slots), [], []
    for node in blueprint.nodes:
        if node.id not in calls:
            leaves.append((node.id, width))
        else:
            steps.append(PlanStep(calls[node.id], tuple(slots[name] for name in node.inputs), (), (), width))
        own = slots[node.id] = width
        width += 1
        for place, name in enumerate(node.outputs):
            if len(node.outputs) > 1:  # the call returns a tuple
                steps.append(PlanStep(itemgetter(place), (own,), (), (), width))
                slots[f"{node.id}.{name}"] = width
                width += 1
            else:
                slots[f"{node.id}.{name}"] = own
        if len(node.outputs) > 1:
            slots[node.id] = slots[f"{node.id}.{node.outputs[0]}"]
    outputs = tuple(slots[source] for source in blueprint.outputs.values())
    return ExecutionPlan(width, tuple(leaves), tuple(_add_frees(_fuse_chains(steps, outputs), outputs)), outputs)


def _fuse_chains(steps: list[PlanStep], outputs: Sequence[int]) -> list[PlanStep]:
    readers = Counter(slot for step in steps for slot in step.reads) + Counter(outputs)
    runs: list[list[PlanStep]] = []
    for step in steps:
        last = runs[-1][-1].write if runs else None
        if last is not None and step.reads == (last,) and readers[last] == 1:
            runs[-1].append(step)
        else:
            runs.append([step])
    return [run[0]._replace(chained=tuple(step.call for step in run[1:]), write=run[-1].write) for run in runs]


def _add_frees(steps: list[PlanStep], outputs: Sequence[int]) -> list[PlanStep]:
    needed = set(outputs)
    backwards = []
    for step in reversed(steps):
        frees = tuple(slot for slot in dict.fromkeys(step.reads) if slot not in needed)
        needed.update(step.reads)
        backwards.append(step._replace(frees=frees))
    return backwards[::-1]
