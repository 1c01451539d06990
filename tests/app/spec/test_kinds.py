"""The fields of a kind are parameters of torch's class or function, with torch's names and defaults."""

import inspect
from collections.abc import Mapping
from enum import Enum
from types import FunctionType
from typing import Any, get_type_hints

import pytest
import torch
from pydantic import ValidationError

from app.spec.base import SpecModel
from app.spec.kinds import Kind, KindModel, create_kind_models, discriminated_union
from app.spec.network.leaves import INITIALISERS
from app.spec.network.modules.catalog import MODULES
from app.spec.network.nodes import NODE_CLASSES, NODE_KINDS, BaseNode
from app.spec.network.operations.catalog import OPERATIONS
from app.spec.network.weights import PARAMETRIZATIONS, WEIGHT_FIELDS, WEIGHTED_KINDS
from workers.network.kinds.leaves import INITIALISERS as FILLERS
from workers.network.kinds.modules import MODULES as BUILDERS
from workers.network.kinds.operations import OPERATIONS as FUNCTIONS
from workers.network.kinds.weights import PARAMETRIZATIONS as PARAMETRIZERS


class NoDefault(Enum):
    """What a field without a default has in place of one."""

    DEFAULT = "no default"


# Field → why the spec's default is not torch's.
INFERRED = frozenset(
    {
        "in_features",
        "in1_features",
        "in2_features",
        "in_channels",
        "num_features",
        "num_channels",
        "normalized_shape",
        "embed_dim",
        "d_model",
        "input_size",
        "num_embeddings",
    }
)
DIFFERENT_DEFAULTS: Mapping[tuple[str, str], Any] = {
    **{(kind, "dim"): -1 for kind in ("Softmax", "Softmin", "LogSoftmax")},  # torch's None guesses, and warns
    # torch's default is the function of that name
    **{(f"Transformer{part}Layer", "activation"): "relu" for part in ("Encoder", "Decoder")},
    **{  # always true
        (kind, "batch_first"): True
        for kind in ["RNN", "GRU", "LSTM", "MultiheadAttention", "TransformerEncoderLayer", "TransformerDecoderLayer"]
    },
    ("Transformer", "d_model"): None,  # inferred
}
# Parameters of a constructor that the spec leaves out, and why.
IGNORED_PARAMETERS = {
    "device": "chosen by the plan",
    "dtype": "float32",
    "inplace": "a speed trick that breaks what reads the input",
    "sparse": "few optimisers take it",
    "_weight": "private",
    "_freeze": "private",
    "_random_samples": "private",
    "padding_mode": "zeros alone, for transposed convolutions",
    "min_value": "deprecated",
    "max_value": "deprecated",
    "size_average": "deprecated",
    "reduce": "deprecated",
    "include_last_offset": "of offsets",
}
RECURRENT = {
    "input_size": NoDefault.DEFAULT,
    "hidden_size": NoDefault.DEFAULT,
    "num_layers": 1,
    "bias": True,
    "dropout": 0.0,
    "bidirectional": False,
}


def default(field: Any) -> Any:
    """Return the default of a row's field."""
    return field[1] if isinstance(field, tuple) else NoDefault.DEFAULT


def constructor(kind: str) -> dict[str, Any]:
    """Return the parameters of torch's class with their defaults; torch hides those of recurrent nets."""
    if kind in ("RNN", "GRU", "LSTM"):
        extra = {"RNN": {"nonlinearity": "tanh"}, "LSTM": {"proj_size": 0}}.get(kind, {})
        return RECURRENT | {"batch_first": False} | extra
    found = inspect.signature(BUILDERS[kind].build).parameters.values()
    parameters = [each for each in found if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    return {each.name: NoDefault.DEFAULT if each.default is each.empty else each.default for each in parameters}


@pytest.mark.parametrize("kind", MODULES)
def test_fields_of_modules_are_those_of_torch(kind: str) -> None:
    theirs = constructor(kind)
    ours = {
        name: default(field)
        for name, field in MODULES[kind].fields.items()
        if name not in (*BUILDERS[kind].call_parameters, *BUILDERS[kind].references)
        and (kind not in WEIGHTED_KINDS or name not in WEIGHT_FIELDS)
    }
    assert MODULES[kind].references == BUILDERS[kind].references
    assert ours.keys() <= theirs.keys()
    assert theirs.keys() - ours.keys() <= IGNORED_PARAMETERS.keys()
    assert all(theirs[name] is not NoDefault.DEFAULT for name in theirs.keys() - ours.keys())
    for name, value in ours.items():
        if name in INFERRED:
            assert value is None
        elif (kind, name) in DIFFERENT_DEFAULTS:
            assert value == DIFFERENT_DEFAULTS[kind, name]
        else:
            assert value == theirs[name], name
            assert isinstance(value, bool) == isinstance(theirs[name], bool)


def test_every_exception_is_one() -> None:
    for kind, field in DIFFERENT_DEFAULTS:
        ours = MODULES[kind].fields[field]
        assert default(ours) == DIFFERENT_DEFAULTS[kind, field]
    assert {name for kind in MODULES for name in constructor(kind)} >= IGNORED_PARAMETERS.keys()


@pytest.mark.parametrize("kind", OPERATIONS)
def test_fields_of_operations_are_taken_by_torch(kind: str) -> None:
    """Most of torch's functions have no signature in Python, but schemas."""
    row = FUNCTIONS[kind]
    if isinstance(row.function, FunctionType):
        theirs = inspect.signature(row.function).parameters
        assert OPERATIONS[kind].fields.keys() <= theirs.keys()
        for name, field in OPERATIONS[kind].fields.items():
            expected = theirs[name].default
            assert default(field) == (NoDefault.DEFAULT if expected is inspect.Parameter.empty else expected)
        return
    schemas = torch._C._jit_get_schemas_for_operator(f"aten::{row.function.__name__}")
    known = {argument.name for schema in schemas for argument in schema.arguments}
    assert {row.scalar if name == "scalar" else name for name in OPERATIONS[kind].fields} <= known


@pytest.mark.parametrize("kind", INITIALISERS)
def test_fields_of_initialisers_are_those_of_torch(kind: str) -> None:
    filler = FILLERS[kind]
    theirs = inspect.signature(filler.function).parameters
    for name, field in INITIALISERS[kind].fields.items():
        parameter = theirs[filler.torch_names.get(name, name)]
        expected = NoDefault.DEFAULT if parameter.default is parameter.empty else parameter.default
        assert default(field) == expected
    assert INITIALISERS[kind].sentence
    given = {filler.torch_names.get(name, name): value for name, value in INITIALISERS[kind].example.items()}
    assert torch.is_tensor(filler.function(torch.empty((2,) * max(2, filler.min_dimensions)), **given))


@pytest.mark.parametrize("kind", PARAMETRIZATIONS)
def test_fields_of_parametrizations_are_those_of_torch(kind: str) -> None:
    theirs = inspect.signature(PARAMETRIZERS[kind]).parameters
    expected = {name: parameter.default for name, parameter in theirs.items() if name != "module"}
    assert {name: default(field) for name, field in PARAMETRIZATIONS[kind].fields.items()} == expected


@pytest.mark.parametrize("kind", NODE_KINDS)
def test_every_row_is_complete(kind: str) -> None:
    row = NODE_KINDS[kind]
    least, most = row.inputs
    assert row.sentence.endswith(".")
    assert "→" in row.shapes
    assert 0 <= least <= most
    assert row.example.keys() <= row.fields.keys()
    node = NODE_CLASSES[kind].model_validate({"kind": kind, **row.example})
    assert isinstance(node, BaseNode)
    assert node.settings().keys() == row.fields.keys()
    assert not row.fields.keys() & BaseNode.model_fields.keys()
    assert NODE_CLASSES[kind].model_validate_json(node.model_dump_json()) == node
    assert NODE_CLASSES[kind].__doc__ == row.sentence


def test_a_table_becomes_a_closed_union() -> None:
    table = {"one": Kind("One.", {"a": int}), "two": Kind("Two.", {"b": (float, 0.5)})}
    made = create_kind_models(table, KindModel)
    union = type("Holder", (SpecModel,), {"__annotations__": {"item": discriminated_union(made)}})
    assert union.model_validate({"item": {"kind": "two"}}).model_dump() == {"item": {"kind": "two", "b": 0.5}}
    assert get_type_hints(made["one"])["a"] is int
    for wrong in ({"kind": "three"}, {"kind": "two", "a": 1}, {"kind": "one"}, {}):
        with pytest.raises(ValidationError):
            union.model_validate({"item": wrong})
    with pytest.raises(ValidationError):
        made["one"].model_validate({"kind": "one", "a": 1}).a = 2  # type: ignore[attr-defined]
