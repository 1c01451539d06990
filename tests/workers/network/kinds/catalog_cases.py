"""Kinds with their settings and inputs: from their examples, and a few that take other paths."""

from collections.abc import Mapping
from typing import Any

from app.spec.network.backbones import BACKBONES
from app.spec.network.control import CONTROL
from app.spec.network.leaves import INITIALISERS
from app.spec.network.nodes import NODE_KINDS
from app.spec.network.weights import PARAMETRIZATIONS
from tests.workers.network.networks import Columns
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
    **dict.fromkeys(("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss", "AdaptiveLogSoftmaxWithLoss"), CLASSES),
    **dict.fromkeys(("RNNCell", "GRUCell"), CELL),
    "LSTMCell": CELL | {"c": (6,)},
    "CTCLoss": {"x": (6, 4), "y": ((3,), "int64"), "n": ((), "int64"), "m": ((), "int64")},
    "MultiLabelMarginLoss": {"x": VECTOR, "y": (VECTOR, "int64")},
    "CosineEmbeddingLoss": {"x": VECTOR, "y": VECTOR, "z": ()},
    "index_select": {"x": SEQUENCE, "y": ((), "int64")},
    "linear": {"x": SEQUENCE, "y": (6,)},
    "embedding": {"x": ((4,), "int64"), "y": (6,)},
    "gather": {"x": SEQUENCE, "y": INTEGER_SEQUENCE},
    "take_along_dim": {"x": SEQUENCE, "y": ((2, 6), "int64")},
    "scatter_add": {"x": SEQUENCE, "y": ((2, 6), "int64"), "z": (2, 6)},
    "length_mask": {"x": SEQUENCE, "n": ((), "int64")},
    **{f"MaxUnpool{rank}d": {"x": (4, *[2] * rank), "y": ((4, *[2] * rank), "int64")} for rank in (1, 2, 3)},
}
BY_RANK = {1: SEQUENCE, 2: IMAGE, 3: VOLUME}
UNPOOL = {rank: {"x": (4, *[2] * rank), "y": ((4, *[2] * rank), "int64")} for rank in (1, 2, 3)}
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
        (kind, {"dim_feedforward": 8, "nhead": 2, **layers, **mask}, {"x": SEQUENCE, "y": (3, 6), **named})
        for kind, layers in (
            ("TransformerDecoder", {"num_layers": 1, "norm": True, "norm_first": True}),
            ("Transformer", {"num_encoder_layers": 1, "num_decoder_layers": 1}),
        )
        for mask, named in (
            ({"is_causal": True}, {"n": ((), "int64")}),
            ({"tgt_mask": "m"}, {"m": ((4, 4) if kind == "TransformerDecoder" else (3, 3), "bool")}),
        )
    ),
    ("TransformerEncoder", {"nhead": 3, "num_layers": 1, "norm": True, "dim_feedforward": 8}, LENGTHS),
    (
        "TransformerEncoder",
        {"nhead": 3, "num_layers": 1, "dim_feedforward": 8, "mask": "m", "src_key_padding_mask": "p"},
        {"x": SEQUENCE, "m": ((3, 4, 4), "float32"), "p": ((4,), "float32")},
    ),
    ("TransformerEncoderLayer", {"nhead": 2, "dim_feedforward": 8, "src_mask": "m"}, {"x": SEQUENCE, "m": (4, 4)}),
    (
        "MultiheadAttention",
        {"num_heads": 2, "kdim": 3, "vdim": 5, "add_bias_kv": True, "attn_mask": "m", "need_weights": True},
        {"x": SEQUENCE, "k": (2, 3), "v": (2, 5), "m": (4, 2)},
    ),
    (
        "MultiheadAttention",
        {"num_heads": 2, "add_zero_attn": True, "key_padding_mask": "p"},
        {"x": SEQUENCE, "p": (4,)},
    ),
    ("LSTM", {"hidden_size": 5, "proj_size": 2, "num_layers": 2, "bidirectional": True}, LENGTHS),
    *(
        (kind, {"hidden_size": 3, "h_0": "h", **more}, {"x": SEQUENCE, **lengths, "h": (2, 3)})
        for kind in RECURRENT
        for more in ({"num_layers": 2}, {"bidirectional": True, "return_states": True, "returns": "last"})
        for lengths in ({}, {"n": ((), "int64")})
    ),
    ("LSTM", {"hidden_size": 4, "proj_size": 3, "h_0": "h", "c_0": "c"}, {"x": SEQUENCE, "h": (1, 3), "c": (1, 4)}),
    *(
        (kind, {"kernel_size": 2, "return_indices": True}, {"x": (BY_RANK[int(kind[-2])])})
        for kind in ("MaxPool1d", "MaxPool2d", "MaxPool3d")
    ),
    ("FractionalMaxPool2d", {"kernel_size": 2, "output_ratio": 0.6, "return_indices": True}, {"x": IMAGE}),
    ("MaxUnpool2d", {"kernel_size": 2, "output_size": (5, 4)}, UNPOOL[2]),
    ("AdaptiveMaxPool2d", {"output_size": (None, 3), "return_indices": True}, {"x": IMAGE}),
    ("AvgPool2d", {"kernel_size": 2, "divisor_override": 3}, {"x": IMAGE}),
    ("Upsample", {"size": (5, 7), "mode": "bilinear", "align_corners": True}, {"x": IMAGE}),
    ("Upsample", {"scale_factor": (1.5, 2), "recompute_scale_factor": True}, {"x": IMAGE}),
    ("UpsamplingNearest2d", {"size": 9}, {"x": IMAGE}),
    ("Embedding", {"num_embeddings": 4, "embedding_dim": 2, "scale_grad_by_freq": True}, {"x": ((4,), "int64")}),
    ("Embedding", {"num_embeddings": 4, "embedding_dim": 2, "max_norm": 0.5, "norm_type": 1.0}, {"x": ((4,), "int64")}),
    *((kind, {"bias": False, "affine": True}, {"x": IMAGE}) for kind in ("BatchNorm2d", "InstanceNorm2d")),
    ("GroupNorm", {"num_groups": 2, "bias": False}, {"x": SEQUENCE}),
    *(("Linear", {"out_features": 6, "parametrization": kind}, {"x": SEQUENCE}) for kind in PARAMETRIZATIONS),
    ("Conv2d", {"out_channels": 4, "kernel_size": 3, "parametrization": "spectral_norm"}, {"x": IMAGE}),
    ("GRU", {"hidden_size": 3, "init": {"weight_hh*": "orthogonal", "bias*": "zeros"}}, {"x": SEQUENCE}),
    (
        "TransformerEncoder",
        {"nhead": 2, "num_layers": 2, "init": {"*norm*": "ones", "*.weight": "eye"}},
        {"x": SEQUENCE},
    ),
    ("Softplus", {"threshold": -20, "beta": 2.0}, {"x": SEQUENCE}),
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
    ("CrossEntropyLoss", {"weight": (0.5,) * 8}, CLASSES),
    ("BCEWithLogitsLoss", {"weight": 2.0, "pos_weight": (0.5,) * 6}, columns("BCEWithLogitsLoss", XY)),
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
        (
            "Parameter",
            {"shape": (4, 3, 3)[: 2 + (kind == "dirac")], "init": {"kind": kind, **row.example}},
            {"x": VECTOR},
        )
        for kind, row in INITIALISERS.items()
    ),
    ("Parameter", {"shape": ()}, {"x": VECTOR}),
    ("Constant", {"value": 2.5}, {"x": VECTOR}),
    ("Constant", {"value": [[[1, -2.0], [1e-7, 3]]]}, {"x": VECTOR}),
]


def model(kind: str, settings: Mapping[str, Any], named: Columns) -> dict[str, Any]:
    by_name = [settings.get(field) for field in NODE_KINDS[kind].references]
    inputs = [name for name in named if name not in by_name] if NODE_KINDS[kind].inputs != (0, 0) else []
    return {"inputs": list(named or X), "nodes": [{"id": "node", "kind": kind, "inputs": inputs, **settings}]}
