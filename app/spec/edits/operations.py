"""The operations of an edit: one model each, selected by `op`.

A node is named by its path: "fc1", or "loop.body.fc1" in the body of a control-flow node, as in names of parameters.
A body that several nodes use by its name is changed for all of them.
"""

from collections import Counter
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from app.spec.base import Count, Name, OneOrMany, Size, SpecModel, validation_error
from app.spec.network.nodes import Node

MAX_OPERATIONS = 256  # of one edit
NodePath = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$", max_length=1000)]
SettingPath = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$", max_length=1000)]
Initialisation = Literal["default", "identity", "zero"]
Selection = Literal["magnitude", "gradient"]


class Insert(SpecModel):
    """A new node after a node, before a node, or on the edge `between` two nodes."""

    op: Literal["insert"]
    after: NodePath | None = None
    before: NodePath | None = None
    between: tuple[NodePath, NodePath] | None = None
    node: Node
    init: Initialisation = Field("default", description="identity: the network computes what it did before.")

    @model_validator(mode="after")
    def _one_place(self) -> "Insert":
        if sum(place is not None for place in (self.after, self.before, self.between)) != 1:
            raise validation_error("contradiction", "a node is inserted at one place", "name after, before or between")
        return self


class Remove(SpecModel):
    """A node is removed: those that read it read its input."""

    op: Literal["remove"]
    node: NodePath


class Replace(SpecModel):
    """A node is replaced by another one on the same inputs; parameters of equal names and shapes are kept."""

    op: Literal["replace"]
    node: NodePath
    by: Node = Field(alias="with")
    init: Initialisation = "default"


class Rename(SpecModel):
    """A node gets another id."""

    op: Literal["rename"]
    node: NodePath
    to: Name


class Widen(SpecModel):
    """A node gets more outputs: units are copied, and what reads them is divided by their number (Chen et al. 2016).

    With `init: zero` the new units are drawn, and what reads them starts at zero.
    """

    op: Literal["widen"]
    node: NodePath
    to: Size | None = None
    by: Annotated[float, Field(gt=1, le=1000, allow_inf_nan=False)] | None = Field(None, description="A factor.")
    init: Literal["copy", "zero"] = "copy"
    noise: Annotated[float, Field(ge=0, le=1)] = Field(0.0, description="On copies, relative to the weights.")


class Narrow(SpecModel):
    """A node gets fewer outputs: structured pruning. `keep` are the indices that stay, else `by` chooses them."""

    op: Literal["narrow"]
    node: NodePath
    to: Size | None = None
    fraction: Annotated[float, Field(gt=0, lt=1)] | None = Field(None, description="The share that is removed.")
    by: Selection = "magnitude"
    keep: Annotated[tuple[Count, ...], Field(min_length=1, max_length=1 << 20)] | None = None

    @model_validator(mode="after")
    def _keeps_once(self) -> "Narrow":
        if self.keep is not None and len(set(self.keep)) < len(self.keep):
            [(output, times)] = Counter(self.keep).most_common(1)
            raise validation_error("contradiction", f"keep names output {output} {times} times", "name each once")
        return self


class Deepen(SpecModel):
    """A residual block after a node, which computes nothing at first."""

    op: Literal["deepen"]
    after: NodePath
    block: Annotated[tuple[Node, ...], Field(min_length=1, max_length=64)] | None = Field(
        None, description="Layers of the branch; by default those that fit the node's output."
    )
    id: Name | None = None


class GrowVocabulary(SpecModel):
    """An embedding gets more rows, which are drawn, or the mean of the others."""

    op: Literal["grow_vocabulary"]
    node: NodePath
    to: Size
    init: Literal["default", "mean", "zero"] = "default"


class GrowClasses(SpecModel):
    """A layer with one output per class gets more of them."""

    op: Literal["grow_classes"]
    node: NodePath
    to: Size
    init: Literal["default", "mean", "zero"] = "default"


class Freeze(SpecModel):
    """The parameters of nodes are not trained any more."""

    op: Literal["freeze"]
    nodes: Annotated[tuple[NodePath, ...], Field(min_length=1, max_length=1000), OneOrMany()]


class Unfreeze(SpecModel):
    """The parameters of nodes are trained again, with a new state of the optimiser."""

    op: Literal["unfreeze"]
    nodes: Annotated[tuple[NodePath, ...], Field(min_length=1, max_length=1000), OneOrMany()]


class Reinit(SpecModel):
    """The weights of a node are drawn again, and the optimiser forgets them."""

    op: Literal["reinit"]
    node: NodePath
    init: Initialisation = "default"


class Set(SpecModel):
    """A setting of the plan, of the objective or of a node gets another value; null: the default."""

    op: Literal["set"]
    path: SettingPath
    value: Any


class SwapOptimizer(SpecModel):
    """Another optimiser, with a new state; the schedule goes on from the new rate."""

    op: Literal["swap_optimizer"]
    to: Any = Field(description="As in training.optimizer.")
    update: Name | None = Field(None, description="Of several updates, the name of the one whose optimiser it is.")


Operation = Annotated[
    Insert
    | Remove
    | Replace
    | Rename
    | Widen
    | Narrow
    | Deepen
    | GrowVocabulary
    | GrowClasses
    | Freeze
    | Unfreeze
    | Reinit
    | Set
    | SwapOptimizer,
    Field(discriminator="op"),
]
OPERATION_NAMES: tuple[str, ...] = tuple(
    get_args(model.model_fields["op"].annotation)[0] for model in get_args(get_args(Operation)[0])
)
