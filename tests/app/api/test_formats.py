"""Files of every format over HTTP: described in a child with limits, which hostile ones never break."""

import gzip
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.hostile_files import BOUNDED, REFUSED, npy, packed
from tests.app.api.uploads import register_upload
from tests.workers.data.formats.test_catalog import SNIFFABLE_FORMATS, write_example
from tests.workers.data.images.test_decoding import decompression_bomb


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.mark.parametrize("kind", SNIFFABLE_FORMATS)
def test_every_format_is_described(anna: Client, tmp_path: Path, kind: str) -> None:
    content = write_example(tmp_path / "data", kind).read_bytes()
    place = register_upload(anna, format="auto")
    response = anna.put(f"{place}/content", content=content)
    assert response.status_code == 200, response.text
    row = response.json()
    assert (row["status"], row["source"]["format"], row["received"]) == ("ready", kind, len(content))
    assert min(row["data_schema"]["rows"].values()) > 0
    assert all(column["statistics"] for column in row["data_schema"]["columns"] if column["type"] != "image")
    assert len(row["preview"]) == 2 or kind == "idx"
    assert anna.get(place).json() == row


HOSTILE: dict[str, bytes] = {
    "a line of 48 MiB": b"a,b\n" + b"x" * (48 << 20),
    "a million columns": b",".join(b"c%d" % number for number in range(1_000_000)) + b"\n1\n",
    "deep JSON": b'{"a": ' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}\n",
    "wide JSON": b"{" + b",".join(b'"k%d": 1' % number for number in range(500_000)) + b"}\n",
    "deep trees": b"(a " * 500_000 + b"b" + b")" * 500_000 + b"\n",
    "a zip of zeros": packed({"train.csv": b"a,b\n" + b"0,0\n" * 30_000_000}),
    "a zip of zips": packed({"train/a/1.zip": packed({"x": b"0" * 1_000_000})}),
    "a huge picture": packed({"a/1.png": decompression_bomb(60_000, 60_000)}),
    "a long picture": packed({"a/1.png": decompression_bomb(1 << 30, 1), "b/2.png": decompression_bomb(1, 1 << 30)}),
    "an array of 2^60": packed({"x.npy": npy("(1152921504606846976,)")}),
    "an array of negative shape": packed({"x.npy": npy("(-1, 8)")}),
    "an array whose header is code": packed({"x.npy": npy("(__import__('os').getpid(),)")}),
    "pickled objects": packed({"x.npy": npy("(1,)", "|O") + b"cos\nsystem\n(S'true'\ntR."}),
    "an IDX file of 2^96": struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1) + b"\0" * 100,
    "gzip of zeros": gzip.compress(struct.pack(">HBBI", 0, 8, 1, 300 << 20) + bytes(300 << 20)),
    "safetensors of 2^63": struct.pack("<Q", 2**63 - 1) + b'{"x":{}}',
    "safetensors that overlap": struct.pack("<Q", 136)
    + (
        b'{"x":{"dtype":"F32","shape":[1000000000,1000],"data_offsets":[0,8]},'
        b'"y":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    ).ljust(136)
    + bytes(8),
    "Parquet of nothing": b"PAR1" + b"\xff" * 4096 + struct.pack("<I", 4000) + b"PAR1",
    "NUL": bytes(1 << 20),
    "half of UTF-16": "a,b\n1,2\n".encode("utf-16")[:-1],
    "UTF-16 without a mark": "a,b\n1,2\n".encode("utf-16-le"),
    "an alphabet that is not said": "имя,город\nиван,омск\n".encode("windows-1251"),  # noqa: RUF001 - Cyrillic
    "a packed bomb": gzip.compress(b"a,b\n" + b"1,2\n" * 20_000_000),
    "a quote without an end": b'a,b\n"' + b"1,2\n" * 1_000_000,
    "words of a hundred thousand kinds": b"".join(b"%d X%d\n" % (n, n) for n in range(99_999)) + b"\na b\n",
    "JSON without an end": b'{"a": "' + b"x" * 1_000_000,
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_and_breaks_nothing(api: Api, anna: Client, content: bytes) -> None:
    place = register_upload(anna, format="auto")
    document = assert_problem(anna.put(f"{place}/content", content=content), 422, "invalid_input")
    for item in document["errors"]:
        assert item["code"] != "too_complex"  # it was understood, and did not merely take too long
        assert item["detail"] != "the content could not be read"
        assert len(item["detail"]) < 1000
    assert anna.get(place).json()["status"] == "invalid"
    assert list(api.services.store.keys("")) == []


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_what_is_made_to_break_it_is_refused_with_the_reason(api: Api, anna: Client, make: Callable[[], bytes]) -> None:
    test_a_hostile_file_is_refused_and_breaks_nothing(api, anna, make())
    assert list(api.services.spool.own_folder().iterdir()) == []


@pytest.mark.parametrize("make", BOUNDED.values(), ids=BOUNDED)
def test_what_is_large_for_its_size_is_read_within_limits_or_refused(anna: Client, make: Callable[[], bytes]) -> None:
    response = anna.put(f"{register_upload(anna, format='auto')}/content", content=make())
    if response.status_code != 200:
        codes = {item["code"] for item in assert_problem(response, 422, "invalid_input")["errors"]}
        assert not codes & {"too_complex", "unreadable"}
    assert len(response.content) < 100_000


def test_the_api_itself_takes_little_of_a_large_upload(anna: Client) -> None:
    """It passes the bytes on to a file, and never has them all."""
    rows = b"a,b\n" + (b"x" * 4092 + b",2\n") * (12 << 10)  # few rows, which are soon read
    place, process = register_upload(anna), psutil.Process()
    before = process.memory_info().rss
    most = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal most
        for start in range(0, len(rows), 1 << 18):
            yield rows[start : start + (1 << 18)]
            most = max(most, process.memory_info().rss)

    assert anna.put(f"{place}/content", content=pieces()).status_code == 200
    assert most - before < len(rows) / 2


@pytest.mark.parametrize(
    "source",
    [{"format": "xls"}, {"types": {"a": "nothing"}}, {"types": {"": "text"}}, {"file": ""}, {"file": "x" * 256}],
)
def test_what_is_told_of_content_has_a_form(anna: Client, source: dict[str, Any]) -> None:
    body = {"name": "x", "source": {"kind": "upload"} | source}
    assert_problem(anna.post("/v1/datasets", json=body), 422, "invalid_input")
