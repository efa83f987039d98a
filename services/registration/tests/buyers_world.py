"""A small world of buyers for `test_interleavings.py`: the actors, their mishaps, and what must always hold.

The rules and the outbox's work are the real ones; the tables are in memory, and the seller's back end, the
mail and AWS are here. What each actor does is cut into acts (`taking_turns.py`): between any two of them
anybody else may act.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from memory_tables import MemoryTables
from taking_turns import Turns

from chassis.problems import Problem, Unavailable
from registration import customer_changes
from registration.bindings import BoundTooOften
from registration.catalogue import Catalogue, understand
from registration.claims import Claim, SubscriptionClaimed
from registration.customers import Customer, CustomerDetails
from registration.handing_over import NotAnswered
from registration.identities import Identity, of_account
from registration.letters import Letter, Recipient, access_opened, welcome
from registration.mail import MailAway
from registration.outbox_items import Kind, OutboxItem
from registration.outbox_work import OutboxWork
from registration.registering import register
from registration.registrations import open_registration
from registration.resolved_purchase import ResolvedPurchase
from registration.sealing import Box
from registration.settling import settle, settle_renewal
from registration.subscription_access import PublishedSubscription

START = datetime(2026, 11, 22, 10, tzinfo=UTC)

PLAIN, HANDING_OVER = "plain", "handing over"
ProductKind = Literal["plain", "handing over"]

News = Literal["pending", "active", "renewed", "ended"]
# `renewed`: in the last hour of an agreement that another goes on in the place of.
_STATUS = {"renewed": "ending"}
_GRANTED = ("active", "renewed")

# What the seller's back end answers: an account, no, an error, nonsense, or nothing that arrives.
Answer = Literal["account 1", "account 2", "no", "error", "nonsense", "lost"]

FaultKind = Literal["crash before", "crash after", "outage before", "outage after"]


@dataclass(frozen=True)
class Fault:
    """What befalls an actor at its n-th act: the act is done ("after") or not ("before"), and then its
    process dies ("crash") or it is told that the tables are away ("outage")."""

    at: int
    kind: FaultKind


class Crash(BaseException):
    """The actor's process dies: nothing of its own code runs any more."""


def _catalogue() -> Catalogue:
    product = {
        "generation": "concurrent_agreements",
        "pricing_model": "subscription",
        "support": {"email": "support@seller.example"},
        "dimensions": [{"key": "seats", "title": "Seats", "unit": "Users"}],
    }
    hand_over = {
        "hand_over": "https://accounts.seller.example/marketplace",
        "quick_launch": {"parameter": "ApiKey", "secret": "{account_id}:{deployment_secret}"},
    }
    return understand(
        {
            "products": [
                product | {"product_code": PLAIN, "product_id": "prod-plain", "title": "Plain"},
                product
                | {"product_code": HANDING_OVER, "product_id": "prod-hosted", "title": "Hosted"}
                | {"registration": hand_over},
            ]
        }
    )


CATALOGUE = _catalogue()


@dataclass
class World:
    """Two registrations (`a`, `b`) of each purchase, and everything that may happen to them.

    Args:
        products: of each purchase, in order.
        answers: of the seller's back end, in the order in which it is asked; `account 1` once they are used
            up.
        faults: by the actor's name.
        renews: which purchase renewed or replaced which, by their numbers.
    """

    products: list[ProductKind]
    answers: list[Answer] = field(default_factory=list)
    faults: Mapping[str, Fault] = field(default_factory=dict)
    renews: Mapping[int, int] = field(default_factory=dict)
    turns: Turns = field(default_factory=Turns)
    tables: MemoryTables = field(init=False)
    outbox: OutboxWork = field(init=False)
    # What has been seen, which no table keeps.
    acts: dict[str, int] = field(default_factory=dict)
    named: dict[str, set[str]] = field(default_factory=dict)
    """The accounts that the back end named, by subscription."""
    refused: set[str] = field(default_factory=set)
    """The questions to which it said no."""
    asked: dict[str, Any] = field(default_factory=dict)
    noticed: dict[str, Any] = field(default_factory=dict)
    """The renewals that the back end was told of, and what it was to be told at first."""
    given: set[str] = field(default_factory=set)
    """Those for which it gave a secret."""
    landed: set[str] = field(default_factory=set)
    """The subscriptions with which a buyer came."""
    sent: list[tuple[str, str, Letter]] = field(default_factory=list)
    put: list[tuple[str, str]] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)
    holders: dict[str, set[str]] = field(default_factory=dict)
    """The registrations that have held each subscription."""
    hand_overs: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    """The identities that have led to anybody."""
    told: list[tuple[str, str]] = field(default_factory=list)
    """Subscription and customer, as buyers were told."""
    tried_at: dict[str, datetime] = field(default_factory=dict)
    """When the world outside last heard of each outbox item."""
    minutes_passed: bool = False
    broken: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    """What was done, for whoever reads a failure."""
    _now: datetime = START
    _claims: dict[str, Claim] = field(default_factory=dict)
    _customers: dict[str, Customer] = field(default_factory=dict)
    _outbox: dict[str, OutboxItem] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tables = MemoryTables(before=self._before, after=self._after, most_in_one_act=3, largest_page=2)
        for number, product in enumerate(self.products):
            purchase = ResolvedPurchase(
                subscription_id=f"sub_{number}",
                product_code=product,
                generation="concurrent_agreements",
                customer_aws_account_id="444455556666",
                customer_identifier=None,
                license_arn=f"arn:aws:license-manager::294406891311:license:l-{number}",
                agreement_id=f"agmt-{number}",
            )
            for door in "ab":
                registration = open_registration(f"reg_{number}{door}", "hash", purchase, None, START, 60)
                self.tables.registrations[registration.registration_id] = registration
        self.outbox = OutboxWork(
            self.tables,  # type: ignore[arg-type]
            CATALOGUE,
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            self,
            Box(["secret"], "deployment secret"),
            self.now,
        )

    # -- acts and faults -------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self._now

    def act(self) -> None:
        """An act of the current actor, done when its turn comes; things take time."""
        self.turns.act()
        self._now += timedelta(milliseconds=1)

    def _before(self, act: str) -> None:
        self.act()
        who = self.turns.current
        self.story.append(f"{who or 'the end'}: {act}")
        if who is not None:
            self.acts[who] = self.acts.get(who, 0) + 1
            self._befall(who, "before")

    def _after(self, _act: str) -> None:
        who = self.turns.current
        if who is not None:
            self._befall(who, "after")

    def _befall(self, who: str, moment: str) -> None:
        fault = self.faults.get(who)
        if fault is None or fault.at != self.acts[who] or not fault.kind.endswith(moment):
            return
        self.story.append(f"{who}: {fault.kind}")
        if fault.kind.startswith("crash"):
            raise Crash
        raise Unavailable("The engine is away.")

    # -- the world outside -----------------------------------------------------------------------------------

    def ask(self, _address: str, body: Mapping[str, Any], idempotency_key: str) -> tuple[int, Any]:
        """The seller's back end. It need not be consistent: the buyer's side must be."""
        self.act()
        self._not_in_anothers_hands(idempotency_key)
        if body["type"] == "registration.renewed":
            return self._hear(body, idempotency_key)
        self._demand(idempotency_key in self.hand_overs, "asked what nothing remembers to ask again")
        claimed = {name: body[name] for name in ("registration_id", "subscription_id", "email")}
        same = self.asked.setdefault(idempotency_key, claimed) == claimed
        self._demand(same, "one idempotency key, two questions")
        answer = self.answers.pop(0) if self.answers else "account 1"
        self.story.append(f"{self.turns.current or 'the end'}: the back end answers {answer}")
        match answer:
            case "no":
                self.refused.add(idempotency_key)
                return 422, {"detail": "Not you."}
            case "error":
                return 502, None
            case "nonsense":
                return 200, {"account": "1"}
            case "lost":
                raise NotAnswered("the seller's back end did not answer")
        self.named.setdefault(body["subscription_id"], set()).add(answer)
        return 200, {"account_id": answer, "deployment_secret": "s3cret"}

    def _hear(self, body: Mapping[str, Any], idempotency_key: str) -> tuple[int, Any]:
        """The back end is told of a renewal."""
        said = {name: body[name] for name in ("subscription_id", "previous_subscription_id", "customer_id")}
        same = self.noticed.setdefault(idempotency_key, said) == said
        self._demand(same, "one idempotency key, two notices")
        claim = self.tables.claims_by_id.get(said["subscription_id"])
        true = claim is not None and (claim.follows, claim.customer_id) == (
            said["previous_subscription_id"],
            said["customer_id"],
        )
        self._demand(true or said["customer_id"] in self.erased, "told of a renewal that is none")
        answer = self.answers.pop(0) if self.answers else "account 1"
        self.story.append(f"{self.turns.current or 'the end'}: the back end, told, answers {answer}")
        match answer:
            case "no":
                return 422, {"detail": "Not you."}
            case "error":
                return 502, None
            case "nonsense":
                return 204, None
            case "lost":
                raise NotAnswered("the seller's back end did not answer")
        self.given.add(said["subscription_id"])
        return 200, {"deployment_secret": "s3cret"}

    def send(self, letter: Letter, to: str, idempotency_id: str) -> None:
        """The mail. It is away once, for the first letter of all."""
        self.act()
        self._not_in_anothers_hands(idempotency_id)
        if not self.sent and not self.acts.get("mail"):
            self.acts["mail"] = 1
            raise MailAway
        self.sent.append((idempotency_id, to, letter))

    def put_deployment_parameter(
        self, _product_id: str, agreement_id: str, _name: str, secret: str, key: str
    ) -> None:
        self.act()
        self._not_in_anothers_hands(key)
        self.put.append((agreement_id, secret))

    def _not_in_anothers_hands(self, outbox_id: str) -> None:
        """Whoever tries an item again has waited for the lease, or for the pause after a failure; unless the
        one before was held up for longer than the lease, as it may be where minutes pass."""
        last = self.tried_at.get(outbox_id)
        waited = last is None or self._now - last >= timedelta(seconds=1)
        self._demand(waited or self.minutes_passed, "an item was in two hands at once")
        self.tried_at[outbox_id] = self._now

    def _demand(self, holds: bool, otherwise: str) -> None:
        """As `assert`, where the worker would take an exception for an item's failure."""
        if not holds:
            self.broken.append(otherwise)

    # -- actors ----------------------------------------------------------------------------------------------

    def submit(
        self,
        number: int,
        door: str,
        identity: Identity | None,
        times: int = 1,
        email: str = "ada@buyer.example",
    ) -> Callable[[], None]:
        """A buyer submits their form, as the doors do; if it fails or is refused, again, up to `times`."""

        def job() -> None:
            for _ in range(times):
                if self._submit_once(f"reg_{number}{door}", identity, email) == "done":
                    return

        return _mortal(job)

    def _submit_once(self, registration_id: str, identity: Identity | None, email: str) -> str:
        try:
            registration = self.tables.registration(registration_id)
            assert registration is not None
            purchase = registration.purchase
            self.landed.add(purchase.subscription_id)
            claim = self.tables.claim_of(purchase.subscription_id)
            if claim is None:
                claim = self._gone_along(purchase.subscription_id)
            product = CATALOGUE.find(purchase.product_code)
            details = CustomerDetails(email, language="en")
            registered = register(
                self.tables, registration.seen_with(claim), details, identity, product, self.now()
            )
        except SubscriptionClaimed as refused:
            others = self.holders.get(refused.subscription_id, set()) - {registration_id}
            assert others or self.erased, "a buyer was refused what nobody else has ever held"
            return "done"
        except (Unavailable, BoundTooOften):
            return "failed"
        seen = registered.registration
        if seen.customer_id is not None:
            self.told.append((purchase.subscription_id, seen.customer_id))
            if identity is not None and registered.joined:
                row = self.tables.identities_by_id.get(identity.identity_id)
                assert (
                    row is not None and row.customer_id == seen.customer_id
                ) or seen.customer_id in self.erased
        else:
            assert seen.handing_over, "a buyer was told neither of a customer nor of a hand-over"
            standing = self._claims_with_items()
            assert purchase.subscription_id in standing or registration_id in self._ever_answered()
        if registered.to_ask is not None:
            try:
                self.outbox.attempt(registered.to_ask)
            except Unavailable:
                return "failed"
        claim = self.tables.claims_by_id.get(purchase.subscription_id)
        return "done" if claim is not None and claim.registration_id == registration_id else "refused"

    def _gone_along(self, subscription_id: str) -> Claim | None:
        """As the doors look (`Parts.gone_along`)."""
        news = self.tables.news_of(subscription_id)
        if news is None or news.previous_subscription_id is None:
            return None
        settle_renewal(self.tables, subscription_id, CATALOGUE, self.now())
        return self.tables.claim_of(subscription_id)

    def _claims_with_items(self) -> set[str]:
        return {item.subscription_id for item in self.tables.outbox_by_id.values()} | {
            one for one, claim in self.tables.claims_by_id.items() if claim.customer_id
        }

    def _ever_answered(self) -> set[str]:
        return {claimed["registration_id"] for claimed in self.asked.values()}

    def worker(self, rounds: int) -> Callable[[], None]:
        """Works off the outbox."""

        def job() -> None:
            for _ in range(rounds):
                try:
                    self.outbox.run()
                except Problem:
                    continue

        return _mortal(job)

    def minutes(self, times: int) -> Callable[[], None]:
        """Time passes, each time for longer than anybody has an item in hand."""

        def job() -> None:
            for _ in range(times):
                self.act()
                self.story.append("a minute passes")
                self.minutes_passed = True
                self._now += timedelta(seconds=61)

        return job

    def news(self, number: int, told: list[News]) -> Callable[[], None]:
        """Notifications publishes what AWS says of a subscription."""

        def job() -> None:
            for status in told:
                self.act()
                self.story.append(f"news of {number}: {status}")
                self.publish(number, status)

        return job

    def publish(self, number: int, status: News) -> None:
        rows = self.tables.published
        rows[f"sub_{number}"] = PublishedSubscription(
            f"sub_{number}",
            self.products[number],
            _STATUS.get(status, status),
            "granted" if status in _GRANTED else "denied",
            agreement_id=f"agmt-{number}",
        )
        # That two belong together is published of both at once, as soon as both are known.
        for new, old in self.renews.items():
            after, before = f"sub_{new}", f"sub_{old}"
            if after in rows and before in rows:
                rows[after] = replace(rows[after], previous_subscription_id=before)
                rows[before] = replace(rows[before], next_subscription_id=after)

    def signal(self, number: int, times: int) -> Callable[[], None]:
        """A signal says "look now"."""

        def job() -> None:
            for _ in range(times):
                try:
                    claim = self.tables.claim_of(f"sub_{number}")
                    if claim is not None:
                        settle(self.tables, [claim], CATALOGUE, self.now())
                    else:
                        settle_renewal(self.tables, f"sub_{number}", CATALOGUE, self.now())
                except Unavailable:
                    continue

        return _mortal(job)

    def sweep(self) -> Callable[[], None]:
        """The worker looks at all claims."""

        def job() -> None:
            cursor: str | None = None
            while True:
                page, cursor = self.tables.claims(100, cursor)
                settle(self.tables, page, CATALOGUE, self.now())
                if cursor is None:
                    return

        return _mortal(job)

    def erase(self, which: int) -> Callable[[], None]:
        """An operator erases a customer, the one that is there by then."""

        def job() -> None:
            self.act()
            active = self._active()
            if not active:
                return
            customer_id = active[which % len(active)].customer_id
            try:
                customer_changes.erase(self.tables, customer_id, self.now())
            except customer_changes.NoSuchCustomer:
                assert customer_id in self.erased
            except customer_changes.ChangedTooOften:
                return
            standing = self.tables.customers_by_id.get(customer_id)
            assert standing is None or standing.status == "deleted", "told that it was erased"

        return _mortal(job)

    def change(self, which: int, change: Mapping[str, str | None]) -> Callable[[], None]:
        """An operator changes a customer."""

        def job() -> None:
            self.act()
            active = self._active()
            if not active:
                return
            customer_id = active[which % len(active)].customer_id
            try:
                customer_changes.change(self.tables, customer_id, change, None, self.now())
            except customer_changes.NoSuchCustomer:
                assert customer_id in self.erased
            except customer_changes.AccountTaken:
                account = of_account(change["account_id"] or "").identity_id
                assert account in self.taken - set(self.tables.customers_by_id[customer_id].identity_ids)
            except customer_changes.ChangedTooOften:
                return

        return _mortal(job)

    def _active(self) -> list[Customer]:
        return [one for one in self.tables.customers_by_id.values() if one.status == "active"]

    # -- what must always hold -------------------------------------------------------------------------------

    def check(self) -> None:
        """After every act."""
        assert not self.broken, self.broken
        self._remember()
        self._check_claims_and_customers()
        self._check_identities()
        self._check_the_erased()
        self._check_what_was_told()

    def _over(self, subscription_id: str) -> bool:
        row = self.tables.published.get(subscription_id)
        return row is not None and row.status == "ended"

    def _all_over(self, customer: Customer) -> bool:
        return all(self._over(one) for one in customer.subscription_ids)

    def _remember(self) -> None:
        """What has changed since the last act, and whether it may."""
        claims, customers = self.tables.claims_by_id, self.tables.customers_by_id
        outbox = self.tables.outbox_by_id
        for subscription_id, old in self._claims.items():
            new = claims.get(subscription_id)
            if new is old:
                continue
            if old.customer_id is None:
                items = [one.outbox_id for one in self._outbox.values() if _asks_for(one, old)]
                given_up = new is None and self.refused.intersection(items)
                assert given_up or (new is not None and new == replace(old, customer_id=new.customer_id)), (
                    "a claim that nobody refused was lost"
                )
            elif new is None:
                holder = self._customers[old.customer_id]
                assert holder.status == "deleted", "a customer lost a subscription"
                assert self._all_over(holder), "a tombstone's claim went while a subscription runs"
            else:
                assert new == replace(old, access_told_at=new.access_told_at), "a claim moved"
                assert old.access_told_at is None, "access was told twice"
        for subscription_id, claim in claims.items():
            self.holders.setdefault(subscription_id, set()).add(claim.registration_id)
            if subscription_id not in self._claims and claim.customer_id is None:
                (item,) = [one.outbox_id for one in outbox.values() if _asks_for(one, claim)]
                assert item not in self.hand_overs, "a new claim asks under an old idempotency key"
                self.hand_overs.add(item)
            before = self._claims.get(subscription_id)
            if claim.follows is not None and before is None:
                self._check_renewal(claim)
            elif claim.customer_id is not None and (before is None or before.customer_id is None):
                assert f"welcome-letter-{subscription_id}" in outbox, "a purchase was bound without a letter"
                if claim.product_code == HANDING_OVER:
                    assert f"deployment-parameter-{subscription_id}" in outbox
                    account_id = customers[claim.customer_id].account_id or ""
                    assert account_id in self.named[subscription_id], "an account that nobody named"
                    row = self.tables.identities_by_id[of_account(account_id).identity_id]
                    assert row.customer_id == claim.customer_id, "bound to another than the account's"
                    assert not [one for one in outbox.values() if _asks_for(one, claim)]
        for customer_id, was in self._customers.items():
            now = customers.get(customer_id)
            if now is None:
                assert was.status == "deleted", "a customer disappeared without having been erased"
                assert self._all_over(was), "a tombstone went while a subscription runs"
            elif now is not was:
                assert now.version == was.version + 1, "a change was overwritten"
                assert now.subscription_ids[: len(was.subscription_ids)] == was.subscription_ids
                assert was.status == "active", "a tombstone was changed"
        self.taken |= self.tables.identities_by_id.keys()
        self.erased |= {one.customer_id for one in customers.values() if one.status == "deleted"}
        self._claims, self._customers, self._outbox = dict(claims), dict(customers), dict(outbox)

    def _check_renewal(self, claim: Claim) -> None:
        """One that has just gone along."""
        tables = self.tables
        previous = tables.claims_by_id[claim.follows or ""]
        assert self.renews[int(claim.subscription_id[4:])] == int(previous.subscription_id[4:])
        assert previous.customer_id == claim.customer_id, "a renewal went to another customer"
        assert previous.product_code == claim.product_code, "a replacement of another product went along"
        holder = tables.customers_by_id[claim.customer_id or ""]
        assert holder.status == "active", "a renewal went to somebody erased"
        letter = f"welcome-letter-{claim.subscription_id}"
        assert letter not in tables.outbox_by_id, "somebody known was welcomed"
        told = f"renewal-notice-{claim.subscription_id}" in tables.outbox_by_id
        assert told == (claim.product_code == HANDING_OVER), "the back end would not hear of it"

    def _check_claims_and_customers(self) -> None:
        claims, customers = self.tables.claims_by_id, self.tables.customers_by_id
        for claim in claims.values():
            if claim.customer_id is None:
                items = self.tables.outbox_by_id.values()
                assert any(_asks_for(one, claim) for one in items), "a claim that nothing will ever bind"
            else:
                assert claim.customer_id in customers, "a claim of nobody's"
                holder = customers[claim.customer_id]
                assert claim.subscription_id in holder.subscription_ids, "a claim its customer does not hold"
        held: dict[str, str] = {}
        for customer in customers.values():
            being_buried = customer.status == "deleted" and self._all_over(customer)
            for one in customer.subscription_ids:
                if being_buried and (one not in claims or claims[one].customer_id != customer.customer_id):
                    continue
                assert one in claims, "a customer holds what is not claimed"
                assert claims[one].customer_id == customer.customer_id, "a customer holds another's claim"
                assert held.setdefault(one, customer.customer_id) == customer.customer_id, "two customers"
            assert len(set(customer.subscription_ids)) == len(customer.subscription_ids), "held twice"

    def _check_identities(self) -> None:
        leading: dict[str, set[str]] = {}
        for identity_id, row in self.tables.identities_by_id.items():
            customer = self.tables.customers_by_id.get(row.customer_id)
            assert customer is not None, "an identity leads to nobody"
            assert customer.status == "active", "an identity leads to somebody erased"
            leading.setdefault(row.customer_id, set()).add(identity_id)
        for customer in self.tables.customers_by_id.values():
            assert set(customer.identity_ids) == leading.get(customer.customer_id, set())

    def _check_the_erased(self) -> None:
        for customer in self.tables.customers_by_id.values():
            if customer.status == "deleted":
                left = (customer.email, customer.name, customer.company, customer.account_id)
                assert not any(left), "personal data of somebody erased"
                assert not customer.fields
                assert not customer.identity_ids

    def _check_what_was_told(self) -> None:
        for subscription_id, customer_id in self.told:
            claim = self.tables.claims_by_id.get(subscription_id)
            bound = claim is not None and claim.customer_id == customer_id
            assert bound or customer_id in self.erased, "what a buyer was told is not so"

    # -- the end ---------------------------------------------------------------------------------------------

    def alone(self, name: str, job: Callable[[], None]) -> None:
        """One actor, undisturbed."""
        self.turns.run({name: job}, lambda ready, _: ready[0], self.check)

    def run_dry(self) -> None:
        """All actors are done: the worker and the sweep go on until nothing is left to do."""
        self.faults = {}
        for _ in range(12):
            before = dict(self.tables.claims_by_id)
            self._now += timedelta(hours=2)
            self.alone("the worker", self.worker(1))
            self.alone("the sweep", self.sweep())
            if not self.tables.outbox_by_id and self.tables.claims_by_id == before:
                break
        assert not self.tables.outbox_by_id, "the outbox never runs dry"

    def check_the_end(self) -> None:
        """Once the world has run dry."""
        sent = {(outbox_id, to) for outbox_id, to, _ in self.sent}
        self._check_that_renewals_went_along()
        for claim in self.tables.claims_by_id.values():
            assert claim.customer_id is not None, "a claim was never bound"
            customer = self.tables.customers_by_id[claim.customer_id]
            if customer.status == "deleted":
                continue
            welcomed = (f"welcome-letter-{claim.subscription_id}", customer.email) in sent
            assert welcomed == (claim.follows is None), "a welcome letter too few or too many"
            assert len(self._telling_access(claim, customer)) <= 1, "two letters said that access is there"
            if claim.follows is not None and claim.product_code == HANDING_OVER:
                assert f"renewal-notice-{claim.subscription_id}" in self.noticed, "the back end did not hear"
            if claim.product_code == HANDING_OVER and (
                claim.follows is None or claim.subscription_id in self.given
            ):
                agreement_id = f"agmt-{claim.subscription_id.removeprefix('sub_')}"
                puts = [secret for number, secret in self.put if number == agreement_id]
                assert puts, "no deployment parameter"
                assert all(secret.endswith(":s3cret") for secret in puts)
            row = self.tables.published.get(claim.subscription_id)
            if row is not None and row.access == "granted":
                assert claim.access_told_at is not None
                assert self._access_was_told(claim, customer), "nobody told that access has come"
            elif row is None or row.status == "pending":
                assert claim.access_told_at is None, "access was told before it was there"
        for customer in self.tables.customers_by_id.values():
            assert customer.status == "active" or not self._all_over(customer), "a tombstone was left behind"

    def _check_that_renewals_went_along(self) -> None:
        claims, published = self.tables.claims_by_id, self.tables.published
        for new, old in self.renews.items():
            before, after = claims.get(f"sub_{old}"), claims.get(f"sub_{new}")
            known = f"sub_{new}" in published and f"sub_{old}" in published
            if not known or before is None or self.products[new] != self.products[old]:
                continue
            if self.tables.customers_by_id[before.customer_id or ""].status == "deleted":
                continue
            assert after is not None, "a renewal was left behind"
            if after.subscription_id not in self.landed:
                assert after.customer_id == before.customer_id, "a renewal went to somebody else"

    def _access_was_told(self, claim: Claim, customer: Customer) -> bool:
        """By a letter about it, or about the one that it renewed: then access went on."""
        if self._telling_access(claim, customer):
            return True
        previous = self.tables.claims_by_id.get(claim.follows or "")
        return previous is not None and self._access_was_told(previous, customer)

    def _telling_access(self, claim: Claim, customer: Customer) -> set[str]:
        """The outbox items whose letters said that access is there."""
        product = CATALOGUE.find(claim.product_code)
        assert product is not None
        told = set()
        for account_id in (None, "account 1", "account 2"):
            for name in (None, "Ada"):
                recipient = Recipient(customer.customer_id, claim.subscription_id, name, account_id)
                told |= {
                    access_opened(product, "en", recipient).text,
                    welcome(product, "en", recipient, granted=True, trial=False).text,
                }
        return {outbox_id for outbox_id, _, letter in self.sent if letter.text in told}

    def state(self) -> object:
        """What is there, in words that do not depend on random ids or on the time."""
        tables = self.tables
        numbers = {customer_id: n for n, customer_id in enumerate(tables.customers_by_id)}
        return (
            {
                (
                    one.subscription_id,
                    one.registration_id,
                    numbers[one.customer_id or ""],
                    bool(one.access_told_at),
                )
                for one in tables.claims_by_id.values()
            },
            {
                (numbers[one.customer_id], one.status, one.email, one.account_id, one.subscription_ids)
                for one in tables.customers_by_id.values()
            },
            {(one, numbers[row.customer_id]) for one, row in tables.identities_by_id.items()},
            {one: registration.refusal for one, registration in tables.registrations.items()},
        )

    def end_everything(self) -> None:
        """Every subscription ends: then nobody's tombstone is left."""
        for number in range(len(self.products)):
            self.publish(number, "ended")
        for _ in range(2):
            self.alone("the sweep", self.sweep())
        assert all(one.status == "active" for one in self.tables.customers_by_id.values()), (
            "a tombstone outlived all its subscriptions"
        )


def _asks_for(item: OutboxItem, claim: Claim) -> bool:
    return (
        item.kind is Kind.HAND_OVER
        and item.subscription_id == claim.subscription_id
        and item.payload["registration_id"] == claim.registration_id
    )


def _mortal(job: Callable[[], None]) -> Callable[[], None]:
    """An actor whose process may die; what else it raises fails the test, but for an engine that is away."""

    def until_death() -> None:
        try:
            job()
        except (Crash, Unavailable):
            return

    return until_death
