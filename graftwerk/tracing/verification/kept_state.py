"""What a network of the language cannot have: state kept from one forward to the next, and memory that is shared."""

import random
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from graftwerk.errors import Obstacle
from graftwerk.tracing.recording.example_inputs import to_device
from graftwerk.tracing.recording.locations import forward_location
from graftwerk.tracing.recording.module_state import preserve_module, training_mode
from graftwerk.tracing.recording.symbolic_trace import make_obstacle

Module = Any  # torch.nn.Module
TABLES = frozenset({"_parameters", "_buffers", "_modules", "training"})
SEED = 20240607
CHANGING = "{name} is another after each forward, which a network of the language cannot keep"
CHANGING_HINT = "keep counters, states and generators of random numbers out of forward"
SHARED = "{one} and {other} are two tensors in the same memory, which training would change together"
SHARED_HINT = "make them one: module.a.weight = module.b.weight, not .data"


def kept_state(module: Module, inputs: tuple[Any, ...]) -> list[Obstacle]:
    """Return an obstacle for each attribute that a second forward in training, of the same inputs, changes again."""
    torch = import_module("torch")
    try:
        with preserve_module(module), training_mode(module, training=True):
            for _ in range(2):
                before = _state(module)
                torch.manual_seed(SEED)
                module(*to_device(module, [each.clone() for each in inputs]))
            after = _state(module)
    except Exception:  # of the user's own code on a second call, which the comparison tells
        return []
    owners = dict(module.named_modules())
    changed = [(path, name) for path, name in after if before.get((path, name)) != after[path, name]]
    return [
        make_obstacle(
            name, forward_location(owners[path]), CHANGING.format(name=f"{path}.{name}".strip(".")), CHANGING_HINT
        )
        for path, name in changed
    ]


def shared_memory(module: Module) -> list[Obstacle]:
    """Return an obstacle for each parameter whose memory another parameter or a buffer has too."""
    found: list[Obstacle] = []
    extents = [(name, each, *_extent(each)) for name, each in module.named_parameters()]
    others = [*extents, *((name, each, *_extent(each)) for name, each in module.named_buffers())]
    for place, (name, each, first, last) in enumerate(extents):
        for other, tensor, start, end in others[place + 1 :]:
            if tensor is not each and tensor.device == each.device and first < end and start < last:
                detail = SHARED.format(one=name, other=other)
                found.append(make_obstacle(other, forward_location(module), detail, SHARED_HINT))
    return found


def _extent(tensor: Any) -> tuple[int, int]:
    """Return the addresses of a tensor's first byte, and after its last one."""
    if not tensor.numel() or tensor.is_meta:
        return 0, 0
    span = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True)) + 1
    return tensor.data_ptr(), tensor.data_ptr() + span * tensor.element_size()


def _state(module: Module) -> dict[tuple[str, str], Any]:
    return {
        (path, name): _fingerprint(value)
        for path, part in module.named_modules()
        for name, value in vars(part).items()
        if name not in TABLES
    }


def _fingerprint(value: Any) -> Any:
    """Return what tells whether a value has changed; the same for values that cannot be compared."""
    if isinstance(value, Mapping):
        return tuple((repr(key), _fingerprint(each)) for key, each in value.items())
    if isinstance(value, tuple | list):
        return tuple(map(_fingerprint, value))
    return _plain_fingerprint(value)


def _plain_fingerprint(value: Any) -> Any:
    torch, numpy = import_module("torch"), sys.modules.get("numpy")
    if isinstance(value, bool | int | float | complex | str | bytes) or value is None:
        return repr(value)
    if isinstance(value, torch.Tensor):
        return _bytes_of(value)
    if isinstance(value, random.Random):
        return hash(value.getstate())
    if isinstance(value, torch.Generator):
        return _bytes_of(value.get_state())
    if numpy is not None and isinstance(value, numpy.random.Generator):
        return repr(value.bit_generator.state)
    return type(value).__name__


def _bytes_of(tensor: Any) -> Any:
    values = tensor.detach().cpu()
    return tuple(values.shape), str(values.dtype), values.flatten().tolist()
