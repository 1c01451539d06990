"""All kinds of operations."""

from app.spec.kinds import KindTable
from app.spec.network.operations.creation import CREATION
from app.spec.network.operations.elementwise import ELEMENTWISE
from app.spec.network.operations.indexing import INDEXING
from app.spec.network.operations.linear_algebra import LINEAR_ALGEBRA
from app.spec.network.operations.reductions import REDUCTIONS
from app.spec.network.operations.sequences import SEQUENCES
from app.spec.network.operations.shapes import SHAPES

OPERATIONS: KindTable = {**ELEMENTWISE, **REDUCTIONS, **LINEAR_ALGEBRA, **SHAPES, **INDEXING, **CREATION, **SEQUENCES}
