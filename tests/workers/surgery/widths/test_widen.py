"""Widening every layer: the network computes what it did, and the map says what became of each gradient."""

from typing import Any

import pytest
import torch

from app.errors import InvalidInput
from tests.workers.surgery.widths.networks import (
    batch,
    built,
    job_of,
    largest_difference,
    mapped_network,
    mapped_tensor,
    revision_of,
    schema_of,
)
from tests.workers.surgery.widths.width_cases import CASES, WidthCase
from workers.network.runtime.build import BuiltNetwork
from workers.surgery.draft import Revision

TOLERANCE = 1e-5


def widened(case: WidthCase, to: int, **more: Any) -> tuple[BuiltNetwork, BuiltNetwork, Revision]:
    """Return a network before and after."""
    job, schema = job_of(case.model, case.inputs), schema_of(case.inputs)
    revision = revision_of(job, schema, {"op": "widen", "node": case.node, "to": to, **more})
    network = built(job, schema)
    return network, mapped_network(network, revision.changes), revision


def cases(*exact: str) -> list[Any]:
    return [pytest.param(case, id=name) for name, case in CASES.items() if case.exact in exact]


@pytest.mark.parametrize("case", cases("any", "copies", "multiples"))
def test_copies_compute_the_same_and_their_gradients_follow_the_map(case: WidthCase) -> None:
    """What makes a channel has the gradient by the number of copies, what reads it has the whole one."""
    to = 2 * case.size if case.exact == "multiples" else case.size + case.block
    network, wider, revision = widened(case, to)
    assert largest_difference(network, wider, case.inputs) <= TOLERANCE
    assert sum(each.numel() for each in wider.parameters()) > sum(each.numel() for each in network.parameters())
    (change,) = revision.changes
    before, after = gradients(network, case.inputs), gradients(wider, case.inputs)
    for name, gradient in after.items():
        expected = mapped_tensor(change.tensors[name], before, gradient, power=1)
        torch.testing.assert_close(
            gradient, expected, rtol=1e-5, atol=1e-7, msg=lambda text, name=name: f"{name}: {text}"
        )


def gradients(network: BuiltNetwork, inputs: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """Return the gradients of a function of the outputs, by all names of parameters."""
    network.double()
    values = {name: value.double() if value.is_floating_point() else value for name, value in batch(inputs).items()}
    (output,) = network(values).values()
    weights = torch.linspace(-1, 1, output.numel(), dtype=torch.float64).view(output.shape)
    (output * weights).sum().backward()
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in network.named_parameters(remove_duplicate=False)
    }


@pytest.mark.parametrize("case", cases("any"))
def test_new_channels_change_nothing_at_first(case: WidthCase) -> None:
    network, wider, _ = widened(case, case.size + case.block, init="zero")
    assert largest_difference(network, wider, case.inputs) <= TOLERANCE


@pytest.mark.parametrize("case", cases("none"))
def test_what_cannot_be_exact_is_refused(case: WidthCase) -> None:
    for more in ({}, {"init": "zero"}):
        with pytest.raises(InvalidInput, match=r"the width of \w+ cannot change: ") as error:
            widened(case, 2 * case.size, **more)
        assert error.value.pointer == "/operations/0/node"


@pytest.mark.parametrize("case", cases("multiples"))
def test_uneven_copies_are_refused_where_channels_are_normalised_together(case: WidthCase) -> None:
    with pytest.raises(InvalidInput, match="would not compute the same") as error:
        widened(case, case.size + case.block)
    assert error.value.pointer == "/operations/0/to"
    assert error.value.hint == f"use a multiple of {case.size}, such as {2 * case.size} or {3 * case.size}"


@pytest.mark.parametrize("case", cases("multiples", "copies"))
def test_new_channels_are_refused_where_they_change_what_is_computed(case: WidthCase) -> None:
    with pytest.raises(InvalidInput, match="would not compute the same") as error:
        widened(case, 2 * case.size, init="zero")
    assert error.value.pointer == "/operations/0/init"


@pytest.mark.parametrize("case", [each for each in cases("any", "copies") if each.values[0].block > 1])
def test_blocks_are_kept_whole(case: WidthCase) -> None:
    with pytest.raises(InvalidInput, match=f"in blocks of {case.block}") as error:
        widened(case, case.size + 1)
    assert error.value.pointer == "/operations/0/to"


@pytest.mark.parametrize(
    ("operation", "pointer", "hint"),
    [
        ({"to": 6}, "/to", "use at least 7"),
        ({"to": 5}, "/to", 'use "op": "narrow"'),
        ({}, "", 'give "to" or "by"'),
        ({"to": 8, "by": 1.5}, "", 'give "to" or "by"'),
        ({"to": 8, "init": "zero", "noise": 0.1}, "/noise", 'remove noise, or set "init" to "copy"'),
    ],
)
def test_sizes_that_do_not_widen_are_refused(operation: dict[str, Any], pointer: str, hint: str) -> None:
    case = CASES["linear"]
    schema = schema_of(case.inputs)
    with pytest.raises(InvalidInput) as error:
        revision_of(job_of(case.model, case.inputs), schema, {"op": "widen", "node": "target", **operation})
    assert (error.value.pointer, error.value.hint) == (f"/operations/0{pointer}", hint)


def test_a_factor_adds_at_least_one_channel() -> None:
    case = CASES["linear"]
    job, schema = job_of(case.model, case.inputs), schema_of(case.inputs)
    for factor, size in ((1.5, 9), (1.01, 7)):
        revision = revision_of(job, schema, {"op": "widen", "node": "target", "by": factor})
        assert revision.document["model"]["layers"][0]["out_features"] == size


def test_sizes_that_the_user_wrote_follow() -> None:
    case = CASES["residual"]
    _, _, revision = widened(case, 8)
    nodes = revision.document["model"]["blocks"]["Residual"]["nodes"]
    assert (nodes[0]["in_channels"], nodes[0]["out_channels"], nodes[3]["out_channels"]) == (8, 5, 8)
    assert "in_channels" not in nodes[3]
    _, _, revision = widened(CASES["squeeze and excitation"], 7)
    assert revision.document["model"]["nodes"][5]["shape"] == [0, 7, 1, 1]


def test_copies_get_noise_where_channels_are_made() -> None:
    _, _, revision = widened(CASES["linear, batch norm, slopes"], 8, noise=0.25)
    noise = {name: source.noise for name, source in revision.changes[0].tensors.items() if source.noise}
    assert noise == {"target.weight": 0.25}


MODELS = {
    "an input": (
        {
            "nodes": [
                {"id": "target", "kind": "Conv2d", "inputs": "image", "out_channels": 3, "kernel_size": 1},
                {"id": "sum", "kind": "add", "inputs": ["target", "image"]},
                {"id": "flat", "kind": "Flatten", "inputs": "sum"},
                {"id": "head", "kind": "Linear", "inputs": "flat", "out_features": 3},
            ]
        },
        "sum (add) joins it with the input image",
    ),
    "an output": (["Flatten", {"kind": "Linear", "id": "target", "out_features": 3}], "it is the output"),
    "a split": (
        [
            {"kind": "Flatten"},
            {"kind": "Linear", "id": "target", "out_features": 12},
            {"kind": "Unflatten", "dim": 1, "unflattened_size": [3, 2, 2]},
            {"kind": "Conv2d", "out_channels": 2, "kernel_size": 1},
            "Flatten",
        ],
        "splits a dimension into several",
    ),
    "a selection": (
        [
            {"kind": "Conv2d", "id": "target", "out_channels": 4, "kernel_size": 1},
            {"kind": "narrow", "dim": 1, "start": 0, "length": 2},
            "Flatten",
        ],
        "takes some of its entries",
    ),
    "no rule": (
        [
            {"kind": "Conv2d", "id": "target", "out_channels": 3, "kernel_size": 1},
            {"kind": "resnet18", "num_classes": 3},
        ],
        "reads it in a way that is not followed",
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_cannot_be_followed_is_refused_by_name(name: str) -> None:
    model, reason = MODELS[name]
    schema = schema_of(("image",))
    for operation in ({"op": "widen", "to": 24}, {"op": "narrow", "to": 2}):
        with pytest.raises(InvalidInput) as error:
            revision_of(job_of(model, ("image",)), schema, {**operation, "node": "target"})
        assert error.value.pointer == "/operations/0/node"
        assert reason in error.value.detail
        assert error.value.hint


@pytest.mark.parametrize(
    ("model", "inputs", "node", "hint"),
    [
        (
            [{"kind": "MultiheadAttention", "num_heads": 1, "id": "target"}, "Flatten"],
            ("steps",),
            "target",
            "widen or narrow the layer that gives it",
        ),
        (["Flatten", {"kind": "ReLU", "id": "target"}], ("steps",), "target", "name a linear"),
        (
            CASES["concatenation and sum"].model,
            ("vector",),
            "whole",
            "widen or narrow one of the layers whose outputs are joined",
        ),
    ],
)
def test_nodes_without_one_width_are_refused(model: Any, inputs: tuple[str, ...], node: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as error:
        revision_of(job_of(model, inputs), schema_of(inputs), {"op": "widen", "node": node, "by": 2})
    assert error.value.pointer == "/operations/0/node"
    assert hint in error.value.hint
