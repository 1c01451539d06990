"""What operations on widths have in common: the channels of a node, and the change that is made of them."""

from collections.abc import Container
from dataclasses import dataclass, replace

from app.errors import InvalidInput, Problem
from workers.network.inference.partial_network import PartialNetwork
from workers.surgery.draft import Change, Draft
from workers.surgery.lineage import node_at
from workers.surgery.node_places import NodePlace
from workers.surgery.tensor_map import Fill
from workers.surgery.widths.axes import Part
from workers.surgery.widths.channel_maps import ChannelMap, changed_sizes, tensor_map
from workers.surgery.widths.dependencies import Dependencies
from workers.surgery.widths.graph import find_dependencies
from workers.surgery.widths.groups import Obstacle, Prevents

FIXED_WIDTHS = {
    "MultiheadAttention": "its width is that of its input: widen or narrow the layer that gives it, and heads follow",
    "Parameter": "widen or narrow a layer that reads it or is joined with it, and its shape follows",
    "Buffer": "widen or narrow a layer that reads it or is joined with it, and its shape follows",
}
ANY_LAYER = "name a linear, convolutional, embedding, recurrent or Transformer layer"


@dataclass(frozen=True, slots=True)
class Width:
    """The channels that a node's own width stands for: `part` is the whole axis of its outputs."""

    place: NodePlace
    dependencies: Dependencies
    part: Part
    group: int

    @property
    def channels(self) -> int:
        """The number of channels that can be copied or removed: fewer than the outputs where these come in blocks."""
        return self.dependencies.groups.channels(self.group)

    @property
    def block(self) -> int:
        """The number of outputs that one channel stands for."""
        return self.part.size // self.channels

    def obstacles(self, kinds: Container[Prevents]) -> list[Obstacle]:
        """Return what prevents a change."""
        return [each for each in self.dependencies.groups.obstacles(self.group) if each.prevents in kinds]


def find_width(draft: Draft, path: str, index: int) -> Width:
    """Return the width of a node. Raises `InvalidInput`."""
    pointer = f"/operations/{index}/node"
    place = draft.find(path, pointer)
    dependencies = find_dependencies(draft.model, draft.infer())
    if place.pointer not in dependencies.widths:
        kind = place.node["kind"]
        if reason := _weight_source(place):
            raise refusal(
                pointer, "no_width", f"{path} keeps its width: {reason}", "widen or narrow another layer, or fork"
            )
        hint = FIXED_WIDTHS.get(kind, ANY_LAYER)
        raise refusal(pointer, "no_width", f"{path} ({kind}) has no width of its own", hint)
    axis = dependencies.groups.resolve(dependencies.widths[place.pointer])
    if len(axis) > 1:
        detail = f"the outputs of {path} change in {len(axis)} ranges, each with other layers: it is not clear which"
        raise refusal(pointer, "ambiguous", detail, "widen or narrow one of the layers whose outputs are joined")
    (part,) = axis
    if part.group is None:
        raise AssertionError(f"the width of {path} is fixed")
    return Width(place, dependencies, part, part.group)


def _weight_source(place: NodePlace) -> str:
    """Return why the weights of a node cannot get another shape, where they are not its own alone."""
    if place.node.get("parametrization"):
        return "its weights have a parametrization"
    is_tied = place.node.get("tie") or any(True for _ in place.within.ties_to(place.node["id"]))
    return "its weights are tied to those of another node" if is_tied else ""


def refusal(pointer: str, code: str, detail: str, hint: str = "") -> InvalidInput:
    """Return an error with one problem."""
    return InvalidInput([Problem(pointer, code, detail, hint)])


def check_obstacles(width: Width, kinds: Container[Prevents], pointer: str) -> None:
    """Raise `InvalidInput` with everything that prevents a change."""
    if obstacles := width.obstacles(kinds):
        what = f"the width of {width.place.path} cannot change"
        raise InvalidInput([Problem(pointer, "width_fixed", f"{what}: {each.detail}", each.hint) for each in obstacles])


def change_width(
    draft: Draft,
    width: Width,
    indices: tuple[int, ...],
    index: int,
    *,
    field: str,
    output_fill: Fill = "default",
    noise: float = 0.0,
) -> Change:
    """Write the new sizes into the document, and return the change. `field` of the operation is to blame for them.

    Raises `InvalidInput`.
    """
    change = ChannelMap(width.group, width.channels, indices)
    for size, value in changed_sizes(width.dependencies, change):
        node = node_at(draft.model, size.pointer)
        if size.place is None:
            node[size.name] = value
        else:
            node[size.name] = [value if at == size.place else each for at, each in enumerate(node[size.name])]
        draft.written_settings[f"/model{size.pointer}/{size.name}"] = f"/operations/{index}/{field}"
    after = infer_change(draft, index).blueprint
    tensors = tensor_map(width.dependencies, change, after, output_fill=output_fill, noise=noise)
    if tensors is None:
        detail = f"the weights that follow the width of {width.place.path} would not have the shapes of the new network"
        raise refusal(f"/operations/{index}/node", "width_fixed", detail, "start a fork with the new network")
    return Change(after, tensors)


def infer_change(draft: Draft, index: int) -> PartialNetwork:
    """Return the changed network. Raises `InvalidInput`, whose pointers lead into the edit."""
    try:
        return draft.infer()
    except InvalidInput as error:
        places = draft.places()
        problems = [_in_edit(problem, places, index) for problem in error.problems]
        raise InvalidInput(problems) from None


def _in_edit(problem: Problem, places: dict[str, str], index: int) -> Problem:
    pointer = places.get(problem.pointer, f"/operations/{index}")
    detail = problem.detail if problem.pointer in places else f"{problem.detail} (at {problem.pointer} of the job)"
    return replace(problem, pointer=pointer, detail=detail)


def warn(draft: Draft, pointer: str, code: str, detail: str, hint: str) -> None:
    """Add a warning."""
    draft.warnings.append(Problem(pointer, code, detail, hint))
