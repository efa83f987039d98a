"""In every order of landings, submits, sign-ins, hand-overs, news, erasures and crashes: never two customers
for one subscription, never a lost claim.

Some hundred runs each time; `REGISTRATION_DEEP=1` makes it some ten thousand, other ones each time.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from buyers_world import START, Answer, Fault, News, ProductKind, World
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from registration.identities import Identity
from registration.outbox_items import Kind, new_item

DEEP = os.environ.get("REGISTRATION_DEEP") == "1"

ADA, EVE = Identity("https://id.example", "ada"), Identity("https://id.example", "eve")

ANSWERS: st.SearchStrategy[list[Answer]] = st.lists(
    st.sampled_from(["account 1", "account 1", "account 2", "no", "no", "error", "nonsense", "lost"]),
    max_size=5,
)
FAULTS = st.builds(
    Fault,
    at=st.integers(1, 12),
    kind=st.sampled_from(["crash before", "crash after", "outage before", "outage after"]),
)


@dataclass(frozen=True)
class Cast:
    """Who acts in a run."""

    products: list[ProductKind]
    submits: list[tuple[int, str, Identity | None, int]]
    workers: list[int]
    erasures: list[int]
    changes: list[tuple[int, str, str | None]]
    signals: list[int]
    sweeps: int
    minutes: int
    news: list[list[News]]
    answers: list[Answer]
    faults: dict[int, Fault]
    renews: dict[int, int]

    def world(self) -> tuple[World, dict[str, Callable[[], None]]]:
        renews = {new: old for new, old in self.renews.items() if new < len(self.products)}
        world = World(list(self.products), list(self.answers), renews=renews)
        jobs: dict[str, Callable[[], None]] = {}
        for n, (number, door, identity, times) in enumerate(self.submits):
            number %= len(self.products)
            who = "nobody" if identity is None else identity.subject
            jobs[f"submit {n}: {door} of {number} as {who}"] = world.submit(
                number, door, identity, times, f"{door}{n}@buyer.example"
            )
        jobs |= {f"worker {n}": world.worker(rounds) for n, rounds in enumerate(self.workers)}
        jobs |= {f"erase {n}": world.erase(which) for n, which in enumerate(self.erasures)}
        jobs |= {
            f"change {n}": world.change(which, {name: text})
            for n, (which, name, text) in enumerate(self.changes)
        }
        jobs |= {
            f"signal {n} of {number}": world.signal(number % len(self.products), 2)
            for n, number in enumerate(self.signals)
        }
        jobs |= {f"sweep {n}": world.sweep() for n in range(self.sweeps)}
        if self.minutes:
            jobs["minutes"] = world.minutes(self.minutes)
        for number, told in enumerate(self.news[: len(self.products)]):
            if told:
                jobs[f"news of {number}"] = world.news(number, told)
        names = list(jobs)
        world.faults = {names[n % len(names)]: fault for n, fault in self.faults.items()}
        return world, jobs


LIVES: st.SearchStrategy[list[News]] = st.integers(0, 3).map(lambda n: ["pending", "active", "ended"][:n])
RENEWED: st.SearchStrategy[list[News]] = st.sampled_from(
    [["active"], ["active"], ["active", "renewed"], ["active", "renewed", "ended"], ["pending", "active"]]
)
OVER: st.SearchStrategy[list[News]] = st.sampled_from([["ended"], ["active", "ended"]])
CHANGES = st.tuples(st.integers(0, 2), st.just("name"), st.just("Ada")) | st.tuples(
    st.integers(0, 2), st.just("account_id"), st.sampled_from(["account 1", "account 2", None])
)


def lists(of: st.SearchStrategy[Any], least: int, most: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(of, min_size=least, max_size=most)


def casts(
    products: list[list[ProductKind]],
    submits: st.SearchStrategy[list[tuple[int, str, Identity | None, int]]],
    *,
    workers: tuple[int, int] = (0, 0),
    erasures: tuple[int, int] = (0, 0),
    changes: tuple[int, int] = (0, 0),
    signals: tuple[int, int] = (0, 0),
    sweeps: tuple[int, int] = (0, 0),
    minutes: tuple[int, int] = (0, 0),
    lives: st.SearchStrategy[list[News]] = st.just([]),  # noqa: B008 - a strategy is a value
    faults: int = 1,
    renews: tuple[dict[int, int], ...] = ({},),
) -> st.SearchStrategy[Cast]:
    """Casts with so many, at least and at most, of each kind of actor."""
    return st.builds(
        Cast,
        products=st.sampled_from(products),
        submits=submits,
        workers=lists(st.integers(1, 3), *workers),
        erasures=lists(st.integers(0, 2), *erasures),
        changes=lists(CHANGES, *changes),
        signals=lists(st.integers(0, 2), *signals),
        sweeps=st.integers(*sweeps),
        minutes=st.integers(*minutes),
        news=lists(lives, 3, 3),
        answers=ANSWERS,
        faults=st.dictionaries(st.integers(0, 11), FAULTS, max_size=faults),
        renews=st.sampled_from(renews),
    )


def submits(
    numbers: str, doors: str, identities: list[Identity | None], times: int, most: int, least: int = 1
) -> st.SearchStrategy[list[tuple[int, str, Identity | None, int]]]:
    return lists(
        st.tuples(
            st.sampled_from([int(one) for one in numbers]),
            st.sampled_from(doors),
            st.sampled_from(identities),
            st.integers(1, times),
        ),
        least,
        most,
    )


# What goes wrong takes few actors close together; a crowd of everybody comes last.
SCENES = {
    "several people want one subscription": casts(
        [["plain"], ["handing over"]],
        submits("0", "ab", [None, ADA, EVE], 1, 3, 2),
        workers=(0, 1),
    ),
    "one person has several subscriptions": casts(
        [["plain", "plain"], ["plain", "handing over"], ["handing over", "handing over"]],
        submits("012", "a", [ADA, ADA, EVE], 1, 3, 2),
        erasures=(0, 1),
        changes=(0, 1),
        workers=(0, 1),
    ),
    "the back end says no, and the buyer tries again": casts(
        [["handing over"]],
        submits("0", "aab", [None, ADA], 3, 2),
        workers=(1, 2),
        minutes=(1, 3),
    ),
    "a customer is erased while subscriptions end": casts(
        [["plain"], ["plain", "plain"], ["plain", "plain", "plain"]],
        submits("012", "ab", [ADA], 2, 4, 2),
        erasures=(1, 2),
        signals=(0, 1),
        sweeps=(1, 2),
        lives=OVER,
    ),
    "news comes while letters go out": casts(
        [["plain"], ["handing over"]],
        submits("0", "a", [None], 1, 1),
        workers=(1, 2),
        signals=(0, 2),
        sweeps=(0, 1),
        minutes=(0, 2),
        erasures=(0, 1),
        lives=LIVES,
    ),
    "a subscription is renewed": casts(
        [["plain", "plain"], ["handing over", "handing over"], ["plain", "handing over"]],
        submits("0001", "ab", [None, ADA, EVE], 1, 3),
        workers=(0, 2),
        erasures=(0, 1),
        changes=(0, 1),
        signals=(0, 2),
        sweeps=(0, 1),
        lives=RENEWED,
        renews=({1: 0},),
    ),
    "a chain of renewals": casts(
        [["plain", "plain", "plain"], ["handing over", "handing over", "handing over"]],
        submits("0002", "a", [None, ADA], 1, 2),
        workers=(0, 2),
        erasures=(0, 1),
        signals=(0, 3),
        sweeps=(0, 1),
        minutes=(0, 2),
        lives=RENEWED,
        renews=({1: 0, 2: 1}, {2: 1, 0: 2}),
    ),
    "everybody at once": casts(
        [
            ["plain", "handing over"],
            ["plain", "handing over", "handing over"],
            ["plain", "plain", "handing over"],
        ],
        submits("012", "aab", [None, ADA, ADA, EVE], 3, 4),
        workers=(0, 2),
        erasures=(0, 2),
        changes=(0, 2),
        signals=(0, 2),
        sweeps=(0, 2),
        minutes=(0, 3),
        lives=LIVES | RENEWED,
        faults=2,
        renews=({}, {2: 1}, {1: 0}),
    ),
}


@pytest.mark.parametrize("scene", SCENES)
@settings(
    derandomize=not DEEP,
    max_examples=5_000 if DEEP else 150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_in_every_order(scene: str, data: st.DataObject) -> None:
    world, jobs = data.draw(SCENES[scene]).world()

    def choose(ready: list[str], last: str | None) -> str:
        # Often the one who went last goes on: what goes wrong needs few changes of actor, at the right place.
        chosen = data.draw(st.integers(0, 2 * len(ready)))
        if chosen < len(ready):
            return ready[chosen]
        return last if last in ready else ready[0]

    with capture_logs() as logs:
        try:
            world.turns.run(jobs, choose, world.check)
            world.run_dry()
            world.check_the_end()
            world.end_everything()
        except BaseException:
            note("\n".join(world.story))
            raise
    assert not [line for line in logs if "unforeseen" in line["event"]], "an outbox item failed by surprise"


@settings(derandomize=not DEEP, max_examples=2_000 if DEEP else 100, deadline=None)
@given(
    cast=casts(
        [["plain"], ["handing over"], ["plain", "handing over"]],
        submits("01", "ab", [None, ADA, EVE], 2, 3),
        erasures=(0, 1),
    ),
    status=st.sampled_from(["pending", "active", "ended"]),
    order=st.lists(st.integers(0, 3), max_size=60),
    during=st.integers(1, 40),
)
def test_before_during_or_after_the_news(cast: Cast, status: News, order: list[int], during: int) -> None:
    """Registering ends in the same state whenever the news comes."""

    def ending(when: int | None) -> object:
        world, jobs = cast.world()
        acts, turns = 0, list(order)

        def tell() -> None:
            for number in range(len(cast.products)):
                world.publish(number, status)

        def choose(ready: list[str], _last: str | None) -> str:
            return ready[turns.pop(0) % len(ready)] if turns else ready[0]

        def after_each() -> None:
            nonlocal acts
            acts += 1
            if acts == when:
                tell()
            world.check()

        if when == 0:
            tell()
        world.turns.run(jobs, choose, after_each)
        if when is None or acts < when:
            tell()
        world.run_dry()
        world.check_the_end()
        return world.state()

    with capture_logs():
        before = ending(0)
        assert before == ending(during) == ending(None)


def test_a_question_whose_claim_has_a_customer_is_dropped() -> None:
    """No act leaves such a one; if one is there all the same, it is not asked for ever."""
    world = World(["handing over"])
    world.alone("buyer", world.submit(0, "a", None))
    (key,) = world.hand_overs
    question = new_item(
        Kind.HAND_OVER, key.removeprefix("hand-over-"), "sub_0", None, START, {"registration_id": "reg_0a"}
    )
    world.tables.outbox_by_id[question.outbox_id] = question
    with capture_logs():
        world.outbox.run()
    assert question.outbox_id not in world.tables.outbox_by_id
    assert len(world.asked) == 1


@pytest.mark.parametrize(
    ("first", "then", "letters"),
    [
        ("active", "active", ["welcome-letter-sub_0"]),
        ("pending", "active", ["welcome-letter-sub_0", "access-letter-sub_0"]),
        ("pending", "pending", ["welcome-letter-sub_0"]),
    ],
)
def test_access_is_told_in_one_letter(first: News, then: News, letters: list[str]) -> None:
    world = World(["plain"])
    world.publish(0, first)
    with capture_logs():
        world.alone("buyer", world.submit(0, "a", None))
        world.run_dry()
        world.publish(0, then)
        world.alone("the sweep", world.sweep())
        world.run_dry()
    assert [outbox_id for outbox_id, _, _ in world.sent] == letters
