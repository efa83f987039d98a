"""A renewal or replacement links old and new, whichever news comes first, and the customer goes along."""

import itertools
import json
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from threading import Barrier

import pytest
import samples
from conftest import World
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import after, created, license_updated, news_of, renewed_life

from notifications.folding import fold
from notifications.news import News
from notifications.renewals import join
from notifications.subscription import Status, Subscription
from notifications.subscription_ids import of_license

OLD, NEW = of_license(samples.ARN_1), of_license(samples.ARN_2)


class Facts:
    """The facts of all subjects as the worker keeps them, without an engine."""

    def __init__(self) -> None:
        self.by_subject: dict[str, list[News]] = {}
        self.seen: set[str] = set()

    def arrive(self, news: News) -> None:
        if news.notification_id in self.seen:
            return
        self.seen.add(news.notification_id)
        joined = join(news, lambda subject: (list(self.by_subject.get(subject, [])), 0))
        for subject in joined.facts:
            self.by_subject.setdefault(subject, []).extend(joined.added(subject))

    def subscriptions(self, now: datetime) -> dict[str, Subscription]:
        found = [one for facts in self.by_subject.values() for one in fold(facts, now)]
        return {one.subscription_id: one for one in found}


def arrived(bodies: list[News]) -> Facts:
    facts = Facts()
    for news in bodies:
        facts.arrive(news)
    return facts


LIFE = [news_of(body) for body in renewed_life()]
NOW = after(hours=3)


def test_old_and_new_name_each_other() -> None:
    rows = arrived(LIFE).subscriptions(after(190))
    assert (rows[OLD].status, rows[OLD].end_reason) == (Status.ENDING, "RENEWED")
    assert (rows[OLD].previous_subscription_id, rows[OLD].next_subscription_id) == (None, NEW)
    assert (rows[NEW].previous_subscription_id, rows[NEW].next_subscription_id) == (OLD, None)
    assert rows[NEW].status == Status.ACTIVE


def test_every_order_of_a_renewal() -> None:
    expected = arrived(LIFE).subscriptions(NOW)
    for order in itertools.permutations(LIFE):
        assert arrived(list(order)).subscriptions(NOW) == expected


def test_a_link_waits_for_both_licences() -> None:
    facts = arrived([LIFE[2], LIFE[3]])
    assert facts.subscriptions(NOW)[NEW].previous_subscription_id is None
    facts.arrive(LIFE[1])
    assert facts.subscriptions(NOW)[NEW].previous_subscription_id == OLD
    assert facts.subscriptions(NOW)[OLD].next_subscription_id == NEW


def chain(length: int) -> list[News]:
    news = []
    for number in range(length):
        agreement = {"id": f"agmt-{number}", "intent": "RENEW" if number else "NEW"}
        if number:
            agreement["previousAgreementId"] = f"agmt-{number - 1}"
        arn = f"arn:aws:license-manager::1:license:l-{number}"
        at = after(number * 100)
        news += [
            created(at, f"c{number}", agreement=agreement),
            license_updated(at, f"l{number}", agreement={"id": f"agmt-{number}"}, license={"arn": arn}),
        ]
    return [news_of(body) for body in news]


@settings(max_examples=200)
@given(data=st.data(), length=st.integers(2, 4))
def test_a_chain_of_renewals_in_any_order_any_number_of_times(data: st.DataObject, length: int) -> None:
    life = chain(length)
    arriving = data.draw(st.permutations(life + data.draw(st.lists(st.sampled_from(life), max_size=4))))
    rows = arrived(arriving).subscriptions(NOW)
    assert rows == arrived(life).subscriptions(NOW)
    ids = [of_license(f"arn:aws:license-manager::1:license:l-{number}") for number in range(length)]
    for before, following in itertools.pairwise(ids):
        assert rows[before].next_subscription_id == following
        assert rows[following].previous_subscription_id == before
    assert rows[ids[0]].previous_subscription_id is None
    assert rows[ids[-1]].next_subscription_id is None


@settings(max_examples=200)
@given(data=st.data())
def test_copies_for_both_parties_are_one_fact(data: st.DataObject) -> None:
    """Each with an id of its own, and a second apart."""
    copies = []
    for number, body in enumerate(renewed_life()):
        detail = json.loads(body)
        other = "Manufacturer" if detail["detail-type"].endswith("Proposer") else "Proposer"
        detail["detail-type"] = f"{detail['detail-type'].rsplit(' - ', 1)[0]} - {other}"
        detail["id"] = data.draw(st.sampled_from(["0", "z"])) + str(number)
        copies.append(news_of(json.dumps(detail)))
    both = arrived(data.draw(st.permutations([*LIFE, *copies]))).subscriptions(NOW)
    once = arrived(LIFE).subscriptions(NOW)
    assert both.keys() == once.keys()
    assert all(both[name].says_the_same_as(once[name]) for name in once)


def test_an_agreement_that_names_itself_links_nothing() -> None:
    itself = {"id": "agmt-1", "intent": "RENEW", "previousAgreementId": "agmt-1"}
    facts = arrived([news_of(created(after(0), "x", agreement=itself)), LIFE[1]])
    assert list(facts.by_subject) == ["agmt-1"]
    assert facts.subscriptions(NOW)[OLD].next_subscription_id is None


def test_two_that_name_each_other_end_all_the_same() -> None:
    facts = arrived(
        [
            news_of(created(after(0), "x", agreement={"id": "agmt-1", "previousAgreementId": "agmt-2"})),
            news_of(created(after(0), "y", agreement={"id": "agmt-2", "previousAgreementId": "agmt-1"})),
            *LIFE,
        ]
    )
    assert facts.subscriptions(NOW).keys() == {OLD, NEW}


# -- in the tables -------------------------------------------------------------------------------------------


def links(world: World) -> tuple[str | None, str | None]:
    return world.row(OLD).next_subscription_id, world.row(NEW).previous_subscription_id


@pytest.mark.parametrize("seed", range(3))
def test_the_table_tells_of_both(world: World, seed: int) -> None:
    bodies = renewed_life()
    random.Random(seed).shuffle(bodies)
    world.apply(*bodies)
    assert links(world) == (NEW, OLD)
    assert (world.row(OLD).status, world.row(OLD).access) == ("ending", "granted")
    world.tell()
    assert {signal["subscription_id"] for signal in world.signals()} == {OLD, NEW}


@pytest.mark.parametrize("round_", range(4))
def test_two_workers_learn_the_two_licences_at_the_same_moment(world: World, round_: int) -> None:
    """Each saw no licence of the other's when it looked."""
    bodies = renewed_life()
    world.apply(bodies[0], bodies[2])
    start = Barrier(2)

    def learn(body: str) -> None:
        worker = world.another_worker()
        start.wait()
        world.apply(body, worker=worker)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(partial(learn, body)) for body in (bodies[1], bodies[3])]:
            done.result()
    assert links(world) == (NEW, OLD)


@pytest.mark.parametrize("round_", range(4))
def test_all_news_of_a_renewal_at_the_same_moment(world: World, round_: int) -> None:
    bodies = renewed_life()
    start = Barrier(len(bodies))

    def learn(body: str) -> None:
        worker = world.another_worker()
        start.wait()
        world.apply(body, worker=worker)

    with ThreadPoolExecutor(len(bodies)) as pool:
        for done in [pool.submit(partial(learn, body)) for body in bodies]:
            done.result()
    assert links(world) == (NEW, OLD)
    assert (world.row(OLD).status, world.row(NEW).status) == ("ending", "active")


def test_the_other_one_s_history_names_the_news(world: World) -> None:
    world.apply(*renewed_life()[:4])
    (entry,) = [
        one for one in world.history(OLD) if "next_subscription_id" in str(one.changes) and one.version > 1
    ]
    assert (entry.cause.notification_id, entry.cause.kind) == ("b2", "notification")
