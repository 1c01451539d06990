"""Narrowing every layer: what remains is what was there, slice by slice."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from app.errors import InvalidInput
from tests.workers.surgery.widths.networks import (
    NetworkWeights,
    batch,
    built,
    job_of,
    largest_difference,
    mapped_network,
    revision_of,
    schema_of,
)
from tests.workers.surgery.widths.width_cases import CASES, WidthCase
from tests.workers.surgery.widths.width_graphs import RESIDUAL
from workers.network.runtime.build import BuiltNetwork
from workers.surgery.draft import Revision

ANY = [pytest.param(case, id=name) for name, case in CASES.items() if case.exact == "any"]
ALL = [pytest.param(case, id=name) for name, case in CASES.items()]


def narrowed(case: WidthCase, **how: Any) -> tuple[BuiltNetwork, Revision]:
    """Return a network before, and the revision that narrows it."""
    job, schema = job_of(case.model, case.inputs), schema_of(case.inputs)
    return built(job, schema), revision_of(job, schema, {"op": "narrow", "node": case.node, **how})


@pytest.mark.parametrize("case", ALL)
def test_every_layer_can_be_narrowed(case: WidthCase) -> None:
    """The channels that nothing reads can go: where they alone decide, the network computes what it did."""
    network, revision = narrowed(case, to=case.size - case.block)
    smaller = mapped_network(network, revision.changes)
    assert sum(each.numel() for each in smaller.parameters()) < sum(each.numel() for each in network.parameters())
    assert len(revision.choices[0]) == case.size - case.block
    if case.exact == "any":
        _clear_what_goes(network, revision)
        smaller = mapped_network(network, revision.changes)
        assert largest_difference(network, smaller, case.inputs) <= 1e-5
    else:
        smaller(batch(case.inputs))


def _clear_what_goes(network: BuiltNetwork, revision: Revision) -> None:
    """Set all entries to zero that a narrower network does not continue, but for variances."""
    (change,) = revision.changes
    with torch.no_grad():
        for name, value in network.state_dict().items():
            for axis in change.tensors[name].axes:
                gone = sorted(set(range(value.shape[axis.axis])) - set(axis.indices))
                value.index_fill_(axis.axis, torch.tensor(gone), 1.0 if name.endswith("var") else 0.0)


@pytest.mark.parametrize("case", [each for each in ANY if each.values[0].block == 1])
def test_narrowing_takes_back_what_widening_added(case: WidthCase) -> None:
    job, schema = job_of(case.model, case.inputs), schema_of(case.inputs)
    revision = revision_of(
        job,
        schema,
        {"op": "widen", "node": case.node, "to": case.size + 2, "init": "zero"},
        {"op": "narrow", "node": case.node, "keep": list(range(case.size))},
    )
    unchanged = revision_of(job, schema, {"op": "set", "path": "training.epochs", "value": None})
    assert revision.document["model"] == unchanged.document["model"]
    network = built(job, schema)
    again = mapped_network(network, revision.changes).state_dict()
    for name, value in network.state_dict().items():
        assert torch.equal(value, again[name]), name


def hand_sliced(slices: Mapping[str, Callable[[Tensor], Tensor]], network: BuiltNetwork) -> dict[str, Tensor]:
    return {name: slices.get(name, lambda value: value)(value) for name, value in network.state_dict().items()}


KEEP = torch.tensor([0, 2, 3])


def rows(value: Tensor) -> Tensor:
    return value[KEEP]


def columns(value: Tensor) -> Tensor:
    return value[:, KEEP]


def gates(count: int, width: int = 4) -> Tensor:
    return torch.cat([KEEP + number * width for number in range(count)])


def pixels(count: int) -> Tensor:
    return torch.cat([torch.arange(count) + channel * count for channel in KEEP.tolist()])


HEADS = torch.tensor([2, 3])  # of two heads of two channels, the second
IN_PROJECTION = torch.cat([HEADS + 4 * number for number in range(3)])


def second_head(*axes: int) -> Callable[[Tensor], Tensor]:
    def take(value: Tensor) -> Tensor:
        for axis in axes:
            value = value.index_select(axis, HEADS)
        return value

    return take


HAND_BUILT: dict[str, tuple[list[int], dict[str, Callable[[Tensor], Tensor]]]] = {
    "convolution, flatten": (
        KEEP.tolist(),
        {"target.weight": rows, "target.bias": rows, "linear1.weight": lambda value: value[:, pixels(16)]},
    ),
    "LSTM, sequence": (
        KEEP.tolist(),
        {
            **{
                f"target.{kind}_l{layer}{side}": (
                    (lambda value: value[gates(4)][:, KEEP])
                    if kind == "weight_hh"
                    else (lambda value: value[gates(4)][:, torch.cat([KEEP, KEEP + 4])])
                    if kind == "weight_ih" and layer
                    else (lambda value: value[gates(4)])
                )
                for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                for layer in range(2)
                for side in ("", "_reverse")
            },
            "linear1.weight": lambda value: value[:, torch.cat([KEEP, KEEP + 4])],
        },
    ),
    "attention": (
        HEADS.tolist(),
        {
            "target.weight": second_head(0),
            "target.bias": second_head(0),
            "multiheadattention1.in_proj_weight": lambda value: value[IN_PROJECTION][:, HEADS],
            "multiheadattention1.in_proj_bias": lambda value: value[IN_PROJECTION],
            "multiheadattention1.out_proj.weight": second_head(0, 1),
            "multiheadattention1.out_proj.bias": second_head(0),
            "linear2.weight": lambda value: value.view(3, 6, 4)[:, :, HEADS].flatten(1),
        },
    ),
    "dense": (
        KEEP.tolist(),
        {
            "target.weight": rows,
            "target.bias": rows,
            "second.weight": columns,
            **{
                f"norm.{name}": lambda value: value[torch.tensor([0, 2, 3, 4, 5])]
                for name in ("weight", "bias", "running_mean", "running_var")
            },
            "third.weight": lambda value: value[:, torch.tensor([0, 2, 3, 4, 5])],
            "head.weight": lambda value: value.view(3, 12, 16)[:, [0, 2, *range(3, 12)]].flatten(1),
        },
    ),
}


@pytest.mark.parametrize("name", HAND_BUILT)
def test_a_narrow_network_has_the_slices_that_one_takes_by_hand(name: str) -> None:
    keep, slices = HAND_BUILT[name]
    network, revision = narrowed(CASES[name], keep=keep)
    smaller = mapped_network(network, revision.changes).state_dict()
    expected = hand_sliced(slices, network)
    assert smaller.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(smaller[key], value), key


def residual_weights() -> tuple[BuiltNetwork, dict[str, Any], Any]:
    """Return a residual network of six channels, of which the second and the fifth hardly matter anywhere."""
    job, schema = job_of(RESIDUAL, ("image",)), schema_of(("image",))
    network = built(job, schema)
    revision = revision_of(job, schema, {"op": "narrow", "node": "target", "keep": [1, 4]})
    with torch.no_grad():
        for name, value in network.state_dict().items():
            for axis in revision.changes[0].tensors[name].axes:
                value.index_copy_(
                    axis.axis, (at := torch.tensor(axis.indices)), value.index_select(axis.axis, at) * 0.01
                )
    return network, job, schema


@pytest.mark.parametrize("by", ["magnitude", "gradient"])
def test_the_channels_that_matter_stay(by: str) -> None:
    network, job, schema = residual_weights()
    (output,) = network(batch(("image",))).values()
    output.square().sum().backward()
    operation = {"op": "narrow", "node": "first.conv2", "fraction": 1 / 3, "by": by}
    revision = revision_of(job, schema, operation, weights=NetworkWeights(network))
    assert revision.choices == {0: (0, 2, 3, 5)}
    replayed = revision_of(job, schema, operation, choices=revision.choices)
    assert replayed.changes == revision.changes
    assert replayed.document == revision.document


@pytest.mark.parametrize(
    ("name", "how", "pointer", "hint"),
    [
        ("linear", {"to": 6}, "/to", "use less than 6"),
        ("linear", {"to": 7}, "/to", 'use "op": "widen"'),
        ("linear", {}, "", 'give "to", "fraction" or "keep"'),
        ("linear", {"to": 2, "fraction": 0.5}, "", 'give "to", "fraction" or "keep"'),
        ("linear", {"keep": [0, 6]}, "/keep", "use 0 to 5"),
        ("linear", {"keep": [0, 1, 2, 3, 4, 5]}, "/keep", "leave out those to remove"),
        ("linear", {"fraction": 0.99}, "/fraction", "use a smaller fraction, or remove the layer"),
        ("grouped", {"to": 3}, "/to", "use 2 or 4"),
        ("grouped", {"keep": [0, 1, 2]}, "/keep", "keep 3 too"),
        ("gated linear", {"keep": [0, 1]}, "/keep", "keep 4, 5 too"),
    ],
)
def test_what_cannot_go_is_refused(name: str, how: dict[str, Any], pointer: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as error:
        narrowed(CASES[name], **how)
    assert (error.value.pointer, error.value.hint) == (f"/operations/0{pointer}", hint)


def test_a_small_fraction_removes_one_channel() -> None:
    _, revision = narrowed(CASES["linear"], fraction=0.01)
    assert revision.document["model"]["layers"][0]["out_features"] == 5
