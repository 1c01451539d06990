"""The operations of an edit, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workers.surgery.draft import Change, Draft
from workers.surgery.operations.deepen import deepen
from workers.surgery.operations.grow import grow_classes, grow_vocabulary
from workers.surgery.operations.insert import insert
from workers.surgery.operations.narrow import narrow
from workers.surgery.operations.widen import widen

# `apply(draft, operation, index)` changes the document of the draft. It raises `InvalidInput`, whose pointers begin
# with `/operations/<index>`.
Apply = Callable[[Draft, Any, int], Change | None]


@dataclass(frozen=True, slots=True)
class OperationKind:
    """An operation: what it does to a draft.

    One that changes shapes returns the change itself. Others only note what becomes of nodes in the draft's lineage:
    the network is inferred once for all of them, so that they need not be valid one by one.
    """

    apply: Apply
    changes_shapes: bool = False


OPERATIONS: Mapping[str, OperationKind] = {
    "insert": OperationKind(insert),
    "widen": OperationKind(widen, changes_shapes=True),
    "narrow": OperationKind(narrow, changes_shapes=True),
    "deepen": OperationKind(deepen, changes_shapes=True),
    "grow_vocabulary": OperationKind(grow_vocabulary, changes_shapes=True),
    "grow_classes": OperationKind(grow_classes, changes_shapes=True),
}
