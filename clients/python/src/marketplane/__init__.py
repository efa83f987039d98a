"""Reports usage to Marketplane's metering service.

with UsageReporter("https://metering.example", api_key=key, source="inference-gateway") as usage:
    usage.report(subscription_id="sub_...", dimension="gpu_hours", quantity="0.25")
"""

from marketplane.errors import (
    BufferFull,
    Closed,
    InvalidEvent,
    MarketplaneError,
    NotAllSent,
    SpoolInUse,
    Stopped,
)
from marketplane.events import UsageEvent
from marketplane.reporter import UsageReporter

__all__ = [
    "BufferFull",
    "Closed",
    "InvalidEvent",
    "MarketplaneError",
    "NotAllSent",
    "SpoolInUse",
    "Stopped",
    "UsageEvent",
    "UsageReporter",
]
