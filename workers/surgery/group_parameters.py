"""Parameter groups of a plan, and the parameters that they hold, by the paths that they name."""

from collections.abc import Iterable, Sequence

from workers.network.analysis.parameters import index_parameters
from workers.network.blueprint import Blueprint
from workers.surgery.node_places import JsonObject, node_paths


class GroupParameters:
    """The parameters of a draft's network, by the paths that groups name, and the groups that hold them."""

    def __init__(self, document: JsonObject, blueprint: Blueprint) -> None:
        self._document, self._index = document, index_parameters(blueprint)

    @property
    def groups(self) -> list[JsonObject]:
        """The groups of the plan."""
        return list((self._document.get("training") or {}).get("groups") or ())

    def write(self, groups: Sequence[JsonObject]) -> None:
        """Write the groups that are left: those that name nodes, or all that others do not name."""
        left = [group for group in groups if group.get("nodes") != []]
        training = self._document.setdefault("training", {})
        rest = self._unnamed(left)
        left = [group for group in left if group.get("nodes") or self._members(group, rest)]
        if left:
            training["groups"] = left
        else:
            training.pop("groups", None)

    def expand(self, path: str) -> list[str]:
        """Return the paths in `state_dict` of a node: one for each iteration where these have parameters of their own.

        Nodes without parameters have none.
        """
        if self.below(path):
            return [path]
        uses = [use for use in node_paths(self._document["model"]) if _is_iteration(use, path)]
        return [use for use in uses if self.below(use)]

    def below(self, path: str) -> frozenset[str]:
        """Return the parameters below a path, each by the first of its names."""
        weights = self._index.weights
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
        others = frozenset(each.name for each in self._index.weights.values()) - names
        tops = dict.fromkeys(name.partition(".")[0] for name in self._index.weights)
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
        return self.frozen() == {each.name for each in self._index.weights.values()}

    def take_out(self, groups: Sequence[JsonObject], names: frozenset[str]) -> None:
        """Take parameters out of the groups that name them. An entry that holds others too is replaced by its parts."""
        for group in groups:
            if group.get("nodes") and self.below_all(group["nodes"]) & names:
                entries = [each for entry in group["nodes"] for each in self.without(entry, names)]
                group["nodes"] = [each for each in entries if self._members(group, self.below(each))]

    def _parts(self, entry: str) -> list[str]:
        depth = entry.count(".") + 2
        names = [name for name in self._index.weights if name.startswith(f"{entry}.")]
        return list(dict.fromkeys(".".join(name.split(".")[:depth]) for name in names))

    def _unnamed(self, groups: Sequence[JsonObject]) -> frozenset[str]:
        """Return the parameters that no group names."""
        named = [self._members(group, self.below_all(group["nodes"])) for group in groups if group.get("nodes")]
        return frozenset(each.name for each in self._index.weights.values()).difference(*named)

    def _members(self, group: JsonObject, names: frozenset[str]) -> frozenset[str]:
        """Return those of some parameters that a group is for."""
        kind = group.get("parameters", "all")
        weights = {each.name: each for each in self._index.weights.values()}
        if kind == "all":
            return names
        return frozenset(name for name in names if weights[name].is_bias_or_norm == (kind == "bias_and_norm"))


def _is_iteration(use: str, path: str) -> bool:
    """Say whether a path is another one with the numbers of iterations for "body"."""
    parts, others = use.split("."), path.split(".")
    same = (own == other or (other == "body" and own.isdigit()) for own, other in zip(parts, others, strict=False))
    return len(parts) == len(others) and use != path and all(same)


def drop_removed_paths(document: JsonObject, before: Blueprint, after: Blueprint) -> list[str]:
    """Take out of the groups what a network does not have any more, and return those paths.

    A group that loses all its parameters is removed.
    """
    if not (document.get("training") or {}).get("groups"):
        return []
    old, new = GroupParameters(document, before), GroupParameters(document, after)
    removed = []
    for group in new.groups:
        if group.get("nodes"):
            lost = [each for each in group["nodes"] if old.below(each) and not new.below(each)]
            group["nodes"] = [each for each in group["nodes"] if each not in lost]
            removed += lost
    new.write(new.groups)
    return removed
