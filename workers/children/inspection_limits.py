"""Limits of an inspected job: parameters, memory, and how often nodes are called."""

from app.errors import Problem
from app.spec.base import bounded_count
from app.spec.data.environments.environment import EnvironmentData
from app.spec.job import JobSpec
from workers.network.inference.partial_network import InferredNode, PartialNetwork
from workers.protocol.child_requests import InspectionLimits
from workers.training.validation.experience import buffer_problem
from workers.training.validation.memory import MemoryEstimate

MAX_CALLS = 10**9  # of nodes in a forward pass, which would take a quarter of an hour


def size_problems(
    job: JobSpec, network: PartialNetwork, memory: MemoryEstimate, limits: InspectionLimits
) -> list[Problem]:
    """Return a problem for a network with too many parameters, and for a training that takes too much memory."""
    problems = []
    largest = max(network.nodes, key=lambda trace: trace.parameters, default=None)
    count = network.parameters
    if largest is not None and count > limits.max_parameters:
        detail = f"the network has {bounded_count(count):,} parameters, at most {limits.max_parameters:,} are allowed"
        hint = f"make {largest.node.id} smaller, which has {bounded_count(largest.parameters):,} of them"
        problems.append(Problem("/model" + largest.node.pointer, "too_many_parameters", detail, hint))
    if memory.total > limits.memory_limit:
        allowed = _format_bytes(limits.memory_limit)
        detail = f"training would take about {_format_bytes(memory.total)}, at most {allowed} are allowed"
        without_buffer = memory.total - memory.experience
        if isinstance(job.data, EnvironmentData) and (
            without_buffer < limits.memory_limit or job.data.experience.kind == "episodes"
        ):
            detail = f"{detail}, {_format_bytes(memory.experience)} of it for experience"
            return [*problems, buffer_problem(job.data, limits.memory_limit - without_buffer, detail)]
        each = max(1, memory.activations // memory.batch_size)
        fitting = (limits.memory_limit - memory.total + memory.activations) // each
        hint = f"a batch_size of {fitting} would fit" if fitting > 0 else "make the network smaller"
        place = "/training/batch_size" if fitting > 0 else "/model"
        problems.append(Problem(place, "too_much_memory", detail, hint))
    return problems


def loop_problems(network: PartialNetwork) -> list[Problem]:
    """Return a problem for every node whose loops in loops no machine ever ends."""
    problems = []
    for trace in network.nodes:
        if (calls := bounded_count(_count_calls(trace))) > MAX_CALLS:
            detail = f"{trace.node.id} would call nodes about {calls:.0e} times in every forward pass"
            hint = f"let its bodies run less often: at most {MAX_CALLS:.0e} calls are allowed"
            problems.append(Problem(f"/model{trace.node.pointer}", "too_complex", detail, hint))
    return problems


def _count_calls(trace: InferredNode) -> int:
    return trace.cost_of_bodies(_count_calls) if trace.bodies else 1


def _format_bytes(count: int) -> str:
    count = bounded_count(count)
    return f"{count / (1 << 30):,.1f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):,.1f} MiB"
