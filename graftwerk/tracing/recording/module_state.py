"""Running a user's module without a trace: everything that forward may change is put back."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

Module = Any  # torch.nn.Module
TABLES = ("_parameters", "_buffers", "_modules")


@contextmanager
def preserve_module(module: Module) -> Iterator[None]:
    """Put back attributes, values and gradients of tensors, modes, and the state of torch's random numbers."""
    torch = import_module("torch")
    held = [value for part in module.modules() for value in vars(part).values() if isinstance(value, torch.Tensor)]
    tensors = {id(each): each for each in (*module.parameters(), *module.buffers(), *held)}
    saved = [
        (each, each.data, each.detach().clone(), each.grad if each.is_leaf else None, each.requires_grad)
        for each in tensors.values()
    ]
    dtype = torch.get_default_dtype()
    for tensor, _, _, gradient, _ in saved:
        if gradient is not None:
            tensor.grad = None  # a conversion of the module would convert it
    try:
        with preserve_attributes(module):
            yield
    finally:
        torch.set_default_dtype(dtype)
        for tensor, data, values, gradient, trained in saved:
            tensor.data = data
            with torch.no_grad():
                tensor.data.copy_(values)
            if tensor.is_leaf:
                tensor.grad = gradient
                tensor.requires_grad_(trained)


@contextmanager
def preserve_attributes(module: Module) -> Iterator[None]:
    """Put back the attributes of a module and of those in it, and the state of torch's random numbers."""
    attributes = [(part, dict(vars(part))) for part in module.modules()]
    tables = [(vars(part)[name], dict(vars(part)[name])) for part, _ in attributes for name in TABLES]
    try:
        with import_module("torch").random.fork_rng(devices=[]):
            yield
    finally:
        for part, before in attributes:
            vars(part).clear()
            vars(part).update(before)
        for table, before in tables:
            table.clear()
            table.update(before)


def python_random_state() -> tuple[Any, ...]:
    """Return the states of the random numbers of Python and numpy."""
    numpy = sys.modules.get("numpy")
    state = numpy.random.get_state() if numpy is not None else ("", (), 0)
    return random.getstate(), tuple(map(int, state[1])), state[2]


@contextmanager
def training_mode(module: Module, training: bool) -> Iterator[None]:
    """Switch the module and its submodules to a mode, and back afterwards."""
    before = {part: part.training for part in module.modules()}
    module.train(training)
    try:
        yield
    finally:
        for part, mode in before.items():
            part.training = mode
