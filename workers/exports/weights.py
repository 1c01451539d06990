"""What users download: the weights in two formats, and the source that loads them."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from workers.network.build import BuiltNetwork
from workers.network.source import write_source


def export(network: BuiltNetwork, folder: Path) -> list[Path]:
    """Write weights.safetensors, weights.pth (a plain `state_dict`) and model.py into a folder; return their paths.

    The files hold tensors on the CPU. A tensor that has several names is stored under each, so that both files load
    with `strict=True`.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    seen: set[int] = set()
    for name, tensor in state.items():
        if tensor.untyped_storage().data_ptr() in seen:  # safetensors refuses tensors that share memory
            state[name] = tensor.clone()
        seen.add(state[name].untyped_storage().data_ptr())
    paths = [folder / name for name in ("weights.safetensors", "weights.pth", "model.py")]
    save_file(state, paths[0])
    torch.save(state, paths[1])
    paths[2].write_text(write_source(network), encoding="utf-8")
    return paths
