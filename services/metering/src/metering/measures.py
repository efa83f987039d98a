"""What metering counts, for Prometheus. "No usage" and "metering is broken" must never look alike."""

import math
import time
from datetime import UTC, datetime

from prometheus_client import Counter, Gauge, Histogram

from chassis.times import rfc3339
from metering.health import STEPS

EVENTS = Counter(
    "marketplane_usage_events_total", "Usage events by what became of them at the door.", ["outcome"]
)
SHARED_WRITES = Histogram(
    "marketplane_usage_requests_per_write",
    "Requests that shared one durable write of the usage log.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
)
REFUSED_BY_PRESSURE = Counter(
    "marketplane_usage_requests_refused_by_pressure_total",
    "Requests that were refused because more usage came in than could be written.",
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
PRODUCT_STOPPED = Gauge(
    "marketplane_metering_product_stopped",
    "1 while AWS refuses a product for a fault of ours and nothing of it can be billed.",
    ["product_code", "generation"],
)
ENDPOINTS = Gauge(
    "marketplane_metering_endpoints",
    "Endpoints that run, or are not metered to their end, at the last turn's start.",
)
LAST_CYCLE = Gauge(
    "marketplane_metering_last_cycle_timestamp_seconds", "When a metering cycle last ended well."
)
IMBALANCES = Gauge(
    "marketplane_metering_imbalances", "Hours of use that the last audit found not to add up. 0 is right."
)
LAST_AUDIT = Gauge("marketplane_metering_last_audit_timestamp_seconds", "When the books were last audited.")
LAST_STEP = Gauge(
    "marketplane_metering_last_step_timestamp_seconds",
    "When a step of the metering cycle (endpoints, fold, plan, send) last ended well. Where it stands still "
    "nothing is billed, whether there is usage or not.",
    ["step"],
)

WINDOW_LEFT = Gauge(
    "marketplane_metering_window_left_seconds",
    "How long AWS still takes the most urgent hour that is not billed, as the last cycle left it: `due` is "
    "in metering records that AWS has not answered for, `unplanned` in none; infinite where there is no such "
    "hour.",
    ["stage"],
)
WRITTEN_OFF = Counter(
    "marketplane_metering_hours_written_off_total",
    "Hours of use, each of one subscription and dimension, that the metering cycle wrote off, by reason.",
    ["reason"],
)
WAITING = Gauge(
    "marketplane_metering_records_waiting_for_a_person",
    "Metering records that wait for a person's decision, as the last audit found them and this process has "
    "settled them since.",
    ["outcome"],
)
for stage in ("due", "unplanned"):
    WINDOW_LEFT.labels(stage).set(math.inf)
# From nought on: of a counter that begins with its first event Prometheus sees no increase.
for reason in ("after_final_hour", "before_activation"):
    WRITTEN_OFF.labels(reason)

LONGEST_STAND_SECONDS = 1800.0
"""Then a step that has not ended well is spoken of. A cycle takes seconds; AWS forgives a day."""

_last_step = dict.fromkeys(STEPS, time.time())
"""When each ended well in this process; its start, where it never has."""


def unplanned_window_left(seconds: float) -> None:
    """Note how long AWS still takes the most urgent hour that is in no record."""
    WINDOW_LEFT.labels("unplanned").set(seconds)


def step_done(step: str) -> None:
    """Note that a step ended well just now."""
    _last_step[step] = time.time()
    LAST_STEP.labels(step).set(_last_step[step])


def standing_still(now: float) -> list[str]:
    """A sentence for each step that has not ended well in this process for long.

    Args:
        now: seconds since 1970.
    """
    return [
        f"The step {step} has not ended well since {rfc3339(datetime.fromtimestamp(at, UTC))}: that nothing "
        "new is billed does not mean that there is no usage."
        for step, at in _last_step.items()
        if now - at > LONGEST_STAND_SECONDS
    ]
