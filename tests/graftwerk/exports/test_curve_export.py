"""Exports of a job's curves through both clients, and what the programs read that they are for."""

import json
import math
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import httpx
import pytest

from graftwerk.errors import InvalidData, Unreachable
from graftwerk.exports.forms import CURVE_FORMS, CurveExport
from graftwerk.exports.run import Run
from graftwerk.types import Point
from tests.graftwerk.client_kinds import ClientKind
from tests.graftwerk.exports.event_file import read_records
from tests.graftwerk.exports.test_records import parse
from tests.graftwerk.scripted_transport import ChunkedStream, job_document

SPEC = {
    "name": "digits",
    "metadata": {"team": "vision"},
    "model": {"layers": [{"kind": "Linear", "out_features": 10}]},
    "training": {"optimizer": {"kind": "SGD", "lr": 0.1}, "shuffle": True, "loss_scale": None},
}
DOCUMENT: dict[str, Any] = {
    "name": "../di gits/é",
    "spec": SPEC,
    "metadata": {"team": "vision", "../up": "text"},
    "created_at": "2026-01-01T00:00:00.000Z",
    "started_at": "2026-01-01T00:00:01.500Z",
    "finished_at": "2026-01-01T00:01:00.000Z",
}
VALUES = [0.5, math.nan, math.inf, -math.inf, 1e-300, 0.1]
POINTS = [
    Point(series, step, value, 1.7e9 + step + 0.25, float(step))
    for series in ("train/loss", "val/loss")
    for step, value in enumerate(VALUES, start=1)
]


def lines(points: list[Point]) -> bytes:
    texts = {math.inf: "Infinity", -math.inf: "-Infinity"}
    documents = [
        point._asdict() | {"value": "NaN" if math.isnan(point.value) else texts.get(point.value, point.value)}
        for point in points
    ]
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def stream(*pieces: bytes, broken: bool = False) -> httpx.Response:
    return httpx.Response(200, stream=ChunkedStream(*pieces, broken=broken))


def same(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))


def assert_same_points(found: list[Point], expected: list[Point]) -> None:
    assert [(each.series, each.step, each.time) for each in found] == [(p.series, p.step, p.time) for p in expected]
    assert all(same(one.value, other.value) for one, other in zip(found, expected, strict=True))


def test_points_are_yielded_once_however_often_the_connection_breaks(api: ClientKind) -> None:
    content = lines(POINTS)
    grown = lines(POINTS[:6]) + lines([Point("train/loss", 7, 0.01, 1.7e9, 7.0)]) + lines(POINTS[6:])
    job, script = api.job(
        stream(content[:200], broken=True),
        httpx.ConnectError("restarting"),
        stream(content[:900], broken=True),
        stream(grown),
    )
    found = list(job.points(["train/loss", "val/loss"]))
    assert_same_points([point for point in found if point.step < 7], POINTS)
    assert [point.step for point in found if point.step == 7] == [7]
    assert {request.url.params["names"] for request in script.requests} == {"train/loss,val/loss"}
    assert {request.headers["Accept"] for request in script.requests} == {"application/x-ndjson"}
    assert len(api.pauses) == 3


def exported(api: ClientKind, form: str, folder: Path, points: list[Point] = POINTS) -> Path:
    job, _ = api.job(stream(lines(points)), status="succeeded", **DOCUMENT)
    path = job.export_curves(form, folder)
    assert path.parent == folder
    assert path.name == "di-gits-é-job_1"
    assert [each.name for each in folder.iterdir()] == [path.name]
    return path


def test_event_files_have_every_point(api: ClientKind, tmp_path: Path) -> None:
    (file,) = exported(api, "tensorboard", tmp_path / "new").iterdir()
    assert file.name.startswith("events.out.tfevents.")
    events = [parse("Event", record) for record in read_records(file.read_bytes())]
    assert events[0].file_version == "brain.Event:2"
    values = [(event, value) for event in events for value in event.summary.value if value.HasField("simple_value")]
    found = [Point(value.tag, event.step, value.simple_value, event.wall_time, 0.0) for event, value in values]
    assert [(each.series, each.step, each.time) for each in found] == [(p.series, p.step, p.time) for p in POINTS]
    rounded = [pytest.approx(point.value, abs=1e-7, nan_ok=True) for point in POINTS]
    assert [each.value for each in found] == rounded


def test_the_file_store_has_every_point(api: ClientKind, tmp_path: Path) -> None:
    (run,) = [path for path in (exported(api, "mlflow", tmp_path) / "0").iterdir() if path.is_dir()]
    found = []
    for name in ("train/loss", "val/loss"):
        for line in (run / "metrics" / name).read_text().splitlines():
            time, value, step = line.split(" ")
            found.append(Point(name, int(step), float(value), int(time) / 1000, 0.0))
    assert_same_points(found, POINTS)
    meta = json.loads((run / "meta.yaml").read_text())
    assert (meta["run_name"], meta["status"], meta["start_time"], meta["end_time"]) == (
        DOCUMENT["name"],
        3,
        1767225601500,
        1767225660000,
    )
    parameters = {path.name: path.read_text() for path in (run / "params").iterdir()}
    assert parameters == {
        "model.layers.0.kind": "Linear",
        "model.layers.0.out_features": "10",
        "training.optimizer.kind": "SGD",
        "training.optimizer.lr": "0.1",
        "training.shuffle": "True",
    }
    assert (run / "tags" / "...up").read_text() == "text"
    assert (run / "tags" / "mlflow.runName").read_text() == DOCUMENT["name"]


def test_lines_of_json_are_the_requests_of_the_rest_api(api: ClientKind, tmp_path: Path) -> None:
    (file,) = exported(api, "mlflow_json", tmp_path, [p._replace(step=s) for s in range(200) for p in POINTS]).iterdir()
    requests = [json.loads(line, parse_constant=pytest.fail) for line in file.read_text().splitlines()]
    assert [each["endpoint"] for each in requests] == ["runs/create", *["runs/log-batch"] * 4, "runs/update"]
    metrics = [metric for each in requests for metric in each["body"].get("metrics", ())]
    assert [len(each["body"].get("metrics", ())) for each in requests] == [0, 0, 1000, 1000, 400, 0]
    assert [metric["value"] for metric in metrics[:6]] == [0.5, "NaN", "Infinity", "-Infinity", 1e-300, 0.1]
    assert metrics[0] == {"key": "train/loss", "value": 0.5, "timestamp": 1700000001250, "step": 0}
    assert requests[-1]["body"] == {"status": "FINISHED", "end_time": 1767225660000}


@pytest.mark.parametrize("form", CURVE_FORMS)
def test_a_second_export_takes_the_place_of_the_first(api: ClientKind, form: str, tmp_path: Path) -> None:
    exported(api, form, tmp_path)
    first = sorted(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    exported(api, form, tmp_path, POINTS[:3])
    second = sorted(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert 0 < sum(map(len, second)) < sum(map(len, first))


def test_a_job_of_a_list_is_read_whole(api: ClientKind, tmp_path: Path) -> None:
    summary = {name: value for name, value in DOCUMENT.items() if name != "spec"}
    job, script = api.job(job_document(**DOCUMENT), stream(lines(POINTS)), **summary)
    (file,) = job.export_curves("mlflow_json", tmp_path).iterdir()
    assert "training.optimizer.lr" in file.read_text()
    assert [request.url.path for request in script.requests] == ["/v1/jobs/job_1", "/v1/jobs/job_1/metrics"]


@pytest.mark.parametrize("form", CURVE_FORMS)
def test_an_export_that_fails_leaves_what_was_there(api: ClientKind, form: str, tmp_path: Path) -> None:
    before = exported(api, form, tmp_path)
    job, _ = api.job(stream(lines(POINTS[:3]), broken=True), *[httpx.ConnectError("gone")] * 10, **DOCUMENT)
    with pytest.raises(Unreachable):
        job.export_curves(form, tmp_path)
    assert list(tmp_path.iterdir()) == [before]


def test_another_form_is_refused(api: ClientKind, tmp_path: Path) -> None:
    job, script = api.job()
    with pytest.raises(InvalidData, match="tensorboard, mlflow"):
        job.export_curves("excel", tmp_path)
    assert script.requests == []


@pytest.mark.parametrize("form", CURVE_FORMS)
def test_memory_does_not_grow_with_the_points(form: str, tmp_path: Path) -> None:
    """Four times the points, and about the same peak."""
    peaks = []
    for count in (1_500, 6_000):
        export = CurveExport(form, tmp_path / str(count), Run.from_document(job_document(**DOCUMENT)))
        tracemalloc.start()
        for step in range(count):
            export.writer.write(Point("train/loss", step, 0.5, 1.7e9, 0.0))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        export.finish()
    assert peaks[1] < peaks[0] + 200_000


READ_BACK = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0})
events.Reload()
tags = events.Tags()["scalars"]
print(json.dumps({tag: [[e.step, e.wall_time, repr(e.value)] for e in events.Scalars(tag)] for tag in tags}))
from tensorboard.plugins.hparams import plugin_data_pb2
content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
print(json.dumps({name: value.number_value or value.string_value for name, value in start.hparams.items()}))
print(json.dumps(events.Tensors("job/text_summary")[0].tensor_proto.string_val[0].decode()))
"""


def test_tensorboard_itself_reads_every_point(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    export = CurveExport("tensorboard", tmp_path, Run.from_document(job_document(**DOCUMENT)))
    for point in POINTS:
        export.writer.write(point)
    read = subprocess.run(
        [sys.executable, "-c", READ_BACK, str(export.finish())],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    assert read.returncode == 0, read.stderr
    scalars, parameters, text = map(json.loads, read.stdout.splitlines()[-3:])
    found = [
        Point(series, step, float(value), time, 0.0) for series, rows in scalars.items() for step, time, value in rows
    ]
    assert [(each.series, each.step, each.time) for each in found] == [(p.series, p.step, p.time) for p in POINTS]
    assert [each.value for each in found] == [pytest.approx(p.value, abs=1e-7, nan_ok=True) for p in POINTS]
    assert parameters["training.optimizer.lr"] == 0.1
    assert parameters["model.layers.0.kind"] == "Linear"
    assert "| training.optimizer.kind | SGD |" in text
