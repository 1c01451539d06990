"""Answers questions about a network alone: shapes and costs, the graph of backward, gradients, values."""

import warnings
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from app.errors import InvalidInput, Problem
from app.spec.inspection import InspectionRequest, check_inspection
from app.spec.problems import from_validation
from workers.network.analysis.gradients import MAX_CHECKED_ELEMENTS, backward_graph, check_gradients, random_inputs
from workers.network.analysis.graph import describe_graph
from workers.network.inference.partial_network import PartialNetwork, too_many_nodes_problem
from workers.network.inference.shape_inference import infer_shapes
from workers.network.runtime.build import BuiltNetwork, build
from workers.protocol.child_requests import InspectResponse, QueryRequest
from workers.torch_errors import translate_torch_errors

MAX_BUILT_PARAMETERS = 1_000_000  # parameters of a network that is built to be looked at
MAX_RETURNED_NUMBERS = 10_000  # numbers of values and gradients in an answer


def inspect_network(document: Any, max_nodes: int) -> tuple[dict[str, Any], list[Problem]]:
    """Return what was asked, and the problems that stood in the way; pointers lead into the document."""
    try:
        question = InspectionRequest.model_validate(document)
    except ValidationError as error:
        return {}, from_validation(error, document)
    problems = check_inspection(question)
    if problems:
        return {}, problems
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's advice on unusual settings is no problem
        schema, names = question.input_schema(), tuple(question.inputs)
        drafted = infer_shapes(question.model, schema, names)
        if (count := drafted.count_nodes()) > max_nodes:
            return {}, [too_many_nodes_problem(count, max_nodes)]
        report = describe_graph(drafted, "/model")
        problems = [problem.with_prefix("/model") for problem in drafted.problems]
        asks = question.autograd or question.gradcheck or question.values is not None
        if asks and not problems:
            problems = _size_problems(question, drafted)
        if asks and not problems:
            try:
                report |= _evaluate(question)
            except InvalidInput as error:
                problems = list(error.problems)
        return report, problems


def handle(request: QueryRequest) -> InspectResponse:
    """Answer a request."""
    report, problems = inspect_network(request.document, request.max_nodes)
    return InspectResponse(report, tuple(problems))


def _size_problems(question: InspectionRequest, drafted: PartialNetwork) -> list[Problem]:
    most = (
        MAX_CHECKED_ELEMENTS
        if question.gradcheck
        else MAX_RETURNED_NUMBERS
        if question.values is not None
        else MAX_BUILT_PARAMETERS
    )
    if drafted.parameters <= most:
        return []
    detail = f"the network has {drafted.parameters:,} parameters, and is looked at closely up to {most:,}"
    return [Problem("/model", "too_many_parameters", detail, "ask about a smaller one of the same form")]


def _evaluate(question: InspectionRequest) -> dict[str, Any]:
    """Build the network and run it. Raises `InvalidInput`."""
    schema, names = question.input_schema(), tuple(question.inputs)
    torch.manual_seed(question.seed)
    network = build(question.model, schema, names)
    read = network.blueprint.inputs
    found: dict[str, Any] = {}
    try:
        with translate_torch_errors():
            if question.values is not None:
                found["run"] = _run(network, {name: _tensor(question, name) for name in read})
            if question.autograd:
                found["autograd"] = backward_graph(network, random_inputs(schema, read, question.seed))
            if question.gradcheck:
                found["gradcheck"] = check_gradients(network, random_inputs(schema, read, question.seed)).as_dict()
    except InvalidInput:
        raise
    except Exception as error:  # what the network does with values that nobody has checked
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInput([Problem("/model", "run_failed", f"the network cannot be run: {detail}")]) from error
    return found


def _tensor(question: InspectionRequest, name: str) -> Tensor:
    given, wanted = (question.values or {})[name], question.inputs[name]
    try:
        value = torch.tensor(given, dtype=getattr(torch, wanted.dtype))
    except (ValueError, TypeError, RuntimeError) as error:
        raise InvalidInput([Problem(f"/values/{name}", "invalid_value", f"{name}: {error}")]) from None
    if tuple(value.shape[1:]) != wanted.shape or value.dim() == 0:
        detail = f"{name} has the shape {list(value.shape[1:])} per example, inputs say {list(wanted.shape)}"
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
