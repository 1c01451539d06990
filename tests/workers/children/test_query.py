"""Questions about a network alone."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from app.spec.job import named_dataset_schema, parse_job, resolve_job_features
from workers.children.query import inspect_network
from workers.network.analysis.gradients import MAX_CHECKED_ELEMENTS

X = {"x": {"shape": [2]}}
RAW: dict[str, Any] = {
    "inputs": ["x"],
    "nodes": [
        {"id": "w", "kind": "Parameter", "shape": [2, 1], "init": {"kind": "constant", "value": 0.5}},
        {"id": "a", "kind": "matmul", "inputs": ["x", "w"]},
        {"id": "y", "kind": "sigmoid", "inputs": ["a"]},
    ],
}


def ask(**question: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    report, problems = inspect_network({"model": RAW, "inputs": X, **question}, max_nodes=100)
    return report, [(problem.pointer, problem.code) for problem in problems]


def test_shapes_and_costs_are_told() -> None:
    report, problems = ask()
    assert problems == []
    assert report["totals"]["parameters"] == 2
    assert report["outputs"]["output"]["shape"] == ["N", 1]
    assert report.keys().isdisjoint({"autograd", "gradcheck", "run"})


def test_gradients_are_those_of_the_formula() -> None:
    report, problems = ask(values={"x": [[1.0, 2.0], [0.0, 1.0]]}, autograd=True, gradcheck=True)
    assert problems == []
    outputs = [1 / (1 + math.exp(-0.5 * (a + b))) for a, b in ((1, 2), (0, 1))]
    assert [row[0] for row in report["run"]["outputs"]["output"]] == pytest.approx(outputs, abs=1e-6)
    slopes = [value * (1 - value) for value in outputs]
    expected = [slopes[0], 2 * slopes[0] + slopes[1]]
    assert [row[0] for row in report["run"]["gradients"]["w"]] == pytest.approx(expected, abs=1e-6)
    assert report["gradcheck"]["passed"]
    assert next(node["name"] for node in report["autograd"]["nodes"]) == "SigmoidBackward0"


@pytest.mark.parametrize(
    ("question", "problem"),
    [
        ({"inputs": {}}, ("/inputs", "too_few")),
        ({"model": {"layers": [{"kind": "Liner"}]}}, ("/model/layers/0/kind", "unknown_kind")),
        (
            {"model": {"layers": [{"kind": "Linear", "in_features": 3, "out_features": 1}]}},
            ("/model/layers/0/in_features", "shape_mismatch"),
        ),
        ({"values": {}}, ("/values", "missing")),
        ({"values": {"x": [[1.0]]}}, ("/values/x", "shape_mismatch")),
        ({"values": {"x": [[1.0, 2.0], [1.0]]}}, ("/values/x", "invalid_value")),
        (
            {"model": {"layers": [{"kind": "Linear", "out_features": 30_000}]}, "gradcheck": True},
            ("/model", "too_many_parameters"),
        ),
        ({"model": {"layers": [{"kind": "Tanh"}] * 200}}, ("/model", "too_many_nodes")),
        (
            {
                "model": {"layers": [{"kind": "Embedding", "num_embeddings": 3, "embedding_dim": 2}]},
                "inputs": {"x": {"shape": [2], "dtype": "int64"}},
                "values": {"x": [[7, 1]]},
            },
            ("/model", "run_failed"),
        ),
    ],
)
def test_what_stands_in_the_way_is_told(question: dict[str, Any], problem: tuple[str, str]) -> None:
    assert ask(**question)[1] == [problem]


NARROWER = {  # to vary every number of their own would take minutes
    "adaptive-computation": (r"\b(32|10)\b", "3"),  # turns, too
    "fully-connected": (r"\b(32|16)\b", "4"),
}


@pytest.mark.parametrize("path", sorted(Path("examples").glob("*.json")), ids=lambda path: str(path.stem))
def test_every_example_works_in_double_precision(path: Path) -> None:
    document = json.loads(re.sub(*NARROWER.get(path.stem, ("$^", "")), path.read_text()))
    job = parse_job(document)
    known = named_dataset_schema(job)
    if known is None:
        pytest.skip("its data set has no name")
    read = resolve_job_features(job, known).schema
    columns = [read.column(name) for name in job.model.input_names(job.data.inputs or read.inputs)]
    inputs = {each.name: {"shape": list(each.shape), "dtype": each.dtype} for each in columns if each is not None}
    question = {"model": document["model"], "inputs": inputs, "autograd": True}
    report, problems = inspect_network(question, max_nodes=1000)
    if [problem.code for problem in problems] == ["too_many_parameters"]:
        pytest.skip("it is too large to be built for a question")
    assert problems == []
    assert report["autograd"]["nodes"]
    if report["totals"]["parameters"] + 2 * 64 <= MAX_CHECKED_ELEMENTS:
        report, problems = inspect_network(question | {"gradcheck": True}, max_nodes=1000)
        assert problems == []
        assert report["gradcheck"]["passed"]


MAKERS: list[dict[str, Any]] = [
    *[{"id": kind, "kind": kind, "inputs": ["x"], "shape": [2]} for kind in ("zeros", "ones", "full", "rand", "randn")],
    {"id": "counted", "kind": "arange", "inputs": ["x"], "dtype": "float32"},
    {"id": "floats", "kind": "to", "inputs": ["x"], "dtype": "float32"},
    {"id": "whole", "kind": "to", "inputs": ["n"], "dtype": "float32"},
    {"id": "blank", "kind": "zeros", "inputs": ["n"], "shape": [2]},
    {"id": "fixed", "kind": "Constant", "value": [1.0, 2.0]},
]


@pytest.mark.parametrize("made", MAKERS, ids=lambda made: str(made["id"]))
def test_what_a_network_makes_is_double_where_its_weights_are(made: dict[str, Any]) -> None:
    model = {
        "inputs": ["x", "n"],
        "outputs": {"y": "y", "z": "z"},
        "nodes": [
            made,
            {"id": "w", "kind": "Parameter", "shape": [2, 2]},
            {"id": "both", "kind": "add", "inputs": ["x", made["id"]]},
            {"id": "y", "kind": "matmul", "inputs": ["both", "w"]},
            {"id": "z", "kind": "einsum", "inputs": ["w", made["id"]], "equation": "ij,...j->...i"},
        ],
    }
    question = {"model": model, "inputs": X | {"n": {"shape": [2], "dtype": "int64"}}, "gradcheck": True}
    report, problems = inspect_network(question, max_nodes=100)
    assert problems == []
    assert report["gradcheck"]["passed"]
    assert torch.get_default_dtype() is torch.float32
