"""The API's door: what is asked is read from the tables and shown."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import flask
import structlog

from chassis.clock import Clock
from chassis.problems import NotFound, Problem, Unavailable
from chassis.tables import decode_cursor, encode_cursor
from chassis.times import parse_rfc3339
from chassis.web import caller, json_answer, parts
from notifications.callers import OPERATORS, OPERATORS_AND_SERVICES, Sight, sight_of
from notifications.doors import Doors
from notifications.inbox import UnreadableMessage
from notifications.queues import DeadLetters
from notifications.schemas import (
    BuyersHistoryAnswer,
    BuyersSubscriptionAnswer,
    DeadLetterAnswer,
    DifferenceAnswer,
    HistoryAnswer,
    NotificationAnswer,
    ReconciliationAnswer,
    SubscriptionAnswer,
    WholeNotificationAnswer,
)
from notifications.tables import customers, listing
from notifications.tables.models import SubscriptionRow
from notifications.tables.paging import Page
from notifications.tables.reconciliation_store import ReconciliationStore
from notifications.webhooks import Webhooks
from notifications.worker.applying import Worker

log = structlog.get_logger()


@dataclass(frozen=True)
class Operations:
    """What operators set going.

    Args:
        worker: takes a kept message once more, by the same steps as the worker's process does.
        dead_letters: of our queue.
        reconciliations: those that were asked for; the worker's process works them off.
    """

    worker: Worker
    dead_letters: DeadLetters
    reconciliations: ReconciliationStore


class Api:
    """What the handlers below need.

    Args:
        clock: says which day is today; the inbox is listed from there.
        retention: how long the inbox keeps a message.
        webhooks: what the handlers of `webhooks.py` need.
        operations: what operators set going.
        doors: what the handlers of `doors.py` need.
    """

    def __init__(
        self, clock: Clock, retention: timedelta, webhooks: Webhooks, operations: Operations, doors: Doors
    ) -> None:
        self.clock = clock
        self.retention = retention
        self.webhooks = webhooks
        self.operations = operations
        self.doors = doors


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
    start = decode_cursor(cursor)
    sight = _sight()
    if sight.all:
        return _page(SubscriptionAnswer(), listing.subscriptions(filters, limit, start))
    return _page(BuyersSubscriptionAnswer(), listing.subscriptions_among(sight.own, filters, limit, start))


def get_subscription(subscription_id: str) -> flask.Response:
    sight = _sight(OPERATORS_AND_SERVICES)
    row = _seen_subscription(sight, subscription_id)
    return json_answer((SubscriptionAnswer() if sight.all else BuyersSubscriptionAnswer()).dump(row))


def list_history(subscription_id: str, limit: int = 50, cursor: str | None = None) -> flask.Response:
    sight = _sight()
    row = _seen_subscription(sight, subscription_id)
    page = listing.history(row, limit, decode_cursor(cursor), notices=sight.all)
    return _page(HistoryAnswer() if sight.all else BuyersHistoryAnswer(), page)


def _sight(seeing_all: frozenset[str] = OPERATORS) -> Sight:
    """What the present caller may see, where these scopes see everything."""
    who = caller()
    return sight_of(who.scopes, who.person, customers.subscription_ids_of, seeing_all)


def _seen_subscription(sight: Sight, subscription_id: str) -> SubscriptionRow:
    row = listing.subscription(subscription_id) if sight.shows(subscription_id) else None
    if row is None:
        raise NotFound("No news of such a subscription has come.")
    return row


def list_notifications(
    limit: int = 50,
    cursor: str | None = None,
    subscription_id: str | None = None,
    outcome: str | None = None,
    name: str | None = None,
    subject: str | None = None,
    received_after: str | None = None,
    received_before: str | None = None,
) -> flask.Response:
    api: Api = parts()
    start = decode_cursor(cursor)
    wanted = listing.Wanted(
        outcome=outcome,
        name=name,
        received_after=_moment("received_after", received_after),
        received_before=_moment("received_before", received_before),
    )
    if wanted.is_empty:
        page = Page([], None)
    elif subscription_id is not None:
        page = listing.notifications_of(subscription_id, wanted, limit, start)
    elif subject is not None:
        page = listing.notifications_about(subject, wanted, limit, start)
    else:
        page = listing.notifications(wanted, limit, start, api.clock.now().date(), api.retention)
    return _page(NotificationAnswer(), page)


def get_notification(notification_id: str) -> flask.Response:
    row = listing.notification(notification_id)
    if row is None:
        raise NotFound("No such message has come, or its retention time is over.")
    return json_answer(WholeNotificationAnswer().dump(row))


def replay_notification(notification_id: str) -> flask.Response:
    api: Api = parts()
    try:
        found = api.operations.worker.replay(notification_id)
    except UnreadableMessage as error:
        raise Problem(409, "unreadable-message", "The kept message cannot be read.", str(error)) from error
    except TimeoutError as error:
        raise Unavailable("Other workers are busy with the same subscription.") from error
    row = listing.notification(notification_id) if found else None
    if row is None:
        raise NotFound("No such message has come, or its retention time is over.")
    return json_answer(NotificationAnswer().dump(row))


def list_dead_letters(limit: int = 50) -> flask.Response:
    api: Api = parts()
    letters, about = api.operations.dead_letters.look(limit)
    return json_answer({"dead_letters": DeadLetterAnswer().dump(letters, many=True), "about": about})


def redrive_dead_letters(body: dict[str, Any]) -> flask.Response:
    api: Api = parts()
    wanted: dict[str, str | None] = dict.fromkeys(body.get("dead_letter_ids", []))
    wanted |= {one["dead_letter_id"]: one["body"] for one in body.get("mended", [])}
    redriven, missing = api.operations.dead_letters.redrive(wanted or None)
    log.info("Dead letters were sent again.", redriven=redriven, by=caller().name)
    return json_answer({"redriven": redriven, "not_found": missing})


def start_reconciliation() -> flask.Response:
    api: Api = parts()
    row = api.operations.reconciliations.start(caller().name, api.clock.now())
    return json_answer(ReconciliationAnswer().dump(row), 202)


def get_reconciliation(reconciliation_id: str) -> flask.Response:
    return json_answer(ReconciliationAnswer().dump(_reconciliation(reconciliation_id)))


def list_differences(reconciliation_id: str, limit: int = 50, cursor: str | None = None) -> flask.Response:
    api: Api = parts()
    _reconciliation(reconciliation_id)
    page = api.operations.reconciliations.differences(reconciliation_id, limit, decode_cursor(cursor))
    return _page(DifferenceAnswer(), page)


def _reconciliation(reconciliation_id: str) -> Any:
    api: Api = parts()
    row = api.operations.reconciliations.get(reconciliation_id)
    if row is None:
        raise NotFound("There is no such reconciliation, or its retention time is over.")
    return row


def _moment(name: str, text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_rfc3339(text)
    except ValueError:
        raise Problem(
            400,
            "invalid-request",
            "The request does not fit the contract.",
            "1 place is wrong.",
            errors=[
                {"in": "query", "path": name, "reason": "not a moment with an offset, as RFC 3339 has it"}
            ],
        ) from None


def _page(schema: Any, page: Page) -> flask.Response:
    return json_answer(
        {"items": schema.dump(page.rows, many=True), "next_cursor": encode_cursor(page.next_key)}
    )
