"""What every process counts, for Prometheus."""

import os

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

REQUESTS = Counter(
    "marketplane_http_requests_total", "HTTP requests answered.", ["service", "operation", "method", "status"]
)
REQUEST_SECONDS = Histogram(
    "marketplane_http_request_seconds",
    "Time from a request's head to its answer's end.",
    ["service", "operation"],
)
MESSAGES = Counter(
    "marketplane_queue_messages_total", "Queue messages by what became of them.", ["queue", "outcome"]
)
RATE_LIMIT_REFUSALS = Counter(
    "marketplane_rate_limit_refusals_total", "Requests refused because they came too often.", ["limit"]
)
OUTBOX_SENT = Counter("marketplane_outbox_sent_total", "Outbox items sent to their queue.", ["queue"])
OUTBOX_PENDING = Gauge(
    "marketplane_outbox_pending", "Outbox items found by the last relay run.", multiprocess_mode="max"
)
LOOP_FAILURES = Counter(
    "marketplane_loop_failures_total",
    "Rounds of a worker's loop that ended in an error; it went on.",
    ["loop"],
)
DEAD_LETTERS = Gauge(
    "marketplane_dead_letters",
    "Messages that lie in the dead-letter queue of a queue, as SQS counts them, at the last look.",
    ["queue"],
)
CLOCK_SKEW = Gauge(
    "marketplane_clock_skew_seconds",
    "The system's clock less AWS's, by the Date of an answer; below zero where ours is behind.",
    multiprocess_mode="mostrecent",
)
LOOP_LAST_SUCCESS = Gauge(
    "marketplane_loop_last_success_timestamp_seconds", "When a loop's round last ended well.", ["loop"]
)


def exposition() -> bytes:
    """Everything counted, of all processes of this role, in Prometheus's text format."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest(REGISTRY)
