"""Small data sets of every type of column, and jobs on them: to be uploaded, trained on, and asked about."""

import gzip
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from tests.app.api import sample_images
from tests.app.api.sample_dataset import CROSS_ENTROPY, LINEAR_NODE, SampleDataset
from tests.app.api.sample_files import ndjson_bytes, npz_bytes, parquet_bytes, zip_bytes


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
        "application/gzip": gzip.compress(b"age;height;town\n30;0.5;Ulm\n;0.25;Paris\n64.5;;\n"),
        "application/octet-stream": parquet_bytes(asked),
        "text/csv; charset=utf-16-le": "age,height,town\n30,0.5,Ulm\n,0.25,Paris\n64.5,,\n".encode("utf-16-le"),
        "application/zip": zip_bytes({"rows.csv": b"age,height,town,group\n30,0.5,Ulm,old\n,0.25,Paris,\n64.5,,,\n"}),
        "text/plain": b"sep=|\nage|height|town\n30|0.5|Ulm\n|0.25|Paris\n64.5||\n",
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
    files = {
        "text/plain": b"the\tD\ndog\tN\nruns\tV\n\ncat\tN\n\nthe\tD\nunknown\tN\ncat\tN\nsees\tV\n",
        "application/octet-stream": b"the\ndog\nruns\n\ncat\n\nthe\nunknown\ncat\nsees\n",
        "application/x-ndjson": ndjson_bytes(asked),
    }
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
    lines = b"(1 (0 good) (1 bad))\n(0 good)\n(0 unknown)\n"
    files = {"text/plain": lines, "application/gzip": gzip.compress(lines), "application/x-ndjson": ndjson_bytes(asked)}
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
    tensors = save({name: torch.from_numpy(array) for name, array in part.items()})
    files = {
        "application/x-npz": npz_bytes(part | {"y": arrays["y"][:3]}),
        "application/zip": npz_bytes(part),
        "application/x-safetensors": tensors,
        "application/octet-stream": tensors,
    }
    return SampleDataset(npz_bytes(arrays), model, CROSS_ENTROPY, asked, "label", {}, files)


SAMPLE_DATASETS: dict[str, Callable[[], SampleDataset]] = {
    "table": _table,
    "texts": _texts,
    "tags": _tags,
    "labels": _labels,
    "series": _series,
    "trees": _trees,
    "arrays": _arrays,
    "small_pictures": sample_images.small_images,
    "pictures": sample_images.images,
    "labelled_pictures": sample_images.labelled_images,
}
