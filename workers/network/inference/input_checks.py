"""Checks of a node's inputs, and the sizes that follow from them.

The batch dimension of meta tensors has the size `SYMBOLIC_BATCH_SIZE`: a prime that no real size equals by accident, so
that it is recognised wherever an operation moves it. The square, in bytes, still fits into 64 bits.
"""

import json
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from workers.network.blueprint import Parameters
from workers.network.kinds.module_kind import ModuleKind
from workers.network.kinds.modules import MODULES

SYMBOLIC_BATCH_SIZE = 16_769_023
META = torch.device("meta")


class NodeError(Exception):
    """A node does not fit its inputs. `field` is the parameter at fault, empty for the node itself.

    `others` are further mistakes of the same node.
    """

    def __init__(self, detail: str, hint: str = "", *, field: str = "", code: str = "shape_mismatch") -> None:
        self.detail, self.hint, self.field, self.code = detail, hint, field, code
        self.others: tuple[NodeError, ...] = ()
        super().__init__(detail)


# Parameter → (input, dimension of it, noun for its size).
INFERRED_SIZES: Mapping[str, tuple[int, int, str]] = {
    "in_features": (0, -1, "features"),
    "in1_features": (0, -1, "features in the first input"),
    "in2_features": (1, -1, "features in the second input"),
    "in_channels": (0, 1, "channels"),
    "num_features": (0, 1, "channels"),
    "num_channels": (0, 1, "channels"),
    "normalized_shape": (0, -1, "features"),
    "embed_dim": (0, -1, "features"),
    "d_model": (0, -1, "features"),
    "input_size": (0, -1, "features"),
}

# Parameter → parameters that must be multiples of it.
DIVISOR_OF: Mapping[str, tuple[str, ...]] = {
    "groups": ("in_channels", "out_channels"),
    "num_groups": ("num_channels",),
    "num_heads": ("embed_dim",),
    "nhead": ("d_model",),
}

MAX_LISTED_DIVISOR = 64
INDEX_DTYPES = (torch.int64, torch.int32)
INTEGER_DTYPES = (*INDEX_DTYPES, torch.uint8)
RANK_INCREASING_KINDS = frozenset({"stack", "unsqueeze"})  # their `dim` is one of the output


def describe_shape(shape: Sequence[int]) -> str:
    """Return a shape in words: "20x4x4 per example", "one number per example", "10x3" and "2Nx3" (without a batch)."""
    batched = bool(shape) and shape[0] == SYMBOLIC_BATCH_SIZE
    inner = "x".join(map(_describe_size, shape[1:] if batched else shape))
    return (inner or "one number") + (" per example" if batched else "")


def _describe_size(size: int) -> str:
    """Return a size in words: 8, or 2N of twice the batch size."""
    batches, rest = divmod(size, SYMBOLIC_BATCH_SIZE)
    return str(size) if rest or not batches else f"{batches if batches > 1 else ''}N"


def describe_tensor(value: Tensor) -> str:
    """Return shape and dtype in words: "4x6 per example of float32"."""
    return f"{describe_shape(value.shape)} of {str(value.dtype).removeprefix('torch.')}"


def resolve_parameters(name: str, row: ModuleKind, parameters: Parameters, inputs: Sequence[Tensor]) -> dict[str, Any]:
    """Return the parameters with inferred sizes. `name` is the node's id, for messages. Raises `NodeError`."""
    inputs = inputs[: len(inputs) - len(row.named_inputs(parameters))]
    check_dtypes(name, row.accepts, check_lengths(name, row.lengths_index, inputs))
    check_contradictions(name, parameters, len(inputs) > row.lengths_index > 0)
    if row.dimensions and inputs[0].ndim not in row.dimensions:
        hint = _dimension_hint(name, row, inputs[0].shape)
        raise NodeError(f"{name} expects {row.input_description} but receives {describe_shape(inputs[0].shape)}", hint)
    resolved = dict(parameters)
    for field in INFERRED_SIZES.keys() & resolved.keys():
        resolved[field] = _size(name, field, resolved[field], inputs)
    for field in DIVISOR_OF.keys() & resolved.keys():
        for other in [other for other in DIVISOR_OF[field] if other in resolved]:
            if resolved[other] % resolved[field]:
                detail = f"{other} of {name} is {resolved[other]}, which {field} {resolved[field]} does not divide"
                raise NodeError(detail, _divisors_hint(resolved[other]), field=field)
    if "kernel_size" in resolved and not resolved.keys() & {"output_padding", "output_size"}:
        _check_kernel(name, resolved, inputs[0].shape)
    return resolved


def _divisors_hint(size: int) -> str:
    divisors = [each for each in range(1, min(size, MAX_LISTED_DIVISOR) + 1) if size % each == 0]
    return f"use {' or '.join(map(str, divisors))}"


def check_lengths(name: str, place: int, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """Check the optional lengths of sequences at index `place`, and return the other inputs. Raises `NodeError`."""
    for position, value in enumerate(inputs[1:place], start=1):
        if value.shape == (SYMBOLIC_BATCH_SIZE,) and value.dtype in INTEGER_DTYPES:
            hint = "give query, key and value before it" if place == 3 else "put the other inputs before it"
            raise NodeError(f"{name} reads lengths as its input {place}", hint, field=f"inputs/{position}")
    if not 0 < place < len(inputs):
        return inputs
    lengths = inputs[place]
    if lengths.shape != (SYMBOLIC_BATCH_SIZE,) or lengths.dtype not in INTEGER_DTYPES:
        detail = f"the lengths of {name} are {describe_shape(lengths.shape)} of {str(lengths.dtype)[6:]}"
        raise NodeError(detail, "use one integer per example", field=f"inputs/{place}")
    return inputs[:place]


# Parameter → masks that say of the same pairs or steps, so that one of the two would be without effect.
MASKS_INSTEAD: Mapping[str, tuple[str, ...]] = {
    "lengths": ("key_padding_mask", "src_key_padding_mask", "memory_key_padding_mask"),
    "is_causal": ("attn_mask", "mask", "tgt_mask"),
}


def check_contradictions(name: str, parameters: Parameters, has_lengths: bool) -> None:
    """Check that no mask is given beside lengths or `is_causal` that say of the same. Raises `NodeError`."""
    causal = MASKS_INSTEAD["is_causal"] if "tgt_mask" in parameters else (*MASKS_INSTEAD["is_causal"], "src_mask")
    for what, masks in (("lengths", MASKS_INSTEAD["lengths"]), ("is_causal", causal)):
        given = [mask for mask in masks if parameters.get(mask) is not None]
        if given and (has_lengths if what == "lengths" else parameters.get("is_causal")):
            detail = f"{name} has {what} and {given[0]}, which hide the same values"
            raise NodeError(
                detail, "keep one of them, or join two masks by logical_or", field=given[0], code="contradiction"
            )


def check_dtypes(name: str, accepts: str, inputs: Sequence[Tensor]) -> None:
    """Check the dtypes of the inputs against `accepts` of a row. Raises `NodeError`."""
    for value in inputs:
        dtype = str(value.dtype).removeprefix("torch.")
        if accepts == "integer" and value.dtype not in INDEX_DTYPES:
            hint = "use a column of integers, or a Linear layer for floats"
            raise NodeError(f"{name} looks up integers but receives {dtype}", hint, code="dtype_mismatch")
        if accepts == "float" and value.dtype != torch.float32:
            layer: dict[str, object] = {"kind": "to", "dtype": "float32"}
            if value.dtype in INDEX_DTYPES:
                layer = {"kind": "Embedding", "embedding_dim": 8}
            hint = f"insert {json.dumps(layer)} before {name}"
            raise NodeError(f"{name} expects float32 but receives {dtype}", hint, code="dtype_mismatch")
        if accepts == "number" and value.dtype == torch.bool:
            detail = f"{name} computes with numbers but receives bool"
            raise NodeError(detail, "store the column as float32", code="dtype_mismatch")


def check_dimension(name: str, kind: str, parameters: Parameters, inputs: Sequence[Tensor]) -> None:
    """Check that the first input has the dimensions `dim`, which torch does not always do on the meta device."""
    if parameters.get("dim") is None:
        return
    limit = max(1, inputs[0].ndim) + (kind in RANK_INCREASING_KINDS)
    for dimension in to_tuple(parameters["dim"], 1):
        if not -limit <= dimension < limit:
            detail = f"{name} works along dimension {dimension} but receives {describe_shape(inputs[0].shape)}"
            hint = f"use -{limit} to {limit - 1}; dimension 0 is the batch"
            raise NodeError(detail, hint, field="dim")


def check_cutoffs(name: str, parameters: Parameters) -> None:
    """Check that the cutoffs of classes lie among them, and that every projection has a size. Raises `NodeError`."""
    cutoffs = parameters.get("cutoffs", ())
    if cutoffs and cutoffs[-1] >= parameters["n_classes"]:
        detail = f"the last of the cutoffs of {name} is {cutoffs[-1]}, but it has {parameters['n_classes']} classes"
        raise NodeError(detail, f"use 1 to {parameters['n_classes'] - 1}", field="cutoffs", code="invalid_value")
    width = float(parameters["in_features"]) if cutoffs else 1.0
    for _ in cutoffs:
        width /= parameters["div_value"]
    if width < 1:
        detail = f"the last projection of {name} would have no size: {parameters['in_features']} features are divided "
        detail += f"by {parameters['div_value']:g} {len(cutoffs)} times"
        raise NodeError(detail, "use fewer cutoffs, or a smaller div_value", field="div_value", code="invalid_value")


def check_scalar(name: str, kind: str, parameters: Parameters, inputs: Sequence[Tensor]) -> None:
    """Check that integers can be combined with an integer `scalar`, whose value the meta device ignores."""
    scalar = parameters.get("scalar")
    if type(scalar) is not int or inputs[0].dtype.is_floating_point:
        return
    if kind in ("remainder", "fmod") and scalar == 0:
        detail = f"{name} divides integers by 0"
        raise NodeError(detail, "give another number", field="scalar", code="invalid_value")
    if kind == "pow" and scalar < 0:
        detail, hint = f"{name} cannot raise integers to the power {scalar}", f"{scalar}.0 converts them to floats"
        raise NodeError(detail, hint, field="scalar", code="invalid_value")


def _size(
    name: str, field: str, given: int | tuple[int, ...] | None, inputs: Sequence[Tensor]
) -> int | tuple[int, ...]:
    source, dimension, what = INFERRED_SIZES[field]
    shape = inputs[source].shape
    if isinstance(given, tuple):  # normalized_shape over several dimensions
        if tuple(shape[-len(given) :]) != given:
            detail = f"{name} normalises over {describe_shape(given)} but receives {describe_shape(shape)}"
            raise NodeError(detail, f"leave {field} out", field=field)
        return given
    place = dimension % len(shape) if shape else 0
    size = shape[place] if shape else SYMBOLIC_BATCH_SIZE
    if size == SYMBOLIC_BATCH_SIZE:
        detail = f"{name} expects {what} per example but receives {describe_shape(shape)}"
        raise NodeError(detail, f'insert {{"kind": "unsqueeze", "dim": 1}} before {name}')
    if given is not None and given != size:
        detail = f"{name} expects {given} {what} but receives {describe_shape(shape)}"
        raise NodeError(detail, _size_hint(name, field, given, size, shape), field=field)
    return size


def _size_hint(name: str, field: str, given: int, size: int, shape: Sequence[int]) -> str:
    inner = shape[1:]
    counts_channels = INFERRED_SIZES[field][1] == 1
    if counts_channels and len(inner) > 1 and inner[-1] == given:
        order = [0, len(inner), *range(1, len(inner))]
        return f'insert {{"kind": "permute", "dims": {order}}} before {name}: its channels come last'
    if field == "in_features" and len(inner) > 1:
        change = "" if prod(inner) == given else f" and set {field} to {prod(inner)}"
        return f'insert {{"kind": "Flatten"}} before {name}{change}, or leave {field} out'
    return f"set {field} to {size}, or leave it out"


def _dimension_hint(name: str, row: ModuleKind, shape: Sequence[int]) -> str:
    missing = min(row.dimensions) - len(shape)
    if row.input_text:  # features come last
        if missing > 0:
            return f'insert {{"kind": "unsqueeze", "dim": 1}} before {name}'
        squeezable = shape[1] == 1 and -missing == 1
        return (
            f'insert {{"kind": "squeeze", "dim": 1}} before {name}'
            if squeezable
            else (f'insert {{"kind": "Flatten", "start_dim": 2}} before {name}')
        )
    if missing > 0 and (len(shape) < 2 or (missing == 1 and len(shape) > 2)):
        return f'insert {{"kind": "unsqueeze", "dim": 1}} before {name}'
    if missing > 0:
        inner = _image_sizes(shape[1], min(row.dimensions) - 2)
        return (
            f'insert {{"kind": "Unflatten", "dim": 1, "unflattened_size": {inner}}} before {name}, or remove the '
            "Flatten if there is one"
        )
    other = f"{row.build.__name__[:-2]}{len(shape) - 2}d"
    return f'set "kind" to "{other}"' if other in MODULES else f'insert {{"kind": "Flatten"}} before {name}'


def _image_sizes(features: int, dimensions: int) -> list[int]:
    """Return channels and sides of an image, or its like, with so many values: one channel if the sides are equal."""
    side = round(features ** (1 / dimensions))
    return [1, *[side] * dimensions] if side**dimensions == features else [features, *[1] * dimensions]


def to_tuple(value: int | tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return one number per dimension, repeated if there is only one."""
    return tuple(value) if isinstance(value, tuple) else (value,) * count


def _check_kernel(name: str, resolved: Parameters, shape: Sequence[int]) -> None:
    given = resolved.get("padding", 0)
    if given == "same":
        return
    room = shape[2:]
    padding = to_tuple(0 if given == "valid" else given, len(room))
    kernel, dilation = to_tuple(resolved["kernel_size"], len(room)), to_tuple(resolved.get("dilation", 1), len(room))
    for size, width, border, spread in zip(room, kernel, padding, dilation, strict=True):
        if spread * (width - 1) + 1 > size + 2 * border:
            words = "x".join(map(str, kernel))
            detail = f"{name} has a kernel of {words} but receives {describe_shape(shape)}"
            hint = f"use at most {max(1, (size + 2 * border - 1) // spread + 1)}, or more padding"
            raise NodeError(detail, hint, field="kernel_size")
