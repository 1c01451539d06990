"""Repeat: the deep trunk is the same network as its plain PyTorch, weight by weight and bit by bit."""

import torch

from graftwerk import trace
from tests.examples.example_runner import ExampleRunner, example_spec, load_script, shortened_spec
from tests.workers.training.harness import rows_of


def test_the_trunk_is_the_same_in_plain_pytorch(lessons: ExampleRunner) -> None:
    attempt = lessons.run(shortened_spec("deep-residual", steps=2))
    network, images = attempt.prepared.network.eval(), rows_of(attempt.prepared).train.inputs["image"][:16]
    plain = load_script("deep_residual").DeepResidual().eval()
    assert sum(each.numel() for each in plain.parameters()) == attempt.prepared.parameters == 70_410
    plain.load_state_dict(network.state_dict(), strict=True)
    with torch.no_grad():
        assert plain(images).equal(network({"image": images})["output"])


def test_the_trunk_begins_with_the_weights_of_plain_pytorch(lessons: ExampleRunner) -> None:
    network = lessons.prepare(example_spec("deep-residual") | {"training": {"device": "cpu", "seed": 5}}).network
    torch.manual_seed(5)
    plain = load_script("deep_residual").DeepResidual().state_dict()
    assert network.state_dict().keys() == plain.keys()
    assert all(value.equal(plain[name]) for name, value in network.state_dict().items())


def test_plain_pytorch_is_traced_to_a_network_of_as_many_parameters() -> None:
    plain = load_script("deep_residual").DeepResidual(times=4)
    traced = trace(plain, inputs=["image"], examples=[torch.rand(2, 1, 8, 8)])
    assert sum(value.numel() for value in traced.weights.values()) == sum(map(torch.numel, plain.state_dict().values()))
