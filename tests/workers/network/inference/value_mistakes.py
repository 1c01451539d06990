"""Values that are too large or that torch refuses, and examples that would be mixed."""

from tests.workers.network.inference.nodes import HUGE, SHAPE, VALUE, Mistake, conv, leaf, linear, multi_input_network

VALUE_MISTAKES: list[Mistake] = [
    # Absurd sizes
    (
        [linear(HUGE), linear(HUGE)],
        {"x": (8,)},
        "/layers/1",
        "too_many_parameters",
        f"linear2 would have {HUGE**2:,} parameters",
        "make it smaller",
    ),
    (
        leaf("Parameter", shape=[HUGE, HUGE]),
        {"x": (8,)},
        "/nodes/0",
        "too_many_parameters",
        f"leaf would have {HUGE**2:,} parameters",
        "make it smaller",
    ),
    (
        [{"kind": "Upsample", "scale_factor": HUGE}],
        {"x": (1, 8, 8)},
        "/layers/0",
        "too_much_memory",
        "upsample1 would create a tensor larger than any memory",
        "make it smaller",
    ),
    (
        [
            {"kind": "Upsample", "scale_factor": 2**17},
            {"kind": "Flatten"},
            {"kind": "unsqueeze", "dim": -1},
            {"kind": "GRU", "hidden_size": 2**18},
        ],
        {"x": (1, 1, 1)},
        "/layers/3",
        "too_much_memory",
        "gru1 would create a tensor larger than any memory",
        "make it smaller",
    ),
    # Values
    (
        [conv(4, stride=2, padding="same")],
        {"x": (1, 8, 8)},
        "/layers/0",
        VALUE,
        "conv2d1: padding='same' is not supported for strided convolutions",
        "",
    ),
    (
        leaf("Constant", value=[[1, 2], [3]]),
        {"x": (8,)},
        "/nodes/0/value",
        VALUE,
        "leaf: expected sequence of length 2 at dim 1 (got 1)",
        "give lists of equal lengths",
    ),
    (
        leaf("Constant", value=1e300),
        {"x": (8,)},
        "/nodes/0/value",
        VALUE,
        "leaf has values beyond the range of float32",
        "use smaller numbers",
    ),
    (
        leaf("Buffer", shape=[2], init={"kind": "normal", "mean": 1e300}),
        {"x": (8,)},
        "/nodes/0/init",
        VALUE,
        "leaf has values beyond the range of float32",
        "use smaller numbers",
    ),
    (
        leaf("Parameter", shape=[2], init={"kind": "uniform", "low": 1, "high": 0}),
        {"x": (8,)},
        "/nodes/0/init",
        VALUE,
        "leaf: uniform_ expects to return a [from, to) range, but found from=1 > to=0",
        "",
    ),
    (
        leaf("Parameter", shape=[2], init={"kind": "orthogonal"}),
        {"x": (8,)},
        "/nodes/0/init",
        VALUE,
        "orthogonal needs a tensor of 2 or more dimensions, leaf has 1",
        'use {"kind": "normal"} or {"kind": "uniform"}',
    ),
    # What torch itself says, with N for the number of examples
    (
        [{"kind": "reshape", "shape": [0, 5]}],
        {"x": (6,)},
        "/layers/0",
        SHAPE,
        "reshape1 cannot take 6 per example: shape '[N, 5]' is invalid for input of size 6N",
        "0 keeps the dimension at that index, -1 is inferred",
    ),
    (
        multi_input_network("cat", "x", "y"),
        {"x": (3, 2), "y": (4, 3)},
        "/nodes/0",
        SHAPE,
        "node cannot combine 3x2 per example and 4x3 per example: Sizes of tensors must match except in dimension 1. "
        "Expected 2 in dimension 2 but got 3 for tensor number 1 in the list",
        "all dimensions but `dim` must be equal",
    ),
    # Examples are kept apart
    (
        multi_input_network("add", "x", "y"),
        {"x": (1,), "y": ()},
        "/nodes/0",
        SHAPE,
        "node would combine every example with every other: 1 per example and one number per example",
        'give both the same number of dimensions, for example with {"kind": "squeeze", "dim": 1}',
    ),
]
