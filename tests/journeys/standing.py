"""How things stand in a house when a wait was in vain: enough to tell later who stood still; no secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tools.stack import Stack

if TYPE_CHECKING:
    from tests.journeys.house import Buyer, House

LAST_LINES = 20
# Not the payload: it is personal.
OUTBOX_SHOWN = {"kind", "subscription_id", "attempts", "due_at", "last_error"}
LOUD = ("warning", "error", "critical")


def how_it_stands(house: House, *buyers: Buyer) -> str:
    """The clock, the processes, the queues, what registration has still to do, what is known of these buyers,
    and the last warnings of all logs."""
    parts = {
        "clock": lambda: house.now(),
        "not running": lambda: [name for name in house.stack.names if not house.stack.is_running(name)],
        "queues": lambda: {name: depth for name in house.engine.queues() if (depth := _depth(house, name))},
        "outbox of registration": lambda: list(_outbox(house)),
        "untold": lambda: len(house.engine.rows("marketplane-notifications-log", having="untold_since")),
        **{f"subscription of {buyer.agreement_id}": lambda one=buyer: _row(house, one) for buyer in buyers},
        **{f"news of {buyer.agreement_id}": lambda one=buyer: _news(house, one) for buyer in buyers},
    }
    said = []
    for name, ask in parts.items():
        try:
            said.append(f"{name}: {ask()}")
        except Exception as error:  # whatever is down is worth a word too
            said.append(f"{name}: not known ({error!r})")
    text = "\n".join((*said, last_warnings(house.stack)))
    for secret in house.secrets | house.emails:
        text = text.replace(secret, "<hidden>")
    return text


def _depth(house: House, name: str) -> int:
    return house.engine.queue(name).depth()


def _outbox(house: House) -> Iterator[dict[str, Any]]:
    for row in house.engine.rows("marketplane-registration-outbox"):
        yield {name: row[name] for name in sorted(OUTBOX_SHOWN & row.keys())}


def _row(house: House, buyer: Buyer) -> dict[str, Any]:
    rows = house.engine.rows("marketplane-subscriptions")
    return next((row for row in rows if row["subscription_id"] == buyer.subscription_id), {})


def _news(house: House, buyer: Buyer) -> list[tuple[str, str]]:
    return [(one["name"], one["state"]) for one in house.news(buyer)]


def last_warnings(stack: Stack) -> str:
    """Of all logs together, in the order of their times."""
    found = []
    for name in stack.names:
        for line in stack.logs(name).splitlines():
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if isinstance(told, dict) and told.get("level") in LOUD:
                rest = {key: value for key, value in told.items() if key not in ("exception", "service")}
                found.append((str(told.get("timestamp")), f"{name}: {json.dumps(rest)[:600]}"))
    return "\n".join(["last warnings:", *(line for _, line in sorted(found)[-LAST_LINES:])])
