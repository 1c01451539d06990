"""Messages that no part of the service sends, as bytes in the broker's own form."""

import base64
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.jobs.dispatch import WORK_TASK


class Bomb:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return open, (str(self.path), "w")


def envelope(body: bytes = b"[[], {}, {}]", **changes: Any) -> dict[str, Any]:
    """Return a wake-up as kombu writes it, with changes to its parts."""
    headers = {"lang": "py", "task": WORK_TASK, "id": "0199", "root_id": "0199", "argsrepr": "()", "kwargsrepr": "{}"}
    properties = {
        "correlation_id": "0199",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": "default"},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": "0199",
    }
    whole = {"content-encoding": "utf-8", "content-type": "application/json"}
    made = {"body": base64.b64encode(body).decode(), **whole, "headers": headers, "properties": properties}
    for name, value in changes.items():
        part = {"headers": headers, "properties": properties}.get(name)
        made[name.replace("_", "-")] = {**part, **value} if part is not None and isinstance(value, dict) else value
    return made


def malformed_messages(bomb: Path) -> Mapping[str, bytes]:
    """Return the messages by what is wrong with them."""
    pickled = pickle.dumps(Bomb(bomb))
    shapes: dict[str, Any] = {f"the JSON {json.dumps(value)}": value for value in ({}, [], "x", None, 1, True, [[]])}
    shapes |= {
        f"an envelope without {name}": {key: value for key, value in envelope().items() if key != name}
        for name in envelope()
    }
    parts = ("headers", "properties", "body")
    shapes |= {f"{name} as {value!r}": {**envelope(), name: value} for name in parts for value in (None, [], "x", 5)}
    shapes |= {
        "properties that are empty": envelope() | {"properties": {}},
        "headers that are empty": envelope() | {"headers": {}},
        "an unknown task": envelope(headers={"task": "os.system"}),
        "a task that is no text": envelope(headers={"task": {"a": 1}}),
        "an id that is no text": envelope(headers={"id": {"a": 1}}),
        "an unknown content type": envelope(content_type="application/x-unknown"),
        "an unknown encoding": envelope(content_encoding="klingon"),
        "a content type that is no text": envelope(content_type=[1]),
        "a body that is no base64": envelope() | {"body": "?"},
        "a body that is no JSON": envelope(b"{["),
        "a body of another shape": envelope(b'{"a": 1}'),
        "a body of too many arguments": envelope(b"[[1, 2, 3], {}, {}]"),
        "a body with unknown names": envelope(b'[[], {"x": 1}, {}]'),
        "a body that nests deep": envelope(b"[" * 100_000 + b"]" * 100_000),
        "a body with callbacks": envelope(b'[[], {}, {"callbacks": [{"task": "x"}], "chord": 5, "chain": "x"}]'),
        "a pickled body": envelope(pickled, content_type="application/x-python-serialize", content_encoding="binary"),
        "a pickled body that says JSON": envelope(pickled),
        "a yaml body": envelope(b"!!python/object/apply:os.getpid []", content_type="application/x-yaml"),
        "ten megabytes": envelope(json.dumps([["x" * 10_000_000], {}, {}]).encode()),
        "an eta far away": envelope(headers={"eta": "9999-12-31T23:59:59+00:00"}),
        "an eta that is no time": envelope(headers={"eta": "soon"}),
        "an eta that is a number": envelope(headers={"eta": 10**30}),
        "an expiry that is no time": envelope(headers={"expires": "never"}),
        "an expiry long ago": envelope(headers={"expires": "0001-01-01T00:00:00"}),
        "retries beyond any": envelope(headers={"retries": 10**30, "timelimit": [10**30, -1]}),
        "a time limit that is none": envelope(headers={"timelimit": "x"}),
        "absurd headers": envelope(headers={"x" * 10_000: ["\ud800"], "group": {}, "shadow": 5, "stamps": 7}),
        "a priority beyond any": envelope(properties={"priority": 10**30}),
        "a delivery tag that is no text": envelope(properties={"delivery_tag": {"a": 1}}),
        "a delivery without a route": envelope(properties={"delivery_info": None}),
        "a reply to somewhere": envelope(properties={"reply_to": "nowhere", "correlation_id": None}),
        "a mark of a type": {"__type__": "uuid", "__value__": 5},
        "a mark of a time": {"__type__": "datetime", "__value__": []},
        "a mark of a number": {"__type__": "decimal", "__value__": "x"},
        "compression that is not there": envelope(headers={"compression": "application/x-gzip"}),
    }
    raw = {"nothing": b"", "random bytes": bytes(range(256)) * 40, "half a message": b'{"body": "W10=", "head'}
    raw |= {"pickled bytes": pickled, "deep brackets": b"[" * 100_000}
    return raw | {name: json.dumps(value).encode() for name, value in shapes.items()}
