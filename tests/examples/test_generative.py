"""The generative examples are the networks of their plain loops, and samples are judged by a known distance."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from app.spec.data.sources import TORCHVISION_SCHEMAS
from app.spec.job import parse_job
from examples import generative_baselines as plain
from examples.adversarial import contact_sheet, frechet_distance, to_claims
from tests.examples.example_runner import EXAMPLES_FOLDER
from workers.network.runtime.build import BuiltNetwork, build


def network_of(name: str) -> tuple[BuiltNetwork, dict[str, object]]:
    """Return the network of an example on Fashion-MNIST, and its plan."""
    document = json.loads((EXAMPLES_FOLDER / f"{name}.json").read_text())
    schema = TORCHVISION_SCHEMAS["FashionMNIST"]
    return build(parse_job(document).model, schema, schema.inputs), document["training"]


def load_by_order(module: nn.Module, network: BuiltNetwork, *nodes: str) -> None:
    """Copy the weights of nodes into a module whose parameters and buffers are in the same order."""
    own = module.state_dict()
    stored = [value for node in nodes for name, value in network.state_dict().items() if name.startswith(f"{node}.")]
    assert [value.shape for value in own.values()] == [value.shape for value in stored]
    module.load_state_dict(dict(zip(own, stored, strict=True)))


IMAGE = torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def test_the_loss_of_the_autoencoder_is_that_of_torch() -> None:
    network, plan = network_of("real/vae-fashion")
    module = plain.VariationalAutoencoder()
    load_by_order(module, network, "hidden", "mean", "log_variance", "logits")
    torch.manual_seed(3)
    expected = module(IMAGE)
    torch.manual_seed(3)
    assert torch.allclose(network({"image": IMAGE})["negative_elbo"], expected, rtol=1e-5)
    assert (plan["epochs"], plan["batch_size"]) == (plain.VAE_EPOCHS, plain.BATCH_SIZE)
    assert plan["optimizer"] == {"kind": "Adam", "lr": plain.VAE_RATE}


def test_the_denoiser_is_that_of_torch() -> None:
    network, plan = network_of("real/denoising-fashion")
    module = plain.DenoisingAutoencoder()
    load_by_order(module, network, "conv1", "conv2", "conv3", "clean")
    torch.manual_seed(3)
    expected = module(IMAGE)
    torch.manual_seed(3)
    found = (network({"image": IMAGE})["clean"] - IMAGE).square().flatten(1).mean(1)
    assert torch.allclose(found, expected, rtol=1e-5)
    assert (plan["epochs"], plan["batch_size"]) == (plain.DENOISING_EPOCHS, plain.BATCH_SIZE)
    assert plan["optimizer"] == {"kind": "Adam", "lr": plain.DENOISING_RATE}


def test_the_adversaries_are_those_of_torch() -> None:
    network, plan = network_of("generative/dcgan-fashion")
    generator, critic = plain.Generator(), plain.Critic()
    load_by_order(generator, network, "generator")
    load_by_order(critic, network, "real")
    torch.manual_seed(3)
    outputs = network({"image": IMAGE})
    torch.manual_seed(3)
    fake = generator(torch.randn(5, plain.GAN_CODE))
    assert outputs["sample"].equal(fake)
    expected = nn.functional.softplus(-critic(IMAGE)) + nn.functional.softplus(critic(fake))
    assert torch.allclose(outputs["critic_loss"], expected, rtol=1e-5)
    adam = {"kind": "Adam", "lr": plain.GAN_RATE, "betas": list(plain.GAN_BETAS)}
    assert isinstance(plan["updates"], list)
    assert [update["optimizer"] for update in plan["updates"]] == [adam, adam]
    assert plan["batch_size"] == plain.GAN_BATCH_SIZE


def test_the_distance_is_that_of_normal_distributions() -> None:
    draw = np.random.default_rng(0)
    left, right = draw.normal(size=(20_000, 3)), draw.normal(size=(20_000, 3)) * [1, 2, 3] + [1, 0, 2]
    assert frechet_distance(left, left) == pytest.approx(0, abs=1e-6)
    expected = 1 + 4 + (1 - 2) ** 2 + (1 - 3) ** 2  # of diagonal covariances: squared differences of deviations
    assert frechet_distance(left, right) == pytest.approx(expected, rel=0.03)


def test_samples_lie_side_by_side() -> None:
    files = []
    for shade in (0, 100, 200):
        file = io.BytesIO()
        Image.new("L", (2, 3), shade).save(file, "PNG")
        files.append(file.getvalue())
    sheet = np.asarray(Image.open(io.BytesIO(contact_sheet(files, 2, 2))))
    assert sheet.shape == (12, 8)
    assert (sheet[0, 0], sheet[5, 7], sheet[11, 3], sheet[11, 7]) == (0, 100, 200, 0)


def test_a_distance_beyond_the_bounds_is_a_missed_claim() -> None:
    figures = {"job": 30.0, "plain loops": [20.0, 22.0], "untrained": 100.0}
    assert [claim["measured"] <= claim["bound"] for claim in to_claims(figures)] == [False, False]
    assert [claim["measured"] <= claim["bound"] for claim in to_claims(figures | {"job": 21.0})] == [True, True]
