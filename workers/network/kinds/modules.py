"""Kinds of modules: the classes of torch that build them, the inputs that they accept, and how they are called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from torch import nn

from workers.network.blueprint import Parameters
from workers.network.kinds.functional import (
    Training,
    VariationalDropout,
    attend,
    decode,
    encode,
    run_lstm_cell,
    run_recurrent,
)
from workers.network.runtime.plan import NodeCall

FEATURE_RANKS = tuple(range(2, 65))
VECTOR_INPUT = "features (F) per example"
SEQUENCE_INPUT = "sequences (L, F) per example"
INPUT_DESCRIPTIONS = {  # by number of dimensions, the batch included
    2: "features (C) per example",
    3: "sequences (C, L) per example",
    4: "images (C, H, W) per example",
    5: "volumes (C, D, H, W) per example",
}


@dataclass(frozen=True)
class ModuleKind:
    """One row: `build(**parameters, **fixed_arguments)` returns the module.

    `dimensions` are the numbers of dimensions that the first input may have, batch included; empty for any.
    `input_text` describes it where the numbers do not. `call(module, *inputs, **parameters)` replaces
    `module(*inputs)`; it takes `call_parameters`, which the constructor does not. `probability_parameter` is the
    probability of random changes in training; `uses_rng` marks a module that is random whatever its parameters. `cost`
    is the time on the meta device, relative to an operation. `adapt(module, **parameters)` changes a built module;
    `adapt_defaults` are the parameters that need no change; `initial_parameters` those that say which weights a new
    job gives the module. `path` is the name of `build` in Python source, by default
    in `torch.nn`. The operations of an `opaque` module are counted by running it. `lengths_index` is the index of the
    optional input with the lengths of sequences.
    """

    build: Callable[..., nn.Module]
    dimensions: tuple[int, ...] = ()
    input_text: str = ""
    accepts: Literal["float", "integer", "any"] = "float"
    fixed_arguments: Parameters = field(default_factory=dict)
    call: NodeCall | None = None
    call_parameters: tuple[str, ...] = ()
    probability_parameter: str = ""
    cost: int = 2
    uses_rng: bool = False
    adapt: Callable[..., nn.Module] | None = None
    adapt_defaults: Parameters = field(default_factory=dict)
    initial_parameters: tuple[str, ...] = ()
    path: str = ""
    opaque: bool = False
    lengths_index: int = 0

    @property
    def input_description(self) -> str:
        """The expected input in words."""
        return self.input_text or " or ".join(INPUT_DESCRIPTIONS[count] for count in self.dimensions)

    def arguments(self, parameters: Parameters) -> dict[str, Any]:
        """Return the arguments of the constructor, from complete parameters."""
        return {name: value for name, value in parameters.items() if name not in self.excluded_parameters()} | dict(
            self.fixed_arguments
        )

    def excluded_parameters(self) -> frozenset[str]:
        """Return the parameters that the constructor does not take."""
        return frozenset((*self.call_parameters, *self.adapt_defaults, *self.initial_parameters))

    def adapt_arguments(self, parameters: Parameters) -> dict[str, Any]:
        """Return the arguments of `adapt`; empty if it need not be called."""
        arguments = {name: parameters[name] for name in self.adapt_defaults}
        return arguments if arguments != self.adapt_defaults else {}

    def is_random(self, parameters: Parameters) -> bool:
        """Say whether a module with complete parameters draws random numbers in training."""
        return self.uses_rng or (self.probability_parameter != "" and parameters[self.probability_parameter] > 0)

    def module(self, parameters: Parameters) -> nn.Module:
        """Return the module of a node with complete parameters. Raises what torch raises."""
        module = self.build(**self.arguments(parameters))
        changes = self.adapt_arguments(parameters)
        return self.adapt(module, **changes) if self.adapt is not None and changes else module

    def bind(self, module: nn.Module, parameters: Parameters) -> NodeCall:
        """Return the callable of a node, which takes its inputs."""
        if self.call is None:
            return module
        return partial(self.call, module, **{name: parameters[name] for name in self.call_parameters})


_BATCH_FIRST = {"batch_first": True}


def _recurrent_layer(build: Callable[..., nn.Module]) -> ModuleKind:
    return ModuleKind(
        build,
        (3,),
        SEQUENCE_INPUT,
        fixed_arguments=_BATCH_FIRST,
        call=run_recurrent,
        call_parameters=("returns",),
        probability_parameter="dropout",
        lengths_index=1,
    )


def _attention_layer(build: Callable[..., nn.Module], call: NodeCall, lengths: int, cost: int) -> ModuleKind:
    return ModuleKind(
        build,
        (3,),
        SEQUENCE_INPUT,
        fixed_arguments=_BATCH_FIRST,
        call=call,
        call_parameters=("is_causal",),
        probability_parameter="dropout",
        cost=cost,
        lengths_index=lengths,
    )


MODULES: Mapping[str, ModuleKind] = {
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
    "BatchNorm1d": ModuleKind(nn.BatchNorm1d, (2, 3)),
    "BatchNorm2d": ModuleKind(nn.BatchNorm2d, (4,)),
    "BatchNorm3d": ModuleKind(nn.BatchNorm3d, (5,)),
    "InstanceNorm1d": ModuleKind(nn.InstanceNorm1d, (3,)),
    "InstanceNorm2d": ModuleKind(nn.InstanceNorm2d, (4,)),
    "InstanceNorm3d": ModuleKind(nn.InstanceNorm3d, (5,)),
    "LayerNorm": ModuleKind(nn.LayerNorm, FEATURE_RANKS, VECTOR_INPUT),
    "RMSNorm": ModuleKind(nn.RMSNorm, FEATURE_RANKS, VECTOR_INPUT),
    "GroupNorm": ModuleKind(nn.GroupNorm, FEATURE_RANKS, "channels (C, ...) per example"),
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
    "RNN": _recurrent_layer(nn.RNN),
    "GRU": _recurrent_layer(nn.GRU),
    "LSTM": _recurrent_layer(nn.LSTM),
    "RNNCell": ModuleKind(nn.RNNCell, (2,), VECTOR_INPUT),
    "GRUCell": ModuleKind(nn.GRUCell, (2,), VECTOR_INPUT),
    "LSTMCell": ModuleKind(nn.LSTMCell, (2,), VECTOR_INPUT, call=run_lstm_cell),
    "MultiheadAttention": _attention_layer(nn.MultiheadAttention, attend, 3, 10),
    "TransformerEncoderLayer": _attention_layer(nn.TransformerEncoderLayer, encode, 1, 10),
    "TransformerDecoderLayer": _attention_layer(nn.TransformerDecoderLayer, decode, 2, 20),
    "CrossEntropyLoss": ModuleKind(nn.CrossEntropyLoss, accepts="any"),
    "NLLLoss": ModuleKind(nn.NLLLoss, accepts="any"),
    "MSELoss": ModuleKind(nn.MSELoss),
    "L1Loss": ModuleKind(nn.L1Loss),
    "SmoothL1Loss": ModuleKind(nn.SmoothL1Loss),
    "HuberLoss": ModuleKind(nn.HuberLoss),
    "BCEWithLogitsLoss": ModuleKind(nn.BCEWithLogitsLoss),
    "BCELoss": ModuleKind(nn.BCELoss),
    "PoissonNLLLoss": ModuleKind(nn.PoissonNLLLoss),
    "SoftMarginLoss": ModuleKind(nn.SoftMarginLoss),
    "MultiLabelSoftMarginLoss": ModuleKind(nn.MultiLabelSoftMarginLoss),
    "MultiMarginLoss": ModuleKind(nn.MultiMarginLoss, accepts="any"),
    "KLDivLoss": ModuleKind(nn.KLDivLoss),
    "HingeEmbeddingLoss": ModuleKind(nn.HingeEmbeddingLoss),
    "MultiLabelMarginLoss": ModuleKind(nn.MultiLabelMarginLoss, accepts="any"),
    "CosineEmbeddingLoss": ModuleKind(nn.CosineEmbeddingLoss),
    "MarginRankingLoss": ModuleKind(nn.MarginRankingLoss),
    "TripletMarginLoss": ModuleKind(nn.TripletMarginLoss),
    "CosineSimilarity": ModuleKind(nn.CosineSimilarity),
    "PairwiseDistance": ModuleKind(nn.PairwiseDistance),
}
