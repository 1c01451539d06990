"""Statistics change no bit of a training, and take nothing where they are off."""

from typing import Any

import pytest
from torch import nn

from tests.workers.training.harness import MLP, TrainingHarness, digits_job
from tests.workers.training.statistics.test_reference import CASES, CNN
from workers.training.statistics.observation import Observation
from workers.training.statistics.sampler import StatisticsSampler


@pytest.mark.parametrize("name", CASES)
def test_a_training_ends_with_the_same_bits(laboratory: TrainingHarness, name: str) -> None:
    layers, plan = CASES[name]
    training = {"steps": 8, "evaluate": {"every_steps": 3}} | plan
    on = laboratory.run(digits_job(layers, training=training | {"statistics": {"every_steps": 1}}))
    off = laboratory.run(digits_job(layers, training=training | {"statistics": False}))
    assert on.samples()
    assert not off.samples()
    assert on.weights() == off.weights()
    assert on.points("train/loss") == off.points("train/loss")
    assert on.points("val/loss") == off.points("val/loss")


@pytest.mark.parametrize("kind", ["LBFGS", "Adagrad", "Rprop"])
def test_whatever_the_optimizer(laboratory: TrainingHarness, kind: str) -> None:
    plan = {"steps": 4, "optimizer": {"kind": kind}}
    runs = [laboratory.run(digits_job(training=plan | {"statistics": s})) for s in ({"every_steps": 1}, False)]
    assert runs[0].weights() == runs[1].weights()


def test_between_samples_the_network_and_the_update_are_the_usual_ones(laboratory: TrainingHarness) -> None:
    prepared = laboratory.prepare(digits_job(training={"statistics": {"every_steps": 2}}))
    plan, rules = prepared.network._plan, prepared.training_step.rules
    sampler = StatisticsSampler(prepared.state, prepared.plan)
    for step in (1, 2, 4):
        assert sampler.due == step
        sampler.run(prepared.training_step, prepared.state, prepared.state.source.batches(0))
        assert prepared.network._plan is plan
        assert prepared.training_step.rules is rules
        assert sampler.take(prepared.training_step, {}) is not None
    assert not any(module._forward_hooks for module in prepared.network.modules())


def test_a_step_that_fails_leaves_nothing_behind(laboratory: TrainingHarness) -> None:
    prepared = laboratory.prepare(digits_job())
    plan, rules = prepared.network._plan, prepared.training_step.rules
    sampler = StatisticsSampler(prepared.state, prepared.plan)
    with pytest.raises(KeyError):
        sampler.run(prepared.training_step, prepared.state, [({}, None, None)])  # type: ignore[list-item]
    assert (prepared.network._plan, prepared.training_step.rules) == (plan, rules)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("out of memory"), ValueError("a fault")])
@pytest.mark.parametrize("method", ["add", "before", "after"])
def test_a_fault_in_measuring_costs_the_sample_alone(
    laboratory: TrainingHarness, monkeypatch: pytest.MonkeyPatch, error: Exception, method: str
) -> None:
    from workers.training.statistics.activations import ActivationStatistics
    from workers.training.statistics.parameters import ParameterStatistics

    def fail(*_: Any) -> None:
        raise error

    whole = laboratory.run(digits_job(training={"statistics": False}))
    monkeypatch.setattr(ActivationStatistics if method == "add" else ParameterStatistics, method, fail)
    attempt = laboratory.run(digits_job(training={"statistics": {"every_steps": 40}}))
    assert attempt.samples() == []
    assert attempt.weights() == whole.weights()


def test_without_room_for_a_copy_there_is_no_update_ratio(
    laboratory: TrainingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.training.statistics.parameters import ParameterStatistics

    def fail(*_: Any) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(ParameterStatistics, "_trained", fail)
    (values,) = laboratory.run(digits_job(training={"steps": 1})).statistics().values()
    assert ("linear1", "grad_norm") in values
    assert ("linear1", "update_ratio") not in values


def test_a_compiled_network_is_compiled_once_and_not_opened(
    laboratory: TrainingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    whole = nn.Module.compile
    compiled: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    monkeypatch.setattr(nn.Module, "compile", lambda self: whole(self, backend=backend))  # without the long compilation
    counts, runs = [], []
    for statistics in ({"every_steps": 1}, False):
        torch.compiler.reset()
        compiled.clear()
        plan = {"steps": 5, "mode": "compiled", "statistics": statistics}
        runs.append(laboratory.run(digits_job(MLP, training=plan)))
        counts.append(len(compiled))
    assert counts[0] == counts[1]
    assert runs[0].weights() == runs[1].weights()
    quantities = {quantity for values in runs[0].statistics().values() for _, quantity in values}
    assert quantities == {"grad_norm", "weight_norm", "update_ratio"}


def test_histograms_can_be_left_out(laboratory: TrainingHarness) -> None:
    plan = {"steps": 4, "statistics": {"every_steps": 1, "histograms": False}}
    assert all(sample.histograms is None for sample in laboratory.run(digits_job(CNN, training=plan)).samples())
    assert Observation.__dataclass_fields__["histograms"]
