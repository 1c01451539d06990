"""Weights of modules: how they start, what they are computed from, and which are those of another node.

Every module with weights has these fields. Names of weights are those of `state_dict`, within the node.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from app.spec.base import Positive, Size
from app.spec.kinds import Kind, KindModel, KindTable, create_kind_models, discriminated_union
from app.spec.network.fields import Dim
from app.spec.network.leaves import Initialiser


class HashableDict(dict[str, Any]):
    """A dict that is never changed."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))


_WEIGHT = (Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,127}$")], "weight")
PARAMETRIZATIONS: KindTable = {
    "weight_norm": Kind(
        "Salimans and Kingma (2016): a direction and a length for each slice along `dim`, or one (null).",
        {"name": _WEIGHT, "dim": (Dim | None, 0)},
    ),
    "spectral_norm": Kind(
        "Miyato et al. (2018): the weight divided by its largest singular value, which power iterations follow.",
        {"name": _WEIGHT, "n_power_iterations": (Size, 1), "eps": (Positive, 1e-12), "dim": (Dim | None, None)},
    ),
}
PARAMETRIZATION_CLASSES = create_kind_models(PARAMETRIZATIONS, KindModel)
Parametrization: Any = discriminated_union(PARAMETRIZATION_CLASSES)

_Pattern = Annotated[str, Field(pattern=r"^[A-Za-z_*][A-Za-z0-9_.*]{0,127}$")]
_Path = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}(\.[A-Za-z0-9_]{1,64}){1,16}$")]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,127}$")]
_SMALL = Field(min_length=1, max_length=64)
WEIGHT_FIELDS: dict[str, Any] = {
    "init": (Annotated[dict[_Pattern, Initialiser], _SMALL, AfterValidator(HashableDict)] | None, None),
    "parametrization": (Parametrization | None, None),
    "tie": (Annotated[dict[_Name, _Path], _SMALL, AfterValidator(HashableDict)] | None, None),
}
_WEIGHTED_KINDS = """
    Linear Bilinear Embedding EmbeddingBag Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d
    BatchNorm1d BatchNorm2d BatchNorm3d InstanceNorm1d InstanceNorm2d InstanceNorm3d LayerNorm RMSNorm GroupNorm RNN GRU
    LSTM RNNCell GRUCell LSTMCell MultiheadAttention TransformerEncoderLayer TransformerDecoderLayer TransformerEncoder
    TransformerDecoder Transformer AdaptiveLogSoftmaxWithLoss
"""
WEIGHTED_KINDS = frozenset(_WEIGHTED_KINDS.split())
