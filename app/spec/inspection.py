"""A request to inspect a network alone, without data or a training plan."""

from typing import Annotated

from pydantic import Field

from app.errors import Problem
from app.spec.base import Finite, Int64, Name, Seed, Size, SpecModel
from app.spec.data.columns import Column, DataSchema, Dtype
from app.spec.network.network import Network
from app.spec.network.validation import check_network

Number = Finite | Int64 | bool
NestedNumbers = list[Number] | list[list[Number]] | list[list[list[Number]]] | list[list[list[list[Number]]]]


class Input(SpecModel):
    """An input of the network: one tensor per example."""

    shape: Annotated[tuple[Size, ...], Field(max_length=8)] = Field(description="Per example, without the batch.")
    dtype: Dtype = Field("float32", description="Of the tensor.")
    classes: Size | None = Field(None, description="Of integers from 0 on: how many different values there are.")


class InspectionRequest(SpecModel):
    """A network, its inputs, and what to report besides shapes, parameters and operations."""

    model: Network = Field(description="As `model` of a job.")
    inputs: Annotated[dict[Name, Input], Field(min_length=1, max_length=64)] = Field(
        description="The inputs of the network by name: a chain of layers reads the first."
    )
    batch_size: Size = Field(64, description="For the estimate of memory.")
    seed: Seed = Field(0, description="Of weights and samples.")
    autograd: bool = Field(False, description="Also the graph of backward: grad_fn nodes and edges.")
    gradcheck: bool = Field(False, description="Also compare every gradient with differences, in double precision.")
    values: dict[Name, NestedNumbers] | None = Field(
        None, description="Examples (N, *) by input: outputs, and gradients of the sum of the outputs, come back."
    )

    def input_schema(self) -> DataSchema:
        """Return the inputs as a data set would have them."""
        columns = tuple(Column(name=name, **item.model_dump()) for name, item in self.inputs.items())
        return DataSchema(columns=columns, rows={"train": self.batch_size}, inputs=tuple(self.inputs))


def check_inspection(request: InspectionRequest) -> list[Problem]:
    """Return every problem of names and wiring, with pointers into the request."""
    names = tuple(request.inputs)
    problems = [problem.with_prefix("/model") for problem in check_network(request.model, names, names)]
    for name in request.model.input_names(names) if request.values is not None else ():
        if name not in request.values:  # type: ignore[operator]
            problems.append(Problem("/values", "missing", f'there are no values for "{name}"', "give examples of it"))
    return problems
