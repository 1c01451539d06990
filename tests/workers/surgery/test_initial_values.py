import pytest
import torch

from tests.workers.surgery.edits import CHAIN, IMAGES, build_job, edit, image_job
from workers.surgery.draft import Change
from workers.surgery.initial_values import draw
from workers.surgery.tensor_map import Fill

CONV = {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": 1}


def change(*inserts: str) -> Change:
    operations = [{"op": "insert", "after": "relu1", "node": {"id": name, **CONV}} for name in inserts]
    (result,) = edit(image_job(CHAIN), *operations).changes
    return result


def fills(of: Change) -> dict[str, Fill]:
    return {name: source.fill for name, source in of.tensors.items() if source.name is None}


def test_values_are_those_of_torch() -> None:
    values = draw(change("extra").blueprint, fills(change("extra")), 3, 1)
    assert values["extra.weight"].shape == (4, 4, 3, 3)
    bound = (4 * 9) ** -0.5
    assert values["extra.weight"].abs().max() <= bound
    assert values["extra.weight"].std() > bound / 3


def test_values_depend_on_seed_edit_and_node_alone() -> None:
    one, two = change("extra"), change("other", "extra")
    first = draw(one.blueprint, fills(one), 3, 1)["extra.weight"]
    torch.manual_seed(99)
    assert first.equal(draw(two.blueprint, fills(two), 3, 1)["extra.weight"])
    assert not first.equal(draw(one.blueprint, fills(one), 4, 1)["extra.weight"])
    assert not first.equal(draw(one.blueprint, fills(one), 3, 2)["extra.weight"])
    both = draw(two.blueprint, fills(two), 3, 1)
    assert not both["extra.weight"].equal(both["other.weight"])


def test_a_part_of_a_nodes_tensors_has_the_values_of_the_whole() -> None:
    new = change("extra")
    whole = draw(new.blueprint, fills(new), 3, 1)
    part = draw(new.blueprint, {"extra.bias": "default"}, 3, 1)
    assert part.keys() == {"extra.bias"}
    assert part["extra.bias"].equal(whole["extra.bias"])


def test_the_generator_of_torch_is_left_as_it_is() -> None:
    new = change("extra")
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    draw(new.blueprint, fills(new), 3, 1)
    assert torch.random.get_rng_state().equal(before)


def test_shared_nodes_have_one_value() -> None:
    job = image_job(
        {
            "inputs": ["image"],
            "nodes": [
                {"id": "first", "kind": "block", "name": "Part", "share": "one", "inputs": ["image"]},
                {"id": "second", "kind": "block", "name": "Part", "share": "one", "inputs": ["first"]},
                {"id": "third", "kind": "block", "name": "Part", "inputs": ["second"]},
            ],
            "outputs": {"y": "third"},
            "blocks": {"Part": {"layers": [{"kind": "Conv2d", "out_channels": 2, "kernel_size": 1}]}},
        }
    )
    (new,) = edit(
        job,
        {
            "op": "insert",
            "after": "first.conv2d1",
            "node": {"id": "b", "kind": "Conv2d", "out_channels": 2, "kernel_size": 1},
        },
    ).changes
    values = draw(new.blueprint, fills(new), 0, 1)
    assert values["first.b.weight"].equal(values["second.b.weight"])
    assert not values["first.b.weight"].equal(values["third.b.weight"])


@pytest.mark.parametrize(("fill", "value"), [("zero", 0.0), ("one", 1.0)])
def test_constants(fill: Fill, value: float) -> None:
    blueprint = build_job(image_job(CHAIN), IMAGES).blueprint
    (tensor,) = draw(blueprint, {"conv2d1.weight": fill, "conv2d1.bias": "mean"}, 0, 1).values()
    assert tensor.equal(torch.full((4, 2, 3, 3), value))
