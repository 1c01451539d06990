"""Every problem of a network's names, wiring and form, before anything is built."""

from collections.abc import Iterator

from app.errors import Problem
from app.spec.hints.names import Hints, choices
from app.spec.network.blocks import block_problems
from app.spec.network.control import EXACTLY_ONE_OF
from app.spec.network.generation_problems import generation_problems
from app.spec.network.network import Network
from app.spec.network.nodes import NODE_KINDS, BaseNode, Body
from app.spec.network.wiring import layer_problems, node_problems


def check_network(network: Network, fields: tuple[str, ...], default_inputs: tuple[str, ...]) -> list[Problem]:
    """Return every problem of names, wiring and arity.

    `fields` are the columns of the data, `default_inputs` those that a network without `inputs` reads. Pointers are
    relative to the network.
    """
    hints = Hints()
    problems = list(block_problems(network, hints))
    if problems:  # the outputs of such a block are unknown
        return problems
    for name, block in network.blocks.items():
        problems += _check_body(network, block, f"/blocks/{name}", hints)
    for position, name in enumerate(network.inputs or ()):
        if fields and name not in fields:
            hint = hints.did_you_mean(name, lambda: fields) or choices(fields)
            detail = f'the data has no field "{name}"'
            problems.append(Problem(f"/inputs/{position}", "unknown_input", detail, hint))
    problems += _check_body(network, network, "", hints, default_inputs, fields)
    return problems or list(generation_problems(network, default_inputs))


def _check_body(
    network: Network,
    body: Body,
    place: str,
    hints: Hints,
    default_inputs: tuple[str, ...] = ("input",),
    fields: tuple[str, ...] = (),
) -> list[Problem]:
    """Return the problems of a body and of those inside it. `place` is its pointer, `fields` what it may read."""
    problems = _form_problems(body)
    if not problems:
        names = body.inputs or ()
        duplicates = [position for position, name in enumerate(names) if name in names[:position]]
        problems += [
            Problem(f"/inputs/{position}", "duplicate_id", f'"{names[position]}" is listed twice', "remove it")
            for position in duplicates
        ]
        problems += (
            layer_problems(body.layers)
            if body.layers is not None
            else node_problems(network, body, body.input_names(default_inputs), hints, fields)
        )
    located = [problem.with_prefix(place) for problem in problems]
    for node_pointer, node in body.nodes_by_pointer().items():
        where = place + node_pointer
        located += _field_problems(node, where)
        for pointer, inner in node.bodies().values():
            if isinstance(inner, Body):
                located += _check_body(network, inner, where + pointer, hints)
    return located


def _field_problems(node: BaseNode, place: str) -> Iterator[Problem]:
    for choice in (*EXACTLY_ONE_OF.get(node.kind, ()), *NODE_KINDS[node.kind].exactly_one_of):
        given = [field for field in choice if getattr(node, field) is not None]
        if len(given) != 1:
            code = "contradiction" if given else "missing"
            names = " or ".join(f'"{field}"' for field in choice)
            hint = f"remove {' or '.join(given)}" if given else " or ".join(f'add "{field}": …' for field in choice)
            yield Problem(f"{place}/{choice[0]}", code, f"{node.kind} needs exactly one of {names}", hint)


def _form_problems(body: Body) -> list[Problem]:
    if (body.layers is None) == (body.nodes is None):
        hint = 'add "layers": […]' if body.layers is None else "remove layers or nodes"
        return [Problem("", "network_form", "a network has either layers or nodes", hint)]
    if body.layers is not None and body.outputs is not None:
        return [
            Problem(
                "/outputs",
                "network_form",
                "a chain of layers has one output, its last layer",
                "remove outputs, or write the network with nodes",
            )
        ]
    if body.layers is not None and body.inputs is not None and len(body.inputs) > 1:
        return [Problem("/inputs", "network_form", "a chain of layers has one input", "write the network with nodes")]
    return []
