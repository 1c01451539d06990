import random
import struct
import zipfile
from pathlib import Path

import pytest

from app.errors import InvalidInput
from tests.workers.data.formats.uploads import make_upload, problem_codes, problem_text, upload_problems, write_zip
from workers.data.files import archives

TABLE = "a,y\n1,2\n3,4\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.zip"


@pytest.mark.parametrize(
    "name", ["/etc/train.csv", "../train.csv", "a/../../train.csv", "C:train.csv", "a\\..\\train.csv"]
)
def test_names_that_lead_out_are_refused(path: Path, name: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("x")
        info.filename = name
        archive.writestr(info, TABLE)
    assert problem_codes(make_upload(path)) == {"unsafe_name"}


def test_links_are_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("train.csv")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    assert upload_problems(make_upload(path)) == [("unsafe_name", "/train.csv")]
    assert "symbolic link" in problem_text(make_upload(path))


def test_bombs_are_refused_before_they_are_unpacked(path: Path) -> None:
    write_zip(path, {"train.csv": "a,y\n" + "1,2\n" * 20_000_000})
    assert path.stat().st_size < 400_000
    assert upload_problems(make_upload(path)) == [("too_large", "")]
    assert "times its size" in problem_text(make_upload(path))
    assert "at most 1,000,000 are allowed" in problem_text(make_upload(path, limit=1_000_000))


def test_members_that_overlap_are_refused(path: Path) -> None:
    """The central directory names one member a hundred times, as the quines of zip bombs do."""
    write_zip(path, {"train.csv": random.Random(0).randbytes(1000)})
    raw = path.read_bytes()
    end = raw.rindex(b"PK\x05\x06")
    start, size = struct.unpack_from("<I", raw, end + 16)[0], end - struct.unpack_from("<I", raw, end + 16)[0]
    entry = raw[start:end]
    many = b"".join(entry.replace(b"train.csv", b"%05d.csv" % number) for number in range(100))
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 100, 100, len(many), start, 0)
    path.write_bytes(raw[:start] + many + tail)
    assert size == len(entry)
    assert problem_codes(make_upload(path)) == {"unreadable"}
    assert "its files claim" in problem_text(make_upload(path))


def test_a_member_that_is_longer_than_it_says_is_refused(path: Path) -> None:
    write_zip(path, {"train.csv": TABLE * 1000})
    raw = bytearray(path.read_bytes())
    for place in (raw.index(b"PK\x03\x04") + 22, raw.rindex(b"PK\x01\x02") + 24):
        struct.pack_into("<I", raw, place, 100)
    path.write_bytes(bytes(raw))
    assert problem_codes(make_upload(path)) == {"unreadable"}


def test_very_many_members_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    write_zip(path, {f"a/{number}.png": b"" for number in range(4)})
    assert upload_problems(make_upload(path)) == [("too_many_files", "")]


def test_archives_in_archives_are_refused(path: Path) -> None:
    write_zip(path, {"train.csv": TABLE, "inner/more.zip": b"PK\x03\x04"})
    assert problem_codes(make_upload(path)) == {"unknown_format"}
    assert "archive in the archive" in problem_text(make_upload(path))


def test_names_that_stand_twice_are_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train.csv", TABLE)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("train.csv", TABLE)
    assert problem_codes(make_upload(path)) == {"duplicate_name"}


def test_passwords_and_rare_packings_are_refused(path: Path) -> None:
    write_zip(path, {"train.csv": TABLE})
    raw = bytearray(path.read_bytes())
    raw[raw.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(raw))
    assert "encrypted" in problem_text(make_upload(path))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("train.csv", TABLE)
    assert "use deflate" in problem_text(make_upload(path))


@pytest.mark.parametrize("keep", [4, 30, 60, -1, -30])
def test_truncated_archives_are_refused(path: Path, keep: int) -> None:
    write_zip(path, {"train.csv": TABLE * 100})
    assert problem_codes(make_upload(path, path.read_bytes()[:keep])) == {"unreadable"}


def test_damage_never_breaks_the_reader(path: Path) -> None:
    write_zip(path, {"train.csv": TABLE * 50, "test.csv": TABLE})
    raw = path.read_bytes()
    for place in range(4, len(raw)):
        damaged = bytearray(raw)
        damaged[place] ^= 0xFF
        path.write_bytes(bytes(damaged))
        try:
            problem_codes(make_upload(path))
        except AssertionError:  # a byte that nobody reads
            continue


def test_nothing_is_written_by_its_name(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_zip(path, {"train.csv": TABLE, "test.csv": TABLE})
    make_upload(path)
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["data.zip", "here"]
    with pytest.raises(InvalidInput):
        archives.archive_members(tmp_path / "here" / "none.zip", 1)
