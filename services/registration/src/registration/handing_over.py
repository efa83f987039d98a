"""The seller's own back end makes or finds the account: what it is asked, and what its answer means."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from registration import bindings
from registration.catalogue import Product
from registration.claims import Claim
from registration.customers import CustomerDetails
from registration.identities import Identity, of_account
from registration.outbox_items import OutboxItem

_LONGEST_ACCOUNT_ID = 200
_LONGEST_DETAIL = 500
_LONGEST_SECRET = 15_000  # of `deploymentParameter.secretString`, botocore's model of marketplace-deployment
_NO = frozenset({409, 422})


@dataclass(frozen=True)
class Account:
    """The back end's yes.

    Args:
        account_id: what it calls the account.
        deployment_secret: for Quick Launch.
    """

    account_id: str
    deployment_secret: str | None = None


@dataclass(frozen=True)
class Refused:
    """The back end's no, with its words for the buyer."""

    detail: str


class NotAnswered(Exception):
    """The back end did not answer, or not as agreed. It is asked again.

    Args:
        reason: for operators; without personal data.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Tables(bindings.Tables, Protocol):
    def claim_of(self, subscription_id: str) -> Claim | None: ...

    def give_up_claim(self, claim: Claim, item: OutboxItem, refusal: str) -> None:
        """Leave the refusal with the registration; remove claim and item as one act, if the claim still has
        no customer and the item is still there: else another try has ended this hand-over."""
        ...

    def remove_outbox_item(self, item: OutboxItem) -> None: ...


def question(item: OutboxItem, claim: Claim, product: Product, *, free_trial: bool) -> dict[str, Any]:
    """The body of the signed POST (`HandOverRequest` of the contract)."""
    asked = item.payload
    return {
        "type": "registration.hand_over",
        "registration_id": claim.registration_id,
        "subscription_id": claim.subscription_id,
        "product_code": claim.product_code,
        "product_id": product.product_id,
        "customer_aws_account_id": claim.customer_aws_account_id,
        "agreement_id": asked["agreement_id"],
        "free_trial": free_trial,
        "email": asked["email"],
        "name": asked["name"],
        "company": asked["company"],
        "fields": dict(asked["fields"]),
        "language": asked["language"],
        "identity": asked["identity"],
    }


def understand(status: int, body: Any) -> Account | Refused:
    """Read the back end's answer.

    Args:
        status: the HTTP status.
        body: the decoded JSON, or None where there was none.

    Raises:
        NotAnswered: it is neither a yes nor a no as the contract has it.
    """
    members = body if isinstance(body, Mapping) else {}
    if status in _NO:
        detail = members.get("detail")
        return Refused(_one_line(detail, _LONGEST_DETAIL) or "" if isinstance(detail, str) else "")
    if status not in (200, 201):
        raise NotAnswered(f"the seller's back end answered {status}")
    account_id = members.get("account_id")
    if (
        not isinstance(account_id, str)
        or not account_id
        or account_id != _one_line(account_id, _LONGEST_ACCOUNT_ID)
    ):
        raise NotAnswered("the seller's back end answered without a usable account_id")
    return Account(account_id, _secret(members))


def noted(status: int, body: Any) -> str | None:
    """Read the back end's answer to news that needs none: of a renewal, whose account stands.

    Returns:
        The `deployment_secret`, where it gave one for the new agreement.

    Raises:
        NotAnswered: it is neither 2xx nor a no (409, 422), which changes nothing and ends the item.
    """
    if status in _NO:
        return None
    if not 200 <= status < 300:
        raise NotAnswered(f"the seller's back end answered {status}")
    return _secret(body if isinstance(body, Mapping) else {})


def _secret(members: Mapping[str, Any]) -> str | None:
    secret = members.get("deployment_secret")
    if secret is not None and not (isinstance(secret, str) and 0 < len(secret) <= _LONGEST_SECRET):
        raise NotAnswered("the seller's back end answered with an unusable deployment_secret")
    return secret


def conclude(
    tables: Tables,
    item: OutboxItem,
    claim: Claim,
    answer: Account | Refused,
    product: Product,
    now: datetime,
    *,
    sealed_secret: str | None,
) -> tuple[Claim, bool] | None:
    """Act on the answer. Each way ends the item in the same transaction, so a crash only repeats the
    question.

    Args:
        tables: reads must be consistent.
        item: the hand-over.
        claim: as it stands.
        answer: the back end's.
        product: what the catalogue says of the purchase.
        now: the clock's time.
        sealed_secret: the answer's `deployment_secret`, encrypted.

    Returns:
        The claim as it stands and whether a customer was made; None where the back end refused.
    """
    if isinstance(answer, Refused):
        tables.give_up_claim(claim, item, answer.detail)
        return None
    asked = item.payload
    signed_in = asked["identity"]
    identities = [of_account(answer.account_id)]
    if signed_in:
        identities.append(Identity(signed_in["issuer"], signed_in["subject"]))
    return bindings.bind(
        tables,
        claim,
        CustomerDetails(
            email=asked["email"],
            name=asked["name"],
            company=asked["company"],
            fields=asked["fields"],
            language=asked["language"],
        ),
        identities,
        product,
        now,
        agreement_id=asked["agreement_id"],
        account_id=answer.account_id,
        deployment_secret=sealed_secret,
        done=item,
    )


def _one_line(text: str, longest: int) -> str:
    return "".join(letter for letter in text if letter.isprintable()).strip()[:longest]
