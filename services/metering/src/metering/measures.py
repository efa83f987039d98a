"""What metering counts, for Prometheus. "No usage" and "metering is broken" must never look alike."""

from prometheus_client import Counter, Gauge

EVENTS = Counter(
    "marketplane_usage_events_total", "Usage events by what became of them at the door.", ["outcome"]
)
SETTLED = Counter(
    "marketplane_metering_records_settled_total", "Metering records by their outcome.", ["outcome"]
)
CALLS = Counter(
    "marketplane_batch_meter_usage_calls_total", "Calls of BatchMeterUsage by what came of them.", ["verdict"]
)
DUE = Gauge(
    "marketplane_metering_records_due", "Records that AWS has not answered for, at the last cycle's start."
)
SENDER_STOPPED = Gauge(
    "marketplane_metering_sender_stopped",
    "1 while AWS refuses us for a fault of ours and nothing can be billed.",
)
LAST_CYCLE = Gauge(
    "marketplane_metering_last_cycle_timestamp_seconds", "When a metering cycle last ended well."
)
