"""Wall clocks that tests set, of one process or of all: a library that the processes preload."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("wall_clock.c")


@dataclass
class WallClocks:
    """The wall clocks of the processes that were started with `environment`."""

    library: Path
    folder: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs in its environment."""
        return {"LD_PRELOAD": str(self.library), "WALL_CLOCK_FOLDER": str(self.folder)}

    def set(self, seconds: float, *pids: int) -> None:
        """Set the clocks of some processes, or of all others, to so many seconds from the machine's."""
        for name in map(str, pids or ("all",)):
            part = self.folder / f"{name}.part"
            part.write_text(str(seconds))
            part.chmod(0o644)
            part.replace(self.folder / name)

    def reset(self) -> None:
        """Let all processes have the machine's clock."""
        for file in self.folder.iterdir():
            file.unlink()

    @contextmanager
    def preloaded(self) -> Iterator[None]:
        """Start processes under these clocks: whatever this process starts meanwhile."""
        before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def build_wall_clocks(folder: Path, *names: str) -> list[WallClocks]:
    """Compile the library into a folder, and return clocks of these names. The test is skipped without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder.chmod(0o755)
    library = folder / "wall_clock.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True)
    clocks = []
    for name in names:
        (folder / name).mkdir(mode=0o755)
        clocks.append(WallClocks(library, folder / name))
    return clocks
