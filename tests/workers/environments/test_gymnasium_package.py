"""Packages that environments need: what is said where they are missing, and that nobody pays for those of others."""

import subprocess
import sys

import pytest

from app.errors import DataError
from app.spec.data.environments.catalog import ENVIRONMENTS
from workers.environments import gymnasium_package
from workers.environments.gymnasium_package import is_installed, make_environment


@pytest.mark.parametrize(
    ("name", "module", "package", "command"),
    [
        ("Hopper-v5", "mujoco", "mujoco", 'pip install "graftwerk[mujoco]"'),
        ("Hopper-v5", "imageio", "mujoco", 'pip install "graftwerk[mujoco]"'),
        ("LunarLander-v3", "Box2D", "Box2D", 'pip install "graftwerk[box2d]"'),
        ("LunarLander-v3", "pygame", "Box2D", 'pip install "graftwerk[box2d]"'),
        ("Pendulum-v1", "gymnasium", "gymnasium", "pip install gymnasium"),
    ],
)
def test_a_missing_package_is_named(
    name: str, module: str, package: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gymnasium_package, "find_spec", lambda searched: None if searched == module else object())
    with pytest.raises(DataError) as raised:
        make_environment(name)
    assert raised.value.detail == f'"{name}" needs the package {package}, which this worker has not'
    assert raised.value.hint == f"on the worker: {command}"
    assert raised.value.pointer == "/data/name"


def test_a_package_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a wheel for another system would be."""
    if is_installed("mujoco"):
        pytest.skip("it can be imported here")
    monkeypatch.setattr(gymnasium_package, "find_spec", lambda searched: object())
    with pytest.raises(DataError, match=r'"Hopper-v5" cannot be made: .*mujoco') as raised:
        make_environment("Hopper-v5")
    assert "graftwerk[mujoco]" in raised.value.hint


def test_gymnasium_is_imported_with_the_first_environment() -> None:
    """Neither the API nor a worker nor an attempt without environments pays for it."""
    source = (
        "import sys, app.api.main, workers.host.worker, workers.environments.build, workers.runner.main\n"
        "print('gymnasium' in sys.modules)\n"
        "from workers.environments.gymnasium_package import make_environment\n"
        "make_environment('Pendulum-v1'); print('gymnasium' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "True"]
    assert not result.stderr


def test_all_packages_are_known() -> None:
    assert {row.package for row in ENVIRONMENTS.values()} == set(gymnasium_package.MODULES)
