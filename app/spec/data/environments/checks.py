"""The checks of a job in an environment that need no network to be built: the data section, and the plan beside it."""

from collections.abc import Iterable, Iterator

from app.errors import Problem
from app.spec.data.environments.catalog import ENVIRONMENTS, INSTALL_COMMANDS
from app.spec.data.environments.environment import EnvironmentData
from app.spec.data.environments.experience import EpisodesExperience, ReplayExperience, RolloutExperience
from app.spec.data.environments.series import EVALUATION_SERIES
from app.spec.data.environments.spaces import BoxSpace, DiscreteSpace
from app.spec.hints.names import choices, did_you_mean
from app.spec.network.validation import check_network

BODY_INPUTS = {"reset": ("state",), "observe": ("state",), "step": ("state", "action")}  # what the networks read
BOX_WRAPPERS = frozenset({"FrameStack", "NormalizeObservation", "ClipObservation"})
BOUNDED_WRAPPERS = frozenset({"ClipObservation", "ClipReward"})


def environment_problems(data: EnvironmentData, outputs: Iterable[str]) -> Iterator[Problem]:
    """Yield what is wrong with the data section; `outputs` are those of the network. Pointers lead into the job."""
    yield from _space_problems(data)
    yield from _wrapper_problems(data)
    yield from _exploration_problems(data)
    yield from _copy_problems(data)
    yield from _output_problems(data, tuple(outputs))
    if data.time_limit is None:
        detail = f"{data.name} has no time limit: a policy that never comes to an end would be evaluated for ever"
        hint = 'add "wrappers": [{"kind": "TimeLimit", "steps": 200}]'
        yield Problem("/data/wrappers", "no_time_limit", detail, hint)
    yield from _dynamics_problems(data)


def _dynamics_problems(data: EnvironmentData) -> Iterator[Problem]:
    """Yield the problems of names, wiring and form of the networks of an environment of nodes."""
    for name, inputs in BODY_INPUTS.items() if data.dynamics is not None else ():
        body = getattr(data.dynamics, name)
        problems = check_network(body, inputs, inputs) if body is not None else []
        yield from (problem.with_prefix(f"/data/dynamics/{name}") for problem in problems)


def _space_problems(data: EnvironmentData) -> Iterator[Problem]:
    """Yield an action without bounds, and an observation that is the state of another shape."""
    if isinstance(data.action_space, BoxSpace) and not data.action_space.is_bounded:
        detail = "an action without bounds can neither be drawn at random nor be clamped"
        hint = 'add "low" and "high" to the action, such as "low": -1.0, "high": 1.0'
        yield Problem("/data/dynamics/action", "missing", detail, hint)
    dynamics = data.dynamics
    if dynamics is not None and dynamics.observe is None and dynamics.observation is not None:
        own = dynamics.observation
        if not isinstance(own, BoxSpace) or own.shape != dynamics.state.shape:
            what = f"a box of {list(own.shape)}" if isinstance(own, BoxSpace) else "discrete"
            detail = (
                f"without observe the state is observed, {list(dynamics.state.shape)}, and the observation is {what}"
            )
            yield Problem("/data/dynamics/observation", "contradiction", detail, 'remove it, or add "observe": …')


def _wrapper_problems(data: EnvironmentData) -> Iterator[Problem]:
    space = data.own_observation_space
    for position, wrapper in enumerate(data.wrappers):
        place, settings = f"/data/wrappers/{position}", wrapper.settings()
        if wrapper.kind in BOX_WRAPPERS and isinstance(space, DiscreteSpace):
            detail = f"{wrapper.kind} is for observations of numbers, and this one is one of {space.n} values"
            yield Problem(place, "contradiction", detail, "remove it: an Embedding reads such an observation")
        if wrapper.kind in BOUNDED_WRAPPERS and settings["low"] >= settings["high"]:
            detail = f"the lower bound {settings['low']:g} is not below the upper bound {settings['high']:g}"
            yield Problem(f"{place}/low", "contradiction", detail, "give low a smaller number, or high a larger one")
        for field in ("mean", "std"):
            numbers, width = settings.get(field), space.shape[-1] if space.shape else 1
            if isinstance(numbers, tuple) and len(numbers) != width:
                detail = f"{field} has {len(numbers)} numbers, and the last dimension of the observation has {width}"
                yield Problem(f"{place}/{field}", "shape_mismatch", detail, f"give one number, or {width}")


def _exploration_problems(data: EnvironmentData) -> Iterator[Problem]:
    exploration, space = data.exploration, data.action_space
    if exploration is None or exploration.is_discrete == isinstance(space, DiscreteSpace):
        return
    if isinstance(space, DiscreteSpace):
        detail = f"{exploration.kind} adds noise to numbers, and the action is one of {space.n} values"
        yield Problem("/data/exploration/kind", "contradiction", detail, 'use "epsilon_greedy"')
    else:
        detail = f"{exploration.kind} draws one of several values, and the action is {list(space.shape)} numbers"
        yield Problem("/data/exploration/kind", "contradiction", detail, 'use "gaussian"')


def _copy_problems(data: EnvironmentData) -> Iterator[Problem]:
    """Yield counts that the copies do not divide, so that some copies would do more than others."""
    experience, copies = data.experience, data.copies
    counts: dict[str, tuple[int, str]] = {}
    if isinstance(experience, ReplayExperience):
        counts = {
            "start_steps": (experience.start_steps, "transitions before the first step"),
            "capacity": (experience.capacity, "transitions that are kept"),
        }
    elif isinstance(experience, EpisodesExperience):
        counts = {"episodes": (experience.episodes, "episodes of a step")}
    for field, (count, what) in counts.items():
        if count % copies:
            fitting = max(copies, count - count % copies)
            detail = f"{copies} copies do not divide the {count:,} {what}"
            hint = f'set "{field}" to {fitting}, or "copies" to {_divisor_near(count, copies)}'
            yield Problem(f"/data/experience/{field}", "contradiction", detail, hint)
    if isinstance(experience, ReplayExperience) and experience.capacity < experience.start_steps:
        detail = f"{experience.capacity:,} transitions are kept, fewer than the {experience.start_steps:,} of the start"
        hint = f'set "capacity" to at least {experience.start_steps}, or "start_steps" to less'
        yield Problem("/data/experience/capacity", "contradiction", detail, hint)


def _divisor_near(count: int, copies: int) -> int:
    """Return the largest number of copies, at most `copies`, that divides a count."""
    return next(each for each in range(min(copies, count), 0, -1) if count % each == 0)


def named_outputs(data: EnvironmentData) -> Iterator[tuple[str, str, str]]:
    """Yield (pointer, output, what it is) of every output that the data section names."""
    yield "/data/action", data.action, "what is done in evaluations"
    if data.behaviour is not None and data.behaviour != data.action:
        yield "/data/behaviour", data.behaviour, "what is done when experience is collected"
    if isinstance(data.experience, RolloutExperience):
        yield "/data/experience/log_prob", data.experience.log_prob, "the logarithm of the probability of the behaviour"
        yield "/data/experience/value", data.experience.value, "the value of an observation"
    for position, name in enumerate(data.report):
        yield f"/data/report/{position}", name, "a number that is reported"


def _output_problems(data: EnvironmentData, outputs: tuple[str, ...]) -> Iterator[Problem]:
    """Yield the outputs that the network does not have, and reports whose series are there already."""
    for pointer, name, what in named_outputs(data):
        if name not in outputs:
            field = pointer.rpartition("/")[2]
            hint = did_you_mean(name, outputs) or choices(outputs)
            if len(outputs) == 1 and not field.isdigit():
                hint = f'name the one that there is: "{field}": "{outputs[0]}"'
            elif not hint.startswith("did"):
                hint = f'add "{name}" to the outputs of the network, or name another one{f": {hint}" if hint else ""}'
            yield Problem(pointer, "unknown_output", f'the network has no output "{name}": {what}', hint)
    taken = {series.removeprefix("val/") for series in EVALUATION_SERIES}
    for position, name in enumerate(data.report):
        if name in taken or name in data.report[:position]:
            detail = f'there is a series "val/{name}" already'
            yield Problem(f"/data/report/{position}", "duplicate_id", detail, "rename the output, or remove it")


def package_warnings(data: EnvironmentData) -> Iterator[Problem]:
    """Yield the package that an environment needs on the worker, if it is none that every worker has."""
    package = ENVIRONMENTS[data.name].package if data.name is not None else "gymnasium"
    if package != "gymnasium":
        detail = f"{data.name} needs the package {package} on the worker, or the job fails when it starts"
        yield Problem("/data/name", "needs_package", detail, f"{INSTALL_COMMANDS[package]}, where workers run")
