"""What may be reported, exactly; and what is refused before it is kept."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import AT, event, usage

from marketplane import InvalidEvent
from marketplane.events import content_of, event_of, exact, moment, usage_event

# openapi/metering.yaml, ReportedQuantity
REPORTED = re.compile(r"-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,6})?")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("0.25", "0.25"),
        ("1.500000", "1.5"),
        ("007", "7"),
        ("+3", "3"),
        ("-0.5", "-0.5"),
        ("-0", "0"),
        ("0.0000000", "0"),
        (1200, "1200"),
        (-3, "-3"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.000001"), "0.000001"),
        (Decimal("9999999999.999999"), "9999999999.999999"),
        (Decimal("1.0000000000000000000000000000000000"), "1"),
    ],
)
def test_quantities_are_sent_exactly(given: Any, sent: str) -> None:
    assert exact(given) == sent


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (0.25, "not a float"),
        (True, "not a bool"),
        ("1e3", "plain decimal"),
        ("1_000", "plain decimal"),
        ("1,5", "plain decimal"),
        (" 1", "plain decimal"),
        ("", "plain decimal"),
        ("٣", "plain decimal"),
        ("0.0000001", "after it"),
        ("1.0000001", "none is rounded"),
        # More digits than the default decimal context keeps: a careless `normalize` would round it to 1.
        ("1.000000000000000000000000000000000001", "none is rounded"),
        ("10000000000", "before the point"),
        (10**10, "before the point"),
        (Decimal("NaN"), "finite"),
        (Decimal("Infinity"), "finite"),
        (Decimal("1E+999999"), "before the point"),
        (Decimal("1E-999999"), "after it"),
        (None, "NoneType"),
    ],
)
def test_quantities_that_are_refused(given: Any, said: str) -> None:
    with pytest.raises(InvalidEvent, match=re.escape(said)):
        exact(given)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9))
def test_what_is_sent_is_the_same_number_and_fits_the_contract(number: Decimal) -> None:
    sent = exact(number)
    assert Decimal(sent) == number
    assert REPORTED.fullmatch(sent)
    assert exact(sent) == sent


def test_times_travel_in_utc() -> None:
    there = datetime(2026, 11, 22, 12, 15, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert moment(there) == "2026-11-22T10:15:00.000005Z"
    assert moment(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (AT.replace(tzinfo=None), "has a zone"),
        ("2026-11-22T10:15:00Z", "datetime"),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "years 1 to 9999"),
    ],
)
def test_times_that_are_refused(given: Any, said: str) -> None:
    with pytest.raises(InvalidEvent, match=said):
        moment(given)


@pytest.mark.parametrize(
    "holder",
    [{"subscription_id": "sub_a"}, {"license_arn": "l-1"}, {"customer_id": "cus_a", "product_code": "p"}],
)
def test_an_event_names_its_holder_once(holder: dict[str, str]) -> None:
    sent = usage_event(content_of(source="s", dimension="d", quantity=1, time=AT, **holder)).members
    assert {name: sent[name] for name in holder} == holder
    assert set(sent) == {"source", "id", "dimension", "quantity", "time", *holder}


@pytest.mark.parametrize(
    "holder",
    [
        {},
        {"customer_id": "cus_a"},
        {"product_code": "p"},
        {"subscription_id": "sub_a", "license_arn": "l-1"},
        {"subscription_id": "sub_a", "customer_id": "cus_a", "product_code": "p"},
    ],
)
def test_an_event_without_one_holder_is_refused(holder: dict[str, str]) -> None:
    with pytest.raises(InvalidEvent, match="whose usage"):
        content_of(source="s", dimension="d", quantity=1, time=AT, **holder)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"id": ""}, "id is text"),
        ({"id": 7}, "id is text"),
        ({"id": "x" * 129}, "id has at most 128"),
        ({"source": "x" * 129}, "source has at most 128"),
        ({"dimension": ""}, "dimension is text"),
        ({"dimension": "d" * 20_000}, "at most 16384 bytes"),
        ({"subscription_id": ""}, "subscription_id is text"),
        ({"tags": dict.fromkeys("abcdef", "x")}, "at most 5 tags"),
        ({"tags": {"team": 1}}, "tag's value"),
        ({"tags": {"": "x"}}, "tag's key"),
    ],
)
def test_members_that_are_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidEvent, match=why):
        event(**said)


def test_an_id_is_made_where_none_is_given() -> None:
    made = [usage_event(content_of(**usage(source="s"))).id for _ in range(2)]
    assert made[0] != made[1]
    assert [str(uuid.UUID(one, version=4)) for one in made] == made


def test_an_event_is_read_back_as_it_was() -> None:
    before = event(tags={"team": "research", "cost centre": "7"})
    assert event_of(before.body) == before
    assert before.members["tags"] == {"cost centre": "7", "team": "research"}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"id":"a"}', b'{"source":"s","id":1,"quantity":"1","time":""}']
)
def test_what_is_no_event_is_not_read(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        event_of(body)


def test_the_body_is_json_of_the_members() -> None:
    assert json.loads(event("e7").body) == usage(source="test", id="e7") | {
        "time": "2026-11-22T10:15:00.000000Z"
    }
