"""Every kind is built from its example, and from a few settings that take other paths."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.spec.network.backbones import BACKBONES
from app.spec.network.control import CONTROL
from app.spec.network.leaves import INITIALISERS
from app.spec.network.nodes import NODE_KINDS
from tests.workers.network.networks import Columns, build_model, import_source, infer_model, make_examples
from workers.network.inference import node_inference
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE
from workers.network.inference.shape_rules import POINTWISE_KINDS, SHAPE_RULES
from workers.network.kinds.catalog import CATALOG

SEQUENCE, IMAGE, VOLUME, VECTOR, SQUARE = (4, 6), (4, 6, 6), (4, 6, 6, 6), (8,), (6, 6)
IMAGES = """Upsample UpsamplingNearest2d UpsamplingBilinear2d PixelShuffle PixelUnshuffle ChannelShuffle Unfold
    FeatureAlphaDropout"""
INTEGER_SEQUENCE = (SEQUENCE, "int64")
CLASSES = {"x": VECTOR, "y": ((), "int64")}
CELL = {"x": VECTOR, "h": (6,)}

# Kind → what its inputs look like, where that is not a float32 sequence.
INPUT_SHAPES: Mapping[str, Any] = {
    **{kind: IMAGE for kind in NODE_KINDS if kind.endswith("2d")},
    **{kind: VOLUME for kind in NODE_KINDS if kind.endswith("3d")},
    **dict.fromkeys(IMAGES.split(), IMAGE),
    **dict.fromkeys(("Embedding", "one_hot"), INTEGER_SEQUENCE),
    "EmbeddingBag": ((4,), "int64"),
    **dict.fromkeys(("matmul", "bmm", "baddbmm", "det", "inv", "matrix_exp", "solve"), SQUARE),
    **dict.fromkeys(("outer", "Unflatten", "TripletMarginLoss"), VECTOR),
    "FoldPatches": (8, 2),
    "squeeze": (1, 6),
    "expand": (1, 6),
    "cross": (4, 3),
}
# Kind → its inputs, where they differ from each other.
INPUTS: Mapping[str, Columns] = {
    "where": {"x": (SEQUENCE, "bool"), "y": SEQUENCE, "z": SEQUENCE},
    "masked_fill": {"x": SEQUENCE, "y": (SEQUENCE, "bool")},
    **dict.fromkeys(("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"), CLASSES),
    **dict.fromkeys(("RNNCell", "GRUCell"), CELL),
    "LSTMCell": CELL | {"c": (6,)},
    "MultiLabelMarginLoss": {"x": VECTOR, "y": (VECTOR, "int64")},
    "CosineEmbeddingLoss": {"x": VECTOR, "y": VECTOR, "z": ()},
    "index_select": {"x": SEQUENCE, "y": ((), "int64")},
    "gather": {"x": SEQUENCE, "y": INTEGER_SEQUENCE},
    "take_along_dim": {"x": SEQUENCE, "y": ((2, 6), "int64")},
    "scatter_add": {"x": SEQUENCE, "y": ((2, 6), "int64"), "z": (2, 6)},
    "length_mask": {"x": SEQUENCE, "n": ((), "int64")},
}
BOOL_KINDS = """gt ge lt le eq ne logical_and logical_or logical_xor logical_not any all isnan isinf isfinite argmax
    argmin argsort count_nonzero one_hot arange length_mask zeros ones full zeros_like ones_like rand randn rand_like
    randn_like Training"""
KINDS_WITHOUT_GRADIENT = frozenset(
    {"stop_gradient", "Buffer", "Constant", *BOOL_KINDS.split()}
)  # no gradient comes out of these
LARGE = frozenset(BACKBONES) - {"squeezenet1_1"}

X, XY, XYZ = ("x",), ("x", "y"), ("x", "y", "z")
LENGTHS = {"x": SEQUENCE, "n": ((), "int32")}
RECURRENT = ("RNN", "GRU", "LSTM")
DEEP = {"hidden_size": 3, "num_layers": 2, "bidirectional": True, "bias": False}


def columns(kind: str, names: tuple[str, ...]) -> Columns:
    return dict.fromkeys(names, INPUT_SHAPES.get(kind, SEQUENCE))


# (kind, settings, columns that are its inputs): each kind's example, then the variants.
CASES: list[tuple[str, Mapping[str, Any], Columns]] = [
    *(
        (kind, NODE_KINDS[kind].example, INPUTS.get(kind) or columns(kind, XYZ[: NODE_KINDS[kind].inputs[0]]))
        for kind in CATALOG
        if kind not in CONTROL and kind not in BACKBONES
    ),
    ("squeezenet1_1", {"num_classes": 3}, {"x": (3, 32, 32)}),
    *((kind, {}, columns(kind, XY)) for kind in ("add", "sub", "mul", "div", "pow")),
    *((kind, {"dim": None}, columns(kind, X)) for kind in ("mean", "sum", "amax", "amin")),
    *((kind, {"dim": (1, 2), "keepdim": True}, columns(kind, X)) for kind in ("mean", "sum", "amax", "amin")),
    *((kind, {"dim": None, "keepdim": True}, columns(kind, X)) for kind in ("mean", "sum")),
    *(
        (kind, {"hidden_size": 3, "returns": returns}, LENGTHS)
        for kind in RECURRENT
        for returns in ("sequence", "last", "state")
    ),
    *(
        (kind, DEEP | {"returns": returns}, names)
        for kind in RECURRENT
        for names in (LENGTHS, columns(kind, X))
        for returns in ("sequence", "last", "state")
    ),
    ("RNN", {"hidden_size": 3, "nonlinearity": "relu"}, columns("RNN", X)),
    ("GRU", {"hidden_size": 3, "num_layers": 2, "dropout": 0.5}, columns("GRU", X)),
    ("GRU", {"hidden_size": 3, "returns": "last"}, {"x": SEQUENCE, "n": ((), "uint8")}),
    *(
        ("MultiheadAttention", {"num_heads": 3, "dropout": 0.5}, columns("MultiheadAttention", names))
        for names in (X, XY, XYZ)
    ),
    (
        "TransformerEncoderLayer",
        {"nhead": 1, "dim_feedforward": 4, "activation": "gelu", "norm_first": True},
        columns("TransformerEncoderLayer", X),
    ),
    *(
        ("TransformerEncoderLayer", {"nhead": 2, "dim_feedforward": 4, "is_causal": causal, "bias": causal}, LENGTHS)
        for causal in (False, True)
    ),
    *(
        ("TransformerDecoderLayer", {"nhead": 2, "dim_feedforward": 4, "is_causal": True}, names)
        for names in ({"x": (3, 6), "y": SEQUENCE}, {"x": (3, 6), "y": SEQUENCE, "n": ((), "int64")})
    ),
    *(
        (
            "MultiheadAttention",
            {"num_heads": 2, "is_causal": causal},
            {"x": (3, 6), "y": SEQUENCE, "z": SEQUENCE, "n": ((), "int64")},
        )
        for causal in (False, True)
    ),
    *(
        ("pool_sequence", {"by": by}, names)
        for by in ("mean", "sum", "max", "last")
        for names in (columns("", X), LENGTHS, {"x": (4, 2, 3), "n": ((), "uint8")}, {"x": (4,), "n": ((), "int64")})
    ),
    ("add_sinusoids", {}, {"x": (4, 5)}),
    (
        "Conv2d",
        {
            "out_channels": 6,
            "kernel_size": (3, 1),
            "padding": "same",
            "groups": 2,
            "bias": False,
            "padding_mode": "circular",
            "dilation": (2, 1),
        },
        columns("Conv2d", X),
    ),
    (
        "Conv1d",
        {"in_channels": 4, "out_channels": 6, "kernel_size": 2, "padding": "valid", "stride": 2},
        {"x": SEQUENCE},
    ),
    (
        "ConvTranspose2d",
        {
            "out_channels": 4,
            "kernel_size": 3,
            "stride": 2,
            "padding": 1,
            "output_padding": (1, 0),
            "groups": 2,
            "dilation": 1,
        },
        columns("ConvTranspose2d", X),
    ),
    ("MaxPool2d", {"kernel_size": (3, 2), "stride": 1, "padding": 1, "ceil_mode": True}, columns("MaxPool2d", X)),
    ("AvgPool2d", {"kernel_size": 4, "stride": 3, "padding": 2, "count_include_pad": False}, columns("AvgPool2d", X)),
    ("AdaptiveAvgPool2d", {"output_size": (2, 3)}, columns("AdaptiveAvgPool2d", X)),
    ("Upsample", {"scale_factor": 2, "mode": "linear"}, {"x": SEQUENCE}),
    ("Upsample", {"scale_factor": 2, "mode": "trilinear"}, {"x": VOLUME}),
    ("GRUCell", {"hidden_size": 6, "bias": False}, CELL),
    ("EmbeddingBag", {"num_embeddings": 4, "embedding_dim": 2, "mode": "max"}, {"x": ((4,), "int64")}),
    ("MSELoss", {"reduction": "none"}, columns("MSELoss", XY)),
    ("CrossEntropyLoss", {"reduction": "sum", "label_smoothing": 0.1}, CLASSES),
    ("squeezenet1_1", {"num_classes": 3}, {"x": (1, 32, 32)}),
    *((kind, {}, columns(kind, XY)) for kind in ("remainder", "fmod", "xlogy")),
    *((kind, {"dim": None}, columns(kind, X)) for kind in ("std", "var", "vector_norm", "count_nonzero", "any", "all")),
    ("std", {"dim": (1, 2), "keepdim": True, "correction": 0}, columns("std", X)),
    ("einsum", {"equation": "nij,nkj->nik"}, columns("einsum", XY)),
    ("topk", {"k": 2, "dim": 1, "largest": False}, columns("topk", X)),
    ("pad", {"pad": (1, 2, 0, 1), "value": 0.5}, columns("pad", X)),
    ("pad", {"pad": (1, 2), "mode": "reflect"}, columns("pad", X)),
    ("interpolate", {"scale_factor": 1.5, "mode": "bilinear"}, {"x": IMAGE}),
    ("arange", {"dim": 2, "dtype": "float32"}, columns("arange", X)),
    ("zeros", {"shape": (2, 3), "dtype": "int64"}, columns("zeros", X)),
    ("to", {"dtype": "int64"}, columns("to", X)),
    ("scaled_dot_product_attention", {"is_causal": True}, columns("", XYZ)),
    ("scaled_dot_product_attention", {"scale": 0.5}, {**columns("", XYZ), "mask": ((4, 4), "bool")}),
    ("ZeroPad2d", {"padding": (0, 1, 2, 3)}, columns("ZeroPad2d", X)),
    ("Upsample", {"scale_factor": 3, "mode": "bilinear"}, columns("Upsample", X)),
    ("BatchNorm1d", {"momentum": None, "affine": False}, {"x": VECTOR}),
    ("BatchNorm1d", {"track_running_stats": False}, {"x": SEQUENCE}),
    ("InstanceNorm1d", {"affine": True, "track_running_stats": True}, {"x": SEQUENCE}),
    ("LayerNorm", {"normalized_shape": (4, 6), "bias": False}, {"x": SEQUENCE}),
    ("RMSNorm", {"normalized_shape": 6, "eps": 0.1}, {"x": SEQUENCE}),
    ("PReLU", {"num_parameters": 4, "init": 0.5}, {"x": SEQUENCE}),
    ("Embedding", {"num_embeddings": 4, "embedding_dim": 2, "padding_idx": 3}, {"x": ((), "int32")}),
    *(
        ("Parameter", {"shape": (4, 3), "init": {"kind": kind, **row.example}}, {"x": VECTOR})
        for kind, row in INITIALISERS.items()
    ),
    ("Parameter", {"shape": ()}, {"x": VECTOR}),
    ("Constant", {"value": 2.5}, {"x": VECTOR}),
    ("Constant", {"value": [[[1, -2.0], [1e-7, 3]]]}, {"x": VECTOR}),
]


def model(kind: str, settings: Mapping[str, Any], named: Columns) -> dict[str, Any]:
    inputs = list(named) if NODE_KINDS[kind].inputs != (0, 0) else []
    return {"inputs": list(named or X), "nodes": [{"id": "node", "kind": kind, "inputs": inputs, **settings}]}


@pytest.fixture(params=CASES, ids=[f"{kind}-{number}" for number, (kind, _, _) in enumerate(CASES)])
def case(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any], Columns]:
    kind, settings, named = request.param
    named = named or {"x": VECTOR}
    return kind, model(kind, settings, named), named


def make_inputs(kind: str, named: Columns) -> dict[str, Tensor]:
    """Return examples among which the kind has something to do: from 1 on, or below zero."""
    moved = {"acosh": 1.0, "RReLU": -1.0}.get(kind, 0.0)
    return {name: value + moved if moved else value for name, value in make_examples(named).items()}


def run(network: nn.Module, values: Any, *, train: bool) -> Tensor:
    """Return the output; with `train`, after a draw of randomness that is the same every time."""
    network.train(train)
    torch.manual_seed(11)
    output: Tensor = network(values)["output"] if isinstance(values, dict) else network(*values)
    return output


def test_every_kind_has_a_case() -> None:
    assert {kind for kind, _, _ in CASES} == CATALOG.keys() - CONTROL.keys() - LARGE  # those are in test_control


def test_the_draft_tells_the_truth(case: tuple[str, dict[str, Any], Columns]) -> None:
    _, document, named = case
    draft = infer_model(document, named)
    assert draft.problems == []
    (trace,) = draft.nodes
    network = build_model(document, named)
    for count in (2, 5):
        output = run(network, make_examples(named, count), train=True)
        assert output.shape == torch.Size(count if size == SYMBOLIC_BATCH_SIZE else size for size in trace.output.shape)
        assert output.dtype == trace.output.dtype
    assert trace.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert trace.parameters + trace.buffers == sum(value.numel() for value in network.state_dict().values())


def test_gradients_flow(case: tuple[str, dict[str, Any], Columns]) -> None:
    kind, document, named = case
    network = build_model(document, named)
    values = make_inputs(kind, named)
    differentiable = list(values)[: 1 if kind.endswith("Loss") else None]  # no gradient for targets
    floats = [values[name].requires_grad_() for name in differentiable if values[name].is_floating_point()]
    output = run(network, values, train=True)
    assert output.isfinite().all()
    assert output.requires_grad == (kind not in KINDS_WITHOUT_GRADIENT and output.is_floating_point())
    if not output.requires_grad:
        return
    output.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert all(value.grad is not None for value in floats) or NODE_KINDS[kind].inputs == (0, 0)


def test_a_network_knows_whether_it_draws(case: tuple[str, dict[str, Any], Columns]) -> None:
    """The loop gives no seed to a step that draws nothing."""
    kind, document, named = case
    network = build_model(document, named)
    before = torch.get_rng_state()
    network(make_inputs(kind, named))
    assert network.is_random == (not torch.get_rng_state().equal(before))


def test_weights_make_a_round_trip(case: tuple[str, dict[str, Any], Columns]) -> None:
    kind, document, named = case
    first, second = build_model(document, named, seed=1), build_model(document, named, seed=2)
    second.load_state_dict(first.state_dict(), strict=True)
    values = make_inputs(kind, named)
    assert run(first, values, train=False).equal(run(second, values, train=False))


def test_the_source_is_the_same_network(case: tuple[str, dict[str, Any], Columns], tmp_path: Path) -> None:
    kind, document, named = case
    network, values = build_model(document, named, seed=1), make_inputs(kind, named)
    other = import_source(network, tmp_path, seed=2)
    assert list(other.state_dict()) == list(network.state_dict())
    other.load_state_dict(network.state_dict(), strict=True)
    for train in (True, False):
        assert run(network, values, train=train).equal(run(other, list(values.values()), train=train))
    again = import_source(network, tmp_path, seed=1).state_dict()
    assert all(value.equal(again[name]) for name, value in build_model(document, named, seed=1).state_dict().items())


def test_an_lstm_cell_has_two_outputs(tmp_path: Path) -> None:
    nodes = [{"id": "cell", "kind": "LSTMCell", "inputs": ["x", "h", "c"], "hidden_size": 6}]
    document = {"inputs": ["x", "h", "c"], "nodes": nodes, "outputs": {"one": "cell", "h": "cell.h", "c": "cell.c"}}
    named = CELL | {"c": (6,)}
    network, values = build_model(document, named), make_examples(named)
    found = network(values)
    assert found["one"].equal(found["h"])
    assert not found["h"].equal(found["c"])
    other = import_source(network, tmp_path)
    other.load_state_dict(network.state_dict())
    assert all(value.equal(found[name]) for name, value in other(*values.values()).items())


def test_variational_dropout_drops_the_same_at_every_step() -> None:
    network = build_model([{"kind": "VariationalDropout"}], {"x": (50, 40)})
    output = run(network, {"x": torch.ones(3, 50, 40)}, train=True)
    assert output.equal(output[:, :1].expand_as(output))
    assert sorted(output.unique().tolist()) == [0.0, 2.0]
    assert not output[0].equal(output[1])
    assert run(network, {"x": torch.ones(3, 50, 40)}, train=False).eq(1).all()


@pytest.mark.parametrize("kind", [*SHAPE_RULES, *sorted(POINTWISE_KINDS)])
def test_rules_agree_with_torch(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [(settings, named) for name, settings, named in CASES if name == kind]
    with_rules = [infer_model(model(kind, settings, named), named).nodes for settings, named in cases]
    monkeypatch.setattr(node_inference, "apply_shape_rule", lambda *_: None)
    monkeypatch.setattr(node_inference, "POINTWISE_KINDS", frozenset())
    for (settings, named), traces in zip(cases, with_rules, strict=True):
        (found,), (expected,) = traces, infer_model(model(kind, settings, named), named).nodes
        assert (found.output.shape, found.output.dtype) == (expected.output.shape, expected.output.dtype)
        assert (found.parameters, found.buffers) == (expected.parameters, expected.buffers)
