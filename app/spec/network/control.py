"""Kinds of control flow: nodes with bodies, of which only those run that are needed.

A body is a network of its own, written in place or named from the network's `blocks`. It takes its inputs by position.
Besides its `inputs`, a node reads the references in the fields of `REFERENCE_FIELDS`.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from app.spec.base import Name, OneOrMany, Size
from app.spec.kinds import Kind, KindTable
from app.spec.network.fields import MAX_INPUTS, OPTIONAL_REF, NodeRef
from app.spec.network.generation import Generation

NodeRefs = Annotated[tuple[NodeRef, ...], Field(max_length=64), OneOrMany()]
BODY_REF = "BodyRef"  # defined where the union of all nodes is, see `app.spec.network.nodes`
BODY_REFS = Annotated[tuple["BodyRef", ...], Field(min_length=1, max_length=256)]  # type: ignore[name-defined]  # noqa: F821

_EXAMPLE = {"layers": [{"kind": "Linear", "out_features": 8}, {"kind": "ReLU"}]}

_OPTIONAL = (f"{BODY_REF} | None", None)
_REF = OPTIONAL_REF
_GENERATE = (Generation | None, None)
_TIMES = Annotated[int, Field(strict=True, ge=1, le=1000)] | NodeRef
_OVER = Annotated[tuple[NodeRef, ...], Field(min_length=1, max_length=64), OneOrMany()]
_STEP = {
    "inputs": ["h", "x"],
    "nodes": [{"id": "new", "kind": "add", "inputs": ["h", "x"]}],
    "outputs": {"h": "new", "y": "new"},
}

CONTROL: KindTable = {
    "block": Kind(
        "A use of one of the network's blocks, with parameters of its own; uses with the same `share` are one. With "
        "`generate` predictions run it on a text that grows.",
        {"name": Name, "share": (Name | None, None), "generate": _GENERATE},
        (1, MAX_INPUTS),
        "the block's → the block's",
        {"name": "Part"},
    ),
    "If": Kind(
        "Runs `then` where the predicate, one bool for the whole batch, is true, else `else` (default: nothing).",
        {"predicate": NodeRef, "then": BODY_REF, "else": _OPTIONAL},
        (1, MAX_INPUTS),
        "* → both bodies' alike",
        {"predicate": "chance", "then": _EXAMPLE},
    ),
    "Route": Kind(
        "Runs each body on its own examples, chosen by a bool (`predicate`, then, else) or an integer (`selector`, "
        "cases) per example.",
        {"predicate": _REF, "then": _OPTIONAL, "else": _OPTIONAL, "selector": _REF, "cases": (BODY_REFS | None, None)},
        (1, MAX_INPUTS),
        "(N, *) → all bodies' alike",
        {"selector": "expert", "cases": [_EXAMPLE, _EXAMPLE]},
    ),
    "Repeat": Kind(
        "Runs the body a number of times on its carry: as many of the first inputs as it has outputs. `times` is a "
        "number, or a node that computes it. Without `share` every iteration has its own parameters.",
        {"times": _TIMES, "body": BODY_REF, "share": (bool, True), "max_iterations": (Size, 1000)},
        (1, MAX_INPUTS),
        "* → the same",
        {"times": 2, "body": _EXAMPLE},
    ),
    "While": Kind(
        "Runs the body on its carry while the condition, a bool, is true: for the batch (`halt` all), or for each "
        "example, where finished ones keep their values (per_example).",
        {
            "condition": BODY_REF,
            "body": BODY_REF,
            "max_iterations": (Size, 100),
            "halt": (Literal["all", "per_example"], "all"),
            "at_limit": (Literal["fail", "stop"], "fail"),
        },
        (1, MAX_INPUTS),
        "* → the same",
        {"condition": _EXAMPLE, "body": _EXAMPLE, "halt": "per_example"},
    ),
    "Scan": Kind(
        "Runs the body along dimension 1 on the carry, one step of each sequence in `over`, and the `inputs`. Its "
        "first outputs are the next carry, the others are stacked. Rows end at their `lengths`. With `generate` "
        "predictions choose each step's token from the scores of the step before.",
        {
            "over": _OVER,
            "carry": (NodeRefs, ()),
            "lengths": _REF,
            "body": BODY_REF,
            "reverse": (bool, False),
            "generate": _GENERATE,
        },
        (0, MAX_INPUTS),
        "carry (N, *), over (N, L, *) → carry (N, *), (N, L, *)",
        {"over": ["x"], "carry": ["h"], "body": _STEP},
    ),
    "Fold": Kind(
        "Computes trees bottom-up, all nodes of equal height and cell at once. `children` (N, M, A) are places of "
        "nodes, -1 for none; `over` (N, M, *) their values. `leaf` gets a value; `node`, or one of `cases` chosen by "
        "`cell` (N, M), gets a value, the children's states (A, *) and, if it has one more input, which there are.",
        {
            "over": NodeRef,
            "children": NodeRef,
            "cell": _REF,
            "leaf": BODY_REF,
            "node": _OPTIONAL,
            "cases": (BODY_REFS | None, None),
            "returns": (Literal["root", "nodes"], "root"),
            "max_depth": (Size, 10_000),
        },
        (0, 0),
        "values (N, M, *), children (N, M, A) → (N, *) or (N, M, *)",
        {"over": "value", "children": "children", "leaf": _EXAMPLE, "node": _EXAMPLE},
    ),
}

# Kind → the fields that name other nodes, in the order in which the node reads them; its `inputs` come last.
REFERENCE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "If": ("predicate",),
    "Route": ("selector", "predicate"),
    "Repeat": ("times",),
    "Scan": ("carry", "over", "lengths"),
    "Fold": ("over", "children", "cell"),
}

# Kind → the fields that hold bodies. The first body's outputs are the node's.
BODY_FIELDS: Mapping[str, tuple[str, ...]] = {
    "block": ("name",),
    "If": ("then", "else"),
    "Route": ("else", "then", "cases"),  # "else" is 0 and "then" 1 to a bool
    "Repeat": ("body",),
    "While": ("body", "condition"),
    "Scan": ("body",),
    "Fold": ("leaf", "node", "cases"),
}

# Kind → fields of which exactly one must be given.
EXACTLY_ONE_OF: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "Route": (("predicate", "selector"), ("then", "cases"), ("else", "cases")),
    "Fold": (("node", "cases"),),
}
