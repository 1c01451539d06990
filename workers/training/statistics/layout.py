"""Which series the samples of a network have, in order: a function of the network alone."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from torch import nn

from workers.network.blueprint import ResolvedNode
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.leaves import LeafKind
from workers.network.kinds.module_kind import ModuleKind
from workers.network.runtime.build import BuiltNetwork, GraphModule, graph_path
from workers.training.statistics.flow import flow_quantities
from workers.training.statistics.parameters import Owners
from workers.training.statistics.units import LIVE_RANGES

MAX_SERIES, MAX_HISTOGRAMS = 4096, 512  # of a sample; of larger networks the first nodes count
PARAMETER_QUANTITIES = ("grad_norm", "weight_norm", "update_ratio")
ACTIVATION_QUANTITIES = ("activation_mean", "activation_std", "activation_nonfinite")
Series = tuple[str, str]  # node, quantity


@dataclass(frozen=True)
class Layout:
    """The series of a network's samples, and those that have histograms."""

    series: tuple[Series, ...]
    histograms: tuple[Series, ...]

    @cached_property
    def digest(self) -> str:
        """A name of the layout: equal ones have the same."""
        text = json.dumps([self.series, self.histograms])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def graphs(network: BuiltNetwork) -> Iterator[GraphModule]:
    """Yield the network and all bodies, each once: a shared one at the path of its first use."""
    yield from (module for module in network.modules() if isinstance(module, GraphModule))


def network_nodes(network: BuiltNetwork) -> Iterator[tuple[GraphModule, ResolvedNode, str]]:
    """Yield every node with its graph and its path: ids joined by slashes, with the names of bodies between them."""
    for graph in graphs(network):
        for node in graph.blueprint.nodes:
            yield graph, node, graph_path(graph) + node.id


def parameter_owners(network: BuiltNetwork) -> Owners:
    """Return the parameters of every node that has some of its own, by path."""
    owners = {path: list(_own_parameters(graph, node)) for graph, node, path in network_nodes(network)}
    return {path: parameters for path, parameters in owners.items() if parameters}


def _own_parameters(graph: GraphModule, node: ResolvedNode) -> Iterator[nn.Parameter]:
    row = CATALOG[node.kind]
    if isinstance(row, LeafKind) and row.storage == "parameter":
        yield graph.get_parameter(node.id)
    elif isinstance(row, ModuleKind):
        yield from graph.get_submodule(node.id).parameters()


def build_layout(network: BuiltNetwork, owners: Owners, activations: bool, histograms: bool) -> Layout:
    """Return the layout of a network; without `activations` only that of its parameters and of control flow."""
    series: list[Series] = []
    distributions: list[Series] = []
    for _, node, path in network_nodes(network):
        has_output = activations and not isinstance(CATALOG[node.kind], LeafKind)
        quantities = list(PARAMETER_QUANTITIES) if path in owners else []
        quantities += ACTIVATION_QUANTITIES if has_output else ()
        quantities += ["dead_share"] if has_output and node.kind in LIVE_RANGES else []
        series += [(path, quantity) for quantity in (*quantities, *flow_quantities(node))]
        if histograms:
            distributions += [(path, "weights"), (path, "gradients")] if path in owners else []
            distributions += [(path, "activations")] if has_output else []
    return Layout(tuple(series[:MAX_SERIES]), tuple(distributions[:MAX_HISTOGRAMS]))
