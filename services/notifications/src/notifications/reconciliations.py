"""Our subscriptions beside what AWS says when it is asked: what differs, and what is safe to do about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from chassis.times import rfc3339
from notifications.changes import Published
from notifications.messages import SOURCE
from notifications.news import Generation
from notifications.purchase import Entitlement, Purchase
from notifications.subscription import Status

ENDS = frozenset({"CANCELLED", "EXPIRED", "TERMINATED", "RENEWED", "REPLACED"})
"""AWS's words at the end of an agreement, as Purchase Agreement Ended has them."""


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"


class Step(StrEnum):
    AGREEMENTS = "agreements"  # what AWS has
    SUBSCRIPTIONS = "subscriptions"  # what we have


class DifferenceKind(StrEnum):
    UNKNOWN_AGREEMENT = "unknown_agreement"
    ACTIVE_AT_AWS = "active_at_aws"
    ENDED_AT_AWS = "ended_at_aws"
    ENTITLEMENTS = "entitlements"


class Action(StrEnum):
    RECORDED = "recorded"  # taken for the news that was lost
    ASKED_ANEW = "asked_anew"  # the usual question to AWS is due now
    REPORTED = "reported"  # nothing is safe; a person must look


@dataclass(frozen=True, kw_only=True)
class ListedAgreement:
    """An agreement as SearchAgreements tells of it."""

    agreement_id: str
    product_ids: tuple[str, ...]
    license_arns: tuple[str, ...]
    customer_aws_account_id: str | None
    offer_id: str | None
    accepted_at: datetime | None
    starts_at: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that we and AWS say differently.

    Attributes:
        ours, theirs: in a word or a few.
        events: the news that was lost, each whole, as EventBridge would have sent it.
    """

    kind: DifferenceKind
    agreement_id: str | None
    subscription_id: str | None
    product_code: str | None
    ours: str
    theirs: str
    action: Action
    events: tuple[str, ...] = ()

    @property
    def difference_id(self) -> str:
        """The same whenever it is found."""
        return f"{self.kind}/{self.subscription_id or self.agreement_id}"

    @property
    def notification_ids(self) -> list[str]:
        return [json.loads(event)["id"] for event in self.events]


def unknown_or_ended_here(
    listed: ListedAgreement, license_arn: str, subscription_id: str, product_code: str, row: Published | None
) -> Difference | None:
    """What differs where AWS says that an agreement is active.

    A purchase that we have not heard of is what the lost news would have told. One that is over here stays
    so: nothing but a newer agreement brings a dead one back, so somebody is mistaken, and a person must
    look.
    """
    if row is not None and row.subscription.status == Status.ACTIVE:
        return None
    found = Difference(
        kind=DifferenceKind.UNKNOWN_AGREEMENT,
        agreement_id=listed.agreement_id,
        subscription_id=subscription_id,
        product_code=product_code,
        ours=row.subscription.status.value if row else "unknown",
        theirs="ACTIVE",
        action=Action.REPORTED,
    )
    if row is not None and row.subscription.status != Status.PENDING:
        return replace(found, kind=DifferenceKind.ACTIVE_AT_AWS)
    begun = listed.starts_at or listed.accepted_at
    if begun is None:
        return found
    parties = _parties(listed.customer_aws_account_id, listed.offer_id)
    agreement = {
        "id": listed.agreement_id,
        "status": "ACTIVE",
        **_moments(acceptanceTime=listed.accepted_at, startTime=listed.starts_at, endTime=listed.ends_at),
    }
    licensed = {"product": {"code": product_code}, "license": {"arn": license_arn}}
    id_ = listed.agreement_id
    events = (
        _event(
            "created",
            "Purchase Agreement Created - Proposer",
            begun,
            id_,
            {"agreement": agreement, **parties},
        ),
        _event(
            "licensed",
            "License Updated - Manufacturer",
            begun,
            id_,
            {"agreement": {"id": id_}, **licensed, **parties},
        ),
    )
    return replace(found, action=Action.RECORDED, events=events)


def ended_there(
    row: Published, status: str | None, ends_at: datetime | None, now: datetime
) -> Difference | None:
    """What differs where we hold a subscription for active, and AWS says this of its agreement."""
    subscription = row.subscription
    if subscription.generation == Generation.LEGACY or status in (None, "ACTIVE"):
        return None
    found = Difference(
        kind=DifferenceKind.ENDED_AT_AWS,
        agreement_id=subscription.agreement_id,
        subscription_id=subscription.subscription_id,
        product_code=subscription.product_code,
        ours=subscription.status.value,
        theirs=str(status),
        action=Action.REPORTED,
    )
    if status not in ENDS:
        return found
    id_ = str(subscription.agreement_id)
    # The end of a cancelled agreement may stand in the future, as it was agreed; now it is over.
    at = min(ends_at, now) if ends_at else now
    ended = _event(
        "ended", "Purchase Agreement Ended - Proposer", at, id_, {"agreement": {"id": id_, "status": status}}
    )
    return replace(found, action=Action.RECORDED, events=(ended,))


def other_entitlements(row: Published, answer: list[Entitlement], now: datetime) -> Difference | None:
    """What differs where AWS says these entitlements."""
    theirs = Purchase().entitled_to(answer, now).entitlements or ()
    if theirs == row.purchase.entitlements:
        return None
    subscription = row.subscription
    return Difference(
        kind=DifferenceKind.ENTITLEMENTS,
        agreement_id=subscription.agreement_id,
        subscription_id=subscription.subscription_id,
        product_code=subscription.product_code,
        ours=_in_words(row.purchase.entitlements),
        theirs=_in_words(theirs),
        action=Action.ASKED_ANEW,
    )


def _in_words(entitlements: tuple[Entitlement, ...] | None) -> str:
    if entitlements is None:
        return "never read"
    return ", ".join(f"{one.dimension}={one.value}" for one in entitlements)[:1000] or "none"


def _event(what: str, name: str, at: datetime, agreement_id: str, detail: Mapping[str, Any]) -> str:
    """Worded as the lost event, so that it goes the same way. Its id is derived: found again, it is known.
    (A colon, because the id is a part of an address in our API.)"""
    return json.dumps(
        {
            "version": "0",
            "id": f"reconciliation:{agreement_id}:{what}",
            "detail-type": name,
            "source": SOURCE,
            "time": rfc3339(at),
            "resources": [],
            "detail": detail,
        }
    )


def _parties(account: str | None, offer: str | None) -> dict[str, Any]:
    said = {"acceptor": ("accountId", account), "offer": ("id", offer)}
    return {name: {key: value} for name, (key, value) in said.items() if value}


def _moments(**moments: datetime | None) -> dict[str, str]:
    return {name: rfc3339(moment) for name, moment in moments.items() if moment}
