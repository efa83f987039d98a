"""What a CloudTrail file says, in every form that is known, and in every part that says nothing."""

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trail import event, log_file, looked_up

from metering import evidence
from metering.cloudtrail import read_calls
from metering.evidence import (
    Meaning,
    NotEvidence,
    Party,
    TooLong,
    exact_micro,
    meaning_of,
    read_json,
    text_of,
    unpacked,
)
from metering.outcomes import OF_ERROR

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LICENSE = "arn:aws:license-manager::294406891311:license:l-9d01d15f86334a8894365cd7350556ff"

# Word for word AWS's own example ("Logging AWS Marketplace Metering API calls with AWS CloudTrail").
AWS_EXAMPLE = """{"Records": [{
    "eventVersion": "1.05",
    "userIdentity": {"type": "IAMUser", "principalId": "EX_PRINCIPAL_ID",
        "arn": "arn:aws:iam::123456789012:user/Alice", "accountId": "123456789012",
        "accessKeyId": "EXAMPLE_KEY_ID", "userName": "Alice"},
    "eventTime": "2018-04-19T16:32:51Z",
    "eventSource": "metering-marketplace.amazonaws.com",
    "eventName": "BatchMeterUsage",
    "awsRegion": "us-east-1",
    "sourceIPAddress": "203.0.113.0/24",
    "userAgent": "Coral/Netty14",
    "requestParameters": {"usageRecords": [{"dimension": "Dimension1", "timestamp": "Apr 19, 2018 4:32:50 PM",
        "customerIdentifier": "customer1", "quantity": 1}], "productCode": "EXAMPLE_proCode"},
    "responseElements": {"results": [{"usageRecord": {"dimension": "Dimension1",
        "timestamp": "Apr 19, 2018 4:32:50 PM", "customerIdentifier": "customer1", "quantity": 1},
        "meteringRecordId": "b52e6ed6-98f0-4e90-8bd2-bf01b024961e", "status": "Success"}],
        "unprocessedRecords": [ ]},
    "requestID": "d45f8acd-251d-11e7-8d11-1f3d1d72808b",
    "eventID": "cace04c7-e6c2-465d-b47f-1506ee1ed497",
    "readOnly": false, "eventType": "AwsApiCall", "recipientAccountId": "123456789012"}]}"""


def usage(quantity: Any = "1.5", hour: int = 10, **more: Any) -> dict[str, Any]:
    found = {
        "Dimension": "gpu_hours",
        "Timestamp": datetime(2026, 11, 22, hour, tzinfo=UTC).timestamp(),
        "QuantityAsDecimal": quantity,
        "CustomerAWSAccountId": "444455556666",
        "LicenseArn": LICENSE,
    }
    return {name: value for name, value in (found | more).items() if value is not None}


def result(record: dict[str, Any], status: str = "Success") -> dict[str, Any]:
    return {"UsageRecord": record, "MeteringRecordId": "m-1", "Status": status}


def call(*records: dict[str, Any], event_id: str = "e-1", **answer: Any) -> dict[str, Any]:
    answered = {"Results": [result(one) for one in records], "UnprocessedRecords": []} | answer
    return event(NOON, {"UsageRecords": list(records)}, answered, event_id)


def test_aws_s_own_example_is_read() -> None:
    found = read_calls(AWS_EXAMPLE)
    (told,) = found.told
    assert (found.calls, found.passed_over, found.unreadable) == (1, 0, [])
    assert told.party == Party("", "EXAMPLE_proCode", "customer1")
    assert (told.dimension, told.hour, told.quantity) == ("Dimension1", "2018-04-19T16", 1_000_000)
    assert (told.answer, told.aws_metering_record_id) == ("Success", "b52e6ed6-98f0-4e90-8bd2-bf01b024961e")
    assert (told.event_id, told.region) == ("cace04c7-e6c2-465d-b47f-1506ee1ed497", "us-east-1")
    assert told.at == datetime(2018, 4, 19, 16, 32, 51, tzinfo=UTC)


@pytest.mark.parametrize("form", [log_file, looked_up])
def test_both_forms_say_the_same(form: Any) -> None:
    found = read_calls(form(call(usage("41.25"), usage("2", hour=11))))
    assert [(one.hour, one.quantity) for one in found.told] == [
        ("2026-11-22T10", 41_250_000),
        ("2026-11-22T11", 2_000_000),
    ]
    assert found.told[0].party.subscription_id == "sub_akqbclolnbr5rol2aljugptsbj"
    assert found.unreadable == []


def test_a_legacy_identity_has_our_subscription_s_id() -> None:
    party = Party("", "n0123EXAMPLEXXXXXXXXXXXX", "X01EXAMPLEX")
    assert party.subscription_id == "sub_t6gpawywych34xbexcgv7drsaj"
    assert Party("", "n0123EXAMPLEXXXXXXXXXXXX", "", "444455556666").subscription_id is None


def test_a_call_that_is_delivered_twice_counts_once() -> None:
    found = read_calls(log_file(call(usage()), call(usage()), call(usage(), event_id="e-2")))
    assert (found.calls, found.passed_over, len(found.told)) == (2, 1, 2)


def test_other_events_are_passed_over() -> None:
    resolved = call() | {"eventName": "ResolveCustomer", "eventID": "e-2"}
    elsewhere = call() | {"eventSource": "ec2.amazonaws.com", "eventID": "e-3"}
    found = read_calls(log_file(resolved, call(usage()), elsewhere))
    assert (found.calls, found.passed_over, len(found.told)) == (1, 2, 1)


@pytest.mark.parametrize(
    "timestamp",
    [
        "Nov 22, 2026 10:00:00 AM",
        "Nov 22, 2026, 10:00:00 AM",
        "Nov 22, 2026, 10:00:00\u202fAM",
        "2026-11-22T10:00:00Z",
        "2026-11-22T12:00:00.5+02:00",
        1795341600,
        1795341600.25,
        "1795341600",
        1795341600000,
    ],
)
def test_a_timestamp_may_come_in_any_known_form(timestamp: Any) -> None:
    one = call(usage())
    for record in (
        one["requestParameters"]["usageRecords"][0],
        one["responseElements"]["results"][0]["usageRecord"],
    ):
        record["timestamp"] = timestamp
    found = read_calls(log_file(one))
    assert [(told.hour, told.answer) for told in found.told] == [("2026-11-22T10", "Success")]
    assert found.unreadable == []


def test_noon_and_midnight_are_read_as_java_writes_them() -> None:
    one = call(usage(hour=0), usage(hour=12))
    assert one["requestParameters"]["usageRecords"][0]["timestamp"] == "Nov 22, 2026 12:00:00 AM"
    assert [told.hour[-2:] for told in read_calls(log_file(one)).told] == ["00", "12"]


def test_names_are_read_whatever_their_case() -> None:
    one = call(usage())
    for part in (
        one["requestParameters"]["usageRecords"][0],
        one["responseElements"]["results"][0]["usageRecord"],
    ):
        part["customerAwsAccountId"] = part.pop("customerAWSAccountId")
        part["licenseARN"] = part.pop("licenseArn")
    (told,) = read_calls(log_file(one)).told
    assert told.party == Party(LICENSE, "", "", "444455556666")


@pytest.mark.parametrize(
    ("written", "micro"),
    [
        ('"0.1"', 100_000),
        ("0.1", 100_000),
        ("9007199254740993", None),
        ("9007199254.740993", 9_007_199_254_740_993),
        ('"9999999999.999999"', 9_999_999_999_999_999),
        ("17.00", 17_000_000),
        ('"17.00"', 17_000_000),
        ("1.7E+1", 17_000_000),
        ("0", 0),
        ("0.0000001", None),
        ("0.1000000000000000000000000000000000001", None),
        ("-1", None),
        ("1E+999999999", None),
        ("1E-999999999", None),
        ("true", None),
        ('"seventeen"', None),
        ('"NaN"', None),
        ('"Infinity"', None),
        ("[]", None),
    ],
)
def test_prior_art_14_a_quantity_is_exact_or_refused(written: str, micro: int | None) -> None:
    """No number goes through a float, which has no 9007199254.740993."""
    value = read_json(written)
    assert not isinstance(value, float)
    if micro is None:
        with pytest.raises(ValueError, match="it"):
            exact_micro(value)
    else:
        assert exact_micro(value) == micro


@given(st.decimals(min_value=0, max_value=Decimal("9999999999.999999"), places=6))
def test_every_quantity_that_aws_takes_is_read_exactly(quantity: Decimal) -> None:
    assert exact_micro(read_json(f"{quantity:f}")) == int(quantity.scaleb(6))
    assert exact_micro(f"{quantity:f}") == int(quantity.scaleb(6))


def test_no_quantity_is_zero_and_two_must_be_one() -> None:
    without = usage(None)
    assert [one.quantity for one in read_calls(log_file(call(without))).told] == [0]
    both = usage("2.0", Quantity=2)
    assert [one.quantity for one in read_calls(log_file(call(both))).told] == [2_000_000]
    differing = read_calls(log_file(call(usage("2", Quantity=3))))
    assert differing.told == []
    assert "two quantities" in differing.unreadable[0].reason


def test_prior_art_03_each_status_is_told_and_what_is_unprocessed_too() -> None:
    records = [usage(hour=hour) for hour in range(10, 15)]
    one = call(
        *records,
        Results=[
            result(records[0]),
            result(records[1], "DuplicateRecord"),
            result(records[2], "CustomerNotSubscribed"),
        ],
        UnprocessedRecords=[records[3]],
    )
    told = {one.hour[-2:]: one.answer for one in read_calls(log_file(one)).told}
    assert told == {
        "10": "Success",
        "11": "DuplicateRecord",
        "12": "CustomerNotSubscribed",
        "13": "Unprocessed",
        "14": "no answer",
    }


def test_an_error_is_the_answer_to_all_records_of_its_call() -> None:
    one = event(NOON, {"UsageRecords": [usage(), usage(hour=11)]}, "ThrottlingException", "e-1")
    assert [told.answer for told in read_calls(log_file(one)).told] == ["ThrottlingException"] * 2


def test_prior_art_02_an_error_says_whether_it_may_have_counted() -> None:
    assert meaning_of("Success") is Meaning.COUNTED
    for answer in ("CustomerNotSubscribed", "Unprocessed", "ThrottlingException", "AccessDenied"):
        assert meaning_of(answer) is Meaning.NOT_COUNTED
    for answer in ("InternalServiceErrorException", "DuplicateRecord", "no answer", "NobodyForesawIt"):
        assert meaning_of(answer) is Meaning.PERHAPS
    assert {meaning_of(code) for code in OF_ERROR} == {Meaning.NOT_COUNTED, Meaning.PERHAPS}


OMITTED = {"omitted": True, "originalSize": 161_324, "reason": "requestParameters too large"}


@pytest.mark.parametrize(
    ("change", "place", "reason"),
    [
        ({"requestParameters": None}, "/requestParameters", "left out the request"),
        ({"requestParameters": OMITTED}, "/requestParameters", "requestParameters too large"),
        ({"responseElements": None}, "/responseElements", "left out the answer"),
        ({"responseElements": {"results": "many"}}, "/responseElements", "left out the answer"),
        ({"responseElements": {"results": [7]}}, "/responseElements/results/0", "no result"),
        (
            {"responseElements": {"results": [{"status": "Success"}]}},
            "/responseElements/results/0/usageRecord",
            "no object",
        ),
        ({"eventID": None}, "", "lacks eventID"),
        ({"eventTime": "yesterday"}, "", "lacks eventID"),
        ({"awsRegion": 7}, "", "lacks eventID"),
        ({"eventID": "x" * 300}, "", "lacks eventID"),
        ({"errorCode": {}}, "/errorCode", "no name of an error"),
    ],
)
def test_what_cannot_be_read_of_a_call_is_named_with_its_place(
    change: dict[str, Any], place: str, reason: str
) -> None:
    found = read_calls(log_file(call(usage()) | change))
    assert found.calls == 1
    assert found.unreadable[0].place == f"/Records/0{place}"
    assert reason in found.unreadable[0].reason
    assert found.unreadable[0].at == (None if change.get("eventTime") else NOON)
    # Of a call without its answer it is known that it was made.
    assert {one.answer for one in found.told} <= {"no answer"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"timestamp": "11/22/2026 10:00"}, "timestamp"),
        ({"timestamp": None}, "timestamp"),
        ({"timestamp": True}, "timestamp"),
        ({"timestamp": 1e300}, "timestamp"),
        ({"timestamp": "Foo 22, 2026 10:00:00 AM"}, "timestamp"),
        ({"dimension": ""}, "dimension"),
        ({"dimension": "x" * 256}, "dimension"),
        ({"dimension": "\ud800"}, "dimension"),
        ({"dimension": 7}, "dimension"),
        ({"licenseArn": None, "customerAWSAccountId": None}, "nobody"),
        ({"quantityAsDecimal": "1.0000001"}, "six digits"),
    ],
)
def test_a_record_that_cannot_be_read_does_not_hide_its_neighbours(
    change: dict[str, Any], reason: str
) -> None:
    one = call(usage(), usage(hour=11))
    one["requestParameters"]["usageRecords"][0] |= change
    one["responseElements"]["results"][0]["usageRecord"] |= change
    found = read_calls(log_file(one))
    assert [told.hour for told in found.told] == ["2026-11-22T11"]
    assert [part.place for part in found.unreadable] == [
        "/Records/0/responseElements/results/0/usageRecord",
        "/Records/0/requestParameters/usageRecords/0",
    ]
    assert all(reason in part.reason for part in found.unreadable)


def test_an_event_that_is_none_is_named_and_the_others_are_read() -> None:
    for text, place in (
        (json.dumps({"Records": [7, call(usage())]}), "/Records/0"),
        (
            json.dumps({"Events": [{}, json.loads(looked_up(call(usage())))["Events"][0]]}),
            "/Events/0/CloudTrailEvent",
        ),
        (json.dumps({"Events": [{"CloudTrailEvent": "{"}]}), "/Events/0/CloudTrailEvent"),
    ):
        found = read_calls(text)
        assert [part.place for part in found.unreadable] == [place]
        assert found.unreadable[0].at is None


def test_prior_art_04_a_page_with_others_behind_it_says_so() -> None:
    page = json.loads(looked_up(call(usage()))) | {"NextToken": "AbCd"}
    found = read_calls(json.dumps(page))
    assert len(found.told) == 1
    assert [(part.place, part.at) for part in found.unreadable] == [("/NextToken", None)]
    assert read_calls(json.dumps(page | {"NextToken": None})).unreadable == []


def test_a_call_that_was_refused_outright_needs_no_request() -> None:
    denied = event(NOON, {}, "AccessDenied", "e-1") | {"requestParameters": None}
    found = read_calls(log_file(denied))
    assert (found.calls, found.told, found.unreadable) == (1, [], [])


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", "7", "null", '{"Records": {}}', '{"Records": NaN}', "[" * 100_000]
)
def test_what_is_no_file_of_cloudtrail_s_is_refused_whole(text: str) -> None:
    with pytest.raises(NotEvidence):
        read_calls(text)


def test_a_file_may_be_gzipped() -> None:
    text = log_file(call(usage()))
    assert text_of(unpacked(gzip.compress(text.encode()))) == text
    assert text_of(unpacked(text.encode())) == text
    assert text_of(unpacked(b"\xef\xbb\xbfUsage date")) == "Usage date"
    # Two files one after the other are one, as gzip has it.
    assert unpacked(gzip.compress(b"a") + gzip.compress(b"b")) == b"ab"


@pytest.mark.parametrize(
    "body", [b"\x1f\x8b", b"\x1f\x8bnonsense and more of it", gzip.compress(b"x" * 99)[:-9]]
)
def test_what_cannot_be_unpacked_is_refused(body: bytes) -> None:
    with pytest.raises(NotEvidence):
        unpacked(body)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(NotEvidence):
        text_of(b"\xff\xfe")


def test_a_small_file_that_becomes_a_large_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MOST_UNPACKED", 1000)
    assert len(unpacked(gzip.compress(b" " * 1000))) == 1000
    with pytest.raises(TooLong):
        unpacked(gzip.compress(b" " * 1001))
