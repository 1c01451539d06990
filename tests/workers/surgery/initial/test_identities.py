"""Nodes that are said to compute their input do, and those that are said to be zero are."""

from typing import Any

import pytest

from tests.full import FULL
from tests.workers.network.kinds.catalog_cases import CASES
from tests.workers.network.networks import Columns, make_examples, schema
from tests.workers.surgery.edits import apply_changes, build_job, edit, largest_difference, network_job, problems_of
from workers.surgery.initial.fills import ZERO_TENSORS
from workers.surgery.initial.identities import IDENTITIES

TOLERANCE = 1e-5
SEQUENCE, IMAGE, VOLUME, VECTOR = (4, 6), (4, 6, 6), (4, 6, 6, 6), (8,)
BY_RANK = {1: SEQUENCE, 2: IMAGE, 3: VOLUME}

# (kind, settings, shape of the input, kind of the node before it).
IDENTITY_CASES: list[tuple[str, dict[str, Any], tuple[int, ...], Any]] = [
    ("Identity", {}, IMAGE, "tanh"),
    ("stop_gradient", {}, IMAGE, "tanh"),
    ("PReLU", {}, IMAGE, "tanh"),
    ("PReLU", {"num_parameters": 4}, IMAGE, "tanh"),
    ("Linear", {"out_features": 8}, VECTOR, "tanh"),
    ("Linear", {"out_features": 6, "bias": False}, SEQUENCE, "tanh"),
    *(
        (f"Conv{d}d", {"out_channels": 4, "kernel_size": 3, **settings}, BY_RANK[d], "tanh")
        for d in (1, 2, 3)
        for settings in (
            {"padding": 1},
            {"padding": "same", "bias": False},
            {"padding": 2, "dilation": 2, "groups": 2},
            {"padding": 1, "groups": 4, "padding_mode": "circular"},
        )
    ),
    ("Conv2d", {"out_channels": 4, "kernel_size": [3, 5], "padding": [1, 2]}, IMAGE, "tanh"),
    ("Conv2d", {"out_channels": 4, "kernel_size": 1, "padding": "valid"}, IMAGE, "tanh"),
    *(
        (f"ConvTranspose{d}d", {"out_channels": 4, "kernel_size": 3, **settings}, BY_RANK[d], "tanh")
        for d in (1, 2, 3)
        for settings in ({"padding": 1}, {"padding": 2, "dilation": 2, "groups": 2})
    ),
    *((f"BatchNorm{d}d", settings, BY_RANK[d], "tanh") for d in (1, 2, 3) for settings in ({}, {"eps": 0.1})),
    ("BatchNorm1d", {"affine": False}, VECTOR, "tanh"),
    *((f"InstanceNorm{d}d", {"track_running_stats": True, "affine": True}, BY_RANK[d], "tanh") for d in (1, 2, 3)),
    *((kind, {"p": 0.5}, SEQUENCE, "tanh") for kind in ("Dropout", "Dropout1d", "VariationalDropout", "AlphaDropout")),
    *((kind, {"p": 0.5}, IMAGE, "tanh") for kind in ("Dropout2d", "FeatureAlphaDropout")),
    ("Dropout3d", {"p": 0.5}, VOLUME, "tanh"),
    ("TransformerEncoderLayer", {"nhead": 2, "dim_feedforward": 4, "norm_first": True}, SEQUENCE, "tanh"),
    *((f"{kind}Pool{d}d", {"kernel_size": 1}, BY_RANK[d], "tanh") for d in (1, 2, 3) for kind in ("Max", "Avg")),
    *(
        (f"Adaptive{kind}Pool{d}d", {"output_size": 6}, BY_RANK[d], "tanh")
        for d in (1, 2, 3)
        for kind in ("Max", "Avg")
    ),
    *(
        (f"{kind}Pad{d}d", {"padding": 0, **({"value": 1.0} if kind == "Constant" else {})}, BY_RANK[d], "tanh")
        for d in (1, 2, 3)
        for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular")
    ),
    ("Flatten", {}, VECTOR, "tanh"),
    ("flatten", {}, VECTOR, "tanh"),
    ("Flatten", {"start_dim": -1}, IMAGE, "tanh"),
    ("Unflatten", {"dim": 1, "unflattened_size": [8]}, VECTOR, "tanh"),
    ("reshape", {"shape": [0, 8]}, VECTOR, "tanh"),
    ("expand", {"size": [-1, -1, -1]}, SEQUENCE, "tanh"),
    ("narrow", {"dim": 1, "start": 0, "length": 4}, SEQUENCE, "tanh"),
    ("squeeze", {"dim": 1}, SEQUENCE, "tanh"),
    *((kind, {"scale_factor": 1}, IMAGE, "tanh") for kind in ("UpsamplingNearest2d", "UpsamplingBilinear2d")),
    *(("Upsample", {"scale_factor": 1, "mode": mode}, IMAGE, "tanh") for mode in ("nearest", "bilinear", "bicubic")),
    ("PixelShuffle", {"upscale_factor": 1}, IMAGE, "tanh"),
    ("PixelUnshuffle", {"downscale_factor": 1}, IMAGE, "tanh"),
    *(("ChannelShuffle", {"groups": groups}, IMAGE, "tanh") for groups in (1, 4)),
    ("pad", {"pad": [0, 0]}, IMAGE, "tanh"),
    ("tile", {"dims": [1]}, IMAGE, "tanh"),
    ("repeat_interleave", {"repeats": 1, "dim": 1}, IMAGE, "tanh"),
    ("roll", {"shifts": 0, "dims": 1}, IMAGE, "tanh"),
    ("permute", {"dims": [0, 1, -1]}, SEQUENCE, "tanh"),
    ("transpose", {"dim0": 1, "dim1": 1}, SEQUENCE, "tanh"),
    ("movedim", {"source": 1, "destination": 1}, SEQUENCE, "tanh"),
    *((kind, {"scalar": 0.0}, SEQUENCE, "tanh") for kind in ("add", "sub")),
    *((kind, {"scalar": 1.0}, SEQUENCE, "tanh") for kind in ("mul", "div", "pow")),
    ("to", {"dtype": "float32"}, SEQUENCE, "tanh"),
    *(
        (kind, {}, SEQUENCE, before)
        for kind in ("ReLU", "relu", "ELU", "elu", "CELU", "RReLU", "abs", "LeakyReLU", "leaky_relu")
        for before in ("relu", "Softplus", "square")
    ),
    ("LeakyReLU", {"negative_slope": 1.0}, SEQUENCE, "tanh"),
    ("ReLU6", {}, SEQUENCE, "Sigmoid"),
    ("Hardtanh", {}, SEQUENCE, "tanh"),
    ("clamp", {"min": -1.0}, SEQUENCE, "tanh"),
    *((kind, {"lambd": 0.0}, SEQUENCE, "tanh") for kind in ("Softshrink", "Hardshrink")),
]
NEVER = frozenset(("LayerNorm", "GroupNorm", "RMSNorm", "LocalResponseNorm"))
SKIPPED = frozenset(("TransformerDecoderLayer",))  # reads two values, see below


def host(before: Any, names: tuple[str, ...] = ("x",)) -> dict[str, Any]:
    """Return a job whose network computes one function of centred inputs."""
    shifted = {"id": "shifted", "kind": "sub", "inputs": ["x"], "scalar": 0.5}
    front = {"id": "front", "kind": before, "inputs": ["shifted"]}
    return network_job({"inputs": list(names), "nodes": [shifted, front], "outputs": {"y": "front"}})


def check_identity(job: dict[str, Any], columns: Columns, *operations: Any) -> None:
    old = build_job(job, schema(columns))
    revision = edit(job, *operations, schema=schema(columns))
    new = apply_changes(old, revision)
    assert new.blueprint != old.blueprint
    assert largest_difference(old, new, make_examples(columns)) <= TOLERANCE


@pytest.mark.parametrize(("kind", "settings", "shape", "before"), IDENTITY_CASES)
def test_identity(kind: str, settings: dict[str, Any], shape: tuple[int, ...], before: str) -> None:
    node = {"id": "node", "kind": kind, **settings}
    check_identity(host(before), {"x": shape}, {"op": "insert", "after": "front", "node": node, "init": "identity"})


def test_every_rule_has_a_case() -> None:
    assert {kind for kind, *_ in IDENTITY_CASES} == IDENTITIES.keys() - NEVER - SKIPPED


def test_decoder_layer() -> None:
    columns = {"x": SEQUENCE, "memory": (3, 6)}
    node = {
        "id": "node",
        "kind": "TransformerDecoderLayer",
        "nhead": 2,
        "norm_first": True,
        "inputs": ["front", "memory"],
    }
    job = host("tanh", ("x", "memory"))
    check_identity(job, columns, {"op": "insert", "after": "front", "node": node, "init": "identity"})


@pytest.mark.parametrize(("kind", "settings", "columns"), CASES if FULL else CASES[::4])
def test_whatever_is_accepted_as_identity_is_one(kind: str, settings: dict[str, Any], columns: Columns) -> None:
    """Of the examples of all kinds, and of variants."""
    names = tuple(columns) or ("x",)
    columns = columns or {"x": SEQUENCE}
    job = network_job({"inputs": list(names), "nodes": [{"id": "front", "kind": "Identity", "inputs": [names[0]]}]})
    inputs = {"inputs": ["front", *names[1:]]} if len(names) > 1 else {}
    node = {"id": "node", "kind": kind, **settings, **inputs}
    insert = {"op": "insert", "after": "front", "node": node, "init": "identity"}
    if problems := problems_of(job, insert, schema=schema(columns)):
        assert all(problem.pointer.startswith("/operations/0") and problem.hint for problem in problems)
    elif kind not in ("Parameter", "Buffer", "Constant"):
        check_identity(job, columns, insert)


REFUSED = [
    ("Conv2d", {"out_channels": 5, "kernel_size": 3, "padding": 1}, IMAGE, "set out_channels to 4"),
    ("Conv2d", {"out_channels": 4, "kernel_size": 3, "padding": 1, "stride": 2}, IMAGE, 'use "stride": 1'),
    ("Conv2d", {"out_channels": 4, "kernel_size": 3}, IMAGE, 'use "padding": 1'),
    ("Conv2d", {"out_channels": 4, "kernel_size": 2, "padding": "same"}, IMAGE, 'use "kernel_size": 1, "padding": 0'),
    ("Linear", {"out_features": 5}, VECTOR, "set out_features to 8"),
    ("BatchNorm2d", {"track_running_stats": False}, IMAGE, 'use "track_running_stats": true'),
    ("BatchNorm2d", {"affine": False, "eps": 0.1}, IMAGE, 'use "affine": true'),
    ("TransformerEncoderLayer", {"nhead": 2}, SEQUENCE, 'use "norm_first": true'),
    ("MaxPool2d", {"kernel_size": 3, "stride": 1, "padding": 1}, IMAGE, '"Conv2d", "out_channels": 4'),
    ("LayerNorm", {}, VECTOR, '"Linear", "out_features": 8'),
    ("GELU", {}, VECTOR, '"Linear", "out_features": 8'),
    ("ReLU", {}, VECTOR, "such as ReLU"),
    ("mul", {"scalar": 2.0}, VECTOR, 'use "scalar": 1.0'),
]


@pytest.mark.parametrize(("kind", "settings", "shape", "hint"), REFUSED)
def test_what_is_no_identity_is_refused_with_what_can(
    kind: str, settings: dict[str, Any], shape: tuple[int, ...], hint: str
) -> None:
    node = {"id": "node", "kind": kind, **settings}
    (problem,) = problems_of(
        host("tanh"), {"op": "insert", "after": "front", "node": node, "init": "identity"}, schema=schema({"x": shape})
    )
    assert (problem.pointer, problem.code) == ("/operations/0/init", "not_identity")
    assert hint in problem.hint


ZERO_CASES: list[tuple[str, dict[str, Any], Columns]] = [
    ("Linear", {"out_features": 5}, {"x": VECTOR}),
    ("Bilinear", {"out_features": 5}, {"x": VECTOR, "y": VECTOR}),
    *(
        (f"Conv{part}{d}d", {"out_channels": 5, "kernel_size": 3}, {"x": BY_RANK[d]})
        for d in (1, 2, 3)
        for part in ("", "Transpose")
    ),
    *((f"BatchNorm{d}d", {}, {"x": BY_RANK[d]}) for d in (1, 2, 3)),
    *((f"InstanceNorm{d}d", {"affine": True}, {"x": BY_RANK[d]}) for d in (1, 2, 3)),
    ("LayerNorm", {}, {"x": SEQUENCE}),
    ("RMSNorm", {}, {"x": SEQUENCE}),
    ("GroupNorm", {"num_groups": 2}, {"x": SEQUENCE}),
    *(
        (kind, {"hidden_size": 3, "num_layers": 2, "bidirectional": True}, {"x": SEQUENCE})
        for kind in ("RNN", "GRU", "LSTM")
    ),
    ("RNNCell", {"hidden_size": 6}, {"x": VECTOR, "h": (6,)}),
    ("MultiheadAttention", {"num_heads": 2}, {"x": SEQUENCE}),
    ("TransformerEncoderLayer", {"nhead": 2}, {"x": SEQUENCE}),
    ("TransformerDecoderLayer", {"nhead": 2}, {"x": SEQUENCE, "y": SEQUENCE}),
    ("Embedding", {"num_embeddings": 5, "embedding_dim": 2}, {"x": (SEQUENCE, "int64")}),
    ("EmbeddingBag", {"num_embeddings": 5, "embedding_dim": 2}, {"x": ((4,), "int64")}),
]


def zero_insert(kind: str, settings: dict[str, Any], columns: Columns) -> tuple[dict[str, Any], dict[str, Any]]:
    front = {"id": "front", "kind": "Identity", "inputs": ["x"]}
    job = network_job({"inputs": list(columns), "nodes": [front]})
    inputs = {"inputs": ["front", *list(columns)[1:]]}
    node = {"id": "node", "kind": kind, **settings, **inputs}
    return job, {"op": "insert", "after": "front", "node": node, "init": "zero"}


@pytest.mark.parametrize(("kind", "settings", "columns"), ZERO_CASES)
@pytest.mark.parametrize("training", [False, True])
def test_zero(kind: str, settings: dict[str, Any], columns: Columns, training: bool) -> None:
    job, insert = zero_insert(kind, settings, columns)
    old = build_job(job, schema(columns))
    new = apply_changes(old, edit(job, insert, schema=schema(columns))).train(training)
    (output,) = new(make_examples(columns)).values()
    assert output.numel()
    assert not output.any()


def test_every_zero_has_a_case() -> None:
    assert {kind for kind, *_ in ZERO_CASES} == ZERO_TENSORS.keys() - {"Parameter"}


@pytest.mark.parametrize(
    ("kind", "settings"), [("ReLU", {}), ("BatchNorm1d", {"affine": False}), ("GRUCell", {"hidden_size": 6})]
)
def test_what_has_no_weights_to_make_it_zero_is_refused(kind: str, settings: dict[str, Any]) -> None:
    columns: Columns = {"x": (6,), "h": (6,)} if kind == "GRUCell" else {"x": (6,)}
    job, insert = zero_insert(kind, settings, columns)
    (problem,) = problems_of(job, insert, schema=schema(columns))
    assert (problem.pointer, problem.code) == ("/operations/0/init", "not_zero")
