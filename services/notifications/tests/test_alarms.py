"""What the alarms of observability/alerts.yaml look at: each condition is made, and the metric is seen to
move there and back."""

from collections.abc import Iterator

import pytest
import samples
from conftest import OTHER_SIGNALS, World
from played_aws import refusal
from prometheus_client import REGISTRY
from receiver import Receiver, receiving
from samples import after, cancelled_life, license_updated
from test_webhooks import House

from chassis.queues import Queue, create_queue_with_dlq
from notifications.marketplace import OurFault
from notifications.webhook_deliveries import DELAYS
from notifications.worker.webhooks import _Lane


def sample(name: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(name, labels)
    assert found is not None, f"{name} {labels} is not shown"
    return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def house(world: World) -> House:
    return House(world)


def test_signals_are_not_told(world: World) -> None:
    name = "marketplane_notifications_untold_seconds"
    world.tell()
    assert sample(name) == 0
    world.apply(*cancelled_life()[:2])
    world.sqs.delete_queue(QueueUrl=Queue(world.sqs, OTHER_SIGNALS).url)
    world.clock.advance(minutes=10)
    world.tell()
    assert sample(name) == 600
    create_queue_with_dlq(world.sqs, OTHER_SIGNALS)
    world.tell()
    world.tell()
    assert sample(name) == 0


def overdue() -> float:
    return sample("marketplane_webhook_overdue_seconds")


def test_webhooks_are_overdue(house: House, receiver: Receiver) -> None:
    lanes: dict[str, _Lane] = {}

    def look() -> None:
        """What the sender does each second; what it took up is finished before the next look."""
        house.sender.send_what_is_due(lanes)
        for lane in lanes.values():
            lane.wait()

    house.endpoint(receiver.url)
    look()
    assert overdue() == 0
    house.world.apply(cancelled_life()[0], cancelled_life()[1])
    house.make_deliveries()
    house.clock.advance(minutes=20)
    receiver.answers(500)
    look()
    assert overdue() == 1200, "nobody has looked for twenty minutes"
    # A try that failed is due again later: the receiver is slow, we are not.
    look()
    assert overdue() == 0
    house.clock.advance(seconds=DELAYS[0].total_seconds())
    receiver.answers(204)
    look()
    assert overdue() == 0
    for lane in lanes.values():
        lane.close()


def test_a_lane_that_is_full_is_as_late_as_it_was_found(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes: dict[str, _Lane] = {}
    endpoint, _ = house.endpoint(receiver.url)
    house.world.apply(*cancelled_life()[:2])
    house.make_deliveries()
    house.clock.advance(minutes=20)
    house.sender.send_what_is_due(lanes)
    (lane,) = lanes.values()
    lane.wait()
    monkeypatch.setattr(lane, "waiting", lambda: 100)
    house.clock.advance(minutes=1)
    house.sender.send_what_is_due(lanes)
    assert overdue() == 1260
    house.change(endpoint, enabled=False)
    house.sender.send_what_is_due(lanes)
    assert overdue() == 0, "what waits for a disabled endpoint is not late"
    lane.close()


def test_webhooks_are_given_up(house: House, receiver: Receiver) -> None:
    name = "marketplane_webhook_deliveries_dead_total"
    before = sample(name)
    house.endpoint(receiver.url)
    receiver.answers(500)
    house.world.apply(*cancelled_life()[:2])
    house.tell()
    for delay in DELAYS:
        assert sample(name) == before
        house.clock.advance(seconds=delay.total_seconds())
        house.send()
    assert sample(name) == before + 1


def test_news_needs_a_person(world: World) -> None:
    def heard() -> float:
        return sample("marketplane_notifications_attention_total", kind="advisory_issued")

    before = heard()
    detail = {"agreement": {"id": "agmt-EXAMPLE"}, "advisory": {"issuedAt": "2026-08-21T09:00:00Z"}}
    name = "Purchase Agreement Advisory Issued - Manufacturer"
    world.apply(license_updated(after(0), "e2"), samples.event(name, after(5), "a1", **detail))
    assert heard() == before + 1


def test_aws_refuses_a_question(world: World) -> None:
    def refused() -> float:
        return sample(
            "marketplane_marketplace_questions_total", operation="GetEntitlements", outcome="our_fault"
        )

    before = refused()
    world.apply(license_updated(after(0), "e1", product={"code": samples.CONTRACT}))
    world.aws.fails["GetEntitlements"] = refusal("AccessDeniedException")
    with pytest.raises(OurFault):
        world.asker.ask_what_is_due()
    assert refused() == before + 1
