"""Every kind behind a layer whose width changes: the network computes the same, or the change is refused."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import torch

from app.spec.network.nodes import NODE_KINDS
from tests.workers.network.kinds.catalog_cases import CASES
from tests.workers.network.networks import Columns, infer_model, make_examples
from tests.workers.surgery.widths.networks import mapped_network, randomized
from tests.workers.surgery.widths.width_graphs import node
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE
from workers.network.runtime.build import BuiltNetwork
from workers.surgery.draft import Change
from workers.surgery.lineage import node_at
from workers.surgery.tensor_map import NEW
from workers.surgery.widths.channel_maps import ChannelMap, changed_sizes, tensor_map
from workers.surgery.widths.graph import find_dependencies

# Kinds that read a batch as a dimension of weights in their examples, draw random numbers, or have no batch.
_UNSUITABLE = """
    linear conv1d conv2d conv3d index_select embedding gather take_along_dim scatter_add rand randn rand_like randn_like
    bernoulli squeezenet1_1 arange
"""
UNSUITABLE = frozenset(_UNSUITABLE.split())
# Kinds behind which nothing becomes wider, in their examples: they are not followed, combine all channels, split a
# dimension, or combine it with an input of the network.
_REFUSED = """
    AdaptiveLogSoftmaxWithLoss BCELoss BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss CosineSimilarity CrossEntropyLoss
    GaussianNLLLoss HingeEmbeddingLoss HuberLoss KLDivLoss L1Loss MSELoss MarginRankingLoss MaxUnpool1d MaxUnpool2d
    MaxUnpool3d MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss PairwiseDistance PoissonNLLLoss
    SmoothL1Loss SoftMarginLoss Transformer TripletMarginLoss Unflatten add_sinusoids baddbmm cdist cross det diag_embed
    diagonal inv masked_fill matrix_exp solve tril triu where
"""
REFUSED = frozenset(_REFUSED.split())


def variants() -> Iterator[tuple[str, dict[str, Any], Columns, str, int, bool]]:
    """Yield for every example of a kind each dimension of each float input: that one becomes wider."""
    kinds: set[str] = set()
    for kind, settings, columns in CASES:
        if kind in kinds or kind in UNSUITABLE or NODE_KINDS[kind].inputs == (0, 0):
            continue
        kinds.add(kind)
        for name, shape in columns.items():
            if not (shape and isinstance(shape[-1], str)):
                for dim in range(1, len(shape) + 1):
                    several = (False, True) if len(columns) > 1 else (False,)
                    yield from ((kind, dict(settings), columns, name, dim, everywhere) for everywhere in several)


def network_of(
    kind: str, settings: dict[str, Any], columns: Columns, name: str, dim: int, everywhere: bool
) -> dict[str, Any] | None:
    """Return a network of a linear layer along a dimension, the node, and a linear layer; `None` without a batch.

    The node reads the first layer as one of its inputs, or as all that are alike.
    """
    size, rank = columns[name][dim - 1], len(columns[name]) + 1
    order = [place for place in range(rank) if place != dim] + [dim]
    read = [each for each in columns if each == name or (everywhere and columns[each] == columns[name])]
    settings = {field: list(value) if isinstance(value, tuple) else value for field, value in settings.items()}
    nodes = [
        node("last", "permute", name, dims=order),
        node("target", "Linear", "last", out_features=size),
        node("back", "permute", "target", dims=[order.index(place) for place in range(rank)]),
        node("node", kind, *("back" if each in read else each for each in columns), **settings),
        node("number", "to", "node", dtype="float32"),
    ]
    shape = infer_model({"inputs": list(columns), "nodes": deepcopy(nodes)}, columns).values["number"].shape
    if shape[:1] != (SYMBOLIC_BATCH_SIZE,):
        return None
    if len(shape) > 1:
        nodes += [node("flat", "flatten", "number"), node("head", "Linear", "flat", out_features=3)]
    return {"inputs": list(columns), "nodes": nodes}


def changes(model: dict[str, Any], columns: Columns) -> Iterator[Change]:
    """Yield the widenings of the target that nothing prevents."""
    dependencies = find_dependencies(model, infer_model(model, columns))
    (part,) = dependencies.groups.resolve(dependencies.widths["/nodes/1"])
    assert part.group is not None
    prevented = {each.prevents for each in dependencies.groups.obstacles(part.group)}
    count = dependencies.groups.channels(part.group)
    if prevented & {"change", "output", "widen"}:
        return
    after = 2 * count if "uneven" in prevented else count + 1
    yield change_of(model, columns, ChannelMap(part.group, count, tuple(at % count for at in range(after))))
    if not prevented & {"zero", "uneven"}:
        yield change_of(model, columns, ChannelMap(part.group, count, (*range(count), NEW)))


def change_of(model: dict[str, Any], columns: Columns, channels: ChannelMap) -> Change:
    dependencies = find_dependencies(model, infer_model(model, columns))
    wider = deepcopy(model)
    for size, value in changed_sizes(dependencies, channels):
        written = node_at(wider, size.pointer)
        if size.place is None:
            written[size.name] = value
        else:
            written[size.name][size.place] = value
    after = infer_model(wider, columns)
    assert after.problems == []
    tensors = tensor_map(dependencies, channels, after.blueprint)
    assert tensors is not None
    return Change(after.blueprint, tensors)


def output(network: BuiltNetwork, examples: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the only output, in float64 throughout."""
    torch.set_default_dtype(torch.float64)  # to which `to` converts
    try:
        with torch.no_grad():
            (value,) = network(examples).values()
            return value
    finally:
        torch.set_default_dtype(torch.float32)


def is_followed(kind: str, settings: dict[str, Any], columns: Columns, name: str, dim: int, everywhere: bool) -> bool:
    """Say whether a dimension can become wider; asserts that the network computes the same then."""
    model = network_of(kind, settings, columns, name, dim, everywhere)
    if model is None:
        return False
    examples = {
        each: value.double() + (kind == "acosh") if value.is_floating_point() else value
        for each, value in make_examples(columns).items()
    }
    network = randomized(BuiltNetwork(infer_model(model, columns).blueprint)).double()  # some kinds magnify rounding
    followed = False
    for change in changes(model, columns):
        followed = True
        before, after = output(network, examples), output(mapped_network(network, (change,)), examples)
        scale = before[before.isfinite()].abs().max() if before.isfinite().any() else 1.0
        torch.testing.assert_close(
            after / scale, before / scale, rtol=0, atol=1e-5, equal_nan=True, msg=f"{name} {dim}"
        )
    return followed


ALL = list(variants())


@pytest.mark.parametrize("kind", sorted({kind for kind, *_ in ALL}))
def test_a_wider_network_computes_the_same_or_is_refused(kind: str) -> None:
    followed = [is_followed(*variant) for variant in ALL if variant[0] == kind]
    assert any(followed) == (kind not in REFUSED)
