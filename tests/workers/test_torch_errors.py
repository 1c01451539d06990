import pytest
import torch
from torch._dynamo.exc import BackendCompilerFailed

from app.errors import BuildError, DataError, NumericError, OutOfMemory, TrainingError, first_line
from workers.network.runtime.tree_levels import TreeError
from workers.torch_errors import SINGLE_VALUE_MESSAGES, translate_torch_errors
from workers.torch_setup import is_out_of_memory


@pytest.mark.parametrize(
    ("error", "kind", "pointer"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), OutOfMemory, "/training/batch_size"),
        (MemoryError(), OutOfMemory, "/training/batch_size"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 1 TB"),
            OutOfMemory,
            "/training/batch_size",
        ),
        (BackendCompilerFailed(lambda: None, RuntimeError("no C++ compiler"), None), BuildError, "/training/mode"),
        (BackendCompilerFailed(lambda: None, ValueError(SINGLE_VALUE_MESSAGES[0]), None), TrainingError, "/model"),
        (TreeError("it has two parents", 1, 3), DataError, "/data"),
        (IndexError("Target 12 is out of bounds."), DataError, "/data"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied (8x3 and 4x2)\nmore"), TrainingError, "/model"),
        (ValueError("Expected more than 1 value per channel when training"), TrainingError, "/model"),
    ],
)
def test_torchs_errors_become_ours(error: Exception, kind: type[TrainingError], pointer: str) -> None:
    with pytest.raises(TrainingError) as caught, translate_torch_errors():
        raise error
    assert type(caught.value) is kind
    assert caught.value.pointer == pointer
    assert caught.value.detail
    assert "\n" not in caught.value.detail
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [torch.AcceleratorError("CUDA error: uncorrectable ECC error"), NumericError(), OSError("disk"), KeyError("bug")],
)
def test_the_rest_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, translate_torch_errors():
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("bad size\nand a long story"), "bad size"),
        (ValueError("\n  bad size  \n"), "bad size"),
        (ValueError("  \n"), "ValueError"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_the_first_line_of_an_error_is_not_blank(error: Exception, line: str) -> None:
    assert first_line(error) == line


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("Expected memory format contiguous"), False),
    ],
)
def test_a_full_memory_is_known_by_what_torch_says(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
