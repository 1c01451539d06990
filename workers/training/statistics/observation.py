"""What is measured at one step, and the sample that is made of it when the curves are sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog
import torch
from torch import Tensor

from workers.network.blueprint import ResolvedNode
from workers.network.runtime.control_flow import TensorOrTuple
from workers.protocol.messages import StatisticsSample
from workers.torch_setup import is_out_of_memory
from workers.training.optim.update_state import UpdateState
from workers.training.statistics.activations import ActivationStatistics
from workers.training.statistics.flow import FlowStatistics, by_node, recorded_flow
from workers.training.statistics.histograms import sparse_histograms
from workers.training.statistics.layout import Layout, Series
from workers.training.statistics.parameters import ParameterStatistics
from workers.training.statistics.transfer import Transfer

_log = structlog.get_logger(__name__)
OBSERVED_FLOW = ("Scan", "Fold")  # kinds whose course only their inputs tell


@dataclass
class Observation:
    """What is measured at one step. Nothing that goes wrong here ends the training: there is no sample then."""

    parameters: ParameterStatistics
    layout: Layout
    histograms: bool
    activations: Mapping[str, ActivationStatistics]  # by path
    flow: dict[str, FlowStatistics] = field(default_factory=dict)
    is_complete: bool = True

    def add_call(self, node: ResolvedNode, path: str, inputs: Sequence[Tensor], output: TensorOrTuple) -> None:
        """Measure a call of a node."""
        try:
            if (activations := self.activations.get(path)) is not None:
                activations.add(output)
            if node.kind in OBSERVED_FLOW:
                self.flow.setdefault(path, FlowStatistics(node)).add(inputs)
        except Exception as error:
            self.fail(error)

    def before_update(self, update: UpdateState) -> None:
        """Measure the gradients of an update, and weights before the first one."""
        try:
            self.parameters.before(update)
        except Exception as error:
            self.fail(error)

    def after_updates(self) -> None:
        """Measure what the updates of the step changed."""
        try:
            self.parameters.after()
        except Exception as error:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Leave the sample out. Raises an error of the device itself, which the training would meet as well."""
        if isinstance(error, torch.AcceleratorError):
            raise error
        if not self.is_complete:
            return  # the first fault of a sample is enough to know
        self.is_complete = False
        if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and is_out_of_memory(error)):
            _log.info("statistics_left_out", reason="no memory")
        else:
            _log.error("statistics_failed", exc_info=error)


@dataclass
class PendingSample:
    """A sample whose numbers are still on the device."""

    step: int
    observation: Observation
    flows: Mapping[str, float]  # what control flow has recorded during the step
    nodes: Sequence[tuple[ResolvedNode, str]]  # with their paths
    names_series: bool  # whether the sample tells its layout
    transfer: Transfer

    @staticmethod
    def pack(
        step: int,
        observation: Observation,
        flows: Mapping[str, float],
        nodes: Sequence[tuple[ResolvedNode, str]],
        names_series: bool,
        device: torch.device,
    ) -> "PendingSample":
        """Put all numbers of an observation into one tensor, which `read` transfers."""
        transfer = Transfer(device)
        observation.parameters.send(transfer)
        for each in observation.activations.values():
            each.send(transfer)
        transfer.pack()
        return PendingSample(step, observation, flows, nodes, names_series, transfer)

    def read(self) -> StatisticsSample:
        """Return the sample; waits for the device."""
        observation, layout = self.observation, self.observation.layout
        found = observation.parameters.result(self.transfer)
        for path, each in observation.activations.items():
            found |= {(path, quantity): value for quantity, value in each.result(self.transfer).items()}
        recorded = by_node(self.flows)
        for node, path in self.nodes:
            flow = recorded_flow(node, recorded.get(path, {}))
            if (observed := observation.flow.get(path)) is not None:
                flow |= observed.result()
            found |= {(path, quantity): value for quantity, value in flow.items()}
        counts = [self._codes(series) for series in layout.histograms]
        return StatisticsSample(
            self.step,
            layout.digest,
            [found.get(series) for series in layout.series],
            list(layout.series) if self.names_series else None,
            list(layout.histograms) if self.names_series else None,
            sparse_histograms(counts) if observation.histograms else None,
        )

    def _codes(self, series: Series) -> Tensor | None:
        node, quantity = series
        if quantity == "activations":
            return self.observation.activations[node].codes
        return self.observation.parameters.codes.get(series)
