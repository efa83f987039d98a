"""The teller: whoever is to hear of a change hears of it, whatever fails, and nobody waits for another."""

from collections.abc import Callable
from typing import Any

import pytest
import samples
from conftest import OTHER_SIGNALS, SIGNALS, World
from prometheus_client import REGISTRY
from samples import advisory, after, cancelled_life, license_updated

from chassis.queues import Queue, create_queue_with_dlq
from notifications.queues import SignalQueue
from notifications.tables.models import LogRow
from notifications.tables.telling_store import TellingStore
from notifications.tables.webhook_models import WebhookEventRow
from notifications.worker.telling import LONGEST_PUT_OFF, SHORTEST_PUT_OFF, Teller


class Parts:
    """A teller, and the parts of it that can be killed."""

    def __init__(self, world: World) -> None:
        self.store = TellingStore()
        self.signals, self.others = (SignalQueue(world.sqs, name) for name in (SIGNALS, OTHER_SIGNALS))
        self.fan_out = world.another_fan_out()
        self.seconds = 0.0
        self.teller: Teller = world.another_teller(
            store=self.store,
            queues=[self.signals, self.others],
            fan_out=self.fan_out,
            monotonic=lambda: self.seconds,
        )

    def part(self, name: str) -> tuple[Any, str]:
        return {
            "the first queue": (self.signals, "send"),
            "the second queue": (self.others, "send"),
            "an event's deliveries": (self.fan_out, "fan_out"),
        }.get(name, (self.store, name))


@pytest.fixture
def parts(world: World) -> Parts:
    return Parts(world)


def queue_away(world: World) -> None:
    world.sqs.delete_queue(QueueUrl=Queue(world.sqs, OTHER_SIGNALS).url)


def pending() -> float | None:
    return REGISTRY.get_sample_value("marketplane_outbox_pending")


def age() -> float | None:
    return REGISTRY.get_sample_value("marketplane_notifications_untold_seconds")


STEPS = ["marks", "read", "the first queue", "the second queue", "an event's deliveries", "all_told"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after_it", [False, True], ids=["before", "after"])
def test_killed_at_each_step(
    world: World, parts: Parts, monkeypatch: pytest.MonkeyPatch, step: str, after_it: bool
) -> None:
    world.apply(*cancelled_life()[:3])
    thing, name = parts.part(step)
    whole = getattr(thing, name)

    def killed(*arguments: Any) -> None:
        if after_it:
            whole(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(thing, name, killed)
        with pytest.raises(KeyboardInterrupt):
            parts.teller.tell()
    told_twice = world.counts()["untold"] == 2 and step not in ("marks", "read")
    world.tell()
    assert world.counts()["untold"] == 0
    for queue in (SIGNALS, OTHER_SIGNALS):
        signals = world.signals(queue)
        assert len(signals) <= (4 if told_twice else 3)
        # Doubled perhaps, but then the same one.
        assert len({signal["id"] for signal in signals}) == 2
        assert {signal["type"] for signal in signals} == {"subscription.activated", "subscription.ending"}
    assert len(list(WebhookEventRow.scan())) == 2
    assert world.tell() == 0


def test_a_queue_that_is_away_holds_up_no_other(world: World, parts: Parts) -> None:
    world.apply(*cancelled_life()[:2])
    queue_away(world)
    assert parts.teller.tell() == 0
    assert [signal["version"] for signal in world.signals()] == [1]
    assert len(list(WebhookEventRow.scan())) == 1
    assert world.counts()["untold"] == 1

    # What comes later is told at once to who is there, and nobody hears the first one again.
    world.apply(cancelled_life()[2])
    parts.seconds += SHORTEST_PUT_OFF
    parts.teller.tell()
    assert [signal["version"] for signal in world.signals()] == [2]
    world.clock.advance(seconds=90)
    assert world.tell() == 0
    assert (pending(), age()) == (2, 90)

    create_queue_with_dlq(world.sqs, OTHER_SIGNALS)
    assert world.tell() == 2
    assert [signal["version"] for signal in world.signals(OTHER_SIGNALS)] == [1, 2]
    assert world.signals() == []
    world.tell()
    assert (pending(), age()) == (0, 0)
    assert all(row.told_to is None for row in LogRow.scan())


def test_two_tellers_of_which_each_misses_another_queue_leave_nobody_out(world: World, parts: Parts) -> None:
    world.apply(*cancelled_life()[:2])
    (mark,) = parts.store.marks()
    parts.store.told_to(mark, {SIGNALS})
    parts.store.told_to(mark, {"webhooks"})
    (untold,) = parts.store.read([mark])
    assert untold.told_to == {SIGNALS, "webhooks"}
    assert parts.teller.tell() == 1
    assert (len(world.signals()), len(world.signals(OTHER_SIGNALS))) == (0, 1)
    # One that comes late finds no mark, and leaves none.
    parts.store.told_to(mark, {SIGNALS})
    assert LogRow.get(mark.subject, mark.number).told_to is None


def test_signals_do_not_wait_for_webhooks(
    world: World, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: Any) -> None:
        raise ConnectionError

    world.apply(*cancelled_life()[:2])
    for part in ("endpoints", "fan_out"):
        with monkeypatch.context() as broken:
            broken.setattr(parts.fan_out, part, away)
            assert parts.teller.tell() == 0
        parts.seconds += LONGEST_PUT_OFF
    assert (len(world.signals()), world.counts()["untold"]) == (1, 1)
    assert parts.teller.tell() == 1
    assert (len(world.signals()), len(list(WebhookEventRow.scan()))) == (0, 1)


def test_events_that_cannot_be_kept_together_are_kept_each_by_itself(
    world: World, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_events: Any) -> None:
        raise ValueError("one of them is too large")

    world.apply(*cancelled_life()[:3])
    monkeypatch.setattr(parts.fan_out._store, "keep_events", refused)
    assert parts.teller.tell() == 2
    assert len(list(WebhookEventRow.scan())) == 2


def test_an_entry_that_cannot_be_read_blocks_no_other(world: World, parts: Parts) -> None:
    world.apply(*cancelled_life()[:2])
    broken = LogRow.get("agmt-EXAMPLE", 2)
    whole = broken.packed
    broken.update([LogRow.packed.set(b"x\x9cnonsense")])
    other = {"agreement": {"id": "agmt-2"}, "license": {"arn": samples.ARN_2}}
    world.apply(license_updated(after(5), "e5", **other))
    assert parts.teller.tell() == 1
    assert len(world.signals()) == 1
    broken.update([LogRow.packed.set(whole)])
    assert world.tell() == 1


def test_what_fails_is_tried_again_later_and_later(
    world: World, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []

    def fails(_signals: Any, _traceparents: Any) -> set[int]:
        tries.append(parts.seconds)
        return set()  # SQS took none of them

    world.apply(*cancelled_life()[:2])
    monkeypatch.setattr(parts.others, "send", fails)
    while parts.seconds < 100:
        parts.teller.tell()
        parts.seconds += 0.5
    assert tries == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 61.5, 91.5]
    assert len(world.signals()) == 1


def test_a_queue_in_an_outage_is_tried_once_in_a_round(
    world: World, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.exceptions import EndpointConnectionError

    tries: list[int] = []

    def away(signals: list[Any], _traceparents: Any) -> set[int]:
        tries.append(len(signals))
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")

    for number in range(30):
        agreement, arn = {"id": f"agmt-{number}"}, f"arn:aws:license-manager::1:license:l-{number}"
        world.apply(license_updated(after(0), f"e{number}", agreement=agreement, license={"arn": arn}))
    monkeypatch.setattr(parts.others, "send", away)
    assert parts.teller.tell() == 0
    assert tries == [10]
    assert len(world.signals()) == 30


def test_nobody_is_told_of_what_no_reader_sees(world: World) -> None:
    world.apply(*cancelled_life()[:2], license_updated(after(62), "again"))
    assert world.counts()["untold"] == 1
    world.apply(advisory(after(90), "n1"))
    assert world.tell() == 2
    assert (len(world.signals()), len(list(WebhookEventRow.scan()))) == (1, 2)


def test_what_is_told_is_what_was_written_to_the_letter(
    world: World, parts: Parts, crash: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.apply(*cancelled_life()[:2])
    (entry,) = [one for one in world.log() if one.tells]
    with monkeypatch.context() as killed:
        killed.setattr(parts.store, "all_told", crash)
        with pytest.raises(KeyboardInterrupt):
            parts.teller.tell()
    world.clock.advance(hours=2)
    world.apply(cancelled_life()[2])
    world.tell()
    (event,) = entry.events
    kept = {row.event_id: row for row in WebhookEventRow.scan()}
    from notifications.tables.webhook_rows import event_of

    assert event_of(kept[event.event_id]) == event
