"""A bundle: all files of a checkpoint in one archive, to be used without the service."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.storage.protocol import ArtifactStore

ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # equal content gives an equal archive
README_TEMPLATE = """\
# {name}

Checkpoint {checkpoint} of {job}, step {step}. Plain PyTorch, no service:

    import torch
    from model import {network}
    from safetensors.torch import load_file

    network = {network}()
    network.load_state_dict(load_file("weights.safetensors"), strict=True)
    network.eval()

| file | what it is |
| --- | --- |
{files}
"""
FILE_DESCRIPTIONS: Mapping[str, str] = {
    "weights.safetensors": "the weights",
    "weights.pth": "the same, as a state_dict for torch.load(..., weights_only=True)",
    "model.py": "the network",
    "preparation.json": "how rows become the network's inputs: what was fitted on the training rows",
    "report.json": "how well it does: class by class, or episode by episode",
    "test_report.json": "the same of the job's test, with the weights of the checkpoint that was best",
    "spec.json": "the job as it was sent, or as edits have made it",
    "first_spec.json": "the job as it was sent, before edits",
    "edits.json": "the edits that led to this checkpoint, each with its step",
}
TOKENIZER_DESCRIPTION = "a tokenizer: tokenizers.Tokenizer.from_file(...)"


def write_bundle(
    store: ArtifactStore,
    files: Sequence[Mapping[str, Any]],
    documents: Mapping[str, Any],
    placeholders: Mapping[str, Any],
    target: Path,
) -> None:
    """Write the archive: the checkpoint's files, documents by name, and a README with `placeholders` filled in."""
    names = [*(file["name"] for file in files), *documents]
    descriptions = {
        name: FILE_DESCRIPTIONS.get(name, TOKENIZER_DESCRIPTION if name.endswith("tokenizer.json") else "")
        for name in names
    }
    table = "\n".join(f"| {name} | {description} |" for name, description in descriptions.items())
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            with archive.open(zipfile.ZipInfo(file["name"], ZIP_EPOCH), "w", force_zip64=True) as member:
                for chunk in store.read(file["path"]):
                    member.write(chunk)
        for name, document in documents.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), json.dumps(document, indent=2))
        archive.writestr(zipfile.ZipInfo("README.md", ZIP_EPOCH), README_TEMPLATE.format(**placeholders, files=table))
