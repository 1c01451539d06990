"""Balanced weights are those of scikit-learn on the targets that count."""

import numpy
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from workers.data.columns import RaggedTensor
from workers.training.objective.class_weights import class_weights, positive_weights

TARGETS = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 3, 3])


@pytest.mark.parametrize(
    ("target", "ignore_index"),
    [
        (TARGETS, -100),
        (torch.cat([TARGETS, torch.full((7,), -100)]), -100),
        (TARGETS, 3),  # a class of the data is ignored
        (TARGETS, 0),
        (TARGETS[TARGETS != 1], -100),  # nobody has class 1
    ],
)
def test_weights_are_those_of_scikit_learn(target: torch.Tensor, ignore_index: int) -> None:
    kept = target[(target != ignore_index) & (target >= 0)].numpy()
    present = numpy.unique(kept)
    expected = dict(zip(present.tolist(), compute_class_weight("balanced", classes=present, y=kept), strict=True))
    weights = class_weights(target, 4, ignore_index)
    assert weights == pytest.approx([expected.get(code, 1.0) for code in range(4)])
    rows = torch.tensor(weights)[torch.from_numpy(kept)]
    assert float(rows.mean()) == pytest.approx(1)


def test_padding_behind_tags_does_not_count() -> None:
    rows = RaggedTensor.from_rows([torch.tensor([0, 1, 1]), torch.tensor([0, -100]), torch.tensor([1, 1])], pad=-100)
    assert class_weights(rows, 2, -100) == pytest.approx(
        compute_class_weight("balanced", classes=numpy.arange(2), y=numpy.array([0, 1, 1, 0, 1, 1])).tolist()
    )


def test_held_out_rows_of_a_class_that_nobody_trains_on_have_a_loss() -> None:
    weights = torch.tensor(class_weights(torch.tensor([0, 0, 1]), 3, -100))
    loss = torch.nn.functional.cross_entropy(torch.zeros(4, 3), torch.full((4,), 2), weights)
    assert loss == pytest.approx(torch.tensor(3.0).log())


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ([1.0, 0, 0, 0], (3.0,)),
        ([1.0, 0, 0, float("nan"), float("nan")], (2.0,)),
        ([1.0, 1, 1], (1.0,)),
        ([0.0, 0, 0], (1.0,)),
        ([[1.0, 0, 1], [0, 0, 1]], (1.0, 1.0, 1.0)),
        ([[1.0, 0], [0, 0], [0, 1], [0, 1]], (3.0, 1.0)),
    ],
)
def test_yes_counts_as_often_as_no(target: list[float], expected: tuple[float, ...]) -> None:
    assert positive_weights(torch.tensor(target)) == expected
