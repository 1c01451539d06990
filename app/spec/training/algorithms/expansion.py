"""Writes a job with an algorithm out: from the short form of a document to the long one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.errors import InvalidInput
from app.spec.data.environments.environment import environment_schema
from app.spec.data.environments.experience import EXPERIENCE_CLASSES
from app.spec.training.algorithms.catalog import EXPERIENCE_SETTINGS, ActorCritic, AlgorithmData, BaseAlgorithm
from app.spec.training.algorithms.graph import ExpectedOutput, Graph
from app.spec.training.algorithms.places import Places
from app.spec.training.algorithms.plan import PlanWriter
from app.spec.training.algorithms.policy_gradients import write_ppo, write_reinforce
from app.spec.training.algorithms.short_form import body_problems, setting_problems, used_bodies
from app.spec.training.algorithms.soft_actor_critic import write_sac
from app.spec.training.algorithms.td3 import write_td3
from app.spec.training.algorithms.values import write_dqn
from app.spec.training.plan import Training

WRITERS: Mapping[str, Callable[..., None]] = {
    "sac": write_sac,
    "td3": write_td3,
    "dqn": write_dqn,
    "ppo": write_ppo,
    "reinforce": write_reinforce,
}
EXPLORED_SHARE = 10  # of the run: a tenth of its steps


@dataclass(frozen=True, slots=True)
class ShortForm:
    """The parts of a job with an algorithm, as they were read."""

    model: ActorCritic
    data: AlgorithmData
    objective: BaseAlgorithm
    training: Training


@dataclass(frozen=True)
class WrittenJob:
    """A job in the long form, where its parts come from, and what its bodies must give.

    The document of a job without an algorithm is the user's own.
    """

    document: Any
    places: Places = field(default_factory=Places)
    expected: tuple[ExpectedOutput, ...] = ()


def write_out_algorithm(document: Mapping[str, Any], short: ShortForm) -> WrittenJob:
    """Return a job in the long form. Raises `InvalidInput`, with pointers into the short one."""
    algorithm = short.objective
    bodies = used_bodies(short.model, algorithm)
    problems = [*setting_problems(document, algorithm), *body_problems(bodies, algorithm, short.data)]
    if problems:
        raise InvalidInput(problems)
    graph, objective = Graph(), document["objective"]
    settings = algorithm.settings()
    if settings.get("epsilon_steps", 0) is None:
        settings["epsilon_steps"] = max(1, (short.training.steps or 1) // EXPLORED_SHARE)
    WRITERS[algorithm.kind](graph, bodies, settings, short.data.action_space)
    blocks = {name: body.written(document["model"][name]) for name, body in bodies.items()}
    graph.places.moved |= {f"/model/blocks/{name}": body.pointer for name, body in bodies.items()}
    graph.places.generated["/model/nodes"] = "/model"
    graph.places.generated["/objective/heads"] = "/objective"
    read = {source for node in graph.nodes for source in node.get("inputs", ())}
    columns = _column_names(algorithm, short.data)
    model = {
        "inputs": [name for name in columns if name in read],
        "nodes": graph.nodes,
        "outputs": graph.outputs,
        "blocks": {**(document["model"].get("blocks") or {}), **blocks},
    }
    written = {
        "model": model,
        "data": _written_data(document["data"], objective, settings, algorithm, graph),
        "objective": {"heads": _heads(graph)},
        "training": PlanWriter(document.get("training") or {}, objective, short.training, algorithm).write(graph),
    }
    return WrittenJob({**document, **written}, graph.places, tuple(graph.expected))


def _column_names(algorithm: BaseAlgorithm, data: AlgorithmData) -> list[str]:
    """Return the columns that a network can read, in their order."""
    experience = EXPERIENCE_CLASSES[algorithm.row.experience].model_validate({"kind": algorithm.row.experience})
    return [column.name for column in environment_schema(data.model_copy(update={"experience": experience})).columns]


def _heads(graph: Graph) -> dict[str, Any]:
    """Return the heads: each minimises an output, with its weight."""
    return {
        head: {"loss": {"kind": "Output"}, "output": f"{head}_loss", **({"weight": weight} if weight != 1 else {})}
        for head, weight in graph.weights.items()
    }


def _written_data(
    given: Mapping[str, Any],
    objective: Mapping[str, Any],
    settings: Mapping[str, Any],
    algorithm: BaseAlgorithm,
    graph: Graph,
) -> dict[str, Any]:
    """Return the data section: what the user gave, and what the algorithm says of experience and exploration."""
    names = [name for name in EXPERIENCE_SETTINGS if name in settings]
    if algorithm.row.experience == "replay":
        names.remove("gamma")  # the network discounts
    experience: dict[str, Any] = {"kind": algorithm.row.experience}
    experience |= {name: objective.get(name, settings[name]) for name in names}
    if algorithm.row.experience == "rollout":
        experience |= {"log_prob": "log_prob", "value": "value"}
    own = given.get("experience") or {}
    for name in names:
        if name not in own:
            graph.places.moved[f"/data/experience/{name}"] = f"/objective/{name}"
    graph.places.generated["/data/exploration"] = "/objective"
    return {**given, "experience": {**experience, **own}, **{n: v for n, v in graph.data.items() if n not in given}}
