"""Sizes, names and calls that the house rules allow."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import CODE, PACKAGES, dotted, functions, python, text, texts, tree

LONGEST_FILE = 300
LONGEST_FUNCTION = 60
THE_LOOP = (Path("workers/training/loop.py"), "_train", 150)
VAGUE = frozenset({"utils", "common", "core", "helpers", "manager", "models"})
RUNNING_CODE = (*PACKAGES, "migrations", "benchmarks", "docs")

NEVER_CALLED = frozenset({"eval", "exec", "hasattr", "torch.load", "yaml.load", "os.system", "os.popen", "__import__"})
NEVER_IMPORTED = frozenset({"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "imp"})
NEVER_PASSED = {"shell": True, "allow_pickle": True, "weights_only": False}
ENVIRONMENT = frozenset({"os.environ", "os.getenv", "environ", "getenv"})
NEVER_METHODS = frozenset({"extractall"})
COMPUTED = "import_module of a computed name"
ALLOWED = {
    Path("workers/torch_setup.py"): {COMPUTED},  # of its own literal list
}


@pytest.mark.parametrize("path", python(*CODE), ids=str)
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(text(path).splitlines()) <= LONGEST_FILE
    long = {function.name: length for function in functions(path) if (length := _length(function)) > LONGEST_FUNCTION}
    place, name, most = THE_LOOP
    if path == place:
        assert long.pop(name, 0) <= most
    assert not long


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


@pytest.mark.parametrize("path", python(*CODE), ids=str)
def test_names_say_something(path: Path) -> None:
    words = set(path.with_suffix("").parts)
    words |= {node.name.lower() for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)}
    assert not words & VAGUE
    assert not [word for word in words if word.endswith(("manager", "helper", "helpers", "utils"))]


@pytest.mark.parametrize("path", python(*RUNNING_CODE), ids=str)
def test_nothing_runs_code_from_data(path: Path) -> None:
    assert set(forbidden(tree(path))) <= ALLOWED.get(path, set())


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


@pytest.mark.parametrize("path", python(*CODE), ids=str)
def test_suppressions_name_their_code(path: Path) -> None:
    bare = re.compile(r"#\s*(type:\s*ignore(?!\[)|noqa(?!: ?[A-Z]))")
    assert not [line for line in text(path).splitlines() if bare.search(line)]


@pytest.mark.parametrize("path", python(*PACKAGES), ids=str)
def test_what_is_public_is_explained(path: Path) -> None:
    module = tree(path)
    assert ast.get_docstring(module)
    silent = [node.name for node in _public(module) if not ast.get_docstring(node)]
    assert not silent


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


@pytest.mark.parametrize("path", python("app", "workers"), ids=str)
def test_settings_alone_reads_the_environment(path: Path) -> None:
    if path != Path("app/settings.py"):
        assert not list(_environment_reads(tree(path)))


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
    found = [f"{path}:{number}" for path in texts() for number, line in enumerate(text(path).splitlines(), 1)
             if named.search(line)]  # fmt: skip
    assert not found
