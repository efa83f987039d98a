"""What the API reads of webhooks, page by page."""

from collections.abc import Mapping
from datetime import date, timedelta

from notifications.tables.paging import Key, Page, Read, all_of, check_key, day_of, read_days, read_rows
from notifications.tables.webhook_models import WebhookDeliveryRow, WebhookEndpointRow

_OF_A_DAY: dict[str, str | None] = {"delivery_id": None, "created_at": None, "created_on": None}


def endpoints(limit: int, start: Key | None) -> Page:
    """Endpoints in no order."""
    check_key(start, {"endpoint_id": None})
    there = WebhookEndpointRow.deleted_at.does_not_exist()
    return read_rows(
        lambda size, key: WebhookEndpointRow.scan(
            there, page_size=size, last_evaluated_key=key, consistent_read=True
        ),
        limit,
        start,
    )


def deliveries_of(subscription_id: str, filters: Mapping[str, str], limit: int, start: Key | None) -> Page:
    """Deliveries of one subscription's events, the newest first."""
    check_key(start, {"delivery_id": None, "created_at": None, "subscription_id": subscription_id})
    condition = all_of(WebhookDeliveryRow, filters)
    return read_rows(
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
        check_key(start, {"created_on": None} if len(start) == 1 else _OF_A_DAY)
        day = day_of(start, "created_on")
    condition = all_of(WebhookDeliveryRow, filters)

    def read(on: str) -> Read:
        return lambda size, key: WebhookDeliveryRow.of_day.query(
            on,
            filter_condition=condition,
            scan_index_forward=False,
            page_size=size,
            last_evaluated_key=key,
        )

    # What is pending is not forgotten; twice the time holds all but what waits for an endpoint long disabled.
    return read_days("created_on", read, day, today - 2 * kept, limit, start)
