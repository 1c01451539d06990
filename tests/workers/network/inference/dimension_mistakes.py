"""Dimensions, types and lengths that do not fit."""

from tests.workers.network.inference.nodes import (
    DTYPE,
    FLATTEN,
    IMAGE,
    SHAPE,
    Mistake,
    conv,
    linear,
    multi_input_network,
)

DIMENSION_MISTAKES: list[Mistake] = [
    # Dimensions
    (
        [conv(4)],
        {"x": (28, 28)},
        "/layers/0",
        SHAPE,
        "conv2d1 expects images (C, H, W) per example but receives 28x28 per example",
        'insert {"kind": "unsqueeze", "dim": 1} before conv2d1',
    ),
    (
        [{"kind": "Flatten"}, conv(4)],
        IMAGE,
        "/layers/1",
        SHAPE,
        "conv2d1 expects images (C, H, W) per example but receives 784 per example",
        'insert {"kind": "Unflatten", "dim": 1, "unflattened_size": [1, 28, 28]} before conv2d1, '
        "or remove the Flatten if there is one",
    ),
    (
        [{"kind": "BatchNorm1d"}],
        IMAGE,
        "/layers/0",
        SHAPE,
        "batchnorm1d1 expects features (C) per example or sequences (C, L) per example "
        "but receives 1x28x28 per example",
        'set "kind" to "BatchNorm2d"',
    ),
    (
        [{"kind": "PixelShuffle", "upscale_factor": 2}],
        {"x": (1, 2, 3, 4)},
        "/layers/0",
        SHAPE,
        "pixelshuffle1 expects images (C, H, W) per example but receives 1x2x3x4 per example",
        FLATTEN + "pixelshuffle1",
    ),
    (
        [linear()],
        {"x": ()},
        "/layers/0",
        SHAPE,
        "linear1 expects features (F) per example but receives one number per example",
        'insert {"kind": "unsqueeze", "dim": 1} before linear1',
    ),
    (
        [{"kind": "GRU", "hidden_size": 4}],
        IMAGE,
        "/layers/0",
        SHAPE,
        "gru1 expects sequences (L, F) per example but receives 1x28x28 per example",
        'insert {"kind": "squeeze", "dim": 1} before gru1',
    ),
    (
        [{"kind": "GRU", "hidden_size": 4}],
        {"x": (3, 28, 28)},
        "/layers/0",
        SHAPE,
        "gru1 expects sequences (L, F) per example but receives 3x28x28 per example",
        'insert {"kind": "Flatten", "start_dim": 2} before gru1',
    ),
    *(
        (
            [{"kind": kind, "dim": dim}],
            {"x": (4, 6)},
            "/layers/0/dim",
            SHAPE,
            f"{kind.lower()}1 works along dimension {dim} but receives 4x6 per example",
            "use -3 to 2; dimension 0 is the batch",
        )
        for kind in ("softmax", "LogSoftmax", "mean", "squeeze")
        for dim in (3, -4)
    ),
    (
        [{"kind": "sum", "dim": [1, 3]}],
        {"x": (4, 6)},
        "/layers/0/dim",
        SHAPE,
        "sum1 works along dimension 3 but receives 4x6 per example",
        "use -3 to 2; dimension 0 is the batch",
    ),
    (
        [{"kind": "unsqueeze", "dim": 4}],
        {"x": (4, 6)},
        "/layers/0/dim",
        SHAPE,
        "unsqueeze1 works along dimension 4 but receives 4x6 per example",
        "use -4 to 3; dimension 0 is the batch",
    ),
    # Types
    (
        [linear()],
        {"x": ((8,), "int64")},
        "/layers/0",
        DTYPE,
        "linear1 expects float32 but receives int64",
        'insert {"kind": "Embedding", "embedding_dim": 8} before linear1',
    ),
    (
        [linear()],
        {"x": ((8,), "float64")},
        "/layers/0",
        DTYPE,
        "linear1 expects float32 but receives float64",
        'insert {"kind": "to", "dtype": "float32"} before linear1',
    ),
    (
        [{"kind": "Embedding", "num_embeddings": 3, "embedding_dim": 2}],
        {"x": (8,)},
        "/layers/0",
        DTYPE,
        "embedding1 looks up integers but receives float32",
        "use a column of integers, or a Linear layer for floats",
    ),
    *(
        (
            [{"kind": kind}],
            {"x": ((8,), "bool")},
            "/layers/0",
            DTYPE,
            f"{kind}1 computes with numbers but receives bool",
            "store the column as float32",
        )
        for kind in ("abs", "relu", "neg")
    ),
    (
        [{"kind": "softmax"}],
        {"x": ((8,), "uint8")},
        "/layers/0",
        DTYPE,
        "softmax1 expects float32 but receives uint8",
        'insert {"kind": "to", "dtype": "float32"} before softmax1',
    ),
    (
        multi_input_network("sub", "x", "y"),
        {"x": (8,), "y": ((8,), "bool")},
        "/nodes/0",
        DTYPE,
        "node computes with numbers but receives bool",
        "store the column as float32",
    ),
    (
        multi_input_network("matmul", "x", "y"),
        {"x": (4, 4), "y": ((4, 4), "float64")},
        "/nodes/0",
        DTYPE,
        "node expects float32 but receives float64",
        'insert {"kind": "to", "dtype": "float32"} before node',
    ),
    (
        multi_input_network("MultiheadAttention", "x", "y", num_heads=2),
        {"x": (4, 4), "y": ((4, 4), "bool")},
        "/nodes/0",
        DTYPE,
        "node expects float32 but receives bool",
        'insert {"kind": "to", "dtype": "float32"} before node',
    ),
    # Lengths
    *(
        (
            multi_input_network("GRU", "x", "n", hidden_size=4),
            {"x": (4, 4), "n": said},
            "/nodes/0/inputs/1",
            SHAPE,
            f"the lengths of node are {words}",
            "use one integer per example",
        )
        for said, words in (
            ((), "one number per example of float32"),
            (((1,), "int64"), "1 per example of int64"),
            (((), "bool"), "one number per example of bool"),
        )
    ),
]
