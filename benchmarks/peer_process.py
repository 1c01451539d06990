"""A process of another interpreter that trains on request, for peers with an environment of their own."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


class PeerProcess:
    """A running process: it answers every line with a document in JSON, and begins with one that has its `release`."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        self._name, self._process = name, process
        self.release = str(self._read()["release"])

    def ask(self, request: object) -> dict[str, Any]:
        """Send a request as a line of JSON; return the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the process of {self._name} ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def run_peer(
    name: str, python: Path, script: str, variables: Mapping[str, str] = NO_VARIABLES, folder: str | None = None
) -> Iterator[PeerProcess]:
    """Run a script by an interpreter, on one thread, in a folder."""
    command, pipe = [str(python.absolute()), str(Path(script).absolute())], subprocess.PIPE
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | variables
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=pipe, stdout=pipe, text=True)
    try:
        yield PeerProcess(name, process)
    finally:
        process.terminate()
        process.wait(30)
