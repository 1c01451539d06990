"""Parameter groups of a plan's updates, and the parameters that they hold, by the paths that they name."""

from collections.abc import Callable, Iterable, Sequence

from app.errors import InvalidInput, Problem
from workers.network.analysis.parameters import ParameterIndex, divide_parameters, index_parameters
from workers.network.blueprint import Blueprint
from workers.surgery.node_places import JsonObject, node_paths


def update_documents(document: JsonObject) -> list[tuple[str, JsonObject]]:
    """Return the parts of a document that describe its updates, with their pointers: its plan, or those in it."""
    training = document.setdefault("training", {})
    updates = enumerate(training.get("updates") or ())
    return [(f"/training/updates/{place}", update) for place, update in updates] or [("/training", training)]


def group_parameters(document: JsonObject, blueprint: Blueprint) -> "list[GroupParameters]":
    """Return the groups of every update, over the parameters that it may train."""
    index, updates = index_parameters(blueprint), update_documents(document)
    followers = (document.get("training") or {}).get("target_networks") or ()
    targets = frozenset[str]().union(*(index.below(each["node"]) for each in followers))
    several = updates[0][0] != "/training"
    parts = divide_parameters(index, [update.get("parameters") if several else None for _, update in updates], targets)
    return [
        GroupParameters(pointer, update, document["model"], index, part)
        for (pointer, update), part in zip(updates, parts, strict=True)
    ]


class GroupParameters:
    """The parameters that an update may train, by the paths that groups name, and the groups that hold them."""

    def __init__(
        self, pointer: str, update: JsonObject, model: JsonObject, index: ParameterIndex, names: frozenset[str]
    ) -> None:
        self.pointer = pointer  # of the update in the job
        self._update, self._model = update, model
        self._weights = {name: weight for name, weight in index.weights.items() if weight.name in names}

    @property
    def groups(self) -> list[JsonObject]:
        """The groups of the update."""
        return list(self._update.get("groups") or ())

    def write(self, groups: Sequence[JsonObject]) -> None:
        """Write the groups that are left: those that name nodes, or all that others do not name."""
        left = [group for group in groups if group.get("nodes") != []]
        rest = self._unnamed(left)
        left = [group for group in left if group.get("nodes") or self._members(group, rest)]
        if left:
            self._update["groups"] = left
        else:
            self._update.pop("groups", None)

    def expand(self, path: str) -> list[str]:
        """Return the paths in `state_dict` of a node: one for each iteration where these have parameters of their own.

        Nodes without parameters have none.
        """
        if self.below(path):
            return [path]
        uses = [use for use in node_paths(self._model) if _is_iteration(use, path)]
        return [use for use in uses if self.below(use)]

    def below(self, path: str) -> frozenset[str]:
        """Return the parameters below a path, each by the first of its names."""
        weights = self._weights
        return frozenset(each.name for name, each in weights.items() if name == path or name.startswith(f"{path}."))

    def below_all(self, paths: Iterable[str]) -> frozenset[str]:
        """Return the parameters below some paths."""
        return frozenset[str]().union(*map(self.below, paths))

    def without(self, entry: str, names: frozenset[str]) -> list[str]:
        """Return what an entry of a group becomes without some parameters: itself, nothing, or its other parts."""
        own = self.below(entry)
        if not own & names:
            return [entry]
        if own <= names:
            return []
        return [each for part in self._parts(entry) for each in self.without(part, names)]

    def covering(self, names: frozenset[str]) -> list[str]:
        """Return the fewest paths that hold these parameters and no others."""
        others = frozenset(each.name for each in self._weights.values()) - names
        tops = dict.fromkeys(name.partition(".")[0] for name in self._weights)
        return [each for top in tops for each in self.without(top, others)]

    def frozen(self) -> frozenset[str]:
        """Return the parameters that are frozen."""
        groups = self.groups
        rest = self._unnamed(groups)
        result: set[str] = set()
        for group in groups:
            own = self.below_all(group["nodes"]) if group.get("nodes") else rest
            members = self._members(group, own)
            if not group.get("nodes"):
                rest -= members
            result |= members if group.get("frozen") else frozenset()
        return frozenset(result)

    def all_frozen(self) -> bool:
        """Say whether no parameter is trained."""
        return self.frozen() == {each.name for each in self._weights.values()}

    def take_out(self, groups: Sequence[JsonObject], names: frozenset[str]) -> None:
        """Take parameters out of the groups that name them. An entry that holds others too is replaced by its parts."""
        for group in groups:
            if group.get("nodes") and self.below_all(group["nodes"]) & names:
                entries = [each for entry in group["nodes"] for each in self.without(entry, names)]
                group["nodes"] = [each for each in entries if self._members(group, self.below(each))]

    def _parts(self, entry: str) -> list[str]:
        depth = entry.count(".") + 2
        names = [name for name in self._weights if name.startswith(f"{entry}.")]
        return list(dict.fromkeys(".".join(name.split(".")[:depth]) for name in names))

    def _unnamed(self, groups: Sequence[JsonObject]) -> frozenset[str]:
        """Return the parameters that no group names."""
        named = [self._members(group, self.below_all(group["nodes"])) for group in groups if group.get("nodes")]
        return frozenset(each.name for each in self._weights.values()).difference(*named)

    def _members(self, group: JsonObject, names: frozenset[str]) -> frozenset[str]:
        """Return those of some parameters that a group is for."""
        kind = group.get("parameters", "all")
        weights = {each.name: each for each in self._weights.values()}
        if kind == "all":
            return names
        return frozenset(name for name in names if weights[name].is_bias_or_norm == (kind == "bias_and_norm"))


def _is_iteration(use: str, path: str) -> bool:
    """Say whether a path is another one with the numbers of iterations for "body"."""
    parts, others = use.split("."), path.split(".")
    same = (own == other or (other == "body" and own.isdigit()) for own, other in zip(parts, others, strict=False))
    return len(parts) == len(others) and use != path and all(same)


def drop_removed_paths(document: JsonObject, before: Blueprint, after: Blueprint) -> list[str]:
    """Take out of the plan what a network does not have any more, and return those paths.

    A group that loses all its parameters is removed, and so is a target network. Raises `InvalidInput` for the source
    of a target network that stays, and for an update that would have no parameters left.
    """
    training = document.get("training") or {}
    if not training.get("updates") and not training.get("target_networks") and not training.get("groups"):
        return []
    old, new = index_parameters(before), index_parameters(after)

    def is_lost(path: str) -> bool:
        return bool(old.below(path)) and not new.below(path)

    removed = _drop_targets(training, is_lost)
    for place, update in enumerate(training.get("updates") or ()):
        named = update.get("parameters") or []
        lost = [each for each in named if is_lost(each)]
        if lost and len(lost) == len(named):
            detail, hint = f"update {place} would have no parameters left", "leave some of its nodes"
            raise InvalidInput([Problem(f"/training/updates/{place}/parameters", "no_parameters", detail, hint)])
        if lost:
            update["parameters"] = [each for each in named if each not in lost]
        removed += lost
    for parameters in group_parameters(document, after):
        for group in parameters.groups:
            if group.get("nodes"):
                lost = [each for each in group["nodes"] if is_lost(each)]
                group["nodes"] = [each for each in group["nodes"] if each not in lost]
                removed += lost
        parameters.write(parameters.groups)
    return removed


def _drop_targets(training: JsonObject, is_lost: Callable[[str], bool]) -> list[str]:
    """Take out target networks whose nodes are lost, and return those."""
    targets = training.get("target_networks") or []
    lost = [each for each in targets if is_lost(each["node"])]
    for place, each in enumerate(targets):
        if each not in lost and is_lost(each["source"]):
            detail = f'"{each["node"]}" is a target network that follows "{each["source"]}"'
            pointer = f"/training/target_networks/{place}/source"
            raise InvalidInput([Problem(pointer, "no_parameters", detail, "remove that node in the same edit, too")])
    if lost:
        training["target_networks"] = [each for each in targets if each not in lost]
    return [each["node"] for each in lost]
