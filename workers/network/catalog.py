"""Every kind and what builds it: the workers' half of the tables in `app.spec.network`."""

from collections.abc import Mapping

from workers.network.backbones import BACKBONES
from workers.network.control import CONTROL, Control
from workers.network.leaves import LEAVES, Leaf
from workers.network.modules import MODULES, Module
from workers.network.operations import OPERATIONS, Operation

Builder = Module | Operation | Leaf | Control

CATALOG: Mapping[str, Builder] = {**MODULES, **BACKBONES, **OPERATIONS, **LEAVES, **CONTROL}
