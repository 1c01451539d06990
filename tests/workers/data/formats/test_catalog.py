import gzip
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet
from safetensors.torch import save_file

from app.spec.data.upload_formats import UPLOAD_FORMATS as LANGUAGE
from app.spec.data.upload_formats import UploadFormat
from tests.workers.data.formats.test_idx import LABELS, encode_idx
from tests.workers.data.formats.test_images import encode_image
from tests.workers.data.formats.uploads import (
    describe_upload,
    make_upload,
    problem_codes,
    problem_text,
    upload_problems,
    write_zip,
)
from workers.data.formats.catalog import FORMATS

TEXTS = {
    "csv": "a,y\n1,2\n3,4\n",
    "tsv": "a\ty\n1\t2\n3\t4\n",
    "jsonl": '{"a": 1, "y": 2}\n{"a": 3, "y": 4}\n',
    "conll": "EU B-ORG\nsays O\n\nno O\n",
    "trees": "(1 (0 a) (1 b))\n(0 a)\n",
    "vectors": "the 0.1 0.2\nof 0.3 0.4\n",
}


def test_language_and_workers_know_the_same_formats() -> None:
    assert tuple(FORMATS) == tuple(LANGUAGE)
    assert get_args(UploadFormat) == ("auto", *FORMATS)


SNIFFABLE_FORMATS = [kind for kind in FORMATS if kind != "weights"]  # which look like safetensors, and are given


def write_example(path: Path, kind: str) -> Path:
    """Write a file of the format."""
    if kind in TEXTS:
        path.write_text(TEXTS[kind])
    elif kind == "parquet":
        parquet.write_table(pa.table({"a": [1, 2], "y": [3, 4]}), path)
    elif kind == "npz":
        with path.open("wb") as file:
            np.savez(file, x=np.zeros((2, 3)), y=np.zeros(2))
    elif kind == "safetensors":
        save_file({"x": torch.zeros(2, 3)}, path)
    elif kind == "idx":
        path.write_bytes(gzip.compress(encode_idx(LABELS)))
    else:
        write_zip(path, {"a/1.png": encode_image(1), "b/2.png": encode_image(2)})
    return path


@pytest.mark.parametrize("kind", SNIFFABLE_FORMATS)
def test_every_format_is_seen_without_a_name(tmp_path: Path, kind: str) -> None:
    path = write_example(tmp_path / "data", kind)
    assert describe_upload(make_upload(path)).format == kind
    assert describe_upload(make_upload(path, format=kind)).format == kind


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_of_splits_are_seen_too(tmp_path: Path, kind: str) -> None:
    path = write_zip(tmp_path / "data", {"x/train.txt": TEXTS[kind], "x/test.txt": TEXTS[kind]})
    if kind == "vectors":
        assert problem_codes(make_upload(path)) == {"unknown_file"}
    else:
        assert describe_upload(make_upload(path)).format == kind


@pytest.mark.parametrize("given_kind", SNIFFABLE_FORMATS)
@pytest.mark.parametrize("kind", SNIFFABLE_FORMATS)
def test_a_format_that_is_not_the_content_s_is_a_problem(tmp_path: Path, kind: str, given_kind: str) -> None:
    path = write_example(tmp_path / "data", kind)
    plain = {kind, given_kind} <= {"csv", "tsv", "conll", "vectors", "trees"}  # texts that could be one another
    if kind == given_kind or plain:
        return
    file = make_upload(path, format=given_kind)
    found = problem_codes(file)
    if kind not in TEXTS or kind == "jsonl":
        assert found == {"wrong_format"}
        assert f'give "{kind}"' in problem_text(file)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.csv", "x y\n1 2\n", "csv"),
        ("a.csv", "(a),y\n(b),1\n(c),2\n", "csv"),
        ("a.csv", "a\tO\nb\tO\n\nc\tO\n", "csv"),
        ("a.csv.gz", "x y\n1 2\n", "csv"),
        ("a.conll", "a O\nb O\n", "conll"),
        ("a.tsv", "a\ty\n\n1\t2\n", "tsv"),
        ("a.jsonl", '{"a": 1}\n', "jsonl"),
        ("words.vec", "1 2\na 1 2\n", "vectors"),
        ("a.CSV", "the 1 2\nof 1 2\n", "csv"),
    ],
)
def test_a_name_is_believed(tmp_path: Path, name: str, content: str, kind: str) -> None:
    data = gzip.compress(content.encode()) if name.endswith(".gz") else content
    assert describe_upload(make_upload(tmp_path / "data", data, file=name)).format == kind


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no format"),
        (b"one word", "no format"),
        (b"\n\n", "no format"),
        (b'[{"a": 1}]', "jq -c"),
        (gzip.compress(b"PAR1" + b"\0" * 20, mtime=0), "gunzip"),
        (b"Hello there world\nHow are you\n", "no format"),
        (b"\x93NUMPY\x01\0", "np.savez"),
        (b"\xd0\xcf\x11\xe0\0", "as CSV"),
        (b"BZh91AY", "bunzip2"),
        (b"\x89HDF\r\n", "NPZ"),
        (b"\x1f\x8b", "gunzip"),
        (b"%PDF-1.7\n", "no format"),
        (b"PK\x05\x06" + b"\0" * 18, "no format"),
    ],
)
def test_what_looks_like_nothing_is_a_problem(tmp_path: Path, content: bytes, said: str) -> None:
    file = make_upload(tmp_path / "data", content)
    assert upload_problems(file) == [("unknown_format", "")]
    assert said in problem_text(file)


def test_an_archive_of_anything_else_is_a_problem(tmp_path: Path) -> None:
    for files in ({"readme.txt": "x"}, {"setup.py": "x", "more/data.bin": b"\0"}):
        assert problem_codes(make_upload(write_zip(tmp_path / "data", files))) == {"unknown_format"}


def test_a_workbook_is_named(tmp_path: Path) -> None:
    file = make_upload(write_zip(tmp_path / "data", {"[Content_Types].xml": "x", "xl/workbook.xml": "x"}))
    assert "workbook of Excel" in problem_text(file)


SENTENCES = "".join(f"w{number}\tNOUN\n" for number in range(9))


@pytest.mark.parametrize("times", [1, 12, 2000])  # within fifty lines, beyond them, and beyond 64 KiB
@pytest.mark.parametrize(
    "source", [{}, {"file": "tags.txt"}, {"format": "conll"}, {"file": "tags.txt", "format": "conll"}]
)
@pytest.mark.parametrize("separator", ["\t", " "])
def test_blank_lines_between_words_and_tags_divide_sentences(
    tmp_path: Path, source: dict[str, str], times: int, separator: str
) -> None:
    text = (SENTENCES * times + "\n" + SENTENCES).replace("\t", separator)
    found = describe_upload(make_upload(tmp_path / "data", text, **source))
    assert found.format == "conll"
    assert found.schema is not None
    assert (found.schema.rows, found.schema.target) == ({"train": 2}, "tags")
    codes = {warning.code for warning in found.schema.warnings}
    assert ("format" in codes) == ("format" not in source)


@pytest.mark.parametrize("text", ["name\tage\ty\na\t1\tu\n\nb\t2\tv\n", "x y\n1 2\n\n3 4\n", "x\ty\n1\t2\n\n3\t4\n"])
def test_blank_lines_in_a_table_of_numbers_divide_nothing(tmp_path: Path, text: str) -> None:
    found = describe_upload(make_upload(tmp_path / "data", text))
    assert found.format in ("tsv", "csv")
    assert found.schema is not None
    assert found.schema.rows == {"train": 2}
