"""Random inputs for tracing and comparing graphs."""

from collections.abc import Callable, Mapping
from math import prod

import torch
from torch import Tensor

from app.errors import InvalidInput, Problem
from app.spec.data.base_feature import LENGTH_SUFFIX
from app.spec.data.columns import Column, DataSchema
from workers.network.blueprint import Blueprint

InputSampler = Callable[[int], tuple[Tensor, ...]]  # from the number of examples
ValueRanges = Mapping[str, tuple[float, float]]  # the smallest and the largest value of columns, by name
MIN_EXAMPLES, MAX_EXAMPLES, MAX_SAMPLED_NUMBERS = 5, 255, 4096  # of a comparison


def sample_count(blueprint: Blueprint, schema: DataSchema) -> int:
    """Return how many examples show what a graph computes in a reasonable time: odd, and fewer of larger ones."""
    numbers = sum(prod(column.shape) for column in schema.columns if column.name in blueprint.inputs)
    return max(MIN_EXAMPLES, min(MAX_EXAMPLES, MAX_SAMPLED_NUMBERS // max(1, numbers))) | 1


def input_sampler(blueprint: Blueprint, schema: DataSchema, ranges: ValueRanges | None = None) -> InputSampler:
    """Return a function that draws random columns.

    Columns with a range are uniform in it. Others are normal floats, and integers within every embedding. Sequences
    have their maximum length for an odd number of examples, and one time step less for an even one.
    """

    def draw(examples: int) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(examples)
        return tuple(
            _random_column(
                schema, name, _vocabulary_size(blueprint, name), (ranges or {}).get(name), examples, generator
            )
            for name in blueprint.inputs
        )

    return draw


def _random_column(
    schema: DataSchema,
    name: str,
    words: int | None,
    limits: tuple[float, float] | None,
    examples: int,
    generator: torch.Generator,
) -> Tensor:
    column = schema.column(name)
    if column is None:
        raise InvalidInput([Problem("/model/inputs", "unknown_input", f'the data has no field "{name}"', "")])
    shape, dtype = (examples, *_shape(column, examples)), getattr(torch, column.dtype)
    if limits is not None and words is None:
        least, most = limits
        if dtype.is_floating_point:
            return least + (most - least) * torch.rand(shape, generator=generator, dtype=dtype)
        return torch.randint(int(least), int(most) + 1, shape, generator=generator).to(dtype)
    if dtype.is_floating_point:
        return torch.randn(shape, generator=generator, dtype=dtype)
    sequence = schema.column(name.removesuffix(LENGTH_SUFFIX)) if name.endswith(LENGTH_SUFFIX) else None
    if sequence is not None and (sequence.ragged or sequence.padded):
        return torch.randint(1, _shape(sequence, examples)[0] + 1, shape, generator=generator)
    return torch.randint(0, words or column.classes or 2, shape, generator=generator).to(dtype)


def _shape(column: Column, examples: int) -> tuple[int, ...]:
    if not column.ragged or examples % 2 or column.shape[0] == 1:
        return column.shape
    return (column.shape[0] - 1, *column.shape[1:])


def _vocabulary_size(blueprint: Blueprint, name: str) -> int | None:
    """Return the size of the smallest embedding of an input; `None` if there is none."""
    sizes = [
        node.parameters["num_embeddings"]
        for node in blueprint.nodes
        if node.kind == "Embedding" and node.inputs == (name,)
    ]
    return min(sizes, default=None)
