"""What the parts of a job demand of each other and of the data."""

from typing import Any

import pytest

from app.errors import InvalidInput
from app.spec.data.columns import Column, DataSchema
from app.spec.data.sources import BUILTIN_SCHEMAS, TORCHVISION_SCHEMAS
from app.spec.job import named_dataset_schema, parse_job
from app.spec.job_checks import check_job

MAX_NODES = 10
RELU = {"kind": "ReLU"}
FRACTION = {"fraction": 0.2}
DATASET = {"kind": "dataset", "id": "ds_" + "0" * 32, "inputs": ["left"]}

# Two inputs, a target that is not the default one too, no test split.
TABLE = DataSchema(
    columns=(
        Column(name="left", shape=(4,), dtype="float32"),
        Column(name="right", shape=(4,), dtype="float32"),
        Column(name="label", shape=(), dtype="int64", classes=3),
        Column(name="price", shape=(1,), dtype="float32"),
    ),
    rows={"train": 100},
    inputs=("left", "right"),
    target="label",
)


def job(**parts: Any) -> dict[str, Any]:
    return {
        "model": {"layers": [RELU, {"kind": "Linear", "out_features": 3}]},
        "data": DATASET,
        "objective": {"loss": {"kind": "CrossEntropyLoss"}},
    } | parts


def problems(schema: DataSchema = TABLE, **parts: Any) -> list[tuple[str, str, str, str]]:
    """Return the problems of a job on some data: pointer, code, detail, hint."""
    found = check_job(parse_job(job(**parts)), schema, MAX_NODES)
    return [(each.pointer, each.code, each.detail, each.hint) for each in found]


def data(**fields: Any) -> dict[str, Any]:
    return {"data": DATASET | fields}


def training(**fields: Any) -> dict[str, Any]:
    return {"training": fields, **data(validation=FRACTION)}


VALIDATION_HINT = 'add "validation": {"fraction": 0.2} to data'

# (parts of the job, pointer, code, detail, hint)
MISTAKES: list[tuple[dict[str, Any], str, str, str, str]] = [
    # The data
    (
        data(inputs=["lift"]),
        "/data/inputs/0",
        "unknown_column",
        'the data has no column "lift"',
        'did you mean "left"?',
    ),
    (
        data(inputs=["left", "zzz"]),
        "/data/inputs/1",
        "unknown_column",
        'the data has no column "zzz"',
        "one of: left, right, label, price",
    ),
    (data(inputs=["left", "left"]), "/data/inputs/1", "duplicate_id", '"left" is listed twice', "remove it"),
    (data(target="lable"), "/data/target", "unknown_column", 'the data has no column "lable"', 'did you mean "label"?'),
    (
        data(validation={"split": "test"}),
        "/data/validation",
        "unknown_split",
        'the data has no split "test"',
        'use {"fraction": 0.2}',
    ),
    # The network
    ({"model": {"layers": [RELU] * 11}}, "/model", "too_many_nodes", "11 nodes, at most 10 are allowed", ""),
    (
        {"model": {"nodes": [RELU | {"id": "a", "inputs": ["lift"]}]}},
        "/model/nodes/0/inputs/0",
        "unknown_node",
        '"lift" is neither a node nor an input',
        'did you mean "left"?',
    ),
    (
        {"model": {"inputs": ["image"], "layers": [RELU]}},
        "/model/inputs/0",
        "unknown_input",
        'the data has no field "image"',
        "one of: left, right, label, price",
    ),
    ({"model": {}}, "/model", "network_form", "a network has either layers or nodes", 'add "layers": […]'),
    (
        {"objective": {"loss": {"kind": "CrossEntropyLoss"}, "output": "logit"}},
        "/objective/output",
        "unknown_output",
        'the network has no output "logit"',
        "one of: output",
    ),
    (
        {
            "objective": {"loss": {"kind": "CrossEntropyLoss"}, "output": "logit"},
            "model": {"nodes": [RELU | {"id": "a", "inputs": ["left"]}], "outputs": {"logits": "a"}},
        },
        "/objective/output",
        "unknown_output",
        'the network has no output "logit"',
        'did you mean "logits"?',
    ),
    # The training
    (
        training(early_stop={"monitor": "val/los"}),
        "/training/early_stop/monitor",
        "unknown_series",
        'the job has no series "val/los"',
        'did you mean "val/loss"?',
    ),
    (
        training(checkpoint={"monitor": "val/accuracy"}),
        "/training/checkpoint/monitor",
        "unknown_series",
        'the job has no series "val/accuracy"',
        "one of: train/loss, val/loss",
    ),
    (
        training(schedule={"kind": "ReduceLROnPlateau", "monitor": "val/f1"}),
        "/training/schedule/monitor",
        "unknown_series",
        'the job has no series "val/f1"',
        "one of: train/loss, val/loss",
    ),
    (
        {"training": {"early_stop": {}}},
        "/training/early_stop/monitor",
        "no_validation",
        "val/loss needs validation data",
        VALIDATION_HINT,
    ),
    (
        {"training": {"schedule": {"kind": "ReduceLROnPlateau"}}},
        "/training/schedule/monitor",
        "no_validation",
        "val/loss needs validation data",
        VALIDATION_HINT,
    ),
    (
        {
            "training": {"checkpoint": {"monitor": "val/accuracy"}},
            "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
        },
        "/training/checkpoint/monitor",
        "no_validation",
        "val/accuracy needs validation data",
        VALIDATION_HINT,
    ),
    (training(precision="fp16", device="cpu"), "/training/precision", "unsupported", "fp16 needs a GPU", 'use "bf16"'),
]


@pytest.mark.parametrize(("parts", "place", "code", "detail", "hint"), MISTAKES)
def test_a_mistake(parts: dict[str, Any], place: str, code: str, detail: str, hint: str) -> None:
    assert problems(**parts) == [(place, code, detail, hint)]


@pytest.mark.parametrize(
    "parts",
    [
        {},
        data(inputs=["right"], target="price", validation=FRACTION),
        {"model": {"layers": [RELU] * MAX_NODES}},
        {
            "model": {"nodes": [{"id": "a", "kind": "add", "inputs": ["left", "right"]}]},
            **data(inputs=["left", "right"]),
        },
        {"model": {"inputs": ["price"], "layers": [RELU]}},
        {"objective": {"loss": {"kind": "CrossEntropyLoss"}, "output": "output"}},
        {"training": {"early_stop": {"monitor": "train/loss"}, "checkpoint": {"monitor": "train/loss"}}},
        training(early_stop={}, checkpoint={"monitor": "val/loss"}, schedule={"kind": "ReduceLROnPlateau"}),
        training(schedule={"kind": "StepLR", "step_size": 2}),
        training(early_stop={"monitor": "val/f1"}) | {"objective": {"loss": {"kind": "NLLLoss"}, "metrics": ["f1"]}},
        training(precision="fp16"),
        training(precision="bf16", device="cpu"),
    ],
)
def test_what_is_in_order(parts: dict[str, Any]) -> None:
    assert problems(**parts) == []


def test_a_test_split_is_held_out_data() -> None:
    whole = TABLE.model_copy(update={"rows": {"train": 100, "test": 10}})
    assert problems(whole, training={"early_stop": {}}, **data(validation={"split": "test"})) == []
    (unvalidated,) = problems(whole, training={"early_stop": {}})
    assert unvalidated[:2] == ("/training/early_stop/monitor", "no_validation")
    assert problems(whole, **data(validation={"split": "test"})) == []


def test_a_target_is_needed() -> None:
    without = TABLE.model_copy(update={"target": None})
    missing = ("/data/target", "missing", "the data has no default target", "name a column")
    assert problems(without) == [missing]
    assert problems(without, **data(target="label")) == []


def test_problems_of_all_parts_are_told_together() -> None:
    found = problems(
        model={"layers": [RELU | {"inputs": ["left"]}]},
        data=DATASET | {"target": "nothing"},
        training={"early_stop": {}, "checkpoint": {"monitor": "loss"}},
    )
    assert [place for place, *_ in found] == [
        "/data/target",
        "/training/early_stop/monitor",
        "/training/checkpoint/monitor",
        "/model/layers/0/inputs",
    ]


RESIZE = [{"kind": "Resize", "size": [64, 64]}]


@pytest.mark.parametrize(
    ("kind", "name", "schema"),
    [
        *(("builtin", name, schema) for name, schema in BUILTIN_SCHEMAS.items()),
        *(("torchvision", name, schema) for name, schema in TORCHVISION_SCHEMAS.items()),
    ],
)
def test_data_by_name_is_known(kind: str, name: str, schema: DataSchema) -> None:
    image = schema.column("image")
    unlike = image is not None and len(image.shape) == 1
    named = parse_job(job(data={"kind": kind, "name": name} | ({"transforms": RESIZE} if unlike else {})))
    assert named_dataset_schema(named) == schema
    assert check_job(named, schema, MAX_NODES) == []
    assert all(schema.column(each) is not None for each in (*schema.inputs, schema.target or ""))


def test_uploaded_data_is_known_to_the_service_alone() -> None:
    assert named_dataset_schema(parse_job(job())) is None


@pytest.mark.parametrize(
    ("kind", "name", "detail", "hint"),
    [
        ("builtin", "digit", 'there is no builtin data set "digit"', 'did you mean "digits"?'),
        ("builtin", "MNIST", 'there is no builtin data set "MNIST"', 'set "kind" to "torchvision"'),
        ("torchvision", "FashionMNST", 'there is no torchvision data set "FashionMNST"', 'did you mean "FashionMNIST"'),
    ],
)
def test_data_that_nobody_knows(kind: str, name: str, detail: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        named_dataset_schema(parse_job(job(data={"kind": kind, "name": name})))
    (problem,) = caught.value.problems
    assert (problem.pointer, problem.code, problem.detail) == ("/data/name", "unknown_dataset", detail)
    assert problem.hint.startswith(hint)


def test_a_job_is_closed_and_immutable() -> None:
    parsed = parse_job(job())
    with pytest.raises(ValueError, match="frozen"):
        parsed.name = "other"
    assert parse_job(parsed.model_dump(mode="json")) == parsed


@pytest.mark.parametrize(
    "parts",
    [
        {"version": 2},
        {"priority": 101},
        {"retries": 21},
        {"retries": -1},
        {"max_seconds": 0},
        {"name": ""},
        {"name": "a" * 201},
        {"resources": {"gpus": 2}},
        {"resources": {"queue": "A"}},
        {"metadata": {str(place): "" for place in range(33)}},
        {"metadata": {"a": ""}},
    ],
)
def test_values_out_of_range(parts: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        parse_job(job(**parts))
