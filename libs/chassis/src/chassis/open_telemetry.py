"""Spans by OpenTelemetry's SDK, and their way to a collector. Imported only where traces are on."""

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any

import structlog
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chassis.aws import error_code
from chassis.tracing import PRESENT, TRACEPARENT, Kind, Parent, Span, Value

log = structlog.get_logger()

FLUSH_SECONDS = 3.0
"""How long the end of a process waits for its last spans to be sent."""

EXPORT_SECONDS = 5.0
"""How long one batch is tried."""

_LONGEST = 55
"""Characters of a `traceparent` (W3C Trace Context, 3.2). The library says of each longer one that it is."""

_W3C = TraceContextTextMapPropagator()


def tracer_to(endpoint: str, process: str, environment: str) -> "Tracer":
    """A tracer whose spans a thread sends to a collector. When and what is sampled, the size of batches,
    headers, certificates and further attributes of the process are taken from OpenTelemetry's own variables.

    Args:
        endpoint: the collector's address, to which `/v1/traces` is added.
        process: see `chassis.tracing.start`.
        environment: the installation's kind.

    Raises:
        ValueError: a variable has a value that the SDK refuses.
    """
    own = {
        "service.namespace": "marketplane",
        "service.name": process,
        "deployment.environment.name": environment,
    }
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are an operator's wish.
    resource = Resource.create(own).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    # It quotes what it cannot read of OTEL_EXPORTER_OTLP_HEADERS, where a credential stands.
    logging.getLogger("opentelemetry.util.re").addFilter(_withhold)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(SaidOnce(exporter)))
    # It says two lines of each batch that is not taken; `SaidOnce` says when that begins and when it ends.
    for talkative in ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal"):
        logging.getLogger(talkative).setLevel(logging.CRITICAL)
    return Tracer(provider)


def _withhold(record: logging.LogRecord) -> bool:
    record.args = ("withheld",)
    return True


class Tracer:
    """Makes spans.

    Args:
        provider: what samples and takes them.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("marketplane")

    def span(
        self,
        name: str,
        kind: Kind,
        parent: Parent,
        attributes: Mapping[str, Value],
        links: Iterable[str] = (),
    ) -> Span:
        """A span that begins now and ends with its `with`."""
        if parent is PRESENT:
            _worth_telling()
            begun_in = None
        else:
            begun_in = _context_of(parent)
        return _LiveSpan(
            self._tracer.start_span(
                name,
                begun_in,
                trace.SpanKind[kind],
                attributes,
                _links(links),
            )
        )

    def round(self, name: str, woken_by: Iterable[str]) -> Span:
        """See `chassis.tracing.of_round`."""
        return _Round(self._tracer.start_span(name, Context(), links=_links(woken_by)))

    def trace_id(self) -> str | None:
        """See `chassis.tracing.trace_id`. Who asks is about to tell it."""
        found = trace.get_current_span().get_span_context()
        if not found.is_valid:
            return None
        _worth_telling()
        return trace.format_trace_id(found.trace_id)

    def traceparent(self) -> str | None:
        """See `chassis.tracing.traceparent`."""
        _worth_telling()
        return _traceparent_in(None)

    def shut_down(self) -> None:
        """Send what is left, if the collector takes it soon; else it is lost."""
        # The SDK would wait for 30 s. In a thread that nobody waits for at the process's end either.
        last = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        last.start()
        last.join(FLUSH_SECONDS)


class _LiveSpan(Span):
    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._attached: list[Token[Context]] = []
        self.traceparent = _traceparent_in(trace.set_span_in_context(span, Context()))

    def __enter__(self) -> "_LiveSpan":
        self._attached.append(context.attach(trace.set_span_in_context(self._span)))
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        # The name of the error and no more: its text, and the lines around it, may hold anything.
        if error is not None:
            self.failed(error_code(error))
        context.detach(self._attached.pop())
        self._end()

    def _end(self) -> None:
        self._span.end()

    def answered(self, status: int, operation: str | None = None) -> None:
        self._span.set_attribute("http.response.status_code", status)
        if operation is not None:
            self._span.update_name(operation)
        if status >= 500:
            self.failed(str(status))

    def failed(self, error_type: str) -> None:
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(trace.StatusCode.ERROR)


class _Round(_LiveSpan):
    """A span that is not ended, and so never sent, where there is nothing to tell of it."""

    def __init__(self, span: trace.Span) -> None:
        super().__init__(span)
        self.is_worth_telling = False
        self._before: list[Token[_Round | None]] = []

    def __enter__(self) -> "_Round":
        self._before.append(_round.set(self))
        super().__enter__()
        return self

    def __exit__(self, *how: Any) -> None:
        super().__exit__(*how)
        _round.reset(self._before.pop())

    def _end(self) -> None:
        if self.is_worth_telling:
            super()._end()

    def failed(self, error_type: str) -> None:
        self.is_worth_telling = True
        super().failed(error_type)


_round: ContextVar[_Round | None] = ContextVar("round", default=None)


def _worth_telling() -> None:
    if (present := _round.get()) is not None:
        present.is_worth_telling = True


def _context_of(traceparent: str | None) -> Context:
    """One that holds that span; an empty one where there is none, or it cannot be read."""
    if not traceparent or len(traceparent) > _LONGEST:
        return Context()
    return _W3C.extract({TRACEPARENT: traceparent}, Context())


def _links(traceparents: Iterable[str]) -> list[trace.Link]:
    return [trace.Link(one) for one in map(_span_of, traceparents) if one.is_valid]


def _span_of(traceparent: str) -> trace.SpanContext:
    return trace.get_current_span(_context_of(traceparent)).get_span_context()


def _traceparent_in(where: Context | None) -> str | None:
    carried: dict[str, str] = {}
    _W3C.inject(carried, where)
    return carried.get(TRACEPARENT)


class SaidOnce(SpanExporter):
    """Hands spans on. When they are no longer taken, the log says so once; and once more when they are taken
    again. What was not taken is dropped: a trace is worth no request that waits for it.

    Args:
        exporter: who sends them.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_refused = False
        self._dropped = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception as error:
            result, reason = SpanExportResult.FAILURE, type(error).__name__
        else:
            reason = "the collector did not answer, or did not take them"
        if result is SpanExportResult.SUCCESS:
            if self._is_refused:
                log.info("Traces are taken again.", dropped=self._dropped)
            self._is_refused, self._dropped = False, 0
            return result
        self._dropped += len(spans)
        if not self._is_refused:
            log.warning("Traces are not taken; they are dropped until they are.", reason=reason)
        self._is_refused = True
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)
