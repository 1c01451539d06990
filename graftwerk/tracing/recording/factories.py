"""Functions of torch that make tensors without reading one: recorded where that matters."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from typing import Any

# Functions that make tensors: recorded if a size is one that differs, or if they draw random numbers.
FACTORIES = (
    "arange",
    "zeros",
    "ones",
    "full",
    "empty",
    "linspace",
    "eye",
    "tril_indices",
    "triu_indices",
    "tensor",
    "as_tensor",
    "asarray",
)
PACKING = ("pack_padded_sequence", "pad_packed_sequence")
RANDOM_FACTORIES = ("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial")


@contextmanager
def recorded_factories(tracer: Any) -> Iterator[None]:
    """Let torch's functions that make tensors be recorded where they depend on a proxy, or are random."""
    torch, rnn = import_module("torch"), import_module("torch.nn.utils.rnn")
    before = {(torch, name): getattr(torch, name) for name in (*FACTORIES, *RANDOM_FACTORIES)}
    before |= {(rnn, name): getattr(rnn, name) for name in PACKING}
    for (owner, name), function in before.items():
        setattr(owner, name, _recorded(tracer, function, always=name in RANDOM_FACTORIES))
    apply = vars(torch.autograd.Function)["apply"]
    checkpoint: Any = import_module("torch.utils.checkpoint")
    generator, reentrant = checkpoint._checkpoint_without_reentrant_generator, checkpoint.CheckpointFunction
    torch.autograd.Function.apply = classmethod(_recorded_apply(tracer, apply.__func__, reentrant))
    checkpoint._checkpoint_without_reentrant_generator = _not_checkpointed
    try:
        yield
    finally:
        torch.autograd.Function.apply = apply
        checkpoint._checkpoint_without_reentrant_generator = generator
        for (owner, name), function in before.items():
            setattr(owner, name, function)


def _not_checkpointed(*args: Any, **kwargs: Any) -> Iterator[None]:
    """Let `torch.utils.checkpoint` call its function, which computes the same; it ends the process on proxies."""
    yield


def _recorded_apply(tracer: Any, apply: Callable[..., Any], checkpoint: type) -> Callable[..., Any]:
    """Return `torch.autograd.Function.apply`, which ends the process on proxies, so that it records an operation."""

    def call(owner: type, *args: Any, **kwargs: Any) -> Any:
        if owner is checkpoint and not tracer.runner.is_running:
            return args[0](*args[2:])  # function, whether it keeps the state of random numbers, arguments

        @wraps(owner, updated=())
        def run(*args: Any, **kwargs: Any) -> Any:
            return apply(owner, *args, **kwargs)

        return _recorded(tracer, run, always=False)(*args, **kwargs)

    return call


def _recorded(tracer: Any, function: Callable[..., Any], always: bool) -> Callable[..., Any]:
    fx = import_module("torch.fx")

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        found: list[Any] = []
        fx.node.map_aggregate((args, kwargs), lambda each: found.append(each) if isinstance(each, fx.Proxy) else None)
        if tracer.runner.is_running or not (always or found):
            return function(*args, **kwargs)
        return tracer.create_proxy("call_function", function, args, kwargs)

    return call
