"""What happens inside the examples of control flow, counted by torch's own hooks and by what the curves say."""

from collections.abc import Callable

import pytest
import torch

from tests.examples.example_runner import ExampleRunner, shortened_spec
from tests.workers.training.harness import TrainingAttempt
from tests.workers.training.statistics.reference import train_by_hand
from workers.network.runtime.build import flow_metrics, observed_plan, swap_plan
from workers.network.runtime.tree_levels import schedule_trees
from workers.training.statistics.layout import network_nodes

STEPS = 2
EXAMPLES = ("adaptive-computation", "early-exit", "mixture-of-experts", "own-gru", "stochastic-depth", "tree-lstm")
Watched = Callable[[str], TrainingAttempt]


@pytest.fixture(scope="module")
def watched(lessons: ExampleRunner) -> Watched:
    """A function that trains an example for two steps, both of which are sampled."""
    known: dict[str, TrainingAttempt] = {}

    def attempt(name: str) -> TrainingAttempt:
        if name not in known:
            known[name] = lessons.run(shortened_spec(name, steps=STEPS, statistics={"every_steps": 1}))
        return known[name]

    return attempt


@pytest.mark.parametrize("name", EXAMPLES)
def test_statistics_are_those_of_hooks(watched: Watched, lessons: ExampleRunner, name: str) -> None:
    prepared = lessons.prepare(shortened_spec(name, steps=STEPS))
    nodes = {path for _, _, path in network_nodes(prepared.network)}
    found, expected = watched(name).statistics(), train_by_hand(prepared, STEPS, nodes)
    assert found.keys() == expected.keys()
    compared = 0
    for step, values in expected.items():
        for (node, quantity), value in values.items():
            scale = abs(values.get((node, "activation_std"), 0.0))
            assert found[step][node, quantity] == pytest.approx(value, rel=1e-6, abs=1e-6 * scale + 1e-12)
            compared += 1
        measured = {key for key in found[step] if key[1] in ("grad_norm", "weight_norm", "update_ratio")}
        assert measured == {key for key in values if not key[1].startswith("activation")}
    assert compared > 10


@pytest.mark.parametrize(
    ("name", "quantity", "curve"),
    [("adaptive-computation", "iterations", "/turns"), ("tree-lstm", "tree_height", "/height")],
)
def test_control_flow_is_that_of_the_curves(watched: Watched, name: str, quantity: str, curve: str) -> None:
    attempt = watched(name)
    names = {name for report in attempt.context.reports for name in report.series if name.endswith(curve)}
    (found,) = (name for name in names if name.startswith("flow/"))
    points = dict(attempt.points(found))
    node = found.removeprefix("flow/").rpartition("/")[0]
    assert {step: values[node, quantity] for step, values in attempt.statistics().items()} == pytest.approx(points)


@pytest.mark.parametrize("name", ["early-exit", "mixture-of-experts", "stochastic-depth"])
def test_shares_of_branches_are_one_together(watched: Watched, name: str) -> None:
    for values in watched(name).statistics().values():
        shares: dict[str, list[float]] = {}
        for (node, quantity), value in values.items():
            if quantity.startswith("branch_shares/"):
                shares.setdefault(node, []).append(value)
        assert shares
        for own in shares.values():
            assert len(own) >= 2
            assert sum(own) == pytest.approx(1)


def test_a_scan_is_as_long_as_its_sequences(watched: Watched) -> None:
    for values in watched("own-gru").statistics().values():
        assert values["read", "iterations"] == 8


def test_levels_of_trees_are_those_of_their_schedule(watched: Watched, lessons: ExampleRunner) -> None:
    prepared = lessons.prepare(shortened_spec("tree-lstm", steps=STEPS))
    ((inputs, _, _),) = prepared.state.source.batches(0)
    (fold,) = [node for _, node, _ in network_nodes(prepared.network) if node.kind == "Fold"]
    heard: list[torch.Tensor] = []
    graph = prepared.network
    plan = swap_plan(
        graph,
        observed_plan(graph, lambda node, path, call: lambda *given: heard.extend(given) or call(*given))
        if fold in graph.blueprint.nodes
        else graph._plan,
    )
    with torch.no_grad():
        graph(inputs)
    swap_plan(graph, plan)
    flow_metrics(graph)
    children = next(each for each in heard if each.dim() == 3 and not each.is_floating_point())
    values = watched("tree-lstm").statistics()[1]
    levels: dict[int, int] = {}
    for level in schedule_trees(children).levels:
        levels[level.height] = levels.get(level.height, 0) + level.size
    sizes = {int(key[1].partition("/")[2]): value for key, value in values.items() if key[1].startswith("level_sizes/")}
    assert sizes == {height: size for height, size in levels.items() if height < 16}
    assert values[fold.id, "iterations"] == max(levels)
