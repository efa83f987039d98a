"""Changing and erasing a customer, each against the version that was read."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Protocol

from registration.customers import Customer

# Two people rarely edit one customer in the same instant; more tries than this would hide a bug.
_TRIES = 4


class NoSuchCustomer(Exception):
    """Never was, or is deleted."""


class VersionNotMet(Exception):
    """The customer has changed since the version that the request names."""


class ChangedTooOften(Exception):
    """Somebody else changed the customer each time we tried."""


class AccountTaken(Exception):
    """The seller's account that the change names is another customer's."""


class OperatorsOnly(Exception):
    """A buyer would change what is not theirs to change: the argument says which members."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(names)
        self.names = names


BUYERS_MAY_CHANGE = frozenset({"email", "name", "company"})
"""What tells of a customer and identifies nobody (docs/decisions/an-address-is-no-identity.md). An account id
is an identity: who could set it would take over what is handed over under it."""


def check_buyers_change(change: Iterable[str]) -> None:
    """
    Args:
        change: the names of the members that a buyer would change.

    Raises:
        OperatorsOnly: see there.
    """
    if names := tuple(sorted(set(change) - BUYERS_MAY_CHANGE)):
        raise OperatorsOnly(names)


class Tables(Protocol):
    def customer(self, customer_id: str) -> Customer | None: ...

    def replace_customer(self, before: Customer, after: Customer, now: datetime) -> bool:
        """Write `after` and the identities that it gains or loses as one act, if the row still has `before`'s
        version; False where it has not.

        Raises:
            AccountTaken: the account that it gains is somebody else's.
        """
        ...


def change(
    tables: Tables, customer_id: str, change: Mapping[str, str | None], if_match: str | None, now: datetime
) -> Customer:
    """Set what the change names; what it does not name stays.

    An account id is also an identity: what the seller's back end hands over under it from now on joins this
    customer.

    Args:
        tables: where customers are; reads must be consistent.
        customer_id: whose.
        change: any of `email`, `name`, `company`, `account_id`.
        if_match: the `If-Match` header.
        now: the clock's time.

    Raises:
        NoSuchCustomer, VersionNotMet, ChangedTooOften, AccountTaken: see there.
    """
    return _write(tables, customer_id, if_match, now, lambda customer: customer.changed(change, now))


def erase(tables: Tables, customer_id: str, now: datetime) -> None:
    """Erase the personal data and leave a tombstone; the claims stay as they are.

    Raises:
        NoSuchCustomer, ChangedTooOften: see there.
    """
    _write(tables, customer_id, None, now, lambda customer: customer.erased(now))


def _write(
    tables: Tables,
    customer_id: str,
    if_match: str | None,
    now: datetime,
    alter: Callable[[Customer], Customer],
) -> Customer:
    attempted: Customer | None = None
    for _ in range(_TRIES):
        before = tables.customer(customer_id)
        if before is not None and before == attempted:
            # Our own write, whose answer was lost and whose repetition was refused.
            return before
        if before is None or before.status == "deleted":
            raise NoSuchCustomer
        if not before.is_meant_by(if_match):
            raise VersionNotMet
        after = alter(before)
        if after is before or tables.replace_customer(before, after, now):
            return after
        attempted = after
    raise ChangedTooOften
