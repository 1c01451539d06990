"""Every kind of node and its builder."""

from collections.abc import Mapping

from workers.network.kinds.backbones import BACKBONES
from workers.network.kinds.control import CONTROL, ControlKind
from workers.network.kinds.leaves import LEAVES, LeafKind
from workers.network.kinds.module_kind import ModuleKind
from workers.network.kinds.modules import MODULES
from workers.network.kinds.operations import OPERATIONS, OperationKind

KindBuilder = ModuleKind | OperationKind | LeafKind | ControlKind

CATALOG: Mapping[str, KindBuilder] = {**MODULES, **BACKBONES, **OPERATIONS, **LEAVES, **CONTROL}
