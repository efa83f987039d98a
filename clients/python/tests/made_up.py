"""Events as tests need them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marketplane.events import UsageEvent, content_of, usage_event

SUBSCRIPTION = "sub_akqbclolnbr5rol2aljugptsbj"
AT = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)


def usage(**said: Any) -> dict[str, Any]:
    """Arguments of `report`."""
    return {"subscription_id": SUBSCRIPTION, "dimension": "gpu_hours", "quantity": "0.25", "time": AT} | said


def event(id: Any = "e1", **said: Any) -> UsageEvent:
    return usage_event(content_of(**usage(source="test") | said), id)


def events(count: int, **said: Any) -> list[UsageEvent]:
    return [event(f"e{number}", **said) for number in range(count)]
