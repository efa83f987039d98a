"""The seller's usage report: a CSV of what AWS has recorded of a product's customers, by the day.

It is the "Granular data" of the Usage dashboard (AWS Marketplace Management Portal, Insights, Sales
operations; exported as CSV), or the report that AWS's own query makes of the seller's data feeds. Columns by
those two names (case, blanks and underscores do not matter):

| needed | dashboard | query |
|---|---|---|
| day | `Usage date` | `usage_date` |
| product | `Product code` | `product_code` |
| buyer | `Subscriber AWS account ID`, else `End user AWS account ID` | the same, with underscores |
| dimension | `Dimension key` | `dimension_key` |
| quantity | `Estimated usage` | `estimated_usage_units` |

The raw Daily Usage feed is no such report: it has hashes in place of accounts, and no product code. Its
documentation says that a quantity has up to two decimals; that the dashboard's has more is nowhere said.
"""

import csv
import io
import re
from dataclasses import dataclass, field
from datetime import date, datetime

from metering.evidence import NotEvidence, Unreadable, exact_micro, is_name

ROUNDED_TO = 10_000
"""Micro-units: a line of the report has two decimals."""

_DAY = ("usage_date",)
_PRODUCT = ("product_code",)
_BUYER = ("subscriber_aws_account_id", "end_user_aws_account_id")
_DIMENSION = ("dimension_key",)
_QUANTITY = ("estimated_usage", "estimated_usage_units", "usage_units", "usage_quantity")
_NEEDED = {
    "Usage date": _DAY,
    "Product code": _PRODUCT,
    "Subscriber AWS account ID": _BUYER,
    "Dimension key": _DIMENSION,
    "Estimated usage": _QUANTITY,
}
_CHANGES = "row_type"
"""A column of the datasets that tell what has changed since the last file."""

_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
_ACCOUNT = re.compile(r"\d{1,12}", re.ASCII)


@dataclass(frozen=True)
class Line:
    """What one line says: a quantity (micro-units) of a day, in UTC."""

    product_code: str
    customer_aws_account_id: str
    dimension: str
    day: date
    quantity: int


@dataclass
class Report:
    lines: list[Line] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


def read_report(text: str) -> Report:
    """The lines of a report.

    Raises:
        NotEvidence: the columns are not there.
    """
    rows = csv.DictReader(io.StringIO(text, newline=""), restval="")
    found = Report()
    try:
        names = {_plain(name): name for name in rows.fieldnames or ()}
        missing = [shown for shown, known in _NEEDED.items() if not set(known) & names.keys()]
        if missing:
            raise NotEvidence(f"It is no usage report: it has no column {', '.join(missing)}.")
        if _CHANGES in names:
            raise NotEvidence("It tells changes to a report (row_type), and not what is in the report.")
        for row in rows:
            if None in row:  # such as `12,34` for a number, of which 12 would be read
                reason = "It has more fields than there are columns."
                found.unreadable.append(Unreadable(f"line {rows.line_num}", reason))
                continue
            _read_line(
                {plain: (row[name] or "").strip() for plain, name in names.items()},
                f"line {rows.line_num}",
                found,
            )
    except csv.Error as error:
        raise NotEvidence(f"It is not CSV: {error}.") from None
    return found


def _plain(name: str | None) -> str:
    return re.sub(r"[^a-z0-9]+", "_", (name or "").lower()).strip("_")


def _read_line(row: dict[str, str], place: str, found: Report) -> None:
    if not any(row.values()):
        return
    try:
        found.lines.append(
            Line(
                _first(row, _PRODUCT, "product code"),
                _account(row),
                _first(row, _DIMENSION, "dimension"),
                _day(_first(row, _DAY, "usage date")),
                _quantity(_first(row, _QUANTITY, "quantity")),
            )
        )
    except ValueError as wrong:
        found.unreadable.append(Unreadable(place, f"It is no line of a usage report: {wrong}."))


def _first(row: dict[str, str], names: tuple[str, ...], what: str) -> str:
    for name in names:
        if is_name(row.get(name)):
            return row[name]
    raise ValueError(f"it has no {what}")


def _account(row: dict[str, str]) -> str:
    for name in _BUYER:  # "Not available" stands where AWS knows none
        if _ACCOUNT.fullmatch(row.get(name, "")):
            # A spreadsheet takes away the zeros before it.
            return row[name].zfill(12)
    raise ValueError("it names no AWS account")


def _day(text: str) -> date:
    """`2026-11-22`, the same with a time of midnight behind it, or `Nov 22, 2026`. Not `11/22/2026`: which is
    the month would be a guess."""
    iso = re.fullmatch(r"(\d{4}-\d{2}-\d{2})([T ]00:00(:00(\.0+)?)?( ?(Z|UTC|\+00:00))?)?", text, re.ASCII)
    if iso:
        return date.fromisoformat(iso[1])
    words = re.fullmatch(r"([A-Z][a-z]{2}) (\d{1,2}), (\d{4})(,? 12:00(:00)? ?AM)?", text, re.ASCII)
    if words:
        return datetime.strptime(f"{words[1]} {words[2]} {words[3]} +0000", "%b %d %Y %z").date()
    raise ValueError("its usage date is of no form that is known")


def _quantity(text: str) -> int:
    return exact_micro(text.replace(",", "") if _THOUSANDS.fullmatch(text) else text)
