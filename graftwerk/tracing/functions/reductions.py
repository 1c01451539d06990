"""Handlers of reductions whose arguments take several forms, of those with two results, and of look-ups by index."""

from collections.abc import Callable, Mapping
from typing import Any

from graftwerk.tracing.functions.indexing import finite
from graftwerk.tracing.functions.operator_call import OperatorCall
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import TensorRef, TupleValue, tensor_refs


def _min_max(kind: str, pairwise: str, indices: str) -> Callable[[OperatorCall], Any]:
    def handler(call: OperatorCall) -> Any:
        other = call.argument(1, "other", call.kwargs.get("dim"))
        if isinstance(other, TensorRef):
            return call.add(pairwise, [call.tensor(), other.ref])
        if other is None:
            return call.add(kind, [call.tensor()])
        keep = {"keepdim": True} if call.argument(2, "keepdim", False) else {}
        return TupleValue(
            lambda index: call.add(indices if index == 1 else kind, [call.tensor()], dim=other, **keep),
            ("values", "indices"),
        )

    return handler


def _by_index(kind: str) -> Callable[[OperatorCall], TensorRef]:
    return lambda call: call.add(
        kind, tensor_refs([call.operand, call.argument(2, "index")]), dim=call.argument(1, "dim")
    )


def _statistic(kind: str) -> Callable[[OperatorCall], TensorRef]:
    """Variance and standard deviation, whose second argument may be `unbiased`."""

    def handler(call: OperatorCall) -> TensorRef:
        first = call.argument(1, "dim")
        unbiased = first if isinstance(first, bool) else call.kwargs.get("unbiased", call.argument(2, "unbiased", True))
        dim = None if isinstance(first, bool) else first
        fields = {
            "dim": list(dim) if isinstance(dim, tuple) else dim,
            "correction": call.kwargs.get("correction", int(bool(unbiased))),
            "keepdim": bool(call.argument(3, "keepdim", False)),
        }
        defaults = {"dim": None, "correction": 1, "keepdim": False}
        return call.add(
            kind, [call.tensor()], **{name: each for name, each in fields.items() if each != defaults[name]}
        )

    return handler


def _norm(call: OperatorCall) -> TensorRef:
    order, dim = call.argument(1, "p", call.kwargs.get("ord", 2.0)), call.argument(2, "dim")
    if not isinstance(order, int | float) and order not in (None, "fro"):
        raise UnsupportedOperation(f"the norm {order!r} is not in the language", "use a number for p")
    number = float(order) if isinstance(order, int | float) else 2.0
    fields = {"dim": list(dim) if isinstance(dim, tuple) else dim, "keepdim": bool(call.argument(3, "keepdim", False))}
    fields |= {} if number == 2.0 else {"ord": finite(number)}
    return call.add("vector_norm", [call.tensor()], **{name: each for name, each in fields.items() if each})


def _ordered(kind: str, names: tuple[str, ...]) -> Callable[[OperatorCall], TupleValue]:
    """Operations with two outputs, values and indices."""

    def handler(call: OperatorCall) -> TupleValue:
        given = {name: call.argument(at, name) for at, name in enumerate(names, 1)}
        fields = {name: value for name, value in given.items() if value is not None}
        if fields.pop("sorted", True) is False:
            raise UnsupportedOperation("topk is sorted in the language", "leave sorted out")
        node = call.add(kind, [call.tensor()], **fields).ref
        return TupleValue(lambda index: TensorRef(f"{node}.{('values', 'indices')[index]}"), ("values", "indices"))

    return handler


REDUCTION_HANDLERS: Mapping[str, Callable[[OperatorCall], Any]] = {
    "gather": _by_index("gather"),
    "index_select": _by_index("index_select"),
    "std": _statistic("std"),
    "var": _statistic("var"),
    "norm": _norm,
    "topk": _ordered("topk", ("k", "dim", "largest", "sorted")),
    "sort": _ordered("sort", ("dim", "descending")),
    "max": _min_max("amax", "maximum", "argmax"),
    "min": _min_max("amin", "minimum", "argmin"),
}
