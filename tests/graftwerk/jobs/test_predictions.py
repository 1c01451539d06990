"""Asking a job's network through the client."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from graftwerk.errors import InvalidData
from graftwerk.jobs import Job
from graftwerk.jobs.predictions import MEDIA_TYPES
from tests.graftwerk.client_kinds import ClientKind
from tests.graftwerk.scripted_transport import ScriptedTransport, job_document, problem_response

ANSWER: dict[str, Any] = {
    "job": "job_1",
    "checkpoint": "ckpt_1",
    "step": 7,
    "left_out": {},
    "files": None,
    "outputs": {"output": {"about": "classes", "target": "y", "loss": "CrossEntropyLoss", "labels": ["a", "b"]}},
    "predictions": [{"output": {"label": "a", "probability": 0.75}}, {"output": {"label": "b", "probability": 0.5}}],
}


def asked(api: ClientKind, *answers: httpx.Response) -> tuple[Job, ScriptedTransport]:
    client, script = api.client(job_document(), *(answers or (ANSWER,)))
    return client.jobs.get("job_1"), script


def test_rows_are_sent_as_json(api: ClientKind) -> None:
    one, script = asked(api)
    found = one.predict([{"x": 1.5}, {"x": None}], checkpoint="ckpt_1", outputs=("labels", "raw"), top=3)
    sent = script.requests[1]
    assert (sent.method, sent.url.path) == ("POST", "/v1/jobs/job_1/predict")
    assert dict(sent.url.params) == {"checkpoint": "ckpt_1", "outputs": "labels,raw", "top": "3"}
    assert json.loads(sent.content) == {"rows": [{"x": 1.5}, {"x": None}]}
    assert [row["output"]["label"] for row in found] == ["a", "b"]
    assert (len(found), found.checkpoint, found.step) == (2, "ckpt_1", 7)


def test_samples_are_counted(api: ClientKind) -> None:
    drawn = ANSWER | {"predictions": [{"sample": {"image": base64.b64encode(each).decode()}} for each in (b"a", b"b")]}
    one, script = asked(api, httpx.Response(200, json=drawn))
    found = one.predict(count=2, select=["sample", "other"], seed=3, outputs="image")
    assert json.loads(script.requests[1].content) == {"count": 2}
    assert dict(script.requests[1].url.params) == {"outputs": "image", "select": "sample,other", "seed": "3"}
    assert found.images() == found.images("sample") == [b"a", b"b"]
    with pytest.raises(KeyError, match="sample"):
        found.images("other")


def test_arrays_and_bytes_are_values(api: ClientKind) -> None:
    one, script = asked(api)
    one.predict([{"x": np.array([[1, 2]]), "image": b"\x89PNG", "n": np.float32(0.5)}])
    (row,) = json.loads(script.requests[1].content)["rows"]
    assert row == {"x": [[1, 2]], "image": base64.b64encode(b"\x89PNG").decode(), "n": 0.5}
    with pytest.raises(TypeError, match="set cannot be a value of a row"):
        asked(api)[0].predict([{"x": {1}}])


@pytest.mark.parametrize("suffix", MEDIA_TYPES)
def test_a_file_is_sent_as_it_is(api: ClientKind, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix.upper()}"
    path.write_bytes(b"whatever \xff")
    one, script = asked(api)
    one.predict(file=path)
    sent = script.requests[1]
    assert (sent.content, sent.headers["Content-Type"]) == (b"whatever \xff", MEDIA_TYPES[suffix])
    assert sent.headers["Accept"] == "application/json"


def test_the_service_reads_every_media_type() -> None:
    from app.spec.prediction import ROW_FORMATS

    assert set(MEDIA_TYPES.values()) <= ROW_FORMATS.keys()


def test_a_table(api: ClientKind, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x\n1\n")
    one, script = asked(api, httpx.Response(200, text="output.label\na\n"))
    assert one.predict_csv(file=tmp_path / "rows.csv", outputs="labels") == "output.label\na\n"
    assert script.requests[1].headers["Accept"] == "text/csv"


def test_what_is_no_question(api: ClientKind, tmp_path: Path) -> None:
    one, _ = asked(api)
    for given in ({}, {"rows": [{}], "file": "rows.csv"}, {"rows": [{}], "count": 2}, {"file": tmp_path / "rows.doc"}):
        with pytest.raises(InvalidData):
            one.predict(**given)  # type: ignore[arg-type]


def test_a_busy_service_is_asked_again(api: ClientKind) -> None:
    one, script = asked(
        api, problem_response(503, "overloaded", headers={"Retry-After": "0"}), httpx.Response(200, json=ANSWER)
    )
    assert len(one.predict([{"x": 1}])) == 2
    assert len(script.requests) == 3
