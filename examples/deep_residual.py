"""The network of deep-residual.json in plain PyTorch, and a trained job's weights in it.

    graftwerk download JOB folder --names weights.safetensors
    python examples/deep_residual.py folder/weights.safetensors

The names of its parameters are those of the job, so that either loads the weights of the other.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from torch import Tensor, nn


class Block(nn.Module):
    """x + conv(relu(norm(x))): images (N, channels, H, W) → the same (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of x and what the block makes of it."""
        return x + self.conv(torch.relu(self.norm(x)))


class DeepResidual(nn.Module):
    """Images (N, 1, 8, 8) → scores (N, 10), by a trunk of as many blocks as `times` says."""

    def __init__(self, times: int = 30, channels: int = 16) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, padding=1)
        self.trunk = nn.Sequential(*[Block(channels) for _ in range(times)])
        self.scores = nn.Linear(channels, 10)

    def forward(self, image: Tensor) -> Tensor:
        """Return the scores of the digits."""
        return self.scores(self.trunk(self.stem(image)).amax((2, 3)))


def main(path: Path) -> None:
    """Print how many parameters there are, and the accuracy on all digits."""
    network = DeepResidual().eval()
    network.load_state_dict(load_file(path))
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16  # as the job's data are scaled
    with torch.no_grad():
        found = network(images).argmax(1)
    count = sum(parameter.numel() for parameter in network.parameters())
    accuracy = (found == torch.tensor(digits.target)).double().mean()
    sys.stdout.write(f"{count:,} parameters, accuracy {accuracy:.4f}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
