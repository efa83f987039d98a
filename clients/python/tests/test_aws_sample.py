"""From AWS's SaaS sample: what is pending arrives once; what was or may have been sent never does.

Rows have the shape that the sample's README and its `metering-sqs.js` give them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY
from fake_metering import FakeMetering, take_and_hang_up

from marketplane import cli
from marketplane.importing import aws_sample, command, sample_command
from marketplane.importing.errors import FileError

PRODUCT = "4w1vgsrkqdkypbz43g7qkk4uz"
BUYER, OTHER = "ifAPi5AcF3", "3AF4QKbX"
NOW = datetime(2026, 11, 23, 17, 20, tzinfo=UTC)
Run = Callable[..., int]


def seconds(moment: datetime) -> str:
    return str(int(moment.timestamp()))


def pending(created: datetime, *usage: tuple[str, str], buyer: str = BUYER) -> dict[str, Any]:
    """As a seller's product puts it."""
    pairs = [{"M": {"dimension": {"S": name}, "value": {"N": value}}} for name, value in usage]
    return {
        "create_timestamp": {"N": seconds(created)},
        "customerIdentifier": {"S": buyer},
        "dimension_usage": {"L": pairs},
        "metering_pending": {"S": "true"},
    }


def answered(
    row: dict[str, Any], at: datetime, status: str = "Success", unprocessed: bool = False
) -> dict[str, Any]:
    """The row after metering-sqs.js: all that it sent has the moment of its call."""
    record = {
        "Timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "CustomerIdentifier": row["customerIdentifier"]["S"],
        "Dimension": "users",
        "Quantity": 3,
    }
    result = {
        "UsageRecord": record,
        "MeteringRecordId": "35155d37-56cb-423f-8554-5c4f3e3ff56d",
        "Status": status,
    }
    response = {"Results": [result], "UnprocessedRecords": [record] if unprocessed else []}
    kept = {name: value for name, value in row.items() if name != "metering_pending"}
    failed = status != "Success"
    return kept | {"metering_failed": {"BOOL": failed}, "metering_response": {"S": json.dumps(response)}}


def failed(row: dict[str, Any], at: datetime) -> dict[str, Any]:
    """The row after a call that ended with an error, which the sample makes JSON of twice."""
    error = json.dumps({"message": "Rate exceeded", "code": "ThrottlingException", "time": at.isoformat()})
    kept = {name: value for name, value in row.items() if name != "metering_pending"}
    return kept | {"metering_failed": {"BOOL": True}, "metering_response": {"S": json.dumps(error)}}


def scan(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "Items": list(rows),
        "Count": len(rows),
        "ScannedCount": len(rows),
        "ConsumedCapacity": None,
    } | more


EARLIER = NOW - timedelta(hours=2)
SENT = answered(pending(EARLIER, ("users", "3")), NOW - timedelta(minutes=70))


def test_only_what_is_pending_becomes_events() -> None:
    made = aws_sample.plan(
        scan(SENT, pending(NOW - timedelta(minutes=80), ("users", "3"), ("gpu_hours", "0.250"))), PRODUCT, NOW
    )
    assert [(one["dimension"], one["quantity"]) for one in made.events] == [
        ("users", "3"),
        ("gpu_hours", "0.25"),
    ]
    assert made.sent == 1
    assert made.left_out == []
    assert {one["subscription_id"] for one in made.events} == {aws_sample.subscription_id(PRODUCT, BUYER)}
    assert len({one["id"] for one in made.events}) == 2


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (failed(pending(EARLIER, ("users", "3")), EARLIER), aws_sample.FAILED),
        (answered(pending(EARLIER, ("users", "3")), EARLIER, "DuplicateRecord"), aws_sample.FAILED),
        (answered(pending(EARLIER, ("users", "3")), EARLIER, unprocessed=True), aws_sample.UNPROCESSED),
        (SENT | {"metering_pending": {"S": "true"}}, aws_sample.BOTH),
        (pending(EARLIER, ("users", "3")) | {"metering_pending": {"S": "false"}}, aws_sample.NEITHER),
        (pending(EARLIER, ("users", "-3")), "below zero"),
        (pending(EARLIER, ("users", "0.1234567")), "none is rounded"),
        (pending(EARLIER) | {"dimension_usage": {"S": "users=3"}}, "not a list"),
        (pending(EARLIER), "no dimension_usage"),
        (pending(EARLIER, ("users", "3")) | {"create_timestamp": {"N": "17e20"}}, "no time"),
    ],
)
def test_what_may_have_been_sent_or_is_unclear_waits_for_a_person(row: dict[str, Any], why: str) -> None:
    made = aws_sample.plan(scan(row), PRODUCT, NOW)
    assert made.events == []
    assert made.sent == 0
    (left,) = made.left_out
    assert why in left["why"]
    assert left["create_timestamp"] == row["create_timestamp"]["N"]


@pytest.mark.parametrize(
    ("rows", "hour"),
    [
        # The sample sent at 16:10, so its hour is taken; the row was made after that.
        ([SENT, pending(NOW - timedelta(minutes=60), ("users", "1"))], 17),
        # It was made at 17:05: a call later in that hour would have taken it, an earlier one may have been.
        ([SENT, pending(NOW - timedelta(minutes=15), ("users", "1"))], 18),
        # Nothing was ever sent.
        ([pending(NOW - timedelta(hours=9), ("users", "1"))], 9),
        # Calls that failed may have been counted, too.
        ([failed(pending(EARLIER, ("a", "1")), NOW), pending(EARLIER, ("users", "1"))], 18),
        ([answered(SENT, NOW, "DuplicateRecord"), pending(EARLIER, ("users", "1"))], 18),
    ],
)
def test_usage_counts_in_the_first_hour_in_which_the_sample_cannot_have_sent(
    rows: list[dict[str, Any]], hour: int
) -> None:
    made = aws_sample.plan(scan(*rows), PRODUCT, NOW)
    assert made.first_hour == NOW.replace(hour=hour, minute=0)
    assert {one["time"] for one in made.events} == {made.first_hour.isoformat()}


def test_the_same_table_gives_the_same_events_whenever_it_is_read() -> None:
    rows = [
        SENT,
        pending(NOW - timedelta(minutes=60), ("users", "1")),
        pending(EARLIER, ("users", "1"), buyer=OTHER),
    ]
    first = aws_sample.plan(scan(*rows), PRODUCT, NOW)
    later = aws_sample.plan(scan(*reversed(rows)), PRODUCT, NOW + timedelta(hours=5))
    assert sorted(first.events, key=str) == sorted(later.events, key=str)


def test_milliseconds_are_no_seconds() -> None:
    in_seconds = pending(EARLIER, ("users", "1"))
    in_milliseconds = in_seconds | {"create_timestamp": {"N": seconds(EARLIER) + "123"}}
    hours = {aws_sample.plan(scan(row), PRODUCT, NOW).first_hour for row in (in_seconds, in_milliseconds)}
    assert hours == {EARLIER.replace(hour=16, minute=0)}


@pytest.mark.parametrize(
    "file",
    [
        [],
        {"Rows": []},
        scan(SENT, NextToken="more"),
        scan(SENT, LastEvaluatedKey={"customerIdentifier": {"S": BUYER}}),
        scan(SENT, ScannedCount=7),
        scan({"customerIdentifier": {"S": BUYER}}),
        scan(SENT | {"metering_response": {"S": "told"}}),
        scan(pending(NOW + timedelta(days=1), ("users", "1"))),
    ],
)
def test_a_scan_that_may_lack_what_was_sent_is_refused(file: Any) -> None:
    with pytest.raises(FileError):
        aws_sample.plan(file, PRODUCT, NOW)


def test_the_subscription_is_the_one_that_all_services_derive() -> None:
    # The vector of services/notifications/tests: subscription_ids.of_customer.
    assert aws_sample.subscription_id(PRODUCT, BUYER) == "sub_ebsg2a5d3zpkvvr45gfdb2i7hv"


@pytest.fixture
def run(metering: FakeMetering, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setenv(cli.KEY, KEY)
    monkeypatch.setattr(sample_command, "now", lambda: NOW)

    def run(*rows: dict[str, Any], words: tuple[str, ...] = ("--sample-stopped",)) -> int:
        path = tmp_path / "records.json"
        path.write_text(json.dumps(scan(*rows)))
        whole = [
            "usage",
            "import-sample",
            str(path),
            "--url",
            metering.url,
            "--product-code",
            PRODUCT,
            *words,
        ]
        return cli.main(whole)

    return run


def test_what_is_pending_arrives_once_however_often_it_is_run(
    run: Run, metering: FakeMetering, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [SENT, *(pending(EARLIER - timedelta(seconds=n), ("users", "1")) for n in range(1500))]
    metering.script.append(take_and_hang_up)
    assert run(*rows) == command.ALL_ACCEPTED
    taken = dict(metering.taken)
    assert len(taken) == 1500
    assert {source for source, _ in taken} == {f"aws-sample-{PRODUCT}"}
    asked = len(metering.requests)
    assert run(*rows) == command.ALL_ACCEPTED
    assert len(metering.requests) == asked
    # Without its notes it is all sent again, and every event is known.
    for file in tmp_path.glob("records.json.*"):
        file.unlink()
    assert run(*rows) == command.ALL_ACCEPTED
    assert metering.taken == taken
    assert "1 rows the sample has sent; they stay as they are." in capsys.readouterr().err


def test_nothing_is_sent_while_the_sample_may_run(
    run: Run, metering: FakeMetering, capsys: pytest.CaptureFixture[str]
) -> None:
    row = pending(EARLIER, ("users", "1"))
    assert run(row, words=()) == command.UNUSABLE
    assert "--sample-stopped" in capsys.readouterr().err
    assert run(row, words=("--dry-run",)) == command.ALL_ACCEPTED
    assert metering.requests == []


def test_nothing_is_sent_before_the_first_free_hour(
    run: Run, metering: FakeMetering, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(pending(NOW, ("users", "1"))) == command.UNUSABLE
    assert "Run this again then" in capsys.readouterr().err
    assert metering.requests == []


def test_rows_for_a_person_are_named_and_the_exit_code_says_so(
    run: Run, metering: FakeMetering, tmp_path: Path
) -> None:
    unclear = failed(pending(EARLIER, ("users", "2")), EARLIER)
    assert run(unclear, pending(EARLIER, ("users", "1"))) == command.SOME_REFUSED
    assert len(metering.taken) == 1
    (left,) = (tmp_path / "records.json.left-out.jsonl").read_text().splitlines()
    assert json.loads(left)["why"] == aws_sample.FAILED


def test_another_scan_of_the_same_name_is_not_taken_for_the_first(run: Run, metering: FakeMetering) -> None:
    first = pending(EARLIER - timedelta(hours=3), ("users", "1"))
    assert run(first) == command.ALL_ACCEPTED
    # The sample ran again meanwhile: the hour would be another, and the first row's usage would count twice.
    assert run(first, SENT, answered(pending(EARLIER, ("a", "1")), EARLIER)) == command.UNUSABLE
    assert len(metering.taken) == 1
