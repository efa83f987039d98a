"""The worker against a real engine: what one message makes of inbox, log and row."""

import itertools
import random
from datetime import timedelta
from typing import Any

import pytest
import samples
from conftest import OTHER_SIGNALS, World
from samples import action, after, cancelled_life, created, deprovisioned, ended, license_updated

from chassis.queues import Unreadable
from notifications.tables.rows import published
from notifications.tables.store import Overtaken


def test_the_recorded_life(world: World) -> None:
    for body, status, version in zip(
        cancelled_life(), [None, "active", "ending", "ending"], [0, 1, 2, 3], strict=True
    ):
        world.apply(body)
        if status:
            row = world.row()
            assert (row.status, row.version) == (status, version)
    world.tell()
    assert [(signal["type"], signal["version"]) for signal in world.signals()] == [
        ("subscription.activated", 1),
        ("subscription.ending", 2),
        ("subscription.changed", 3),
    ]
    assert len(world.signals(OTHER_SIGNALS)) == 3
    assert world.counts() == {"InboxRow": 4, "LogRow": 4, "SubscriptionRow": 1, "untold": 0}


def test_what_each_message_became(world: World) -> None:
    first, second, third, _ = cancelled_life()
    world.apply(first, second, third)
    waiting, applied = world.inbox("e1"), world.inbox("e2")
    assert (waiting.outcome, waiting.subscription_id, waiting.subject) == ("waiting", None, "agmt-EXAMPLE")
    assert (applied.outcome, applied.subscription_id) == ("applied", samples.CONCURRENT_ID)
    assert applied.whole_body == second
    assert applied.name == "License Updated - Manufacturer"
    assert applied.forget_at == samples.T0 + timedelta(days=400)

    # The other copy of the same news, and news that is too late to matter.
    world.apply(ended(after(95), "e9"), created(after(-5), "e8"))
    assert world.inbox("e9").outcome == "no_change"
    assert world.inbox("e8").outcome == "no_change"
    assert world.row().version == 2


def test_a_doubled_message_changes_nothing(world: World) -> None:
    life = cancelled_life()
    world.apply(*life)
    counts, version = world.counts(), world.row().version
    world.apply(*reversed(life), *life)
    assert world.counts() == counts
    assert world.row().version == version


@pytest.mark.parametrize("seed", range(3))
def test_every_order_ends_in_the_same_row(world: World, seed: int) -> None:
    world.apply(*cancelled_life())
    in_order = published(world.row()).subscription
    orders = random.Random(seed).sample(list(itertools.permutations(range(4))), 4)
    for number, order in enumerate(orders):
        agreement, arn = {"id": f"agmt-{number}"}, f"arn:aws:license-manager::1:license:l-{number}"
        life = [
            created(after(0), f"{number}-1", agreement=agreement),
            license_updated(after(61), f"{number}-2", agreement=agreement, license={"arn": arn}),
            ended(after(95), f"{number}-3", agreement=f"agmt-{number}"),
            deprovisioned(after(126), f"{number}-4", agreement=agreement, license={"arn": arn}),
        ]
        for position in order:
            world.apply(life[position])
        (row,) = world.rows_of(f"agmt-{number}")
        subscription = published(row).subscription
        for name in ("status", "active_since", "ended_at", "end_reason", "meter_until", "changed_at"):
            assert getattr(subscription, name) == getattr(in_order, name)


def test_a_legacy_life_with_resubscription(world: World) -> None:
    world.apply(action("unsubscribe-pending", after(90), "m2"))
    assert world.row(samples.LEGACY_ID).status == "ending"
    world.apply(action("subscribe-success", after(0), "m1"))
    assert world.row(samples.LEGACY_ID).active_since == after(0)
    world.apply(action("subscribe-success", after(120), "m3"))
    row = world.row(samples.LEGACY_ID)
    assert (row.status, row.access, row.meter_until, row.ended_at) == ("active", "granted", None, None)
    assert row.active_since == after(0)
    assert row.free_trial is True
    assert world.counts()["SubscriptionRow"] == 1


def test_raw_delivery(world: World) -> None:
    world.apply(samples.SUBSCRIBE_SUCCESS)
    assert world.row(samples.LEGACY_ID).status == "active"
    assert world.inbox("sqs-0").source == "sns_raw"


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (samples.event("Something New - Manufacturer", after(0), "x"), "ignored"),
        (action("subscribe-maybe", after(0), "x"), "ignored"),
        (license_updated(after(0), "x", product={"code": "not-ours"}), "unknown_product"),
        (action("subscribe-success", after(0), "x", **{"product-code": "not-ours"}), "unknown_product"),
        (license_updated(after(0), "x", product={"code": samples.LEGACY_CODE}), "other_generation"),
        (
            action("subscribe-success", after(0), "x", **{"product-code": samples.CONCURRENT_CODE}),
            "other_generation",
        ),
    ],
)
def test_what_is_no_news_to_us_is_kept(world: World, body: str, outcome: str) -> None:
    world.apply(body)
    world.apply(body)
    entry = world.inbox("x")
    assert (entry.outcome, entry.whole_body) == (outcome, body)
    assert world.counts() == {"InboxRow": 1, "LogRow": 0, "SubscriptionRow": 0, "untold": 0}


def test_what_cannot_be_read_writes_nothing(world: World) -> None:
    with pytest.raises(Unreadable, match="none of the known shapes"):
        world.apply('{"hello": "world"}')
    assert set(world.counts().values()) == {0}


def test_a_row_that_the_sweep_had_to_leave_does_not_wait_for_the_next_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who changed it meanwhile only asked AWS about it; the clock may stand still from then on."""
    world.apply(*cancelled_life())
    world.clock.advance(hours=5)

    def too_late(*_: Any) -> None:
        raise Overtaken

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(world.worker.store, "replace", too_late)
        world.worker.sweep_when_due()
    assert world.row().status == "ending"
    world.worker.sweep_when_due()
    assert world.row().status == "ended"


def test_the_sweep_ends_what_nothing_announces(world: World) -> None:
    world.apply(*cancelled_life(), action("subscribe-success", after(0), "m1"))
    world.tell()
    world.signals()
    over = world.row().meter_until

    world.clock.advance(seconds=(over - world.clock.now()).total_seconds() - 1)
    assert world.worker.sweep(world.clock.now()) == 0
    world.clock.advance(seconds=1)
    assert world.worker.sweep(world.clock.now()) == 1
    assert world.worker.sweep(world.clock.now()) == 0

    row = world.row()
    assert (row.status, row.access, row.version, row.changed_at) == ("ended", "denied", 4, over)
    assert row.private_ending_until is None
    assert world.row(samples.LEGACY_ID).status == "active"
    world.tell()
    assert [(signal["type"], signal["version"]) for signal in world.signals()] == [("subscription.ended", 4)]


def test_the_sweep_comes_at_start_and_then_each_minute(world: World) -> None:
    world.apply(*cancelled_life())
    world.worker.sweep_when_due()
    world.clock.advance(hours=2)
    world.worker.sweep_when_due()
    assert world.row().status == "ended"

    world.apply(license_updated(after(0), "e5", agreement={"id": "agmt-2"}, license={"arn": "l-2"}))
    world.apply(ended(after(hours=1, minutes=1), "e6", agreement="agmt-2"))
    (row,) = world.rows_of("agmt-2")
    assert row.status == "ending"
    world.clock.advance(seconds=59)
    world.worker.sweep_when_due()
    world.clock.advance(minutes=1)
    world.worker.sweep_when_due()
    (row,) = world.rows_of("agmt-2")
    assert row.status == "ended"


def test_the_sweep_leaves_a_row_that_changed_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.apply(*cancelled_life()[:3])
    stale = world.worker.store.published([samples.CONCURRENT_ID])
    over = world.worker.store.last_hours_over(after(hours=1, seconds=96))
    assert over == [samples.CONCURRENT_ID]
    world.apply(deprovisioned(after(hours=1), "e4"))
    monkeypatch.setattr(world.worker.store, "last_hours_over", lambda _now: over)
    monkeypatch.setattr(world.worker.store, "published", lambda _ids: stale)
    assert world.worker.sweep(after(hours=1, seconds=96)) == 0
    assert (world.row().status, world.row().version) == ("ending", 3)


def test_a_clock_that_is_behind_does_not_reopen_a_last_hour(world: World) -> None:
    world.apply(*cancelled_life())
    world.worker.sweep(after(hours=3))
    assert world.row().status == "ended"
    world.apply(created(after(-5), "late"), license_updated(after(200), "later"))
    assert world.row().status == "ended"
    # A later last hour is another matter: AWS takes records until it is over.
    world.apply(ended(after(0), "x", agreement="agmt-2"))
    other = {"agreement": {"id": "agmt-2"}, "license": {"arn": "arn:aws:license-manager::1:license:l-2"}}
    world.apply(license_updated(after(0), "y", **other))
    world.worker.sweep(after(hours=2))
    world.apply(deprovisioned(after(hours=2), "z", **other))
    (row,) = world.rows_of("agmt-2")
    assert (row.status, row.access, row.meter_until) == ("ending", "denied", after(hours=3))
