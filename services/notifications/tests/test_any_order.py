"""Whatever order, number and delay news arrives in, the subscription ends as if it had come in order,
once."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import samples
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.changes import Ask, Published, answered, ask_nothing, changes
from notifications.folding import fold
from notifications.news import News
from notifications.purchase import Entitlement, Purchase, ValueType
from notifications.questions import Questions
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

    def __init__(self, ask: Ask = ask_nothing) -> None:
        self.ask = ask
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
        for change in changes(self.rows, after, now, self.ask):
            self.rows[change.after.subscription.subscription_id] = change.after
            if change.signal:
                self.signals.append(change.signal)

    def answer(self, seats: int, now: datetime) -> None:
        sold = [Entitlement(dimension="seats", type=ValueType.INTEGER, value=str(seats))]
        for subscription_id, row in list(self.rows.items()):
            change = answered(row, row.purchase.entitled_to(sold, now), Questions(), now)
            if change:
                self.rows[subscription_id] = change.after
                self.signals += [change.signal] if change.signal else []

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


@settings(max_examples=200)
@given(data=st.data(), life=LIVES)
def test_news_and_answers_never_undo_each_other(data: st.DataObject, life: list[News]) -> None:
    """The row says what all news amounts to, as without any answer; and the last answer, as without any
    news."""
    table = Table(ask=lambda _before, _subscription: Questions(samples.T0))
    last: dict[str, Purchase] = {}
    for news in data.draw(st.permutations(life + data.draw(st.lists(st.sampled_from(life), max_size=3)))):
        versions = {name: row.version for name, row in table.rows.items()}
        table.arrive(news, samples.T0)
        assert {name: row.purchase for name, row in table.rows.items() if name in last} == last
        assert all(row.version >= versions.get(name, 1) for name, row in table.rows.items())
        if data.draw(st.booleans()):
            table.answer(data.draw(st.integers(0, 2)), samples.T0)
            last = {name: row.purchase for name, row in table.rows.items()}
    assert table.subscriptions() == fold(life, samples.T0)
    for name, row in table.rows.items():
        told = [signal["version"] for signal in table.signals if signal["subscription_id"] == name]
        # Versions that nobody was told of are those in which a reader learns nothing but which news it was.
        assert set(told) <= set(range(1, row.version + 1))
        assert len(set(told)) == len(told)


@given(life=LIVES)
def test_news_that_calls_for_a_question_writes_the_row_anew_also_where_it_says_nothing_new(
    life: list[News],
) -> None:
    """Or an answer that was made before the news could be written after it, as if it were the answer to
    it."""
    table = Table(ask=lambda _before, _subscription: Questions(samples.T0))
    for news in life:
        before = dict(table.rows)
        table.arrive(news, samples.T0)
        for name, row in table.rows.items():
            if name in before:
                assert row.revision == before[name].revision + 1
