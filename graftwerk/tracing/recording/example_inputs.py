"""Inputs on which a module runs: the user's, or found by trying; each in sizes that differ where the module allows."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import islice, product
from pathlib import Path
from types import FrameType
from typing import Any

from graftwerk.tracing.recording.module_state import training_mode

Module = Any  # torch.nn.Module
Tensor = Any  # torch.Tensor
MAX_TRIALS = 4000  # combinations of forms
MAX_FORMS = 64  # forms of one input that are tried
MAX_LENGTH = 64  # of buffers that inputs may have the length of
LENGTH = 7  # steps of a sequence
IMAGE_SIZES = (32, 28, 64, 16, 8, 224, 96, 48, 128, 256, 299, 12, 4)
SHAPE_ERRORS = (RuntimeError, IndexError, ValueError, AssertionError)  # of inputs that do not fit
ROWS = (2, 3, 5)  # of the examples: two for tracing, one more to verify


@dataclass(frozen=True)
class InputForm:
    """How an input looks: its shape without the batch, dtype, and the range of its values.

    `is_length`: lengths of sequences, sorted, the first of which is `high`.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    low: float = -1.0
    high: float = 1.0
    is_length: bool = False

    def draw(self, rows: int) -> Tensor:
        """Return random values (rows, *shape) from torch's generator."""
        torch = import_module("torch")
        if self.is_length:
            low, high = int(self.low), int(self.high)
            lengths = torch.randint(low, high + 1, (rows,)).sort(descending=True).values
            lengths[0] = high
            return lengths.to(getattr(torch, self.dtype))
        values = torch.rand(rows, *self.shape) * (self.high - self.low) + self.low
        if self.dtype.startswith(("float", "bfloat")):
            return values.to(getattr(torch, self.dtype))
        if self.dtype == "bool":
            return values > (self.low + self.high) / 2
        return torch.randint(int(self.low), int(self.high) + 1, (rows, *self.shape)).to(getattr(torch, self.dtype))


@dataclass(frozen=True)
class ExampleInputs:
    """Inputs (rows, *) of a module. Between the two sets of `traced` every size differs that may.

    `is_rank_certain`: the module does not run on inputs of another number of dimensions.
    """

    traced: tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
    verified: tuple[tuple[Tensor, ...], ...]
    is_rank_certain: bool = True
    are_sizes_fixed: bool = False  # all but the number of rows
    short: tuple[Tensor, ...] = ()  # where inputs are lengths: none is as long as the padded sequences


class ValueRead(Exception):
    """Python has read the value of a tensor."""


class NoExamples(Exception):
    """Forward runs on no inputs that were tried; `errors` are what it raised, first the user's own."""

    def __init__(self, errors: Sequence[Exception]) -> None:
        self.errors = sorted(errors, key=lambda each: isinstance(each, SHAPE_ERRORS))
        super().__init__("no inputs were found on which forward runs")


def find_examples(module: Module, names: Sequence[str], given: Sequence[Tensor] | None) -> ExampleInputs:
    """Return inputs on which the module runs. `given`: examples of the user. Raises `NoExamples`."""
    errors: list[Exception] = []
    if given is not None:
        if not _runs(module, given, errors):
            raise NoExamples(errors)
        forms = [_form_of(each) for each in given]
        examples = _vary(module, forms, rank_certain=True, given=given)
        return examples if _runs(module, forms) else fix_sizes(examples)
    proposals = [_input_proposals(module, name) for name in names]
    # Inputs of one rank are the likely ones.
    for found in sorted(islice(product(*proposals), MAX_TRIALS), key=_rank_spread):
        if _runs(module, found, errors):
            return _vary(module, list(found), _is_rank_certain(module, found))
    raise NoExamples(errors)


def _rank_spread(forms: Sequence[InputForm]) -> int:
    ranks = [len(form.shape) for form in forms if not form.is_length]
    return max(ranks, default=0) - min(ranks, default=0)


def fix_sizes(examples: ExampleInputs) -> ExampleInputs:
    """Return the examples with all sizes but the number of rows as in the first set."""
    first = examples.traced[0]
    torch = import_module("torch")
    others = [tuple(torch.cat([each, each])[: len(each) + more] for each in first) for more in (1, 2)]
    return replace(examples, traced=(first, others[0]), verified=(first, *others), are_sizes_fixed=True)


def _form_of(tensor: Tensor) -> InputForm:
    dtype = str(tensor.dtype).removeprefix("torch.")
    low, high = (float(tensor.min()), float(tensor.max())) if tensor.numel() else (0.0, 1.0)
    lengths = tensor.dim() == 1 and "int" in dtype and low >= 1 and tensor.tolist() == sorted(tensor.tolist())[::-1]
    return InputForm(tuple(tensor.shape[1:]), dtype, low, high, is_length=lengths)


def _vary(
    module: Module, forms: list[InputForm], rank_certain: bool, given: Sequence[Tensor] | None = None
) -> ExampleInputs:
    """Return examples of the forms, and of forms with other sizes on which the module runs too."""
    first = tuple(given) if given is not None else _draw(forms, ROWS[0])
    rows = [len(first[0]) if first else ROWS[0]]
    rows += [rows[0] + 1, rows[0] + 3]
    other = list(forms)
    for size in dict.fromkeys(size for form in forms for size in form.shape if size > 1):
        for changed in ((size + 1) // 2, 2 * size):
            trial = [_resized(form, size, changed) for form in forms]
            if changed > 1 and _runs(module, trial):
                merged = [_merged(old, new, form) for old, new, form in zip(other, trial, forms, strict=True)]
                other = merged if _runs(module, merged) else other
                break
    verified = (first, _draw(other, rows[1]), _draw(forms, rows[2]))
    short = _draw(list(map(_shortened, forms)), rows[0]) if any(form.is_length for form in forms) else ()
    return ExampleInputs((first, verified[1]), verified, rank_certain, are_sizes_fixed=other == forms, short=short)


def _shortened(form: InputForm) -> InputForm:
    return replace(form, high=max(1, form.high - 2), low=1) if form.is_length else form


def _resized(form: InputForm, size: int, changed: int) -> InputForm:
    shape = tuple(changed if each == size else each for each in form.shape)
    high = changed if form.is_length and form.high == size else form.high
    return replace(form, shape=shape, high=high, low=min(form.low, high) if form.is_length else form.low)


def _merged(old: InputForm, new: InputForm, base: InputForm) -> InputForm:
    """Return `old` with the sizes in which `new` differs from `base`."""
    shape = tuple(n if n != b else o for o, n, b in zip(old.shape, new.shape, base.shape, strict=True))
    return replace(new if new.high != base.high else old, shape=shape)


def _draw(forms: Sequence[InputForm], rows: int) -> tuple[Tensor, ...]:
    return tuple(form.draw(rows) for form in forms)


def _runs(
    module: Module, inputs: Sequence[InputForm] | Sequence[Tensor], errors: list[Exception] | None = None
) -> bool:
    """Return whether the module's forward accepts such inputs, or goes as far as to read their values."""
    torch = import_module("torch")
    try:
        with training_mode(module, training=False), torch.no_grad(), _value_guard():
            for rows in ROWS[:2]:
                values = [each.draw(rows) if isinstance(each, InputForm) else each for each in inputs]
                module(*to_device(module, [each.clone() for each in values]))
    except ValueRead:
        return True
    except Exception as error:  # whatever the user's code raises for inputs that do not fit
        if errors is not None and len(errors) < MAX_FORMS:
            errors.append(error)
        return False
    return True


def to_device(module: Module, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return the inputs on the device of the module's first parameter."""
    parameter = next(iter(module.parameters()), None)
    return tuple(inputs) if parameter is None else tuple(each.to(parameter.device) for each in inputs)


def _value_guard() -> Any:
    """Return a mode that raises `ValueRead` where user code reads the value of a tensor, before it can loop on it."""
    torch = import_module("torch")
    mode = import_module("torch.overrides").TorchFunctionMode
    folder = str(Path(torch.__file__ or "").parent) + os.sep
    reads = {getattr(torch.Tensor, name) for name in ("__bool__", "__int__", "__float__", "item", "tolist")}

    class Guard(mode):  # type: ignore[misc, valid-type]
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func in reads and not _caller(sys._getframe(1), __file__).startswith(folder):
                raise ValueRead
            return func(*args, **(kwargs or {}))

    return Guard()


def _caller(frame: FrameType | None, own: str) -> str:
    while frame is not None and frame.f_code.co_filename == own:
        frame = frame.f_back
    return frame.f_code.co_filename if frame is not None else ""


def _is_rank_certain(module: Module, forms: Sequence[InputForm]) -> bool:
    """Return whether the module refuses inputs with one more dimension."""
    for place, form in enumerate(forms):
        larger = replace(form, shape=(LENGTH, *form.shape))
        if not form.is_length and _runs(module, [*forms[:place], larger, *forms[place + 1 :]]):
            return False
    return True


def _input_proposals(module: Module, name: str) -> list[InputForm]:
    """Return forms to try for an input, the likely first."""
    lengths_of_buffers = dict.fromkeys(
        size for each in module.buffers() for size in each.shape if 1 < size <= MAX_LENGTH
    )
    forms = [form for part in module.modules() for form in _part_forms(part, list(lengths_of_buffers)[:4])]
    lengths = InputForm((), "int64", 1, LENGTH, is_length=True)
    mask = [InputForm((LENGTH,), "bool"), InputForm((LENGTH, LENGTH), "bool")]
    first = [lengths] if "len" in name.lower() else mask if "mask" in name.lower() else []
    plain = [InputForm(shape) for shape in ((8,), (LENGTH, 8), (3, 8, 8), (4,), (3,), (2,), (6,), (16,), (1, 8, 8))]
    whole = [InputForm((LENGTH,), "int64", 0, 2), InputForm((), "int64", 0, 2), InputForm(())]
    return list(dict.fromkeys([*first, *forms, *plain, *whole, lengths, *mask]))[:MAX_FORMS]


def _part_forms(part: Module, lengths: Sequence[int]) -> Iterator[InputForm]:
    """Yield the forms of inputs that a module can read first. `lengths`: sizes of buffers, which inputs may share."""
    name, own = type(part).__name__, dict(part.named_parameters(recurse=False))
    if name.startswith("Embedding") and "weight" in own:
        high = len(own["weight"]) - 1
        yield InputForm((LENGTH,), "int64", 0, high)
        yield InputForm((), "int64", 0, high)
        yield from (InputForm((length,), "int64", 0, high) for length in lengths)
    for attribute, shapes in SIZED_INPUTS.items():
        width = getattr(part, attribute, None)
        if isinstance(width, int):
            yield from (InputForm(shape) for shape in shapes(width, name))
    normalized = getattr(part, "normalized_shape", None)
    if isinstance(normalized, tuple | list):
        yield InputForm((LENGTH, *normalized))
        yield InputForm(tuple(normalized))
    for tensor in own.values() if not list(part.children()) and "." not in name else ():
        yield from (InputForm((tensor.shape[dim],)) for dim in range(tensor.dim()))
        yield from (InputForm((LENGTH, tensor.shape[dim])) for dim in range(tensor.dim()))


def _channels(width: int, name: str) -> list[tuple[int, ...]]:
    sequences: list[tuple[int, ...]] = [(width, length) for length in (16, 32, 64, 128)]
    if name.endswith("1d"):
        return sequences
    if name.endswith("3d"):
        return [(width, size, size, size) for size in (8, 16, 32)]
    return [(width, size, size) for size in IMAGE_SIZES] if name.endswith("2d") else []


def _features(width: int, name: str) -> list[tuple[int, ...]]:
    images = [(channels, size, size) for channels in (1, 3) for size in IMAGE_SIZES if channels * size * size == width]
    pairs = [(LENGTH, width // LENGTH)] if width % LENGTH == 0 and width > LENGTH else []
    halves = [(width // 2,)] if width % 2 == 0 else []
    return [(width,), (LENGTH, width), *images, *pairs, *halves, (2, LENGTH, width)]


def _normalized(width: int, name: str) -> list[tuple[int, ...]]:
    return [(width,), (width, LENGTH), *_channels(width, name)[:3]]


# Attribute of a module → shapes of inputs whose width it is.
SIZED_INPUTS: Mapping[str, Any] = {
    "in_channels": _channels,
    "in_features": _features,
    "in1_features": _features,
    "input_size": lambda width, name: [(width,)] if name.endswith("Cell") else [(LENGTH, width), (width,)],
    "embed_dim": lambda width, name: [(LENGTH, width)],
    "num_features": _normalized,
    "num_channels": lambda width, name: [(width, LENGTH), (width, 8, 8)],
}
