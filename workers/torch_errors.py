"""Translation of torch's errors into those of the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

import torch
from torch import nn
from torch._dynamo.exc import TorchDynamoException

from app.errors import BuildError, DataError, OutOfMemory, TrainingError, first_line
from workers.network.blueprint import ResolvedNode
from workers.network.runtime.build import GraphModule
from workers.network.runtime.tree_levels import TreeError
from workers.torch_setup import is_out_of_memory

SINGLE_VALUE_MESSAGES = (  # of torch's layers that normalise
    "Expected more than 1 value per channel when training",
    "Expected more than 1 spatial element when training",
)
SINGLE_VALUE_HINT = (
    'use LayerNorm, which normalises every example by itself; "drop_last": true leaves out a last batch of one'
)


@contextmanager
def translate_torch_errors() -> Iterator[None]:
    """Raise a `TrainingError` in place of torch's errors; also a decorator.

    `torch.AcceleratorError` (a broken device) passes: it is not the job's fault, and the attempt is retried.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise out_of_memory_error(error) from error
    except torch.AcceleratorError:
        raise
    except TorchDynamoException as error:
        if (message := next((each for each in SINGLE_VALUE_MESSAGES if each in str(error)), None)) is not None:
            detail = f"a layer cannot normalise a single example: {message}"
            raise TrainingError(detail, pointer="/model", hint=SINGLE_VALUE_HINT) from error
        detail = f"the network cannot be compiled: {first_line(error)}"
        raise BuildError(detail, pointer="/training/mode", hint='use "mode": "eager"') from error
    except TreeError as error:
        hint = "children are indices of nodes of the same tree; every node has one parent, except the root"
        raise DataError(str(error), pointer="/data", hint=hint) from error
    except IndexError as error:  # a class, a token or a case beyond the end of a table
        hint = "compare the largest label, index or selector with the sizes in the network"
        raise DataError(first_line(error), pointer="/data", hint=hint) from error
    except (RuntimeError, ValueError) as error:
        if is_out_of_memory(error):
            raise out_of_memory_error(error) from error
        raise _network_error(error) from error


def _network_error(error: RuntimeError | ValueError) -> TrainingError:
    """Return the error that an attempt ends with, at the node that raised `error`, if it is a module."""
    found = _failed_module(error)
    if found is None:
        return TrainingError(first_line(error), pointer="/model")
    node, module = found
    detail, hint = first_line(error), ""
    if detail.startswith(SINGLE_VALUE_MESSAGES):
        detail = f"{node.id} ({node.kind}) cannot normalise a single example: {detail}"
        hint = 'use LayerNorm, or keep statistics with "track_running_stats": true'
        hint = SINGLE_VALUE_HINT if module.training else hint
    return TrainingError(detail, pointer=f"/model{node.pointer}", hint=hint)


def _failed_module(error: BaseException) -> tuple[ResolvedNode, nn.Module] | None:
    """Return the innermost node whose module raised an error; `None` if it was no module of a network."""
    graph, found = None, None
    for frame, _ in walk_tb(error.__traceback__):
        here = frame.f_locals.get("self")
        if isinstance(here, GraphModule):
            graph = here
        elif graph is not None and isinstance(here, nn.Module):
            nodes = {node.id: node for node in graph.blueprint.nodes}
            names = [name for name, module in graph.named_children() if module is here]
            found = (nodes[names[0]], here) if names else found
    return found


def out_of_memory_error(error: BaseException) -> OutOfMemory:
    """Return the error that an attempt ends with when `error` says that memory ran out."""
    hint = "use a smaller batch_size, with accumulate"
    return OutOfMemory(f"out of memory: {first_line(error)}", pointer="/training/batch_size", hint=hint)
