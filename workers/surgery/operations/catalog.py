"""The operations of an edit, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workers.surgery.draft import Change, Draft
from workers.surgery.operations.deepen import deepen
from workers.surgery.operations.freeze import freeze, unfreeze
from workers.surgery.operations.grow import grow_classes, grow_vocabulary
from workers.surgery.operations.insert import insert
from workers.surgery.operations.narrow import narrow
from workers.surgery.operations.remove import remove
from workers.surgery.operations.rename import rename
from workers.surgery.operations.replace import reinit, replace
from workers.surgery.operations.settings import set_value, swap_optimizer
from workers.surgery.operations.widen import widen

# `apply(draft, operation, index)` changes the document of the draft. It raises `InvalidInput`, whose pointers begin
# with `/operations/<index>`.
Apply = Callable[[Draft, Any, int], Change | None]


@dataclass(frozen=True, slots=True)
class OperationKind:
    """An operation: what it does to a draft.

    One that changes shapes returns the change itself. Others note what becomes of nodes in the draft's lineage: the
    network is inferred once for all of them, so that they need not be valid one by one. Before one that changes shapes
    or reads the network, `draft.blueprint`, that of the current document is inferred.
    """

    apply: Apply
    changes_shapes: bool = False
    reads_network: bool = False


OPERATIONS: Mapping[str, OperationKind] = {
    "insert": OperationKind(insert),
    "remove": OperationKind(remove),
    "replace": OperationKind(replace),
    "rename": OperationKind(rename),
    "reinit": OperationKind(reinit),
    "freeze": OperationKind(freeze, reads_network=True),
    "unfreeze": OperationKind(unfreeze, reads_network=True),
    "set": OperationKind(set_value),
    "swap_optimizer": OperationKind(swap_optimizer),
    "widen": OperationKind(widen, changes_shapes=True),
    "narrow": OperationKind(narrow, changes_shapes=True),
    "deepen": OperationKind(deepen, changes_shapes=True),
    "grow_vocabulary": OperationKind(grow_vocabulary, changes_shapes=True),
    "grow_classes": OperationKind(grow_classes, changes_shapes=True),
}
