"""How the storefront words moments, states and news for a person."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from marketplace_simulator.agreements import Agreement
from marketplace_simulator.news_rules import NewsRule
from marketplace_simulator.store import KeptNews


def wall_clock(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%-d %b %Y, %H:%M:%S UTC")


def day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%-d %b %Y")


def status_word(agreement: Agreement, now: datetime) -> str:
    """The state in a word or two, the most pressing one first."""
    status = agreement.status(now)
    if status in ("ending", "ended"):
        reason = "payment failed" if agreement.payment_failed else agreement.agreement_status(now).lower()
        return f"{reason}, final hour" if status == "ending" else reason
    if agreement.suspended_at is not None:
        return "suspended"
    if now < agreement.starts_at:
        return "starts later"
    return status


def news_lines(kept: KeptNews, rule: NewsRule, now: datetime) -> dict[str, Any]:
    """What a page shows of one item of news."""
    state: str = kept.state(now)
    if state == "due" and rule.leaves_at(kept.news) > now:
        state = "delayed"
    return {
        "name": kept.news.name,
        "agreement_id": kept.news.agreement_id,
        "due_at": kept.news.due_at,
        "road": f"SNS topic {kept.news.topic}" if kept.news.topic else "EventBridge",
        "state": state,
        "said": {
            "delivered": "Went out",
            "due": "Waits for the engine",
            "delayed": "Held back",
            "dropped": "Lost on purpose",
            "scheduled": "Scheduled",
        }[state],
        "last_error": kept.last_error if state == "due" else None,
        "body": json.dumps(json.loads(kept.news.body), indent=2),
    }
