"""The tables in memory, for tests of the rules: what a transaction requires and writes is the same as in
`registration.tables.Tables`. `test_memory_tables.py` holds both to it, side by side.

Each act is atomic. `before` and `after` are called around each, with its name, so that a test can let other
things happen in between (`test_interleavings.py`) or make an act fail, with its writes or without them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from chassis.problems import Unavailable
from registration.bindings import Binding, Written
from registration.claims import Claim
from registration.customer_changes import AccountTaken
from registration.customers import Customer
from registration.entitlements import Entitlement
from registration.identities import Identity, of_account
from registration.outbox_items import Kind, OutboxItem, outbox_id_of
from registration.registrations import Registration
from registration.subscription_access import PublishedSubscription

Row = TypeVar("Row")


@dataclass(frozen=True)
class IdentityRow:
    identity: Identity
    customer_id: str
    connected_at: datetime


def nothing(_act: str) -> None:
    pass


@dataclass
class MemoryTables:
    """Lists come in the order of first writing, so that a test runs the same each time.

    Args:
        most_in_one_act: DynamoDB's limit of a transaction; a test may lower it.
        largest_page: DynamoDB ends a page early once it has read 1 MB; a test may have it end early too.
    """

    registrations: dict[str, Registration] = field(default_factory=dict)
    claims_by_id: dict[str, Claim] = field(default_factory=dict)
    customers_by_id: dict[str, Customer] = field(default_factory=dict)
    identities_by_id: dict[str, IdentityRow] = field(default_factory=dict)
    outbox_by_id: dict[str, OutboxItem] = field(default_factory=dict)
    published: dict[str, PublishedSubscription] = field(default_factory=dict)
    before: Callable[[str], None] = nothing
    after: Callable[[str], None] = nothing
    most_in_one_act: int = 100
    largest_page: int = 100
    _places: dict[str, int] = field(default_factory=dict)
    _cursors: dict[str, tuple[float, str]] = field(default_factory=dict)

    @contextmanager
    def _act(self, name: str) -> Iterator[None]:
        self.before(name)
        yield
        self.after(name)

    # -- registrations ---------------------------------------------------------------------------------------

    def keep_registration(self, registration: Registration) -> None:
        with self._act("keep_registration"):
            # The row holds the arrival alone: what came later has writes of its own.
            self.registrations[registration.registration_id] = replace(
                registration,
                entitlements=None,
                signed_in=None,
                refusal=None,
                customer_id=None,
                made_the_customer=False,
                handing_over=False,
            )

    def registration(self, registration_id: str) -> Registration | None:
        with self._act("registration"):
            return self.registrations.get(registration_id)

    def keep_entitlements(self, registration_id: str, entitlements: tuple[Entitlement, ...]) -> None:
        with self._act("keep_entitlements"):
            self._change_registration(registration_id, entitlements=entitlements)

    def keep_signed_in(self, registration_id: str, sealed: str | None) -> None:
        with self._act("keep_signed_in"):
            self._change_registration(registration_id, signed_in=sealed)

    def _change_registration(self, registration_id: str, **change: object) -> None:
        found = self.registrations.get(registration_id)
        if found is not None:
            self.registrations[registration_id] = replace(found, **change)  # type: ignore[arg-type]

    # -- claims and customers --------------------------------------------------------------------------------

    def claim_of(self, subscription_id: str) -> Claim | None:
        with self._act("claim_of"):
            return self.claims_by_id.get(subscription_id)

    def claims_of(self, subscription_ids: Iterable[str]) -> dict[str, Claim]:
        with self._act("claims_of"):
            wanted = set(subscription_ids)
            return {one: claim for one, claim in self.claims_by_id.items() if one in wanted}

    def customer(self, customer_id: str) -> Customer | None:
        with self._act("customer"):
            return self.customers_by_id.get(customer_id)

    def customers_of(self, customer_ids: Iterable[str]) -> dict[str, Customer]:
        with self._act("customers_of"):
            wanted = set(customer_ids)
            return {one: customer for one, customer in self.customers_by_id.items() if one in wanted}

    def customer_id_of(self, identity: Identity) -> str | None:
        with self._act("customer_id_of"):
            row = self.identities_by_id.get(identity.identity_id)
            return row.customer_id if row else None

    def identities_of(self, customer: Customer) -> list[tuple[Identity, datetime]]:
        with self._act("identities_of"):
            rows = [self.identities_by_id.get(one) for one in customer.identity_ids]
            return [(row.identity, row.connected_at) for row in rows if row]

    def claim_for_hand_over(self, claim: Claim, item: OutboxItem) -> bool:
        with self._act("claim_for_hand_over"):
            if claim.subscription_id in self.claims_by_id:
                return False
            self.claims_by_id[claim.subscription_id] = claim
            self.outbox_by_id[item.outbox_id] = item
            return True

    def give_up_claim(self, claim: Claim, item: OutboxItem, refusal: str) -> None:
        with self._act("keep_refusal"):
            self._change_registration(claim.registration_id, refusal=refusal)
        with self._act("give_up_claim"):
            given_up = self._waits_for_a_customer(claim) and item.outbox_id in self.outbox_by_id
            if given_up:
                del self.claims_by_id[claim.subscription_id]
                del self.outbox_by_id[item.outbox_id]
        if not given_up:
            self.remove_outbox_item(item)

    def bind(self, binding: Binding, now: datetime) -> Written:
        with self._act("bind"):
            claim, customer, before = binding.claim, binding.customer, binding.before
            standing = self.claims_by_id.get(claim.subscription_id)
            if not self._waits_for_a_customer(claim) if binding.handed_over else standing is not None:
                return Written.CLAIMED
            if binding.done and binding.done.outbox_id not in self.outbox_by_id:
                return Written.CLAIMED
            if not self._is_as_read(customer.customer_id, before):
                return Written.MOVED
            rows = {
                one.identity_id: IdentityRow(one, customer.customer_id, now) for one in binding.identities
            }
            for identity_id, row in rows.items():
                owner = self.identities_by_id.get(identity_id)
                if owner is not None and owner.customer_id != row.customer_id:
                    return Written.MOVED
            if binding.handed_over and standing:
                claim = replace(standing, customer_id=customer.customer_id)
            self.claims_by_id[claim.subscription_id] = claim
            self.customers_by_id[customer.customer_id] = customer
            self.identities_by_id |= rows
            self.outbox_by_id |= {item.outbox_id: item for item in binding.outbox}
            if binding.done:
                del self.outbox_by_id[binding.done.outbox_id]
            return Written.YES

    def replace_customer(self, before: Customer, after: Customer, now: datetime) -> bool:
        with self._act("replace_customer"):
            if not self._is_as_read(before.customer_id, before):
                return False
            if after.account_id and after.account_id != before.account_id:
                account = of_account(after.account_id)
                row = self.identities_by_id.get(account.identity_id)
                if row is not None and row.customer_id != after.customer_id:
                    raise AccountTaken
                self.identities_by_id[account.identity_id] = IdentityRow(account, after.customer_id, now)
            self.customers_by_id[after.customer_id] = after
            for identity_id in set(before.identity_ids) - set(after.identity_ids):
                self.identities_by_id.pop(identity_id, None)
            return True

    def tell_access(self, claim: Claim, item: OutboxItem | None, now: datetime) -> bool:
        with self._act("tell_access"):
            standing = self.claims_by_id.get(claim.subscription_id)
            if standing is None or standing.customer_id != claim.customer_id or standing.access_told_at:
                return False
            if item and outbox_id_of(Kind.WELCOME_LETTER, claim.subscription_id) in self.outbox_by_id:
                return False
            self.claims_by_id[claim.subscription_id] = replace(standing, access_told_at=now)
            if item:
                self.outbox_by_id[item.outbox_id] = item
            return True

    def bury(self, customer: Customer, claims: Iterable[Claim]) -> bool:
        rest = list(claims)
        while True:
            part, rest = rest[: self.most_in_one_act - 1], rest[self.most_in_one_act - 1 :]
            with self._act("bury"):
                standing = [self.claims_by_id.get(one.subscription_id) for one in part]
                if not self._is_as_read(customer.customer_id, customer) or any(
                    claim is None or claim.customer_id != customer.customer_id for claim in standing
                ):
                    return False
                for one in part:
                    del self.claims_by_id[one.subscription_id]
                if not rest:
                    del self.customers_by_id[customer.customer_id]
                    return True

    def _waits_for_a_customer(self, claim: Claim) -> bool:
        standing = self.claims_by_id.get(claim.subscription_id)
        return (
            standing is not None
            and standing.registration_id == claim.registration_id
            and standing.customer_id is None
        )

    def _is_as_read(self, customer_id: str, before: Customer | None) -> bool:
        standing = self.customers_by_id.get(customer_id)
        if before is None or standing is None:
            return before is standing
        return standing.version == before.version

    # -- lists -----------------------------------------------------------------------------------------------

    def customers(self, limit: int, cursor: str | None) -> tuple[list[Customer], str | None]:
        with self._act("customers"):
            page, following = self._scan(self.customers_by_id, limit, cursor)
            return [one for one in page if one.status == "active"], following

    def customers_with_email(
        self, email: str, limit: int, cursor: str | None
    ) -> tuple[list[Customer], str | None]:
        with self._act("customers_with_email"):
            found = {key: one for key, one in self.customers_by_id.items() if one.has_email(email)}
            return self._scan(found, limit, cursor)

    def customers_with_account(
        self, account_id: str, limit: int, cursor: str | None
    ) -> tuple[list[Customer], str | None]:
        with self._act("customers_with_account"):
            found = {key: one for key, one in self.customers_by_id.items() if one.account_id == account_id}
            return self._scan(found, limit, cursor)

    def claims_by_product(
        self, product_code: str, limit: int, cursor: str | None
    ) -> tuple[list[Claim], str | None]:
        with self._act("claims_by_product"):
            found = [one for one in self.claims_by_id.values() if one.product_code == product_code]
            return self._oldest_first(found, limit, cursor)

    def claims_by_aws_account(
        self, account: str, limit: int, cursor: str | None
    ) -> tuple[list[Claim], str | None]:
        with self._act("claims_by_aws_account"):
            found = [one for one in self.claims_by_id.values() if one.customer_aws_account_id == account]
            return self._oldest_first(found, limit, cursor)

    def claims(self, limit: int, cursor: str | None) -> tuple[list[Claim], str | None]:
        with self._act("claims"):
            return self._scan(self.claims_by_id, limit, cursor)

    def outbox(self, limit: int, cursor: str | None) -> tuple[list[OutboxItem], str | None]:
        with self._act("outbox"):
            return self._scan(self.outbox_by_id, limit, cursor)

    def _scan(self, rows: Mapping[str, Row], limit: int, cursor: str | None) -> tuple[list[Row], str | None]:
        # A key keeps its place while others come and go, as in DynamoDB: else a walk would miss some.
        placed = {(self._places.setdefault(key, len(self._places)), key): row for key, row in rows.items()}
        return self._page(placed, limit, cursor)

    def _oldest_first(
        self, claims: Iterable[Claim], limit: int, cursor: str | None
    ) -> tuple[list[Claim], str | None]:
        placed = {(one.claimed_at.timestamp(), one.subscription_id): one for one in claims}
        return self._page(placed, limit, cursor)

    def _page(
        self, placed: Mapping[tuple[float, str], Row], limit: int, cursor: str | None
    ) -> tuple[list[Row], str | None]:
        last = self._cursors[cursor] if cursor else None
        ahead = sorted(place for place in placed if last is None or place > last)
        page = ahead[: min(limit, self.largest_page)]
        if len(ahead) == len(page):
            return [placed[place] for place in page], None
        following = f"after {page[-1]}"
        self._cursors[following] = page[-1]
        return [placed[place] for place in page], following

    # -- the outbox ------------------------------------------------------------------------------------------

    def outbox_item(self, outbox_id: str) -> OutboxItem | None:
        with self._act("outbox_item"):
            return self.outbox_by_id.get(outbox_id)

    def replace_outbox_item(self, before: OutboxItem, after: OutboxItem) -> bool:
        with self._act("replace_outbox_item"):
            standing = self.outbox_by_id.get(after.outbox_id)
            if standing is None or (standing.due_at, standing.attempts) != (before.due_at, before.attempts):
                return False
            self.outbox_by_id[after.outbox_id] = after
            return True

    def follow_outbox_item(self, done: OutboxItem, following: OutboxItem) -> bool:
        with self._act("follow_outbox_item"):
            standing = self.outbox_by_id.get(done.outbox_id)
            if standing is None or standing.created_at != done.created_at:
                return False
            del self.outbox_by_id[done.outbox_id]
            self.outbox_by_id[following.outbox_id] = following
            return True

    def remove_outbox_item(self, item: OutboxItem) -> None:
        with self._act("remove_outbox_item"):
            standing = self.outbox_by_id.get(item.outbox_id)
            if standing is not None and standing.created_at == item.created_at:
                del self.outbox_by_id[item.outbox_id]

    # -- the sibling's ---------------------------------------------------------------------------------------

    def published_subscriptions(self, subscription_ids: Iterable[str]) -> dict[str, PublishedSubscription]:
        with self._act("published_subscriptions"):
            wanted = set(subscription_ids)
            return {one: row for one, row in self.published.items() if one in wanted}

    def customer_with_news(
        self, customer_id: str
    ) -> tuple[Customer | None, dict[str, PublishedSubscription]]:
        customer = self.customer(customer_id)
        return customer, self.published_subscriptions(customer.subscription_ids) if customer else {}

    def news_of(self, subscription_id: str) -> PublishedSubscription | None:
        try:
            return self.published_subscriptions([subscription_id]).get(subscription_id)
        except Unavailable:
            return None
