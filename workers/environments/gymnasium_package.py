"""Gymnasium, imported when the first environment is made, and quiet: what it says is for its own users."""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from app.errors import DataError, first_line
from app.spec.data.environments.catalog import ENVIRONMENTS, INSTALL_COMMANDS, Package

if TYPE_CHECKING:
    from gymnasium import Env

POINTER = "/data/name"
# Package of an environment → the modules that Gymnasium imports for it, also where nothing is drawn.
MODULES: Mapping[Package, tuple[str, ...]] = {
    "gymnasium": ("gymnasium",),
    "Box2D": ("Box2D", "pygame"),
    "mujoco": ("mujoco", "imageio"),
}


def is_installed(package: Package) -> bool:
    """Say whether what environments of a package need can be imported here."""
    return all(find_spec(module) is not None for module in MODULES[package])


def make_environment(name: str) -> "Env[Any, Any]":
    """Return one environment by Gymnasium's id, without wrappers. Raises `DataError` if a package is missing."""
    package = ENVIRONMENTS[name].package
    needed: tuple[Package, ...] = ("gymnasium", package)
    missing = next((each for each in needed if not is_installed(each)), None)
    if missing is not None:
        detail = f'"{name}" needs the package {missing}, which this worker has not'
        raise DataError(detail, pointer=POINTER, hint=f"on the worker: {INSTALL_COMMANDS[missing]}")
    with _silence():
        import gymnasium  # noqa: PLC0415 - 50 ms, of jobs with environments alone

        gymnasium.logger.min_level = gymnasium.logger.ERROR
        try:
            if package == "mujoco":
                _silence_mujoco()
            environment: Env[Any, Any] = gymnasium.make(name, disable_env_checker=True).unwrapped
        except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
            hint = f"on the worker: {INSTALL_COMMANDS[package]}"
            raise DataError(f'"{name}" cannot be made: {first_line(error)}', pointer=POINTER, hint=hint) from error
    return environment


def _silence_mujoco() -> None:
    """Drop MuJoCo's warnings, which it writes to the terminal and to a file in the working directory."""
    mujoco = import_module("mujoco")
    mujoco.set_mju_user_warning(lambda message: None)


@contextmanager
def _silence() -> Iterator[None]:
    """Hide warnings, and what is printed: notes of packages about themselves."""
    nothing = io.StringIO()
    with warnings.catch_warnings(), redirect_stdout(nothing), redirect_stderr(nothing):
        warnings.simplefilter("ignore")
        yield
