"""Kinds of modules, and the classes of torch that build them."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from torch import nn

from app.spec.network.weights import WEIGHTED_KINDS
from workers.network.kinds.functional import (
    Training,
    VariationalDropout,
    adaptive_log_softmax,
    connectionist_loss,
    max_unpool,
    set_loss_weights,
)
from workers.network.kinds.module_kind import Accepts, ModuleKind
from workers.network.kinds.sequences import (
    attend,
    decode,
    encode,
    encode_stack,
    run_lstm_cell,
    run_recurrent,
    transform,
)
from workers.network.kinds.stacks import transformer, transformer_decoder, transformer_encoder
from workers.network.runtime.plan import NodeCall

FEATURE_RANKS = tuple(range(2, 65))
VECTOR_INPUT = "features (F) per example"
SEQUENCE_INPUT = "sequences (L, F) per example"

_BATCH_FIRST = {"batch_first": True}
_BIAS = ("bias",)


def _recurrent_layer(build: Callable[..., nn.Module], *states: str) -> ModuleKind:
    return ModuleKind(
        build,
        (3,),
        SEQUENCE_INPUT,
        fixed_arguments=_BATCH_FIRST,
        call=run_recurrent,
        call_parameters=("returns", "return_states"),
        probability_parameter="dropout",
        lengths_index=1,
        references=states,
    )


def _attention_layer(
    build: Callable[..., nn.Module],
    call: NodeCall,
    lengths: int,
    cost: int,
    references: tuple[str, ...],
    call_parameters: tuple[str, ...] = ("is_causal",),
    path: str = "",
    layers: tuple[str, ...] = (),
) -> ModuleKind:
    return ModuleKind(
        build,
        (3,),
        SEQUENCE_INPUT,
        fixed_arguments=_BATCH_FIRST,
        call=call,
        call_parameters=call_parameters,
        probability_parameter="dropout",
        cost=cost,
        lengths_index=lengths,
        references=references,
        path=path,
        opaque=bool(layers),
        layer_parameters=layers,
    )


def _weighted_loss(build: Callable[..., nn.Module], accepts: Accepts, *weights: str) -> ModuleKind:
    defaults = dict.fromkeys(weights or ("weight",))
    return ModuleKind(build, accepts=accepts, adapt=set_loss_weights, adapt_defaults=defaults)


_ENCODER_MASKS = ("src_mask", "src_key_padding_mask")
_DECODER_MASKS = ("tgt_mask", "memory_mask", "tgt_key_padding_mask", "memory_key_padding_mask")
_TRANSFORMER_MASKS = (
    "src_mask",
    "tgt_mask",
    "memory_mask",
    "src_key_padding_mask",
    "tgt_key_padding_mask",
    "memory_key_padding_mask",
)

_ROWS: Mapping[str, ModuleKind] = {
    "Identity": ModuleKind(nn.Identity, accepts="any"),
    "Linear": ModuleKind(nn.Linear, FEATURE_RANKS, VECTOR_INPUT),
    "Bilinear": ModuleKind(nn.Bilinear, FEATURE_RANKS, VECTOR_INPUT),
    "Embedding": ModuleKind(nn.Embedding, accepts="integer"),
    "EmbeddingBag": ModuleKind(nn.EmbeddingBag, (2,), "integers (L) per example", accepts="integer"),
    "Training": ModuleKind(Training),
    "Flatten": ModuleKind(nn.Flatten, accepts="any"),
    "Unflatten": ModuleKind(nn.Unflatten, accepts="any"),
    "Conv1d": ModuleKind(nn.Conv1d, (3,)),
    "Conv2d": ModuleKind(nn.Conv2d, (4,)),
    "Conv3d": ModuleKind(nn.Conv3d, (5,)),
    "ConvTranspose1d": ModuleKind(nn.ConvTranspose1d, (3,)),
    "ConvTranspose2d": ModuleKind(nn.ConvTranspose2d, (4,)),
    "ConvTranspose3d": ModuleKind(nn.ConvTranspose3d, (5,)),
    "MaxPool1d": ModuleKind(nn.MaxPool1d, (3,)),
    "MaxPool2d": ModuleKind(nn.MaxPool2d, (4,)),
    "MaxPool3d": ModuleKind(nn.MaxPool3d, (5,)),
    **{
        f"MaxUnpool{d}d": ModuleKind(build, (d + 2,), accepts="any", call=max_unpool, call_parameters=("output_size",))
        for d, build in ((1, nn.MaxUnpool1d), (2, nn.MaxUnpool2d), (3, nn.MaxUnpool3d))
    },
    "FractionalMaxPool2d": ModuleKind(nn.FractionalMaxPool2d, (4,), uses_rng=True),
    "FractionalMaxPool3d": ModuleKind(nn.FractionalMaxPool3d, (5,), uses_rng=True),
    "AvgPool1d": ModuleKind(nn.AvgPool1d, (3,)),
    "AvgPool2d": ModuleKind(nn.AvgPool2d, (4,)),
    "AvgPool3d": ModuleKind(nn.AvgPool3d, (5,)),
    "AdaptiveAvgPool1d": ModuleKind(nn.AdaptiveAvgPool1d, (3,)),
    "AdaptiveAvgPool2d": ModuleKind(nn.AdaptiveAvgPool2d, (4,)),
    "AdaptiveAvgPool3d": ModuleKind(nn.AdaptiveAvgPool3d, (5,)),
    "AdaptiveMaxPool1d": ModuleKind(nn.AdaptiveMaxPool1d, (3,)),
    "AdaptiveMaxPool2d": ModuleKind(nn.AdaptiveMaxPool2d, (4,)),
    "AdaptiveMaxPool3d": ModuleKind(nn.AdaptiveMaxPool3d, (5,)),
    "LPPool1d": ModuleKind(nn.LPPool1d, (3,)),
    "LPPool2d": ModuleKind(nn.LPPool2d, (4,)),
    "LPPool3d": ModuleKind(nn.LPPool3d, (5,)),
    "ZeroPad1d": ModuleKind(nn.ZeroPad1d, (3,)),
    "ZeroPad2d": ModuleKind(nn.ZeroPad2d, (4,)),
    "ZeroPad3d": ModuleKind(nn.ZeroPad3d, (5,)),
    "ConstantPad1d": ModuleKind(nn.ConstantPad1d, (3,)),
    "ConstantPad2d": ModuleKind(nn.ConstantPad2d, (4,)),
    "ConstantPad3d": ModuleKind(nn.ConstantPad3d, (5,)),
    "ReflectionPad1d": ModuleKind(nn.ReflectionPad1d, (3,)),
    "ReflectionPad2d": ModuleKind(nn.ReflectionPad2d, (4,)),
    "ReflectionPad3d": ModuleKind(nn.ReflectionPad3d, (5,)),
    "ReplicationPad1d": ModuleKind(nn.ReplicationPad1d, (3,)),
    "ReplicationPad2d": ModuleKind(nn.ReplicationPad2d, (4,)),
    "ReplicationPad3d": ModuleKind(nn.ReplicationPad3d, (5,)),
    "CircularPad1d": ModuleKind(nn.CircularPad1d, (3,)),
    "CircularPad2d": ModuleKind(nn.CircularPad2d, (4,)),
    "CircularPad3d": ModuleKind(nn.CircularPad3d, (5,)),
    "Upsample": ModuleKind(nn.Upsample, (3, 4, 5)),
    "UpsamplingNearest2d": ModuleKind(nn.UpsamplingNearest2d, (4,)),
    "UpsamplingBilinear2d": ModuleKind(nn.UpsamplingBilinear2d, (4,)),
    "Unfold": ModuleKind(nn.Unfold, (4,)),
    "FoldPatches": ModuleKind(nn.Fold, (3,)),
    "ChannelShuffle": ModuleKind(nn.ChannelShuffle, (3, 4, 5)),
    "PixelShuffle": ModuleKind(nn.PixelShuffle, (4,)),
    "PixelUnshuffle": ModuleKind(nn.PixelUnshuffle, (4,)),
    "BatchNorm1d": ModuleKind(nn.BatchNorm1d, (2, 3), newer_parameters=_BIAS),
    "BatchNorm2d": ModuleKind(nn.BatchNorm2d, (4,), newer_parameters=_BIAS),
    "BatchNorm3d": ModuleKind(nn.BatchNorm3d, (5,), newer_parameters=_BIAS),
    "InstanceNorm1d": ModuleKind(nn.InstanceNorm1d, (3,), newer_parameters=_BIAS),
    "InstanceNorm2d": ModuleKind(nn.InstanceNorm2d, (4,), newer_parameters=_BIAS),
    "InstanceNorm3d": ModuleKind(nn.InstanceNorm3d, (5,), newer_parameters=_BIAS),
    "LayerNorm": ModuleKind(nn.LayerNorm, FEATURE_RANKS, VECTOR_INPUT),
    "RMSNorm": ModuleKind(nn.RMSNorm, FEATURE_RANKS, VECTOR_INPUT),
    "GroupNorm": ModuleKind(nn.GroupNorm, FEATURE_RANKS, "channels (C, ...) per example", newer_parameters=_BIAS),
    "LocalResponseNorm": ModuleKind(nn.LocalResponseNorm, (3, 4, 5)),
    "Dropout": ModuleKind(nn.Dropout, probability_parameter="p"),
    "Dropout1d": ModuleKind(nn.Dropout1d, (3,), probability_parameter="p"),
    "Dropout2d": ModuleKind(nn.Dropout2d, (4,), probability_parameter="p"),
    "Dropout3d": ModuleKind(nn.Dropout3d, (5,), probability_parameter="p"),
    "AlphaDropout": ModuleKind(nn.AlphaDropout, probability_parameter="p"),
    "FeatureAlphaDropout": ModuleKind(nn.FeatureAlphaDropout, (3, 4, 5), probability_parameter="p"),
    "VariationalDropout": ModuleKind(VariationalDropout, (3,), SEQUENCE_INPUT, probability_parameter="p"),
    "ReLU": ModuleKind(nn.ReLU),
    "ReLU6": ModuleKind(nn.ReLU6),
    "LeakyReLU": ModuleKind(nn.LeakyReLU),
    "PReLU": ModuleKind(nn.PReLU),
    "ELU": ModuleKind(nn.ELU),
    "SELU": ModuleKind(nn.SELU),
    "CELU": ModuleKind(nn.CELU),
    "GELU": ModuleKind(nn.GELU),
    "SiLU": ModuleKind(nn.SiLU),
    "Mish": ModuleKind(nn.Mish),
    "Sigmoid": ModuleKind(nn.Sigmoid),
    "Tanh": ModuleKind(nn.Tanh),
    "Softplus": ModuleKind(nn.Softplus),
    "Softsign": ModuleKind(nn.Softsign),
    "Softmax": ModuleKind(nn.Softmax),
    "Softmin": ModuleKind(nn.Softmin),
    "LogSoftmax": ModuleKind(nn.LogSoftmax),
    "LogSigmoid": ModuleKind(nn.LogSigmoid),
    "Hardtanh": ModuleKind(nn.Hardtanh),
    "Hardsigmoid": ModuleKind(nn.Hardsigmoid),
    "Hardswish": ModuleKind(nn.Hardswish),
    "Tanhshrink": ModuleKind(nn.Tanhshrink),
    "Softshrink": ModuleKind(nn.Softshrink),
    "Hardshrink": ModuleKind(nn.Hardshrink),
    "Threshold": ModuleKind(nn.Threshold),
    "RReLU": ModuleKind(nn.RReLU, uses_rng=True),
    "Softmax2d": ModuleKind(nn.Softmax2d, (4,)),
    "GLU": ModuleKind(nn.GLU),
    "RNN": _recurrent_layer(nn.RNN, "h_0"),
    "GRU": _recurrent_layer(nn.GRU, "h_0"),
    "LSTM": _recurrent_layer(nn.LSTM, "h_0", "c_0"),
    "RNNCell": ModuleKind(nn.RNNCell, (2,), VECTOR_INPUT),
    "GRUCell": ModuleKind(nn.GRUCell, (2,), VECTOR_INPUT),
    "LSTMCell": ModuleKind(nn.LSTMCell, (2,), VECTOR_INPUT, call=run_lstm_cell),
    "MultiheadAttention": _attention_layer(
        nn.MultiheadAttention,
        attend,
        3,
        10,
        ("key_padding_mask", "attn_mask"),
        ("is_causal", "need_weights", "average_attn_weights"),
    ),
    "TransformerEncoderLayer": _attention_layer(nn.TransformerEncoderLayer, encode, 1, 10, _ENCODER_MASKS),
    "TransformerDecoderLayer": _attention_layer(nn.TransformerDecoderLayer, decode, 2, 20, _DECODER_MASKS),
    "TransformerEncoder": _attention_layer(
        transformer_encoder,
        encode_stack,
        1,
        5,
        ("mask", "src_key_padding_mask"),
        path="transformer_encoder",
        layers=("num_layers",),
    ),
    "TransformerDecoder": _attention_layer(
        transformer_decoder, decode, 2, 10, _DECODER_MASKS, path="transformer_decoder", layers=("num_layers",)
    ),
    "Transformer": _attention_layer(
        transformer,
        transform,
        2,
        10,
        _TRANSFORMER_MASKS,
        path="transformer",
        layers=("num_encoder_layers", "num_decoder_layers"),
    ),
    "CrossEntropyLoss": _weighted_loss(nn.CrossEntropyLoss, "any"),
    "NLLLoss": _weighted_loss(nn.NLLLoss, "any"),
    "MSELoss": ModuleKind(nn.MSELoss),
    "L1Loss": ModuleKind(nn.L1Loss),
    "SmoothL1Loss": ModuleKind(nn.SmoothL1Loss),
    "HuberLoss": ModuleKind(nn.HuberLoss),
    "BCEWithLogitsLoss": _weighted_loss(nn.BCEWithLogitsLoss, "float", "weight", "pos_weight"),
    "BCELoss": _weighted_loss(nn.BCELoss, "float"),
    "GaussianNLLLoss": ModuleKind(nn.GaussianNLLLoss),
    "CTCLoss": ModuleKind(
        nn.CTCLoss, (3,), "log-probabilities (T, C) per example", accepts="any", call=connectionist_loss
    ),
    "AdaptiveLogSoftmaxWithLoss": ModuleKind(
        nn.AdaptiveLogSoftmaxWithLoss,
        (2,),
        accepts="any",
        call=adaptive_log_softmax,
        call_parameters=("return_log_prob",),
    ),
    "PoissonNLLLoss": ModuleKind(nn.PoissonNLLLoss),
    "SoftMarginLoss": ModuleKind(nn.SoftMarginLoss),
    "MultiLabelSoftMarginLoss": _weighted_loss(nn.MultiLabelSoftMarginLoss, "any"),
    "MultiMarginLoss": _weighted_loss(nn.MultiMarginLoss, "any"),
    "KLDivLoss": ModuleKind(nn.KLDivLoss),
    "HingeEmbeddingLoss": ModuleKind(nn.HingeEmbeddingLoss),
    "MultiLabelMarginLoss": ModuleKind(nn.MultiLabelMarginLoss, accepts="any"),
    "CosineEmbeddingLoss": ModuleKind(nn.CosineEmbeddingLoss),
    "MarginRankingLoss": ModuleKind(nn.MarginRankingLoss, accepts="any"),
    "TripletMarginLoss": ModuleKind(nn.TripletMarginLoss),
    "CosineSimilarity": ModuleKind(nn.CosineSimilarity),
    "PairwiseDistance": ModuleKind(nn.PairwiseDistance),
}
MODULES: Mapping[str, ModuleKind] = {
    kind: replace(row, has_weights=kind in WEIGHTED_KINDS) for kind, row in _ROWS.items()
}
