"""SimCLR: two inputs of one column draw random numbers of their own, and the loss as nodes is NT-Xent."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from tests.examples.example_runner import example_spec, shortened_spec
from tests.workers.training.harness import TrainingHarness, resume_candidates, rows_of
from workers.data.images.column import ImageColumn
from workers.data.rng import prng_keys, view_keys

FLIP = {"kind": "RandomHorizontalFlip"}
ROWS = torch.arange(64)


def columns_of(laboratory: TrainingHarness, **features: Any) -> dict[str, Any]:
    spec = shortened_spec("simclr")
    spec["data"] = spec["data"] | {"transforms": [FLIP], "features": features}
    spec["model"] = {"inputs": list(features), "nodes": [
        {"id": "all", "kind": "cat", "inputs": list(features), "dim": 1},
        {"id": "mean", "kind": "mean", "inputs": "all", "dim": [1, 2, 3]},
        {"id": "w", "kind": "Parameter", "shape": [1], "init": "ones"},
        {"id": "loss", "kind": "mul", "inputs": ["mean", "w"]},
    ]}  # fmt: skip
    return dict(rows_of(laboratory.prepare(spec)).train.inputs)


def test_two_inputs_of_one_column_draw_for_themselves(laboratory: TrainingHarness) -> None:
    image = {"kind": "image", "column": "image"}
    made = columns_of(laboratory, b=image, a=image)
    assert (made["a"].view, made["b"].view) == (0, 1)  # by their names: the order in the spec is none
    keys = prng_keys(0, 3, ROWS)
    first, second = (made[name].batch(ROWS, keys) for name in "ab")
    plain, turned = first.eq(made["a"][:64]).flatten(1).all(1), second.eq(made["b"][:64]).flatten(1).all(1)
    assert 16 < int(plain.sum()) < 48
    assert 16 < int((plain ^ turned).sum()) < 48  # one says nothing of the other
    assert made["a"].batch(ROWS, None).equal(made["b"].batch(ROWS, None))  # evaluation draws nothing
    rows = torch.tensor([5, 60, 2])
    assert made["b"].batch(rows, keys[rows]).equal(second[rows])  # a row's view is its own, in any batch
    alone = columns_of(laboratory, b=image)
    assert alone["b"].batch(ROWS, keys).equal(first)  # as ever


def test_keys_of_views_are_those_of_no_other_row_or_epoch() -> None:
    keys = torch.cat(
        [view_keys(prng_keys(0, epoch, torch.arange(1000)), view) for epoch in (0, 1) for view in range(3)]
    )
    assert len(keys.unique()) == 6000
    assert view_keys(keys, 0) is keys


@pytest.mark.parametrize("loading", ["resident", "streamed"])
def test_views_are_the_same_wherever_images_are_decoded(laboratory: TrainingHarness, loading: str) -> None:
    spec = shortened_spec("simclr", steps=3)
    spec["data"]["loading"] = loading
    attempt = laboratory.run(spec, loaders=2)
    assert attempt.weights() == laboratory.run(shortened_spec("simclr", steps=3)).weights()
    assert all(isinstance(column, ImageColumn) for column in rows_of(attempt.prepared).train.inputs.values())


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Return the loss as the paper writes it (Chen et al. 2020, equation 1), pair by pair."""
    z = normalize(torch.cat([first, second]).double(), dim=1)
    count, losses = len(first), []
    for i in range(2 * count):
        partner = (i + count) % (2 * count)
        similarities = torch.stack([z[i] @ z[k] / temperature for k in range(2 * count) if k != i])
        losses.append(-(z[i] @ z[partner] / temperature) + similarities.exp().sum().log())
    return torch.stack(losses).mean()


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_loss_is_that_of_the_paper(laboratory: TrainingHarness, count: int) -> None:
    prepared = laboratory.prepare(shortened_spec("simclr"))
    network, rows = prepared.network.eval(), torch.arange(count)
    keys = prng_keys(0, 0, rows)
    inputs = {name: column.batch(rows, keys) for name, column in rows_of(prepared).train.inputs.items()}
    with torch.no_grad():
        found = network(inputs)["loss"]
        z = [network.projection(network.encoder(inputs[name])) for name in ("view_1", "view_2")]
    assert float(found) == pytest.approx(float(nt_xent(*z, 0.5)), abs=1e-5)


def test_a_probe_of_the_encoder_beats_one_of_random_weights(laboratory: TrainingHarness) -> None:
    plan = {"device": "cpu", "epochs": 12, "checkpoint": {"every_seconds": None, "keep_best": 0}}
    spec = example_spec("simclr")
    before = laboratory.run(spec | {"training": spec["training"] | plan})
    probe = example_spec("linear-probe")
    probe["training"] |= plan | {"epochs": 60, "evaluate": {"every_steps": 60}}
    start = {"start_from": {"checkpoint": f"ckpt_{'0' * 32}", "match": "shapes"}}
    found = laboratory.run(probe | start, start_from=resume_candidates(*before.context.saved)[0])
    [event] = found.events("initial_weights")
    assert event["names"]["begun_anew"] == ("head.weight", "head.bias")
    kept = found.prepared.network.state_dict()
    assert all(value.equal(before.prepared.network.state_dict()[name])
               for name, value in kept.items() if name.endswith("conv1.weight"))  # fmt: skip
    random = laboratory.run(probe)
    best = [attempt.points("val/accuracy")[-1][1] for attempt in (found, random)]
    assert best[0] > best[1] + 0.02
