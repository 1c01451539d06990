"""Parameter groups of a network: which parameters are trained, with which settings, and which are frozen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import nn

from app.errors import Problem
from app.spec.hints.names import Hints
from app.spec.training.plan import Training
from app.spec.training.updates.parameter_groups import BaseParameterGroup
from workers.network.analysis.parameters import ParameterIndex, ParameterInfo, index_parameters
from workers.network.blueprint import Blueprint

GROUPS_POINTER = "/training/groups"
MAX_LISTED_PARAMETERS = 4  # parameters in a sentence
PARAMETER_NOUNS = {"all": "parameters", "bias_and_norm": "biases or normalisations", "weights": "weights"}


@dataclass
class ParameterSplit:
    """The parameters of a network by group, or the problems that stand in the way."""

    # Members and settings by group; first those of no group, with the plan's own settings.
    trainable: list[tuple[list[ParameterInfo], Mapping[str, Any]]] = field(default_factory=list)
    frozen: list[ParameterInfo] = field(default_factory=list)
    frozen_nodes: set[str] = field(default_factory=set)  # top-level nodes all of whose parameters are frozen
    problems: list[Problem] = field(default_factory=list)

    def param_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """Return torch's `param_groups`; the parameters of a group are in the order of the network."""
        groups = []
        for members, settings in self.trainable:
            names = {weight.name for weight in members}
            parameters = [parameter for name, parameter in network.named_parameters() if name in names]
            groups.append({"params": parameters, **settings})
        return groups

    def weight_positions(self, network: nn.Module, parameters: Sequence[nn.Parameter]) -> frozenset[int]:
        """Return the positions among parameters of those that are trained, but for biases and the scales of norms."""
        members = [each for group, _ in self.trainable for each in group if not each.is_bias_or_norm]
        weights = {id(network.get_parameter(each.name)) for each in members}
        return frozenset(place for place, parameter in enumerate(parameters) if id(parameter) in weights)


def split_parameters(blueprint: Blueprint, plan: Training) -> ParameterSplit:
    """Return the parameters of a network by the groups of a plan."""
    index = index_parameters(blueprint)
    assigner = _GroupAssigner(index)
    for position, group in enumerate(plan.groups):
        if group.nodes is not None:
            assigner.assign_named(position, group.nodes, group)
    for position, group in enumerate(plan.groups):
        if group.nodes is None:
            assigner.assign_rest(position, group)
    split = ParameterSplit(problems=assigner.problems)
    own = assigner.members(None)
    for position, group in enumerate(plan.groups):
        members = assigner.members(position)
        if group.frozen:
            split.frozen += members
        elif group.settings() and members:
            split.trainable.append((members, group.settings()))
        else:
            own += members
    split.trainable[:0] = [(own, {})] if own else []
    frozen = {weight.name for weight in split.frozen}
    trainable_nodes = {name.partition(".")[0] for name, weight in index.weights.items() if weight.name not in frozen}
    split.frozen_nodes = {name.partition(".")[0] for name in index.weights} - trainable_nodes
    if not split.trainable and split.frozen:
        detail = "all parameters are frozen: none is left to train"
        split.problems.append(Problem(GROUPS_POINTER, "nothing_to_train", detail, "remove some nodes from the group"))
    if plan.optimizer.row.matrices_only:
        split.problems += _non_matrix_problems(plan.optimizer.kind, split)
    return split


class _GroupAssigner:
    """Assigns every parameter to at most one group."""

    def __init__(self, index: ParameterIndex) -> None:
        self.problems: list[Problem] = []
        self._first = {weight.name: weight for weight in index.weights.values()}
        self._paths = index.paths
        self._below: dict[str, list[ParameterInfo]] = {path: [] for path in index.paths}
        for name, weight in index.weights.items():
            parts = name.split(".")
            for depth in range(1, len(parts) + 1):
                self._below.setdefault(".".join(parts[:depth]), []).append(weight)
        self._groups: dict[str, int] = {}  # by first name
        self._hints = Hints()

    def assign_named(self, position: int, nodes: Sequence[str], group: BaseParameterGroup) -> None:
        """Assign the parameters below some nodes to a group."""
        for place, path in enumerate(nodes):
            pointer = f"{GROUPS_POINTER}/{position}/nodes/{place}"
            if path not in self._below:
                detail = f'the network has no node "{path}"'
                hint = self._hints.did_you_mean(path, partial(self._alike, path))
                self.problems.append(Problem(pointer, "unknown_node", detail, hint))
                continue
            members = [weight.name for weight in self._below[path] if _belongs_to(weight, group)]
            if not members:
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
            self.problems.append(Problem(f"{GROUPS_POINTER}/{position}", "no_parameters", detail, "remove it"))
        for name in members:
            self._groups.setdefault(name, position)

    def members(self, position: int | None) -> list[ParameterInfo]:
        """Return the parameters of a group, or those of no group for `None`."""
        return [weight for name, weight in self._first.items() if self._groups.get(name) == position]


def _belongs_to(weight: ParameterInfo, group: BaseParameterGroup) -> bool:
    return group.parameters == "all" or weight.is_bias_or_norm == (group.parameters == "bias_and_norm")


def _non_matrix_problems(kind: str, split: ParameterSplit) -> Iterator[Problem]:
    names = [each.name for members, _ in split.trainable for each in members if len(each.shape) != 2]
    if names:
        more = f" and {len(names) - MAX_LISTED_PARAMETERS} more" if len(names) > MAX_LISTED_PARAMETERS else ""
        detail = (
            f"{kind} trains matrices only, and {', '.join(names[:MAX_LISTED_PARAMETERS])}{more} have other dimensions"
        )
        hint = 'use "AdamW", or set "bias": false, or freeze them in a group'
        yield Problem("/training/optimizer", "unsupported", detail, hint)
