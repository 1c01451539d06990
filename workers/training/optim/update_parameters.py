"""Which update trains which parameters of a network, which follow others, and what would be forgotten."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from app.errors import Problem
from app.spec.hints.names import did_you_mean
from app.spec.training.plan import Training
from app.spec.training.updates.target_networks import TargetNetwork
from workers.network.analysis.parameters import ParameterIndex, divide_parameters, index_parameters
from workers.network.blueprint import Blueprint
from workers.training.optim.parameter_groups import MAX_LISTED_PARAMETERS, ParameterSplit, split_parameters

Shapes = Mapping[str, tuple[int, ...]]  # by name below a node


@dataclass
class UpdateParameters:
    """The parameters of a network by update, or the problems that stand in the way."""

    splits: list[ParameterSplit] = field(default_factory=list)  # by update
    problems: list[Problem] = field(default_factory=list)

    def frozen_names(self) -> set[str]:
        """Return the names of the parameters that a group freezes."""
        return {weight.name for split in self.splits for weight in split.frozen}


def split_updates(blueprint: Blueprint, plan: Training) -> UpdateParameters:
    """Return the parameters of a network by the updates of a plan and their groups."""
    index = index_parameters(blueprint)
    result = UpdateParameters(problems=list(_target_problems(index, plan.target_networks)))
    targets = frozenset[str]().union(*(index.below(each.node) for each in plan.target_networks))
    if not plan.updates:
        result.splits = [split_parameters(blueprint, plan, among=index.names - targets if targets else None)]
    else:
        result.problems += _path_problems(index, plan, targets)
        parts = divide_parameters(index, [update.parameters for update in plan.updates], targets)
        result.splits = [
            split_parameters(blueprint, update, f"/training{pointer}", part)
            for (pointer, update), part in zip(plan.all_updates(), parts, strict=True)
        ]
        result.problems += () if result.problems else _division_problems(index, result.splits, targets)
    result.problems += [problem for split in result.splits for problem in split.problems]
    return result


def _has(index: ParameterIndex, path: str) -> bool:
    """Say whether there is a node, a part of one, or a parameter with this path."""
    return path in index.paths or path in index.weights


def _unknown(index: ParameterIndex, pointer: str, path: str) -> Problem:
    """Return the problem of a path that the network does not have."""
    hint = did_you_mean(path, sorted(index.paths | set(index.weights)))
    return Problem(pointer, "unknown_node", f'the network has no node "{path}"', hint)


def _shapes(index: ParameterIndex, path: str) -> Shapes:
    """Return the shapes of what is below a path, buffers as well, by the rest of their names."""
    shapes = index.shapes.items()
    return {name.removeprefix(path): shape for name, shape in shapes if f"{name}.".startswith(f"{path}.")}


def _path_problems(index: ParameterIndex, plan: Training, targets: frozenset[str]) -> Iterator[Problem]:
    """Yield what is wrong with the parameters that updates name."""
    for place, update in enumerate(plan.updates):
        for position, path in enumerate(update.parameters or ()):
            pointer, own = f"/training/updates/{place}/parameters/{position}", index.below(path)
            if not _has(index, path):
                yield _unknown(index, pointer, path)
            elif not own:
                yield Problem(pointer, "no_parameters", f'"{path}" has no parameters', "remove it")
            elif own & targets:
                detail = f'"{path}" has parameters of a target network, which nothing trains'
                yield Problem(pointer, "in_target_network", detail, "remove it, or name only its other parts")


def _division_problems(
    index: ParameterIndex, splits: Sequence[ParameterSplit], targets: frozenset[str]
) -> Iterator[Problem]:
    """Yield what no update trains, and what one update trains and another one freezes."""
    trained = set[str]().union(*(split.trained_names() for split in splits))
    frozen = {weight.name for split in splits for weight in split.frozen}
    if forgotten := sorted(index.names - trained - frozen - targets):
        hint = 'name them in "parameters" of an update, or freeze them in a group of one'
        yield Problem("/training/updates", "not_trained", f"no update trains {_join_names(forgotten)}", hint)
    if both := sorted(trained & frozen):
        detail = f"{_join_names(both)}: trained by one update, and frozen in a group of another"
        yield Problem("/training/updates", "contradiction", detail, "decide on one of them")
    for place, split in enumerate(splits):
        if not split.trainable and not split.frozen:
            detail = "no parameters are left for this update: others name them all"
            yield Problem(f"/training/updates/{place}", "nothing_to_train", detail, 'name "parameters", or remove it')


def _target_problems(index: ParameterIndex, targets: Sequence[TargetNetwork]) -> Iterator[Problem]:
    """Yield why nodes cannot follow others."""
    followers = [index.below(each.node) for each in targets]
    for place, target in enumerate(targets):
        pointer = f"/training/target_networks/{place}"
        paths = {"node": target.node, "source": target.source}
        unknown = [
            _unknown(index, f"{pointer}/{field}", path) for field, path in paths.items() if not _has(index, path)
        ]
        if unknown:
            yield from unknown
            continue
        own, sources = followers[place], index.below(target.source)
        others = {name for other, names in enumerate(followers) if other != place for name in names}
        if not own:
            yield Problem(f"{pointer}/node", "no_parameters", f'"{target.node}" has no parameters', "remove it")
        elif own & sources:
            detail = f'"{target.node}" and "{target.source}" share {_join_names(sorted(own & sources))}'
            hint = "give the target a node with parameters of its own"
            yield Problem(f"{pointer}/node", "contradiction", detail, hint)
        elif own & others:
            detail = f'"{target.node}" is in another target network too'
            yield Problem(f"{pointer}/node", "contradiction", detail, "name it in one of them")
        elif sources & others:
            detail = f'"{target.source}" is a target network itself'
            yield Problem(f"{pointer}/source", "contradiction", detail, "follow a node that is trained")
        elif difference := _first_difference(target, _shapes(index, target.node), _shapes(index, target.source)):
            hint = "let both be the same kind with the same settings, or uses of one block"
            yield Problem(f"{pointer}/node", "shape_mismatch", difference, hint)


def _first_difference(target: TargetNetwork, own: Shapes, source: Shapes) -> str:
    """Return how the tensors of a node differ from those of its source; nothing if they do not."""
    for name in [*source, *own]:
        if name not in own:
            return f"{target.source}{name} has no counterpart {target.node}{name}"
        if name not in source:
            return f"{target.node}{name} has no counterpart {target.source}{name}"
        if own[name] != source[name]:
            shapes = f"{list(own[name])}, and {target.source}{name} has {list(source[name])}"
            return f"{target.node}{name} has the shape {shapes}"
    return ""


def _join_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_LISTED_PARAMETERS} more" if len(names) > MAX_LISTED_PARAMETERS else ""
    return ", ".join(names[:MAX_LISTED_PARAMETERS]) + more
