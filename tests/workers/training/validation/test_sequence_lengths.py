"""Batches are as long as their longest row: networks that cannot take every length are rejected at submission."""

from typing import Any

import pytest

from tests.workers.training.datasets import (
    LIMITS,
    InMemoryDataset,
    dataset_job,
    series_dataset,
    tagging_dataset,
    text_dataset,
    tree_dataset,
)
from tests.workers.training.test_sequences import GRU, TAGGER, TREES, WAVES, graph, text
from workers.children.inspect import inspect_job

EMBED = {"id": "embed", "kind": "Embedding", "inputs": ["text"], "embedding_dim": 8}
TURNED = {"id": "turned", "kind": "transpose", "inputs": ["embed"], "dim0": 1, "dim1": 2}
LABEL = {"target": "label"}


def chain(*nodes: dict[str, Any], out: bool = True) -> dict[str, Any]:
    """Return a network on the embedded text, whose nodes each read the one before."""
    names = ["embed", *(node["id"] for node in nodes)]
    linked = [{"inputs": [before], **node} for before, node in zip(names, nodes, strict=False)]
    last = {"id": "out", "kind": "Linear", "inputs": [names[-1]], "out_features": 2}
    return graph(["text"], EMBED, *linked, *([last] if out else []))


MEAN = {"id": "mean", "kind": "mean", "dim": 1}
MAX = {"id": "max", "kind": "amax", "dim": 2}
TURN = {"id": "turned", "kind": "transpose", "dim0": 1, "dim1": 2}
CONV = {"id": "conv", "kind": "Conv1d", "out_channels": 4, "kernel_size": 5}
PLACES = {"id": "places", "kind": "Parameter", "shape": [256, 8], "inputs": []}
ADD = {"id": "sum", "kind": "add", "inputs": ["embed", "places"]}

TOLD: dict[str, tuple[Any, str, str]] = {
    "flattened": (
        chain({"id": "flat", "kind": "Flatten"}),
        "/model/nodes/2",
        'out has in_features 2048 where batches of "text" are 256 long, and 8 where they are 1',
    ),
    "a large kernel": (chain(TURN, CONV, MAX), "/model/nodes/2/kernel_size", 'at "text" of 1: conv has a kernel of 5'),
    "normed over time": (chain({"id": "norm", "kind": "BatchNorm1d"}, MEAN), "/model/nodes/1", "norm has num_features"),
    "normed by size": (
        chain({"id": "norm", "kind": "LayerNorm", "normalized_shape": [256, 8]}, MEAN),
        "/model/nodes/1/normalized_shape",
        'at "text" of 1: norm normalises over 256x8',
    ),
    "a place's own parameter": (chain(PLACES, ADD, MEAN), "/model/nodes/2", 'at "text" of 255: sum cannot combine'),
    "a fixed size": (chain({"id": "flat", "kind": "reshape", "shape": [-1, 2048]}), "/model/nodes/1", 'at "text" of 1'),
    "within a body": (
        chain(
            {
                "id": "twice",
                "kind": "Repeat",
                "times": 2,
                "share": False,
                "body": {"layers": [{"kind": "ReLU"}, {"kind": "GroupNorm", "num_groups": 1}]},
            },
            MEAN,
        ),
        "/model/nodes/1/body/layers/1",
        "groupnorm1 has num_channels 256",
    ),
}


def problems(corpus: InMemoryDataset, spec: Any) -> list[tuple[str, str]]:
    result = inspect_job(spec, corpus.schema, LIMITS).problems
    assert all(problem.code == "depends_on_length" and "pool_sequence" in problem.hint for problem in result)
    return [(problem.pointer, problem.detail) for problem in result]


@pytest.mark.parametrize("name", TOLD)
def test_what_depends_on_the_length_is_told(name: str) -> None:
    network, pointer, words = TOLD[name]
    (problem,) = problems(text_dataset(), dataset_job(network, **LABEL))
    assert problem[0] == pointer
    assert words in problem[1]


@pytest.mark.parametrize("name", TOLD)
def test_a_fixed_length_is_no_problem(name: str) -> None:
    network, _, _ = TOLD[name]
    assert (
        problems(
            text_dataset(),
            dataset_job(network, features={"text": {"kind": "text", "column": "text", "pad": "max_length"}}, **LABEL),
        )
        == []
    )


@pytest.mark.parametrize(
    ("network", "settings"),
    [
        (GRU, {}),
        (chain(MEAN), {}),
        (chain(TURN, CONV | {"padding": "same"}, MAX), {}),
        (chain(TURN, CONV, MAX), {"min_length": 5}),
        (
            chain(
                TURN, {"id": "pooled", "kind": "AdaptiveMaxPool1d", "output_size": 3}, {"id": "flat", "kind": "Flatten"}
            ),
            {},
        ),
        (
            chain(
                {"id": "places", "kind": "arange", "inputs": ["text"]},
                {"id": "learned", "kind": "Embedding", "embedding_dim": 8},
                {**ADD, "inputs": ["embed", "learned"]},
                MEAN,
            ),
            {},
        ),
    ],
)
def test_what_takes_every_length_is_fine(network: Any, settings: dict[str, Any]) -> None:
    assert problems(text_dataset(), dataset_job(network, features=text(**settings), **LABEL)) == []


@pytest.mark.parametrize(
    ("corpus", "network"),
    [(tagging_dataset(), TAGGER), (tree_dataset(), TREES), (series_dataset(), WAVES)],
    ids=["tags", "trees", "series"],
)
def test_other_sequences_are_fine(corpus: InMemoryDataset, network: Any) -> None:
    assert problems(corpus, dataset_job(network)) == []


def test_scores_of_a_fixed_length_do_not_fit_tags() -> None:
    nodes = [
        {**EMBED, "inputs": ["words"]},
        {"id": "out", "kind": "Linear", "inputs": ["embed"], "out_features": 2},
        {"id": "turned", "kind": "transpose", "inputs": ["out"], "dim0": 1, "dim1": 2},
        {"id": "scores", "kind": "interpolate", "inputs": ["turned"], "size": 256},
    ]
    (problem,) = problems(tagging_dataset(), dataset_job(graph(["words"], *nodes)))
    assert "CrossEntropyLoss compares 2x256 per example from scores with targets of 1 per example" in problem[1]


def test_two_texts_are_never_equally_long_by_chance() -> None:
    corpus = text_dataset()
    features = {name: {"kind": "text", "column": "text"} for name in ("one", "other")}
    nodes = [{**EMBED, "id": f"e_{name}", "inputs": [name]} for name in features]
    nodes += [
        {"id": "sum", "kind": "add", "inputs": ["e_one", "e_other"]},
        {**MEAN, "inputs": ["sum"]},
        {"id": "out", "kind": "Linear", "inputs": ["mean"], "out_features": 2},
    ]
    (problem,) = problems(corpus, dataset_job(graph(list(features), *nodes), features=features, **LABEL))
    assert 'at "one" of 255 and "other" of 256: sum cannot combine' in problem[1]


def test_the_report_says_which_inputs_are_ragged() -> None:
    corpus = text_dataset()
    report = inspect_job(dataset_job(GRU, features=text(), **LABEL), corpus.schema, LIMITS).report
    assert report["inputs"]["text"] == {"shape": ["N", 256], "dtype": "int64", "ragged": True}
    assert "ragged" not in report["inputs"]["text_length"]
