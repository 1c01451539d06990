"""What users download: the weights in two formats, and the source that loads them."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor


def export_weights(weights: Mapping[str, Tensor], source: str, folder: Path) -> list[Path]:
    """Write weights.safetensors, weights.pth (a plain `state_dict`) and model.py into a folder; return their paths.

    `weights` lie on the CPU, each in memory of its own: one that has several names is stored under each, so that both
    files load with `strict=True`. `source` is what `workers.network.codegen.source.write_source` returned.
    """
    paths = [folder / name for name in ("weights.safetensors", "weights.pth", "model.py")]
    save_file(dict(weights), paths[0])
    torch.save(dict(weights), paths[1])
    paths[2].write_text(source, encoding="utf-8")
    return paths
