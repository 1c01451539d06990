"""The rule of every kind. A kind without one is `opaque`: nothing that it reads or gives can change."""

from collections.abc import Callable, Mapping

from workers.network.kinds.operations import COMPARISONS
from workers.surgery.widths.axes import Axes
from workers.surgery.widths.dependencies import NodeScope
from workers.surgery.widths.rules import algebra, control, elementwise, layers, sequences, shapes, spatial

Rule = Callable[[NodeScope], tuple[Axes, ...]]

UNCHANGED = """
    Identity Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout VariationalDropout ReLU ReLU6
    LeakyReLU ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Softplus Softsign LogSigmoid Hardtanh Hardsigmoid Hardswish
    Tanhshrink Softshrink Hardshrink Threshold RReLU neg abs exp square sin cos sigmoid tanh relu exp2 expm1 tan
    atan sinh cosh asinh sinc erf erfc floor ceil round trunc frac sign isnan isinf isfinite nan_to_num gelu silu
    leaky_relu elu softplus to clamp stop_gradient zeros_like ones_like logical_not
"""
PARTLY_DEFINED = "log sqrt reciprocal rsqrt log2 log10 log1p logit asin acos acosh atanh erfinv lgamma digamma"
BROADCAST = """
    add sub mul div pow maximum minimum remainder fmod atan2 hypot logaddexp xlogy lerp logical_and logical_or
    logical_xor where masked_fill
"""
CHANNELS_KEPT = """
    MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d
    AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d LPPool1d LPPool2d LPPool3d ZeroPad1d ZeroPad2d ZeroPad3d
    ConstantPad1d ConstantPad2d ConstantPad3d ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d
    ReplicationPad2d ReplicationPad3d CircularPad1d CircularPad2d CircularPad3d Upsample UpsamplingNearest2d
    UpsamplingBilinear2d interpolate FractionalMaxPool2d FractionalMaxPool3d
"""
REDUCTIONS = """
    mean sum amax amin prod std var any all logsumexp vector_norm count_nonzero argmax argmin median mode kthvalue
    trapezoid cosine_similarity pairwise_distance vecdot
"""
CONVOLUTIONS = "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d"
CHANNEL_NORMS = "BatchNorm1d BatchNorm2d BatchNorm3d InstanceNorm1d InstanceNorm2d InstanceNorm3d"


def _rows(rule: Rule, kinds: str) -> dict[str, Rule]:
    return dict.fromkeys(kinds.split(), rule)


RULES: Mapping[str, Rule] = {
    **_rows(spatial.unchanged, UNCHANGED),
    **_rows(spatial.partly_defined, PARTLY_DEFINED),
    **_rows(elementwise.broadcast, BROADCAST),
    **_rows(elementwise.broadcast, " ".join(COMPARISONS)),
    **_rows(spatial.channels_kept, CHANNELS_KEPT),
    **_rows(elementwise.reduction, REDUCTIONS),
    **_rows(layers.convolution, CONVOLUTIONS),
    **_rows(layers.channel_norm, CHANNEL_NORMS),
    **_rows(layers.layer_norm, "LayerNorm RMSNorm"),
    **_rows(layers.embedding, "Embedding EmbeddingBag"),
    **_rows(sequences.recurrent, "RNN GRU LSTM"),
    **_rows(sequences.cell, "RNNCell GRUCell LSTMCell"),
    **_rows(
        sequences.transformer, "TransformerEncoderLayer TransformerDecoderLayer TransformerEncoder TransformerDecoder"
    ),
    **_rows(spatial.softmax, "Softmax Softmin LogSoftmax Softmax2d softmax log_softmax"),
    **_rows(spatial.channels_joined, "PixelShuffle FoldPatches"),
    **_rows(spatial.channels_divided, "PixelUnshuffle Unfold"),
    **_rows(elementwise.cumulative, "cumsum cumprod logcumsumexp cummax cummin"),
    **_rows(elementwise.random_values, "rand_like randn_like bernoulli"),
    **_rows(elementwise.leaf, "Parameter Buffer Constant"),
    **_rows(elementwise.created, "zeros ones full rand randn"),
    **_rows(elementwise.constant, "one_hot Training"),
    **_rows(elementwise.counted, "arange length_mask"),
    **_rows(shapes.flatten, "Flatten flatten"),
    **_rows(shapes.reordered, "permute transpose movedim squeeze unsqueeze"),
    **_rows(shapes.repeated, "tile repeat_interleave expand"),
    **_rows(shapes.one_dimension_changed, "select narrow roll flip windows index_select topk sort argsort diff"),
    **_rows(algebra.matmul, "matmul bmm baddbmm"),
    **_rows(algebra.convolution_function, "conv1d conv2d conv3d"),
    **_rows(control.branches, "If Route"),
    "Linear": layers.linear,
    "Bilinear": layers.bilinear,
    "GroupNorm": layers.group_norm,
    "PReLU": layers.prelu,
    "LocalResponseNorm": spatial.neighbour_norm,
    "MultiheadAttention": sequences.attention,
    "GLU": spatial.gated,
    "ChannelShuffle": spatial.channel_shuffle,
    "normalize": spatial.normalize,
    "add_sinusoids": elementwise.position_dependent,
    "pool_sequence": elementwise.pooled_sequence,
    "cat": shapes.concatenation,
    "stack": shapes.stack,
    "reshape": shapes.reshape,
    "Unflatten": shapes.unflatten,
    "pad": shapes.padding,
    "linear": algebra.linear_function,
    "scaled_dot_product_attention": algebra.attention_function,
    "einsum": algebra.einsum,
    "outer": algebra.outer,
    "embedding": algebra.lookup,
    "block": control.block,
    "Repeat": control.repeat,
    "While": control.while_loop,
    "Scan": control.scan,
    "Fold": control.fold,
}
