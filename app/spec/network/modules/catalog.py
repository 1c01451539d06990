"""All kinds of modules."""

from app.spec.kinds import KindTable
from app.spec.network.modules.activations import ACTIVATIONS
from app.spec.network.modules.convolutions import CONVOLUTIONS
from app.spec.network.modules.linear import LINEAR
from app.spec.network.modules.losses import LOSSES
from app.spec.network.modules.normalization import NORMALIZATION
from app.spec.network.modules.sequences import SEQUENCES

MODULES: KindTable = {**LINEAR, **CONVOLUTIONS, **NORMALIZATION, **ACTIVATIONS, **SEQUENCES, **LOSSES}
