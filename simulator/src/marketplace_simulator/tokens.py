"""Registration tokens: what the buyer's browser carries to the seller."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace_simulator.aws_errors import AwsError

# AWS's sources say 4 h, 1 h and 30 min; the current set-up page says 4 h and that a token may be used again.
TOKEN_LIFE = timedelta(hours=4)


@dataclass(frozen=True)
class Token:
    """What is kept of a token: never the token itself."""

    fingerprint: str
    agreement_id: str
    expires_at: datetime


def fingerprint(token: str) -> str:
    """The one-way form in which a token is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


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
