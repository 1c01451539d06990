"""The module kinds: which class of torch builds them, what they accept, and how they are called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from torch import nn

from workers.network.kinds.functional import (
    Training,
    VariationalDropout,
    attend,
    cell_state,
    decode,
    encode,
    run_recurrent,
)

FEATURES = tuple(range(2, 65))
VECTORS = "features (F) per example"
SEQUENCES = "sequences (L, F) per example"
EXPECTED = {  # by number of dimensions, the batch included
    2: "features (C) per example",
    3: "sequences (C, L) per example",
    4: "images (C, H, W) per example",
    5: "volumes (C, D, H, W) per example",
}


@dataclass(frozen=True)
class Module:
    """One row: `build(**parameters, **fixed)` makes the module.

    `dimensions` lists how many dimensions the first input may have, the batch included (empty: any number).
    `call(module, *inputs, **called)` is used instead of `module(*inputs)`, where given; `called` names the parameters
    that go to the call and not to the constructor. `chance` names the parameter that is the probability of a random
    change while training; `draws` says that it draws whatever its settings. `cost` is how long torch takes for it on
    the meta device, in operations. `adapt(module, **parameters)` changes what was built; `adapted` has its parameters
    with the values that need no change. `path` is how Python source names `build`, of `torch.nn` unless given. What an
    `opaque` one does inside is counted by running it. `lengths` is the place of the input, if it is given, that holds
    the lengths of sequences.
    """

    build: Callable[..., nn.Module]
    dimensions: tuple[int, ...] = ()
    expects: str = ""
    numbers: Literal["float", "integer", "any"] = "float"
    fixed: Mapping[str, Any] = field(default_factory=dict)
    call: Callable[..., Any] | None = None
    called: tuple[str, ...] = ()
    chance: str = ""
    cost: int = 2
    draws: bool = False
    adapt: Callable[..., nn.Module] | None = None
    adapted: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""
    opaque: bool = False
    lengths: int = 0

    @property
    def expected(self) -> str:
        """What goes in, in words."""
        return self.expects or " or ".join(EXPECTED[count] for count in self.dimensions)

    def arguments(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the constructor gets, from settled parameters."""
        return {name: value for name, value in parameters.items() if name not in self.ours()} | dict(self.fixed)

    def ours(self) -> frozenset[str]:
        """Return the parameters that the constructor does not get."""
        return frozenset((*self.called, *self.adapted))

    def changes(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return what `adapt` gets; nothing where it need not be called."""
        given = {name: parameters[name] for name in self.adapted}
        return given if given != self.adapted else {}

    def is_random(self, parameters: Mapping[str, Any]) -> bool:
        """Say whether a node with settled parameters draws random numbers while training."""
        return self.draws or (self.chance != "" and parameters[self.chance] > 0)

    def module(self, parameters: Mapping[str, Any]) -> nn.Module:
        """Return the module of a node with settled parameters. Raises whatever torch raises."""
        module = self.build(**self.arguments(parameters))
        changes = self.changes(parameters)
        return self.adapt(module, **changes) if self.adapt is not None and changes else module

    def bound(self, module: nn.Module, parameters: Mapping[str, Any]) -> Callable[..., Any]:
        """Return the callable of a node: it takes the inputs alone."""
        if self.call is None:
            return module
        return partial(self.call, module, **{name: parameters[name] for name in self.called})


_BATCH_FIRST = {"batch_first": True}


def _recurrent(build: Callable[..., nn.Module]) -> Module:
    return Module(build, (3,), SEQUENCES, fixed=_BATCH_FIRST, call=run_recurrent, called=("returns",), chance="dropout",
                  lengths=1)  # fmt: skip


def _attending(build: Callable[..., nn.Module], call: Callable[..., Any], lengths: int, cost: int) -> Module:
    return Module(build, (3,), SEQUENCES, fixed=_BATCH_FIRST, call=call, called=("is_causal",), chance="dropout",
                  cost=cost, lengths=lengths)  # fmt: skip


MODULES: Mapping[str, Module] = {
    "Identity": Module(nn.Identity, numbers="any"),
    "Linear": Module(nn.Linear, FEATURES, VECTORS),
    "Bilinear": Module(nn.Bilinear, FEATURES, VECTORS),
    "Embedding": Module(nn.Embedding, numbers="integer"),
    "EmbeddingBag": Module(nn.EmbeddingBag, (2,), "integers (L) per example", numbers="integer"),
    "Training": Module(Training, path="Training"),
    "Flatten": Module(nn.Flatten, numbers="any"),
    "Unflatten": Module(nn.Unflatten, numbers="any"),
    "Conv1d": Module(nn.Conv1d, (3,)),
    "Conv2d": Module(nn.Conv2d, (4,)),
    "Conv3d": Module(nn.Conv3d, (5,)),
    "ConvTranspose1d": Module(nn.ConvTranspose1d, (3,)),
    "ConvTranspose2d": Module(nn.ConvTranspose2d, (4,)),
    "ConvTranspose3d": Module(nn.ConvTranspose3d, (5,)),
    "MaxPool1d": Module(nn.MaxPool1d, (3,)),
    "MaxPool2d": Module(nn.MaxPool2d, (4,)),
    "MaxPool3d": Module(nn.MaxPool3d, (5,)),
    "AvgPool1d": Module(nn.AvgPool1d, (3,)),
    "AvgPool2d": Module(nn.AvgPool2d, (4,)),
    "AvgPool3d": Module(nn.AvgPool3d, (5,)),
    "AdaptiveAvgPool1d": Module(nn.AdaptiveAvgPool1d, (3,)),
    "AdaptiveAvgPool2d": Module(nn.AdaptiveAvgPool2d, (4,)),
    "AdaptiveAvgPool3d": Module(nn.AdaptiveAvgPool3d, (5,)),
    "AdaptiveMaxPool1d": Module(nn.AdaptiveMaxPool1d, (3,)),
    "AdaptiveMaxPool2d": Module(nn.AdaptiveMaxPool2d, (4,)),
    "AdaptiveMaxPool3d": Module(nn.AdaptiveMaxPool3d, (5,)),
    "LPPool1d": Module(nn.LPPool1d, (3,)),
    "LPPool2d": Module(nn.LPPool2d, (4,)),
    "LPPool3d": Module(nn.LPPool3d, (5,)),
    "ZeroPad1d": Module(nn.ZeroPad1d, (3,)),
    "ZeroPad2d": Module(nn.ZeroPad2d, (4,)),
    "ZeroPad3d": Module(nn.ZeroPad3d, (5,)),
    "ConstantPad1d": Module(nn.ConstantPad1d, (3,)),
    "ConstantPad2d": Module(nn.ConstantPad2d, (4,)),
    "ConstantPad3d": Module(nn.ConstantPad3d, (5,)),
    "ReflectionPad1d": Module(nn.ReflectionPad1d, (3,)),
    "ReflectionPad2d": Module(nn.ReflectionPad2d, (4,)),
    "ReflectionPad3d": Module(nn.ReflectionPad3d, (5,)),
    "ReplicationPad1d": Module(nn.ReplicationPad1d, (3,)),
    "ReplicationPad2d": Module(nn.ReplicationPad2d, (4,)),
    "ReplicationPad3d": Module(nn.ReplicationPad3d, (5,)),
    "CircularPad1d": Module(nn.CircularPad1d, (3,)),
    "CircularPad2d": Module(nn.CircularPad2d, (4,)),
    "CircularPad3d": Module(nn.CircularPad3d, (5,)),
    "Upsample": Module(nn.Upsample, (3, 4, 5)),
    "UpsamplingNearest2d": Module(nn.UpsamplingNearest2d, (4,)),
    "UpsamplingBilinear2d": Module(nn.UpsamplingBilinear2d, (4,)),
    "Unfold": Module(nn.Unfold, (4,)),
    "FoldPatches": Module(nn.Fold, (3,)),
    "ChannelShuffle": Module(nn.ChannelShuffle, (3, 4, 5)),
    "PixelShuffle": Module(nn.PixelShuffle, (4,)),
    "PixelUnshuffle": Module(nn.PixelUnshuffle, (4,)),
    "BatchNorm1d": Module(nn.BatchNorm1d, (2, 3)),
    "BatchNorm2d": Module(nn.BatchNorm2d, (4,)),
    "BatchNorm3d": Module(nn.BatchNorm3d, (5,)),
    "InstanceNorm1d": Module(nn.InstanceNorm1d, (3,)),
    "InstanceNorm2d": Module(nn.InstanceNorm2d, (4,)),
    "InstanceNorm3d": Module(nn.InstanceNorm3d, (5,)),
    "LayerNorm": Module(nn.LayerNorm, FEATURES, VECTORS),
    "RMSNorm": Module(nn.RMSNorm, FEATURES, VECTORS),
    "GroupNorm": Module(nn.GroupNorm, FEATURES, "channels (C, ...) per example"),
    "LocalResponseNorm": Module(nn.LocalResponseNorm, (3, 4, 5)),
    "Dropout": Module(nn.Dropout, chance="p"),
    "Dropout1d": Module(nn.Dropout1d, (3,), chance="p"),
    "Dropout2d": Module(nn.Dropout2d, (4,), chance="p"),
    "Dropout3d": Module(nn.Dropout3d, (5,), chance="p"),
    "AlphaDropout": Module(nn.AlphaDropout, chance="p"),
    "FeatureAlphaDropout": Module(nn.FeatureAlphaDropout, (3, 4, 5), chance="p"),
    "VariationalDropout": Module(VariationalDropout, (3,), SEQUENCES, chance="p", path="VariationalDropout"),
    "ReLU": Module(nn.ReLU),
    "ReLU6": Module(nn.ReLU6),
    "LeakyReLU": Module(nn.LeakyReLU),
    "PReLU": Module(nn.PReLU),
    "ELU": Module(nn.ELU),
    "SELU": Module(nn.SELU),
    "CELU": Module(nn.CELU),
    "GELU": Module(nn.GELU),
    "SiLU": Module(nn.SiLU),
    "Mish": Module(nn.Mish),
    "Sigmoid": Module(nn.Sigmoid),
    "Tanh": Module(nn.Tanh),
    "Softplus": Module(nn.Softplus),
    "Softsign": Module(nn.Softsign),
    "Softmax": Module(nn.Softmax),
    "Softmin": Module(nn.Softmin),
    "LogSoftmax": Module(nn.LogSoftmax),
    "LogSigmoid": Module(nn.LogSigmoid),
    "Hardtanh": Module(nn.Hardtanh),
    "Hardsigmoid": Module(nn.Hardsigmoid),
    "Hardswish": Module(nn.Hardswish),
    "Tanhshrink": Module(nn.Tanhshrink),
    "Softshrink": Module(nn.Softshrink),
    "Hardshrink": Module(nn.Hardshrink),
    "Threshold": Module(nn.Threshold),
    "RReLU": Module(nn.RReLU, draws=True),
    "Softmax2d": Module(nn.Softmax2d, (4,)),
    "GLU": Module(nn.GLU),
    "RNN": _recurrent(nn.RNN),
    "GRU": _recurrent(nn.GRU),
    "LSTM": _recurrent(nn.LSTM),
    "RNNCell": Module(nn.RNNCell, (2,), VECTORS),
    "GRUCell": Module(nn.GRUCell, (2,), VECTORS),
    "LSTMCell": Module(nn.LSTMCell, (2,), VECTORS, call=cell_state),
    "MultiheadAttention": _attending(nn.MultiheadAttention, attend, 3, 10),
    "TransformerEncoderLayer": _attending(nn.TransformerEncoderLayer, encode, 1, 10),
    "TransformerDecoderLayer": _attending(nn.TransformerDecoderLayer, decode, 2, 20),
    "CrossEntropyLoss": Module(nn.CrossEntropyLoss, numbers="any"),
    "NLLLoss": Module(nn.NLLLoss, numbers="any"),
    "MSELoss": Module(nn.MSELoss),
    "L1Loss": Module(nn.L1Loss),
    "SmoothL1Loss": Module(nn.SmoothL1Loss),
    "HuberLoss": Module(nn.HuberLoss),
    "BCEWithLogitsLoss": Module(nn.BCEWithLogitsLoss),
    "BCELoss": Module(nn.BCELoss),
    "PoissonNLLLoss": Module(nn.PoissonNLLLoss),
    "SoftMarginLoss": Module(nn.SoftMarginLoss),
    "MultiLabelSoftMarginLoss": Module(nn.MultiLabelSoftMarginLoss),
    "MultiMarginLoss": Module(nn.MultiMarginLoss, numbers="any"),
    "KLDivLoss": Module(nn.KLDivLoss),
    "HingeEmbeddingLoss": Module(nn.HingeEmbeddingLoss),
    "MultiLabelMarginLoss": Module(nn.MultiLabelMarginLoss, numbers="any"),
    "CosineEmbeddingLoss": Module(nn.CosineEmbeddingLoss),
    "MarginRankingLoss": Module(nn.MarginRankingLoss),
    "TripletMarginLoss": Module(nn.TripletMarginLoss),
    "CosineSimilarity": Module(nn.CosineSimilarity),
    "PairwiseDistance": Module(nn.PairwiseDistance),
}  # fmt: skip
