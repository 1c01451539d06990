"""Sizes, names and calls that the house rules allow."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import CODE, PACKAGES, dotted, functions, python, text, texts, tree

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60
THE_LOOP = (Path("workers/training/loop.py"), "_train", 150)
RUNNING_CODE = (*PACKAGES, "migrations", "benchmarks", "docs")

NEVER_CALLED = frozenset({"eval", "exec", "hasattr", "torch.load", "yaml.load", "os.system", "os.popen", "__import__"})
NEVER_IMPORTED = frozenset({"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "imp"})
NEVER_PASSED = {"shell": True, "allow_pickle": True, "weights_only": False}
ENVIRONMENT = frozenset({"os.environ", "os.getenv", "environ", "getenv"})
NEVER_METHODS = frozenset({"extractall"})
COMPUTED = "import_module of a computed name"
ALLOWED = {
    Path("app/forkserver/server.py"): {COMPUTED},  # of its own command line
    Path("workers/torch_setup.py"): {COMPUTED},  # of its own literal list
    Path("workers/training/checkpoints/torchvision_weights.py"): {"torch.load"},  # of weights only, the sum verified
}


def test_files_are_short() -> None:
    assert not {str(path): lines for path in python(*CODE) if (lines := len(text(path).splitlines())) > MAX_FILE_LINES}


def test_functions_are_short() -> None:
    lengths = {(path, function.name): _length(function) for path in python(*CODE) for function in functions(path)}
    path, name, limit = THE_LOOP
    assert lengths.pop((path, name)) <= limit
    assert not {place: length for place, length in lengths.items() if length > MAX_FUNCTION_LINES}


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


def test_nothing_runs_code_from_data() -> None:
    found = {path: set(forbidden(tree(path))) - ALLOWED.get(path, set()) for path in python(*RUNNING_CODE)}
    assert not {path: uses for path, uses in found.items() if uses}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "torch.load(path)",
        "eval(text)",
        "exec(text)",
        "yaml.load(text)",
        "zipfile.ZipFile(path).extractall(folder)",
        "subprocess.run(text, shell=True)",
        "np.load(path, allow_pickle=True)",
        "hasattr(thing, 'name')",
        "import_module(name)",
    ],
)
def test_the_search_finds(source: str) -> None:
    assert list(forbidden(ast.parse(source)))


@pytest.mark.parametrize(
    "source", ["network.eval()", "yaml.safe_load(text)", "np.load(path)", "import_module('pandas')"]
)
def test_the_search_leaves_alone(source: str) -> None:
    assert not list(forbidden(ast.parse(source)))


def forbidden(module: ast.Module) -> Iterator[str]:
    """Yield every use of something that could run code from data."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in NEVER_IMPORTED)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in NEVER_IMPORTED:
            yield str(node.module)
        if isinstance(node, ast.Call):
            yield from _forbidden_call(node)


def _forbidden_call(call: ast.Call) -> Iterator[str]:
    name = dotted(call.func)
    method = name.rpartition(".")[2]
    if name in NEVER_CALLED or method in NEVER_METHODS:
        yield name
    if method == "import_module" and not (call.args and isinstance(call.args[0], ast.Constant)):
        yield COMPUTED
    for keyword in call.keywords:
        value = keyword.value
        if isinstance(value, ast.Constant) and NEVER_PASSED.get(keyword.arg or "", ...) is value.value:
            yield f"{name}({keyword.arg}={value.value})"


def test_suppressions_name_their_code() -> None:
    bare = re.compile(r"#\s*(type:\s*ignore(?!\[)|noqa(?!: ?[A-Z]))")
    found = [f"{path}: {line}" for path in python(*CODE) for line in text(path).splitlines() if bare.search(line)]
    assert not found


def test_what_is_public_has_a_docstring() -> None:
    undocumented = [str(path) for path in python(*PACKAGES) if not ast.get_docstring(tree(path))]
    undocumented += [
        f"{path}: {node.name}"
        for path in python(*PACKAGES)
        for node in _public(tree(path))
        if not ast.get_docstring(node)
    ]
    assert not undocumented


def _public(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Yield public classes and functions, and the public methods of public classes."""
    bodies = [module.body]
    for body in bodies:  # grows while it is walked
        for node in body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                bodies.append(node.body)
                yield node
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                yield node


def test_settings_alone_reads_the_environment() -> None:
    reads = {path: list(_environment_reads(tree(path))) for path in python("app", "workers")}
    assert not [path for path, lines in reads.items() if lines and path != Path("app/settings.py")]


def _environment_reads(module: ast.Module) -> Iterator[int]:
    """Yield the lines that read it. Setting a variable for a library (CUDA's, cuBLAS's) is no reading."""
    written = {
        id(node.value)
        for node in ast.walk(module)
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
    }
    written |= {
        id(node.func.value)
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setdefault"
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute | ast.Name) and id(node) not in written and dotted(node) in ENVIRONMENT:
            yield node.lineno


def test_no_machine_or_registry_is_named() -> None:
    """Paths of one machine and hosts of package registries do not belong into a repository."""
    places = ["/wo" + r"rk/", r"/home/[a-z]\w*/", r"/Users/\w", r"/ro" + "ot/", "/opt/" + "(wheels|pypi)"]
    hosts = [
        "py" + r"pi\.org",
        "python" + r"hosted\.org",
        r"download\.py" + r"torch\.org",
        r"registry\.np" + r"mjs\.org",
    ]
    named = re.compile("|".join(rf"(?<![\w.*}}-]){item}" for item in [*places, *hosts]))
    found = [
        f"{path}:{number}"
        for path in texts()
        for number, line in enumerate(text(path).splitlines(), 1)
        if named.search(line)
    ]
    assert not found
