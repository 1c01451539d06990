"""The network as data: a body, and the blocks that its nodes may use by name."""

from typing import Annotated

from pydantic import Field

from app.spec.base import Name
from app.spec.network.nodes import BaseNode, Body


class Network(Body):
    """A network, and the blocks that its nodes may use by name."""

    blocks: Annotated[dict[Name, Body], Field(max_length=256)] = Field(default_factory=dict)

    def resolve_body(self, ref: Body | str) -> Body:
        """Return a body that is written in place or named."""
        return self.blocks[ref] if isinstance(ref, str) else ref

    def node_output_names(self, node: BaseNode) -> tuple[str, ...]:
        """Return the names of a node's outputs; none for a node with one output and no names."""
        bodies = node.bodies()
        if not bodies:
            return node.output_names()
        return tuple(self.resolve_body(next(iter(bodies.values()))[1]).output_names())
