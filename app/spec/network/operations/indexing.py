"""Operations that read or write at places which integers name."""

from app.spec.base import Count, Size
from app.spec.kinds import Kind, KindTable
from app.spec.network.fields import Dim

INDEXING: KindTable = {
    "index_select": Kind(
        "Items of a dimension, at the indices in the second input.",
        {"dim": Dim},
        (2, 2),
        "(N, L, *), integers (K) → (N, K, *)",
        {"dim": 1},
    ),
    "embedding": Kind(
        "Looks up a row of the second input, a weight that other nodes compute or share, for every integer; the row "
        "`padding_idx` gets no gradient.",
        {"padding_idx": (Count | None, None)},
        (2, 2),
        "integers (N, *), (rows, D) → (N, *, D)",
    ),
    "gather": Kind(
        "An item of a dimension for each index in the second input.",
        {"dim": Dim},
        (2, 2),
        "*, integers * → as the integers",
        {"dim": 1},
    ),
    "take_along_dim": Kind(
        "As gather, and the other dimensions are broadcast.",
        {"dim": Dim},
        (2, 2),
        "*, integers * → as the integers",
        {"dim": 1},
    ),
    "scatter_add": Kind(
        "Adds the third input at the indices in the second.", {"dim": Dim}, (3, 3), "*, integers *, * → *", {"dim": 1}
    ),
    "one_hot": Kind(
        "A one at the index of each integer, zeros elsewhere.",
        {"num_classes": Size},
        shapes="integers * → integers (*, num_classes)",
        example={"num_classes": 5},
    ),
}
