"""Which reported events are accepted, and by what name the others are refused."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from chassis.times import parse_rfc3339
from metering.catalogue import Catalogue
from metering.hours import hour_of
from metering.quantities import to_micro


class UsageEvent(NamedTuple):
    """An accepted event. (source, id) is its idempotency key within its hour; quantity is in micro-units."""

    source: str
    id: str
    subscription_id: str
    dimension: str
    quantity: int
    time: datetime

    @property
    def hour(self) -> str:
        return hour_of(self.time)


@dataclass(frozen=True)
class Refusal:
    """A refused event: its place in the batch, why by name, and where the mistake is."""

    index: int
    reason: str
    detail: str
    path: str
    source: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class AgeLimits:
    """How old, and how far ahead of our clock, an event may be."""

    oldest: timedelta
    ahead: timedelta


def sort_out(
    rows: list[Any],
    mistakes_of: Callable[[Any, str], list[dict[str, str]]],
    product_code_of: Callable[[str], str | None],
    catalogue: Catalogue,
    limits: AgeLimits,
    now: datetime,
) -> tuple[list[UsageEvent], list[Refusal]]:
    """Divide a batch into accepted events and refusals.

    Args:
        rows: the batch as it came, each row still unchecked.
        mistakes_of: checks one row against the contract; takes the row and its JSON Pointer.
        product_code_of: the product of a subscription; None where the subscription is not known yet.
        catalogue: our products.
        limits: of the events' age.
        now: the present moment.
    """
    accepted: list[UsageEvent] = []
    refused: list[Refusal] = []
    for index, row in enumerate(rows):
        outcome = _judge(index, row, mistakes_of, product_code_of, catalogue, limits, now)
        if isinstance(outcome, Refusal):
            refused.append(outcome)
        else:
            accepted.append(outcome)
    return accepted, refused


def _judge(
    index: int,
    row: Any,
    mistakes_of: Callable[[Any, str], list[dict[str, str]]],
    product_code_of: Callable[[str], str | None],
    catalogue: Catalogue,
    limits: AgeLimits,
    now: datetime,
) -> UsageEvent | Refusal:
    place = f"/events/{index}"
    mistakes = mistakes_of(row, place)
    if mistakes:
        return _refuse(index, row, "invalid_event", mistakes[0]["reason"], mistakes[0]["path"])
    try:
        quantity = to_micro(row["quantity"])
    except ValueError as error:
        return _refuse(index, row, "invalid_event", str(error), f"{place}/quantity")
    try:
        time = parse_rfc3339(row["time"])
    except (ValueError, OverflowError) as error:
        return _refuse(index, row, "invalid_event", str(error), f"{place}/time")
    if time > now + limits.ahead:
        return _refuse(index, row, "time_in_future", "It is later than now.", f"{place}/time")
    if time < now - limits.oldest:
        hours = limits.oldest / timedelta(hours=1)
        return _refuse(index, row, "too_old", f"It is more than {hours:g} hours ago.", f"{place}/time")
    dimension = row["dimension"]
    product_code = product_code_of(row["subscription_id"])
    product = catalogue.product(product_code) if product_code else None
    if product and not product.is_metered:
        return _refuse(
            index,
            row,
            "not_metered",
            "The product is a contract; it takes no usage.",
            f"{place}/subscription_id",
        )
    if not (dimension in product.dimensions if product else catalogue.has_dimension(dimension)):
        return _refuse(
            index,
            row,
            "unknown_dimension",
            f'The product has no dimension "{dimension}".',
            f"{place}/dimension",
        )
    return UsageEvent(row["source"], row["id"], row["subscription_id"], dimension, quantity, time)


def _refuse(index: int, row: Any, reason: str, detail: str, path: str) -> Refusal:
    named = row if isinstance(row, dict) else {}
    source, event_id = named.get("source"), named.get("id")
    return Refusal(
        index,
        reason,
        detail,
        path,
        source if isinstance(source, str) else None,
        event_id if isinstance(event_id, str) else None,
    )
