"""Groups of channels: layouts, sums of differently laid out axes, and the rule of every kind."""

import time

import pytest

from tests.workers.surgery.widths.networks import job_of, schema_of
from tests.workers.surgery.widths.width_graphs import node
from workers.network.kinds.catalog import CATALOG
from workers.surgery.draft import open_draft
from workers.surgery.widths.axes import Axis, fixed_axis, nested_axis
from workers.surgery.widths.channel_maps import ChannelMap
from workers.surgery.widths.graph import find_dependencies
from workers.surgery.widths.groups import ChannelGroups
from workers.surgery.widths.rules.catalog import RULES


def classes(groups: ChannelGroups, axis: Axis) -> list[tuple[int | None, int]]:
    """Return the group and the channel of every entry of an axis."""
    entries: list[tuple[int | None, int]] = []
    for part in groups.resolve(axis):
        count = 0 if part.group is None else groups.channels(part.group)
        channels = range(part.size) if part.group is None else [(at // part.inner) % count for at in range(part.size)]
        entries += [(part.group, channel) for channel in channels]
    return entries


def test_equal_layouts_are_one_group() -> None:
    groups = ChannelGroups()
    first, second = groups.create(6), groups.create(6)
    groups.unify(nested_axis(first, inner=4), nested_axis(second, inner=4), "sum")
    assert groups.resolve(first) == groups.resolve(second)


@pytest.mark.parametrize(("outer", "inner", "count"), [(2, 1, 4), (1, 2, 4), (2, 2, 2)])
def test_an_axis_takes_the_layout_that_it_is_joined_with(outer: int, inner: int, count: int) -> None:
    groups = ChannelGroups()
    whole, blocks = groups.create(8), groups.create(count)
    groups.unify(whole, nested_axis(blocks, outer, inner), "sum")
    assert classes(groups, whole) == classes(groups, nested_axis(blocks, outer, inner))
    assert len(set(classes(groups, whole))) == count


def test_the_coarsest_of_two_layouts_holds_for_both() -> None:
    """Entries 0 and 4 change alike in the one, 0 and 1 in the other: so do 0, 1, 4 and 5 in both."""
    groups = ChannelGroups()
    first, second = nested_axis(groups.create(4), outer=2), nested_axis(groups.create(4), inner=2)
    groups.unify(first, second, "sum")
    assert classes(groups, first) == classes(groups, second)
    ((group, _), *_) = classes(groups, first)
    assert [channel for _, channel in classes(groups, first)] == [0, 0, 1, 1, 0, 0, 1, 1]
    assert group is not None


def test_a_concatenation_divides_what_it_is_joined_with() -> None:
    groups = ChannelGroups()
    first, second, whole = groups.create(3), groups.create(5), groups.create(8)
    groups.unify((*first, *second), whole, "sum")
    assert classes(groups, whole) == classes(groups, (*first, *second))
    assert groups.resolve(nested_axis(whole, inner=2)) == groups.resolve(nested_axis((*first, *second), inner=2))


def test_what_is_joined_with_a_fixed_size_cannot_change() -> None:
    groups = ChannelGroups()
    first, second = groups.create(3), groups.create(5)
    groups.unify((*first, *second), (*fixed_axis(3, "the input x"), *groups.create(5)), "sum (add)")
    ((part,), (other,)) = groups.resolve(first), groups.resolve(second)
    assert [each.detail for each in groups.obstacles(part.group or 0)] == ["sum (add) joins it with the input x"]
    assert groups.obstacles(other.group or 0) == ()


def test_entries_of_a_flattened_axis() -> None:
    groups = ChannelGroups()
    axis = (*fixed_axis(1, ""), *nested_axis(groups.create(2), outer=2, inner=2))
    change = ChannelMap(0, 2, (0, 1, 0))
    assert change.entries(axis) == (0, 1, 2, 3, 4, 1, 2, 5, 6, 7, 8, 5, 6)
    assert change.shares(axis) == (1.0, *[0.5, 0.5, 1.0, 1.0, 0.5, 0.5] * 2)


# Kinds through which no channel is followed: what they read, and what they give, keeps its size.
OPAQUE = """
    scatter_add gather take_along_dim cross cdist det inv matrix_exp solve diagonal diag_embed tril triu
    CrossEntropyLoss NLLLoss MSELoss L1Loss SmoothL1Loss HuberLoss BCEWithLogitsLoss BCELoss PoissonNLLLoss
    SoftMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss KLDivLoss HingeEmbeddingLoss MultiLabelMarginLoss
    CosineEmbeddingLoss MarginRankingLoss TripletMarginLoss CosineSimilarity PairwiseDistance CTCLoss GaussianNLLLoss
    AdaptiveLogSoftmaxWithLoss MaxUnpool1d MaxUnpool2d MaxUnpool3d
"""


def test_every_kind_has_a_rule_or_is_opaque() -> None:
    backbones = {kind for kind, row in CATALOG.items() if getattr(row, "opaque", False)}
    assert set(RULES) | set(OPAQUE.split()) | backbones == set(CATALOG)
    assert not set(RULES) & set(OPAQUE.split())


def test_a_deep_network_is_analysed_in_a_moment() -> None:
    nodes = [node("stem", "Conv2d", "image", out_channels=64, kernel_size=3, padding=1)]
    for number in range(40):
        before = f"sum{number - 1}" if number else "stem"
        nodes += [
            node(f"conv{number}", "Conv2d", before, out_channels=32 + number, kernel_size=3, padding=1),
            node(f"norm{number}", "BatchNorm2d", f"conv{number}"),
            node(f"relu{number}", "ReLU", f"norm{number}"),
            node(f"back{number}", "Conv2d", f"relu{number}", out_channels=64, kernel_size=1),
            node(f"sum{number}", "add", before, f"back{number}"),
        ]
    nodes += [node("flat", "Flatten", "sum39"), node("head", "Linear", "flat", out_features=3)]
    draft = open_draft(job_of({"nodes": nodes}, ("image",)), schema_of(("image",)))
    network = draft.infer()
    start = time.process_time()
    dependencies = find_dependencies(draft.model, network)
    assert time.process_time() - start < 1
    (part,) = dependencies.groups.resolve(dependencies.widths["/nodes/0"])
    tied = [entry for entry in dependencies.tensors if dependencies.groups.resolve(entry.parts)[0].group == part.group]
    assert len({(entry.name, entry.axis) for entry in tied}) == 2 + 40 * 3 + 1
