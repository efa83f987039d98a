"""Whatever order, number and delay news arrives in, the subscription ends as if it had come in order,
once."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import samples
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.changes import Published, changes
from notifications.folding import fold
from notifications.news import News
from notifications.subscription import Access, Status, Subscription

ACTIONS = [
    "subscribe-success",
    "subscribe-fail",
    "unsubscribe-pending",
    "unsubscribe-success",
    "entitlement-updated",
]
EVENTS = [
    "Purchase Agreement Created - Proposer",
    "Purchase Agreement Created - Manufacturer",
    "Purchase Agreement Amended - Proposer",
    "Purchase Agreement Ended - Proposer",
    "Purchase Agreement Ended - Manufacturer",
    "License Updated - Manufacturer",
    "License Deprovisioned - Manufacturer",
]
# Whole minutes, few of them, so that things often happen at the same instant.
MINUTES = st.integers(min_value=0, max_value=240)


@st.composite
def legacy_lives(draw: st.DrawFn) -> list[News]:
    told = draw(st.lists(st.tuples(st.sampled_from(ACTIONS), MINUTES, st.booleans()), min_size=1, max_size=8))
    return [
        samples.news_of(
            samples.action(
                name, samples.after(minutes=at), f"m{n}", isFreeTrialTermPresent=str(trial).lower()
            )
        )
        for n, (name, at, trial) in enumerate(told)
    ]


@st.composite
def agreement_lives(draw: st.DrawFn) -> list[News]:
    told = draw(
        st.lists(
            st.tuples(
                st.sampled_from(EVENTS),
                MINUTES,
                st.sampled_from(["CANCELLED", "EXPIRED", "TERMINATED", "RENEWED", "REPLACED"]),
                st.sampled_from(["offer-1", "offer-2"]),
            ),
            min_size=1,
            max_size=8,
        )
    )
    news = []
    for n, (name, at, status, offer) in enumerate(told):
        changes = {"offer": {"id": offer}}
        if "Ended" in name:
            changes["agreement"] = {"id": "agmt-EXAMPLE", "status": status}
        news.append(samples.news_of(samples.event(name, samples.after(minutes=at), f"e{n}", **changes)))
    return news


LIVES = legacy_lives() | agreement_lives()


def happened(news: Sequence[News]) -> list[News]:
    return sorted(news, key=lambda one: one.event_time)


class Table:
    """The published table as the worker keeps it, without an engine: it sees news one by one, as it
    arrives."""

    def __init__(self) -> None:
        self.facts: list[News] = []
        self.seen: set[str] = set()
        self.rows: dict[str, Published] = {}
        self.signals: list[dict[str, object]] = []

    def arrive(self, news: News, now: datetime) -> None:
        if news.notification_id in self.seen:
            return
        self.seen.add(news.notification_id)
        self.facts.append(news)
        self.write(fold(self.facts, now), now)

    def sweep(self, now: datetime) -> None:
        self.write([row.subscription.expired(now) for row in self.rows.values()], now)

    def write(self, after: list[Subscription], now: datetime) -> None:
        for change in changes(self.rows, after, now):
            self.rows[change.after.subscription_id] = Published(change.after, change.version)
            if change.signal:
                self.signals.append(change.signal)

    def subscriptions(self) -> list[Subscription]:
        return [row.subscription for row in self.rows.values()]


@settings(max_examples=300)
@given(data=st.data(), life=LIVES)
def test_any_order_any_number_any_delay(data: st.DataObject, life: list[News]) -> None:
    late = samples.after(hours=6)
    in_order = Table()
    for news in happened(life):
        in_order.arrive(news, news.event_time)
    in_order.sweep(late)

    arriving = data.draw(st.permutations(life + data.draw(st.lists(st.sampled_from(life), max_size=4))))
    shuffled = Table()
    now = samples.T0
    for news in arriving:
        now += timedelta(minutes=data.draw(st.integers(0, 40)))
        shuffled.arrive(news, now)
        if data.draw(st.booleans()):
            shuffled.sweep(now)
    shuffled.sweep(late)

    assert shuffled.subscriptions() == in_order.subscriptions()
    assert shuffled.subscriptions() == fold(life, late)


@settings(max_examples=300)
@given(data=st.data(), life=agreement_lives())
def test_a_dead_agreement_never_revives(data: st.DataObject, life: list[News]) -> None:
    """Once the end is known, whatever comes after it, the access is denied: but for RENEWED and REPLACED,
    whose last hour keeps it, and then for that hour only."""
    table = Table()
    end_known = False
    for news in data.draw(st.permutations(life)):
        table.arrive(news, samples.after(hours=6))
        end_known = end_known or (
            (
                news.facts.agreement_status in ("CANCELLED", "EXPIRED", "TERMINATED")
                and "ended" in news.kind.value
            )
            or "deprovisioned" in news.kind.value
        )
        if end_known:
            for subscription in table.subscriptions():
                assert subscription.access == Access.DENIED
                assert subscription.status == Status.ENDED


@given(life=LIVES)
def test_a_legacy_subscription_lives_only_by_a_success_newer_than_its_end(life: list[News]) -> None:
    for subscription in fold(life, samples.T0):
        if subscription.status != Status.ACTIVE:
            continue
        starts = [
            one.event_time for one in life if one.kind.value in ("subscribe_success", "license_updated")
        ]
        ends = [
            one.event_time
            for one in life
            if one.kind.value.startswith(("unsubscribe", "agreement_ended", "license_deprovisioned"))
        ]
        assert max(starts) >= max(ends, default=samples.T0)


@given(life=LIVES)
def test_every_change_that_a_reader_can_see_is_signalled_once(life: list[News]) -> None:
    table = Table()
    told: dict[str, Subscription] = {}
    for news in life:
        before = len(table.signals)
        table.arrive(news, samples.T0)
        visibly_changed = sum(
            one.subscription_id not in told or not one.says_the_same_as(told[one.subscription_id])
            for one in table.subscriptions()
        )
        assert len(table.signals) - before == visibly_changed
        told = {one.subscription_id: one for one in table.subscriptions()}
    assert len({signal["id"] for signal in table.signals}) == len(table.signals)


@given(life=LIVES, first=MINUTES, second=MINUTES)
def test_time_passes_in_one_step_or_two(life: list[News], first: int, second: int) -> None:
    early, late = (samples.after(minutes=m) for m in sorted((first, second)))
    assert [one.expired(late) for one in fold(life, early)] == fold(life, late)
