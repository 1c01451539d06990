"""Takes a sample at the steps that the plan says; at all others it is not there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from app.spec.training.plan import Training
from app.spec.training.statistics import SampledSteps
from workers.data.loading.batch_source import WeightedBatch
from workers.network.blueprint import ResolvedNode
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.leaves import LeafKind
from workers.network.runtime.build import GraphModule, graph_path, observed_plan, swap_plan
from workers.network.runtime.control_flow import TensorOrTuple
from workers.network.runtime.plan import ExecutionPlan, NodeCall
from workers.training.optim.update import Closure, Update
from workers.training.optim.update_state import UpdateState
from workers.training.state import TrainState
from workers.training.statistics.activations import ActivationStatistics
from workers.training.statistics.layout import Layout, build_layout, graphs, network_nodes, parameter_owners
from workers.training.statistics.observation import Observation, PendingSample
from workers.training.statistics.parameters import Owners, ParameterStatistics
from workers.training.statistics.units import LIVE_RANGES, LiveRange, unit_axes
from workers.training.step import TrainingStep, UpdateResult

NEVER = -1
Unit = tuple[LiveRange | None, int]  # which outputs are live, and the axis of units


@dataclass(frozen=True)
class ObservedUpdate:
    """An update around which gradients and weights are measured."""

    update: Update
    before: Callable[[UpdateState], None]
    after: Callable[[], None]

    def backward(self, state: UpdateState, loss: Tensor) -> None:
        """Add the gradients of a loss (scalar)."""
        self.update.backward(state, loss)

    def step(self, state: UpdateState, loss: Tensor, closure: Closure, done: int) -> Tensor | None:
        """Step, and clear the gradients; see `Update`."""
        self.before(state)
        skipped = self.update.step(state, loss, closure, done)
        self.after()
        return skipped


@dataclass(frozen=True)
class ObservedNetwork:
    """What does not change from sample to sample: the network's nodes, its layout, and its plans."""

    nodes: Sequence[tuple[ResolvedNode, str]]
    owners: Owners
    layout: Layout
    plans: Sequence[tuple[GraphModule, ExecutionPlan]]  # those that show what every call returns
    units: Mapping[str, Unit]  # by path


class StatisticsSampler:
    """Takes the samples of a network, from where an attempt or a revision begins.

    A sampled step is the step that it would be otherwise: what is measured is summed or copied beside it, without
    random numbers. For that step the graphs run a plan whose calls show their outputs, and the update shows the
    gradients. A compiled network keeps its plan, or it would be compiled anew: its outputs are not measured.
    """

    def __init__(self, state: TrainState, plan: Training) -> None:
        self._network, self._plan = state.network, plan
        self._parts = [update.network for update in state.updates if update.network is not None]
        self._observed: ObservedNetwork | None = None
        self._observation: Observation | None = None
        self._has_named_series = False
        self.due = NEVER  # the next step to sample, counted from 1
        if plan.statistics:
            self._steps = SampledSteps(plan.statistics)
            self.due = self._steps.after(state.counters.step)

    def run(
        self, training_step: TrainingStep, state: TrainState, batches: Sequence[WeightedBatch]
    ) -> list[UpdateResult]:
        """Take the step that is due as `training_step.run` does, and measure it."""
        observed = self._observed = self._observed or self._observe()
        observation = self._observation = self._begin(observed, training_step)
        rules, plans = training_step.rules, [(graph, swap_plan(graph, plan)) for graph, plan in observed.plans]

        def before_update(update: UpdateState) -> None:
            """A line search runs the network again within the update: this is no longer the step's own batch."""
            self._observation = None
            observation.before_update(update)

        def after_update() -> None:
            self._observation = observation

        training_step.rules = [
            replace(rule, update=ObservedUpdate(rule.update, before_update, after_update)) for rule in rules
        ]
        try:
            results = training_step.run(state, batches)
            observation.after_updates()
            return results
        finally:
            training_step.rules = rules
            for graph, plan in plans:
                swap_plan(graph, plan)
            self._observation = observation

    def take(self, training_step: TrainingStep, flows: Mapping[str, float]) -> PendingSample | None:
        """Return the sample of the step that was run, if all could be measured; `flows` are its own.

        Afterwards the next one is due.
        """
        observation, observed, step = self._observation, self._observed, self.due
        self._observation, self.due = None, self._steps.after(step)
        if observation is None or observed is None or not observation.is_complete:
            return None
        names_series, self._has_named_series = not self._has_named_series, True
        device = training_step.precision.device
        return PendingSample.pack(step, observation, flows, observed.nodes, names_series, device)

    def _begin(self, observed: ObservedNetwork, training_step: TrainingStep) -> Observation:
        histograms = self._steps.has_histograms(self.due)
        activations = {
            path: ActivationStatistics(histograms, live, axis) for path, (live, axis) in observed.units.items()
        }
        parameters = ParameterStatistics(observed.owners, training_step.precision.device, histograms)
        return Observation(parameters, observed.layout, histograms, activations)

    def _observe(self) -> ObservedNetwork:
        network, statistics = self._network, self._plan.statistics
        is_eager = self._plan.mode == "eager"
        owners = parameter_owners(network)
        nodes = [(node, path) for _, node, path in network_nodes(network)]
        layout = build_layout(network, owners, is_eager, bool(statistics and statistics.histograms))
        observed = [*graphs(network), *self._parts] if is_eager else []
        plans = [(graph, observed_plan(graph, self._show)) for graph in observed]
        units = {path: unit for graph, _ in plans for path, unit in _units(graph).items()}
        return ObservedNetwork(nodes, owners, layout, plans, units)

    def _show(self, node: ResolvedNode, path: str, call: NodeCall) -> NodeCall:
        """Return a call that also shows what it returns."""

        def observed(*inputs: Tensor) -> TensorOrTuple:
            output = call(*inputs)
            if self._observation is not None:
                self._observation.add_call(node, path, inputs, output)
            return output

        return observed


def _units(graph: GraphModule) -> dict[str, Unit]:
    """Return what is to be known of the units of every node that is called, by path."""
    axes = unit_axes(graph.blueprint)
    found: dict[str, Unit] = {}
    for node in graph.blueprint.nodes:
        if not isinstance(CATALOG[node.kind], LeafKind):
            live = LIVE_RANGES.get(node.kind)
            found[graph_path(graph) + node.id] = (live(node.parameters) if live is not None else None, axes[node.id])
    return found
