"""The control-flow kinds: nodes with bodies, of which only what is needed runs.

A body is a block: a network of its own, written in place or named from the network's `blocks`. Its inputs are given by
position. What a node reads besides its `inputs` are references in fields of their own, see `READS`.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from app.spec.base import Name, Size
from app.spec.kinds import Kind, Table

# A node's id, or one of its outputs: "scan.state".
Ref = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}(\.[A-Za-z_][A-Za-z0-9_]{0,63})?$")]
Refs = Annotated[tuple[Ref, ...], Field(max_length=64)]
BODY = "BodyRef"  # defined where the union of all nodes is, see `app.spec.network.nodes`
CASES = Annotated[tuple["BodyRef", ...], Field(min_length=1, max_length=256)]  # type: ignore[name-defined]  # noqa: F821
MANY = 1024

_EXAMPLE = {"layers": [{"kind": "Linear", "out_features": 8}, {"kind": "ReLU"}]}

_OPTIONAL = (f"{BODY} | None", None)
_REF = (Ref | None, None)
_TIMES = Annotated[int, Field(strict=True, ge=1, le=1000)] | Ref
_OVER = Annotated[tuple[Ref, ...], Field(min_length=1, max_length=64)]
_STEP = {"inputs": ["h", "x"], "nodes": [{"id": "new", "kind": "add", "inputs": ["h", "x"]}],
         "outputs": {"h": "new", "y": "new"}}  # fmt: skip

CONTROL: Table = {
    "block": Kind(
        "A use of one of the network's blocks, with parameters of its own; uses with the same `share` are one.",
        {"name": Name, "share": (Name | None, None)}, (1, MANY), "the block's → the block's", {"name": "Part"}),
    "If": Kind(
        "Runs `then` where the predicate, one bool for the whole batch, is true, else `else` (default: nothing).",
        {"predicate": Ref, "then": BODY, "else": _OPTIONAL}, (1, MANY), "* → both bodies' alike",
        {"predicate": "chance", "then": _EXAMPLE}),
    "Route": Kind(
        "Runs each body on its own examples, chosen by a bool (`predicate`, then, else) or an integer (`selector`, "
        "cases) per example.",
        {"predicate": _REF, "then": _OPTIONAL, "else": _OPTIONAL, "selector": _REF, "cases": (CASES | None, None)},
        (1, MANY), "(N, *) → all bodies' alike", {"selector": "expert", "cases": [_EXAMPLE, _EXAMPLE]}),
    "Repeat": Kind(
        "Runs the body a number of times on what it carries: as many of the first inputs as it has outputs. `times` is "
        "a number, or a node that tells it. Without `share` every turn has parameters of its own.",
        {"times": _TIMES, "body": BODY, "share": (bool, True), "max_iterations": (Size, 1000)}, (1, MANY),
        "* → the same", {"times": 2, "body": _EXAMPLE}),
    "While": Kind(
        "Runs the body on what it carries while the condition, a bool, holds: for the batch (`halt` all), or for each "
        "example, of which finished ones stay as they are (per_example).",
        {"condition": BODY, "body": BODY, "max_iterations": (Size, 100),
         "halt": (Literal["all", "per_example"], "all"), "at_limit": (Literal["fail", "stop"], "fail")},
        (1, MANY), "* → the same", {"condition": _EXAMPLE, "body": _EXAMPLE, "halt": "per_example"}),
    "Scan": Kind(
        "Runs the body along dimension 1: it gets what it carries, one step of each sequence in `over`, and the "
        "`inputs`; its first outputs are carried on, the others are stacked. Rows end at their `lengths`.",
        {"over": _OVER, "carry": (Refs, ()), "lengths": _REF, "body": BODY, "reverse": (bool, False)}, (0, MANY),
        "carry (N, *), over (N, L, *) → carry (N, *), (N, L, *)", {"over": ["x"], "carry": ["h"], "body": _STEP}),
    "Fold": Kind(
        "Computes trees bottom-up, all nodes of equal height and cell at once. `children` (N, M, A) are places of "
        "nodes, -1 for none; `over` (N, M, *) their values. `leaf` gets a value; `node`, or one of `cases` chosen by "
        "`cell` (N, M), gets a value, the children's states (A, *) and, if it has one more input, which there are.",
        {"over": Ref, "children": Ref, "cell": _REF, "leaf": BODY, "node": _OPTIONAL, "cases": (CASES | None, None),
         "returns": (Literal["root", "nodes"], "root"), "max_depth": (Size, 10_000)}, (0, 0),
        "values (N, M, *), children (N, M, A) → (N, *) or (N, M, *)",
        {"over": "value", "children": "children", "leaf": _EXAMPLE, "node": _EXAMPLE}),
}  # fmt: skip

# Kind → the fields that name other nodes, in the order in which the node reads them; its `inputs` come last.
READS: Mapping[str, tuple[str, ...]] = {
    "If": ("predicate",),
    "Route": ("selector", "predicate"),
    "Repeat": ("times",),
    "Scan": ("carry", "over", "lengths"),
    "Fold": ("over", "children", "cell"),
}

# Kind → the fields that hold bodies. The first body's outputs are the node's.
BODIES: Mapping[str, tuple[str, ...]] = {
    "block": ("name",),
    "If": ("then", "else"),
    "Route": ("else", "then", "cases"),  # "else" is 0 and "then" 1 to a bool
    "Repeat": ("body",),
    "While": ("body", "condition"),
    "Scan": ("body",),
    "Fold": ("leaf", "node", "cases"),
}

# Kind → fields of which exactly one must be given.
ONE_OF: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "Route": (("predicate", "selector"), ("then", "cases"), ("else", "cases")),
    "Fold": (("node", "cases"),),
}
