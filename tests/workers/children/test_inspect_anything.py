"""Whatever a stranger writes, the inspector has an answer."""

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.spec.network.nodes import NODE_KINDS
from tests.full import FULL
from tests.workers.jobs import LIMITS, make_job, make_schema
from workers.children.inspect import inspect_job

NAMES = st.sampled_from(["x", "a", "b", "c", "d"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 9), st.sampled_from([2**31, -(2**70), 10**6]), st.floats(), NAMES
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3))
SIZES = st.one_of(st.integers(1, 12), st.lists(st.integers(1, 5), max_size=4), VALUES)


@st.composite
def nodes(draw: st.DrawFn, wired: bool) -> dict[str, Any]:
    """A node that looks right more often than not."""
    kind = draw(st.sampled_from(sorted(NODE_KINDS)))
    row = NODE_KINDS[kind]
    node: dict[str, Any] = {"kind": kind, **row.example}
    for name in draw(st.lists(st.sampled_from(sorted(row.fields)), max_size=3)) if row.fields else []:
        node[name] = draw(SIZES)
    if wired:
        least, most = row.inputs
        node |= {"id": draw(NAMES), "inputs": draw(st.lists(NAMES, min_size=least, max_size=min(most, 3)))}
    return node


MODELS: st.SearchStrategy[Any] = st.one_of(
    VALUES,
    st.fixed_dictionaries({"layers": st.lists(nodes(wired=False), min_size=1, max_size=6)}),
    st.fixed_dictionaries(
        {"nodes": st.lists(nodes(wired=True), min_size=1, max_size=6, unique_by=lambda node: node["id"])},
        optional={"inputs": st.just(["x"]), "outputs": st.dictionaries(NAMES, NAMES, min_size=1, max_size=2)},
    ),
    st.fixed_dictionaries({"nodes": st.lists(st.one_of(nodes(wired=True), VALUES), max_size=4)}),
)


@settings(max_examples=300 if FULL else 75, deadline=None)
@given(model=MODELS, shape=st.lists(st.integers(1, 8), max_size=3), target=st.lists(st.integers(1, 4), max_size=2))
def test_any_model_gets_a_report_or_problems(model: Any, shape: list[int], target: list[int]) -> None:
    for dtype, loss in (("int64", "CrossEntropyLoss"), ("float32", "MSELoss")):
        found = inspect_job(make_job(model, loss), make_schema(tuple(target), dtype, x=tuple(shape)), LIMITS)
        assert found.problems or found.report["nodes"]
        for problem in found.problems:
            assert problem.detail
            assert leads_into(make_job(model, loss), problem.pointer), problem
        json.dumps(found.report, allow_nan=False)


def leads_into(document: Any, pointer: str) -> bool:
    """Whether all parts of a pointer but the last exist in the document."""
    for part in pointer.split("/")[1:-1]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, list) and key.isdigit() and int(key) < len(document):
            document = document[int(key)]
        elif isinstance(document, Mapping):
            document = document.get(key)
        else:
            return document is None or pointer.startswith(("/data", "/training"))
    return True
