"""The bodies of the short form: what they read, what they must give, and how the network uses them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import Problem
from app.spec.network.nodes import BaseNode, Body, referenced_node
from app.spec.training.algorithms.graph import ExpectedOutput, Graph

GAUSSIAN_OUTPUTS = ("mean", "log_std")  # of an actor with two outputs
# Layers at the end of an actor whose output the algorithm itself squashes, or takes as scores.
_LIMITING_KINDS = frozenset(
    {
        *("tanh", "hardtanh", "sigmoid", "hardsigmoid", "logsigmoid", "softsign"),
        *("softmax", "softmin", "softmax2d", "logsoftmax", "log_softmax"),
        *("relu", "relu6", "softplus"),
    }
)


@dataclass(frozen=True, slots=True)
class UsedBody:
    """A body of the short form: the block `name` of the written network.

    `reads` are the inputs that the algorithm gives it, in its own order. A chain of layers has one input: several are
    joined along the features.
    """

    name: str
    body: Body
    reads: tuple[str, ...]

    @property
    def pointer(self) -> str:
        """The place of the body in the user's document."""
        return f"/model/{self.name}"

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of its outputs; none of a chain."""
        return () if self.body.nodes is None else tuple(self.body.output_names())

    @property
    def has_gaussian_outputs(self) -> bool:
        """Whether it gives mean and log_std as two outputs."""
        return set(self.output_names) == set(GAUSSIAN_OUTPUTS)

    def use(self, graph: Graph, node: str, share: str | None = None, **values: str) -> str:
        """Add a use of the body as a node, on the node or column of each input by name; return its id."""
        inputs = [values[name] for name in self.body.inputs or self.reads]
        if self.body.layers is not None and len(self.reads) > 1:
            inputs = [_joined(graph, [values[name] for name in self.reads])]
        shared = {"share": share} if share is not None else {}
        return graph.add(node, "block", *inputs, place=self.pointer, name=self.name, **shared)

    def expect(self, graph: Graph, node: str, shape: tuple[int, ...], meaning: str, output: str = "") -> None:
        """Say what the node that uses the body must give; `output` is the body's, if it has several."""
        pointer, layer = self.final_layer(output)
        is_linear = layer is not None and layer.kind == "Linear"
        name = f"{node}.{output}" if output else node
        expected = ExpectedOutput(name, shape, meaning, self.pointer, self.pointer + pointer, is_linear)
        graph.expected.append(expected)

    def final_layer(self, output: str = "") -> tuple[str, BaseNode | None]:
        """Return the pointer in the body, and the node that gives an output (default: the first); `None` if unclear."""
        if self.body.layers is not None:
            return f"/layers/{len(self.body.layers) - 1}", self.body.layers[-1]
        names = self.body.output_names() if self.body.nodes else {}
        source = names.get(output) or next(iter(names.values()), "")
        for pointer, node in self.body.nodes_by_pointer().items():
            if node.id == referenced_node(source):
                return pointer, node
        return "", None

    def problems(self, outputs: Sequence[tuple[str, ...]] = ()) -> Iterator[Problem]:
        """Yield what it reads or gives that does not fit; `outputs` are the names that it may have for several."""
        given = self.body.inputs
        names = ", ".join(f'"{name}"' for name in self.reads)
        if given is not None and set(given) != set(self.reads):
            pointer = f"{self.pointer}/inputs"
            unknown = [place for place, name in enumerate(given) if name not in self.reads]
            pointer += f"/{unknown[0]}" if unknown else ""
            detail = f"the {self.name} reads {names} here, and this one {', '.join(given)}"
            yield Problem(pointer, "unknown_input", detail, f'write "inputs": [{names}]')
        if len(self.output_names) > 1 and not any(set(self.output_names) == set(each) for each in outputs):
            detail = f"the {self.name} has one output here, and this one has {len(self.output_names)}"
            choice = " or ".join(" and ".join(each) for each in outputs)
            hint = "keep one of them" + (f", or name two: {choice}" if outputs else "")
            yield Problem(f"{self.pointer}/outputs", "unknown_output", detail, hint)

    def limiting_problem(self, reason: str) -> Iterator[Problem]:
        """Yield that the body ends with a layer that limits its output, which `reason` says the algorithm does."""
        for output in self.output_names or ("",):
            pointer, layer = self.final_layer(output)
            if layer is not None and layer.kind.lower() in _LIMITING_KINDS:
                detail = f"the {self.name} ends with {layer.kind}, and {reason}"
                yield Problem(self.pointer + pointer, "contradiction", detail, "remove this layer")

    def written(self, raw: Any) -> Any:
        """Return the block: the body as it is written, with the inputs that nodes read by default."""
        if self.body.nodes is not None and self.body.inputs is None:
            return {"inputs": list(self.reads), **raw}
        return raw


def _joined(graph: Graph, sources: Sequence[str]) -> str:
    """Return the node that joins some nodes, which is added once."""
    name = "_and_".join(sources)
    if all(node["id"] != name for node in graph.nodes):
        graph.add(name, "cat", *sources)
    return name
