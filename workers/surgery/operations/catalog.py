"""The operations of an edit, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workers.surgery.draft import Change, Draft
from workers.surgery.operations.freeze import freeze, unfreeze
from workers.surgery.operations.insert import insert
from workers.surgery.operations.remove import remove
from workers.surgery.operations.rename import rename
from workers.surgery.operations.replace import reinit, replace
from workers.surgery.operations.settings import set_value, swap_optimizer

# `apply(draft, operation, index)` changes the document of the draft. It raises `InvalidInput`, whose pointers begin
# with `/operations/<index>`.
Apply = Callable[[Draft, Any, int], Change | None]


@dataclass(frozen=True, slots=True)
class OperationKind:
    """An operation: what it does to a draft.

    One that `needs_network` is applied to a valid document, whose network is `draft.blueprint`; if it changes shapes it
    returns the change itself. Others note what becomes of nodes in the draft's lineage: the network is inferred once
    for all of them, so that they need not be valid one by one.
    """

    apply: Apply
    needs_network: bool = False


OPERATIONS: Mapping[str, OperationKind] = {
    "insert": OperationKind(insert),
    "remove": OperationKind(remove),
    "replace": OperationKind(replace),
    "rename": OperationKind(rename),
    "reinit": OperationKind(reinit),
    "freeze": OperationKind(freeze, needs_network=True),
    "unfreeze": OperationKind(unfreeze, needs_network=True),
    "set": OperationKind(set_value),
    "swap_optimizer": OperationKind(swap_optimizer),
}
