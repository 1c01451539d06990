"""A trained network predicts as its own `model.py` does with its weights, whatever rows are beside a row."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from app.errors import InvalidInput, NotPredictable, OutOfMemory
from app.spec.data.sources import BUILTIN_SCHEMAS
from app.spec.prediction import PredictionOptions
from tests.workers.prediction.checkpoints import DIGITS, make_job, make_schema, write_checkpoint
from workers.data.columns import SplitColumns
from workers.data.loading.sources import load_source
from workers.prediction.forward import predict_rows, prepare_rows
from workers.prediction.inputs.rows import split_from_rows
from workers.prediction.network import TrainedNetwork, load_network

CPU = torch.device("cpu")
RAW = PredictionOptions.model_validate({"outputs": "raw"})


def import_model(folder: Path) -> ModuleType:
    """Return the downloaded model.py as a module."""
    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def predict(
    trained: TrainedNetwork, rows: list[dict[str, Any]], options: PredictionOptions = RAW
) -> list[dict[str, Any]]:
    split = split_from_rows(rows, trained.required_columns, trained.dataset_columns)
    return predict_rows(trained, prepare_rows(trained, split, len(rows)), options)


def raw_outputs(
    trained: TrainedNetwork, rows: list[dict[str, Any]], output: str = "output", **options: Any
) -> list[Any]:
    found = predict(trained, rows, PredictionOptions.model_validate({"outputs": "raw", **options}))
    return [row[output]["raw"] for row in found]


def digits(folder: Path) -> tuple[TrainedNetwork, torch.Tensor, torch.Tensor]:
    """Return a network on the digits, some of them as they are stored, and its expected outputs."""
    split = load_source({"kind": "builtin", "name": "digits"}, root=folder, allow_downloads=False).splits["train"]
    source, _ = write_checkpoint(folder, DIGITS, BUILTIN_SCHEMAS["digits"], split)
    images = split["image"]
    assert isinstance(images, torch.Tensor)
    plain = import_model(folder).Network()
    plain.load_state_dict(load_file(source.weights), strict=True)
    plain.eval()
    with torch.no_grad():
        return load_network(source, CPU), images[:40], plain(images[:40].float() / 16)


def test_digits_are_predicted_as_plain_pytorch_does(tmp_path: Path) -> None:
    trained, images, expected = digits(tmp_path)
    found = raw_outputs(trained, [{"image": image.tolist()} for image in images])
    np.testing.assert_allclose(np.stack(found), expected.numpy(), atol=1e-6)
    assert trained.nbytes == 650 * 4
    assert [each.name for each in trained.required_columns] == ["image"]


@pytest.mark.parametrize("batch_size", [1, 7, 40])
def test_together_or_apart_is_the_same(tmp_path: Path, batch_size: int) -> None:
    trained, images, expected = digits(tmp_path)
    rows = [{"image": image.tolist()} for image in images]
    np.testing.assert_allclose(np.stack(raw_outputs(trained, rows, batch_size=batch_size)), expected, atol=1e-6)
    np.testing.assert_allclose(raw_outputs(trained, rows[3:4])[0], expected[3], atol=1e-6)


NUMBERS = [
    {"name": "age", "type": "number"},
    {"name": "height", "type": "number"},
    {"name": "kind", "type": "category", "labels": ["cat", "dog"]},
    {"name": "y", "type": "category", "labels": ["no", "yes"]},
]
TABLE: SplitColumns = {
    "age": torch.tensor([1.0, 2.0, float("nan"), 3.0]),
    "height": torch.tensor([10.0, 20.0, 30.0, 40.0]),
    "kind": ["cat", "dog", None, "cat"],
    "y": ["no", "yes", "no", "yes"],
}
MIXED = {
    "nodes": [
        {"id": "word", "kind": "Embedding", "inputs": ["kind"], "num_embeddings": 3, "embedding_dim": 2},
        {"id": "row", "kind": "cat", "inputs": ["x", "word"], "dim": 1},
        {"id": "logits", "kind": "Linear", "inputs": ["row"], "out_features": 2},
    ]
}


def test_a_table_is_prepared_as_in_training(tmp_path: Path) -> None:
    spec = make_job(MIXED, "CrossEntropyLoss", scale="standard")
    source, network = write_checkpoint(tmp_path, spec, make_schema(NUMBERS), TABLE)
    trained = load_network(source, CPU)
    assert [each.name for each in trained.required_columns] == ["age", "height", "kind"]
    rows = [{"age": 2, "height": None, "kind": "dog"}, {"age": None, "height": 25, "kind": "horse"}]
    numbers = torch.tensor([[1.0, 10.0], [2.0, 20.0], [2.0, 30.0], [3.0, 40.0]])
    mean, deviation = numbers.mean(0), numbers.std(0, correction=0)
    x = (torch.tensor([[2.0, 25.0], [2.0, 25.0]]) - mean) / deviation
    expected = network({"x": x, "kind": torch.tensor([2, 0])})["output"].detach()
    np.testing.assert_allclose(np.stack(raw_outputs(trained, rows)), expected, atol=1e-6)
    found = predict(trained, rows, PredictionOptions())
    assert {row["output"]["label"] for row in found} <= {"no", "yes"}


def test_missing_numbers_are_refused_where_training_did(tmp_path: Path) -> None:
    part = {"kind": "numbers", "columns": ["height"], "missing": "refuse"}
    spec = make_job([{"kind": "Linear", "out_features": 2}], "CrossEntropyLoss", features={"x": part})
    trained = load_network(write_checkpoint(tmp_path, spec, make_schema(NUMBERS), TABLE)[0], CPU)
    with pytest.raises(InvalidInput) as caught:
        predict(trained, [{"height": 1.0}, {"height": None}])
    assert [(each.pointer, each.code) for each in caught.value.problems] == [("/rows/1/height", "missing_value")]


TEXTS = [{"name": "text", "type": "text", "longest": 30}, {"name": "y", "type": "category", "labels": ["no", "yes"]}]
SENTENCES: SplitColumns = {
    "text": ["a fine film", "a bad film indeed", "fine", "so very bad that it is good"],
    "y": ["yes", "no", "yes", "no"],
}
CONVOLVED = {
    "inputs": ["text"],
    "nodes": [
        {"id": "word", "kind": "Embedding", "inputs": ["text"], "num_embeddings": 25_000, "embedding_dim": 3},
        {"id": "turned", "kind": "transpose", "inputs": ["word"], "dim0": 1, "dim1": 2},
        {"id": "wide", "kind": "Conv1d", "inputs": ["turned"], "out_channels": 4, "kernel_size": 3, "padding": 1},
        {"id": "most", "kind": "mean", "inputs": ["wide"], "dim": [2]},
        {"id": "logits", "kind": "Linear", "inputs": ["most"], "out_features": 2},
    ],
}


def test_texts_do_not_depend_on_other_rows(tmp_path: Path) -> None:
    """The network averages over padding, too: rows that are padded to unlike lengths would change."""
    trained = load_network(
        write_checkpoint(tmp_path, make_job(CONVOLVED, "CrossEntropyLoss"), make_schema(TEXTS), SENTENCES)[0], CPU
    )
    rows = [{"text": text} for text in ("fine", "a bad film", "it is so very bad", "", "unknown words here", "good")]
    together = np.stack(raw_outputs(trained, rows))
    apart = np.concatenate([np.stack(raw_outputs(trained, [row])) for row in rows])
    np.testing.assert_allclose(together, apart, atol=1e-6)
    pairs = np.concatenate([np.stack(raw_outputs(trained, rows[start : start + 2])) for start in (0, 2, 4)])
    np.testing.assert_allclose(together, pairs, atol=1e-6)
    assert len({tuple(row.round(5)) for row in together}) > 3


LOSSY = {
    "inputs": ["x", "y"],
    "nodes": [
        {"id": "guess", "kind": "Linear", "inputs": ["x"], "out_features": 1},
        {"id": "error", "kind": "sub", "inputs": ["guess", "y"]},
        {"id": "total", "kind": "sum", "inputs": ["guess"]},
    ],
    "outputs": {"guess": "guess", "error": "error", "total": "total"},
}
PLAIN = [{"name": "x", "shape": [2]}, {"name": "y", "shape": [1]}]
PAIRS: SplitColumns = {"x": torch.randn(4, 2), "y": torch.randn(4, 1)}


def test_outputs_that_need_the_target_are_left_out(tmp_path: Path) -> None:
    source, network = write_checkpoint(tmp_path, make_job(LOSSY, "MSELoss"), make_schema(PLAIN), PAIRS)
    trained = load_network(source, CPU)
    assert trained.left_out == {
        "error": "it depends on y, which is to be learned",
        "total": "it is about a whole batch, and not about every row",
    }
    assert [each.name for each in trained.required_columns] == ["x"]
    x = torch.tensor([[1.0, 2.0]])
    expected = network({"x": x, "y": torch.zeros(1, 1)})["guess"].detach()
    found = predict(trained, [{"x": [1.0, 2.0], "y": "is not looked at"}], PredictionOptions())
    assert found == [{"guess": {"value": pytest.approx(expected.item())}}]


OWN = {
    "inputs": ["x", "y"],
    "nodes": [
        {"id": "scores", "kind": "Linear", "inputs": ["x"], "out_features": 3},
        {"id": "size", "kind": "Linear", "inputs": ["x"], "out_features": 1},
        {"id": "loss", "kind": "CrossEntropyLoss", "inputs": ["scores", "y"]},
    ],
    "outputs": {"loss": "loss", "scores": "scores", "size": "size"},
}
BOTH = [{"name": "x", "shape": [2]}, {"name": "y", "dtype": "int64", "classes": 3}, {"name": "z", "type": "number"}]


def test_scores_beside_an_output_loss_and_several_heads(tmp_path: Path) -> None:
    heads = {
        "kind": {"loss": {"kind": "Output"}, "output": "loss", "scores": "scores"},
        "size": {"loss": {"kind": "MSELoss"}, "output": "size", "target": "z"},
    }
    rows: SplitColumns = {"x": torch.randn(4, 2), "y": torch.tensor([0, 1, 2, 0]), "z": torch.randn(4)}
    spec = make_job(OWN, "MSELoss") | {"objective": {"heads": heads}}
    source, network = write_checkpoint(tmp_path, spec, make_schema(BOTH), rows)
    trained = load_network(source, CPU)
    assert trained.left_out.keys() == {"loss"}
    expected = network({"x": torch.tensor([[1.0, 2.0]]), "y": torch.tensor([0])})
    (found,) = predict(trained, [{"x": [1.0, 2.0]}], PredictionOptions())
    assert found["scores"]["label"] == expected["scores"].argmax().item()
    sizes = rows["z"]
    assert isinstance(sizes, torch.Tensor)
    expected_size = expected["size"].item() * sizes.std(correction=0).item() + sizes.mean().item()
    assert found["size"] == {"value": pytest.approx(expected_size, rel=1e-5)}  # in the units of the target
    assert trained.formatters["size"].target == "z"


def test_a_target_that_every_output_depends_on_is_required(tmp_path: Path) -> None:
    model = {
        "inputs": ["x"],
        "nodes": [
            {"id": "code", "kind": "Linear", "inputs": ["x"], "out_features": 1},
            {"id": "again", "kind": "Linear", "inputs": ["code"], "out_features": 2},
        ],
        "outputs": {"again": "again", "code": "code"},
    }
    features = {"x": {"kind": "tensor", "column": "x", "scale": "standard"}}
    spec = make_job(model, "MSELoss", features=features, target="x")
    trained = load_network(write_checkpoint(tmp_path, spec, make_schema(PLAIN, None), PAIRS)[0], CPU)
    assert not trained.left_out
    (found,) = predict(trained, [{"x": [0.0, 0.0]}], PredictionOptions.model_validate({"outputs": ["labels", "raw"]}))
    scaling = PAIRS["x"]
    assert isinstance(scaling, torch.Tensor)
    expected = torch.tensor(found["again"]["raw"]) * scaling.std(0, correction=0) + scaling.mean(0)
    np.testing.assert_allclose(found["again"]["value"], expected, atol=1e-6)
    assert set(found["code"]) == {"raw"}


def test_a_network_without_an_output_for_every_row(tmp_path: Path) -> None:
    model = {"nodes": [{"id": "total", "kind": "sum", "inputs": ["x"]}]}
    with pytest.raises(NotPredictable, match="no output"):
        load_network(write_checkpoint(tmp_path, make_job(model, "MSELoss"), make_schema(PLAIN), PAIRS)[0], CPU)


def test_weights_that_are_another_network_s(tmp_path: Path) -> None:
    source, _ = write_checkpoint(
        tmp_path, make_job([{"kind": "Linear", "out_features": 1}], "MSELoss"), make_schema(PLAIN), PAIRS
    )
    save_file({"linear1.weight": torch.zeros(1, 3), "linear1.bias": torch.zeros(1)}, source.weights)
    with pytest.raises(NotPredictable, match="not those of the network"):
        load_network(source, CPU)
    save_file({"linear1.weight": torch.zeros(1, 2)}, source.weights)
    with pytest.raises(NotPredictable, match="not those of the network"):
        load_network(source, CPU)


def test_rows_that_the_network_cannot_take_are_a_problem(tmp_path: Path) -> None:
    columns = [{"name": "x", "dtype": "int64"}, {"name": "y", "shape": [2]}]
    model = [{"kind": "Embedding", "num_embeddings": 3, "embedding_dim": 2}]
    rows: SplitColumns = {"x": torch.tensor([0, 1, 2, 0]), "y": torch.randn(4, 2)}
    trained = load_network(write_checkpoint(tmp_path, make_job(model, "MSELoss"), make_schema(columns), rows)[0], CPU)
    with pytest.raises(InvalidInput) as caught:
        predict(trained, [{"x": 1}, {"x": 3}])
    assert [(each.pointer, each.code) for each in caught.value.problems] == [("/rows", "run_failed")]


def test_noise_is_the_same_every_time(tmp_path: Path) -> None:
    model = {
        "nodes": [
            {"id": "noise", "kind": "randn_like", "inputs": ["x"]},
            {"id": "sum", "kind": "add", "inputs": ["x", "noise"]},
            {"id": "out", "kind": "Linear", "inputs": ["sum"], "out_features": 1},
        ]
    }
    trained = load_network(write_checkpoint(tmp_path, make_job(model, "MSELoss"), make_schema(PLAIN), PAIRS)[0], CPU)
    rows = [{"x": [0.0, 0.0]}] * 3
    np.testing.assert_array_equal(raw_outputs(trained, rows), raw_outputs(trained, rows))


def test_batches_are_halved_until_they_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, images, expected = digits(tmp_path)
    rows = [{"image": image.tolist()} for image in images]
    sizes: list[int] = []
    forward = trained.network.forward

    def narrow(values: dict[str, torch.Tensor]) -> Any:
        sizes.append(len(values["image"]))
        if sizes[-1] > 6:
            raise RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte"
            )
        return forward(values)

    monkeypatch.setattr(trained.network, "forward", narrow)
    np.testing.assert_allclose(np.stack(raw_outputs(trained, rows)), expected, atol=1e-6)
    assert sizes == [40, 20, 10, 5, 5, 10, 5, 5, 20, 10, 5, 5, 10, 5, 5]
    monkeypatch.setattr(trained.network, "forward", lambda values: torch.empty(1 << 60))
    with pytest.raises(OutOfMemory):
        raw_outputs(trained, rows[:2])
