"""Statistics of control flow: iterations, shares of branches, heights of trees, and how many nodes a level has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from workers.network.blueprint import ResolvedNode
from workers.network.runtime.tree_levels import schedule_trees

LEVELS = 16  # heights of trees whose sizes are told
BRANCHES = 32  # of a node that are told


def flow_quantities(node: ResolvedNode) -> list[str]:
    """Return what there is to tell of a node of control flow; nothing of others."""
    match node.kind:
        case "If" | "Route":
            names = ["then", "else"] if node.kind == "If" else list(node.bodies)[:BRANCHES]
            return [f"branch_shares/{name}" for name in names]
        case "Repeat" | "While" | "Scan":
            return ["iterations"]
        case "Fold":
            return ["iterations", "tree_height", *[f"level_sizes/{height}" for height in range(LEVELS)]]
    return []


def by_node(flows: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return what nodes have recorded, see `workers.network.runtime.build.FlowMetrics`, by path and name."""
    found: dict[str, dict[str, float]] = {}
    for name, value in flows.items():
        path, _, own = name.rpartition("/")
        found.setdefault(path, {})[own] = value
    return found


def recorded_flow(node: ResolvedNode, own: Mapping[str, float]) -> dict[str, float]:
    """Return the statistics of what a node has recorded during a step, by quantity."""
    match node.kind:
        case "If" if "then" in own:
            return {"branch_shares/then": own["then"], "branch_shares/else": 1 - own["then"]}
        case "Route":
            return {f"branch_shares/{name}": own[name] for name in list(node.bodies)[:BRANCHES] if name in own}
        case "While" | "Repeat" if "turns" in own:
            return {"iterations": own["turns"]}
        case "Repeat" if node.parameters.get("times") is not None:
            return {"iterations": float(node.parameters["times"])}
        case "Fold" if "height" in own:
            return {"tree_height": own["height"]}
    return {}


@dataclass(slots=True)
class FlowStatistics:
    """What the inputs of a loop or fold say of its course, and nothing else records. Means over the calls of a step."""

    node: ResolvedNode
    calls: int = 0
    iterations: int = 0
    levels: dict[int, int] = field(default_factory=dict)  # nodes, by height

    def add(self, inputs: Sequence[Tensor]) -> None:
        """Add a call. Lengths of sequences and shapes of trees are on the host already, or the loop itself waits."""
        self.calls += 1
        if self.node.kind == "Scan":
            self.iterations += self._scan_steps(inputs)
            return
        children, cell = inputs[1], inputs[2:]
        cells = sum(name != "leaf" for name in self.node.bodies)
        depth = self.node.parameters["max_depth"]
        schedule = schedule_trees(children, *cell, arities=(children.shape[2],) * cells, max_depth=depth)
        self.iterations += sum(level.cell is not None for level in schedule.levels)
        for level in schedule.levels:
            self.levels[level.height] = self.levels.get(level.height, 0) + level.size

    def _scan_steps(self, inputs: Sequence[Tensor]) -> int:
        carry, over = self.node.parameters["carry"], self.node.parameters["over"]
        steps: int = inputs[carry].shape[1]
        if self.node.parameters.get("lengths"):
            return min(steps, max(1, int(inputs[carry + over].max()))) if steps else 0
        return steps

    def result(self) -> dict[str, float]:
        """Return the statistics by quantity."""
        if not self.calls:
            return {}
        sizes = {
            f"level_sizes/{height}": nodes / self.calls for height, nodes in self.levels.items() if height < LEVELS
        }
        return {"iterations": self.iterations / self.calls, **sizes}
