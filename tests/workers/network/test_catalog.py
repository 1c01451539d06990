"""Every kind is built from its example, and from a few settings that take other paths."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.spec.control import CONTROL
from app.spec.network import KINDS
from app.spec.operations import INITIALISERS
from tests.workers.network.networks import Columns, built, drafted, examples, imported
from workers.network.catalog import CATALOG
from workers.network.sizes import BATCH

SEQUENCE, IMAGE, VOLUME, VECTOR = (4, 6), (4, 6, 6), (4, 6, 6, 6), (8,)
IMAGES = """Conv2d ConvTranspose2d MaxPool2d AvgPool2d AdaptiveAvgPool2d AdaptiveMaxPool2d ZeroPad2d ReflectionPad2d
    ReplicationPad2d Upsample PixelShuffle PixelUnshuffle BatchNorm2d InstanceNorm2d Dropout2d"""
VOLUMES = """Conv3d ConvTranspose3d MaxPool3d AvgPool3d AdaptiveAvgPool3d AdaptiveMaxPool3d BatchNorm3d InstanceNorm3d
    Dropout3d"""

# Kind → what its inputs look like, where that is not a float32 sequence.
LOOKS: Mapping[str, Any] = {
    **dict.fromkeys(IMAGES.split(), IMAGE),
    **dict.fromkeys(VOLUMES.split(), VOLUME),
    "Embedding": (SEQUENCE, "int64"),
    "Unflatten": VECTOR,
    "matmul": (6, 6),
    "squeeze": (1, 6),
}
TRUTHS = ("gt", "ge", "lt", "le", "eq", "ne", "logical_and", "logical_or", "logical_not", "any", "all")
FLAT = frozenset({"stop_gradient", "Buffer", "Constant", *TRUTHS})  # no gradient comes out of these

X, XY, XYZ = ("x",), ("x", "y"), ("x", "y", "z")
LENGTHS = {"x": SEQUENCE, "n": ((), "int32")}
RECURRENT = ("RNN", "GRU", "LSTM")
DEEP = {"hidden_size": 3, "num_layers": 2, "bidirectional": True, "bias": False}


def columns(kind: str, names: tuple[str, ...]) -> Columns:
    return dict.fromkeys(names, LOOKS.get(kind, SEQUENCE))


# (kind, settings, columns that are its inputs): each kind's example, then the variants.
CASES: list[tuple[str, Mapping[str, Any], Columns]] = [
    *((kind, KINDS[kind].example, columns(kind, XYZ[: KINDS[kind].inputs[0]])) for kind in CATALOG
      if kind not in CONTROL and kind != "where"),
    ("where", {}, {"x": (SEQUENCE, "bool"), "y": SEQUENCE, "z": SEQUENCE}),
    *((kind, {}, columns(kind, XY)) for kind in ("add", "sub", "mul", "div", "pow")),
    *((kind, {"dim": None}, columns(kind, X)) for kind in ("mean", "sum", "amax", "amin")),
    *((kind, {"dim": (1, 2), "keepdim": True}, columns(kind, X)) for kind in ("mean", "sum", "amax", "amin")),
    *((kind, {"dim": None, "keepdim": True}, columns(kind, X)) for kind in ("mean", "sum")),
    *((kind, {"hidden_size": 3, "returns": returns}, LENGTHS) for kind in RECURRENT
      for returns in ("sequence", "last", "state")),
    *((kind, DEEP | {"returns": returns}, names) for kind in RECURRENT for names in (LENGTHS, columns(kind, X))
      for returns in ("sequence", "last", "state")),
    ("RNN", {"hidden_size": 3, "nonlinearity": "relu"}, columns("RNN", X)),
    ("GRU", {"hidden_size": 3, "num_layers": 2, "dropout": 0.5}, columns("GRU", X)),
    ("GRU", {"hidden_size": 3, "returns": "last"}, {"x": SEQUENCE, "n": ((), "uint8")}),
    *(("MultiheadAttention", {"num_heads": 3, "dropout": 0.5}, columns("MultiheadAttention", names))
      for names in (X, XY, XYZ)),
    ("TransformerEncoderLayer", {"nhead": 1, "dim_feedforward": 4, "activation": "gelu", "norm_first": True},
     columns("TransformerEncoderLayer", X)),
    ("Conv2d", {"out_channels": 6, "kernel_size": (3, 1), "padding": "same", "groups": 2, "bias": False,
                "padding_mode": "circular", "dilation": (2, 1)}, columns("Conv2d", X)),
    ("Conv1d", {"in_channels": 4, "out_channels": 6, "kernel_size": 2, "padding": "valid", "stride": 2},
     {"x": SEQUENCE}),
    ("ConvTranspose2d", {"out_channels": 4, "kernel_size": 3, "stride": 2, "padding": 1, "output_padding": (1, 0),
                         "groups": 2, "dilation": 1}, columns("ConvTranspose2d", X)),
    ("MaxPool2d", {"kernel_size": (3, 2), "stride": 1, "padding": 1, "ceil_mode": True}, columns("MaxPool2d", X)),
    ("AvgPool2d", {"kernel_size": 4, "stride": 3, "padding": 2, "count_include_pad": False}, columns("AvgPool2d", X)),
    ("AdaptiveAvgPool2d", {"output_size": (2, 3)}, columns("AdaptiveAvgPool2d", X)),
    ("ZeroPad2d", {"padding": (0, 1, 2, 3)}, columns("ZeroPad2d", X)),
    ("Upsample", {"scale_factor": 3, "mode": "bilinear"}, columns("Upsample", X)),
    ("BatchNorm1d", {"momentum": None, "affine": False}, {"x": VECTOR}),
    ("BatchNorm1d", {"track_running_stats": False}, {"x": SEQUENCE}),
    ("InstanceNorm1d", {"affine": True, "track_running_stats": True}, {"x": SEQUENCE}),
    ("LayerNorm", {"normalized_shape": (4, 6), "bias": False}, {"x": SEQUENCE}),
    ("RMSNorm", {"normalized_shape": 6, "eps": 0.1}, {"x": SEQUENCE}),
    ("PReLU", {"num_parameters": 4, "init": 0.5}, {"x": SEQUENCE}),
    ("Embedding", {"num_embeddings": 4, "embedding_dim": 2, "padding_idx": 3}, {"x": ((), "int32")}),
    *(("Parameter", {"shape": (4, 3), "init": {"kind": kind, **row.example}}, {"x": VECTOR})
      for kind, row in INITIALISERS.items()),
    ("Parameter", {"shape": ()}, {"x": VECTOR}),
    ("Constant", {"value": 2.5}, {"x": VECTOR}),
    ("Constant", {"value": [[[1, -2.0], [1e-7, 3]]]}, {"x": VECTOR}),
]  # fmt: skip


def model(kind: str, settings: Mapping[str, Any], named: Columns) -> dict[str, Any]:
    inputs = list(named) if KINDS[kind].inputs != (0, 0) else []
    return {"inputs": list(named or X), "nodes": [{"id": "node", "kind": kind, "inputs": inputs, **settings}]}


@pytest.fixture(params=CASES, ids=[f"{kind}-{number}" for number, (kind, _, _) in enumerate(CASES)])
def case(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any], Columns]:
    kind, settings, named = request.param
    named = named or {"x": VECTOR}
    return kind, model(kind, settings, named), named


def run(network: nn.Module, values: Any, *, train: bool) -> Tensor:
    """Return the output; with `train`, after a draw of randomness that is the same every time."""
    network.train(train)
    torch.manual_seed(11)
    output: Tensor = network(values)["output"] if isinstance(values, dict) else network(*values)
    return output


def test_every_kind_has_a_case() -> None:
    assert {kind for kind, _, _ in CASES} == CATALOG.keys() - CONTROL.keys()  # those are in test_control


def test_the_draft_tells_the_truth(case: tuple[str, dict[str, Any], Columns]) -> None:
    _, document, named = case
    draft = drafted(document, named)
    assert draft.problems == []
    (trace,) = draft.traces
    network = built(document, named)
    for count in (2, 5):
        output = run(network, examples(named, count), train=True)
        assert output.shape == torch.Size(count if size == BATCH else size for size in trace.output.shape)
        assert output.dtype == trace.output.dtype
    assert trace.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert trace.parameters + trace.buffers == sum(value.numel() for value in network.state_dict().values())


def test_gradients_flow(case: tuple[str, dict[str, Any], Columns]) -> None:
    kind, document, named = case
    network = built(document, named)
    values = examples(named)
    floats = [value.requires_grad_() for value in values.values() if value.is_floating_point()]
    output = run(network, values, train=True)
    assert output.isfinite().all()
    assert output.requires_grad == (kind not in FLAT)
    if kind in FLAT:
        return
    output.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert all(value.grad is not None for value in floats) or KINDS[kind].inputs == (0, 0)


def test_a_network_knows_whether_it_draws(case: tuple[str, dict[str, Any], Columns]) -> None:
    """The loop gives no seed to a step that draws nothing."""
    _, document, named = case
    network = built(document, named)
    before = torch.get_rng_state()
    network(examples(named))
    assert network.is_random == (not torch.get_rng_state().equal(before))


def test_weights_make_a_round_trip(case: tuple[str, dict[str, Any], Columns]) -> None:
    _, document, named = case
    first, second = built(document, named, seed=1), built(document, named, seed=2)
    second.load_state_dict(first.state_dict(), strict=True)
    values = examples(named)
    assert run(first, values, train=False).equal(run(second, values, train=False))


def test_the_source_is_the_same_network(case: tuple[str, dict[str, Any], Columns], tmp_path: Path) -> None:
    _, document, named = case
    network, values = built(document, named, seed=1), examples(named)
    other = imported(network, tmp_path, seed=2)
    assert list(other.state_dict()) == list(network.state_dict())
    other.load_state_dict(network.state_dict(), strict=True)
    for train in (True, False):
        assert run(network, values, train=train).equal(run(other, list(values.values()), train=train))
    again = imported(network, tmp_path, seed=1).state_dict()
    assert all(value.equal(again[name]) for name, value in built(document, named, seed=1).state_dict().items())
