"""The networks of an environment of nodes: checked, built, and drawing random numbers for each copy by itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.errors import InvalidInput, Problem
from app.spec.data.columns import Column, DataSchema
from app.spec.data.environments.dynamics import Dynamics
from app.spec.data.environments.spaces import BoxSpace, DiscreteSpace
from app.spec.network.network import Network
from workers.environments.row_seeds import RowSeeds, draw_by_row
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE, describe_tensor
from workers.network.inference.partial_network import InferredNode, PartialNetwork
from workers.network.inference.shape_inference import infer_shapes
from workers.network.runtime.build import BuiltNetwork, is_random_node

STATE, ACTION, OBSERVATION, REWARD, TERMINATED = "state", "action", "observation", "reward", "terminated"
STEP_OUTPUTS = (STATE, REWARD, TERMINATED)
RESULT_OF = {"reset": STATE, "observe": OBSERVATION}  # the only output of these networks, whatever its name


@dataclass(frozen=True)
class DynamicsNetworks:
    """The built networks. They have no parameters, and are run without gradients.

    Before each run `seeds` gets a seed for every row: what a row becomes is a function of its values and its seed.
    """

    reset: BuiltNetwork  # state (N, …), zeros → state (N, …)
    observe: BuiltNetwork | None  # state → observation
    step: BuiltNetwork  # state, action → state, reward, terminated if it has that output
    seeds: RowSeeds


def build_dynamics(dynamics: Dynamics) -> DynamicsNetworks:
    """Check and build the networks of an environment of nodes.

    Raises `InvalidInput` with every problem; pointers are relative to `dynamics`.
    """
    state = Column(name=STATE, shape=dynamics.state.shape)
    action = dynamics.action.column(ACTION)
    bodies = {"reset": (dynamics.reset, (state,)), "step": (dynamics.step, (state, action))}
    if dynamics.observe is not None:
        bodies["observe"] = (dynamics.observe, (state,))
    inferred = {name: _infer(body, columns) for name, (body, columns) in bodies.items()}
    problems = [
        problem.with_prefix(f"/{name}")
        for name, network in inferred.items()
        for problem in (network.problems or [*_node_problems(network), *_output_problems(name, network, dynamics)])
    ]
    if problems:
        raise InvalidInput(problems)
    seeds = RowSeeds()
    built = {}
    for place, (name, network) in enumerate(inferred.items()):
        built[name] = BuiltNetwork(network.blueprint)
        draw_by_row(built[name], network, seeds, place)
    return DynamicsNetworks(built["reset"], built.get("observe"), built["step"], seeds)


def _infer(body: Network, columns: Sequence[Column]) -> PartialNetwork:
    names = tuple(column.name for column in columns)
    return infer_shapes(body, DataSchema(columns=tuple(columns), rows={}, inputs=names), names)


def _node_problems(network: PartialNetwork) -> Iterator[Problem]:
    """Yield nodes with weights, and random ones that draw the same numbers for all copies."""
    for trace in network.nodes:
        node = trace.node
        if trace.parameters or (trace.buffers and node.kind != "Constant"):
            detail = f"{node.id} ({node.kind}) has parameters or buffers, and dynamics have none"
            hint = "give numbers by Constant; what changes from step to step belongs to the state"
            yield Problem(node.pointer, "not_allowed", detail, hint)
        elif is_random_node(node) and not _is_by_row(trace):
            detail = f"{node.id} ({node.kind}) reads no value of the copies, so that all of them would draw alike"
            yield Problem(node.pointer, "not_allowed", detail, 'let it read "state"')


def _is_by_row(trace: InferredNode) -> bool:
    """Say whether a node reads a value of every copy and gives one."""
    outputs = (trace.output, *trace.other_outputs)
    return any(each.shape[:1] == (SYMBOLIC_BATCH_SIZE,) for each in trace.inputs) and all(
        each.shape[:1] == (SYMBOLIC_BATCH_SIZE,) for each in outputs
    )


def _output_problems(name: str, network: PartialNetwork, dynamics: Dynamics) -> Iterator[Problem]:
    """Yield outputs that are missing, unknown, or of another shape or type."""
    outputs = network.blueprint.outputs
    if name in RESULT_OF:
        if len(outputs) != 1:
            detail = f"{name} has {len(outputs)} outputs ({', '.join(outputs)}), and gives the {RESULT_OF[name]} alone"
            yield Problem("/outputs", "unknown_output", detail, f'"outputs": {{"{RESULT_OF[name]}": …}}')
            return
        roles = {next(iter(outputs)): RESULT_OF[name]}
    else:
        for missing in [each for each in (STATE, REWARD) if each not in outputs]:
            hint = 'add "outputs": {"state": …, "reward": …}, with the nodes that compute them'
            yield Problem("/outputs", "missing", f'step has no output "{missing}"', hint)
        for unknown in [each for each in outputs if each not in STEP_OUTPUTS]:
            detail = f'step has an output "{unknown}" that nothing reads'
            yield Problem(f"/outputs/{unknown}", "unknown_output", detail, "use state, reward and terminated")
        roles = {each: each for each in outputs if each in STEP_OUTPUTS}
    for output, role in roles.items():
        value = network.values[outputs[output]]
        dtype = str(value.dtype).removeprefix("torch.")
        shapes, dtypes, what = _expected(role, dynamics)
        if tuple(value.shape) not in [(SYMBOLIC_BATCH_SIZE, *shape) for shape in shapes] or (
            dtypes and dtype not in dtypes
        ):
            place = f"/outputs/{output}" if output in outputs and _is_named(network) else ""
            detail = f"the {role} is {describe_tensor(value)}, and should be {what}"
            hint = 'reshape, squeeze and unsqueeze change shapes, {"kind": "to"} the type'
            code = "shape_mismatch" if not dtypes or dtype in dtypes else "dtype_mismatch"
            yield Problem(place, code, detail, hint)


def _is_named(network: PartialNetwork) -> bool:
    """Say whether the outputs have names that stand in the document."""
    return tuple(network.blueprint.outputs) != ("output",)


def _expected(role: str, dynamics: Dynamics) -> tuple[list[tuple[int, ...]], tuple[str, ...], str]:
    """Return the shapes that a result may have, its dtypes (none: any), and both in words."""
    if role in (REWARD, TERMINATED):
        return [(1,), ()], (), "one number for each copy, (N, 1) or (N)"
    space: BoxSpace | DiscreteSpace = dynamics.observation_space
    if role == STATE:
        space = BoxSpace(kind="box", shape=dynamics.state.shape)
    if isinstance(space, DiscreteSpace):
        return [()], ("int64",), "one int64 for each copy, (N)"
    return [space.shape], ("float32",), f"{list(space.shape)} of float32 for each copy"
