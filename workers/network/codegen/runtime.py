"""Functions of this service that `model.py` carries, since torch has none like them."""

import ast
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from workers.network.kinds import functional, sequences, stacks
from workers.network.kinds.control import CONTROL, FREE_RUNNING
from workers.network.runtime import control_flow, fold, fold_bodies, generation, tree_levels

MODULES = (
    functional,
    sequences,
    stacks,
    control_flow,
    tree_levels,
    fold,
    fold_bodies,
    generation,
)  # each after those that it imports
_OWN = [
    value
    for module in (functional, sequences, stacks)
    for value in vars(module).values()
    if getattr(value, "__module__", "") == module.__name__
]
OWN_FUNCTIONS = frozenset(filter(inspect.isroutine, _OWN))
OWN_MODULES = frozenset(filter(inspect.isclass, _OWN))
CONTROL_FLOW_FUNCTIONS = frozenset(row.function for row in CONTROL.values() if row.function is not None)
FREE_RUNNING_FUNCTIONS = frozenset(FREE_RUNNING.values())
COPIED_CALLABLES: frozenset[Callable[..., object]] = (
    OWN_FUNCTIONS | OWN_MODULES | CONTROL_FLOW_FUNCTIONS | FREE_RUNNING_FUNCTIONS
)
CALLED_NAMES = frozenset(each.__name__ for each in COPIED_CALLABLES)
IMPORTS = ("torch", "torch.Tensor", "torch.nn")  # of every file


@dataclass(frozen=True, slots=True)
class Definition:
    """A function, class or alias of a module: its source, and the names that it reads."""

    source: str
    reads: frozenset[str]


def preamble(used: Iterable[Callable[..., object]], *, vision: bool = False) -> str:
    """Return the imports and definitions of a file that calls the functions `used`, and torchvision if `vision`."""
    definitions, importable = _definitions(), _imports()
    reached = list(dict.fromkeys(each.__name__ for each in used if each in COPIED_CALLABLES))
    for name in reached:  # grows while it is walked
        reached += sorted(definitions[name].reads & definitions.keys() - set(reached))
    names = {name for each in reached for name in definitions[each].reads & importable.keys()}
    imports = {*IMPORTS, *(importable[name] for name in names), *(("torchvision",) if vision else ())}
    sources = [definition.source for name, definition in definitions.items() if name in reached]
    return f"{_import_lines(imports)}\n\n\n" + "".join(f"{source}\n\n\n" for source in sources)


@cache
def _definitions() -> Mapping[str, Definition]:
    """Return the definitions of all modules by name, in an order in which each follows what it reads."""
    return {name: definition for module in MODULES for name, definition in _module_definitions(module)}


def _module_definitions(module: ModuleType) -> Iterator[tuple[str, Definition]]:
    source = inspect.getsource(module)
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield node.name, Definition("\n".join(lines[first - 1 : node.end_lineno]), _names_read(node))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, Definition(ast.unparse(node), _names_read(node))


def _names_read(definition: ast.AST) -> frozenset[str]:
    """Return the names that a definition reads and does not bind itself."""
    nodes = list(ast.walk(definition))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return frozenset(node.id for node in names) - bound


@cache
def _imports() -> Mapping[str, str]:
    """Return what the modules import from elsewhere: name to dotted path."""
    nodes = [node for module in MODULES for node in ast.parse(inspect.getsource(module)).body]
    paths = {alias.name: alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and not node.module.startswith("workers."):
            paths |= {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return paths


def _import_lines(paths: Iterable[str]) -> str:
    """Return import statements: the standard library's first, then torch's."""
    froms: dict[str, list[str]] = {}
    lines = []
    for path in sorted(paths):
        module, _, name = path.rpartition(".")
        if module:
            froms.setdefault(module, []).append(name)
        else:
            lines.append(f"import {path}")
    lines += [f"from {module} import {', '.join(names)}" for module, names in froms.items()]
    standard = [line for line in lines if "torch" not in line]
    return "\n".join([*standard, *([""] if standard else []), *(line for line in lines if "torch" in line)])
