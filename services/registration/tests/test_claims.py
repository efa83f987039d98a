"""One subscription, one customer: in every order of doubled submits, lost answers and other people."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registration.claims import Claim, SubscriptionClaimed, Verdict, judge
from registration.customers import Customer, CustomerDetails, new_customer
from registration.registering import Registered, register
from registration.registrations import Registration, RegistrationExpired, open_registration
from registration.resolved_purchase import ResolvedPurchase

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
PURCHASE = ResolvedPurchase("sub_a", "code", "concurrent_agreements", "444455556666", None, "arn", "agmt")
ADA = new_customer("cus_a", CustomerDetails("ada@example.com"), "sub_a", NOW)
CLAIM = Claim("sub_a", "cus_a", "reg_a", "code", NOW)


def registration(registration_id: str = "reg_a") -> Registration:
    return open_registration(registration_id, "hash", PURCHASE, None, NOW, minutes=60)


@pytest.mark.parametrize(
    ("claim", "holder", "registration_id", "email", "verdict"),
    [
        (None, None, "reg_a", "ada@example.com", Verdict.FREE),
        (CLAIM, ADA, "reg_a", "eve@example.com", Verdict.OWN),
        (CLAIM, ADA, "reg_b", "ADA@example.com", Verdict.OWN),
        (CLAIM, ADA, "reg_b", "eve@example.com", Verdict.OTHER),
        (CLAIM, ADA.erased(NOW), "reg_a", "ada@example.com", Verdict.OTHER),
        (CLAIM, None, "reg_b", "ada@example.com", Verdict.OTHER),
    ],
)
def test_whose_a_subscription_is(
    claim: Claim | None, holder: Customer | None, registration_id: str, email: str, verdict: Verdict
) -> None:
    assert judge(claim, holder, registration_id, email) is verdict


class AnswerLost(Exception):
    """The transaction may or may not have happened."""


@dataclass
class MemoryTables:
    """Atomic like DynamoDB. `before` comes before each act; `faults` says what becomes of transactions."""

    claims: dict[str, Claim] = field(default_factory=dict)
    customers: dict[str, Customer] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None
    faults: list[str] = field(default_factory=list)

    def claim_of(self, subscription_id: str) -> Claim | None:
        self.before()
        return self.claims.get(subscription_id)

    def customer(self, customer_id: str) -> Customer | None:
        self.before()
        return self.customers.get(customer_id)

    def claim_for_new_customer(self, claim: Claim, customer: Customer, registration_id: str) -> bool:
        self.before()
        fault = self.faults.pop(0) if self.faults else "none"
        if fault == "lost request":
            raise AnswerLost
        if claim.subscription_id in self.claims:
            return False
        self.claims[claim.subscription_id] = claim
        self.customers[customer.customer_id] = customer
        if fault == "lost answer":
            raise AnswerLost
        return True


def test_a_customer_is_made_once_and_then_recognised() -> None:
    tables = MemoryTables()
    first = register(tables, registration(), CustomerDetails("ada@example.com", "Ada"), NOW)
    again = register(tables, registration(), CustomerDetails("ada@example.com", "Countess"), NOW)
    later = register(tables, registration("reg_b"), CustomerDetails("Ada@Example.COM"), NOW)

    assert (first.created, again.created, later.created) == (True, False, False)
    assert first.registration.status == "registered"
    assert first.registration.made_the_customer
    assert not later.registration.made_the_customer
    assert {one.registration.customer_id for one in (first, again, later)} == set(tables.customers)
    assert [customer.name for customer in tables.customers.values()] == ["Ada"]


def test_somebody_else_is_refused_with_what_support_needs() -> None:
    tables = MemoryTables(claims={"sub_a": CLAIM}, customers={"cus_a": ADA})
    with pytest.raises(SubscriptionClaimed) as refused:
        register(tables, registration("reg_b"), CustomerDetails("eve@example.com"), NOW)
    assert (refused.value.registration_id, refused.value.subscription_id) == ("reg_b", "sub_a")
    assert list(tables.customers) == ["cus_a"]


def test_an_expired_registration_claims_nothing() -> None:
    tables = MemoryTables()
    register(
        MemoryTables(),
        registration(),
        CustomerDetails("a@b.example"),
        NOW + timedelta(minutes=59, seconds=59),
    )
    with pytest.raises(RegistrationExpired):
        register(tables, registration(), CustomerDetails("a@b.example"), NOW + timedelta(minutes=60))
    assert tables.claims == {}


class Turnstile:
    """Lets threads act one act at a time, in the order of a schedule."""

    def __init__(self, schedule: list[int]) -> None:
        self._schedule = schedule
        self._changed = threading.Condition()
        self._waiting: set[int] = set()
        self._finished: set[int] = set()
        self._granted: int | None = None
        self._mine = threading.local()

    def run(self, jobs: list[Callable[[], Any]]) -> list[Any]:
        results: list[Any] = [None] * len(jobs)

        def work(number: int, job: Callable[[], Any]) -> None:
            self._mine.number = number
            try:
                results[number] = job()
            except (SubscriptionClaimed, AnswerLost) as error:
                results[number] = error
            with self._changed:
                self._finished.add(number)
                self._changed.notify_all()

        threads = [threading.Thread(target=work, args=(number, job)) for number, job in enumerate(jobs)]
        for thread in threads:
            thread.start()
        while True:
            with self._changed:
                everyone = set(range(len(jobs)))
                self._changed.wait_for(
                    lambda everyone=everyone: (
                        self._granted is None and self._waiting | self._finished == everyone
                    )
                )
                if not self._waiting:
                    break
                wanted = self._schedule.pop(0) if self._schedule else 0
                ready = sorted(self._waiting)
                self._granted = ready[wanted % len(ready)]
                self._changed.notify_all()
        for thread in threads:
            thread.join()
        return results

    def wait(self) -> None:
        number = self._mine.number
        with self._changed:
            self._waiting.add(number)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._granted == number)
            self._waiting.discard(number)
            self._granted = None


SUBMIT = st.tuples(
    st.sampled_from(["reg_a", "reg_b"]),
    st.sampled_from(["ada@example.com", "ADA@example.com", "eve@example.com"]),
)


@given(
    submits=st.lists(SUBMIT, min_size=2, max_size=4),
    schedule=st.lists(st.integers(0, 3), max_size=16),
    faults=st.lists(st.sampled_from(["none", "lost answer", "lost request"]), max_size=3),
)
def test_however_submits_interleave_there_is_one_customer(
    submits: list[tuple[str, str]], schedule: list[int], faults: list[str]
) -> None:
    turnstile = Turnstile(list(schedule))
    tables = MemoryTables(before=turnstile.wait, faults=list(faults))

    def submit(registration_id: str, email: str) -> Callable[[], Registered]:
        return lambda: register(tables, registration(registration_id), CustomerDetails(email), NOW)

    results = turnstile.run([submit(*one) for one in submits])

    assert len(tables.customers) == len(tables.claims) <= 1
    told = {one.registration.customer_id for one in results if isinstance(one, Registered)}
    assert told <= set(tables.customers)
    assert sum(one.created for one in results if isinstance(one, Registered)) <= 1
    if not any(isinstance(one, AnswerLost) for one in results):
        assert sum(one.created for one in results if isinstance(one, Registered)) == 1

    # Whoever lost an answer asks again, and hears of the one customer there is, or that it is another's.
    settled = replace(tables, before=lambda: None, faults=[])
    for (registration_id, email), result in zip(submits, results, strict=True):
        if not isinstance(result, AnswerLost):
            continue
        try:
            again = register(settled, registration(registration_id), CustomerDetails(email), NOW)
        except SubscriptionClaimed:
            (holder,) = settled.customers.values()
            assert not holder.has_email(email)
            assert settled.claims["sub_a"].registration_id != registration_id
        else:
            assert again.registration.customer_id in settled.customers
    assert len(settled.customers) == len(settled.claims) == 1 or not results
