"""Who may import whom: the contracts in pyproject.toml, and what they cannot say."""

import subprocess
import sys
from graphlib import TopologicalSorter

import grimp
import pytest

from tests.architecture.sources import PACKAGES, ROOT, python

HEAVY = ("torch", "torchvision", "torchmetrics", "safetensors")
WORKER_PACKAGES = sorted({path.relative_to("workers").parts[0].removesuffix(".py") for path in python("workers")})


def test_contracts_are_kept() -> None:
    run = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize(
    ("package", "never"),
    [
        ("app", (*HEAVY, *(f"workers.{name}" for name in WORKER_PACKAGES if name != "protocol"))),
        ("graftwerk", (*HEAVY, "app", "workers", "fastapi", "sqlalchemy", "celery", "pydantic", "numpy")),
    ],
)
def test_a_package_runs_without(package: str, never: tuple[str, ...]) -> None:
    """Import every module of the package in a fresh interpreter, and look at what came with them."""
    modules = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in python(package)]
    modules = [name for name in modules if not name.endswith("__main__")]
    assert not loaded(modules) & set(never)


@pytest.mark.parametrize(
    ("process", "never"),
    [
        ("workers.__main__", (*HEAVY, "alembic", "app.api", "app.spec.network", "fastapi", "mako", "scipy")),
        ("app.api.__main__", (*HEAVY, "alembic", "mako", "scipy")),
    ],
)
def test_a_process_never_loads(process: str, never: tuple[str, ...]) -> None:
    """It would take memory all the time, for what the process does not do, or does once."""
    assert not loaded([process]) & set(never)


def loaded(modules: list[str]) -> set[str]:
    """Return what a fresh interpreter has loaded after these imports: modules, and their top-level packages."""
    program = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    names = run.stdout.split()
    assert modules[0] in names
    return {*names, *(name.partition(".")[0] for name in names)}
