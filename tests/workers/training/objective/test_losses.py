from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.errors import BuildError
from app.spec.data.columns import Column
from app.spec.training.losses import LOSS_CLASSES, OUTPUT_LOSS, TORCH_LOSSES
from workers.data.columns import PreparedColumn, RaggedTensor
from workers.training.objective.losses import LOSSES, target_cast
from workers.training.objective.training_loss import TargetLoss, build_loss


def spec(kind: str, **settings: Any) -> Any:
    return LOSS_CLASSES[kind].model_validate({"kind": kind, **settings})


def test_language_and_workers_know_the_same_kinds() -> None:
    assert LOSSES.keys() == LOSS_CLASSES.keys() - {OUTPUT_LOSS}
    probable = {kind for kind, row in LOSSES.items() if row.to_probability is not None}
    assert probable == {kind for kind, row in TORCH_LOSSES.items() if row.gives_probabilities}
    assert probable == {kind for kind, row in TORCH_LOSSES.items() if row.task_type != "numbers"} - {"MultiMarginLoss"}
    binary = {kind for kind, row in TORCH_LOSSES.items() if row.task_type == "decisions"}
    assert binary >= {kind for kind, row in LOSSES.items() if row.threshold != 0 or row.target_values != (0, 1)}
    compares_classes = {kind for kind in TORCH_LOSSES if not LOSSES[kind].elementwise}
    assert compares_classes == {kind for kind, row in TORCH_LOSSES.items() if row.task_type == "classes"}
    assert {kind for kind in compares_classes if LOSSES[kind].divisible} == {"CrossEntropyLoss", "NLLLoss"}


@pytest.mark.parametrize("kind", [kind for kind, row in TORCH_LOSSES.items() if row.gives_probabilities])
@pytest.mark.parametrize("probability", [0.2, 0.7])
def test_a_loss_is_least_where_its_output_is_the_probability(kind: str, probability: float) -> None:
    row, steps = LOSSES[kind], torch.linspace(-5, 5, 2001).unsqueeze(1)
    if row.elementwise:
        outputs = steps.sigmoid() if kind == "BCELoss" else steps
        no, yes = (torch.full_like(steps, value) for value in row.target_values)
    else:
        outputs = torch.cat([-steps, steps], 1) / 2
        outputs = outputs.log_softmax(1) if kind == "NLLLoss" else outputs
        no, yes = (torch.full((len(steps),), code) for code in (0, 1))
    per_example = [
        torch.stack([build_loss(spec(kind)).loss(outputs[each : each + 1], target[each : each + 1]) for each in rows])
        for target, rows in ((no, range(len(steps))), (yes, range(len(steps))))
    ]
    risk = (1 - probability) * per_example[0] + probability * per_example[1]
    assert row.to_probability is not None
    best = row.to_probability(outputs[int(risk.argmin())])
    assert float(best[-1]) == pytest.approx(probability, abs=2e-3)


def loss_of(objective: TargetLoss, output: Tensor, target: Tensor) -> Tensor:
    return objective.batch_loss({"output": output}, {"target": target}, 1)


def cast(kind: str, target: PreparedColumn) -> Any:
    return target_cast(spec(kind), Column(name="y"))(target)


def example(kind: str) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(6, 3, generator=generator)
    if kind in ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"):
        return output.log_softmax(1), torch.tensor([0, 1, 2, 0, 1, 2], dtype=torch.int32)
    if kind == "BCELoss":
        return output.sigmoid(), (output > 0).to(torch.int64)
    return output, (output.roll(1) > 0).to(torch.float64)


@pytest.mark.parametrize("kind", TORCH_LOSSES)
def test_every_kind_gives_a_scalar_with_a_gradient(kind: str) -> None:
    output, target = example(kind)
    output = output.detach().requires_grad_()
    loss = loss_of(build_loss(spec(kind)), output, cast(kind, target))
    loss.backward()
    assert loss.shape == ()
    assert loss.dtype == torch.float32
    assert output.grad is not None
    assert output.grad.isfinite().all()


@pytest.mark.parametrize("kind", TORCH_LOSSES)
def test_a_sum_is_no_mean(kind: str) -> None:
    output, target = example(kind)
    summed = build_loss(spec(kind, reduction="sum"))
    assert summed.is_sum
    assert not build_loss(spec(kind)).is_sum
    target = cast(kind, target)
    one, two = loss_of(summed, output, target), loss_of(build_loss(spec(kind)), output, target)
    assert not torch.isclose(one, two)


def test_cross_entropy_takes_probabilities_too() -> None:
    objective = build_loss(spec("CrossEntropyLoss"))
    output = torch.randn(4, 3)
    hard = torch.tensor([0, 1, 2, 0])
    soft = torch.nn.functional.one_hot(hard, 3).double()
    assert cast("CrossEntropyLoss", soft).dtype == torch.float32
    assert torch.isclose(loss_of(objective, output, hard), loss_of(objective, output, cast("CrossEntropyLoss", soft)))


def test_a_column_and_a_vector_are_the_same() -> None:
    objective = build_loss(spec("MSELoss"))
    output, target = torch.arange(4.0).unsqueeze(1), torch.arange(4.0)
    assert loss_of(objective, output, target) == 0


def test_unlike_shapes_are_a_build_error_and_never_broadcast() -> None:
    with pytest.raises(BuildError, match=r"\[10, 2\] with targets of \[10, 3\]"):
        loss_of(build_loss(spec("MSELoss")), torch.zeros(10, 2), torch.zeros(10, 3))
    with pytest.raises(BuildError, match="compares"):
        loss_of(build_loss(spec("MSELoss")), torch.zeros(10, 1), torch.zeros(10, 3))


def test_the_named_output_is_compared_with_the_named_target() -> None:
    outputs = {"first": torch.zeros(2, 1), "second": torch.ones(2, 1)}
    targets = {"ones": torch.ones(2), "zeros": torch.zeros(2)}
    assert build_loss(spec("MSELoss"), "second", "ones").batch_loss(outputs, targets, 1) == 0
    assert build_loss(spec("MSELoss"), "first", "ones").batch_loss(outputs, targets, 1) == 1
    assert build_loss(spec("MSELoss"), "first", "zeros").batch_loss(outputs, targets, 1) == 0


def test_weights_are_tensors() -> None:
    objective = build_loss(spec("CrossEntropyLoss", weight=[1, 2, 3], ignore_index=1))
    assert isinstance(objective.loss, nn.CrossEntropyLoss)
    assert objective.loss.weight is not None
    assert objective.loss.weight.tolist() == [1, 2, 3]


COUNTED: dict[str, dict[str, Any]] = {
    "classes": {},
    "ignored": {"ignore_index": 1},
    "weights": {"weight": [0.2, 1.0, 3.0]},
    "weights, ignored": {"weight": [0.2, 1.0, 3.0], "ignore_index": 2},
    "a class of no weight": {"weight": [0, 1, 2]},
}


@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize("kind", ["CrossEntropyLoss", "smoothed", "NLLLoss"])
@pytest.mark.parametrize("shape", [(), (4,)], ids=["examples", "tokens"])
def test_a_mean_is_put_together_from_parts(kind: str, name: str, shape: tuple[int, ...]) -> None:
    smoothing = {"label_smoothing": 0.2} if kind == "smoothed" else {}
    objective = build_loss(spec("CrossEntropyLoss" if smoothing else kind, **COUNTED[name], **smoothing))
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(11, 3, *shape, generator=generator).log_softmax(1)
    target = torch.randint(0, 3, (11, *shape), generator=generator)
    target[:4] = objective.ignore_index  # the first part counts nothing
    parts = [
        ({"output": output[start : start + 4]}, {"target": target[start : start + 4]}) for start in range(0, 11, 4)
    ]
    assert objective.is_mean_over_targets({"target": target})
    counter = objective.denominator_function({"target": target}, 1)
    assert counter is not None
    denominators = counter([targets for _, targets in parts])
    total = torch.stack([objective.batch_loss(outputs, targets, 0.4, denominators) for outputs, targets in parts]).sum()
    assert torch.isclose(total, loss_of(objective, output, target))
    measured = [objective.sum_and_divisor(outputs, targets, 4, True) for outputs, targets in parts]
    sums, counts = (torch.stack(each).sum() for each in zip(*measured, strict=True))  # type: ignore[arg-type]
    assert torch.isclose(sums / counts, total)
    assert objective.numerator(*parts[0]) == objective.denominator(parts[0][1]) == 0


def test_only_what_may_count_unlike_is_counted() -> None:
    target = torch.tensor([0, 1, 2, 0])
    plain, weighed = build_loss(spec("CrossEntropyLoss")), build_loss(spec("NLLLoss", weight=[1, 2, 3]))
    assert plain.denominator_function({"target": target}, 4) is None
    assert plain.denominator_function({"target": torch.tensor([0, -100])}, 1) is not None
    assert weighed.denominator_function({"target": target}, 1) is None
    assert weighed.denominator_function({"target": target}, 2) is not None
    assert not plain.is_mean_over_targets({"target": torch.ones(2, 3)})  # probabilities: every row counts once
    assert not build_loss(spec("CrossEntropyLoss", reduction="sum")).is_mean_over_targets({"target": target})
    assert build_loss(spec("MSELoss")).denominator_function({"target": target}, 4) is None


@pytest.mark.parametrize(
    "kind", sorted(kind for kind in TORCH_LOSSES if LOSSES[kind].elementwise and LOSSES[kind].divisible)
)
@pytest.mark.parametrize("inner", [(), (2,)], ids=str)
def test_places_behind_the_end_of_a_series_do_not_count(kind: str, inner: tuple[int, ...]) -> None:
    rows = [torch.rand(length, *inner) for length in (3, 1, 4, 2)]
    target = cast(kind, RaggedTensor.from_rows(rows))
    objective = build_loss(spec(kind))
    assert objective.is_mean_over_targets({"target": target})
    counter = objective.denominator_function({"target": target}, 1)
    assert counter is not None
    output = torch.rand(4, 4, *inner)
    pieces = [
        ({"output": output[part, :longest].clone().requires_grad_()}, {"target": target[part]})
        for part, longest in ((slice(0, 2), 3), (slice(2, 4), 4))
    ]
    denominators = counter([targets for _, targets in pieces])
    total = torch.stack(
        [objective.batch_loss(outputs, targets, 0.5, denominators) for outputs, targets in pieces]
    ).sum()
    flat = torch.cat([output[place, : len(row)] for place, row in enumerate(rows)])
    assert torch.isclose(total, loss_of(objective, flat, torch.cat(rows)))
    total.backward()
    first = pieces[0][0]["output"].grad
    assert first is not None
    assert first[1, 1:].abs().sum() == 0
    assert first.isfinite().all()


@pytest.mark.parametrize("kind", ["CrossEntropyLoss", "NLLLoss"])
def test_classes_in_the_last_dimension(kind: str) -> None:
    output, target = torch.randn(5, 4, 3).log_softmax(-1), torch.randint(0, 3, (5, 4))
    target[0, 2:] = -100
    first, last = build_loss(spec(kind)), build_loss(spec(kind), classes_last=True)
    assert torch.isclose(loss_of(first, output.movedim(-1, 1), target), loss_of(last, output, target))
    if kind == "CrossEntropyLoss":
        soft = torch.rand(5, 4, 3).softmax(-1)
        assert torch.isclose(loss_of(first, output.movedim(-1, 1), soft.movedim(-1, 1)), loss_of(last, output, soft))


def test_lists_of_classes_are_padded_with_the_class_that_is_ignored() -> None:
    lists = RaggedTensor.from_rows([torch.tensor([1, 2]), torch.tensor([1])], -100)
    targets = target_cast(spec("CrossEntropyLoss", ignore_index=0), Column(name="y", dtype="int64"))(lists)
    assert isinstance(targets, RaggedTensor)
    assert targets[0:2].tolist() == [[1, 2], [1, 0]]


@pytest.mark.parametrize(
    "column",
    [
        Column(name="y", dtype="int64", classes=2, labels=("-1", "1")),
        Column(name="y", dtype="float32", labels=("no", "yes")),
        Column(name="y", dtype="bool"),
    ],
    ids=lambda column: column.dtype,
)
def test_codes_of_no_and_yes_become_what_the_loss_compares(column: Column) -> None:
    codes = torch.tensor([0, 1, 1]).to(getattr(torch, column.dtype))
    assert torch.equal(target_cast(spec("SoftMarginLoss"), column)(codes), torch.tensor([-1.0, 1.0, 1.0]))
    assert torch.equal(target_cast(spec("BCEWithLogitsLoss"), column)(codes), torch.tensor([0.0, 1.0, 1.0]))


def test_numbers_without_labels_are_compared_as_they_are() -> None:
    signed = torch.tensor([-1, 1])
    assert torch.equal(target_cast(spec("SoftMarginLoss"), Column(name="y", dtype="int64"))(signed), signed.float())


def test_half_precision_is_left_before_the_loss() -> None:
    objective = build_loss(spec("BCELoss"))
    assert loss_of(objective, torch.full((2, 1), 0.5, dtype=torch.bfloat16), torch.ones(2)).dtype == torch.float32
