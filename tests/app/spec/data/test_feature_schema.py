"""Which columns a network reads by default: of any name, and never some of them without a word."""

from typing import Any

import pytest

from app.errors import Problem
from app.spec.data.columns import Column, DataSchema
from app.spec.data.encodings.table_feature import TableFeature
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.job import parse_job, resolve_job_features
from app.spec.job_checks import check_job, job_column_roles, job_warnings

WORDS = ("no", "yes")


def number(name: str, **facts: Any) -> Column:
    return Column(name=name, type="number", **facts)


def category(name: str, labels: tuple[str, ...] = WORDS, **facts: Any) -> Column:
    return Column(name=name, type="category", labels=labels, classes=len(labels), **facts)


def array(name: str, **facts: Any) -> Column:
    return Column(name=name, type="tensor", dtype="int64", **facts)


def text(name: str) -> Column:
    return Column(name=name, type="text", longest=20)


def table(*columns: Column, target: str = "y", guessed: bool = False) -> DataSchema:
    inputs = tuple(column.name for column in columns if column.name != target)
    return DataSchema(columns=columns, rows={"train": 100}, inputs=inputs, target=target, guessed_target=guessed)


def job(schema: DataSchema, loss: str = "CrossEntropyLoss", nodes: list[str] | None = None, **data: Any) -> Any:
    layer = {"kind": "Linear", "out_features": 2}
    model: dict[str, Any] = {"layers": [layer]}
    if nodes is not None:
        model = {"inputs": nodes, "nodes": [{**layer, "id": "head", "inputs": nodes[:1]}]}
    source = {"kind": "dataset", "id": "ds_" + "0" * 32, **data}
    return parse_job({"model": model, "data": source, "objective": {"loss": {"kind": loss}}})


def resolve(schema: DataSchema, *parts: Any, **data: Any) -> ResolvedFeatures:
    return resolve_job_features(job(schema, *parts, **data), schema)


def problem_codes(schema: DataSchema, *parts: Any, **data: Any) -> list[tuple[str, str]]:
    return [(each.pointer, each.code) for each in check_job(job(schema, *parts, **data), schema, 10)]


def warnings(schema: DataSchema, *parts: Any, **data: Any) -> list[Problem]:
    spec = job(schema, *parts, **data)
    resolved = resolve_job_features(spec, schema)
    return job_warnings(spec, schema, resolved, job_column_roles(spec, schema, resolved))


@pytest.mark.parametrize(
    "names",
    [("a", "b"), ("x", "b"), ("a", "x"), ("отзыв", "цена"), ("a-b", "a+b"), ("a b", "a_b"), ("1", "2"), ("x", "x_2")],
    ids=str,
)
@pytest.mark.parametrize("form", ["layers", "nodes"])
def test_number_columns_of_any_name_are_read(names: tuple[str, str], form: str) -> None:
    schema = table(*map(number, names), category("y"))
    resolved = resolve(schema, "CrossEntropyLoss", ["x"] if form == "nodes" else None)
    assert not resolved.problems
    assert resolved.schema.inputs == ("x",)
    assert resolved.features["x"].source_columns == names
    assert resolved.schema["x"].shape == (2,)


@pytest.mark.parametrize(
    "names", [("a", "b"), ("отзыв", "цена"), ("a-b", "a+b"), ("a_b", "a b"), ("a b", "a_b")], ids=str
)
def test_text_columns_of_any_name_are_read(names: tuple[str, str]) -> None:
    resolved = resolve(table(*map(text, names), category("y")), "CrossEntropyLoss", ["y"])
    assert [resolved.features[name].source_columns for name in resolved.schema.inputs] == [(name,) for name in names]


def test_a_valid_name_is_kept() -> None:
    resolved = resolve(table(text("a b"), text("a_b"), category("y")))
    assert {name: each.source_columns for name, each in resolved.features.items() if each.kind == "text"} == {
        "a_b": ("a_b",),
        "a_b_2": ("a b",),
    }


def test_a_target_takes_no_name_of_an_input() -> None:
    schema = table(number("a_b"), number("n"), category("a-b"), target="a-b")
    resolved = resolve(schema)
    (target,) = resolved.targets.values()
    assert resolved.features[target].source_columns == ("a-b",)
    assert resolved.features["a_b"].source_columns == ("a_b",)
    assert resolved.features["x"].source_columns == ("a_b", "n")


def test_a_chain_reads_numbers_and_categories_side_by_side() -> None:
    schema = table(number("n", missing=3), category("colour", ("blue", "red", "white")), number("m"), category("y"))
    feature = resolve(schema).features["x"]
    assert isinstance(feature, TableFeature)
    assert feature.source_columns == ("n", "colour", "m")
    assert feature.width(schema) == 2 + 3 + 1
    assert feature.scale == "standard"
    assert resolve(schema, scale="none").features["x"].model_dump()["scale"] == "none"
    assert not problem_codes(schema)


def test_nodes_read_categories_by_themselves() -> None:
    schema = table(number("n"), category("colour"), category("y"))
    resolved = resolve(schema, "CrossEntropyLoss", ["x", "colour"])
    assert resolved.schema.inputs == ("x", "colour")
    assert resolved.schema["colour"].dtype == "int64"


@pytest.mark.parametrize(
    "columns", [(text("t"), number("n")), (text("t"), text("u"))], ids=["text and number", "texts"]
)
def test_a_chain_never_reads_some_of_several_inputs(columns: tuple[Column, ...]) -> None:
    schema = table(*columns, category("y"))
    assert ("/model/layers", "several_inputs") in problem_codes(schema)
    assert ("/model/layers", "several_inputs") not in problem_codes(schema, inputs=["t"])
    assert ("/model/layers", "several_inputs") not in problem_codes(schema, ignore=[columns[1].name])


def test_an_unread_column_is_a_warning() -> None:
    schema = table(number("n"), category("colour"), category("y"))
    (warning,) = warnings(schema, "CrossEntropyLoss", ["x"])
    assert (warning.code, '"colour"' in warning.detail) == ("unread_column", True)
    assert '"ignore": ["colour"]' in warning.hint
    assert not warnings(schema, "CrossEntropyLoss", ["x"], ignore=["colour"])
    assert not warnings(schema)


@pytest.mark.parametrize(
    ("shape", "codes"),
    [((16, 16, 3), ["channel_order"]), ((28, 28, 1), ["channel_order"]), ((3, 16, 16), []), ((3, 3, 3), [])],
)
def test_channels_that_may_be_last(shape: tuple[int, ...], codes: list[str]) -> None:
    images = Column(name="pixels", type="tensor", dtype="uint8", shape=shape)
    schema = table(images, category("y"))
    assert [each.code for each in warnings(schema)] == codes
    assert not warnings(schema, features={"pixels": {"kind": "tensor", "column": "pixels"}})


def test_a_declared_feature_leaves_others_unread() -> None:
    schema = table(number("n"), number("m"), category("y"))
    features = {"n": {"kind": "numbers", "columns": ["n"]}}
    assert [each.code for each in warnings(schema, features=features)] == ["unread_column"]


@pytest.mark.parametrize("name", ["y", "answer"])
def test_a_declared_target_leaves_the_default_inputs(name: str) -> None:
    schema = table(number("n"), number("m"), category("y", ("alive", "dead")), target=name)
    features = {name: {"kind": "class", "column": "y"}}
    spec = job(schema, "BCEWithLogitsLoss", features=features, target=name)
    resolved = resolve_job_features(spec, schema)
    assert (resolved.schema.inputs, resolved.features["x"].source_columns) == (("x",), ("n", "m"))
    assert not warnings(schema, "BCEWithLogitsLoss", features=features, target=name)


def test_a_network_reads_something() -> None:
    assert problem_codes(table(number("n"), category("y")), ignore=["n"]) == [("/data", "no_inputs")]


def test_a_guessed_target_is_read_if_the_job_has_another() -> None:
    schema = table(category("survived"), number("age"), number("fare"), target="fare", guessed=True)
    assert resolve(schema, target="survived").features["x"].source_columns == ("age", "fare")
    assert [each.code for each in warnings(schema, "MSELoss")] == ["guessed_target"]
    assert not warnings(schema, "MSELoss", target="fare")
    known = schema.model_copy(update={"guessed_target": False})
    assert resolve(known, target="survived").features["x"].source_columns == ("age",)
    assert [each.code for each in warnings(known, target="survived")] == ["unread_column"]


def test_ignored_columns_are_not_read() -> None:
    schema = table(number("id", ignored="it numbers the rows"), number("n"), category("y"))
    assert resolve(schema).features["x"].source_columns == ("n",)
    spec = job(schema)
    roles = {each.column: each for each in job_column_roles(spec, schema, resolve_job_features(spec, schema))}
    assert (roles["id"].role, roles["id"].reason) == ("ignored", "it numbers the rows")
    assert (roles["n"].role, roles["n"].feature, roles["n"].kind) == ("input", "x", "table")
    assert (roles["y"].role, roles["y"].kind, roles["y"].decided_by) == ("target", "class", "content")
    assert resolve(schema, features={"x": {"kind": "table", "columns": ["id"]}}).features["x"].source_columns == ("id",)
    assert problem_codes(schema, ignore=["idd"]) == [("/data/ignore/0", "unknown_column")]


RATING = number("rating", labels=("1", "2", "3", "4", "5"), statistics={"min": 1, "max": 5, "mean": 3, "std": 1})


@pytest.mark.parametrize("loss", ["MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss", "PoissonNLLLoss"])
def test_a_loss_of_numbers_gets_numbers(loss: str) -> None:
    schema = table(number("n"), RATING, target="rating")
    feature = resolve(schema, loss).features["rating"]
    assert feature.kind == "numbers"
    assert feature.model_dump()["scale"] == ("none" if loss == "PoissonNLLLoss" else "standard")
    assert resolve(schema, loss, scale="none").features["rating"].model_dump()["scale"] == "none"
    assert resolve(schema, "CrossEntropyLoss").features["rating"].kind == "class"


@pytest.mark.parametrize(
    ("loss", "target", "code"),
    [
        ("MSELoss", category("y", ("large", "small")), "words_as_target"),
        ("PoissonNLLLoss", text("y"), "words_as_target"),
        ("CrossEntropyLoss", number("y"), "numbers_as_classes"),
        ("MultiMarginLoss", number("y"), "numbers_as_classes"),
        ("BCEWithLogitsLoss", category("y", ("a", "b", "c")), "too_many_labels"),
        ("BCEWithLogitsLoss", number("y", statistics={"min": -1, "max": 7}), "out_of_range"),
        ("BCEWithLogitsLoss", array("y", statistics={"min": -1, "max": 1}), "out_of_range"),
        ("SoftMarginLoss", array("y", statistics={"min": 0, "max": 1}), "out_of_range"),
        ("SoftMarginLoss", number("y", statistics={"min": 0, "max": 1}), "out_of_range"),
        ("PoissonNLLLoss", number("y", statistics={"min": -1, "max": 7}), "out_of_range"),
    ],
    ids=str,
)
def test_a_target_that_is_not_what_the_loss_compares(loss: str, target: Column, code: str) -> None:
    assert problem_codes(table(number("n"), target), loss) == [("/objective/loss", code)]


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        ("BCEWithLogitsLoss", number("y", statistics={"min": 0, "max": 1})),
        ("BCEWithLogitsLoss", number("y", labels=("1", "2"))),
        ("BCEWithLogitsLoss", array("y", statistics={"min": 0, "max": 1})),
        ("SoftMarginLoss", array("y", statistics={"min": -1, "max": 1})),
        ("SoftMarginLoss", number("y", labels=("0", "1"))),
        ("CrossEntropyLoss", category("y", ("a", "b", "c"))),
    ],
    ids=str,
)
def test_a_target_that_a_loss_compares(loss: str, target: Column) -> None:
    assert not problem_codes(table(number("n"), target), loss)


def test_the_positions_of_labels_are_no_numbers() -> None:
    schema = table(number("n"), RATING, target="rating")
    features = {"n": {"kind": "numbers", "columns": ["n"]}, "r": {"kind": "class", "column": "rating"}}
    assert problem_codes(schema, "MSELoss", features=features, target="r") == [("/objective/loss", "words_as_target")]


@pytest.mark.parametrize(
    ("labels", "code"),
    [(("alive", "dead"), ["label_order"]), (("no", "yes"), []), (("0", "1"), []), (("1", "2"), ["label_order"])],
)
def test_which_of_two_labels_is_the_yes(labels: tuple[str, ...], code: list[str]) -> None:
    assert [each.code for each in warnings(table(number("n"), category("y", labels)), "BCEWithLogitsLoss")] == code
    features = {"n": {"kind": "table", "columns": ["n"]}, "y": {"kind": "class", "column": "y"}}
    assert not warnings(table(number("n"), category("y", labels)), "BCEWithLogitsLoss", features=features, target="y")


@pytest.mark.parametrize(
    ("least", "deviation", "scale", "codes"),
    [
        (1.7e9, 17.0, None, ["lost_digits"]),
        (1.7e9, 17.0, "standard", []),
        (1.7e9, 1e6, None, []),
        (0.0, 17.0, None, []),
    ],
)
def test_digits_that_float32_lacks_are_a_warning(
    least: float, deviation: float, scale: str | None, codes: list[str]
) -> None:
    statistics = {"min": least, "mean": least + 30, "max": least + 60, "std": deviation}
    schema = table(Column(name="t", shape=(1,), statistics=statistics), category("y"))
    assert [each.code for each in warnings(schema, scale=scale)] == codes


def test_dates_lose_no_digits() -> None:
    statistics = {"min": "2024-01-01T00:00:00", "max": "2024-01-02T00:00:00"}
    schema = table(Column(name="t", type="datetime", statistics=statistics), number("n"), category("y"))
    assert "lost_digits" not in [each.code for each in warnings(schema, scale="none")]
