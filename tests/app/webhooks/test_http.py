"""One message to one receiver: real connections, and every way in which they go wrong."""

import datetime
import socket
import ssl
import time
from collections.abc import Iterator
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.webhooks.deliveries import DeliveryResult
from app.webhooks.http import MAX_RESPONSE_BYTES, post
from app.webhooks.targets import Target
from tests.webhook_receiver import ReceivedWebhook, Receiver, respond, respond_with, run_receiver

NAME = "receiver.example"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as opened:
        yield opened


def target(receiver: Receiver, host: str = NAME, addresses: tuple[str, ...] = ("127.0.0.1",)) -> Target:
    return Target(receiver.url.partition(":")[0], host, receiver.port, "/hook?a=b", addresses)


def sent(receiver: Receiver, seconds: float = 10.0, tls: ssl.SSLContext | None = None) -> DeliveryResult:
    return post(target(receiver), {"webhook-id": "msg_1"}, '{"ä": 1}', seconds=seconds, tls=tls)


def test_a_message_arrives_as_it_was_signed(receiver: Receiver) -> None:
    attempt = sent(receiver)
    assert (attempt.status, attempt.error, attempt.is_delivered) == (204, "", True)
    assert 0 < attempt.seconds < 10
    (message,) = receiver.messages
    assert (message.path, message.body) == ("/hook?a=b", '{"ä": 1}')
    assert message.headers["host"] == f"{NAME}:{receiver.port}"  # the name, though the address was connected to
    assert message.headers["content-type"] == "application/json"
    assert message.headers["webhook-id"] == "msg_1"


@pytest.mark.parametrize(
    ("status", "error"), [(200, ""), (299, ""), (400, "refused"), (410, "refused"), (500, "refused")]
)
def test_only_two_hundreds_are_arrivals(receiver: Receiver, status: int, error: str) -> None:
    receiver.script = respond_with(status)
    attempt = sent(receiver)
    assert (attempt.status, attempt.error, attempt.is_delivered) == (status, error, not error)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    with run_receiver() as elsewhere:
        receiver.script = respond_with(status, Location=elsewhere.url)
        attempt = sent(receiver)
        assert (attempt.status, attempt.error) == (status, "redirect")
        assert elsewhere.messages == []


def test_time_that_is_asked_for_is_heard(receiver: Receiver) -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=100)
    cases = (
        ("30", 30.0, 0.0),
        (format_datetime(later, usegmt=True), 100.0, 20.0),
        ("soon", 0, 0),
        ("-3", 0, 0),
        ("", 0, 0),
    )
    for written, seconds, tolerance in cases:
        receiver.script = respond_with(503, Retry_After=written)
        assert abs(sent(receiver).retry_after - seconds) <= tolerance


def drip(message: ReceivedWebhook, handler: BaseHTTPRequestHandler) -> None:
    """Answer a byte at a time, for ever."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X-A: 1\r\n")
        handler.wfile.flush()
        time.sleep(0.05)


def drip_body(message: ReceivedWebhook, handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while True:
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.05)


def silent(message: ReceivedWebhook, handler: BaseHTTPRequestHandler) -> None:
    time.sleep(5)


@pytest.mark.parametrize("script", [drip, drip_body, silent])
def test_everything_ends_in_time(receiver: Receiver, script: object) -> None:
    receiver.script = script  # type: ignore[assignment]
    attempt = sent(receiver, seconds=0.6)
    assert (attempt.status, attempt.error) == (None, "timeout")
    assert attempt.seconds < 3


def test_a_long_answer_is_not_read_to_its_end(receiver: Receiver) -> None:
    written = []

    def endless(message: ReceivedWebhook, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(1 << 40))
        handler.end_headers()
        while True:
            written.append(handler.wfile.write(b"x" * 4096))

    receiver.script = endless
    assert sent(receiver).is_delivered
    receiver.wait()
    assert MAX_RESPONSE_BYTES < sum(written) < 1 << 26  # what buffers hold besides


def test_what_is_no_http_is_told(receiver: Receiver) -> None:
    def nonsense(message: ReceivedWebhook, handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"hello\r\n\r\n")
        handler.close_connection = True

    receiver.script = nonsense
    assert sent(receiver).error == "broken_answer"

    def cut(message: ReceivedWebhook, handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True

    receiver.script = cut
    assert sent(receiver).error == "broken_answer"


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = Receiver("http://x", taken.getsockname()[1])
        attempt = sent(nobody)
        assert (attempt.status, attempt.error) == (None, "not_connected")


def test_the_next_address_is_tried(receiver: Receiver) -> None:
    assert post(target(receiver, addresses=("127.0.0.9", "127.0.0.1")), {}, "{}").is_delivered
    assert post(target(receiver, addresses=()), {}, "{}").error == "not_connected"


def test_a_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert sent(receiver).is_delivered


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of the receiver's name, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "receiver.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


def test_the_certificate_must_be_the_name_s(certificate: Path) -> None:
    """Connected to by address, greeted (SNI) and verified by name."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate)
    greeted: list[str | None] = []
    server.sni_callback = lambda socket, name, context: greeted.append(name)
    trusting = ssl.create_default_context(cafile=certificate)
    with run_receiver(tls=server) as receiver:
        assert sent(receiver, tls=trusting).is_delivered
        assert greeted == [NAME]
        other = post(target(receiver, "other.example"), {}, "{}", tls=trusting)
        assert (other.status, other.error) == (None, "tls_failed")
        assert sent(receiver).error == "tls_failed"  # nobody has signed it whom we know
        assert len(receiver.messages) == 1


def test_an_address_of_ipv6_is_written_in_brackets() -> None:
    with run_receiver() as receiver:
        assert post(target(receiver, "2606:4700::1"), {}, "{}").is_delivered
        assert receiver.messages[0].headers["host"] == f"[2606:4700::1]:{receiver.port}"


def test_the_answer_s_body_is_told_to_nobody(receiver: Receiver) -> None:
    receiver.script = lambda message, handler: respond(handler, 500, b"internal-secret")
    assert "internal-secret" not in repr(sent(receiver))
