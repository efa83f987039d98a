"""The API's door to webhooks: endpoints, their secrets, the log of deliveries, replays."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, ParamSpec

import flask
import structlog

from chassis import tracing
from chassis.clock import Clock
from chassis.problems import NotFound, Problem
from chassis.tables import decode_cursor, encode_cursor
from chassis.times import parse_rfc3339
from chassis.validation import invalid_body
from chassis.web import caller, json_answer, parts
from notifications import webhook_events
from notifications.schemas import (
    WebhookDeliveryAnswer,
    WebhookEndpointAnswer,
    WebhookReplayAnswer,
    WholeWebhookDeliveryAnswer,
)
from notifications.tables import webhook_listing
from notifications.tables.webhook_rows import delivery_of, endpoint_of
from notifications.tables.webhook_store import WebhookStore
from notifications.webhook_addresses import AddressRefused
from notifications.webhook_call import WebhookCall
from notifications.webhook_deliveries import Delivery, delivery
from notifications.webhook_endpoints import (
    MOST_ENDPOINTS,
    ChangedTooOften,
    Endpoint,
    EndpointDisabled,
    NoSuchEndpoint,
    TooManySecrets,
    VersionNotMet,
    alter,
    new_endpoint,
)
from notifications.webhook_ids import random_id
from notifications.webhook_replays import Replay, replay
from notifications.webhook_secrets import Secrets

log = structlog.get_logger()

P = ParamSpec("P")


class Webhooks:
    """What the handlers below need.

    Args:
        store: the tables of webhooks.
        call: knows where webhooks may go.
        secrets: makes secrets.
        clock: says when.
    """

    def __init__(self, store: WebhookStore, call: WebhookCall, secrets: Secrets, clock: Clock) -> None:
        self.store = store
        self.call = call
        self.secrets = secrets
        self.clock = clock


def _names_errors(handler: Callable[P, flask.Response]) -> Callable[P, flask.Response]:
    @wraps(handler)
    def named(*args: P.args, **kwargs: P.kwargs) -> flask.Response:
        try:
            return handler(*args, **kwargs)
        except (
            NoSuchEndpoint,
            VersionNotMet,
            TooManySecrets,
            EndpointDisabled,
            ChangedTooOften,
        ) as error:
            raise _problem(error) from error

    return named


def _problem(error: Exception) -> Problem:
    match error:
        case NoSuchEndpoint():
            return NotFound("There is no such endpoint.")
        case VersionNotMet():
            return Problem(412, "precondition-failed", "It has changed since you read it.")
        case EndpointDisabled():
            return Problem(
                409,
                "webhook-endpoint-disabled",
                "Nothing is sent to a disabled endpoint.",
                "Enable it first.",
            )
        case TooManySecrets():
            return Problem(
                409,
                "too-many-webhook-secrets",
                "As many secrets as an endpoint may have are still in force.",
                "Wait until the overlap of the oldest is over.",
            )
    return Problem(409, "conflict", "The state of things forbids it.", "Others change it all the time.")


# -- endpoints -----------------------------------------------------------------------------------------------


def list_endpoints(limit: int = 50, cursor: str | None = None) -> flask.Response:
    page = webhook_listing.endpoints(limit, decode_cursor(cursor))
    shown = WebhookEndpointAnswer().dump([endpoint_of(row) for row in page.rows], many=True)
    return json_answer({"items": shown, "next_cursor": encode_cursor(page.next_key)})


@_names_errors
def create_endpoint(body: dict[str, Any]) -> flask.Response:
    webhooks = _webhooks()
    _check_url(body["url"])
    there = [endpoint for endpoint in webhooks.store.endpoints() if endpoint.deleted_at is None]
    if len(there) >= MOST_ENDPOINTS:
        raise Problem(
            409,
            "too-many-webhook-endpoints",
            "There are as many endpoints as an installation may have.",
            f"At most {MOST_ENDPOINTS}. Delete one first.",
        )
    now = webhooks.clock.now()
    shown, sealed = webhooks.secrets.make()
    endpoint = new_endpoint(random_id("whe"), sealed, body, now)
    webhooks.store.create_endpoint(endpoint)
    log.info("A webhook endpoint was made.", endpoint_id=endpoint.endpoint_id, by=caller().name)
    return _endpoint_answer(endpoint, 201, secret=shown)


@_names_errors
def get_endpoint(endpoint_id: str) -> flask.Response:
    return _endpoint_answer(_endpoint(endpoint_id))


@_names_errors
def change_endpoint(endpoint_id: str, body: dict[str, Any]) -> flask.Response:
    webhooks = _webhooks()
    if "url" in body:
        _check_url(body["url"])
    now = webhooks.clock.now()
    if_match = flask.request.headers.get("If-Match")
    endpoint = alter(webhooks.store, endpoint_id, if_match, lambda one: one.changed(body, now))
    log.info(
        "A webhook endpoint was changed.",
        endpoint_id=endpoint_id,
        version=endpoint.version,
        enabled=endpoint.enabled,
        by=caller().name,
    )
    return _endpoint_answer(endpoint)


@_names_errors
def delete_endpoint(endpoint_id: str) -> flask.Response:
    webhooks = _webhooks()
    now = webhooks.clock.now()
    alter(webhooks.store, endpoint_id, None, lambda one: one.deleted(now))
    log.info("A webhook endpoint was deleted.", endpoint_id=endpoint_id, by=caller().name)
    return flask.Response(status=204)


@_names_errors
def rotate_secret(endpoint_id: str, body: dict[str, Any]) -> flask.Response:
    webhooks = _webhooks()
    now = webhooks.clock.now()
    overlap = timedelta(seconds=body.get("overlap_seconds", 86_400))
    shown, sealed = webhooks.secrets.make()
    endpoint = alter(webhooks.store, endpoint_id, None, lambda one: one.rotated(sealed, overlap, now))
    log.info("A webhook endpoint has a new secret.", endpoint_id=endpoint_id, by=caller().name)
    return _endpoint_answer(endpoint, 201, secret=shown)


@_names_errors
def send_test_event(endpoint_id: str) -> flask.Response:
    webhooks = _webhooks()
    endpoint = _enabled(endpoint_id)
    now = webhooks.clock.now()
    event = webhook_events.a_test(endpoint_id, now)
    # The event first: a delivery without one would be given up. Killed in between, an event lies there that
    # nobody is told.
    home = webhooks.store.keep_event(event)
    made = delivery(event, home, endpoint, now, traceparent=tracing.traceparent())
    webhooks.store.create_delivery(made)
    return _delivery_answer(made, 202)


# -- deliveries ----------------------------------------------------------------------------------------------


def list_deliveries(
    limit: int = 50,
    cursor: str | None = None,
    endpoint_id: str | None = None,
    state: str | None = None,
    subscription_id: str | None = None,
) -> flask.Response:
    webhooks = _webhooks()
    asked = {"endpoint_id": endpoint_id, "state": state}
    filters = {name: value for name, value in asked.items() if value is not None}
    start = decode_cursor(cursor)
    if subscription_id is not None:
        page = webhook_listing.deliveries_of(subscription_id, filters, limit, start)
    else:
        today = webhooks.clock.now().date()
        page = webhook_listing.deliveries(filters, limit, start, today, webhooks.store.kept)
    shown = WebhookDeliveryAnswer().dump([delivery_of(row) for row in page.rows], many=True)
    return json_answer({"items": shown, "next_cursor": encode_cursor(page.next_key)})


def get_delivery(delivery_id: str) -> flask.Response:
    return _delivery_answer(_delivery(delivery_id))


@_names_errors
def redeliver(delivery_id: str) -> flask.Response:
    webhooks = _webhooks()
    for _ in range(8):
        before = _delivery(delivery_id)
        endpoint = webhooks.store.endpoint(before.endpoint_id)
        if endpoint is None or not endpoint.enabled:
            raise EndpointDisabled
        if webhooks.store.event(before.event_home, before.event_id) is None:
            raise Problem(
                409, "webhook-event-forgotten", "What was to be sent is not kept any more: its time is over."
            )
        after = before.begun_anew(webhooks.clock.now())
        if webhooks.store.replace_delivery(before, after):
            log.info("A webhook is sent again.", delivery_id=delivery_id, by=caller().name)
            return _delivery_answer(after, 202)
    raise ChangedTooOften


# -- replays -------------------------------------------------------------------------------------------------


@_names_errors
def start_replay(endpoint_id: str, body: dict[str, Any]) -> flask.Response:
    webhooks = _webhooks()
    _enabled(endpoint_id)
    since, until = _moment(body, "from"), _moment(body, "to")
    if since >= until:
        raise invalid_body([{"in": "body", "path": "/to", "reason": "is not later than `from`"}])
    begun = replay(
        random_id("whr"),
        endpoint_id,
        since,
        until,
        body.get("event_types"),
        webhooks.clock.now(),
        webhooks.store.kept,
    )
    webhooks.store.create_replay(begun)
    log.info("A replay has begun.", endpoint_id=endpoint_id, replay_id=begun.replay_id, by=caller().name)
    location = f"/v1/webhook-endpoints/{endpoint_id}/replays/{begun.replay_id}"
    return _replay_answer(begun, 202, {"Location": location})


@_names_errors
@_names_errors
def get_replay(endpoint_id: str, replay_id: str) -> flask.Response:
    _endpoint(endpoint_id)
    found = _webhooks().store.replay(replay_id)
    if found is None or found.endpoint_id != endpoint_id:
        raise NotFound("There is no such replay of this endpoint.")
    return _replay_answer(found)


# -- what they share -----------------------------------------------------------------------------------------


def _webhooks() -> Webhooks:
    found: Webhooks = parts().webhooks
    return found


def _endpoint(endpoint_id: str) -> Endpoint:
    endpoint = _webhooks().store.endpoint(endpoint_id)
    if endpoint is None or endpoint.deleted_at is not None:
        raise NoSuchEndpoint
    return endpoint


def _enabled(endpoint_id: str) -> Endpoint:
    endpoint = _endpoint(endpoint_id)
    if not endpoint.enabled:
        raise EndpointDisabled
    return endpoint


def _delivery(delivery_id: str) -> Delivery:
    found = _webhooks().store.delivery(delivery_id)
    if found is None:
        raise NotFound("There is no such delivery, or its retention time is over.")
    return found


def _check_url(url: str) -> None:
    try:
        _webhooks().call.check(url)
    except AddressRefused as error:
        # The address is not quoted: it may hold a key of the receiver's.
        raise invalid_body([{"in": "body", "path": "/url", "reason": str(error)}]) from error


def _moment(body: dict[str, Any], name: str) -> datetime:
    try:
        return parse_rfc3339(body[name])
    except ValueError:
        raise invalid_body(
            [{"in": "body", "path": f"/{name}", "reason": "is no time that can be reckoned with"}]
        ) from None


def _endpoint_answer(endpoint: Endpoint, status: int = 200, secret: str | None = None) -> flask.Response:
    shown = WebhookEndpointAnswer().dump(endpoint)
    headers = {"ETag": endpoint.etag}
    if secret is not None:
        shown["secret"] = secret
        headers |= {
            "Cache-Control": "no-store",
            "Location": f"/v1/webhook-endpoints/{endpoint.endpoint_id}",
        }
    return json_answer(shown, status, headers)


def _delivery_answer(delivery: Delivery, status: int = 200) -> flask.Response:
    return json_answer(WholeWebhookDeliveryAnswer().dump(delivery), status)


def _replay_answer(
    replay: Replay, status: int = 200, headers: dict[str, str] | None = None
) -> flask.Response:
    return json_answer(WebhookReplayAnswer().dump(replay), status, headers)
