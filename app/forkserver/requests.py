"""What a client sends to a fork server: one request for each process, with one end of a pipe."""

import json
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection

GO = b"go"  # to a child, from a client that knows its id
Argument = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class StartRequest:
    """A process to start: it runs the server's main function of that name, with the pipe and the arguments.

    `folder` is where it keeps temporary files.
    """

    name: str
    args: Sequence[Argument]
    folder: str

    def send(self, link: socket.socket, pipe: Connection) -> Connection:
        """Send the request and the pipe; return the link, over which the answers come as text.

        They are the process's id and, when it has ended, its exit code. The process waits for `GO`: a client that did
        not hear of it, since the server died, starts another one.
        """
        socket.send_fds(link, [b"\0"], [pipe.fileno()])
        answers = Connection(link.detach())
        answers.send_bytes(json.dumps(asdict(self)).encode())
        return answers


def receive_request(link: socket.socket) -> tuple[StartRequest, int, Connection]:
    """Return a request, the descriptor of its pipe, and the link for the answers.

    Raises `EOFError` or `OSError` if the client has gone.
    """
    _, (descriptor, *_), _, _ = socket.recv_fds(link, 1, 1)
    answers = Connection(link.detach())
    return StartRequest(**json.loads(answers.recv_bytes())), descriptor, answers
