"""The main functions of the child processes, which answer one request after the other within limits.

Documents and files are not trusted: whatever they bring about is a response.
"""

import gc
import os
import resource
import select
import signal
import threading
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from app.disk.capacity import is_disk_full
from app.errors import GraftwerkError, InvalidInput, NotExportable, OutOfMemory, StorageFull
from workers.children import describe, evaluate, export, inspect, measure, predict, query, revise
from workers.children.memory import GrowthLimit, limit_growth
from workers.prediction.network import NetworkCache
from workers.protocol.child_requests import (
    REQUESTS,
    RESPONSES,
    CheckpointRequest,
    ChildResponse,
    DescribeRequest,
    EvaluateRequest,
    ExportRequest,
    FailureResponse,
    InspectRequest,
    InvalidResponse,
    MeasureRequest,
    PredictRequest,
    QueryRequest,
    ReadyResponse,
    RefusedResponse,
    ReviseRequest,
)

MAX_INSPECTIONS = 1000  # after so many requests an inspector is replaced
MAX_REASON_LENGTH = 500
PREDICTOR_NICENESS, BATCH_NICENESS = 5, 10  # beside 0 of the API: a third, and a tenth, of its share of a busy core

Handlers = Mapping[type, Callable[[Any], ChildResponse]]  # the class of a request → what answers it

INSPECTOR_HANDLERS: Handlers = {
    InspectRequest: inspect.handle,
    QueryRequest: query.handle,
    ReviseRequest: revise.handle,
    DescribeRequest: describe.handle,
    ExportRequest: export.handle,
}


def serve_inspector(pipe: Connection, memory: int) -> None:
    """Inspect, describe and export. The process ends after many requests, or if it keeps half of its memory."""
    _ignore_interrupts()
    inspect.warm_up()
    growth = GrowthLimit(memory // 2)
    _serve(pipe, memory, INSPECTOR_HANDLERS, lambda requests: requests >= MAX_INSPECTIONS or growth.is_exceeded())


def serve_one_request(pipe: Connection, memory: int) -> None:
    """Do as `serve_inspector` does, for what takes long: the API, inspections and training come before it."""
    os.nice(BATCH_NICENESS)
    serve_inspector(pipe, memory)


def serve_predictor(pipe: Connection, memory: int, limited: bool = True) -> None:
    """Predict. Half of the memory is for networks; the process ends if it keeps the other half, too."""
    os.nice(PREDICTOR_NICENESS)
    _ignore_interrupts()
    predict.warm_up()
    cache = NetworkCache(memory // 2)
    handlers: Handlers = {
        PredictRequest: partial(predict.handle, cache),
        EvaluateRequest: evaluate.handle,
        MeasureRequest: measure.handle,
        CheckpointRequest: predict.requested_checkpoint,
    }
    growth = GrowthLimit(memory // 2)
    _serve(pipe, memory if limited else None, handlers, lambda _: limited and growth.is_exceeded(cache.nbytes))


def serve_gpu_predictor(pipe: Connection, memory: int) -> None:
    """Predict, without a limit of the process's memory: CUDA maps far more than it uses."""
    serve_predictor(pipe, memory, limited=False)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the API, which then closes the pipe


def _serve(pipe: Connection, memory: int | None, handlers: Handlers, should_exit: Callable[[int], bool]) -> None:
    """Send a `ReadyResponse` and answer requests until the pipe closes, or the number of requests says to exit.

    The process may take `memory` bytes more than it has now, unless that is `None`.
    """
    gc.freeze()  # a collection need not walk all of torch
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_exit_with_service, args=(pipe.fileno(),), name="service", daemon=True).start()
    if memory is not None:
        limit_growth(memory)
    pipe.send_bytes(RESPONSES.encode(ReadyResponse()))
    requests = 0
    while not should_exit(requests):
        try:
            body = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        pipe.send_bytes(handle_request(body, handlers))
        requests += 1


def _exit_with_service(pipe: int) -> None:
    """Wait until the other end of the pipe is closed, and end the process: nobody wants what it writes any more."""
    hang_up = select.poll()
    hang_up.register(pipe, 0)  # no event but the hang-up, which is always told
    hang_up.poll()
    os._exit(os.EX_UNAVAILABLE)


def handle_request(body: bytes, handlers: Handlers) -> bytes:
    """Return the encoded response to an encoded request: that of its handler, or what the handler's error means."""
    try:
        request = REQUESTS.decode(body)
        return RESPONSES.encode(handlers[type(request)](request))
    except (InvalidInput, NotExportable) as error:
        response: ChildResponse = InvalidResponse(tuple(error.problems))
    except (MemoryError, OutOfMemory, SystemError):  # an extension may fail without an exception if memory is short
        response = FailureResponse("memory")
    except GraftwerkError as error:
        response = RefusedResponse(error.code, error.detail, error.hint)
    except Exception as error:
        if is_disk_full(error):
            response = RefusedResponse(StorageFull.code, f"no room for the result: {error}"[:MAX_REASON_LENGTH], "")
        else:
            response = FailureResponse(f"{type(error).__name__}: {error}"[:MAX_REASON_LENGTH])
    return RESPONSES.encode(response)
