"""What the seller's usage report says, by its real names, and where it says nothing."""

from datetime import date

import pytest

from metering.evidence import NotEvidence
from metering.usage_report import Line, read_report

DASHBOARD = "Usage date,Product code,Subscriber AWS account ID,Dimension key,Estimated usage"
QUERY = (
    "internal_usage_line_item_id,usage_date,end_user_aws_account_id,product_code,dimension_key,region,"
    "estimated_usage_units,currency,subscriber_aws_account_id"
)
A_LINE = Line("74code", "444455556666", "gpu_hours", date(2026, 11, 22), 41_250_000)


def test_the_dashboard_s_granular_data_is_read() -> None:
    report = read_report(f"{DASHBOARD}\n2026-11-22,74code,444455556666,gpu_hours,41.25\n")
    assert (report.lines, report.unreadable) == ([A_LINE], [])


def test_the_report_of_aws_s_query_is_read() -> None:
    line = "f00,2026-11-22 00:00:00.000,999,74code,gpu_hours,us-east-1,41.25,USD,444455556666"
    report = read_report(f"{QUERY}\n{line}\n")
    assert (report.lines, report.unreadable) == ([A_LINE], [])


def test_a_buyer_whose_agreement_is_not_known_goes_by_the_account_that_used_it() -> None:
    line = "f00,2026-11-22,444455556666,74code,gpu_hours,us-east-1,41.25,USD,Not available"
    assert read_report(f"{QUERY}\n{line}\n").lines == [A_LINE]


@pytest.mark.parametrize(
    "header",
    [
        DASHBOARD.upper(),
        DASHBOARD.replace(" ", "_"),
        DASHBOARD.replace(",", " , "),
        f'"{DASHBOARD.replace(",", chr(34) + "," + chr(34))}"',
    ],
)
def test_case_and_blanks_of_the_header_do_not_matter(header: str) -> None:
    assert read_report(f"{header}\r\n2026-11-22, 74code ,444455556666,gpu_hours,41.25\r\n").lines == [A_LINE]


@pytest.mark.parametrize(
    "day",
    [
        "2026-11-22",
        "2026-11-22T00:00:00Z",
        "2026-11-22 00:00:00",
        "2026-11-22 00:00:00.000 UTC",
        '"Nov 22, 2026"',
        '"Nov 22, 2026 12:00 AM"',
    ],
)
def test_a_day_may_come_in_any_known_form(day: str) -> None:
    assert read_report(f"{DASHBOARD}\n{day},74code,444455556666,gpu_hours,41.25\n").lines == [A_LINE]


@pytest.mark.parametrize(
    ("written", "micro"), [('"1,234.5"', 1_234_500_000), ("0", 0), ("4.125E1", 41_250_000)]
)
def test_a_quantity_is_exact(written: str, micro: int) -> None:
    (line,) = read_report(f"{DASHBOARD}\n2026-11-22,74code,444455556666,gpu_hours,{written}\n").lines
    assert line.quantity == micro


def test_zeros_that_a_spreadsheet_took_away_come_back() -> None:
    (line,) = read_report(f"{DASHBOARD}\n2026-11-22,74code,12345678,gpu_hours,1\n").lines
    assert line.customer_aws_account_id == "000012345678"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("11/12/2026,74code,444455556666,gpu_hours,1", "usage date"),
        ("2026-11-22T10:00:00Z,74code,444455556666,gpu_hours,1", "usage date"),
        ("2026-02-30,74code,444455556666,gpu_hours,1", "day"),
        (",74code,444455556666,gpu_hours,1", "usage date"),
        ("2026-11-22,,444455556666,gpu_hours,1", "product code"),
        ("2026-11-22,74code,Not available,gpu_hours,1", "account"),
        ("2026-11-22,74code,444455556666,,1", "dimension"),
        ("2026-11-22,74code,444455556666,gpu_hours,", "quantity"),
        ("2026-11-22,74code,444455556666,gpu_hours,-1", "zero"),
        ("2026-11-22,74code,444455556666,gpu_hours,12,34", "more fields"),
        ("2026-11-22", "product code"),
    ],
)
def test_a_line_that_cannot_be_read_does_not_hide_its_neighbours(line: str, reason: str) -> None:
    report = read_report(f"{DASHBOARD}\n{line}\n\n2026-11-22,74code,444455556666,gpu_hours,41.25\n")
    assert A_LINE in report.lines
    assert [part.place for part in report.unreadable] == ["line 2"]
    assert reason in report.unreadable[0].reason


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("", "Usage date, Product code"),
        (
            "usage_date,product_id,end_user_account_id,dimension_key,usage_quantity",
            "Product code, Subscriber",
        ),
        (f"{DASHBOARD},row_type\n", "row_type"),
        ("Usage date\0,x", "Product code"),
    ],
)
def test_what_is_no_usage_report_is_refused_whole(text: str, missing: str) -> None:
    with pytest.raises(NotEvidence, match=missing):
        read_report(text)
