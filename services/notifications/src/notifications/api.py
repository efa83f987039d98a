"""The API's door: what is asked is read from the tables and shown."""

from datetime import timedelta
from typing import Any

import flask

from chassis.clock import Clock
from chassis.problems import NotFound
from chassis.tables import decode_cursor, encode_cursor
from chassis.web import json_answer, parts
from notifications.schemas import NotificationAnswer, SubscriptionAnswer, WholeNotificationAnswer
from notifications.tables import listing


class Api:
    """What the handlers below need.

    Args:
        clock: says which day is today; the inbox is listed from there.
        retention: how long the inbox keeps a message.
    """

    def __init__(self, clock: Clock, retention: timedelta) -> None:
        self.clock = clock
        self.retention = retention


def list_subscriptions(
    limit: int = 50,
    cursor: str | None = None,
    status: str | None = None,
    product_code: str | None = None,
    customer_aws_account_id: str | None = None,
    agreement_id: str | None = None,
) -> flask.Response:
    asked = {
        "status": status,
        "product_code": product_code,
        "customer_aws_account_id": customer_aws_account_id,
        "agreement_id": agreement_id,
    }
    filters = {name: value for name, value in asked.items() if value is not None}
    return _page(SubscriptionAnswer(), listing.subscriptions(filters, limit, decode_cursor(cursor)))


def get_subscription(subscription_id: str) -> flask.Response:
    row = listing.subscription(subscription_id)
    if row is None:
        raise NotFound("No news of such a subscription has come.")
    return json_answer(SubscriptionAnswer().dump(row))


def list_notifications(
    limit: int = 50, cursor: str | None = None, subscription_id: str | None = None, outcome: str | None = None
) -> flask.Response:
    api: Api = parts()
    start = decode_cursor(cursor)
    if subscription_id is not None:
        page = listing.notifications_of(subscription_id, outcome, limit, start)
    else:
        page = listing.notifications(outcome, limit, start, api.clock.now().date(), api.retention)
    return _page(NotificationAnswer(), page)


def get_notification(notification_id: str) -> flask.Response:
    row = listing.notification(notification_id)
    if row is None:
        raise NotFound("No such message has come, or its retention time is over.")
    return json_answer(WholeNotificationAnswer().dump(row))


def _page(schema: Any, page: listing.Page) -> flask.Response:
    return json_answer(
        {"items": schema.dump(page.rows, many=True), "next_cursor": encode_cursor(page.next_key)}
    )
