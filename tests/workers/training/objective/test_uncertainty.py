"""Losses of numbers and their uncertainty: mean and variance, and quantiles."""

from typing import Any

import pytest
import torch
from sklearn.datasets import load_diabetes
from sklearn.linear_model import QuantileRegressor
from sklearn.metrics import mean_pinball_loss
from torch import nn

from app.errors import BuildError
from app.spec.data.columns import Column
from app.spec.prediction import PredictionOptions
from app.spec.training.losses import LOSS_CLASSES
from tests.workers.training.harness import TrainingHarness, digits_job, rows_of
from workers.children.inspect import InspectionLimits, inspect_job
from workers.data.columns import RaggedTensor
from workers.data.features.scaling import Scaling
from workers.prediction.formatting import OutputFormatter
from workers.training.objective.decode import OutputDecoder
from workers.training.objective.losses import LOSSES, target_cast
from workers.training.objective.training_loss import TargetLoss, build_loss

LIMITS = InspectionLimits(100, 10**6, 1 << 30)
LEVELS = [0.1, 0.5, 0.9]
HEADS: dict[str, dict[str, Any]] = {
    "GaussianNLLLoss": {"kind": "GaussianNLLLoss", "var": "var"},
    "QuantileLoss": {"kind": "QuantileLoss", "quantiles": LEVELS},
}


def spec(kind: str, **settings: Any) -> Any:
    return LOSS_CLASSES[kind].model_validate({**HEADS[kind], **settings})


def outputs(kind: str, *shape: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(sum(shape))
    mean = torch.randn(*shape, *([3] if kind == "QuantileLoss" else []), generator=generator)
    return {"output": mean.requires_grad_(), "var": torch.rand(shape, generator=generator) + 0.1}


def theirs(kind: str, given: dict[str, torch.Tensor], target: torch.Tensor) -> torch.Tensor:
    if kind == "GaussianNLLLoss":
        loss: torch.Tensor = nn.GaussianNLLLoss()(given["output"], target, given["var"])
        return loss
    columns = given["output"].detach().reshape(-1, 3).double().numpy().T
    values = target.flatten().double().numpy()
    losses = [mean_pinball_loss(values, column, alpha=level) for column, level in zip(columns, LEVELS, strict=True)]
    return torch.tensor(sum(losses) / 3).float()


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("shape", [(7,), (7, 1), (5, 4), (2, 3, 2)], ids=str)
def test_a_loss_is_that_of_torch_or_scikit_learn(kind: str, shape: tuple[int, ...]) -> None:
    given, target = outputs(kind, *shape), torch.randn(shape)
    ours = build_loss(spec(kind)).batch_loss(given, {"target": target}, 1)
    torch.testing.assert_close(ours, theirs(kind, given, target), rtol=1e-6, atol=0)
    if kind == "GaussianNLLLoss":
        assert ours.equal(theirs(kind, given, target))
    ours.backward()
    assert given["output"].grad is not None


@pytest.mark.parametrize("kind", HEADS)
def test_a_mean_over_series_is_put_together_from_parts(kind: str) -> None:
    """Rows of unlike length, cut into two batches: as all their numbers at once, and without the padding."""
    rows = [torch.randn(length) for length in (3, 1, 4, 2)]
    target: Any = target_cast(spec(kind), Column(name="y"))(RaggedTensor.from_rows(rows))
    objective = build_loss(spec(kind))
    whole = outputs(kind, 4, 4)
    counter = objective.denominator_function({"target": target}, 2)
    assert counter is not None
    parts = [
        ({name: value[part, :longest] for name, value in whole.items()}, {"target": target[part]})
        for part, longest in ((slice(0, 2), 3), (slice(2, 4), 4))
    ]
    denominators = counter([targets for _, targets in parts])
    total = sum(objective.batch_loss(given, targets, 0.5, denominators) for given, targets in parts)
    flat = {
        name: torch.cat([value[row, : len(each)] for row, each in enumerate(rows)]) for name, value in whole.items()
    }
    assert torch.isclose(torch.as_tensor(total), theirs(kind, flat, torch.cat(rows)))
    sums = [objective.sum_and_divisor(given, targets, 2, True) for given, targets in parts]
    divisor = sum(each for _, each in sums if each is not None)
    assert torch.isclose(sum(each for each, _ in sums) / divisor, theirs(kind, flat, torch.cat(rows)))


def test_a_variance_below_zero_is_an_error_with_its_place() -> None:
    given = {"output": torch.zeros(3), "var": torch.tensor([1.0, -1.0, 1.0])}
    with pytest.raises(BuildError, match="negative") as caught:
        build_loss(spec("GaussianNLLLoss")).batch_loss(given, {"target": torch.zeros(3)}, 1)
    assert (caught.value.pointer, "Softplus" in caught.value.hint) == ("/objective/loss", True)


def diabetes_job(nodes: list[dict[str, Any]], named: dict[str, str], objective: Any, **training: Any) -> dict[str, Any]:
    return digits_job(
        model={"nodes": nodes, "outputs": named},
        data={"kind": "builtin", "name": "diabetes", "validation": {"fraction": 0.25}, "scale": "standard"},
        objective=objective,
        training={"steps": 40, "optimizer": {"kind": "Adam", "lr": 0.01}, "precision": "float32", **training},
    )


GAUSSIAN_NODES = [
    {"id": "mean", "kind": "Linear", "inputs": ["x"], "out_features": 1},
    {"id": "raw", "kind": "Linear", "inputs": ["x"], "out_features": 1},
    {"id": "var", "kind": "Softplus", "inputs": ["raw"]},
]


def test_a_job_learns_mean_and_variance(laboratory: TrainingHarness) -> None:
    objective = {"loss": HEADS["GaussianNLLLoss"], "output": "mean", "metrics": ["mae"]}
    job = diabetes_job(GAUSSIAN_NODES, {"mean": "mean", "var": "var"}, objective, accumulate=3)
    assert inspect_job(job, None, LIMITS).problems == ()
    attempt = laboratory.run(job)
    held = rows_of(attempt.prepared).validation
    assert held is not None
    ((inputs, targets),) = held.iter_batches(1000, torch.device("cpu"))
    attempt.prepared.network.eval()
    with torch.no_grad():
        given = attempt.prepared.network(inputs)
    expected = nn.GaussianNLLLoss()(given["mean"], next(iter(targets.values())), given["var"])
    assert attempt.points("val/loss")[-1][1] == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("objective", "pointer"),
    [
        ({"loss": {**HEADS["GaussianNLLLoss"], "var": "vra"}, "output": "mean"}, "/objective/loss/var"),
        ({"loss": {**HEADS["GaussianNLLLoss"], "var": "wide"}, "output": "mean"}, "/objective/loss/var"),
        ({"loss": {**HEADS["GaussianNLLLoss"], "var": "mean"}, "output": "mean"}, "/objective/loss/var"),
        ({"loss": {**HEADS["GaussianNLLLoss"], "var": "mean"}}, "/objective/loss/var"),
        ({"loss": HEADS["QuantileLoss"], "output": "mean"}, "/model/nodes/0/out_features"),
        ({"loss": {"kind": "QuantileLoss", "quantiles": [0.9, 0.1]}, "output": "mean"}, "/objective/loss/quantiles"),
        (
            {"loss": {"kind": "QuantileLoss", "quantiles": [0.9]}, "output": "mean", "metrics": ["mae"]},
            "/objective/metrics/0",
        ),
        ({"loss": {"kind": "MSELoss"}, "output": "mean", "metrics": ["coverage"]}, "/objective/metrics/0"),
        (
            {"loss": {"kind": "QuantileLoss", "quantiles": [0.5]}, "output": "mean", "metrics": ["mae", "coverage"]},
            "/objective/metrics/1",
        ),
    ],
)
def test_mistakes_have_their_place(objective: dict[str, Any], pointer: str) -> None:
    nodes = [*GAUSSIAN_NODES, {"id": "wide", "kind": "Linear", "inputs": ["x"], "out_features": 4}]
    job = diabetes_job(nodes, {"mean": "mean", "var": "var", "wide": "wide"}, objective)
    problems = inspect_job(job, None, LIMITS).problems
    assert [problem.pointer for problem in problems] == [pointer]
    assert problems[0].hint


def test_quantiles_of_diabetes_are_those_of_scikit_learn(laboratory: TrainingHarness) -> None:
    """A linear network, trained to the end, has the pinball loss of the exact linear programme."""
    objective = {"loss": HEADS["QuantileLoss"], "metrics": ["coverage", "pinball", "interval_width", "mae"]}
    nodes = [{"id": "out", "kind": "Linear", "inputs": ["x"], "out_features": 3}]
    plan = {"steps": 900, "batch_size": 442, "schedule": {"kind": "CosineAnnealingLR"}, "statistics": False}
    plan |= {"optimizer": {"kind": "Adam", "lr": 2.0}, "evaluate": {"every_steps": 900}}
    job = diabetes_job(nodes, {"out": "out"}, objective, **plan)
    assert inspect_job(job, None, LIMITS).problems == ()
    attempt = laboratory.run(job)
    prepared = attempt.prepared
    train, held = rows_of(prepared).train, rows_of(prepared).validation
    assert held is not None
    x, y = train.inputs["x"], next(iter(train.targets.values()))
    assert isinstance(x, torch.Tensor)
    assert isinstance(y, torch.Tensor)
    best = []
    for level in LEVELS:
        model = QuantileRegressor(quantile=level, alpha=0).fit(x.numpy(), y.flatten().numpy())
        best.append(mean_pinball_loss(y.flatten(), model.predict(x.numpy()), alpha=level))
    assert attempt.points("train/loss")[-1][1] == pytest.approx(sum(best) / 3, rel=5e-3)
    ((inputs, targets),) = held.iter_batches(1000, torch.device("cpu"))
    given = prepared.heads[0].decoder.in_data_units  # type: ignore[union-attr]
    columns = [given(each) for each in prepared.network(inputs)["out"].detach().unbind(-1)]
    truth = given(next(iter(targets.values()))).flatten()
    low, median, high = (each.flatten() for each in columns)
    values = {name: attempt.points(f"val/{name}")[-1][1] for name in objective["metrics"]}
    assert values["coverage"] == pytest.approx(float(((low <= truth) & (truth <= high)).double().mean()))
    assert values["interval_width"] == pytest.approx(float((high - low).mean()))
    assert values["mae"] == pytest.approx(float((median - truth).abs().mean()))
    pinball = [
        mean_pinball_loss(truth, each, alpha=level) for each, level in zip((low, median, high), LEVELS, strict=True)
    ]
    assert values["pinball"] == pytest.approx(sum(pinball) / 3)
    assert load_diabetes().target.min() < float(median.mean()) < load_diabetes().target.max()


@pytest.mark.parametrize("quantiles", [(0.1, 0.5, 0.9), (0.05, 0.95)])
def test_predictions_have_every_quantile_in_the_units_of_the_data(quantiles: tuple[float, ...]) -> None:
    scaling = Scaling(torch.tensor([100.0]), torch.tensor([10.0]))
    decoder = OutputDecoder("numbers", LOSSES["QuantileLoss"], "output", "y", quantiles=quantiles, scaling=scaling)
    output = torch.arange(2.0 * len(quantiles)).reshape(2, -1)
    rows = OutputFormatter("numbers", decoder).format(output, PredictionOptions())
    assert rows[1]["quantiles"] == {
        f"{level:g}": pytest.approx(100 + 10 * float(value)) for level, value in zip(quantiles, output[1], strict=True)
    }
    assert rows[0].get("value") == (pytest.approx(110.0) if 0.5 in quantiles else None)
    assert isinstance(build_loss(spec("QuantileLoss")), TargetLoss)
