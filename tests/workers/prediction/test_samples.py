"""Outputs by name, samples of outputs that read no column, and outputs that are images."""

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from app.errors import ContentTooLarge, InvalidInput
from app.spec.prediction import PredictionOptions
from tests.workers.prediction.checkpoints import make_job, make_schema, write_checkpoint
from workers.data.rng import step_seed
from workers.network.runtime.build import BuiltNetwork
from workers.prediction.forward import predict_rows, prepare_rows
from workers.prediction.inputs.requests import RequestBody, parse_prediction
from workers.prediction.inputs.rows import split_from_rows
from workers.prediction.network import NetworkSource, TrainedNetwork, load_network
from workers.prediction.pictures import encode_pictures, is_picture_output
from workers.prediction.selection import OutputSelection

CPU = torch.device("cpu")
PICTURES = [{"name": "picture", "type": "tensor", "shape": [3, 2, 4], "dtype": "float32", "peak": 255.0}]
PICTURES += [{"name": "y", "type": "category", "labels": ["cat", "dog"]}]
ROWS = {"picture": torch.randint(0, 256, (4, 3, 2, 4), generator=torch.Generator().manual_seed(1)).byte()}
DECODER = {"layers": [{"kind": "Linear", "out_features": 24}, {"kind": "sigmoid"}]}
MODEL: dict[str, Any] = {
    "inputs": ["picture", "y"],
    "nodes": [
        {"id": "flat", "kind": "Flatten", "inputs": ["picture"]},
        {"id": "code", "kind": "Linear", "inputs": ["flat"], "out_features": 5},
        {"id": "again", "kind": "block", "name": "Decoder", "share": "decoder", "inputs": ["code"]},
        {"id": "copy", "kind": "Unflatten", "inputs": ["again"], "dim": 1, "unflattened_size": [3, 2, 4]},
        {"id": "noise", "kind": "randn", "inputs": ["code"], "shape": [5]},
        {"id": "drawn", "kind": "block", "name": "Decoder", "share": "decoder", "inputs": ["noise"]},
        {"id": "sample", "kind": "Unflatten", "inputs": ["drawn"], "dim": 1, "unflattened_size": [3, 2, 4]},
        {"id": "kind", "kind": "Embedding", "inputs": ["y"], "embedding_dim": 5},
        {"id": "placed", "kind": "add", "inputs": ["noise", "kind"]},
        {"id": "of_kind", "kind": "block", "name": "Decoder", "share": "decoder", "inputs": ["placed"]},
        {"id": "whole", "kind": "mean", "inputs": ["code"]},
    ],
    "outputs": {name: name for name in ("copy", "sample", "of_kind", "whole")},
    "blocks": {"Decoder": DECODER},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[NetworkSource, BuiltNetwork]:
    """A network that reads pictures and decodes noise, and its checkpoint."""
    job = make_job(MODEL, "MSELoss", target="picture", inputs=["picture", "y"])
    job["objective"] |= {"output": "copy"}
    rows = {**ROWS, "y": ["cat", "dog", "dog", "cat"]}
    return write_checkpoint(tmp_path_factory.mktemp("sampled"), job, make_schema(PICTURES, None), rows)


def predict(loaded: TrainedNetwork, count: int, rows: Any = None, **options: Any) -> list[dict[str, Any]]:
    chosen = PredictionOptions.model_validate(options)
    split = split_from_rows(rows, loaded.required_columns, loaded.dataset_columns) if rows else {}
    return predict_rows(loaded, prepare_rows(loaded, split, count), chosen)


def decode(network: BuiltNetwork, code: Tensor) -> Tensor:
    """Return what the decoder makes of codes, in plain PyTorch."""
    state = network.state_dict()
    return nn.functional.linear(code, state["again.linear1.weight"], state["again.linear1.bias"]).sigmoid()


def test_samples_need_no_rows_and_are_the_decoders(trained: tuple[NetworkSource, BuiltNetwork]) -> None:
    source, network = trained
    loaded = load_network(source, CPU, OutputSelection(without_rows=True))
    assert list(loaded.formatters) == ["sample"]
    assert loaded.required_columns == ()
    assert loaded.left_out["copy"] == "it reads picture: send rows"
    found = predict(loaded, 10, batch_size=4, seed=7)
    noises = []
    for start in (0, 4, 8):
        torch.manual_seed(step_seed(7, start))
        noises.append(torch.randn(min(4, 10 - start), 5))
    expected = decode(network, torch.cat(noises)).detach().reshape(10, 3, 2, 4)
    np.testing.assert_allclose(np.stack([row["sample"]["raw"] for row in found]), expected, atol=1e-6)
    assert len(np.unique(np.stack([row["sample"]["raw"] for row in found]), axis=0)) == 10  # no batch draws again
    assert predict(loaded, 2, seed=7)[0]["sample"]["raw"][0, 0, 0] != predict(loaded, 2)[0]["sample"]["raw"][0, 0, 0]


def test_a_selected_output_needs_its_own_columns_alone(trained: tuple[NetworkSource, BuiltNetwork]) -> None:
    source, network = trained
    loaded = load_network(source, CPU, OutputSelection(("of_kind",)))
    assert [each.name for each in loaded.required_columns] == ["y"]
    assert loaded.left_out["copy"] == "it is not selected"
    found = predict(loaded, 3, rows=[{"y": "dog"}, {"y": "cat"}, {"y": "dog"}])
    torch.manual_seed(step_seed(0, 0))
    noise = torch.randn(3, 5)
    table = network.state_dict()["kind.weight"]
    expected = decode(network, noise + table[torch.tensor([2, 1, 2])]).detach()  # the word 0 is unknown
    np.testing.assert_allclose(np.stack([row["of_kind"]["raw"] for row in found]), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("names", "without_rows", "pointer", "code", "words"),
    [
        (("sampel",), True, "/select/0", "unknown_output", 'did you mean "sample"?'),
        (("sample", "copy"), True, "/select/1", "not_predictable", "remove it"),
        (("whole",), False, "/select/0", "not_predictable", "remove it"),
    ],
)
def test_what_cannot_be_selected_is_told(
    trained: tuple[NetworkSource, BuiltNetwork],
    names: tuple[str, ...],
    without_rows: bool,
    pointer: str,
    code: str,
    words: str,
) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_network(trained[0], CPU, OutputSelection(names, without_rows))
    (problem,) = caught.value.problems
    assert (problem.pointer, problem.code, problem.hint) == (pointer, code, words)


def test_a_network_of_columns_alone_draws_no_samples(tmp_path: Path) -> None:
    columns = [{"name": "x", "shape": [2], "type": "tensor"}, {"name": "y", "shape": [1], "type": "tensor"}]
    rows = {"x": torch.ones(4, 2), "y": torch.ones(4, 1)}
    job = make_job([{"kind": "Linear", "out_features": 1}], "MSELoss")
    source, _ = write_checkpoint(tmp_path, job, make_schema(columns), rows)
    with pytest.raises(InvalidInput) as caught:
        load_network(source, CPU, OutputSelection(without_rows=True))
    assert [(each.pointer, each.code) for each in caught.value.problems] == [("/count", "reads_columns")]


def png(text: str) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(BytesIO(base64.b64decode(text))))


def test_pictures_are_the_outputs_in_bytes(trained: tuple[NetworkSource, BuiltNetwork]) -> None:
    source, _ = trained
    loaded = load_network(source, CPU, OutputSelection(("copy", "sample", "of_kind")))
    rows = [{"picture": row.tolist(), "y": "cat"} for row in ROWS["picture"]]
    found = predict(loaded, 4, rows=rows, outputs=["image", "raw", "labels"])
    for row in found:
        for name in ("copy", "sample"):  # the first in the units of the data, 0 to 255
            assert np.abs(png(row[name]["image"]).transpose(2, 0, 1) - row[name]["raw"] * 255).max() <= 0.5001
        assert np.abs(row["copy"]["value"] - row["copy"]["raw"] * 255).max() < 1e-3
        assert "image" not in row["of_kind"]
    assert set(predict(loaded, 4, rows=rows, outputs="image")[0]["copy"]) == {"image"}


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((2, 1, 3, 5), True), ((2, 3, 1, 1), True), ((2, 2, 3, 5), False), ((2, 3, 5), False), ((0, 1, 2, 2), False)],
)
def test_which_outputs_are_pictures(shape: tuple[int, ...], expected: bool) -> None:
    assert is_picture_output(torch.zeros(shape)) is expected
    assert not is_picture_output(torch.zeros(shape, dtype=torch.int64))


def test_what_is_no_brightness_is_clipped() -> None:
    values = torch.tensor([[[[-1.0, 0.0, 0.5, 1.0, 7.0, float("nan"), float("inf"), -float("inf")]]]])
    assert png(encode_pictures(values, 1.0)[0]).tolist() == [[0, 0, 128, 255, 255, 0, 255, 0]]
    assert png(encode_pictures(values, 2.0)[0])[0, 3] == 128


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"count": 3}, []),
        ({"count": 3, "rows": [{}]}, [("", "contradiction")]),
        ({}, [("", "missing")]),
        ({"count": 0}, [("/rows", "no_rows")]),
        ({"count": -1}, [("/count", "out_of_range")]),
    ],
)
def test_a_document_has_rows_or_a_count(
    tmp_path: Path, document: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    (tmp_path / "body").write_text(json.dumps(document))
    problems: list[tuple[str, str]] = []
    try:
        parse_prediction(RequestBody(tmp_path / "body", "application/json", 20), PredictionOptions())
    except InvalidInput as error:
        problems = [(each.pointer, each.code) for each in error.problems]
    assert problems == expected
    with pytest.raises(ContentTooLarge):
        RequestBody(tmp_path / "body", "application/json", 20).check_row_count(21)
