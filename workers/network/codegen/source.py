"""`model.py`: a network as plain PyTorch source, for use without this service."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from keyword import iskeyword

from app.spec.network.generation import generation_arguments
from workers.network.analysis.dependencies import prune_to_node
from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.codegen.expressions import (
    call_arguments,
    dict_expression,
    keyword_list,
    keywords,
    leaf_statements,
    non_default_arguments,
    tie_statements,
    weight_statements,
)
from workers.network.codegen.runtime import CALLED_NAMES, OWN_FUNCTIONS, OWN_MODULES, preamble
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.control import FREE_RUNNING, ControlKind
from workers.network.kinds.leaves import LeafKind
from workers.network.kinds.module_kind import ModuleKind
from workers.network.kinds.operations import OperationKind
from workers.network.runtime.build import BuiltNetwork

HEADER = '''"""A network trained with Graftwerk, in plain PyTorch.

    network = Network()
    network.load_state_dict(safetensors.torch.load_file("weights.safetensors"))

or, without the package safetensors, from weights.pth:

    network.load_state_dict(torch.load("weights.pth", weights_only=True))

Call `network.eval()` before predicting.
"""
'''
POLICY_DOCSTRING = '''"""The part that acts: observations (N, ...) become actions, in the units of the environment.

    policy = Policy()
    policy.load_state_dict(safetensors.torch.load_file("weights.safetensors"))
    policy.eval()
    with torch.no_grad():
        action = policy(torch.as_tensor(observation).unsqueeze(0))[0].numpy()

Observations are as the environment gives them: what a NormalizeObservation or ClipObservation of the job does to them
is within. With a FrameStack they are the last ones, (N, frames, *observation), the newest last. The weights are those
of the whole network.
"""'''
GENERATE_DOCSTRING = '''"""Return the tokens that the network adds to each row of tokens (N, L), all of one length.

Settings are `max_length`, `stop`, `exclude`, and `method`: "greedy"; "sample" with `temperature`, `top_k`,
`top_p` and `seed`; "beam" with `beams` and `length_penalty`.
"""'''
RESERVED_NAMES = (
    frozenset({"self", "settings", "torch", "torchvision", "nn", "Tensor", "Sequence", "__debug__"}) | CALLED_NAMES
)


def write_source(network: BuiltNetwork, policy: Blueprint | None = None) -> str:
    """Return a file with the class `Network`, the classes of its bodies, and the functions that they call.

    `forward` takes the inputs (N, ...) in order, and returns the output or a dict of several. The `state_dict` has the
    keys of `network`. `policy` is the part of it that acts in an environment, with one output; nodes that the network
    lacks have no parameters. The class `Policy` is a `Network` whose `forward` computes it alone.
    """
    writer = _SourceWriter()
    writer.body(network.blueprint, "Network")
    policy_class = writer.policy_class(policy, network.blueprint) if policy is not None else ""
    classes = "\n\n".join(f"class {name}(nn.Module):\n{text}" for text, name in writer.classes.items())
    return f"{HEADER}\n{preamble(writer.used, vision=writer.vision)}{classes}{policy_class}"


@dataclass(frozen=True, slots=True)
class _Statements:
    """What the class of a body consists of, by node; a node without a line is read as an attribute."""

    names: Mapping[str, str]  # of inputs, nodes and outputs: the expression for each
    parts: Mapping[str, Sequence[str]]  # that the constructor assigns
    lines: Mapping[str, str]  # of `forward`


@dataclass
class _SourceWriter:
    """Writes a class for every body; bodies of equal text share one."""

    classes: dict[str, str] = field(default_factory=dict)  # text → name
    used: list[Callable[..., object]] = field(default_factory=list)
    vision: bool = False  # whether something comes from torchvision

    def body(self, blueprint: Blueprint, name: str) -> str:
        """Write the class of a body, and return its name."""
        statements = self._statements(blueprint, name)
        names, lines = statements.names, statements.lines
        parts = ["super().__init__()", *chain.from_iterable(statements.parts.values()), *tie_statements(blueprint)]
        top = name == "Network"
        returned = {output: names[source] for output, source in blueprint.outputs.items()}
        expression = (
            next(iter(returned.values()))
            if len(returned) == 1
            else (dict_expression(returned) if top else ", ".join(returned.values()))
        )
        several = "dict[str, Tensor]" if top else "tuple[Tensor, ...]"
        text = "\n".join(
            [
                "    def __init__(self) -> None:",
                *(f"        {line}" for line in parts),
                "",
                f"    def forward(self, {', '.join(f'{names[each]}: Tensor' for each in blueprint.inputs)})"
                f" -> {'Tensor' if len(returned) == 1 else several}:",
                *(f"        {line}" for line in lines.values()),
                f"        return {expression}",
                *(self._generate_method(blueprint, names, lines) if top else ()),
                "",
            ]
        )
        return self.classes.setdefault(text, name)

    def policy_class(self, policy: Blueprint, network: Blueprint) -> str:
        """Return the class `Policy`."""
        statements = self._statements(policy, "Network")
        names, own = statements.names, {node.id for node in network.nodes}
        parts = [part for node, each in statements.parts.items() if node not in own for part in each]
        constructor = [
            "    def __init__(self) -> None:",
            "        super().__init__()",
            *(f"        {each}" for each in parts),
        ]
        [result] = policy.outputs.values()
        lines = [
            "class Policy(Network):",
            *(f"    {line}".rstrip() for line in POLICY_DOCSTRING.splitlines()),
            "",
            *([*constructor, ""] if parts else ()),
            f"    def forward(self, {', '.join(f'{names[each]}: Tensor' for each in policy.inputs)}) -> Tensor:",
            *(f"        {line}" for line in statements.lines.values()),
            f"        return {names[result]}",
            "",
        ]
        return "\n\n" + "\n".join(lines)

    def _statements(self, blueprint: Blueprint, name: str) -> _Statements:
        """Return the statements of a body; the classes of those within it are written first."""
        names = _variables(blueprint)
        parts, lines = dict[str, list[str]](), dict[str, str]()
        shared: dict[str, str] = {}
        for node in blueprint.nodes:
            row = CATALOG[node.kind]
            if isinstance(row, LeafKind):
                parts[node.id] = leaf_statements(node, row)
                names[node.id] = f"self.{node.id}"
                continue
            if isinstance(row, ModuleKind):
                parts[node.id] = [f"self.{node.id} = {self._part(node, row)}", *weight_statements(node, row)]
            elif isinstance(row, ControlKind):
                part = shared.get(node.share or "") or self._bodies(node, row, name)
                parts[node.id] = [f"self.{node.id} = {part}"]
                if node.share is not None:
                    shared[node.share] = f"self.{node.id}"
            call = self._call(node, row, [names[source] for source in node.inputs])
            results = [names[f"{node.id}.{output}"] for output in node.outputs] or [names[node.id]]
            lines[node.id] = f"{', '.join(results)} = {call}"
            names[node.id] = results[0]
        return _Statements(names, parts, lines)

    def _generate_method(
        self, blueprint: Blueprint, names: Mapping[str, str], lines: Mapping[str, str]
    ) -> Iterator[str]:
        """Yield the lines of the method `generate`, if a node can run freely; `lines` are those of the nodes."""
        node = blueprint.generator
        if node is None or node.free_running is None:
            return
        function, before = FREE_RUNNING[node.kind], prune_to_node(blueprint, node)
        self.used.append(function)
        settings = generation_arguments(node.free_running.settings)
        inputs = [f"self.{node.id}", *(names[source] for source in node.inputs)]
        arguments = [*inputs, *keyword_list(node.free_running.arguments), f"**({settings!r} | settings)"]
        parameters = ", ".join(f"{names[each]}: Tensor" for each in before.inputs)
        yield from ("", "    @torch.no_grad()")
        yield f"    def generate(self, {parameters}, **settings: Any) -> GeneratedTokens:"
        yield from (f"        {line}".rstrip() for line in GENERATE_DOCSTRING.splitlines())
        yield from (f"        {lines[each.id]}" for each in before.nodes if each.id in lines)
        yield f"        return {function.__name__}({', '.join(arguments)})"

    def _part(self, node: ResolvedNode, row: ModuleKind) -> str:
        """Return the expression that makes a node's module."""
        name = row.build.__name__
        path = row.path or (name if row.build in OWN_MODULES else f"nn.{name}")
        self.vision |= path.startswith("torchvision.")
        self.used.append(row.build)
        constructor = f"{path}({keywords(non_default_arguments(row, node))})"
        changes = row.adapt_arguments(node.parameters)
        if row.adapt is None or not changes:
            return constructor
        self.used.append(row.adapt)
        return f"{row.adapt.__name__}({constructor}, {keywords(changes)})"

    def _bodies(self, node: ResolvedNode, row: ControlKind, owner: str) -> str:
        """Return the expression that makes a node's bodies, whose classes are written first."""
        named = f"{owner}{''.join(word.capitalize() for word in node.id.split('_'))}"
        if row.function is None:
            return f"{self.body(node.bodies['name'], named)}()"
        classes = {name: self.body(body, f"{named}{name.capitalize()}") for name, body in node.bodies.items()}
        return "nn.ModuleDict({" + ", ".join(f'"{name}": {each}()' for name, each in classes.items()) + "})"

    def _call(self, node: ResolvedNode, row: ModuleKind | OperationKind | ControlKind, inputs: list[str]) -> str:
        joined = ", ".join(inputs)
        if isinstance(row, OperationKind):
            self.used.append(row.function)
            arguments = keywords(row.keywords(node.parameters))
            name = row.function.__name__
            function = row.path or (name if row.function in OWN_FUNCTIONS else f"torch.{name}")
            return f"{function}({f'[{joined}]' if row.takes_list else joined}{', ' if arguments else ''}{arguments})"
        function_ = row.call if isinstance(row, ModuleKind) else row.function
        if function_ is None:
            return f"self.{node.id}({joined})"
        self.used.append(function_)
        called = call_arguments(row, node) if isinstance(row, ModuleKind) else node.parameters
        names = row.named_inputs(node.parameters) if isinstance(row, ModuleKind) else ()
        count = len(inputs) - len(names)
        by_name = [f"{each}={value}" for each, value in zip(names, inputs[count:], strict=True)]
        passed = [f"self.{node.id}", *inputs[:count], *by_name, *keyword_list(called)]
        return f"{function_.__name__}({', '.join(passed)})"


def _variables(blueprint: Blueprint) -> dict[str, str]:
    """Return the local variable of every input and node: its name, with underscores after it where that is taken."""
    outputs = [f"{node.id}.{output}" for node in blueprint.nodes for output in node.outputs]
    names = dict.fromkeys([*blueprint.inputs, *(node.id for node in blueprint.nodes), *outputs])
    variables: dict[str, str] = {}
    for name in names:
        variable = name.replace(".", "_")
        while (
            variable in RESERVED_NAMES
            or iskeyword(variable)
            or (variable != name and variable in {*names, *variables.values()})
        ):
            variable += "_"
        variables[name] = variable
    return variables
