"""Who registered. The row is published to siblings: `openapi/tables/customers.schema.json`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from registration.identities import of_account

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
    """What a buyer tells about themself.

    Args:
        email: where to reach them. Nobody has proved that it is theirs, so it identifies nobody.
        fields: the product's own form fields, by name.
        language: of letters, such as `en`.
    """

    email: str
    name: str | None = None
    company: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"


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
    account_id: str | None = None
    """What the seller's own system calls them."""
    fields: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"
    identity_ids: tuple[str, ...] = ()
    """Whose sign-in leads here (`Identity.identity_id`)."""

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
        """With other `email`, `name`, `company` or `account_id`; the same object where nothing differs."""
        changed = replace(
            self,
            email=change.get("email", self.email),
            name=change.get("name", self.name),
            company=change.get("company", self.company),
            account_id=change.get("account_id", self.account_id),
        )
        if changed.account_id != self.account_id:
            changed = replace(changed, identity_ids=_with_account(self, changed.account_id))
        return self if changed == self else replace(changed, updated_at=now, version=self.version + 1)

    def holding(
        self, subscription_id: str, account_id: str | None, fields: Mapping[str, str], now: datetime
    ) -> "Customer":
        """With one more subscription, what was answered for it, and the account's name where the seller's
        system has given one."""
        return replace(
            self,
            subscription_ids=(*self.subscription_ids, subscription_id),
            account_id=account_id or self.account_id,
            fields={**self.fields, **fields},
            updated_at=now,
            version=self.version + 1,
        )

    def erased(self, now: datetime) -> "Customer":
        """The tombstone: no personal data, but the links that bills need."""
        return replace(
            self,
            status="deleted",
            email=None,
            name=None,
            company=None,
            account_id=None,
            fields={},
            language="en",
            identity_ids=(),
            updated_at=now,
            version=self.version + 1,
        )


def new_customer(
    customer_id: str,
    details: CustomerDetails,
    subscription_id: str,
    now: datetime,
    account_id: str | None = None,
) -> Customer:
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
        account_id=account_id,
        fields=details.fields,
        language=details.language,
    )


def _with_account(customer: Customer, account_id: str | None) -> tuple[str, ...]:
    """The customer's identities with another account of the seller's in the place of the one so far."""
    before = of_account(customer.account_id).identity_id if customer.account_id else None
    kept = [one for one in customer.identity_ids if one != before]
    # It may be theirs already: the seller's back end can have named several accounts for one customer.
    return tuple(dict.fromkeys([*kept, of_account(account_id).identity_id])) if account_id else tuple(kept)
