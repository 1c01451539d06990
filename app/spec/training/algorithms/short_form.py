"""The short form of a job with an algorithm: what contradicts in it, and what is filled in before it is read."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.errors import Problem
from app.spec.data.environments.environment import EnvironmentData
from app.spec.data.environments.spaces import BoxSpace, DiscreteSpace
from app.spec.hints.names import choices
from app.spec.training.algorithms.bodies import GAUSSIAN_OUTPUTS, UsedBody
from app.spec.training.algorithms.catalog import ALGORITHMS, EXPERIENCE_SETTINGS, ActorCritic, BaseAlgorithm

BODY_NAMES = ("trunk", "actor", "critic")
_LONG_FORM = ("layers", "inputs", "nodes", "outputs")  # of a network
_EXPLORATION_SETTINGS = ("exploration_noise", "epsilon_start", "epsilon_end", "epsilon_steps")


def has_algorithm(document: Any) -> bool:
    """Say whether a job, which may not have been checked, names an algorithm or has its networks."""
    if not isinstance(document, dict):
        return False
    model, data, objective = _section(document, "model"), _section(document, "data"), document.get("objective")
    kind = objective.get("kind") if isinstance(objective, dict) else objective
    if isinstance(kind, str) and (kind.lower() in ALGORITHMS or data.get("kind") == "environment"):
        return True
    return any(name in model for name in BODY_NAMES) and not any(name in model for name in _LONG_FORM)


def _section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a section of a document; none if it is no object."""
    section = document.get(name)
    return section if isinstance(section, dict) else {}


def without_bare_names(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with an object in place of the bare names of an algorithm and of an experience."""
    plain, data = dict(document), document.get("data")
    if isinstance(plain.get("objective"), str):
        plain["objective"] = {"kind": plain["objective"]}
    if isinstance(data, dict) and isinstance(data.get("experience"), str):
        plain["data"] = {**data, "experience": {"kind": data["experience"]}}
    return plain


def form_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what stands in the way of reading the short form."""
    objective, data = _section(document, "objective"), _section(document, "data")
    kind = objective.get("kind")
    if kind is None:
        hint = "remove the losses, and name an algorithm: " + choices(ALGORITHMS)
        yield Problem("/objective/kind", "missing", "a model of actor and critic needs an algorithm", hint)
    if not isinstance(kind, str) or kind not in ALGORITHMS:
        return
    row = ALGORITHMS[kind]
    if data and data.get("kind") != "environment":
        hint = 'write "data": {"kind": "environment", "name": "Pendulum-v1"}'
        yield Problem("/data/kind", "contradiction", f"{kind} learns from an environment", hint)
    if _section(data, "experience").get("kind", row.experience) != row.experience:
        detail = f'{kind} learns from experience of the kind "{row.experience}"'
        yield Problem("/data/experience/kind", "contradiction", detail, "remove it")
    yield from _model_problems(kind, document)
    yield from _plan_problems(kind, _section(document, "training"))


def _model_problems(kind: str, document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the bodies that are missing, those that an algorithm has not, and parts of the long form."""
    model, row = _section(document, "model"), ALGORITHMS[kind]
    bodies = ", ".join(f'"{name}": {{"layers": […]}}' for name in row.bodies)
    if "model" not in document:
        yield Problem("/model", "missing", '"model" is required', f'add "model": {{{bodies}}}')
    if long := [name for name in _LONG_FORM if name in model]:
        hint = f'write "model": {{{bodies}}}, or the losses as nodes, and heads in objective'
        yield Problem(f"/model/{long[0]}", "contradiction", f"{kind} makes its network of bodies", hint)
    for name in BODY_NAMES:
        is_given = model.get(name) is not None
        if is_given and name not in row.bodies and not (name == "trunk" and row.has_trunk):
            yield Problem(f"/model/{name}", "contradiction", f"{kind} has no {name}", "remove it")
        elif name in row.bodies and not is_given and isinstance(document.get("model"), dict) and not long:
            hint = f'add "{name}": {{"layers": […]}}'
            yield Problem(f"/model/{name}", "missing", f"{kind} needs a network called {name}", hint)
        if name in _section(model, "blocks"):
            detail = f'"{name}" is the block that is made of /model/{name}'
            yield Problem(f"/model/blocks/{name}", "duplicate_id", detail, "choose another name")


def _plan_problems(kind: str, training: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the parts of a plan that an algorithm makes itself, and how long the run is."""
    for name in ("updates", "target_networks"):
        if training.get(name):
            detail = f"{kind} says itself what is updated, and what follows"
            hint = "remove it, or write the losses as nodes, and heads in objective"
            yield Problem(f"/training/{name}", "contradiction", detail, hint)
    if training.get("epochs") is not None:
        yield Problem("/training/epochs", "contradiction", "an environment has no epochs", 'write "steps" instead')
    elif training.get("steps") is None:
        yield Problem("/training/steps", "missing", '"steps" is required', 'add "steps": 20000')
    groups = training.get("groups")
    for place, group in enumerate(groups if isinstance(groups, list) else ()):
        if isinstance(group, dict) and group.get("nodes") is not None:
            detail = "groups of a plan are those of each update, which do not all have these nodes"
            hint = "remove nodes, or write the updates yourself"
            yield Problem(f"/training/groups/{place}/nodes", "contradiction", detail, hint)


def used_bodies(model: ActorCritic, algorithm: BaseAlgorithm) -> dict[str, UsedBody]:
    """Return the bodies by name, each with what it reads."""
    bodies: dict[str, UsedBody] = {}
    source = "features" if model.trunk is not None else "observation"
    valued = ("observation", "action") if algorithm.kind in ("sac", "td3") else (source,)
    reads: Mapping[str, tuple[str, ...]] = {"trunk": ("observation",), "actor": (source,), "critic": valued}
    for name in BODY_NAMES:
        body = getattr(model, name)
        if body is not None:
            bodies[name] = UsedBody(name, body, reads[name])
    return bodies


def body_problems(bodies: Mapping[str, UsedBody], algorithm: BaseAlgorithm, data: EnvironmentData) -> Iterator[Problem]:
    """Yield bodies that do not fit an algorithm or the spaces of an environment."""
    space, kind = data.action_space, algorithm.kind
    required = algorithm.row.actions
    if required == "box" and isinstance(space, DiscreteSpace):
        detail = f"{kind} gives numbers as actions, and the actions of this environment are one of {space.n} classes"
        yield Problem("/objective/kind", "contradiction", detail, 'use "dqn" or "ppo"')
    elif required == "discrete" and isinstance(space, BoxSpace):
        detail = f"{kind} chooses one of several classes, and the actions of this environment are numbers"
        yield Problem("/objective/kind", "contradiction", detail, 'use "sac", "td3" or "ppo"')
    elif isinstance(space, BoxSpace) and len(space.shape) != 1:
        place = "/data/dynamics/action/shape" if data.dynamics is not None else "/data/name"
        detail = f"{kind} gives actions of one dimension, and these have the shape {list(space.shape)}"
        yield Problem(place, "shape_mismatch", detail, "declare them as one list of numbers")
    elif required == "box" and not space.is_bounded:
        place = "/data/dynamics/action" if data.dynamics is not None else "/data/name"
        yield Problem(place, "unbounded", f"{kind} needs bounds of the actions", 'add "low" and "high", or use "ppo"')
    for name, body in bodies.items():
        yield from body.problems([GAUSSIAN_OUTPUTS] if _may_give_gaussian(name, algorithm, space) else [])
        observation = data.observation_space
        if body.body.layers is not None and len(body.reads) > 1 and len(observation.shape) != 1:
            detail = f"observations of the shape {list(observation.shape)} cannot be joined to actions"
            hint = 'write the critic with nodes: "inputs": ["observation", "action"], "nodes": […]'
            yield Problem(f"{body.pointer}/layers", "shape_mismatch", detail, hint)
    if "actor" in bodies:
        yield from _squashing_problems(bodies["actor"], kind, space)


def _may_give_gaussian(name: str, algorithm: BaseAlgorithm, space: BoxSpace | DiscreteSpace) -> bool:
    return name == "actor" and isinstance(space, BoxSpace) and algorithm.kind != "td3"


def _squashing_problems(actor: UsedBody, kind: str, space: BoxSpace | DiscreteSpace) -> Iterator[Problem]:
    if kind in ("sac", "td3"):
        yield from actor.limiting_problem(f"{kind} squashes its output itself, by tanh to the bounds")
    elif isinstance(space, DiscreteSpace):
        yield from actor.limiting_problem(f"{kind} takes its output as scores of any size, of which it makes a softmax")


def setting_problems(document: Mapping[str, Any], algorithm: BaseAlgorithm) -> Iterator[Problem]:
    """Yield settings that are given at two places, and that say nothing beside others."""
    objective, data = _section(document, "objective"), _section(document, "data")
    experience = _section(data, "experience")
    for name in EXPERIENCE_SETTINGS:
        if name in objective and name in experience and objective[name] != experience[name]:
            detail = f"the experience has another {name}, {experience[name]}"
            yield Problem(f"/objective/{name}", "contradiction", detail, "remove it")
    given = [name for name in _EXPLORATION_SETTINGS if name in objective]
    if data.get("exploration") is not None:
        for name in given:
            detail = "/data/exploration says how actions are explored"
            yield Problem(f"/objective/{name}", "contradiction", detail, "remove it")
    settings = algorithm.settings()
    if settings.get("alpha", "auto") != "auto":
        for name in ("initial_alpha", "target_entropy", "alpha_optimizer"):
            if name in objective:
                yield Problem(f"/objective/{name}", "contradiction", "alpha is fixed, and not trained", "remove it")
    if algorithm.row.has_trunk and _section(document, "model").get("trunk") is not None:
        for name in ("actor_optimizer", "critic_optimizer"):
            if objective.get(name) is not None:
                detail = "actor and critic share a trunk, which one update of both trains"
                yield Problem(f"/objective/{name}", "contradiction", detail, "write the optimizer in training")
