"""Nodes of the operations that the table has."""

from collections.abc import Mapping
from typing import Any

from graftwerk.tracing.functions.function_table import BOOL_KINDS, COMPARISONS, KINDS_OF_BOOLS, REFLECTED_OPERATORS
from graftwerk.tracing.functions.indexing import finite, positions
from graftwerk.tracing.functions.operator_schema import OperatorSchema, bind_arguments
from graftwerk.tracing.graph_writer import GraphWriter
from graftwerk.tracing.module_parameters import to_json_value
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import TensorRef, TupleValue, VaryingSize, tensor_refs


def write_operation(
    writer: GraphWriter, form: OperatorSchema, args: tuple[Any, ...], kwargs: Mapping[str, Any], dtype: str
) -> TensorRef:
    """Write the node of a row. `dtype` is that of the result on the examples. Raises `UnsupportedOperation`."""
    operands, fields = bind_arguments(form, args, kwargs)
    if form.takes_list and len(operands) == 1 and form.kind == "cat":
        return TensorRef(tensor_refs(operands)[0])
    fields = {name: finite(to_json_value(name, value)) for name, value in fields.items()}
    if any(isinstance(value, TensorRef | TupleValue) for value in fields.values()):
        raise UnsupportedOperation(
            f"the fields of {form.kind} are fixed, but here one depends on the data", "use numbers"
        )
    kind, operands = _bools_as_numbers(writer, form.kind, operands, dtype)
    operands = [_size_tensor(writer, each) if isinstance(each, VaryingSize) else each for each in operands]
    if form.allows_scalars and len(operands) == 2:
        first, second = operands
        if not isinstance(first, TensorRef) and kind in REFLECTED_OPERATORS:
            kind, first, second = REFLECTED_OPERATORS[kind], second, first
        if isinstance(first, TensorRef) and isinstance(second, int | float):
            return TensorRef(writer.add(kind, [first.ref], fields | {"scalar": finite(second)}))
        operands = [
            TensorRef(writer.constant(float(finite(each)))) if isinstance(each, int | float) else each
            for each in (first, second)
        ]
    return TensorRef(writer.add(kind, tensor_refs(operands), fields))


def _bools_as_numbers(writer: GraphWriter, kind: str, operands: list[Any], dtype: str) -> tuple[str, list[Any]]:
    """Return a kind and operands that the language can compute: it does no arithmetic with bools."""
    bools = [isinstance(each, TensorRef) and each.dtype == "bool" for each in operands]
    if kind in BOOL_KINDS or not any(bools):
        return kind, operands
    if all(bools) and kind in KINDS_OF_BOOLS:
        return KINDS_OF_BOOLS[kind], operands
    if dtype == "bool" and kind not in COMPARISONS:
        raise UnsupportedOperation(f"{kind} of bools is not in the language", "convert them with .float() or .long()")
    floats = any(isinstance(each, float) or getattr(each, "dtype", "") == "float32" for each in operands)
    target = "float32" if floats or dtype == "float32" else "int64"
    return kind, [
        TensorRef(writer.add("to", [each.ref], {"dtype": target})) if is_bool else each
        for each, is_bool in zip(operands, bools, strict=True)
    ]


def _size_tensor(writer: GraphWriter, size: VaryingSize) -> TensorRef:
    """Write a size that differs between inputs as a number: the largest position and one."""
    largest = writer.add("amax", [positions(writer, size, "float32")])
    return TensorRef(writer.add("add", [largest], {"scalar": 1}))
