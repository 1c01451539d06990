from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.errors import BuildError
from app.spec.objective import LOSS_CLASSES, NUMBER_LOSSES
from workers.training.losses import LOSSES, build_loss
from workers.training.metrics import DECISIONS


def spec(kind: str, **settings: Any) -> Any:
    return LOSS_CLASSES[kind].model_validate({"kind": kind, **settings})


def test_language_and_workers_know_the_same_kinds() -> None:
    assert LOSSES.keys() == LOSS_CLASSES.keys()
    assert LOSSES.keys() >= NUMBER_LOSSES
    assert DECISIONS.keys() <= LOSSES.keys() - NUMBER_LOSSES


def example(kind: str) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(6, 3, generator=generator)
    if kind in ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"):
        return output.log_softmax(1), torch.tensor([0, 1, 2, 0, 1, 2], dtype=torch.int32)
    if kind == "BCELoss":
        return output.sigmoid(), (output > 0).to(torch.int64)
    return output, (output.roll(1) > 0).to(torch.float64)


@pytest.mark.parametrize("kind", LOSSES)
def test_every_kind_gives_a_scalar_with_a_gradient(kind: str) -> None:
    output, target = example(kind)
    output = output.detach().requires_grad_()
    objective = build_loss(spec(kind))
    loss = objective({"y": output}, objective.cast(target))
    loss.backward()
    assert loss.shape == ()
    assert loss.dtype == torch.float32
    assert output.grad is not None
    assert output.grad.isfinite().all()


@pytest.mark.parametrize("kind", LOSSES)
def test_a_sum_is_told_from_a_mean(kind: str) -> None:
    output, target = example(kind)
    summed = build_loss(spec(kind, reduction="sum"))
    assert summed.summed
    assert not build_loss(spec(kind)).summed
    one, two = summed({"y": output}, summed.cast(target)), build_loss(spec(kind))({"y": output}, summed.cast(target))
    assert not torch.isclose(one, two)


def test_cross_entropy_takes_probabilities_too() -> None:
    objective = build_loss(spec("CrossEntropyLoss"))
    output = torch.randn(4, 3)
    hard = torch.tensor([0, 1, 2, 0])
    soft = torch.nn.functional.one_hot(hard, 3).double()
    assert objective.cast(soft).dtype == torch.float32
    assert torch.isclose(objective({"y": output}, hard), objective({"y": output}, objective.cast(soft)))


def test_a_column_and_a_vector_are_the_same() -> None:
    objective = build_loss(spec("MSELoss"))
    output, target = torch.arange(4.0).unsqueeze(1), torch.arange(4.0)
    assert objective({"y": output}, target) == 0


def test_unlike_shapes_are_a_build_error_and_never_broadcast() -> None:
    with pytest.raises(BuildError, match=r"\[10, 2\] with targets of \[10, 3\]"):
        build_loss(spec("MSELoss"))({"y": torch.zeros(10, 2)}, torch.zeros(10, 3))
    with pytest.raises(BuildError, match="compares"):
        build_loss(spec("MSELoss"))({"y": torch.zeros(10, 1)}, torch.zeros(10, 3))


def test_the_named_output_is_compared() -> None:
    outputs = {"first": torch.zeros(2, 1), "second": torch.ones(2, 1)}
    assert build_loss(spec("MSELoss"), "second")(outputs, torch.ones(2)) == 0
    assert build_loss(spec("MSELoss"))(outputs, torch.ones(2)) == 1


def test_weights_are_tensors() -> None:
    objective = build_loss(spec("CrossEntropyLoss", weight=[1, 2, 3], ignore_index=1))
    assert isinstance(objective.loss, nn.CrossEntropyLoss)
    assert objective.loss.weight is not None
    assert objective.loss.weight.tolist() == [1, 2, 3]


COUNTED: dict[str, dict[str, Any]] = {
    "classes": {}, "ignored": {"ignore_index": 1}, "weights": {"weight": [0.2, 1.0, 3.0]},
    "weights, ignored": {"weight": [0.2, 1.0, 3.0], "ignore_index": 2}, "a class of no weight": {"weight": [0, 1, 2]},
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize("kind", ["CrossEntropyLoss", "smoothed", "NLLLoss"])
@pytest.mark.parametrize("shape", [(), (4,)], ids=["examples", "tokens"])
def test_a_mean_is_put_together_from_parts(kind: str, name: str, shape: tuple[int, ...]) -> None:
    smoothing = {"label_smoothing": 0.2} if kind == "smoothed" else {}
    objective = build_loss(spec("CrossEntropyLoss" if smoothing else kind, **COUNTED[name], **smoothing))
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(11, 3, *shape, generator=generator).log_softmax(1)
    target = torch.randint(0, 3, (11, *shape), generator=generator)
    target[:4] = objective.ignored  # the first part counts nothing
    parts = [(output[start : start + 4], target[start : start + 4]) for start in range(0, 11, 4)]
    assert objective.counts(target)
    assert objective.uneven(target, 1)
    total = torch.stack([objective.numerator({"y": scores}, truth) for scores, truth in parts]).sum()
    count = torch.stack([objective.denominator(truth) for _, truth in parts]).sum()
    assert torch.isclose(total / count, objective({"y": output}, target))
    assert objective.numerator({"y": parts[0][0]}, parts[0][1]) == objective.denominator(parts[0][1]) == 0


def test_only_what_may_count_unlike_is_counted() -> None:
    target = torch.tensor([0, 1, 2, 0])
    plain, weighed = build_loss(spec("CrossEntropyLoss")), build_loss(spec("NLLLoss", weight=[1, 2, 3]))
    assert not plain.uneven(target, 4)
    assert plain.uneven(torch.tensor([0, -100]), 1)
    assert not weighed.uneven(target, 1)
    assert weighed.uneven(target, 2)
    assert not plain.counts(torch.ones(2, 3))  # probabilities: every row counts once
    assert not build_loss(spec("CrossEntropyLoss", reduction="sum")).counts(target)
    assert not build_loss(spec("MSELoss")).uneven(target, 4)


def test_half_precision_is_left_before_the_loss() -> None:
    objective = build_loss(spec("BCELoss"))
    assert objective({"y": torch.full((2, 1), 0.5, dtype=torch.bfloat16)}, torch.ones(2)).dtype == torch.float32
