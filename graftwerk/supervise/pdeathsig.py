"""Run a command that gets SIGTERM when the parent process dies (Linux: PR_SET_PDEATHSIG).

Run as a file, ``python -I -S pdeathsig.py PARENT_PID COMMAND…``, it replaces itself by the command. A `preexec_fn`
of `subprocess` would do the same, but is unsafe in a process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # from linux/prctl.h


def main() -> None:
    """Request SIGTERM at the parent's death (Linux only), then run the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:
        sys.exit(1)  # the parent died before the request
    os.execvp(command[0], command)  # noqa: S606 - literal lists, see service.py


if __name__ == "__main__":
    main()
