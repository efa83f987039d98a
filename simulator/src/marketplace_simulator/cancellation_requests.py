"""A seller asks the buyer to let an agreement be cancelled; silence for seven days means yes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, get_args

APPROVED_BY_SILENCE_AFTER = timedelta(days=7)

StatusCode = Literal["PENDING_APPROVAL", "APPROVED", "REJECTED", "CANCELLED", "VALIDATION_FAILED"]
REASON_CODES = (
    "INCORRECT_TERMS_ACCEPTED",
    "REPLACING_AGREEMENT",
    "TEST_AGREEMENT",
    "ALTERNATIVE_PROCUREMENT_CHANNEL",
    "PRODUCT_DISCONTINUED",
    "UNINTENDED_RENEWAL",
    "BUYER_DISSATISFACTION",
    "OTHER",
)
STATUS_CODES: tuple[StatusCode, ...] = get_args(StatusCode)


@dataclass(frozen=True)
class CancellationRequest:
    """As its events tell it."""

    request_id: str
    reason_code: str
    reason_message: str
    status_code: StatusCode
    status_message: str
    created_at: datetime
    updated_at: datetime

    @property
    def pending(self) -> bool:
        return self.status_code == "PENDING_APPROVAL"

    @property
    def approved_by_silence_at(self) -> datetime:
        return self.created_at + APPROVED_BY_SILENCE_AFTER

    def turned(self, status_code: StatusCode, at: datetime, message: str = "") -> CancellationRequest:
        """The request after its next step."""
        return replace(self, status_code=status_code, status_message=message, updated_at=at)
