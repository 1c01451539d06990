"""Predictions of jobs that were really trained, on columns of every type: as rows, together and apart, and as files."""

import base64
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.sample_dataset import TRAINING_PLAN, SampleDataset
from tests.app.api.sample_datasets import SAMPLE_DATASETS
from tests.app.api.sample_files import png_bytes, zip_bytes
from tests.app.api.trained_jobs import train_job


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def job_on(api: Api, anna: Client, data: SampleDataset) -> str:
    """Upload a data set and train a job on it; returns where its predictions are."""
    made = anna.post("/v1/datasets", json={"name": "rows", "source": {"kind": "upload", **data.source}})
    assert made.status_code == 201, made.text
    sent = anna.put(f"{made.headers['location']}/content", content=data.content)
    assert sent.status_code == 200, sent.text
    spec = {
        "model": data.model,
        "objective": data.objective,
        "training": TRAINING_PLAN,
        "data": {"kind": "dataset", "id": made.json()["id"], **data.options},
    }
    return f"/v1/jobs/{train_job(api, anna, spec)}/predict"


def asked(anna: Client, path: str, rows: list[dict[str, Any]], **asked: Any) -> list[dict[str, Any]]:
    """Return what is told of rows."""
    response = anna.post(path, json={"rows": rows, **asked})
    assert response.status_code == 200, response.text
    return [row["output"] for row in response.json()["predictions"]]


def same(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    """Check that two answers are the same but for rounding."""
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one["raw"], other["raw"], atol=1e-6)


@pytest.mark.parametrize("name", SAMPLE_DATASETS)
def test_rows_of_every_type(api: Api, anna: Client, name: str) -> None:
    data = SAMPLE_DATASETS[name]()
    path = job_on(api, anna, data)
    whole = asked(anna, path, data.rows, outputs=["labels", "raw"])
    assert len(whole) == len(data.rows)
    assert all(data.prediction_field in row for row in whole)
    same(whole, [told for row in data.rows for told in asked(anna, path, [row], outputs="raw")])
    same(whole, asked(anna, path, data.rows, outputs="raw", batch_size=1))
    for media_type, content in data.files.items():
        sent = anna.post(path, content=content, headers={"Content-Type": media_type}, params={"outputs": "raw"})
        assert sent.status_code == 200, (media_type, sent.text)
        same(whole, [row["output"] for row in sent.json()["predictions"]])
    table = anna.post(path, json={"rows": data.rows}, headers={"Accept": "text/csv"})
    assert table.headers["content-type"].startswith("text/csv")
    assert len(table.text.splitlines()) == 1 + len(data.rows)
    assert table.text.startswith(f"output.{data.prediction_field}")


def test_what_tables_get_wrong_has_a_place(api: Api, anna: Client) -> None:
    data = SAMPLE_DATASETS["table"]()
    path = job_on(api, anna, data)

    def found(content: bytes, media_type: str) -> list[tuple[str, str]]:
        document = assert_problem(
            anna.post(path, content=content, headers={"Content-Type": media_type}), 422, "invalid_input"
        )
        return [(each["pointer"], each["code"]) for each in document["errors"]]

    assert found(b"age,height,twon\n1,2,x\n", "text/csv") == [("/twon", "unknown_column"), ("/town", "missing_column")]
    assert found(b"age,height,town\n1,2,x\n1,2\n1,2,3,4\n", "text/csv") == [
        ("/3", "columns_differ"),
        ("/4", "columns_differ"),
    ]
    assert found(b"age,height,town\n1,2,x\nold,1e999,y\n", "text/csv") == [
        ("/rows/1/age", "wrong_type"),
        ("/rows/1/height", "out_of_range"),
    ]
    assert found(b"age,height,town\n", "text/csv") == [("/rows", "no_rows")]
    assert found(b'age,height,town\n1,2,"x\n', "text/csv") == [("/2", "unreadable")]
    assert found(b"\xff\xfea", "text/csv") == [("/1", "wrong_encoding")]
    assert found(b"", "text/csv") == [("", "no_columns")]
    assert found(b'{"age": NaN}\n[]\n{"age": 1, "age": 2}\n', "application/x-ndjson") == [
        ("/1", "not_json"),
        ("/2", "not_an_object"),
        ("/3", "not_json"),
    ]
    assert found(b"\n", "application/x-ndjson") == [("/rows", "no_rows")]
    assert found(b"PAR1 and nothing else", "application/vnd.apache.parquet") == [("", "unreadable")]
    assert found(b"(1 good)\n(0 bad)", "text/plain")[0] == ("/(1", "unknown_column")
    assert found(png_bytes(3), "image/png") == [("", "wrong_format")]
    rows = [{"age": "x", "height": 1, "town": 3}, {"age": 1, "hight": 2, "town": []}]
    document = assert_problem(anna.post(path, json={"rows": rows}), 422, "invalid_input")
    assert [(each["pointer"], each["code"]) for each in document["errors"]] == [
        ("/rows/0/age", "wrong_type"),
        ("/rows/1/hight", "unknown_column"),
        ("/rows/1/height", "missing_column"),
        ("/rows/1/town", "wrong_type"),
    ]
    assert document["errors"][1]["hint"] == 'did you mean "height"?'
    with_target = anna.post(path, content=b"group,age,height,town\nold,1,2,x\n", headers={"Content-Type": "text/csv"})
    assert with_target.status_code == 200, with_target.text


def encode(pixels: np.ndarray, mode: str | None = None, **options: Any) -> bytes:
    """Return the file of an image."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels), mode).save(file, "PNG", **options)
    return file.getvalue()


def test_pictures_as_files(api: Api, anna: Client) -> None:
    path = job_on(api, anna, SAMPLE_DATASETS["small_pictures"]())
    one = anna.post(path, content=png_bytes(180), headers={"Content-Type": "image/png"})
    assert one.json()["predictions"][0]["output"]["label"] == "light"
    archive = zip_bytes({"b/2.png": png_bytes(170), "a/1.png": png_bytes(10)})
    several = anna.post(path, content=archive, headers={"Content-Type": "application/zip"})
    assert several.json()["files"] == ["a/1.png", "b/2.png"]
    assert [row["output"]["label"] for row in several.json()["predictions"]] == ["dark", "light"]
    table = anna.post(path, content=archive, headers={"Content-Type": "application/zip", "Accept": "text/csv"})
    assert table.text.splitlines()[1].startswith("a/1.png,dark,")

    turned = np.rot90(np.array(Image.open(io.BytesIO(png_bytes(180)))))
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = encode(turned, exif=exif)
    hidden = [np.full((4, 4, 2), (value, 255), np.uint8) for value in (10, 240)]
    for number, pixels in enumerate(hidden):
        pixels[1:, 1:] = (100, 255)
        pixels[0] = (200 * number, 0)  # what lies under transparent pixels
        pixels[:, 0] = (255 * number, 0)
    for pictures in ([png_bytes(180), upright], [encode(pixels, mode="LA") for pixels in hidden]):
        sent = zip_bytes({f"{number}.png": picture for number, picture in enumerate(pictures)})
        both = anna.post(path, content=sent, headers={"Content-Type": "application/zip"}, params={"outputs": "raw"})
        first, second = (row["output"]["raw"] for row in both.json()["predictions"])
        assert first == second
        rows = [{"image": base64.b64encode(picture).decode()} for picture in pictures]
        assert [row["raw"] for row in asked(anna, path, rows, outputs="raw")] == [first, first]

    def found(content: bytes, media_type: str = "application/zip") -> list[tuple[str, str]]:
        document = assert_problem(
            anna.post(path, content=content, headers={"Content-Type": media_type}), 422, "invalid_input"
        )
        return [(each["pointer"], each["code"]) for each in document["errors"]]

    assert found(zip_bytes({"a.png": b"no picture", "scan.tiff": b""})) == [("/scan.tiff", "unknown_file")]
    assert found(zip_bytes({"a.png": b"no picture", "b.png": png_bytes(1)})) == [("/a.png", "not_an_image")]
    assert found(zip_bytes({"a.png": png_bytes(1, 9, 9)})) == [("/rows/0/image", "wrong_shape")]
    assert found(zip_bytes({})) == [("/rows", "no_rows")]
    assert found(zip_bytes({"../a.png": png_bytes(1)}))[0][1] == "unsafe_name"
    assert found(b"no archive") == [("", "unreadable")]
    assert found(b"no picture", "image/png") == [("/rows/0/image", "not_an_image")]
    assert found(png_bytes(1, 9, 9), "image/png") == [("/rows/0/image", "wrong_shape")]


def test_pictures_of_one_size_are_asked_about_in_any_size(api: Api, anna: Client) -> None:
    data = SAMPLE_DATASETS["small_pictures"]()
    resized = replace(data, options={"transforms": [{"kind": "Resize", "size": [4, 4]}]})
    path = job_on(api, anna, resized)
    pictures = [png_bytes(10), png_bytes(180, 9, 7), png_bytes(90, 2, 3)]
    rows = [{"image": base64.b64encode(picture).decode()} for picture in pictures]
    together = asked(anna, path, rows, outputs="raw")
    same(together, [told for row in rows for told in asked(anna, path, [row], outputs="raw")])
    sent = zip_bytes({f"{number}.png": picture for number, picture in enumerate(pictures)})
    for media_type, content in (("application/zip", sent), ("application/octet-stream", sent)):
        response = anna.post(path, content=content, headers={"Content-Type": media_type}, params={"outputs": "raw"})
        same(together, [row["output"] for row in response.json()["predictions"]])
    for picture, expected in zip(pictures, together, strict=True):
        response = anna.post(path, content=picture, headers={"Content-Type": "image/png"}, params={"outputs": "raw"})
        same([expected], [response.json()["predictions"][0]["output"]])


def test_a_charset_that_is_not_read_is_refused(api: Api, anna: Client) -> None:
    path = job_on(api, anna, SAMPLE_DATASETS["small_pictures"]())
    sent = anna.post(path, content=b"a\n1\n", headers={"Content-Type": "text/csv; charset=x-unknown"})
    assert_problem(sent, 415, "unsupported_media_type")
