"""All kinds of modules."""

from dataclasses import replace

from app.spec.kinds import KindTable
from app.spec.network.modules.activations import ACTIVATIONS
from app.spec.network.modules.convolutions import CONVOLUTIONS
from app.spec.network.modules.linear import LINEAR
from app.spec.network.modules.losses import LOSSES
from app.spec.network.modules.normalization import NORMALIZATION
from app.spec.network.modules.sequences import SEQUENCES
from app.spec.network.weights import WEIGHT_FIELDS, WEIGHTED_KINDS

_ROWS: KindTable = {**LINEAR, **CONVOLUTIONS, **NORMALIZATION, **ACTIVATIONS, **SEQUENCES, **LOSSES}
MODULES: KindTable = {
    kind: replace(row, fields={**row.fields, **WEIGHT_FIELDS}) if kind in WEIGHTED_KINDS else row
    for kind, row in _ROWS.items()
}
