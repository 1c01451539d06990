"""Every kind and what builds it: the workers' half of the tables in `app.spec.network.network`."""

from collections.abc import Mapping

from workers.network.kinds.backbones import BACKBONES
from workers.network.kinds.control import CONTROL, Control
from workers.network.kinds.leaves import LEAVES, Leaf
from workers.network.kinds.modules import MODULES, Module
from workers.network.kinds.operations import OPERATIONS, Operation

Builder = Module | Operation | Leaf | Control

CATALOG: Mapping[str, Builder] = {**MODULES, **BACKBONES, **OPERATIONS, **LEAVES, **CONTROL}
