"""Rows of the tables of functions, and how the arguments of a call become operands and fields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graftwerk.tracing.unsupported import UnsupportedOperation

REQUIRED: Any = object()  # the default of a required field
FieldDefaults = tuple[str, Any, Any]  # torch's name, torch's default, the language's default


@dataclass(frozen=True)
class OperatorSchema:
    """A row of the tables: a node of `kind` reads `operand_count` tensors, and has the fields that follow them.

    `takes_list`: the tensors are one list. `allows_scalars`: one of two operands may be a number. `is_variadic`: the
    values of the only field may be separate arguments.
    """

    kind: str
    operand_count: int = 1
    fields: tuple[FieldDefaults, ...] = ()
    takes_list: bool = False
    allows_scalars: bool = False
    is_variadic: bool = False


# Arguments without a field → the value without effect; `...`: any value.
IGNORED_ARGUMENTS: Mapping[str, Any] = {
    "inplace": ...,
    "_stacklevel": ...,
    "memory_format": ...,
    "training": ...,
    "dtype": None,
    "out": ...,  # who reads it later reads the result
    "device": ...,
    "layout": ...,
    "requires_grad": ...,
    "pin_memory": ...,
    "return_indices": False,
    "divisor_override": None,
    "rounding_mode": None,
    "alpha": 1,
}


def bind_arguments(
    form: OperatorSchema, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Return the operands and the fields of a call. Raises `UnsupportedOperation` for arguments without a field."""
    named = dict(kwargs)
    operands = list(args[: form.operand_count])
    named.pop("_stacklevel", None)
    for name in ("input", "other", "tensors")[len(operands) : form.operand_count]:
        if name in named:
            operands.append(named.pop(name))
    if form.takes_list:
        operands = list(named.pop("tensors")) if "tensors" in named else list(operands[0])
    rest = args[form.operand_count :]
    if form.is_variadic and len(rest) > 1:
        rest = (rest,)
    names = [name for name, _, _ in form.fields]
    if len(rest) > len(names):
        raise UnsupportedOperation(f"{form.kind} has no parameter for {rest[len(names)]!r}")
    named |= dict(zip(names, rest, strict=False))
    return operands, dict(_non_default_fields(form, named))


def _non_default_fields(form: OperatorSchema, named: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields that differ from the language's defaults."""
    for name, torch_default, default in form.fields:
        value = named.pop(name, torch_default)
        if value is REQUIRED:
            raise UnsupportedOperation(f"{form.kind} needs {name}, which the call leaves out", f"give {name}")
        if default is REQUIRED or value != default:
            yield name, value
    for name, value in named.items():
        if name not in IGNORED_ARGUMENTS or IGNORED_ARGUMENTS[name] not in (..., value):
            raise UnsupportedOperation(f"{form.kind} has no {name}", f"leave {name} out")
