from typing import Any

import pytest

from tests.workers.network.networks import schema
from tests.workers.surgery.edits import CHAIN, edit, image_job, network_job, problems_of
from tests.workers.surgery.operations.test_insert import LOOPS

PLAN = {"optimizer": {"kind": "AdamW", "lr": 0.01}, "epochs": 2, "warmup": {"epochs": 1}}
LAYERS = [*CHAIN[:2], {"kind": "Dropout", "p": 0.3}, *CHAIN[2:]]


def setting(path: str, value: Any) -> dict[str, Any]:
    return {"op": "set", "path": path, "value": value}


def job(**training: Any) -> dict[str, Any]:
    return image_job(LAYERS, training=PLAN | training)


def at(document: Any, path: str) -> Any:
    for part in path.split("."):
        document = document[part]
    return document


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("training.optimizer.lr", 0.1),
        ("training.optimizer.betas", [0.8, 0.9]),
        ("training.optimizer.weight_decay", 0.0),
        ("training.schedule", {"kind": "CosineAnnealingLR"}),
        ("training.warmup", {"steps": 3}),
        ("training.batch_size", 16),
        ("training.epochs", 9),
        ("training.clip_norm", 1.0),
        ("training.clip_value", 0.5),
        ("training.l1", 0.001),
        ("training.gradient_noise", {"eta": 0.3, "gamma": 0.55}),
        ("training.precision", "bf16"),
        ("training.on_nan", "skip"),
        ("training.evaluate.every_steps", 7),
        ("training.early_stop", {"patience": 4, "monitor": "train/loss"}),
        ("training.early_stop.monitor", "train/loss"),
        ("training.checkpoint.keep_last", 4),
        ("objective.loss.label_smoothing", 0.1),
    ],
)
def test_settings(path: str, value: Any) -> None:
    revision = edit(job(), setting(path, value))
    assert at(revision.document, path) == value
    (change,) = revision.changes
    assert all(source.name == name for name, source in change.tensors.items())


def test_null_is_the_default() -> None:
    document = edit(job(schedule={"kind": "ConstantLR"}), setting("training.schedule", None)).document
    assert "schedule" not in document["training"]


def test_a_plan_of_defaults_is_written_where_it_changes() -> None:
    document = edit(image_job(CHAIN), setting("training.lr", 0.5)).document
    assert document["training"] == {"optimizer": {"kind": "Adam", "lr": 0.5}}


def test_epochs_give_way_to_steps_in_one_edit() -> None:
    operations = (setting("training.warmup", None), setting("training.epochs", None), setting("training.steps", 50))
    assert edit(job(), *operations).document["training"] == {"optimizer": PLAN["optimizer"], "steps": 50}


def test_weights_of_heads() -> None:
    heads = {"a": {"loss": "CrossEntropyLoss"}, "b": {"loss": "CrossEntropyLoss", "weight": 0.5}}
    two = image_job(CHAIN) | {"objective": {"heads": heads}}
    revision = edit(
        two, setting("objective.heads.b.weight", 2.0), setting("objective.heads.a.loss.label_smoothing", 0.1)
    )
    assert at(revision.document, "objective.heads.b.weight") == 2.0
    (problem,) = problems_of(two, setting("objective.heads.c.weight", 2.0))
    assert (problem.pointer, problem.code) == ("/operations/0/path", "unknown_setting")
    assert problem.hint == "one of: a, b"


def test_settings_of_nodes() -> None:
    revision = edit(job(), setting("model.dropout1.p", 0.1))
    assert revision.document["model"]["layers"][2] == {"kind": "Dropout", "p": 0.1}
    (node,) = (node for node in revision.changes[-1].blueprint.nodes if node.id == "dropout1")
    assert node.parameters["p"] == 0.1


def test_settings_of_nodes_in_bodies() -> None:
    columns = schema({"x": (4,)})
    revision = edit(network_job(LOOPS), setting("model.repeat.times", 5), schema=columns)
    assert revision.document["model"]["nodes"][0]["times"] == 5
    (problem,) = problems_of(network_job(LOOPS), setting("model.apart.times", 5), schema=columns)
    assert (problem.pointer, problem.code) == ("/operations/0", "weights_do_not_fit")
    (problem,) = problems_of(network_job(LOOPS), setting("model.apart.body.linear1.out_features", 5), schema=columns)
    assert "widen" in problem.hint


MISTAKES: list[tuple[str, Any, str, str, str]] = [
    ("training.optimizer.lr", -1, "value", "out_of_range", "use at least 0"),
    ("training.optimizer.amsgrad", True, "path", "not_settable", "swap_optimizer"),
    ("training.optimizer.momentum", 0.9, "path", "unknown_field", "one of: lr"),
    ("training.optimizer.kind", "SGD", "path", "not_settable", "swap_optimizer"),
    ("training.optimizer", "SGD", "path", "not_settable", "swap_optimizer"),
    ("training.schedule", {"kind": "StepLR", "step_sise": 3}, "value/step_size", "missing", "rename"),
    ("training.schedule.gamma", 0.1, "path", "not_settable", "set the whole schedule"),
    ("training.batchsize", 3, "path", "not_settable", 'did you mean "training.batch_size"'),
    ("training.steps", 3, "value", "contradiction", "remove epochs or steps"),
    ("training.groups", [], "path", "not_settable", "freeze"),
    ("training.seed", 1, "path", "not_settable", "fork"),
    ("training.mode", "compiled", "path", "not_settable", "fork"),
    ("training.drop_last", True, "path", "not_settable", "fork"),
    ("data.inputs", ["image"], "path", "not_settable", "fork"),
    ("data", 1, "path", "not_settable", "fork"),
    ("start_from", 1, "path", "not_settable", "fork"),
    ("objective.loss.kind", "MSELoss", "path", "not_settable", "fork"),
    ("objective.heads.a.weight", 1, "path", "unknown_setting", "objective.loss"),
    ("objective.loss.label_smoothing", 2, "value", "out_of_range", "use"),
    ("model.dropout1.p", 3, "value", "out_of_range", "use"),
    ("model.dropout1.q", 3, "path", "unknown_field", "p"),
    ("model.dropout2.p", 0.1, "path", "unknown_node", 'did you mean "dropout1"?'),
    ("model.linear1.out_features", 4, "path", "not_settable", "widen"),
    ("model.conv2d1.kernel_size", 5, "value", "weights_do_not_fit", "reinit"),
    ("model.conv2d1.bias", False, "value", "weights_do_not_fit", '"op": "replace"'),
    ("model.conv2d1.id", "stem", "path", "not_settable", "rename"),
    ("model.conv2d1.kind", "Conv1d", "path", "not_settable", "replace"),
    ("model.conv2d1", {}, "path", "not_settable", "replace"),
]


@pytest.mark.parametrize(("path", "value", "place", "code", "hint"), MISTAKES)
def test_mistakes(path: str, value: Any, place: str, code: str, hint: str) -> None:
    problem = problems_of(job(), setting(path, value))[0]
    assert (problem.pointer, problem.code) == (f"/operations/0/{place}", code)
    assert hint in problem.hint


def test_a_setting_that_contradicts_another_names_its_place() -> None:
    (problem,) = problems_of(job(), setting("training.schedule", {"kind": "OneCycleLR", "max_lr": 0.1}))
    assert (problem.pointer, problem.code) == ("/operations/0", "contradiction")
    assert problem.detail.endswith("(at /training/warmup of the job)")


def test_the_rate_of_an_optimiser_that_reads_it_once() -> None:
    (problem,) = problems_of(job(optimizer="Rprop"), setting("training.optimizer.lr", 0.1))
    assert (problem.pointer, problem.code) == ("/operations/0/path", "not_settable")


def test_momentum_comes_and_goes_where_the_state_allows_it() -> None:
    assert problems_of(job(optimizer="SGD"), setting("training.optimizer.momentum", 0.9)) == []
    (problem,) = problems_of(job(optimizer="RMSprop"), setting("training.optimizer.momentum", 0.9))
    assert "other tensors" in problem.detail
    kept = {"kind": "RMSprop", "momentum": 0.5}
    assert problems_of(job(optimizer=kept), setting("training.optimizer.momentum", 0.9)) == []


def swap(to: Any) -> dict[str, Any]:
    return {"op": "swap_optimizer", "to": to}


def test_swap_optimizer() -> None:
    assert edit(job(), swap("SGD")).document["training"]["optimizer"] == {"kind": "SGD"}
    of = {"kind": "SGD", "lr": 0.1, "momentum": 0.9}
    assert edit(job(), swap(of)).document["training"]["optimizer"] == of


@pytest.mark.parametrize(
    ("to", "place", "code", "hint"),
    [
        ("sgd", "to", "unknown_kind", 'did you mean "SGD"?'),
        ("AdamW", "to", "same_kind", "training.optimizer.lr"),
        ({"kind": "SGD", "betas": [0.9, 0.9]}, "to/betas", "unknown_field", "remove it"),
        (None, "to", "unknown_kind", ""),
    ],
)
def test_swaps_that_are_refused(to: Any, place: str, code: str, hint: str) -> None:
    (problem,) = problems_of(job(), swap(to))
    assert problem.pointer == f"/operations/0/{place}"
    if to is not None:
        assert problem.code == code
    assert hint in problem.hint


def test_groups_with_settings_that_the_new_optimizer_lacks() -> None:
    (problem,) = problems_of(job(groups=[{"nodes": ["linear1"], "betas": [0.5, 0.9]}]), swap("SGD"))
    assert problem.pointer == "/operations/0"
    assert "/training/groups/0/betas" in problem.detail
