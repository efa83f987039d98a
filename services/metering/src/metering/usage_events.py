"""Which reported events are accepted, and by what name the others are refused."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from chassis.times import parse_rfc3339
from metering.catalogue import Catalogue, Choice, Product
from metering.holders import customers_usage, holder_of_customer
from metering.hours import hour_of
from metering.quantities import to_micro
from metering.subscription_ids import of_license
from metering.tags import UNTAGGED, TagSet, tag_set

T = TypeVar("T")


class UsageEvent(NamedTuple):
    """An accepted event. (source, id) is its idempotency key within its hour; quantity is in micro-units,
    below zero where it corrects others."""

    source: str
    id: str
    holder: str
    dimension: str
    quantity: int
    time: datetime
    tags: TagSet = UNTAGGED

    @property
    def hour(self) -> str:
        return hour_of(self.time)


@dataclass(frozen=True)
class Refusal:
    """A refused event: its place in the batch, why by name, and where the mistake is."""

    index: int
    reason: str
    detail: str
    path: str
    source: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class AgeLimits:
    """How old, and how far ahead of our clock, an event may be."""

    oldest: timedelta
    ahead: timedelta


class _Refused(Exception):
    """Why, by name; in words; and which member of the event is at fault."""

    def __init__(self, reason: str, detail: str, member: str) -> None:
        super().__init__(reason)
        self.reason, self.detail, self.member = reason, detail, member


@dataclass(frozen=True)
class Form:
    """A form in which events come.

    Attributes:
        mistakes: of one row by the contract; takes the row and its JSON Pointer.
        all_fit: whether all rows of a batch satisfy the contract.
        within: where in a row everything stands that is not in every event of the world, as a JSON Pointer;
            empty where beside the rest.
    """

    mistakes: Callable[[Any, str], list[dict[str, str]]]
    all_fit: Callable[[list[Any]], bool]
    within: str = ""

    def members(self, row: dict[str, Any]) -> dict[str, Any]:
        """All that an event has, side by side."""
        return {**row, **row[self.within[1:]]} if self.within else row

    def place_of(self, member: str) -> str:
        return f"/{member}" if member in _OF_EVERY_EVENT else f"{self.within}/{member}"


_OF_EVERY_EVENT = frozenset({"source", "id", "time"})


class Judge:
    """Tells good events from bad ones.

    Args:
        product_code_of: the product of a subscription; None where the subscription is not known yet.
        catalogue: our products.
        limits: of the events' age.
        now: the present moment.
    """

    def __init__(
        self,
        product_code_of: Callable[[str], str | None],
        catalogue: Catalogue,
        limits: AgeLimits,
        now: datetime,
    ) -> None:
        self._product_code_of = product_code_of
        self._catalogue = catalogue
        self._limits = limits
        self._now = now

    def takes(self, holder: str, dimension: str) -> bool:
        """Whether usage of a holder and a dimension is accepted."""
        try:
            self._check(holder, dimension, "")
        except _Refused:
            return False
        return True

    def sort_out(self, rows: list[Any], form: Form, place: str) -> tuple[list[UsageEvent], list[Refusal]]:
        """Divide a batch into accepted events and refusals.

        Args:
            rows: the batch as it came, each row still unchecked.
            form: of the rows.
            place: of the batch in the body, as a JSON Pointer.
        """
        accepted: list[UsageEvent] = []
        refused: list[Refusal] = []
        for index, row in enumerate(rows):
            outcome = self._judge(index, row, form, f"{place}/{index}")
            if isinstance(outcome, UsageEvent):
                accepted.append(outcome)
            else:
                refused.append(outcome)
        return accepted, refused

    def _judge(self, index: int, row: Any, form: Form, place: str) -> UsageEvent | Refusal:
        named = row if isinstance(row, dict) else {}
        source, event_id = _text(named, "source"), _text(named, "id")
        mistakes = form.mistakes(row, place)
        if mistakes:
            mistake = mistakes[0]
            return Refusal(index, "invalid_event", mistake["reason"], mistake["path"], source, event_id)
        try:
            return self._read(form.members(row))
        except _Refused as why:
            at = place + form.place_of(why.member)
            return Refusal(index, why.reason, why.detail, at, source, event_id)

    def _read(self, row: dict[str, Any]) -> UsageEvent:
        quantity = _read(to_micro, row, "quantity")
        time = _read(parse_rfc3339, row, "time")
        if time > self._now + self._limits.ahead:
            raise _Refused("time_in_future", "It is later than now.", "time")
        if time < self._now - self._limits.oldest:
            hours = self._limits.oldest / timedelta(hours=1)
            raise _Refused("too_old", f"It is more than {hours:g} hours ago.", "time")
        holder, named_by = holder_of(row)
        self._check(holder, row["dimension"], named_by)
        tags = _read(tag_set, {"tags": {}} | row, "tags")
        return UsageEvent(row["source"], row["id"], holder, row["dimension"], quantity, time, tags)

    def _check(self, holder: str, dimension: str, named_by: str) -> None:
        """
        Args:
            named_by: the member that names the holder.
        """
        product = self._product(holder)
        if product and not product.is_metered:
            raise _Refused("not_metered", "The product is a contract; it takes no usage.", named_by)
        known = product.dimensions if product else self._catalogue.dimensions
        if dimension not in known:
            raise _Refused("unknown_dimension", f'The product has no dimension "{dimension}".', "dimension")

    def _product(self, holder: str) -> Product | None:
        usage = customers_usage(holder)
        if usage is None:
            code = self._product_code_of(holder)
            return self._catalogue.product(code) if code else None
        product = self._catalogue.product(usage.product_code)
        if product is None:
            raise _Refused("unknown_product", f'There is no product "{usage.product_code}".', "product_code")
        if product.choice is Choice.NAMED:
            raise _Refused(
                "subscription_not_named",
                "Usage of this product names its subscription or licence; a customer may have several.",
                "customer_id",
            )
        return product


def holder_of(row: dict[str, Any]) -> tuple[str, str]:
    """Whose usage it is, and the member that says so; the contract sees to it that one does."""
    if "subscription_id" in row:
        return row["subscription_id"], "subscription_id"
    if "license_arn" in row:
        return of_license(row["license_arn"]), "license_arn"
    return holder_of_customer(row["customer_id"], row["product_code"]), "product_code"


def _read(read: Callable[[Any], T], row: dict[str, Any], member: str) -> T:
    try:
        return read(row[member])
    except (ValueError, OverflowError) as error:
        raise _Refused("invalid_event", str(error), member) from None


def _text(row: dict[str, Any], name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) else None
