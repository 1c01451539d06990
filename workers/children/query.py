"""Inspects a network alone: shapes and costs, the autograd graph, gradients, values."""

import warnings
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from app.errors import InvalidInput, Problem, first_line
from app.spec.base import bounded_count, bounded_counts
from app.spec.inspection import InspectionRequest, check_inspection
from app.spec.problems import from_validation
from workers.network.analysis.gradients import MAX_CHECKED_ELEMENTS, backward_graph, check_gradients, random_inputs
from workers.network.analysis.graph import describe_graph
from workers.network.inference.partial_network import PartialNetwork, too_many_nodes_problem
from workers.network.inference.shape_inference import infer_shapes
from workers.network.runtime.build import BuiltNetwork, build
from workers.protocol.child_requests import InspectResponse, QueryRequest
from workers.torch_errors import translate_torch_errors

MAX_BUILT_PARAMETERS = 1_000_000  # of a network that is built for its autograd graph
MAX_RETURNED_NUMBERS = 10_000  # values and gradients in a response


def inspect_network(document: Any, max_nodes: int) -> tuple[dict[str, Any], list[Problem]]:
    """Return the requested report and the problems that prevent it; their pointers lead into the document.

    The report holds what `describe_graph` returns, and "run", "autograd" and "gradcheck" as the document requests.
    """
    try:
        request = InspectionRequest.model_validate(document)
    except ValidationError as error:
        return {}, from_validation(error, document, InspectionRequest)
    problems = check_inspection(request)
    if problems:
        return {}, problems
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's advice on unusual settings is not a problem
        schema, names = request.input_schema(), tuple(request.inputs)
        partial = infer_shapes(request.model, schema, names)
        if (count := partial.count_nodes()) > max_nodes:
            return {}, [too_many_nodes_problem(count, max_nodes)]
        report = describe_graph(partial, "/model")
        problems = [problem.with_prefix("/model") for problem in partial.problems]
        evaluates = request.autograd or request.gradcheck or request.values is not None
        if evaluates and not problems:
            problems = _size_problems(request, partial)
        if evaluates and not problems:
            try:
                report |= _evaluate(request)
            except InvalidInput as error:
                problems = list(error.problems)
        return report, problems


def handle(request: QueryRequest) -> InspectResponse:
    """Answer a request."""
    report, problems = inspect_network(request.document, request.max_nodes)
    return InspectResponse(bounded_counts(report), tuple(problems))


def _size_problems(request: InspectionRequest, partial: PartialNetwork) -> list[Problem]:
    limit = (
        MAX_CHECKED_ELEMENTS
        if request.gradcheck
        else MAX_RETURNED_NUMBERS
        if request.values is not None
        else MAX_BUILT_PARAMETERS
    )
    if partial.parameters <= limit:
        return []
    detail = f"the network has {bounded_count(partial.parameters):,} parameters, at most {limit:,} are allowed here"
    return [Problem("/model", "too_many_parameters", detail, "use a smaller network of the same form")]


def _evaluate(request: InspectionRequest) -> dict[str, Any]:
    """Build the network and return what it computes. Raises `InvalidInput`."""
    schema, names = request.input_schema(), tuple(request.inputs)
    torch.manual_seed(request.seed)
    network = build(request.model, schema, names)
    inputs = network.blueprint.inputs
    report: dict[str, Any] = {}
    try:
        with translate_torch_errors():
            if request.values is not None:
                report["run"] = _run(network, {name: _tensor(request, name) for name in inputs})
            if request.autograd:
                report["autograd"] = backward_graph(network, random_inputs(schema, inputs, request.seed))
            if request.gradcheck:
                report["gradcheck"] = check_gradients(network, random_inputs(schema, inputs, request.seed)).as_dict()
    except InvalidInput:
        raise
    except Exception as error:  # any error of the network with values that were not checked
        detail = f"the network cannot be run: {first_line(error)}"
        raise InvalidInput([Problem("/model", "run_failed", detail)]) from error
    return report


def _tensor(request: InspectionRequest, name: str) -> Tensor:
    values, expected = (request.values or {})[name], request.inputs[name]
    try:
        value = torch.tensor(values, dtype=getattr(torch, expected.dtype))
    except (ValueError, TypeError, RuntimeError) as error:
        raise InvalidInput([Problem(f"/values/{name}", "invalid_value", f"{name}: {error}")]) from None
    if tuple(value.shape[1:]) != expected.shape or value.dim() == 0:
        detail = f"{name} has the shape {list(value.shape[1:])} per example, inputs say {list(expected.shape)}"
        raise InvalidInput([Problem(f"/values/{name}", "shape_mismatch", detail, "give lists of examples")])
    return value


def _run(network: BuiltNetwork, values: dict[str, Tensor]) -> dict[str, Any]:
    """Return outputs, parameters, and the gradients of the sum of all outputs, as nested lists."""
    network.train()
    outputs = network(values)
    floats = [output for output in outputs.values() if output.requires_grad]
    if floats:
        torch.stack([output.sum() for output in floats]).sum().backward()
    return {
        "outputs": {name: output.tolist() for name, output in outputs.items()},
        "parameters": {name: parameter.tolist() for name, parameter in network.named_parameters()},
        "gradients": {
            name: parameter.grad.tolist() if parameter.grad is not None else None
            for name, parameter in network.named_parameters()
        },
    }
