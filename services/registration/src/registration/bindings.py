"""A purchase is bound to a customer: everything that is written for it, as one act."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Protocol

from registration.catalogue import Product
from registration.claims import Claim
from registration.customers import Customer, CustomerDetails, new_customer
from registration.identities import Identity
from registration.outbox_items import Kind, OutboxItem, new_item
from registration.random_ids import random_id

# Each try finds a settled state unless yet another purchase of the same identity is being bound in that very
# moment; more tries than this would hide a bug.
_TRIES = 6


@dataclass(frozen=True)
class Binding:
    """What one transaction writes.

    Args:
        claim: as it will stand, with its customer.
        handed_over: True where the claim stands already, without a customer, because the seller's back end
        was
            asked; False where there must be none yet.
        customer: as it will stand.
        before: as it was read; None where it is new.
        identities: whose account it becomes from now on; an identity that is someone else's forbids the act.
        outbox: what it sets going.
        done: the hand-over that this ends.
    """

    claim: Claim
    handed_over: bool
    customer: Customer
    before: Customer | None
    identities: tuple[Identity, ...]
    outbox: tuple[OutboxItem, ...]
    done: OutboxItem | None


class Written(Enum):
    YES = "yes"
    CLAIMED = "claimed"
    """The claim is not as expected: it exists, or is gone, or has a customer; or the hand-over is over.
    Nothing was written."""
    MOVED = "moved"
    """The customer or an identity has changed since it was read. Nothing was written; read again."""


class BoundTooOften(Exception):
    """Customer or identity had changed each time we tried."""


class Tables(Protocol):
    def customer(self, customer_id: str) -> Customer | None: ...

    def customer_id_of(self, identity: Identity) -> str | None: ...

    def bind(self, binding: Binding, now: datetime) -> Written: ...


def bind(
    tables: Tables,
    claim: Claim,
    details: CustomerDetails,
    identities: Iterable[Identity],
    product: Product | None,
    now: datetime,
    *,
    agreement_id: str | None,
    account_id: str | None = None,
    deployment_secret: str | None = None,
    done: OutboxItem | None = None,
) -> tuple[Claim, bool] | None:
    """Bind a claimed or unclaimed subscription to the customer that the identities name, or to a new one.

    1. Look up whose the identities are; the first decides, the others lead to the same customer from now on,
       unless they are somebody else's.
    2. Write claim, customer, identities and what they set going in one transaction, on the condition that
       nobody has claimed the subscription and that customer and identities are as they were read. If the
       answer is lost, all or nothing is there.
    3. If something moved meanwhile (another purchase of the same person), begin again.

    Args:
        tables: reads must be consistent.
        claim: the claim to make; its `customer_id` is set here.
        details: what the buyer told; a customer that exists keeps their own e-mail, name and company.
        identities: who signed in; or the account that the seller's back end named, and then who signed in;
        none
            for a plain form.
        product: what the catalogue says of the purchase.
        now: the clock's time.
        agreement_id: for Quick Launch.
        account_id: what the seller's own system calls the customer.
        deployment_secret: sealed, from the seller's back end.
        done: the hand-over that this ends: the claim stands, without a customer, because of it.

    Returns:
        The claim as it stands and whether a customer was made; None where the subscription is claimed already
        (or, after a hand-over, is not ours any more), and nothing was written.

    Raises:
        BoundTooOften: see there.
    """
    asked = tuple(dict.fromkeys(identities))
    for _ in range(_TRIES):
        owners = {identity: tables.customer_id_of(identity) for identity in asked}
        known = owners[asked[0]] if asked else None
        before = tables.customer(known) if known else None
        if known and (before is None or before.status == "deleted"):
            # Erased between the two reads; its identities went with it.
            continue
        if before is None:
            customer = new_customer(random_id("cus"), details, claim.subscription_id, now, account_id)
        else:
            customer = before.holding(claim.subscription_id, account_id, details.fields, now)
        # What is somebody else's stays theirs.
        theirs = tuple(one for one, owner in owners.items() if owner in (None, customer.customer_id))
        ids = dict.fromkeys((*customer.identity_ids, *(one.identity_id for one in theirs)))
        customer = replace(customer, identity_ids=tuple(ids))
        mine = replace(claim, customer_id=customer.customer_id)
        written = tables.bind(
            Binding(
                claim=mine,
                handed_over=done is not None,
                customer=customer,
                before=before,
                identities=theirs,
                outbox=_set_going(mine, product, now, agreement_id, deployment_secret),
                done=done,
            ),
            now,
        )
        if written is Written.YES:
            return mine, before is None
        if written is Written.CLAIMED:
            return None
    raise BoundTooOften


def _set_going(
    claim: Claim,
    product: Product | None,
    now: datetime,
    agreement_id: str | None,
    deployment_secret: str | None,
) -> tuple[OutboxItem, ...]:
    subject = claim.subscription_id
    letter = new_item(Kind.WELCOME_LETTER, subject, subject, claim.customer_id, now)
    if product is None or product.quick_launch is None:
        return (letter,)
    if agreement_id is None:
        # Quick Launch names the agreement, so a purchase without one cannot have it.
        return (letter,)
    payload = {"agreement_id": agreement_id}
    if deployment_secret:
        payload["deployment_secret"] = deployment_secret
    return letter, new_item(Kind.DEPLOYMENT_PARAMETER, subject, subject, claim.customer_id, now, payload)
