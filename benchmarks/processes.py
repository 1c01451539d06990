"""The processes of a service under measurement: what each one is, its memory, and the CPU time of all (Linux)."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MIB = 1024  # kB in smaps_rollup
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
ROLES = (  # what a command line names, and what that process is
    ("multiprocessing.resource_tracker", "resource tracker"),
    ("app.forkserver", "forkserver"),
    ("valkey-server", "broker"),
    ("app.api", "API"),
    ("-m workers", "worker"),
    ("graftwerk up", "supervisor"),
)


@dataclass(frozen=True, slots=True)
class MeasuredProcess:
    """One process: its role, its share of the memory that it uses (PSS) and what it alone uses, in MiB."""

    pid: int
    role: str
    pss: float
    private: float


def process_tree(root: int) -> list[int]:
    """Return the ids of a process and all its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    pids = [root]
    for pid in pids:  # grows while it is read
        pids += children.get(pid, [])
    return pids


def measure_memory(root: int) -> list[MeasuredProcess]:
    """Return the memory of a process and all its descendants; of those that end meanwhile nothing is told."""
    pids = process_tree(root)
    return [process for pid in pids if (process := _measure(pid)) is not None]


def cpu_seconds(root: int) -> float:
    """Return the CPU time of a process, its descendants, and those of them that have ended and been waited for."""
    ticks = (map(int, fields[11:15]) for pid in process_tree(root) if (fields := _stat(pid)))
    return sum(map(sum, ticks)) / CLOCK_TICKS


def table_by_role(processes: Sequence[MeasuredProcess]) -> list[dict[str, str | float | int]]:
    """Return one row for each role: how many processes, and their memory in MiB."""
    roles = dict.fromkeys(process.role for process in processes)
    return [_row(role, [process for process in processes if process.role == role]) for role in roles]


def _row(role: str, processes: Sequence[MeasuredProcess]) -> dict[str, str | float | int]:
    pss, private = (round(sum(figures), 1) for figures in zip(*((p.pss, p.private) for p in processes), strict=True))
    return {"process": role, "count": len(processes), "pss_mib": pss, "private_mib": private}


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name: state, parent, …; none if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _measure(pid: int) -> MeasuredProcess | None:
    try:
        figures = dict(_smaps(pid))
    except OSError:
        return None
    private = figures["Private_Clean"] + figures["Private_Dirty"]
    return MeasuredProcess(pid, _role(pid), figures["Pss"] / MIB, private / MIB)


def _smaps(pid: int) -> Iterator[tuple[str, int]]:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        yield name, int(rest.split()[0])


def _role(pid: int) -> str:
    """Return what a process is: children of a forkserver have its command line, and say by their name what they are."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    role = next((role for part, role in ROLES if part in command), command.split(" ")[0])
    name = Path(f"/proc/{pid}/comm").read_text().strip()
    return name if role == "forkserver" and not name.startswith("python") else role
