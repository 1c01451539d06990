"""Pretrained vectors of words, put into the rows of an Embedding before a training begins."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from app.errors import DataError, InvalidInput, Problem
from app.spec.data.columns import DataSchema
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.data.sequence_features import TextFeature, Vectors
from app.spec.data.sources import UploadSource
from app.spec.hints.names import did_you_mean
from app.spec.problems import json_pointer
from app.storage.protocol import ArtifactStore
from workers.data.columns import RaggedTensor
from workers.data.files.content import Upload
from workers.data.formats.texts.word_vectors import read_word_vectors
from workers.data.loading.examples import TrainingData
from workers.data.tokenizers import SPECIAL_TOKENS
from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.runtime.build import BuiltNetwork
from workers.protocol.assignment import DatasetRef

EMBEDDING = "Embedding"


def vectors_pointer(feature: str) -> str:
    """Return the pointer of the vectors of a feature."""
    return json_pointer(["data", "features", feature, "vectors"])


def vector_problems(
    resolved: ResolvedFeatures, blueprint: Blueprint, known: Mapping[str, DataSchema]
) -> Iterator[Problem]:
    """Yield why vectors cannot be put where a job wants them; `known` are their data sets, by pointer."""
    nodes = dict(embedding_nodes(blueprint))
    for name, part, vectors in features_with_vectors(resolved):
        place, into = vectors_pointer(name), vectors.into
        if part.tokenizer.kind != "word":
            detail = f"vectors are of words, and {name} is cut into tokens of another kind ({part.tokenizer.kind})"
            yield Problem(place, "contradiction", detail, 'use "tokenizer": {"kind": "word"}')
        node = nodes.get(into)
        if node is None:
            hint = did_you_mean(into, nodes) or ("one of: " + ", ".join(nodes) if nodes else "add an Embedding")
            yield Problem(f"{place}/into", "unknown_node", f'the network has no {EMBEDDING} "{into}"', hint)
            continue
        if "." not in into and node.inputs[0] in blueprint.inputs and node.inputs[0] != name:
            yield Problem(f"{place}/into", "contradiction", f"{into} reads {node.inputs[0]}, and not {name}", "")
        schema = known.get(f"{place}/dataset")
        column = schema.column("vector") if schema is not None else None
        width = node.parameters["embedding_dim"]
        if column is not None and column.shape != (width,):
            detail = f"{into} has vectors of {width} numbers, and those of the data set have {column.shape[0]}"
            yield Problem(
                f"/model{node.pointer}/embedding_dim",
                "shape_mismatch",
                detail,
                f"set embedding_dim to {column.shape[0]}",
            )


def features_with_vectors(resolved: ResolvedFeatures) -> Iterator[tuple[str, TextFeature, Vectors]]:
    """Yield the features of texts that name vectors."""
    for name, feature in resolved.features.items():
        if isinstance(feature, TextFeature) and feature.vectors is not None:
            yield name, feature, feature.vectors


def embedding_nodes(blueprint: Blueprint, path: str = "") -> Iterator[tuple[str, ResolvedNode]]:
    """Yield every Embedding with its path in the network's modules."""
    for node in blueprint.nodes:
        if node.kind == EMBEDDING:
            yield f"{path}{node.id}", node
        for name, body in node.bodies.items():
            inner = f"{path}{node.id}." if node.kind == "block" else f"{path}{node.id}.{name}."
            yield from embedding_nodes(body, inner)


def load_pretrained_embeddings(
    network: BuiltNetwork,
    resolved: ResolvedFeatures,
    data: TrainingData,
    sets: Mapping[str, DatasetRef],
    store: ArtifactStore,
    workdir: Path,
) -> Iterator[dict[str, Any]]:
    """Put the vectors of all words of the vocabulary into their rows; others stay as they were drawn.

    Yields what was found for each feature. Raises `DataError`.
    """
    for name, _, vectors in features_with_vectors(resolved):
        texts = data.preparation.text_preprocessors().get(name)
        if texts is None:
            continue  # the network does not read it
        codes = {word: code for word, code in texts.tokenizer.get_vocab().items() if word not in SPECIAL_TOKENS}
        words, values = _read_vectors(name, sets[vectors.dataset], codes, store, workdir)
        weight: Tensor = network.get_submodule(vectors.into).weight  # type: ignore[assignment]
        if len(words) and values.shape[1:] != weight.shape[1:]:
            detail = f"{vectors.into} has vectors of {weight.shape[1]} numbers, the file has {values.shape[1]}"
            raise DataError(detail, pointer=vectors_pointer(name))
        rows = torch.tensor([codes[word] for word in words], dtype=torch.int64)
        with torch.no_grad():
            weight[rows] = values.to(weight.dtype)
        column = data.train.inputs.get(name)
        yield {
            "feature": name,
            "into": vectors.into,
            "tokens": len(codes),
            "found": len(words),
            "occurrences": _token_coverage(column, rows),
        }


def _read_vectors(
    name: str, registered: DatasetRef, codes: Mapping[str, int], store: ArtifactStore, workdir: Path
) -> tuple[list[str], Tensor]:
    if registered.path is None:
        raise DataError("the data set of vectors has no content", pointer=vectors_pointer(name))
    path = store.fetch(registered.path, workdir / f"vectors-{name}")
    try:
        return read_word_vectors(Upload(path, UploadSource.model_validate(registered.source)), codes)
    except InvalidInput as error:
        raise DataError(error.detail, pointer=vectors_pointer(name), hint=error.hint) from error


def _token_coverage(column: Any, rows: Tensor) -> float:
    """Return which share of the tokens of the training rows has a vector."""
    if not isinstance(column, RaggedTensor):
        return 0.0
    return float(torch.isin(column.values, rows).double().mean())
