"""The network: a module that runs a plan made once, with little more than the calls of its parts."""

from collections.abc import Mapping

from torch import Tensor, nn

from app.errors import InvalidInput, OutOfMemory
from app.spec.data import DataSchema
from app.spec.network import Network
from workers.network.blueprint import Blueprint
from workers.network.catalog import CATALOG
from workers.network.infer import draft
from workers.network.leaves import Leaf
from workers.network.modules import Module
from workers.network.plan import Call, plan


class BuiltNetwork(nn.Module):
    """A network built from its blueprint; parts are registered under the ids of their nodes.

    Parts are filled in the order of the blueprint: seed torch before, and the same seed gives the same weights.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        self.blueprint = blueprint
        calls: dict[str, Call] = {}
        for node in blueprint.nodes:
            row = CATALOG[node.kind]
            if isinstance(row, Leaf):
                row.hold(self, node.id, row.tensor(node.parameters))
            elif isinstance(row, Module):
                part = row.module(node.parameters)
                self.add_module(node.id, part)
                calls[node.id] = row.bound(part, node.parameters)
            else:
                calls[node.id] = row.bound(node.parameters)
        self._plan = plan(blueprint, calls)

    def forward(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the outputs by name from the inputs by name, each (N, …)."""
        width, inputs, leaves, steps, outputs = self._plan
        slots: list[Tensor] = [None] * width  # type: ignore[list-item]  # every slot is filled before it is read
        for name, slot in inputs:
            slots[slot] = values[name]
        for name, slot in leaves:
            slots[slot] = getattr(self, name)  # by name: `to` puts other tensors in the place of buffers
        for call, reads, frees, then, write in steps:
            value = call(*[slots[slot] for slot in reads])
            for slot in frees:
                slots[slot] = None  # type: ignore[call-overload]
            for following in then:
                value = following(value)
            slots[write] = value
        return {name: slots[slot] for name, slot in outputs}


def build(network: Network, schema: DataSchema, inputs: tuple[str, ...]) -> BuiltNetwork:
    """Build the network on the CPU, with weights drawn from torch's global generator.

    `inputs` are the columns that it reads unless it names its own. Raises `InvalidInput` with every problem found
    (pointers relative to the network), and `OutOfMemory`.
    """
    settled = draft(network, schema, inputs)
    if settled.problems:
        raise InvalidInput(settled.problems)
    try:
        return BuiltNetwork(settled.blueprint)
    except RuntimeError as error:  # torch has no class of its own for a CPU that is full
        if "allocate memory" not in str(error):
            raise
        raise OutOfMemory("the weights of the network do not fit into memory") from None
