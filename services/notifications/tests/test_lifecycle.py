"""The table, told as lives. Which news came first to us plays no part here: see test_any_order.py."""

from datetime import timedelta

import pytest
import samples
from samples import (
    after,
    cancelled_life,
    created,
    deprovisioned,
    ended,
    license_updated,
    news_of,
)

from notifications.folding import fold
from notifications.lifecycle import COLUMNS, TABLE
from notifications.news import Kind
from notifications.subscription import Access, Status, Subscription

HOUR = timedelta(hours=1)
NEVER = after(days=-1)
"""A moment at which no last hour is over."""


def live(*bodies: str, now: object = NEVER) -> Subscription:
    (subscription,) = fold([news_of(body) for body in bodies], now)  # type: ignore[arg-type]
    return subscription


def legacy(*actions: str, now: object = NEVER) -> Subscription:
    """Actions an hour and a half apart, unless named `action@minutes`."""
    bodies = []
    for number, told in enumerate(actions):
        name, _, minutes = told.partition("@")
        at = after(minutes=float(minutes) if minutes else 90 * number)
        bodies.append(samples.action(name, at, f"m{number}"))
    return live(*bodies, now=now)


def test_every_news_has_a_cell_for_every_state() -> None:
    assert set(TABLE) == set(Kind)
    assert all(len(row) == len(COLUMNS) == len(Status) for row in TABLE.values())


def test_an_agreement_alone_is_no_subscription_yet() -> None:
    assert fold([news_of(created(samples.T0, "e1"))], NEVER) == []
    assert fold([], NEVER) == []


def test_the_licence_makes_it_active() -> None:
    subscription = live(*cancelled_life()[:2])
    assert subscription.subscription_id == samples.CONCURRENT_ID
    assert (subscription.status, subscription.access) == (Status.ACTIVE, Access.GRANTED)
    assert subscription.active_since == subscription.changed_at == after(61)
    assert subscription.changed_by == "e2"
    assert subscription.offer_id == "offer-EXAMPLE"
    assert subscription.customer_aws_account_id == "444455556666"
    assert subscription.meter_until is None


def test_the_end_takes_the_access_and_gives_an_hour() -> None:
    subscription = live(*cancelled_life()[:3])
    assert (subscription.status, subscription.access) == (Status.ENDING, Access.DENIED)
    assert (subscription.ended_at, subscription.end_reason) == (after(95), "CANCELLED")
    assert subscription.meter_until == after(95) + HOUR


def test_deprovisioned_sets_the_hour_for_good() -> None:
    subscription = live(*cancelled_life())
    assert subscription.status == Status.ENDING
    assert subscription.meter_until == after(126) + HOUR
    assert subscription.ended_at == after(95)


def test_deprovisioned_may_happen_before_ended() -> None:
    subscription = live(
        license_updated(after(0), "e2"), deprovisioned(after(10), "e4"), ended(after(40), "e3")
    )
    assert subscription.meter_until == after(10) + HOUR
    assert (subscription.ended_at, subscription.end_reason) == (after(10), "CANCELLED")


def test_an_agreement_never_comes_back() -> None:
    subscription = live(*cancelled_life(), license_updated(after(500), "e5"), now=after(400))
    assert subscription.status == Status.ENDING
    assert subscription.access == Access.DENIED


def test_the_last_hour_ends_by_itself() -> None:
    over = after(126) + HOUR
    assert live(*cancelled_life(), now=over - timedelta(microseconds=1)).status == Status.ENDING
    subscription = live(*cancelled_life(), now=over)
    assert subscription.status == Status.ENDED
    assert subscription.changed_at == subscription.meter_until == over


def test_a_later_last_hour_is_granted_though_the_first_was_over() -> None:
    """Money: AWS takes records until an hour after Deprovisioned, however long after Ended that comes."""
    life = [license_updated(after(0), "e2"), ended(after(10), "e3")]
    now = after(hours=1.5)
    assert live(*life, now=now).status == Status.ENDED
    subscription = live(*life, deprovisioned(after(hours=1), "e4"), now=now)
    assert (subscription.status, subscription.access) == (Status.ENDING, Access.DENIED)
    assert subscription.meter_until == after(hours=2)


@pytest.mark.parametrize("reason", ["RENEWED", "REPLACED"])
def test_a_renewed_agreement_keeps_its_access_through_the_last_hour(reason: str) -> None:
    life = [
        license_updated(after(0), "e2"),
        ended(after(95), "e3", status=reason),
        deprovisioned(after(126), "e4"),
    ]
    subscription = live(*life)
    assert (subscription.status, subscription.access) == (Status.ENDING, Access.GRANTED)
    assert subscription.end_reason == reason
    over = live(*life, now=after(126) + HOUR)
    assert (over.status, over.access) == (Status.ENDED, Access.DENIED)


def test_both_copies_of_news_say_nothing_twice() -> None:
    copy = samples.event(
        "Purchase Agreement Ended - Manufacturer",
        after(95),
        "e9",
        agreement={"id": "agmt-EXAMPLE", "status": "CANCELLED"},
    )
    assert live(*cancelled_life(), copy) == live(*cancelled_life())


def test_a_second_licence_of_one_agreement_is_a_subscription_of_its_own() -> None:
    other = samples.ARN[:-1] + "0"
    news = [
        license_updated(after(0), "e1"),
        license_updated(after(10), "e2", license={"arn": other}),
        deprovisioned(after(20), "e3"),
    ]
    subscriptions = {one.license_arn: one.status for one in fold([news_of(body) for body in news], NEVER)}
    assert subscriptions == {samples.ARN: Status.ENDING, other: Status.ACTIVE}


def test_two_spellings_of_a_licence_are_one() -> None:
    other = "aws:license-manager:us-east-1:294406891311:license:l-9d01d15f86334a8894365cd7350556ff"
    subscription = live(
        license_updated(after(0), "e1"), deprovisioned(after(9), "e2", license={"arn": other})
    )
    assert subscription.status == Status.ENDING
    assert subscription.subscription_id == samples.CONCURRENT_ID


def test_a_legacy_life() -> None:
    subscription = legacy("subscribe-success")
    assert subscription.subscription_id == samples.LEGACY_ID
    assert (subscription.status, subscription.access) == (Status.ACTIVE, Access.GRANTED)
    assert (subscription.free_trial, subscription.offer_id) == (True, "offer-abcexample123")

    subscription = legacy("subscribe-success", "unsubscribe-pending")
    assert (subscription.status, subscription.access) == (Status.ENDING, Access.DENIED)
    assert subscription.meter_until == after(minutes=150)
    assert subscription.ended_at == after(minutes=90)

    subscription = legacy("subscribe-success", "unsubscribe-pending@90", "unsubscribe-success@140")
    assert subscription.status == Status.ENDED
    assert subscription.meter_until == after(minutes=140)
    assert subscription.ended_at == after(minutes=90)


def test_unsubscribe_success_alone_ends_it() -> None:
    subscription = legacy("subscribe-success", "unsubscribe-success")
    assert subscription.status == Status.ENDED
    assert subscription.meter_until == subscription.ended_at == after(minutes=90)


def test_subscribing_again_inside_the_hour_is_one_life() -> None:
    subscription = legacy("subscribe-success", "unsubscribe-pending@90", "subscribe-success@120")
    assert (subscription.status, subscription.access) == (Status.ACTIVE, Access.GRANTED)
    assert (subscription.meter_until, subscription.ended_at) == (None, None)
    assert subscription.active_since == samples.T0


@pytest.mark.parametrize("between", [[], ["unsubscribe-success@150"]])
def test_subscribing_again_later_is_a_new_life(between: list[str]) -> None:
    subscription = legacy("subscribe-success", "unsubscribe-pending@90", *between, "subscribe-success@300")
    assert subscription.status == Status.ACTIVE
    assert subscription.active_since == after(minutes=300)


def test_a_failed_payment() -> None:
    subscription = legacy("subscribe-fail")
    assert (subscription.status, subscription.access) == (Status.FAILED, Access.DENIED)
    assert legacy("subscribe-fail", "subscribe-success").status == Status.ACTIVE
    assert legacy("subscribe-success", "subscribe-fail").status == Status.ACTIVE


def test_a_new_offer_keeps_the_life() -> None:
    subscription = live(
        samples.action("subscribe-success", after(0), "m1"),
        samples.action("subscribe-success", after(90), "m2", **{"offer-identifier": "offer-2"}),
    )
    assert (subscription.active_since, subscription.offer_id) == (samples.T0, "offer-2")
    assert (subscription.changed_at, subscription.changed_by) == (after(90), "m2")


def test_an_entitlement_message_alone_is_a_pending_subscription() -> None:
    subscription = legacy("entitlement-updated")
    assert (subscription.status, subscription.access) == (Status.PENDING, Access.DENIED)


def test_at_the_same_instant_the_end_comes_last() -> None:
    assert legacy("unsubscribe-pending@0", "subscribe-success@0").status == Status.ENDING
    subscription = live(deprovisioned(after(0), "a"), license_updated(after(0), "b"))
    assert (subscription.status, subscription.active_since) == (Status.ENDING, samples.T0)
