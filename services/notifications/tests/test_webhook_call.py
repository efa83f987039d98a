"""One call, and everything that a broken or hostile receiver can do to it."""

import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from receiver import Receiver, receiving

from notifications.webhook_addresses import AddressPolicy, AddressRefused, networks
from notifications.webhook_call import WebhookCall, resolve
from notifications.webhook_deliveries import Reason

INSIDE = AddressPolicy(allow_inside=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def dns(*answers: list[str]) -> Callable[[str, int], list[str]]:
    """A resolver that says another thing at each look, and the last one from then on."""
    left = list(answers)
    return lambda _host, _port: left.pop(0) if len(left) > 1 else left[0]


class Connections(httpcore.NetworkBackend):
    """The network, with a list of where connections went."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self._network = httpcore.SyncBackend()

    def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        self.addresses.append(host)
        return self._network.connect_tcp(host, port, *args, **kwargs)


def port_of(receiver: Receiver) -> str:
    return receiver.url.split(":")[2].split("/")[0]


def test_a_good_receiver(receiver: Receiver) -> None:
    receiver.answers(200, b"thank you")
    answer = WebhookCall(INSIDE).post(receiver.url, {"webhook-id": "evt_1"}, b'{"a":1}')
    assert (answer.reason, answer.status, answer.excerpt) == (Reason.DELIVERED, 200, None)
    (request,) = receiver.received
    assert (request.path, request.body) == ("/hooks?from=marketplane", b'{"a":1}')
    assert request.headers["host"] == f"127.0.0.1:{port_of(receiver)}"
    assert request.headers["webhook-id"] == "evt_1"


def test_the_connection_goes_to_the_address_that_was_judged(receiver: Receiver) -> None:
    """The name means another address at each look into DNS; there is one look for each connection."""
    looks = []

    def rebinding(host: str, port: int) -> list[str]:
        looks.append(host)
        return ["127.0.0.1"] if len(looks) == 1 else ["127.0.0.66"]

    connections = Connections()
    call = WebhookCall(INSIDE, resolve=rebinding, network=connections)
    answer = call.post(f"http://hooks.test:{port_of(receiver)}/", {}, b"{}")
    assert answer.reason == Reason.DELIVERED
    assert connections.addresses == ["127.0.0.1"]
    assert looks == ["hooks.test"]
    assert receiver.received[0].headers["host"] == f"hooks.test:{port_of(receiver)}"


def test_a_name_that_turned_inside_since_it_was_checked() -> None:
    connections = Connections()
    call = WebhookCall(
        AddressPolicy(), resolve=dns(["93.184.215.14"], ["169.254.169.254"]), network=connections
    )
    call.check("https://hooks.seller.example/")
    answer = call.post("https://hooks.seller.example/", {}, b"{}")
    assert (answer.reason, answer.status) == (Reason.ADDRESS_REFUSED, None)
    assert connections.addresses == []
    # Good and bad at once: not even the good one is spoken to.
    call = WebhookCall(AddressPolicy(), resolve=dns(["93.184.215.14", "::1"]), network=connections)
    assert call.post("https://hooks.seller.example/", {}, b"{}").reason == Reason.ADDRESS_REFUSED
    assert connections.addresses == []


def test_an_endpoint_is_given_no_address_inside() -> None:
    for url, addresses in [
        ("https://inside.seller.example/", ["10.0.0.1"]),
        ("https://metadata/", ["169.254.169.254"]),
        ("http://hooks.seller.example/", ["93.184.215.14"]),
        ("https://user@hooks.seller.example/", ["93.184.215.14"]),
    ]:
        with pytest.raises(AddressRefused):
            WebhookCall(AddressPolicy(), resolve=dns(addresses)).check(url)


def test_a_name_that_is_not_known_yet_passes_and_is_checked_at_each_connection() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise OSError

    call = WebhookCall(AddressPolicy(), resolve=unknown)
    call.check("https://new.seller.example/")
    assert call.post("https://new.seller.example/", {}, b"{}").reason == Reason.NOT_RESOLVED
    empty = WebhookCall(AddressPolicy(), resolve=lambda _host, _port: [])
    assert empty.post("https://new.seller.example/", {}, b"{}").reason == Reason.NOT_RESOLVED


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "[::ffff:127.0.0.1]"]
)
def test_other_spellings_of_this_machine(host: str) -> None:
    """By the system's own resolver, which knows them all."""
    with pytest.raises(AddressRefused, match="open Internet"):
        WebhookCall(AddressPolicy()).check(f"https://{host}/")
    assert WebhookCall(AddressPolicy()).post(f"https://{host}/", {}, b"").reason == Reason.ADDRESS_REFUSED


def test_the_system_s_resolver() -> None:
    assert resolve("127.0.0.1", 80) == ["127.0.0.1"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answers(status, Location=receiver.url)
    answer = WebhookCall(INSIDE).post(receiver.url, {}, b"{}")
    assert (answer.reason, answer.status) == (Reason.STATUS, status)
    assert len(receiver.received) == 1


def test_gone(receiver: Receiver) -> None:
    receiver.answers(410)
    assert WebhookCall(INSIDE).post(receiver.url, {}, b"{}").reason == Reason.GONE


def test_how_a_refusal_begins(receiver: Receiver) -> None:
    receiver.answers(500, "\x1b[31mfür\x00 alle\r\n\u202e".encode() + b"\xff " + b"x" * 1_000_000)
    answer = WebhookCall(INSIDE).post(receiver.url, {}, b"{}")
    assert (answer.reason, answer.status) == (Reason.STATUS, 500)
    assert answer.excerpt is not None
    assert answer.excerpt.startswith("[31mfür alle \ufffd xxx")
    assert len(answer.excerpt) == 200


def test_nothing_but_noise_is_no_excerpt(receiver: Receiver) -> None:
    receiver.answers(503, b"\x00\x01\x02")
    assert WebhookCall(INSIDE).post(receiver.url, {}, b"{}").excerpt is None


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("120", timedelta(minutes=2)),
        ("0", timedelta(0)),
        ("Sun, 22 Nov 2026 10:05:00 GMT", timedelta(minutes=5)),
        ("Sun, 22 Nov 2026 09:00:00 GMT", timedelta(0)),
        ("Sun, 22 Nov 2026 10:05:00", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("99999999999999999999", None),
    ],
)
def test_retry_after(receiver: Receiver, text: str, wish: timedelta | None) -> None:
    receiver.answers(503, Retry_After=text)
    call = WebhookCall(INSIDE, now=lambda: datetime(2026, 11, 22, 10, tzinfo=UTC))
    assert call.post(receiver.url, {}, b"{}").retry_after == wish


def test_nobody_there(receiver: Receiver) -> None:
    with receiving() as gone:
        url = gone.url
    assert WebhookCall(INSIDE).post(url, {}, b"{}").reason == Reason.NOT_CONNECTED


def test_the_next_address_where_nobody_is_at_the_first(receiver: Receiver) -> None:
    class Deserted(Connections):
        def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
            if host == "127.0.0.77":
                raise httpcore.ConnectError
            return super().connect_tcp(host, port, *args, **kwargs)

    both = dns(["127.0.0.77", "127.0.0.1"])
    call = WebhookCall(INSIDE, resolve=both, network=Deserted())
    assert call.post(f"http://hooks.test:{port_of(receiver)}/", {}, b"{}").reason == Reason.DELIVERED


class Playing(httpcore.NetworkStream):
    """A connection on which a receiver says these parts, each after so many seconds."""

    def __init__(self, parts: list[bytes], clock: list[float], seconds: float) -> None:
        self._parts, self._clock, self._seconds = parts, clock, seconds

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        assert timeout is not None
        if self._seconds > timeout:
            raise httpcore.ReadTimeout
        self._clock[0] += self._seconds
        return self._parts.pop(0) if self._parts else b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        assert timeout is not None

    def close(self) -> None: ...

    def get_extra_info(self, info: str) -> Any:
        return None


class Played(httpcore.NetworkBackend):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def connect_tcp(self, *_args: Any, **_kwargs: Any) -> httpcore.NetworkStream:
        return self._stream


def played(parts: list[bytes], seconds: float = 0.0) -> Any:
    clock = [0.0]
    stream = Playing(parts, clock, seconds)
    call = WebhookCall(INSIDE, resolve=dns(["127.0.0.1"]), network=Played(stream), elapsed=lambda: clock[0])
    return call.post("http://hooks.test/", {}, b"{}")


def test_a_byte_every_nine_seconds_ends_with_the_tenth_second() -> None:
    answer = played([b"H", b"T", b"T", b"P", b"/", b"1"], seconds=9.0)
    assert answer.reason == Reason.TIMEOUT
    assert answer.duration_ms == 9000


def test_a_body_that_never_ends_after_a_status_that_said_all() -> None:
    head = b"HTTP/1.1 500 No\r\nContent-Length: 100000\r\n\r\n"
    answer = played([head, *[b"x"] * 1000], seconds=0.9)
    assert (answer.reason, answer.status) == (Reason.STATUS, 500)
    assert set(answer.excerpt) == {"x"}


@pytest.mark.parametrize("parts", [[], [b"SSH-2.0-x\r\n\r\n"], [b"HTTP/1.1 200 OK\r\nContent-"]])
def test_what_comes_is_no_http(parts: list[bytes]) -> None:
    assert played(parts).reason == Reason.BROKEN_ANSWER


def test_a_look_into_dns_that_hangs() -> None:
    forever = threading.Event()

    def hanging(host: str, port: int) -> list[str]:
        forever.wait(60)
        return []

    try:
        answer = WebhookCall(INSIDE, seconds=0.05, resolve=hanging).post("http://hooks.test/", {}, b"{}")
        assert answer.reason == Reason.TIMEOUT
        WebhookCall(INSIDE, seconds=0.05, resolve=hanging).check("http://hooks.test/")
    finally:
        forever.set()


# -- TLS -----------------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A certificate of its own authority: the receiver's side, and the side that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file = folder / "certificate.pem"
    file.write_bytes(private + pem)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(file)
    ours = ssl.create_default_context(cadata=pem.decode())
    return theirs, ours


def test_tls_asks_for_the_name_and_not_for_the_address(tmp_path: Path) -> None:
    theirs, ours = certificate(tmp_path, "hooks.test")
    names: list[str | None] = []
    theirs.sni_callback = lambda _socket, name, _context: names.append(name)
    here = dns(["127.0.0.1"])
    inside = AddressPolicy(allow_inside=True, allowed_networks=networks("127.0.0.1/32"))
    with receiving(theirs) as receiver:
        call = WebhookCall(inside, resolve=here, tls=ours)
        answer = call.post(f"https://hooks.test:{port_of(receiver)}/", {}, b"{}")
        assert answer.reason == Reason.DELIVERED
        assert names == ["hooks.test"]

        other = call.post(f"https://other.test:{port_of(receiver)}/", {}, b"{}")
        assert other.reason == Reason.TLS_FAILED
        untrusted = WebhookCall(inside, resolve=here).post(
            f"https://hooks.test:{port_of(receiver)}/", {}, b"{}"
        )
        assert untrusted.reason == Reason.TLS_FAILED
        assert len(receiver.received) == 1
