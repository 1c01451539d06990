import pytest
import torch

from app.errors import BuildError
from workers.training.devices import Precision, max_resident_bytes, seed_step, select_device, set_determinism

CPU = torch.device("cpu")


def test_auto_is_the_best_there_is() -> None:
    assert select_device("auto").type in ("cuda", "mps", "cpu")
    assert select_device("cpu") == CPU


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_missing_device_is_an_error_with_a_hint(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert select_device("auto") == CPU
    with pytest.raises(BuildError, match=f"no {name} device") as caught:
        select_device(name)
    assert caught.value.pointer == "/training/device"
    assert '"cpu"' in caught.value.hint


def test_a_steps_stream_starts_anew() -> None:
    seed_step(5, CPU)
    first = torch.rand(3)
    torch.rand(100)
    seed_step(5, CPU)
    assert torch.rand(3).equal(first)


@pytest.mark.parametrize("deterministic", [True, False])
def test_determinism_is_set_both_ways(deterministic: bool) -> None:
    set_determinism(deterministic)
    assert torch.are_deterministic_algorithms_enabled() == deterministic
    set_determinism(False)


@pytest.mark.parametrize(("name", "dtype"), [("float32", torch.float32), ("bf16", torch.bfloat16)])
def test_precision_is_that_of_the_forward_pass(name: str, dtype: torch.dtype) -> None:
    precision = Precision(CPU, name)
    forward = precision.autocast(lambda inputs: {"y": inputs["x"] @ inputs["x"]})
    assert forward({"x": torch.ones(2, 2)})["y"].dtype == dtype
    assert precision.scaler() is None


def test_fp16_needs_a_gpu() -> None:
    with pytest.raises(BuildError, match="fp16 needs a GPU"):
        Precision(CPU, "fp16").scaler()
    assert max_resident_bytes(CPU) > 0
