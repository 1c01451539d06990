"""The generative examples as plain loops of PyTorch: the same networks, losses, optimisers and numbers of steps.

Weights and the order of examples are those of torch's own generator with seed 0, so that figures agree up to the noise
of another seed.
"""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

SIDE, HEADER_BYTES = 28, 16
BATCH_SIZE, WHITE = 128, 255
GAN_CODE, GAN_RATE, GAN_BETAS, GAN_BATCH_SIZE = 32, 0.0008, (0.5, 0.999), 64
VAE_EPOCHS, VAE_WIDTH, VAE_CODE, VAE_RATE = 10, 400, 16, 0.001
DENOISING_EPOCHS, DENOISING_RATE, NOISE = 2, 0.002, 0.3


def read_pictures(folder: Path, part: str) -> Tensor:
    """Return the pictures of Fashion-MNIST in 0..1: (N, 1, 28, 28). `part` is train or t10k."""
    with gzip.open(folder / "FashionMNIST" / "raw" / f"{part}-images-idx3-ubyte.gz") as file:
        content = np.frombuffer(file.read(), np.uint8, offset=HEADER_BYTES)
    return torch.from_numpy(content.reshape(-1, 1, SIDE, SIDE).astype(np.float32) / WHITE)


class VariationalAutoencoder(nn.Module):
    """The network of `real/vae-fashion.json` (Kingma and Welling 2014)."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(SIDE * SIDE, VAE_WIDTH)
        self.mean, self.log_variance = nn.Linear(VAE_WIDTH, VAE_CODE), nn.Linear(VAE_WIDTH, VAE_CODE)
        self.decoder = nn.Sequential(nn.Linear(VAE_CODE, VAE_WIDTH), nn.ReLU(), nn.Linear(VAE_WIDTH, SIDE * SIDE))

    def forward(self, image: Tensor) -> Tensor:
        """Return the negative evidence lower bound of each picture, in nats: (N)."""
        pixels = image.flatten(1)
        active = self.hidden(pixels).relu()
        mean, log_variance = self.mean(active), self.log_variance(active)
        logits = self.decoder(mean + (0.5 * log_variance).exp() * torch.randn_like(mean))
        distortion = nn.functional.binary_cross_entropy_with_logits(logits, pixels, reduction="none").sum(1)
        return distortion + 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1)


class DenoisingAutoencoder(nn.Module):
    """The network of `real/denoising-fashion.json`."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()),
            *(nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(16, 1, 4, 2, 1)),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return the mean squared error of each picture: (N)."""
        clean: Tensor = self.layers(image + NOISE * torch.randn_like(image))
        return (clean - image).square().flatten(1).mean(1)


class Generator(nn.Sequential):
    """The generator of `generative/dcgan-fashion.json` (Radford, Metz and Chintala 2016)."""

    def __init__(self) -> None:
        super().__init__(
            *(nn.Linear(GAN_CODE, 1568), nn.BatchNorm1d(1568), nn.ReLU(), nn.Unflatten(1, (32, 7, 7))),
            *(nn.ConvTranspose2d(32, 16, 4, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.ConvTranspose2d(16, 1, 4, 2, 1), nn.Sigmoid()),
        )


class Critic(nn.Sequential):
    """The critic of `generative/dcgan-fashion.json`."""

    def __init__(self) -> None:
        super().__init__(
            *(nn.Conv2d(1, 16, 4, 2, 1), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(16, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.LeakyReLU(0.2)),
            *(nn.Flatten(), nn.Linear(1568, 1)),
        )


def train_gan(folder: Path, steps: int, seed: int) -> Generator:
    """Return a generator after `steps` steps of the non-saturating game (Goodfellow et al. 2014)."""
    torch.manual_seed(seed)
    train, generator, critic = read_pictures(folder, "train"), Generator(), Critic()
    of_critic, of_generator = (
        torch.optim.Adam(module.parameters(), lr=GAN_RATE, betas=GAN_BETAS) for module in (critic, generator)
    )
    for _ in range(steps):
        image = train[torch.randint(len(train), (GAN_BATCH_SIZE,))]
        fake = generator(torch.randn(GAN_BATCH_SIZE, GAN_CODE)).detach()
        of_critic.zero_grad()
        (softplus(-critic(image)) + softplus(critic(fake))).mean().backward()
        of_critic.step()
        of_generator.zero_grad()
        softplus(-critic(generator(torch.randn(GAN_BATCH_SIZE, GAN_CODE)))).mean().backward()
        of_generator.step()
    return generator


def draw(generator: Generator, count: int) -> Tensor:
    """Return pictures of a generator in evaluation, in 256 shades as those of files: (count, 1, 28, 28) in 0..1."""
    generator.eval()
    torch.manual_seed(1)
    with torch.no_grad():
        parts = [generator(noise) for noise in torch.randn(count, GAN_CODE).split(1000)]
    return (torch.cat(parts) * WHITE).round() / WHITE


def vae_baseline(folder: Path) -> dict[str, Any]:
    """Return the negative evidence lower bound on the test."""
    return {"negative ELBO": train_and_test(VariationalAutoencoder, folder, VAE_EPOCHS, VAE_RATE)}


def denoising_baseline(folder: Path) -> dict[str, Any]:
    """Return the mean squared error on the test, and that of the noisy pictures themselves."""
    loss = train_and_test(DenoisingAutoencoder, folder, DENOISING_EPOCHS, DENOISING_RATE)
    return {"mean square": loss, "mean square of the noise": NOISE**2}


def train_and_test(module: Callable[[], nn.Module], folder: Path, epochs: int, rate: float) -> float:
    """Return the mean loss on the test after training with Adam, all examples in a new order each epoch."""
    torch.manual_seed(0)
    train, test, network = read_pictures(folder, "train"), read_pictures(folder, "t10k"), module()
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    for _ in range(epochs):
        for rows in torch.randperm(len(train)).split(BATCH_SIZE):
            optimizer.zero_grad()
            network(train[rows]).mean().backward()
            optimizer.step()
    network.eval()
    with torch.no_grad():
        return float(torch.cat([network(rows) for rows in test.split(1000)]).mean())
