"""Random inputs for tracing and comparing graphs."""

from collections.abc import Callable

import torch
from torch import Tensor

from app.errors import InvalidInput, Problem
from app.spec.data.columns import Column, DataSchema
from app.spec.data.sequence_features import LENGTH_SUFFIX
from workers.network.blueprint import Blueprint

InputSampler = Callable[[int], tuple[Tensor, ...]]  # from the number of examples


def input_sampler(blueprint: Blueprint, schema: DataSchema) -> InputSampler:
    """Return a function that draws random columns: normal floats, and integers within every embedding.

    Sequences have their maximum length for an odd number of examples, and one time step less for an even one.
    """

    def draw(examples: int) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(examples)
        return tuple(
            _random_column(schema, name, _vocabulary_size(blueprint, name), examples, generator)
            for name in blueprint.inputs
        )

    return draw


def _random_column(schema: DataSchema, name: str, words: int, examples: int, generator: torch.Generator) -> Tensor:
    column = schema.column(name)
    if column is None:
        raise InvalidInput([Problem("/model/inputs", "unknown_input", f'the data has no field "{name}"', "")])
    shape, dtype = (examples, *_shape(column, examples)), getattr(torch, column.dtype)
    if dtype.is_floating_point:
        return torch.randn(shape, generator=generator, dtype=dtype)
    sequence = schema.column(name.removesuffix(LENGTH_SUFFIX)) if name.endswith(LENGTH_SUFFIX) else None
    if sequence is not None and (sequence.ragged or sequence.padded):
        return torch.randint(1, _shape(sequence, examples)[0] + 1, shape, generator=generator)
    return torch.randint(0, words, shape, generator=generator).to(dtype)


def _shape(column: Column, examples: int) -> tuple[int, ...]:
    if not column.ragged or examples % 2 or column.shape[0] == 1:
        return column.shape
    return (column.shape[0] - 1, *column.shape[1:])


def _vocabulary_size(blueprint: Blueprint, name: str) -> int:
    sizes = [
        node.parameters["num_embeddings"]
        for node in blueprint.nodes
        if node.kind == "Embedding" and node.inputs == (name,)
    ]
    return min(sizes, default=2)
