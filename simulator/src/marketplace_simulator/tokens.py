"""Registration tokens: what the buyer's browser carries to the seller."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from marketplace_simulator.agreements import Agreement
from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.switches import Switches

# By the switch `token_life`: the set-up page says 4 h, and that a token may be used again.
_LIVES = {
    "4_hours": timedelta(hours=4),
    "1_hour": timedelta(hours=1),
    "30_minutes": timedelta(minutes=30),
}


@dataclass(frozen=True)
class Token:
    """What is kept of a token: never the token itself."""

    fingerprint: str
    agreement_id: str
    expires_at: datetime


def fingerprint(token: str) -> str:
    """The one-way form in which a token is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


def life(switches: Switches) -> timedelta:
    """How long a token that is handed out now will live."""
    return _LIVES[switches.token_life]


def redeem(found: Token | None, now: datetime) -> str:
    """The agreement that a token stands for, however often it is asked.

    Raises:
        AwsError: InvalidTokenException for an unknown token, ExpiredTokenException for an old one.
    """
    if found is None:
        raise AwsError("InvalidTokenException", "Registration token is invalid")
    if now >= found.expires_at:
        raise AwsError("ExpiredTokenException", "The submitted registration token has expired")
    return found.agreement_id


def resolved(agreement: Agreement, switches: Switches) -> dict[str, Any]:
    """The members of ResolveCustomer's answer."""
    answer: dict[str, Any] = {
        "CustomerAWSAccountId": agreement.customer_aws_account_id,
        "ProductCode": agreement.product_code,
        "Metadata": {"AgreementId": agreement.agreement_id},
    }
    if agreement.generation != "legacy" or switches.legacy_resolve_license == "answered":
        answer["LicenseArn"] = agreement.license_arn
    if agreement.customer_identifier is not None:
        answer["CustomerIdentifier"] = agreement.customer_identifier
    elif switches.empty_customer_identifier == "empty":
        answer["CustomerIdentifier"] = ""
    return answer
