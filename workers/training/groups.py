"""Which parameters a plan trains, with which settings, and which are frozen."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from app.errors import Problem
from app.spec.optimizers import BaseGroup
from app.spec.problems import nearest
from app.spec.training import Training
from workers.network.build import Graph

PLACE = "/training/groups"
NORMS = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d,
    nn.LayerNorm, nn.GroupNorm, nn.RMSNorm,
)  # fmt: skip
MATRICES = frozenset({"Muon"})  # optimisers that train parameters of two dimensions alone
MOST_NAMED = 4  # parameters in a sentence
WORDS = {"all": "parameters", "bias_and_norm": "biases or normalisations", "weights": "weights"}


@dataclass
class Split:
    """The parameters of a network by group, or the problems that stand in the way."""

    trained: list[dict[str, Any]] = field(default_factory=list)  # for torch's optimisers; the plan's own group first
    frozen: list[nn.Parameter] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def parameters(self) -> list[nn.Parameter]:
        """Return what is trained."""
        return [parameter for group in self.trained for parameter in group["params"]]


def split(network: nn.Module, plan: Training) -> Split:
    """Return the parameters by group, each in the order of the network. A network on the meta device does."""
    chooser = _Chooser(network)
    for position, group in enumerate(plan.groups):
        if group.nodes is not None:
            chooser.name(position, group.nodes, group)
    for position, group in enumerate(plan.groups):
        if group.nodes is None:
            chooser.rest(position, group)
    found = Split(problems=chooser.problems)
    own = chooser.members(None)
    found.trained += [{"params": own}] if own else []
    for position, group in enumerate(plan.groups):
        members = chooser.members(position)
        if group.frozen:
            found.frozen += members
        elif members:
            found.trained.append({"params": members, **group.settings()})
    if not found.trained and found.frozen:
        detail = "everything is frozen: nothing is left to train"
        found.problems.append(Problem(PLACE, "nothing_to_train", detail, "leave some nodes out"))
    if plan.optimizer.kind in MATRICES:
        found.problems += _not_matrices(network, plan.optimizer.kind, found.parameters())
    return found


class _Chooser:
    """Gives every parameter to one group at most."""

    def __init__(self, network: nn.Module) -> None:
        self.problems: list[Problem] = []
        self._parameters = dict(network.named_parameters(remove_duplicate=False))
        self._plain = _plain(network)
        self._paths = frozenset([*_paths(network), *self._parameters])
        self._groups: dict[nn.Parameter, int] = {}

    def name(self, position: int, nodes: Sequence[str], group: BaseGroup) -> None:
        """Give a group what lies below some nodes."""
        for place, path in enumerate(nodes):
            pointer = f"{PLACE}/{position}/nodes/{place}"
            if path not in self._paths:
                inner = [known for known in self._paths if known.endswith(f".{path}")]
                hint = nearest(path, self._paths) if not inner else f'did you mean "{min(inner)}"?'
                detail = f'the network has no node "{path}"'
                self.problems.append(Problem(pointer, "unknown_node", detail, hint))
                continue
            below = [each for name, each in self._parameters.items() if f"{name}.".startswith(f"{path}.")]
            members = [each for each in below if self._fits(each, group)]
            if not members:
                detail = f'"{path}" has no {WORDS[group.parameters]}'
                self.problems.append(Problem(pointer, "no_parameters", detail, "remove it"))
            others = {self._groups[each] for each in members if each in self._groups} - {position}
            if others:
                detail = f'"{path}" is in group {min(others)} too'
                self.problems.append(Problem(pointer, "in_two_groups", detail, "name it in one of them"))
            for each in members:
                self._groups.setdefault(each, position)

    def rest(self, position: int, group: BaseGroup) -> None:
        """Give a group what no group names."""
        taken = {self._groups.get(each) for each in self._parameters.values() if self._fits(each, group)}
        if None not in taken:
            left = "other groups leave it none" if taken else "the network has none"
            detail = f"the group is about {WORDS[group.parameters]}, and {left}"
            self.problems.append(Problem(f"{PLACE}/{position}", "no_parameters", detail, "remove it"))
        for each in self._parameters.values():
            if self._fits(each, group):
                self._groups.setdefault(each, position)

    def members(self, position: int | None) -> list[nn.Parameter]:
        """Return the parameters of a group, those of none for `None`."""
        every = dict.fromkeys(self._parameters.values())
        return [each for each in every if self._groups.get(each) == position]

    def _fits(self, parameter: nn.Parameter, group: BaseGroup) -> bool:
        return group.parameters == "all" or (parameter in self._plain) == (group.parameters == "bias_and_norm")


def _plain(network: nn.Module) -> set[nn.Parameter]:
    """Return biases, and the scales of normalisations."""
    of_norms = {each for part in network.modules() if isinstance(part, NORMS) for each in part.parameters()}
    named = network.named_parameters(remove_duplicate=False)
    return of_norms | {each for name, each in named if "bias" in name.rpartition(".")[2]}


def _paths(network: nn.Module) -> Iterator[str]:
    """Yield everything that a group could name: modules, and nodes that are none."""
    for path, part in network.named_modules(remove_duplicate=False):
        if path:
            yield path
        if isinstance(part, Graph):
            yield from (f"{path}.{node.id}".removeprefix(".") for node in part.blueprint.nodes)


def _not_matrices(network: nn.Module, kind: str, trained: Iterable[nn.Parameter]) -> Iterator[Problem]:
    members = set(trained)
    names = [name for name, each in network.named_parameters() if each in members and each.ndim != 2]
    if names:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        detail = f"{kind} trains matrices alone, and {', '.join(names[:MOST_NAMED])}{more} have other dimensions"
        hint = 'use AdamW, set "bias": false, or freeze them in a group'
        yield Problem("/training/optimizer", "unsupported", detail, hint)
