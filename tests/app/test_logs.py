"""Log lines: for people or as JSON, with what is bound, and never with a key."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from app.logs import bind, configure

TOKEN = "gw_0199aa_Zm9v-YmFy_baz"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave logging as it was found."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.strip().splitlines()


@pytest.mark.parametrize("as_json", [False, True])
def test_a_key_is_never_logged(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    configure(as_json)
    log = structlog.get_logger("app.test")
    log.info("event", header=f"Bearer {TOKEN}", nested={"keys": [TOKEN]})
    log.info(f"with {TOKEN}")
    logging.getLogger("library").warning("got %s", TOKEN)
    try:
        raise ValueError(TOKEN)
    except ValueError:
        log.exception("failed", token=TOKEN)
    text = "\n".join(lines(capsys))
    assert "Zm9v" not in text
    assert text.count("gw_***") >= 5


def test_a_line_that_cannot_be_formatted_tells_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", True)
    configure(False)
    logging.getLogger("library").warning("got %d", TOKEN)
    assert "Zm9v" not in "\n".join(lines(capsys))


def test_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure(True)
    structlog.get_logger("app.test").warning("event", count=3, text='a "quoted"\nline')
    logging.getLogger("library").error("plain %s", "text")
    ours, theirs = (json.loads(line) for line in lines(capsys))
    assert (ours["event"], ours["level"], ours["logger"], ours["count"]) == ("event", "warning", "app.test", 3)
    assert ours["text"] == 'a "quoted"\nline'
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("plain text", "error", "library")


def test_an_exception_is_told_without_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    configure(True)
    secret = "hunter2"
    try:
        raise ZeroDivisionError(len(secret))
    except ZeroDivisionError as error:
        structlog.get_logger().error("bug", exc_info=error)
    (line,) = lines(capsys)
    assert json.loads(line)["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert "hunter2" not in line


def test_what_is_bound_is_on_every_line_inside(capsys: pytest.CaptureFixture[str]) -> None:
    configure(True)
    log = structlog.get_logger()
    with bind(job_id="job_1"), bind(request_id="req_1"):
        log.info("inside")
        logging.getLogger("library").warning("inside too")
    log.info("outside")
    found = [json.loads(line) for line in lines(capsys)]
    assert [(line.get("job_id"), line.get("request_id")) for line in found] == [("job_1", "req_1")] * 2 + [(None, None)]


def test_chatty_libraries_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    configure(False)
    for name in ("httpx", "kombu", "alembic"):
        logging.getLogger(f"{name}.part").info("chatter")
    structlog.get_logger().debug("detail")
    assert lines(capsys) == []


def test_setting_up_again_writes_lines_once(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        configure(False)
    structlog.get_logger().info("once")
    assert len(lines(capsys)) == 1
