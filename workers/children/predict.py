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

from app.errors import GraftwerkError, InvalidInput, NotPredictable, OutOfMemory, TooLarge
from app.spec.prediction import Asked
from workers.children import server
from workers.children.server import Request
from workers.prediction.cache import Cache
from workers.prediction.files import Sent, read
from workers.prediction.forward import tell
from workers.prediction.network import Source, Trained, load
from workers.prediction.requests import Body, prediction
from workers.prediction.responses import document, table
from workers.prediction.rows import split_of
from workers.training.devices import set_determinism

Answer = Callable[[Request], dict[str, Any]]


def serve(pipe: Connection, memory: int, limited: bool = True) -> None:
    """Be the child that predicts. Half of its memory is for networks; it ends when it has grown by the other half."""
    cache = Cache(memory // 2)
    server.serve(
        pipe,
        memory if limited else None,
        {"predict": told(partial(predict, cache)), "named": told(named)},
        lambda served, grown: limited and grown - cache.nbytes > memory // 2,
        _warm_up,
    )


def _warm_up() -> None:
    torch.set_num_threads(1)
    set_determinism(True)


def told(answer: Answer) -> Answer:
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


def named(request: Request) -> dict[str, Any]:
    """Return the checkpoint that a document names, if it names one."""
    return {"checkpoint": prediction(_body(request), Asked()).checkpoint}


def predict(cache: Cache, request: Request) -> dict[str, Any]:
    """Write what is told of rows into a file; or return another checkpoint that the body names, to be asked again."""
    body, asked, rows = _body(request), Asked.model_validate(request["asked"]), None
    if request["form"] == "document":
        asked = whole = prediction(body, asked)
        rows = whole.rows
        if whole.checkpoint not in (None, request["checkpoint"]):
            return {"checkpoint": whole.checkpoint}
    trained = _trained(cache, request)
    if rows is not None:
        sent = Sent(split_of(rows, trained.wanted, trained.known), len(rows))
    else:
        sent = read(request["form"], body, trained)
    content = _content(trained, sent, asked, request)
    if len(content) > request["most_bytes"]:
        detail = f"the answer has {len(content):,} bytes, at most {request['most_bytes']:,} are allowed"
        raise TooLarge(detail, hint="send fewer rows, or ask for labels alone")
    Path(request["target"]).write_bytes(content)
    return {}


def _body(request: Request) -> Body:
    return Body(Path(request["body"]), request["media_type"], request["most_rows"])


def _trained(cache: Cache, request: Request) -> Trained:
    if request["device"] == "cuda" and not torch.cuda.is_available():
        raise NotPredictable("predictions shall be made on a GPU, and this machine has none")
    weights = Path(request["weights"])
    source = Source(request["job"], request["schema"], weights, Path(request["preparation"]))
    size = weights.stat().st_size if request["checkpoint"] not in cache else 0
    return cache.get(request["checkpoint"], size, lambda: load(source, torch.device(request["device"])))


def _content(trained: Trained, sent: Sent, asked: Asked, request: Request) -> bytes:
    found = tell(trained, sent.split, sent.count, asked)
    if request["table"]:
        return table(found, trained.meanings, sent.files)
    head: Mapping[str, Any] = {
        **request["told"],
        "outputs": {name: meaning.described() for name, meaning in trained.meanings.items()},
        "left_out": dict(trained.left_out),
        "files": list(sent.files) or None,
    }
    return document(head, found)
