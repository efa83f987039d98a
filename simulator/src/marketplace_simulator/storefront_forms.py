"""What the storefront's forms say, read into the marketplace's terms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qs

from starlette.requests import Request

from marketplace_simulator.offers import LONGEST_TERM_DAYS, TRIAL_DAYS, Offer
from marketplace_simulator.products import Product

_FORM_LIMIT = 100_000
# Only pages of this storefront: a form must not lead its reader elsewhere.
_PAGES = ("/agreements", "/bill", "/news", "/products/")
QUANTITY_PREFIX = "quantity:"


class FormRefused(Exception):
    """A field is wrong; the message says which, to a person."""


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a posted form, the last of each name; empty ones are left out."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_LIMIT:
            raise FormRefused("The form is too large.")
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=5000)
    except ValueError:
        raise FormRefused("The form has too many fields.") from None
    return {name: values[-1].strip() for name, values in fields.items() if values[-1].strip()}


def account(form: Mapping[str, str], name: str) -> str | None:
    value = form.get(name)
    if value is not None and not (value.isascii() and value.isdigit() and len(value) == 12):
        raise FormRefused("An AWS account id has 12 digits.")
    return value


def whole_number(form: Mapping[str, str], name: str, what: str, least: int, most: int) -> int | None:
    value = form.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 11 and least <= int(value) <= most):
        raise FormRefused(f"{what} must be a whole number from {least} to {most}.")
    return int(value)


def number(form: Mapping[str, str], name: str) -> float:
    try:
        return float(form.get(name, ""))
    except ValueError:
        raise FormRefused("The clock takes a number.") from None


def moment(form: Mapping[str, str], name: str) -> datetime | None:
    """A date and time as a browser's picker gives it, taken as UTC."""
    value = form.get(name)
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError:
        raise FormRefused("A start is a date and a time, such as 2026-12-01T00:00.") from None


def quantities(form: Mapping[str, str], product: Product) -> dict[str, int] | None:
    """Units of a contract's dimensions; None when the form names none."""
    if not product.has_entitlements:
        return None
    found: dict[str, int] = {}
    for dimension in product.dimensions:
        is_boolean = dimension.value_type == "boolean"
        most = 1 if is_boolean else 2**31 - 1
        units = whole_number(form, QUANTITY_PREFIX + dimension.key, dimension.title, 0, most)
        if units is not None:
            found[dimension.key] = bool(units) if is_boolean else units
    return found or None


def offer(form: Mapping[str, str]) -> Offer:
    """The chosen offer; fields of the others are passed over, as a browser without styles sends them too."""
    kind = form.get("offer", "public")
    term_days = whole_number(form, "term_days", "The term", 1, LONGEST_TERM_DAYS)
    auto_renew = form.get("auto_renew") == "yes"
    if kind == "free_trial":
        days = whole_number(form, "trial_days", "The trial", *TRIAL_DAYS)
        return Offer(
            free_trial=True,
            trial_days=days or Offer.trial_days,
            trial_lapses=form.get("trial_lapses") == "yes",
        )
    if kind == "private":
        return Offer(
            kind="private", starts_at=moment(form, "starts_at"), term_days=term_days, auto_renew=auto_renew
        )
    if kind == "partner":
        partner = account(form, "partner_account_id")
        if partner is None:
            raise FormRefused("A channel partner's offer needs the partner's AWS account id.")
        return Offer(kind="private", partner_account_id=partner, term_days=term_days, auto_renew=auto_renew)
    return Offer(auto_renew=auto_renew)


def page_to_return_to(form: Mapping[str, str]) -> str:
    """Where a form was pressed, if that is a page of this storefront."""
    page = form.get("return_to", "/")
    return page if page.startswith(_PAGES) and "//" not in page and "\\" not in page else "/"
