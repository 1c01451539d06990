"""Networks for the tests: from JSON and a few columns to drafts, built networks, and the class in model.py."""

from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from app.spec.data.columns import Column, DataSchema
from app.spec.network.network import Network
from app.spec.network.validation import check_network
from workers.network.blueprint import Blueprint
from workers.network.codegen.source import write_source
from workers.network.inference.partial_network import PartialNetwork
from workers.network.inference.shape_inference import infer_shapes
from workers.network.runtime.build import BuiltNetwork, build

Columns = Mapping[str, Any]  # name → shape per example, or (shape, dtype)
Model = list[Any] | dict[str, Any]  # layers, or a whole network


def schema(columns: Columns) -> DataSchema:
    """Return a schema whose columns are all inputs; float32 unless said otherwise."""
    typed = {name: said if said and isinstance(said[-1], str) else (said, "float32") for name, said in columns.items()}
    made = tuple(Column(name=name, shape=shape, dtype=dtype) for name, (shape, dtype) in typed.items())
    return DataSchema(columns=made, rows={"train": 8}, inputs=tuple(columns))


def parse_model(model: Model) -> Network:
    """Return the network as the language has it."""
    return Network.model_validate({"layers": model} if isinstance(model, list) else model)


def infer_model(model: Model, columns: Columns) -> PartialNetwork:
    """Return the draft of a network whose names and wiring are in order."""
    network = parse_model(model)
    assert check_network(network, tuple(columns), tuple(columns)) == []
    return infer_shapes(network, schema(columns), tuple(columns))


def build_model(model: Model, columns: Columns, seed: int = 0) -> BuiltNetwork:
    """Return the network with weights drawn from a seed."""
    torch.manual_seed(seed)
    return build(parse_model(model), schema(columns), tuple(columns))


def make_examples(columns: Columns, count: int = 5) -> dict[str, Tensor]:
    """Return some examples: floats between 0 and 1, integers from 1 to 3."""
    generator = torch.Generator().manual_seed(7)
    values = {}
    for column in schema(columns).columns:
        drawn = torch.rand(count, *column.shape, generator=generator)
        whole = "float" not in column.dtype
        values[column.name] = (3 * drawn + 1 if whole else drawn).to(getattr(torch, column.dtype))
    return values


def import_source(network: BuiltNetwork, folder: Path, seed: int = 0, policy: Blueprint | None = None) -> nn.Module:
    """Return an instance of the class in `model.py`, with weights drawn from a seed: of `Policy` if there is one."""
    path = folder / "model.py"
    path.write_text(write_source(network, policy), encoding="utf-8")
    found = spec_from_file_location("model", path)
    assert found is not None
    assert found.loader is not None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    torch.manual_seed(seed)
    instance: nn.Module = vars(module)["Network" if policy is None else "Policy"]()
    return instance
