"""What the API reads of webhooks, page by page."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from pynamodb.expressions.condition import Condition

from chassis.tables import foreign_cursor, read_page
from notifications.tables.listing import DAYS_AT_ONCE, MOST_PAGES, Key, Page
from notifications.tables.webhook_models import WebhookDeliveryRow, WebhookEndpointRow

_OF_A_DAY = {"delivery_id": None, "created_at": None, "created_on": None}


def endpoints(limit: int, start: Key | None) -> Page:
    """Endpoints in no order."""
    _check(start, {"endpoint_id": None})
    there = WebhookEndpointRow.deleted_at.does_not_exist()
    return _read(
        lambda size, key: WebhookEndpointRow.scan(
            there, page_size=size, last_evaluated_key=key, consistent_read=True
        ),
        limit,
        start,
    )


def deliveries_of(subscription_id: str, filters: Mapping[str, str], limit: int, start: Key | None) -> Page:
    """Deliveries of one subscription's events, the newest first."""
    _check(start, {"delivery_id": None, "created_at": None, "subscription_id": subscription_id})
    condition = _all(filters)
    return _read(
        lambda size, key: WebhookDeliveryRow.of_subscription.query(
            subscription_id,
            filter_condition=condition,
            scan_index_forward=False,
            page_size=size,
            last_evaluated_key=key,
        ),
        limit,
        start,
    )


def deliveries(
    filters: Mapping[str, str], limit: int, start: Key | None, today: date, kept: timedelta
) -> Page:
    """All deliveries, the newest first, day by day back to the end of the retention. `endpoint_id` and
    `state`, of which there are a handful, are asked of each row read."""
    day = today
    if start is not None:
        _check(start, {"created_on": None} if len(start) == 1 else _OF_A_DAY)
        day = _day(start["created_on"]["S"])
    # What is pending is not forgotten; twice the time holds all but what waits for an endpoint long disabled.
    oldest = today - 2 * kept
    condition = _all(filters)
    key = start if start is not None and len(start) > 1 else None
    rows: list[Any] = []
    for _ in range(DAYS_AT_ONCE):
        if day < oldest:
            return Page(rows, None)
        on = day.isoformat()
        page = _read(
            lambda size, key: WebhookDeliveryRow.of_day.query(
                on,  # noqa: B023 - called before the loop goes on
                filter_condition=condition,
                scan_index_forward=False,
                page_size=size,
                last_evaluated_key=key,
            ),
            limit - len(rows),
            key,
        )
        rows += page.rows
        if page.next_key is not None:
            return Page(rows, page.next_key)
        key, day = None, day - timedelta(days=1)
        if len(rows) == limit:
            break
    return Page(rows, {"created_on": {"S": day.isoformat()}} if day >= oldest else None)


def _read(read: Callable[[int, Key | None], Any], limit: int, key: Key | None) -> Page:
    """Up to `limit` rows, of no more pages than one request may read."""
    rows: list[Any] = []
    for _ in range(MOST_PAGES):
        more, key = read_page(read(limit - len(rows), key))
        rows += more
        if key is None or len(rows) == limit:
            break
    return Page(rows, key)


def _check(key: Key | None, shape: Mapping[str, str | None]) -> None:
    """Refuse a cursor that this list, with these filters, did not give."""
    if key is not None and (
        key.keys() != shape.keys()
        or any(value.keys() != {"S"} or len(value["S"]) > 1024 for value in key.values())
        or any(wanted is not None and key[name]["S"] != wanted for name, wanted in shape.items())
    ):
        raise foreign_cursor()


def _all(filters: Mapping[str, str]) -> Condition | None:
    condition: Condition | None = None
    for name, value in filters.items():
        equals = getattr(WebhookDeliveryRow, name) == value
        condition = equals if condition is None else condition & equals
    return condition


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise foreign_cursor() from None
