"""The jobs of `gpu_check`: examples, and two on data that is generated here."""

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
from PIL import Image

ROWS = 2000  # of the generated data
DATASET = "ds_" + "0" * 32
WORDS = tuple(f"{side}{number}" for side in ("up", "down") for number in range(50))


def texts_csv() -> tuple[str, bytes]:
    """Return texts of 1 to 60 words, most of which are of their label's side."""
    draw = Random(0)
    rows = []
    for row in range(ROWS):
        side = row % 2
        words = [
            draw.choice(WORDS[50 * side : 50 * (side + 1)] if draw.random() < 0.7 else WORDS)
            for _ in range(draw.randint(1, 60))
        ]
        rows.append(f"{' '.join(words)},{('up', 'down')[side]}")
    return "texts.csv", "\n".join(["text,label", *rows]).encode()


def images_zip() -> tuple[str, bytes]:
    """Return images of noise, brighter on the left or on the right."""
    draw = np.random.Generator(np.random.PCG64(0))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for row in range(ROWS // 2):
            dots = draw.integers(0, 160, (32, 32, 3), np.uint8)
            dots[:, :16] += np.uint8(60 * (row % 2))
            dots[:, 16:] += np.uint8(60 * (1 - row % 2))
            file = io.BytesIO()
            Image.fromarray(dots).save(file, "png")
            archive.writestr(f"{('right', 'left')[row % 2]}/{row}.png", file.getvalue())
    return "pictures.zip", packed.getvalue()


BUCKETED_SPEC = {
    "model": {
        "inputs": ["text", "text_length"],
        "nodes": [
            {"id": "tokens", "kind": "Embedding", "inputs": ["text"], "embedding_dim": 32, "padding_idx": 0},
            {"id": "read", "kind": "GRU", "inputs": ["tokens", "text_length"], "hidden_size": 32, "returns": "last"},
            {"id": "rest", "kind": "Dropout", "inputs": ["read"], "p": 0.2},
            {"id": "scores", "kind": "Linear", "inputs": ["rest"], "out_features": 2},
        ],
        "outputs": {"scores": "scores"},
    },
    "data": {
        "kind": "dataset",
        "id": DATASET,
        "target": "label",
        "bucket": "text",
        "validation": {"fraction": 0.2},
        "features": {
            "text": {
                "kind": "text",
                "column": "text",
                "max_length": 60,
                "tokenizer": {"kind": "word", "vocabulary": 200},
            }
        },
    },
    "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
    "training": {"epochs": 6, "batch_size": 64, "optimizer": {"kind": "Adam", "lr": 0.01}},
}
STREAMED_SPEC = {
    "model": {"layers": [{"kind": "resnet18", "num_classes": 2}]},
    "data": {
        "kind": "dataset",
        "id": DATASET,
        "loading": "streamed",
        "validation": {"fraction": 0.2},
        "transforms": [{"kind": "RandomCrop", "size": 32, "padding": 2}, {"kind": "ColorJitter", "brightness": 0.1}],
    },
    "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
    "training": {"epochs": 6, "batch_size": 64, "optimizer": {"kind": "AdamW", "lr": 0.001}},
}


@dataclass(frozen=True)
class GpuCase:
    """A job, and how good it must become."""

    name: str
    spec: Mapping[str, Any] | str  # or an example's name
    plan: Mapping[str, Any] = field(default_factory=dict)
    data: Callable[[], tuple[str, bytes]] | None = None  # file that is uploaded
    min_score: float = 0.9  # held-out accuracy
    loaders: int = 0


LEARNING_CASES: tuple[GpuCase, ...] = (
    GpuCase("digits-mlp", "digits-mlp"),
    GpuCase("digits-mlp, bf16", "digits-mlp", {"precision": "bf16"}),
    GpuCase("digits-mlp, fp16", "digits-mlp", {"precision": "fp16"}),
    GpuCase("digits-mlp, compiled", "digits-mlp", {"mode": "compiled"}),
    GpuCase("digits-cnn", "digits-cnn"),
    GpuCase("digits-cnn, bf16", "digits-cnn", {"precision": "bf16"}),
    GpuCase("digits-cnn, compiled, bf16", "digits-cnn", {"mode": "compiled", "precision": "bf16"}),
    GpuCase("digits-mlp, moving average", "digits-mlp", {"average": {"kind": "ema", "decay": 0.98}}),
    GpuCase("texts in buckets", BUCKETED_SPEC, data=texts_csv),
    GpuCase("pictures streamed", STREAMED_SPEC, data=images_zip, loaders=4),
)
RESUME_CASES: tuple[GpuCase, ...] = (
    GpuCase("digits-mlp", "digits-mlp"),
    GpuCase("digits-mlp, fp16", "digits-mlp", {"precision": "fp16"}),
    GpuCase("digits-cnn, bf16", "digits-cnn", {"precision": "bf16"}),
    GpuCase("digits-mlp, moving average", "digits-mlp", {"average": {"kind": "ema", "decay": 0.98}}),
    GpuCase("stochastic-depth", "stochastic-depth"),
    GpuCase("mixture-of-experts", "mixture-of-experts"),
    GpuCase("adaptive-computation", "adaptive-computation"),
    GpuCase("own-gru", "own-gru"),
    GpuCase("texts in buckets", BUCKETED_SPEC, data=texts_csv),
    GpuCase("pictures streamed", STREAMED_SPEC, data=images_zip, loaders=4),
)
