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
def test_a_multiple_computes_the_same(case: WidthCase) -> None:
    network, wider, _ = widened(case, 2 * case.size)
    assert largest_difference(network, wider, case.inputs) <= TOLERANCE
    assert sum(each.numel() for each in wider.parameters()) > sum(each.numel() for each in network.parameters())


@pytest.mark.parametrize("case", cases("any", "copies"))
def test_some_copies_compute_the_same(case: WidthCase) -> None:
    network, wider, _ = widened(case, case.size + case.block)
    assert largest_difference(network, wider, case.inputs) <= TOLERANCE


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


@pytest.mark.parametrize("case", cases("any", "copies", "multiples"))
def test_gradients_of_copies_follow_the_map(case: WidthCase) -> None:
    """What makes a channel has the gradient by the number of copies, what reads it has the whole one."""
    even = case.exact == "multiples"
    network, wider, revision = widened(case, 2 * case.size if even else case.size + case.block)
    (change,) = revision.changes
    before, after = gradients(network, case.inputs), gradients(wider, case.inputs)
    for name, gradient in after.items():
        expected = mapped_tensor(change.tensors[name], before, gradient, power=1)
        torch.testing.assert_close(
            gradient, expected, rtol=1e-5, atol=1e-7, msg=lambda text, name=name: f"{name}: {text}"
        )
