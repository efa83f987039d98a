"""Traces, where an operator wants them: what one request, message or round set going, in whatever process.

Off until `start` is told of a collector. Off, nothing of OpenTelemetry is imported, and every function here
returns after one comparison: what it gives is `NOTHING`.

From process to process goes the W3C's `traceparent` alone: two random numbers and a flag. `tracestate` and
`baggage` go nowhere: they hold whatever somebody has written into them.

What a span bears is named in this file and nowhere else, so that it can be read in one place: names of
operations, queues, loops and calls, counts, statuses, SQS's message ids, and the names of errors. Never a
path, a body, a header, an exception's text, or an id of a buyer, a subscription or an agreement.
(`docs/decisions/traces.md` says why.)
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum, StrEnum
from types import TracebackType
from typing import TYPE_CHECKING

from chassis.settings import ChassisSettings

if TYPE_CHECKING:
    from chassis.open_telemetry import Tracer

TRACEPARENT = "traceparent"
"""The name of the header, of the message attribute and of the attribute of an item that is told of later."""

_TO_THE_TRACE = len("00-") + 32

_UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})


class Kind(StrEnum):
    """OpenTelemetry's kinds of spans."""

    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"
    INTERNAL = "INTERNAL"


class _Present(Enum):
    SPAN = "the present span"


PRESENT = _Present.SPAN
Parent = str | None | _Present
"""What a span belongs to: a `traceparent`; None: it begins a trace; PRESENT: the span that it is begun in."""

Value = str | int


class Span:
    """Something that is being done, for as long as the `with` lasts. This one is what there is while tracing
    is off.

    Attributes:
        traceparent: by which others go on with it; None while tracing is off.
    """

    traceparent: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What an HTTP request that is made in it has, so that its receiver can go on with the trace."""
        return {TRACEPARENT: self.traceparent} if self.traceparent else {}

    def __enter__(self) -> "Span":
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None: ...

    def answered(self, status: int, operation: str | None = None) -> None:
        """Note an HTTP status, and with it the operation that a request turned out to be for."""

    def failed(self, error_type: str) -> None:
        """Mark it as failed, by an error's name. An exception that leaves the `with` does so by itself."""


NOTHING = Span()

# Functions read it once: it may be gone the next moment, as the process ends.
_tracer: "Tracer | None" = None


def start(process: str, settings: ChassisSettings) -> None:
    """Trace from now on, if the settings name a collector. To be called in the process that works, after
    every fork: a thread sends the spans.

    Args:
        process: its name, as in the log: `metering-worker`.
        settings: where OTEL_EXPORTER_OTLP_ENDPOINT stands.

    Raises:
        SystemExit: one of OpenTelemetry's own variables cannot be used; the reason has been printed.
    """
    if settings.otel_exporter_otlp_endpoint:
        from chassis import open_telemetry

        try:
            use(open_telemetry.tracer_to(settings.otel_exporter_otlp_endpoint, process, settings.environment))
        except ValueError as error:
            print(f"Cannot start. One of OpenTelemetry's variables (OTEL_…): {error}", file=sys.stderr)
            raise SystemExit(78) from None  # EX_CONFIG


def use(tracer: "Tracer | None") -> None:
    """Trace with this one; None: not at all."""
    global _tracer
    _tracer = tracer


def stop() -> None:
    """Trace no longer, and send what is not sent yet: in a few seconds, or not at all."""
    tracer = _tracer
    if tracer is not None:
        use(None)
        tracer.shut_down()


@contextmanager
def switched_on(process: str, settings: ChassisSettings) -> Iterator[None]:
    """`start` and `stop` around a process's work."""
    start(process, settings)
    try:
        yield
    finally:
        stop()


def trace_id() -> str | None:
    """The trace that is being worked on, as 32 hexadecimal digits; None where there is none."""
    tracer = _tracer
    return None if tracer is None else tracer.trace_id()


def traceparent() -> str | None:
    """How others go on with what is being done; None where nothing is traced."""
    tracer = _tracer
    return None if tracer is None else tracer.traceparent()


def of_request(method: str, path: str, headers: Iterable[tuple[bytes, bytes]]) -> Span:
    """An HTTP request that came in. Health and metrics, which are asked every few seconds, are none.

    Args:
        method: one of those that there are, or `other`.
        path: the request's.
        headers: of the request, names in small letters.
    """
    tracer = _tracer
    if tracer is None or path in _UNTRACED:
        return NOTHING
    given = [value for name, value in headers if name == b"traceparent"]
    # Of two it cannot be known which is meant (W3C Trace Context, 4.3).
    parent = given[0].decode("latin-1") if len(given) == 1 else None
    return tracer.span(f"HTTP {method}", Kind.SERVER, parent, {"http.request.method": method})


def of_message(queue: str, message_id: str, receive_count: int, parent: str | None) -> Span:
    """The handling of one message, in the trace of whoever sent it."""
    tracer = _tracer
    if tracer is None:
        return NOTHING
    attributes = _messaging(queue, "process") | {
        "messaging.message.id": message_id,
        "marketplane.receive_count": receive_count,
    }
    return tracer.span(f"process {queue}", Kind.CONSUMER, parent, attributes)


def of_messages(queue: str, parents: list[str | None]) -> Span:
    """The handling of several messages together: in their trace if all are of one, else in a trace of its
    own that is linked to theirs.

    Args:
        queue: its name.
        parents: of each message.
    """
    tracer = _tracer
    if tracer is None:
        return NOTHING
    senders = list(dict.fromkeys(parent for parent in parents if parent))
    traces = {sender[:_TO_THE_TRACE] for sender in senders}
    own = None if len(traces) > 1 or None in parents else senders[0]
    return tracer.span(
        f"process {queue}",
        Kind.CONSUMER,
        own,
        _messaging(queue, "process") | {"messaging.batch.message_count": len(parents)},
        links=[sender for sender in senders if sender != own],
    )


def of_sending(queue: str, parent: Parent = PRESENT) -> Span:
    """The sending of a message; its `traceparent` goes along with it."""
    tracer = _tracer
    if tracer is None:
        return NOTHING
    return tracer.span(f"send {queue}", Kind.PRODUCER, parent, _messaging(queue, "send"))


def of_call(name: str, parent: Parent = PRESENT, *, records: int | None = None) -> Span:
    """A call to another system.

    Args:
        name: AWS's word for the operation, or ours.
        parent: see there.
        records: how many are in it, where that varies.
    """
    tracer = _tracer
    if tracer is None:
        return NOTHING
    attributes = {} if records is None else {"marketplane.records": records}
    return tracer.span(name, Kind.CLIENT, parent, attributes)


def of_step(name: str, parent: Parent = PRESENT) -> Span:
    """A step of our own that was set going elsewhere."""
    tracer = _tracer
    if tracer is None:
        return NOTHING
    return tracer.span(name, Kind.INTERNAL, parent, {})


def of_round(name: str, woken_by: Iterable[str] = ()) -> Span:
    """A round of a worker's loop. It begins a trace, and nobody hears of it unless it failed, something was
    traced in it, or it said something in the log.

    Args:
        name: the round's.
        woken_by: each `traceparent` for whose sake it is taken before its time; it is linked to them.
    """
    tracer = _tracer
    if tracer is None:
        return NOTHING
    return tracer.round(name, woken_by)


def _messaging(queue: str, operation: str) -> dict[str, Value]:
    return {
        "messaging.system": "aws_sqs",
        "messaging.destination.name": queue,
        "messaging.operation.type": operation,
    }
