"""Who registered. The row is published to siblings: `openapi/tables/customers.schema.json`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

# What browsers take in a field of type email (HTML Living Standard, "valid e-mail address"), with at least
# one dot in the domain. The contract says the same.
_LABEL = "[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_EMAIL = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(\.{_LABEL})+")
_LONGEST_EMAIL = 254


def valid_email(text: str) -> bool:
    return len(text) <= _LONGEST_EMAIL and _EMAIL.fullmatch(text) is not None


def email_key(email: str) -> str:
    """The same for every spelling of case; no provider of note tells them apart."""
    return email.lower()


@dataclass(frozen=True)
class CustomerDetails:
    """What a buyer tells about themself."""

    email: str
    name: str | None = None
    company: str | None = None


@dataclass(frozen=True)
class Customer:
    customer_id: str
    status: Literal["active", "deleted"]
    email: str | None
    name: str | None
    company: str | None
    subscription_ids: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    version: int

    def has_email(self, email: str) -> bool:
        return self.email is not None and email_key(self.email) == email_key(email)

    @property
    def etag(self) -> str:
        return f'"{self.version}"'

    def is_meant_by(self, if_match: str | None) -> bool:
        """Whether a request with this `If-Match` may change this version (RFC 9110 §13.1.1)."""
        if if_match is None or if_match.strip() == "*":
            return True
        # Compared whole, so a weak tag (`W/"1"`) never matches.
        return self.etag in (tag.strip() for tag in if_match.split(","))

    def changed(self, change: Mapping[str, str | None], now: datetime) -> "Customer":
        """With other `email`, `name` or `company`; the same object where nothing differs."""
        changed = replace(
            self,
            email=change.get("email", self.email),
            name=change.get("name", self.name),
            company=change.get("company", self.company),
        )
        return self if changed == self else replace(changed, updated_at=now, version=self.version + 1)

    def erased(self, now: datetime) -> "Customer":
        """The tombstone: no personal data, but the links that bills need."""
        return replace(
            self,
            status="deleted",
            email=None,
            name=None,
            company=None,
            updated_at=now,
            version=self.version + 1,
        )


def new_customer(customer_id: str, details: CustomerDetails, subscription_id: str, now: datetime) -> Customer:
    return Customer(
        customer_id=customer_id,
        status="active",
        email=details.email,
        name=details.name,
        company=details.company,
        subscription_ids=(subscription_id,),
        created_at=now,
        updated_at=now,
        version=1,
    )
