"""Jobs whose target is their input, or that have none: what is read, what is compared, and what is told of it."""

from typing import Any

import pytest

from app.spec.data.columns import DataSchema
from tests.workers.prediction.checkpoints import make_schema
from workers.children.inspect import InspectionLimits, inspect_job
from workers.protocol.child_requests import InspectResponse

LIMITS = InspectionLimits(100, 10**8, 1 << 34)
TABLE = [{"name": name, "type": "number"} for name in "abc"]
OWN_LOSS: dict[str, Any] = {
    "inputs": ["x"],
    "nodes": [
        {"id": "code", "kind": "Linear", "inputs": ["x"], "out_features": 2},
        {"id": "again", "kind": "Linear", "inputs": ["code"], "out_features": 3},
        {"id": "error", "kind": "sub", "inputs": ["again", "x"]},
        {"id": "each", "kind": "vector_norm", "inputs": ["error"], "dim": 1},
    ],
    "outputs": {"again": "again", "each": "each"},
}
CHAIN = {"layers": [{"kind": "Linear", "out_features": 2}, {"kind": "Linear", "out_features": 3}]}


def table(guessed: bool) -> DataSchema:
    """Return the schema of three numbers, of which the last is the target, because somebody says so or by default."""
    return make_schema(TABLE, "c").model_copy(update={"guessed_target": guessed})


def inspect(model: Any, stored: DataSchema | None, objective: dict[str, Any], **data: Any) -> InspectResponse:
    source = {"kind": "dataset", "id": "ds_" + "0" * 32} | data
    return inspect_job({"model": model, "data": source, "objective": objective}, stored, LIMITS)


def roles(found: InspectResponse) -> dict[str, tuple[str, str | None]]:
    return {each["column"]: (each["role"], each["feature"]) for each in found.report["columns"]}


def with_width(width: int) -> dict[str, Any]:
    """Return the network with its own loss for inputs of another width."""
    again = {"out_features": width}
    return {**OWN_LOSS, "nodes": [node | (again if node["id"] == "again" else {}) for node in OWN_LOSS["nodes"]]}


EACH = {"loss": {"kind": "Output"}, "output": "each"}


def test_the_last_column_of_a_table_is_no_target_of_a_loss_that_compares_with_none() -> None:
    found = inspect(OWN_LOSS, table(True), EACH)
    assert found.problems == ()
    assert roles(found) == dict.fromkeys("abc", ("input", "x"))
    assert found.warnings == ()


def test_a_target_that_somebody_named_is_not_read_and_not_compared() -> None:
    found = inspect(with_width(2), table(False), EACH)
    assert found.problems == ()
    assert roles(found) == {"a": ("input", "x"), "b": ("input", "x"), "c": ("ignored", None)}
    assert found.warnings == ()


@pytest.mark.parametrize("guessed", [True, False])
def test_what_the_network_reads_or_a_metric_compares_is_a_target(guessed: bool) -> None:
    code = OWN_LOSS["nodes"][0]
    reading = {"inputs": ["x", "c"], "nodes": [code, {"id": "each", "kind": "sub", "inputs": ["code", "c"]}]}
    assert roles(inspect(reading | {"outputs": {"each": "each"}}, table(guessed), EACH))["c"] == ("target", "c")
    norm = {"id": "each", "kind": "vector_norm", "inputs": ["code"], "dim": 1}
    scored = {"inputs": ["x"], "nodes": [code, norm], "outputs": {"each": "each", "code": "code"}}
    found = inspect(scored, table(guessed), EACH | {"scores": "code", "metrics": ["mae"]})
    assert roles(found)["c"] == ("target", "c")


def test_a_chain_whose_only_feature_is_its_target_reads_it_if_the_data_say_so() -> None:
    data = {"features": {"x": {"kind": "numbers", "columns": ["a", "b", "c"]}}, "target": "x"}
    (problem,) = inspect(CHAIN, table(True), {"loss": "MSELoss"}, **data).problems
    assert (problem.pointer, problem.code) == ("/data", "no_inputs")
    assert problem.hint.endswith('"inputs": ["x"] in data')
    found = inspect(CHAIN, table(True), {"loss": "MSELoss"}, **data, inputs=["x"])
    assert found.problems == ()
    assert {node["id"]: node["inputs"] for node in found.report["nodes"]}["linear1"] == ["x"]
