"""The predictor: answers what trained networks tell of rows, and keeps the last few networks ready.

`serve` is the main function of a child process with limits, since rows and specs are a stranger's.
"""

import gc
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from app.errors import ContentTooLarge, GraftwerkError, InvalidInput, NotPredictable, OutOfMemory
from app.spec.prediction import PredictionOptions
from workers.children import server
from workers.children.server import Request
from workers.prediction.files import InputRows, read_rows
from workers.prediction.forward import predict_rows
from workers.prediction.network import NetworkCache, NetworkSource, TrainedNetwork, load_network
from workers.prediction.requests import RequestBody, parse_prediction
from workers.prediction.responses import render_csv, render_json
from workers.prediction.rows import split_from_rows
from workers.training.devices import set_determinism

Handler = Callable[[Request], dict[str, Any]]


def serve(pipe: Connection, memory: int, limited: bool = True) -> None:
    """Be the child that predicts. Half of its memory is for networks; it ends when it has grown by the other half."""
    cache = NetworkCache(memory // 2)
    server.serve(
        pipe,
        memory if limited else None,
        {"predict": catch_errors(partial(predict, cache)), "named": catch_errors(requested_checkpoint)},
        lambda served, grown: limited and grown - cache.nbytes > memory // 2,
        _warm_up,
    )


def _warm_up() -> None:
    torch.set_num_threads(1)
    set_determinism(True)


def catch_errors(answer: Handler) -> Handler:
    """Return the same answer; where it raises, problems or why the request is refused."""

    def answered(request: Request) -> dict[str, Any]:
        gc.disable()  # rows are many objects without circles: looking for those takes longer than reading them
        try:
            return answer(request)
        except InvalidInput as error:
            return {"problems": [problem.as_dict() for problem in error.problems]}
        except OutOfMemory:
            raise MemoryError from None
        except GraftwerkError as error:
            return {"refused": {"code": error.code, "detail": error.detail, "hint": error.hint}}
        finally:
            gc.enable()

    return answered


def requested_checkpoint(request: Request) -> dict[str, Any]:
    """Return the checkpoint that a document names, if it names one."""
    return {"checkpoint": parse_prediction(_request_body(request), PredictionOptions()).checkpoint}


def predict(cache: NetworkCache, request: Request) -> dict[str, Any]:
    """Write what is told of rows into a file; or return another checkpoint that the body names, to be asked again."""
    body, asked, rows = _request_body(request), PredictionOptions.model_validate(request["asked"]), None
    if request["form"] == "document":
        asked = whole = parse_prediction(body, asked)
        rows = whole.rows
        if whole.checkpoint not in (None, request["checkpoint"]):
            return {"checkpoint": whole.checkpoint}
    trained = _trained_network(cache, request)
    if rows is not None:
        sent = InputRows(split_from_rows(rows, trained.required_columns, trained.dataset_columns), len(rows))
    else:
        sent = read_rows(request["form"], body, trained)
    content = _render_predictions(trained, sent, asked, request)
    if len(content) > request["most_bytes"]:
        detail = f"the answer has {len(content):,} bytes, at most {request['most_bytes']:,} are allowed"
        raise ContentTooLarge(detail, hint="send fewer rows, or ask for labels alone")
    Path(request["target"]).write_bytes(content)
    return {}


def _request_body(request: Request) -> RequestBody:
    return RequestBody(Path(request["body"]), request["media_type"], request["most_rows"])


def _trained_network(cache: NetworkCache, request: Request) -> TrainedNetwork:
    if request["device"] == "cuda" and not torch.cuda.is_available():
        raise NotPredictable("predictions shall be made on a GPU, and this machine has none")
    weights = Path(request["weights"])
    source = NetworkSource(request["job"], request["schema"], weights, Path(request["preparation"]))
    size = weights.stat().st_size if request["checkpoint"] not in cache else 0
    return cache.get(request["checkpoint"], size, lambda: load_network(source, torch.device(request["device"])))


def _render_predictions(trained: TrainedNetwork, sent: InputRows, asked: PredictionOptions, request: Request) -> bytes:
    found = predict_rows(trained, sent.split, sent.count, asked)
    if request["table"]:
        return render_csv(found, trained.formatters, sent.files)
    head: Mapping[str, Any] = {
        **request["told"],
        "outputs": {name: formatter.describe() for name, formatter in trained.formatters.items()},
        "left_out": dict(trained.left_out),
        "files": list(sent.files) or None,
    }
    return render_json(head, found)
