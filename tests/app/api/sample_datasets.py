"""Small data sets of every type of column, and jobs on them: to be uploaded, trained on, and asked about."""

import base64
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from tests.app.api.sample_files import ndjson_bytes, npz_bytes, parquet_bytes, png_bytes, zip_bytes

CROSS_ENTROPY = {"loss": {"kind": "CrossEntropyLoss"}}
LINEAR_NODE = {"kind": "Linear", "out_features": 2}
TRAINING_PLAN: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 16,
    "device": "cpu",
    "optimizer": {"kind": "Adam", "lr": 0.05},
}


@dataclass(frozen=True)
class SampleDataset:
    """Content to upload, the job that learns from it, and rows to ask about, as JSON and as files by media type."""

    content: bytes
    model: dict[str, Any]
    objective: dict[str, Any]
    rows: list[dict[str, Any]]
    prediction_field: str  # what is told of every row
    options: dict[str, Any] = field(default_factory=dict)  # of the job's data
    files: dict[str, bytes] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)


def _table() -> SampleDataset:
    """Numbers and words, some of which are missing; what is learned has words."""
    random.seed(0)
    rows = []
    for number in range(60):
        age = random.randrange(20, 70)
        town = random.choice(["Bonn", "Köln", "Ulm"])
        rows.append(
            (age if number % 9 else "", random.random(), town if number % 7 else "", "old" if age > 45 else "young")
        )
    content = "age,height,town,group\n" + "".join(f"{a},{h:.3f},{t},{g}\n" for a, h, t, g in rows)
    model = {
        "nodes": [
            {"id": "place", "kind": "Embedding", "inputs": ["town"], "num_embeddings": 4, "embedding_dim": 2},
            {"id": "all", "kind": "cat", "inputs": ["x", "place"], "dim": 1},
            {"id": "logits", **LINEAR_NODE, "inputs": ["all"]},
        ]
    }
    asked = [
        {"age": 30, "height": 0.5, "town": "Ulm"},
        {"age": None, "height": 0.25, "town": "Paris"},
        {"age": 64.5, "height": None, "town": None},
    ]
    files = {
        "text/csv": b"height,town,age\n0.5,Ulm,30\n0.25,Paris,\n,,64.5\n",
        "text/tab-separated-values": b"age\theight\ttown\n30\t0.5\tUlm\nNA\t0.25\tParis\n64.5\t?\t\n",
        "application/x-ndjson": ndjson_bytes(asked),
        "application/vnd.apache.parquet": parquet_bytes(asked),
    }
    return SampleDataset(content.encode(), model, CROSS_ENTROPY, asked, "label", {"scale": "standard"}, files)


def _sequence(kind: str, name: str, size: int, last: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a recurrent network over tokens or moments."""
    start: list[dict[str, Any]] = []
    source = name
    if kind == "tokens":
        start = [{"id": "vectors", "kind": "Embedding", "inputs": [name], "num_embeddings": size, "embedding_dim": 4}]
        source = "vectors"
    return {
        "inputs": [name, f"{name}_length"],
        "nodes": [
            *start,
            {
                "id": "states",
                "kind": "GRU",
                "hidden_size": 4,
                "inputs": [source, f"{name}_length"],
                "returns": "sequence" if last[0]["id"] == "tags" else "last",
            },
            *last,
        ],
    }


def _texts() -> SampleDataset:
    """Texts of two kinds."""
    texts = [
        (f"a {'good' if number % 2 else 'bad'} film{' indeed' * (number % 4)}, no {number}", number % 2)
        for number in range(40)
    ]
    content = "text,mark\n" + "".join(f'"{text}",{"good" if mark else "bad"}\n' for text, mark in texts)
    options = {
        "features": {"text": {"kind": "text", "column": "text", "tokenizer": {"vocabulary": 100}}},
        "target": "mark",
    }
    model = _sequence("tokens", "text", 100, [{"id": "logits", **LINEAR_NODE, "inputs": ["states"]}])
    asked = [{"text": "a good film"}, {"text": "so very, very bad that nobody knows the words"}, {"text": ""}]
    files = {"text/csv": b'text\n"a good film"\n"so very, very bad that nobody knows the words"\n""\n'}
    return SampleDataset(content.encode(), model, CROSS_ENTROPY, asked, "label", options, files)


def _tags() -> SampleDataset:
    """Tokens and their tags."""
    words = {"the": "D", "dog": "N", "cat": "N", "sees": "V", "runs": "V"}
    random.seed(1)
    sentences = [random.choices(list(words), k=random.randrange(1, 7)) for _ in range(30)]
    content = "\n".join("".join(f"{word}\t{words[word]}\n" for word in sentence) for sentence in sentences)
    turned = {"id": "first", "kind": "transpose", "inputs": ["tags"], "dim0": 1, "dim1": 2}
    last = [{"id": "tags", "kind": "Linear", "out_features": 3, "inputs": ["states"]}, turned]
    options = {
        "features": {"tokens": {"kind": "text", "column": "tokens", "tokenizer": {"vocabulary": 10}, "min_length": 3}},
        "target": "tags",
    }
    asked = [{"tokens": ["the", "dog", "runs"]}, {"tokens": ["cat"]}, {"tokens": ["the", "unknown", "cat", "sees"]}]
    files = {"text/plain": b"the\tD\ndog\tN\nruns\tV\n\ncat\tN\n\nthe\tD\nunknown\tN\ncat\tN\nsees\tV\n"}
    return SampleDataset(
        content.encode(),
        _sequence("tokens", "tokens", 10, last),
        CROSS_ENTROPY,
        asked,
        "tags",
        options,
        files,
        {"format": "conll"},
    )


def _labels() -> SampleDataset:
    """Numbers, of which several labels are learned at once."""
    words = {"drama": 2, "comedy": 3, "crime": 5}
    rows = [
        {"a": number % 3, "b": number % 2 + 0.5, "genres": [word for word, each in words.items() if number % each]}
        for number in range(40)
    ]
    model = {"layers": [{"kind": "Linear", "out_features": 3}]}
    features = {"x": {"kind": "numbers", "columns": ["a", "b"]}, "genres": {"kind": "labels", "column": "genres"}}
    options = {"features": features, "target": "genres"}
    asked = [{"a": 1, "b": 0.5}, {"a": None, "b": 1.5}]
    return SampleDataset(
        ndjson_bytes(rows),
        model,
        {"loss": {"kind": "BCEWithLogitsLoss"}},
        asked,
        "labels",
        options,
        {"application/jsonl": ndjson_bytes(asked), "text/csv": b"a,b\n1,0.5\n,1.5\n"},
    )


def _series() -> SampleDataset:
    """Numbers over time, of which one number is learned."""
    random.seed(2)
    waves = [[[random.random(), float(place)] for place in range(random.randrange(1, 6))] for _ in range(40)]
    rows = [{"wave": wave, "total": sum(moment[0] for moment in wave)} for wave in waves]
    model = _sequence(
        "moments", "wave", 0, [{"id": "guess", "kind": "Linear", "out_features": 1, "inputs": ["states"]}]
    )
    asked = [{"wave": [[0.5, 0.0], [0.25, 1.0]]}, {"wave": [[1.0, 0.0]]}, {"wave": []}]
    files = {
        "application/x-ndjson": ndjson_bytes(asked),
        "text/csv": b'wave\n"[[0.5, 0.0], [0.25, 1.0]]"\n"[[1.0, 0.0]]"\n[]\n',
    }
    options = {"target": "total"}
    return SampleDataset(ndjson_bytes(rows), model, {"loss": {"kind": "MSELoss"}}, asked, "value", options, files)


def _trees() -> SampleDataset:
    """Trees whose roots have a label."""
    random.seed(3)

    def grown(depth: int) -> str:
        if depth == 0 or random.random() < 0.3:
            return f"({random.randrange(2)} {random.choice(['good', 'bad', 'film'])})"
        return f"({random.randrange(2)} {grown(depth - 1)} {grown(depth - 1)})"

    content = "\n".join(grown(3) for _ in range(40))
    inner = [
        {"id": "below", "kind": "sum", "inputs": ["states"], "dim": 1},
        {"id": "both", "kind": "add", "inputs": ["value", "below"]},
        {"id": "state", "kind": "tanh", "inputs": ["both"]},
    ]
    model = {
        "inputs": ["tree", "tree_children"],
        "nodes": [
            {"id": "vectors", "kind": "Embedding", "inputs": ["tree"], "num_embeddings": 20, "embedding_dim": 4},
            {
                "id": "root",
                "kind": "Fold",
                "over": "vectors",
                "children": "tree_children",
                "leaf": {"layers": [{"kind": "Tanh"}]},
                "node": {"inputs": ["value", "states"], "nodes": inner},
            },
            {"id": "logits", **LINEAR_NODE, "inputs": ["root"]},
        ],
    }
    options = {
        "features": {
            "tree": {"kind": "tree", "column": "tree", "vocabulary": 20},
            "label": {"kind": "class", "column": "label"},
        },
        "target": "label",
    }
    leaf = [{"label": word} for word in ("good", "bad", "unknown")]
    asked = [{"tree": {"label": "node", "children": leaf[:2]}}, {"tree": leaf[0]}, {"tree": leaf[2]}]
    files = {"text/plain": b"(1 (0 good) (1 bad))\n(0 good)\n(0 unknown)\n"}
    return SampleDataset(content.encode(), model, CROSS_ENTROPY, asked, "label", options, files, {"format": "trees"})


def _arrays() -> SampleDataset:
    """Tensors of several shapes and types."""
    random_ = np.random.default_rng(0)
    arrays = {
        "x": random_.normal(size=(40, 2, 3)).astype(np.float32),
        "code": random_.integers(0, 5, 40),
        "y": random_.integers(0, 2, 40),
    }
    model = {
        "inputs": ["x", "code"],
        "nodes": [
            {"id": "word", "kind": "Embedding", "inputs": ["code"], "num_embeddings": 5, "embedding_dim": 2},
            {"id": "flat", "kind": "Flatten", "inputs": ["x"]},
            {"id": "all", "kind": "cat", "inputs": ["flat", "word"], "dim": 1},
            {"id": "out", **LINEAR_NODE, "inputs": ["all"]},
        ],
    }
    asked = [{"x": arrays["x"][row].tolist(), "code": int(arrays["code"][row])} for row in range(3)]
    part = {name: arrays[name][:3] for name in ("x", "code")}
    files = {"application/x-npz": npz_bytes(part), "application/zip": npz_bytes(part)}
    return SampleDataset(npz_bytes(arrays), model, CROSS_ENTROPY, asked, "label", {}, files)


def _small_images() -> SampleDataset:
    """Pictures that are alike and small, which are stored as one array."""
    content = zip_bytes(
        {
            f"{'light' if number % 2 else 'dark'}/{number}.png": png_bytes(150 * (number % 2) + number)
            for number in range(40)
        }
    )
    model = {"layers": [{"kind": "Flatten"}, LINEAR_NODE]}
    pictures = [np.array(Image.open(io.BytesIO(png_bytes(value)))).tolist() for value in (10, 180)]
    asked = [{"image": [picture]} for picture in pictures]
    files = {"application/zip": zip_bytes({"b.png": png_bytes(180), "a.png": png_bytes(10)})}
    return SampleDataset(content, model, CROSS_ENTROPY, asked, "label", {}, files)


def _images() -> SampleDataset:
    """Pictures of unlike sizes, which are decoded when they are needed, and flipped at random in training."""
    content = zip_bytes(
        {f"{'light' if n % 2 else 'dark'}/{n}.png": png_bytes(150 * (n % 2) + n, 5 + n % 3) for n in range(40)}
    )
    model = {"layers": [{"kind": "Flatten"}, LINEAR_NODE]}
    options = {"transforms": [{"kind": "Resize", "size": [4, 4]}, {"kind": "RandomHorizontalFlip"}]}
    small, large = png_bytes(10, 5), png_bytes(180, 9, 7)
    asked = [{"image": base64.b64encode(small).decode()}, {"image": base64.b64encode(large).decode()}]
    files = {"application/zip": zip_bytes({"1.png": small, "2.png": large})}
    return SampleDataset(content, model, CROSS_ENTROPY, asked, "label", options, files)


SAMPLE_DATASETS: dict[str, Callable[[], SampleDataset]] = {
    "table": _table,
    "texts": _texts,
    "tags": _tags,
    "labels": _labels,
    "series": _series,
    "trees": _trees,
    "arrays": _arrays,
    "small_pictures": _small_images,
    "pictures": _images,
}
