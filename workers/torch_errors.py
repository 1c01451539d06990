"""Translation of torch's errors into those of the service."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch._dynamo.exc import TorchDynamoException

from app.errors import BuildError, DataError, OutOfMemory, TrainingError, first_line
from workers.network.runtime.tree_levels import TreeError
from workers.torch_setup import is_out_of_memory


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
        raise TrainingError(first_line(error), pointer="/model") from error


def out_of_memory_error(error: BaseException) -> OutOfMemory:
    """Return the error that an attempt ends with when `error` says that memory ran out."""
    hint = "use a smaller batch_size, with accumulate"
    return OutOfMemory(f"out of memory: {first_line(error)}", pointer="/training/batch_size", hint=hint)
