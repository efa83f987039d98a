"""One POST to one of the seller's systems. The only file that speaks to them.

Of everything a hostile or broken receiver can do, this bounds it: where the connection goes, how long it may
take in all, how much of the answer is read.
"""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from queue import Empty, SimpleQueue
from typing import Any

import httpcore

from notifications.webhook_addresses import AddressPolicy, AddressRefused
from notifications.webhook_deliveries import Reason

_MOST_READ = 4096
_EXCERPT = 200

Resolve = Callable[[str, int], list[str]]
"""From a host name (or an IP address as text) and a port to all its IP addresses.

Raises:
    OSError: there is none.
"""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of a call.

    Attributes:
        reason: in one word.
        duration_ms: how long it took.
        status: the HTTP status, where there was one.
        excerpt: how the answer began, in printable characters; None where it was a success, or empty.
        retry_after: how long the receiver asks us to wait.
    """

    reason: Reason
    duration_ms: int
    status: int | None = None
    excerpt: str | None = None
    retry_after: timedelta | None = None


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, by the system's own resolver, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


class WebhookCall:
    """Calls the seller's systems.

    Args:
        policy: where calls may go.
        seconds: the longest that one may take, from the look into DNS to the end of the answer.
        resolve: the look into DNS.
        tls: whom to trust; the system's and certifi's authorities when None.
        network: makes the connection to an address that was found good.
        elapsed: seconds, of no particular origin.
        now: the system's time, for a `Retry-After` that is a date.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        seconds: float = 10.0,
        *,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
        network: httpcore.NetworkBackend | None = None,
        elapsed: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._policy = policy
        self._seconds = seconds
        self._resolve = resolve
        self._tls = tls or httpcore.default_ssl_context()
        self._network = network or httpcore.SyncBackend()
        self._elapsed = elapsed
        self._now = now

    def check(self, url: str) -> None:
        """Refuse an address that leads inside, when an endpoint is given it. A name that DNS does not know
        (yet) passes: each connection is checked again, and it is that check which protects us.

        Raises:
            AddressRefused: nothing would be sent there.
        """
        target = self._policy.check_url(url)
        deadline = _Deadline(self._seconds, self._elapsed)
        try:
            addresses = _in_time(lambda: self._resolve(target.host, target.port), deadline)
        except (OSError, UnicodeError, httpcore.TimeoutException):
            return
        self._policy.check_addresses(target.scheme, addresses)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Call once. Redirects are not followed: each is an answer like others, and no success."""
        started = self._elapsed()

        def answer(reason: Reason, **more: Any) -> Answer:
            took = max(0, round((self._elapsed() - started) * 1000))
            return Answer(reason=reason, duration_ms=took, **more)

        try:
            return answer(**self._post(url, headers, body))
        except AddressRefused as error:
            return answer(Reason.ADDRESS_REFUSED, excerpt=str(error))
        except _NotResolved:
            return answer(Reason.NOT_RESOLVED)
        except httpcore.TimeoutException:
            return answer(Reason.TIMEOUT)
        except _TlsFailed:
            return answer(Reason.TLS_FAILED)
        except httpcore.ConnectError:
            return answer(Reason.NOT_CONNECTED)
        except (httpcore.NetworkError, httpcore.ProtocolError):
            return answer(Reason.BROKEN_ANSWER)

    def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        target = self._policy.check_url(url)
        network = _Guarded(
            self._policy,
            target.scheme,
            self._resolve,
            self._network,
            _Deadline(self._seconds, self._elapsed),
        )
        host = f"[{target.host}]" if ":" in target.host else target.host
        default_port = {"https": 443, "http": 80}[target.scheme]
        name = host if target.port == default_port else f"{host}:{target.port}"
        # A connection for each call, so that the address of each is checked. The parts go in as they were
        # read and checked: no second reader of the address could understand it otherwise.
        with (
            httpcore.ConnectionPool(
                ssl_context=self._tls, network_backend=network, max_keepalive_connections=0
            ) as pool,
            pool.stream(
                "POST",
                httpcore.URL(
                    scheme=target.scheme.encode(),
                    host=target.host.encode(),
                    port=target.port,
                    target=target.target.encode(),
                ),
                headers=[("Host", name), ("Content-Length", str(len(body))), *headers.items()],
                content=body,
            ) as response,
        ):
            if 200 <= response.status < 300:
                return {"reason": Reason.DELIVERED, "status": response.status}
            named = {name.lower(): value for name, value in response.headers}
            return {
                "reason": Reason.GONE if response.status == 410 else Reason.STATUS,
                "status": response.status,
                "excerpt": _beginning(response.iter_stream()),
                "retry_after": self._retry_after(named.get(b"retry-after", b"").decode("latin-1")),
            }

    def _retry_after(self, text: str) -> timedelta | None:
        """RFC 9110 §10.2.3: seconds, or a date."""
        if re.fullmatch(r"[0-9]{1,9}", text.strip()):
            return timedelta(seconds=int(text))
        try:
            wait = parsedate_to_datetime(text) - self._now()
        except (ValueError, TypeError, OverflowError):  # TypeError: a date without a zone
            return None
        return max(wait, timedelta(0))


class _NotResolved(Exception):
    """DNS knows no such name."""


class _TlsFailed(Exception):
    """The receiver's certificate is not the name's, or nobody's whom we trust, or it speaks no TLS."""


class _Deadline:
    """One moment by which all steps of a call must be done. Time-outs of single steps would let a receiver
    that sends a byte every nine seconds hold a thread for ever."""

    def __init__(self, seconds: float, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._end = elapsed() + seconds

    def left(self, error: type[httpcore.TimeoutException]) -> float:
        """Seconds.

        Raises:
            error: there are none.
        """
        left = self._end - self._elapsed()
        if left <= 0:
            raise error
        return left


class _Guarded(httpcore.NetworkBackend):
    """Connects to the very address that was judged: a name that leads elsewhere a moment later leads nowhere.
    (TLS still asks for the name, and the certificate must be the name's.)"""

    def __init__(
        self,
        policy: AddressPolicy,
        scheme: str,
        resolve: Resolve,
        network: httpcore.NetworkBackend,
        deadline: _Deadline,
    ) -> None:
        self._policy = policy
        self._scheme = scheme
        self._resolve = resolve
        self._network = network
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = _in_time(lambda: self._resolve(host, port), self._deadline)
        except (OSError, UnicodeError):
            raise _NotResolved from None
        if not addresses:
            raise _NotResolved
        self._policy.check_addresses(self._scheme, addresses)
        failure: httpcore.ConnectError | None = None
        for address in addresses:
            left = self._deadline.left(httpcore.ConnectTimeout)
            try:
                stream = self._network.connect_tcp(address, port, left, local_address, socket_options)
            except httpcore.ConnectError as error:
                failure = error
            else:
                return _InTime(stream, self._deadline)
        assert failure is not None
        raise failure


class _InTime(httpcore.NetworkStream):
    """A connection whose every step ends by the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # In pieces: the time-out of a step begins anew with each piece that the receiver takes.
        for start in range(0, len(buffer), _MOST_READ):
            piece = buffer[start : start + _MOST_READ]
            self._stream.write(piece, self._deadline.left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(httpcore.ConnectTimeout)
        try:
            return _InTime(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)
        except httpcore.ConnectError:
            raise _TlsFailed from None

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _in_time(look: Callable[[], list[str]], deadline: _Deadline) -> list[str]:
    """The system's resolver cannot be told a time-out: it goes on in a thread of its own, and nobody
    listens."""
    found: SimpleQueue[list[str] | Exception] = SimpleQueue()

    def run() -> None:
        try:
            found.put(look())
        except Exception as error:
            found.put(error)

    threading.Thread(target=run, name="webhook-dns", daemon=True).start()
    try:
        outcome = found.get(timeout=deadline.left(httpcore.ConnectTimeout))
    except Empty:
        raise httpcore.ConnectTimeout from None
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _beginning(parts: Iterable[bytes]) -> str | None:
    """How an answer begins, in printable characters. It is read no further than it takes, and what cannot be
    read says nothing: the status has been seen."""
    read = b""
    try:
        for part in parts:
            read += part
            if len(read) >= _MOST_READ:
                break
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
        pass
    text = read[:_MOST_READ].decode("utf-8", errors="replace")
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:_EXCERPT] or None
