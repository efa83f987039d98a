"""One trace goes from the request that brought the news, over both queues and the log, to who hears of it."""

from datetime import timedelta

import pytest
import samples
from conftest import OTHER_SIGNALS, SIGNALS, World
from opentelemetry.trace import StatusCode
from receiver import receiving
from samples import cancelled_life

from chassis import tracing
from chassis.queues import Queue
from chassis.testing import Traced, ids
from notifications.tables.models import LogRow
from notifications.tables.telling_store import TellingStore
from notifications.tables.webhook_models import WebhookDeliveryRow
from notifications.tables.webhook_store import WebhookStore
from notifications.webhook_addresses import AddressPolicy
from notifications.webhook_call import WebhookCall
from notifications.webhook_endpoints import new_endpoint
from notifications.webhook_ids import random_id
from notifications.webhook_secrets import Secrets
from notifications.worker.webhooks import FanOut, Sender

TRACE, ABOVE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{ABOVE}-01"
A_MONTH = timedelta(days=30)


def post(world: World, *bodies: str) -> None:
    """As EventBridge does, within a trace of the test's."""
    for body in bodies:
        headers = {
            "Content-Type": "application/json",
            "X-EventBridge-Secret": samples.EVENTBRIDGE_SECRETS[0],
            "traceparent": PARENT,
        }
        assert world.client.post("/v1/eventbridge", content=body, headers=headers).status_code == 200


def endpoint(world: World, store: WebhookStore, secrets: Secrets, url: str) -> None:
    _, sealed = secrets.make()
    store.create_endpoint(new_endpoint(random_id("whe"), sealed, {"url": url}, world.clock.now()))


def test_from_the_request_to_the_signals(world: World, traced: Traced) -> None:
    post(world, *cancelled_life()[:2])
    world.work_off()
    assert world.tell() == 1
    assert {ids(span)[0] for span in traced.all} == {TRACE}
    by_id = {ids(span)[1]: span for span in traced.all}
    for name in (SIGNALS, OTHER_SIGNALS):
        (message,) = Queue(world.sqs, name).receive(wait_seconds=0)
        assert message.traceparent is not None
        way = [by_id[message.traceparent.split("-")[2]]]
        while (parent := ids(way[-1])[2]) != ABOVE:
            way.append(by_id[str(parent)])
        assert [span.name for span in way] == [
            f"send {name}",
            f"process {world.queue.name}",
            f"send {world.queue.name}",
            "notifications.doors.receive_event",
        ]


def test_no_span_says_whose_news_it_is(world: World, traced: Traced) -> None:
    post(world, *cancelled_life()[:2])
    world.work_off()
    world.tell()
    row = world.row()
    said = "".join(span.to_json() for span in traced.all)
    for private in (
        row.subscription_id,
        row.agreement_id,
        row.license_arn,
        row.customer_aws_account_id,
        samples.EVENTBRIDGE_SECRETS[0],
        "/v1/eventbridge",
    ):
        assert private not in said


def test_the_log_keeps_a_trace_until_all_is_told(world: World, traced: Traced) -> None:
    post(world, cancelled_life()[1])
    world.work_off()
    (untold,) = TellingStore().read(TellingStore().marks())
    assert untold.traceparent is not None
    assert TRACE in untold.traceparent
    world.tell()
    assert [row.traceparent for row in LogRow.scan(consistent_read=True)] == [None]


def test_what_was_written_without_a_trace_begins_one_when_it_is_told(world: World, traced: Traced) -> None:
    tracing.use(None)
    world.apply(*cancelled_life()[:2])
    tracing.use(traced.tracer)
    assert world.tell() == 1
    assert traced.all
    assert all(span.parent is None for span in traced.all)


@pytest.mark.parametrize("status", [204, 500])
def test_a_webhook_goes_on_with_the_trace_and_its_receiver_may(
    world: World, traced: Traced, status: int
) -> None:
    store, secrets = WebhookStore(A_MONTH), Secrets(world.settings.webhook_keys)
    call = WebhookCall(AddressPolicy(allow_inside=True))
    sender = Sender(store, call, secrets, world.clock, 1)
    with receiving() as receiver:
        receiver.status = status
        endpoint(world, store, secrets, receiver.url)
        post(world, *cancelled_life()[:2])
        world.work_off()
        world.another_teller(fan_out=FanOut(store, world.clock, TellingStore())).tell()
        tried = [sender.attempt(row.delivery_id) for row in WebhookDeliveryRow.scan(consistent_read=True)]
        assert tried
        spans = [span for span in traced.all if span.name == "webhook"]
        assert [ids(span)[0] for span in spans] == [TRACE] * len(tried)
        sent = {one.headers["traceparent"] for one in receiver.received}
        assert sent == {f"00-{TRACE}-{ids(span)[1]}-01" for span in spans}
    failed = status == 500
    assert {span.status.status_code is StatusCode.ERROR for span in spans} == {failed}
    assert receiver.url not in "".join(span.to_json() for span in spans)
    # A second try is one more span of the same trace, not a part of the first.
    assert {row.traceparent for row in WebhookDeliveryRow.scan(consistent_read=True)} == {
        one.traceparent for one in tried if one
    }
