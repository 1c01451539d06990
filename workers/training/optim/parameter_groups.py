"""Parameter groups of a network: which parameters are trained, with which settings, and which are frozen."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import nn

from app.errors import Problem
from app.spec.hints.names import Hints
from app.spec.training.updates.parameter_groups import BaseParameterGroup
from app.spec.training.updates.update import BaseUpdate
from workers.network.analysis.parameters import ParameterIndex, ParameterInfo, index_parameters
from workers.network.blueprint import Blueprint

MAX_LISTED_PARAMETERS = 4  # parameters in a sentence
PARAMETER_NOUNS = {"all": "parameters", "bias_and_norm": "biases or normalisations", "weights": "weights"}


@dataclass
class ParameterSplit:
    """The parameters of a network by group, or the problems that stand in the way."""

    # Members and settings by group; first those of no group, with the plan's own settings.
    trainable: list[tuple[list[ParameterInfo], Mapping[str, Any]]] = field(default_factory=list)
    frozen: list[ParameterInfo] = field(default_factory=list)
    frozen_nodes: set[str] = field(default_factory=set)  # top-level nodes with parameters, none of which is trained
    problems: list[Problem] = field(default_factory=list)

    def trained(self) -> list[ParameterInfo]:
        """Return the parameters that are trained."""
        return [weight for members, _ in self.trainable for weight in members]

    def trained_names(self) -> set[str]:
        """Return their names."""
        return {weight.name for weight in self.trained()}

    def param_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """Return torch's `param_groups`; the parameters of a group are in the order of the network."""
        groups = []
        for members, settings in self.trainable:
            names = {weight.name for weight in members}
            parameters = [parameter for name, parameter in network.named_parameters() if name in names]
            groups.append({"params": parameters, **settings})
        return groups

    def weight_positions(self, network: nn.Module) -> frozenset[int]:
        """Return the positions of weights among all that is trained: of all but biases and the scales of norms."""
        trained, weights = self.trained_names(), {each.name for each in self.trained() if not each.is_bias_or_norm}
        names = [name for name, _ in network.named_parameters() if name in trained]
        return frozenset(place for place, name in enumerate(names) if name in weights)


def split_parameters(
    blueprint: Blueprint, update: BaseUpdate, pointer: str = "/training", among: AbstractSet[str] | None = None
) -> ParameterSplit:
    """Return the parameters of a network by the groups of an update, whose pointer in the job is `pointer`.

    `among` are the parameters that it may train, by the first of their names; `None`: all.
    """
    index, place = index_parameters(blueprint), f"{pointer}/groups"
    assigner = _GroupAssigner(index, place, among)
    for position, group in enumerate(update.groups):
        if group.nodes is not None:
            assigner.assign_named(position, group.nodes, group)
    for position, group in enumerate(update.groups):
        if group.nodes is None:
            assigner.assign_rest(position, group)
    split = ParameterSplit(problems=assigner.problems)
    own = assigner.members(None)
    for position, group in enumerate(update.groups):
        members = assigner.members(position)
        if group.frozen:
            split.frozen += members
        elif group.settings() and members:
            split.trainable.append((members, group.settings()))
        else:
            own += members
    split.trainable[:0] = [(own, {})] if own else []
    trained = split.trained_names()
    trainable_nodes = {name.partition(".")[0] for name, weight in index.weights.items() if weight.name in trained}
    split.frozen_nodes = {name.partition(".")[0] for name in index.weights} - trainable_nodes
    if not split.trainable and split.frozen:
        detail = "all parameters are frozen: none is left to train"
        split.problems.append(Problem(place, "nothing_to_train", detail, "remove some nodes from the group"))
    if update.optimizer.row.matrices_only:
        split.problems += _non_matrix_problems(update.optimizer.kind, split, pointer)
    return split


class _GroupAssigner:
    """Assigns every parameter to at most one group."""

    def __init__(self, index: ParameterIndex, pointer: str, among: AbstractSet[str] | None) -> None:
        self.problems: list[Problem] = []
        self._pointer, self._among = pointer, among
        self._first = {weight.name: weight for weight in index.weights.values() if self._may_train(weight)}
        self._paths = index.paths
        self._below: dict[str, list[ParameterInfo]] = {path: [] for path in index.paths}
        for name, weight in index.weights.items():
            parts = name.split(".")
            for depth in range(1, len(parts) + 1):
                self._below.setdefault(".".join(parts[:depth]), []).append(weight)
        self._groups: dict[str, int] = {}  # by first name
        self._hints = Hints()

    def _may_train(self, weight: ParameterInfo) -> bool:
        return self._among is None or weight.name in self._among

    def assign_named(self, position: int, nodes: Sequence[str], group: BaseParameterGroup) -> None:
        """Assign the parameters below some nodes to a group."""
        for place, path in enumerate(nodes):
            pointer = f"{self._pointer}/{position}/nodes/{place}"
            if path not in self._below:
                detail = f'the network has no node "{path}"'
                hint = self._hints.did_you_mean(path, partial(self._alike, path))
                self.problems.append(Problem(pointer, "unknown_node", detail, hint))
                continue
            below = [weight for weight in self._below[path] if self._may_train(weight)]
            members = [weight.name for weight in below if _belongs_to(weight, group)]
            if self._below[path] and not below:
                detail = f'"{path}" is not among the parameters of this update'
                self.problems.append(Problem(pointer, "not_trained_here", detail, "name it in the groups of its own"))
            elif not members:
                detail = f'"{path}" has no {PARAMETER_NOUNS[group.parameters]}'
                self.problems.append(Problem(pointer, "no_parameters", detail, "remove it"))
            others = {self._groups[name] for name in members if name in self._groups} - {position}
            if others:
                detail = f'"{path}" is in group {min(others)} too'
                self.problems.append(Problem(pointer, "in_two_groups", detail, "name it in one of them"))
            for name in members:
                self._groups.setdefault(name, position)

    def _alike(self, path: str) -> list[str]:
        """Return likely corrections of a path: nodes of blocks with this id, or else all nodes."""
        inner = sorted(name for name in self._below if name.endswith(f".{path}"))
        return inner[:2] or sorted(self._below if "." in path else self._paths)

    def assign_rest(self, position: int, group: BaseParameterGroup) -> None:
        """Assign the parameters that no group names to a group."""
        members = [name for name, weight in self._first.items() if _belongs_to(weight, group)]
        if all(name in self._groups for name in members):
            reason = "all of them belong to other groups" if members else "the network has none"
            detail = f"the group is for {PARAMETER_NOUNS[group.parameters]}, and {reason}"
            self.problems.append(Problem(f"{self._pointer}/{position}", "no_parameters", detail, "remove it"))
        for name in members:
            self._groups.setdefault(name, position)

    def members(self, position: int | None) -> list[ParameterInfo]:
        """Return the parameters of a group, or those of no group for `None`."""
        return [weight for name, weight in self._first.items() if self._groups.get(name) == position]


def _belongs_to(weight: ParameterInfo, group: BaseParameterGroup) -> bool:
    return group.parameters == "all" or weight.is_bias_or_norm == (group.parameters == "bias_and_norm")


def _non_matrix_problems(kind: str, split: ParameterSplit, pointer: str) -> Iterator[Problem]:
    names = [each.name for members, _ in split.trainable for each in members if len(each.shape) != 2]
    if names:
        more = f" and {len(names) - MAX_LISTED_PARAMETERS} more" if len(names) > MAX_LISTED_PARAMETERS else ""
        detail = (
            f"{kind} trains matrices only, and {', '.join(names[:MAX_LISTED_PARAMETERS])}{more} have other dimensions"
        )
        hint = 'use "AdamW", or set "bias": false, or freeze them in a group'
        yield Problem(f"{pointer}/optimizer", "unsupported", detail, hint)
