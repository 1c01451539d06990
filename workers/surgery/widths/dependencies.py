"""The dependency graph of a network's widths: axes of tensors, and fields of the document, by the parts they have."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from workers.network.analysis.parameters import ParameterIndex, index_parameters
from workers.network.inference.partial_network import InferredNode, PartialNetwork
from workers.surgery.widths.axes import Axes, Axis, fixed_axis
from workers.surgery.widths.groups import ChannelGroups, Obstacle, Prevents

Role = Literal["output", "input"]


@dataclass(frozen=True, slots=True)
class TensorAxis:
    """An axis of a parameter or buffer: of what it gives ("output"), or of what it reads ("input")."""

    name: str
    axis: int
    parts: Axis
    role: Role


@dataclass(frozen=True, slots=True)
class SizeField:
    """A field of the document that holds a size: that of an axis, in multiples of `divisor`.

    `place` is the index in a list of sizes.
    """

    pointer: str
    name: str
    place: int | None
    parts: Axis
    divisor: int = 1


@dataclass
class Dependencies:
    """What changes with what. `widths` holds the output axis of every node that sets its own size, by pointer."""

    document: Mapping[str, Any]  # the network
    groups: ChannelGroups = field(default_factory=ChannelGroups)
    tensors: list[TensorAxis] = field(default_factory=list)
    sizes: dict[tuple[str, str, int | None], SizeField] = field(default_factory=dict)
    widths: dict[str, Axis] = field(default_factory=dict)
    by_field: dict[tuple[str, str, int | None], Axis] = field(default_factory=dict)
    parameters: ParameterIndex = field(default_factory=ParameterIndex)

    def node_document(self, pointer: str) -> Any:
        """Return what the user wrote at a pointer."""
        part: Any = self.document
        for key in pointer.split("/")[1:]:
            part = part[int(key)] if isinstance(part, list) else part[key]
        return part


@dataclass
class NodeScope:
    """One node while its axes are followed: what its rule reads, and where it adds what it finds."""

    dependencies: Dependencies
    trace: InferredNode
    path: str  # of its parameters, and in messages
    inputs: Sequence[Axes]
    body: Callable[[str, Sequence[Axes]], tuple[Axes, ...]]  # follows a body by its name

    @property
    def parameters(self) -> Mapping[str, Any]:
        """All parameters, inferred sizes included."""
        return self.trace.node.parameters

    @property
    def kind(self) -> str:
        """The kind of the node."""
        return self.trace.node.kind

    @property
    def pointer(self) -> str:
        """Where the user wrote the node: the same for all uses of a block."""
        return self.trace.node.pointer

    def group(self, name: str, channels: int, place: int | None = None) -> Axis:
        """Return the group that a field of the document stands for: one for all uses of a block."""
        key = (self.pointer, name, place)
        if key not in self.dependencies.by_field:
            self.dependencies.by_field[key] = self.dependencies.groups.create(channels)
        return self.dependencies.by_field[key]

    def create(self, channels: int) -> Axis:
        """Return a new group."""
        return self.dependencies.groups.create(channels)

    def width(self, name: str) -> Axis:
        """Return the axis whose size is the node's own field, such as `out_features`."""
        axis = self.group(name, self.parameters[name])
        self.size(name, axis)
        self.dependencies.widths[self.pointer] = axis
        return axis

    def size(self, name: str, axis: Axis, place: int | None = None, divisor: int = 1) -> None:
        """Add a field that holds the size of an axis, if the user wrote it: an inferred one follows by itself."""
        written = self.dependencies.node_document(self.pointer)
        if not isinstance(written, dict) or written.get(name) is None:
            return
        key = (self.pointer, name, place)
        if key in self.dependencies.sizes:
            self.unify(self.dependencies.sizes[key].parts, axis)
        else:
            self.dependencies.sizes[key] = SizeField(*key, axis, divisor)

    def produce(self, name: str, axis: Axis, place: int = 0) -> None:
        """Add the axis of a tensor, if there is one, whose entries make those of the output."""
        self._add_tensor(name, axis, place, "output")

    def read(self, name: str, axis: Axis, place: int = 1) -> None:
        """Add the axis of a tensor, if there is one, over which inputs are summed."""
        self._add_tensor(name, axis, place, "input")

    def _add_tensor(self, name: str, axis: Axis, place: int, role: Role) -> None:
        full = f"{self.path}.{name}" if name else self.path
        index = self.dependencies.parameters
        if full in index.weights or full in index.buffers:
            self.dependencies.tensors.append(TensorAxis(full, place, axis, role))

    def unify(self, first: Axis, second: Axis) -> None:
        """Let two axes change alike."""
        self.dependencies.groups.unify(first, second, self.describe())

    def obstruct(self, axis: Axis, prevents: Prevents, detail: str, hint: str = "") -> None:
        """Add an obstacle to an axis. The detail goes on after the node's name."""
        self.dependencies.groups.obstruct(axis, Obstacle(prevents, self.path, f"{self.describe()} {detail}", hint))

    def obstruct_all(self, axes: Sequence[Axis], detail: str) -> None:
        """Let nothing change along these axes."""
        for axis in axes:
            self.obstruct(axis, "change", detail, f"change a width whose channels do not reach {self.path}")

    def describe(self) -> str:
        """Return the node in words."""
        return f"{self.path} ({self.kind})"

    def fixed(self, size: int) -> Axis:
        """Return an axis of the output that cannot change."""
        return fixed_axis(size, f"a dimension of {self.describe()}")

    def output_shapes(self) -> list[tuple[int, ...]]:
        """Return the shapes of all outputs."""
        return [tuple(value.shape) for value in (self.trace.output, *self.trace.other_outputs)]

    def fixed_outputs(self) -> tuple[Axes, ...]:
        """Return the axes of all outputs, none of which can change."""
        return tuple(tuple(self.fixed(size) for size in shape) for shape in self.output_shapes())


def empty_dependencies(document: Mapping[str, Any], network: PartialNetwork) -> Dependencies:
    """Return the graph of a network before its nodes are followed."""
    return Dependencies(document, parameters=index_parameters(network.blueprint))


def input_axes(network: PartialNetwork) -> list[Axes]:
    """Return the axes of the network's inputs, which the data fixes."""
    first_reads = {
        name: value
        for trace in reversed(network.nodes)  # a layer may have the name of the input of the chain
        for name, value in zip(trace.node.inputs, trace.inputs, strict=True)
    }
    shapes = {name: first_reads.get(name, network.values.get(name)) for name in network.blueprint.inputs}
    return [
        tuple(fixed_axis(size, f"the input {name}") for size in ([] if value is None else value.shape))
        for name, value in shapes.items()
    ]
