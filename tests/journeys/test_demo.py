"""The demo's story with each process killed in its worst moment: the bill is exact, and nothing is left
behind."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.journeys.house import NEWS_QUEUE, REGISTRATION_SIGNALS_QUEUE, Engine
from tools.stack import Stack, procfile
from tools.story import ENVIRONMENT, FIRST_HOUR, MOMENT_OF, PROCESSES, START, Line, Story

EVENTS_PER_QUARTER = 10


@dataclass
class Played:
    """What a played story left to be judged; its stack is down."""

    story: Story
    lines: list[Line]
    records: dict[str, list[dict[str, Any]]]
    balances: dict[str, list[dict[str, Any]]]
    bill: list[dict[str, Any]]
    logs: dict[str, str]
    tables: dict[str, list[dict[str, Any]]]
    sessions: set[int] = field(default_factory=set)


# Two runs take all of them, and nobody falls together with who would find their loss.
KILLED = (
    ("registration-web", "registration-worker", "metering-web", "simulator"),
    ("notifications-web", "notifications-worker", "engine", "metering-worker"),
)


@pytest.fixture(scope="module", params=KILLED, ids=" ".join)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The story with some processes killed, each at its worst moment."""
    directory = tmp_path_factory.mktemp("story")
    stack = Stack(
        directory,
        processes=PROCESSES,
        environment=ENVIRONMENT | {"CYCLE_SECONDS": "0.5"},
        process_environment={"simulator": {"SIMULATOR_START": START}},
    )
    with stack:
        sessions = {stack.pid(name) for name in stack.names}
        lower_visibility(stack)
        story = Story(stack, kill=request.param, events_per_quarter=EVENTS_PER_QUARTER)
        lines = story.play()
        sessions |= {stack.pid(name) for name in stack.names}
        assert len(sessions) == len(stack.names) + len(request.param), "not all were killed"
        played = Played(
            story=story,
            lines=lines,
            records={buyer.name: story.records(buyer) for buyer in story.buyers()},
            balances={buyer.name: story.balances(buyer) for buyer in story.buyers()},
            bill=story.bill(),
            logs={},
            tables=whole_tables(stack),
            sessions=sessions,
        )
        story.close()
    played.logs = {path.stem: path.read_text(errors="replace") for path in directory.glob("*.log")}
    return played


def lower_visibility(stack: Stack) -> None:
    """What a killed worker had in hand comes back this soon; production would wait for half a minute."""
    engine = Engine(stack)
    engine.show_again_after(3, NEWS_QUEUE, REGISTRATION_SIGNALS_QUEUE)
    engine.close()


def whole_tables(stack: Stack) -> dict[str, list[dict[str, Any]]]:
    engine = Engine(stack)
    try:
        return {table: engine.rows(table) for table in engine.tables()}
    finally:
        engine.close()


def test_the_procfile_is_killed_whole() -> None:
    assert set(MOMENT_OF) == set(PROCESSES) == {name for names in KILLED for name in names}
    # Who signs in is another story (test_sign_in.py).
    assert set(procfile()) - set(PROCESSES) == {"identity", "web"}


def test_the_bill_is_the_truth(played: Played) -> None:
    assert len(played.lines) == 4
    assert played.story.repeated > 0
    assert played.story.late > 0
    for line in played.lines:
        assert line.used > 0
        assert line.difference == 0, line
        assert line.balanced, line


def test_each_slot_is_billed_once(played: Played) -> None:
    slots = [
        (row["product_code"], row["customer_identifier"] or row["license_arn"], row["dimension"], row["hour"])
        for row in played.bill
    ]
    assert len(slots) == len(set(slots))
    assert {row["region"] for row in played.bill} == {"us-east-1"}
    # And metering knows each of them under AWS's own id.
    known = [record for records in played.records.values() for record in records]
    assert sorted(row["metering_record_id"] for row in played.bill) == sorted(
        record["aws_metering_record_id"] for record in known
    )
    assert {record["outcome"] for record in known} == {"billed"}


def test_late_usage_names_the_hour_it_comes_from(played: Played) -> None:
    for buyer in played.story.buyers():
        records = played.records[buyer.name]
        by_source: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for record in records:
            for source in record["sources"]:
                by_source[record["dimension"], source["hour"][:13]] += Decimal(source["quantity"])
            parts = [Decimal(source["quantity"]) for source in record["sources"]]
            assert Decimal(record["quantity"]) == sum(parts)
        # Each hour's usage is found whole, in whatever records it went to AWS.
        assert by_source == {
            (dimension, hour): (
                row["metered"] - sum(json.loads(row.get("written_off", "{}")).values())
            ).scaleb(-6)
            for row in played.tables["marketplane-metering-ledger"]
            if row["holder"] == buyer.subscription_id
            for dimension, hour in [row["usage_key"].split("#")]
        }
        # Late usage of the first hour came when that hour was billed: a later hour's record carries it.
        first = f"{FIRST_HOUR:%Y-%m-%dT%H}"
        later = [record for record in records if record["hour"][:13] > first]
        carried = [source for record in later for source in record["sources"] if source["hour"][:13] == first]
        assert carried


def test_usage_after_the_final_hour_is_written_off_by_name(played: Played) -> None:
    written_off = {
        (buyer, reason["kind"], reason["reason"])
        for buyer, rows in played.balances.items()
        for row in rows
        for reason in row["reasons"]
    }
    assert written_off == {("Babbage", "written_off", "after_final_hour")}
    (line,) = [line for line in played.lines if line.written_off]
    assert line.buyer == "Babbage"
    # One event of thousands, not a rounding of many.
    assert line.written_off in played.story.babbage.used[line.dimension].values()


def test_secrets_are_in_no_log(played: Played) -> None:
    assert set(played.logs) >= set(MOMENT_OF) - {"engine"}
    answered = {name for name, text in played.logs.items() if '"Answered."' in text}
    assert answered == {"registration-web", "notifications-web", "metering-web"}
    emails = {buyer.email for buyer in played.story.buyers()}
    # Two tokens, three keys, two sessions.
    assert len(played.story.secrets) == 7
    for name, text in played.logs.items():
        for secret in played.story.secrets | emails:
            assert secret not in text, f"{name}'s log holds a secret"
            assert quote(secret, safe="") not in text, f"{name}'s log holds a secret"


def test_secrets_are_in_no_table_where_they_do_not_belong(played: Played) -> None:
    emails = {buyer.email for buyer in played.story.buyers()}
    assert len(played.tables) == 28
    for table, rows in played.tables.items():
        text = repr(rows)
        for secret in played.story.secrets:
            assert secret not in text, f"{table} holds a secret"
        holds = {email for email in emails if email in text}
        assert holds == (emails if table == "marketplane-customers" else set()), f"{table} holds addresses"


def test_nothing_is_left_running(played: Played) -> None:
    # Each process of a stack leads a session of its own, so its children are known by that.
    left = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                session = os.getsid(int(folder.name))
            except (ProcessLookupError, PermissionError):
                continue
            if session in played.sessions:
                left[folder.name] = (folder / "cmdline").read_text().replace("\0", " ")
    assert not left
