"""Garbage on the wire gets AWS-shaped refusals, and calls are kept without their tokens."""

from __future__ import annotations

import json

import pytest

SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=1/20261122/us-east-1/aws-marketplace/aws4_request,"
    " SignedHeaders=host, Signature=0",
    "Content-Type": "application/x-amz-json-1.1",
    "X-Amz-Target": "AWSMPMeteringService.BatchMeterUsage",
}


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"", {}, "SerializationException"),
        (b"{", {}, "SerializationException"),
        (b"\xff", {}, "SerializationException"),
        (b"[" * 100_000, {}, "SerializationException"),
        (b"[]", {}, "SerializationException"),
        (b"{}", {}, "ValidationException"),
        (b'{"UsageRecords": null}', {}, "ValidationException"),
        (b'{"UsageRecords": {}}', {}, "SerializationException"),
        (b'{"UsageRecords": [1]}', {}, "SerializationException"),
        (b'{"UsageRecords": [{"Timestamp": NaN, "Dimension": "d"}]}', {}, "SerializationException"),
        (b'{"UsageRecords": [{"Timestamp": 1e400, "Dimension": "d"}]}', {}, "SerializationException"),
        (b'{"UsageRecords": [{"Timestamp": true, "Dimension": "d"}]}', {}, "SerializationException"),
        (b'{"UsageRecords": [{"Timestamp": "2026", "Dimension": "d"}]}', {}, "SerializationException"),
        (b'{"UsageRecords": [{"Timestamp": 1, "Dimension": "\\ud800"}]}', {}, "SerializationException"),
        (b'{"UsageRecords": [{"Timestamp": 1, "Dimension": ""}]}', {}, "ValidationException"),
        (
            b'{"UsageRecords": [{"Timestamp": 1, "Dimension": "d", "Quantity": 1.5}]}',
            {},
            "SerializationException",
        ),
        (
            b'{"UsageRecords": [{"Timestamp": 1, "Dimension": "d", "Quantity": -1}]}',
            {},
            "ValidationException",
        ),
        (
            b'{"UsageRecords": [{"Timestamp": 1, "Dimension": "d", "QuantityAsDecimal": "1e3"}]}',
            {},
            "ValidationException",
        ),
        (
            b'{"UsageRecords": [{"Timestamp": 1, "Dimension": "d", "QuantityAsDecimal": "1.0000001"}]}',
            {},
            "ValidationException",
        ),
        (b"{}", {"X-Amz-Target": "AWSMPMeteringService.MeterUsage"}, "ValidationException"),
        (b"{}", {"X-Amz-Target": "AWSMPMeteringService.MeterMore"}, "UnknownOperationException"),
        (
            b"{}",
            {"X-Amz-Target": "AWSMPCommerceService_v20200301.CancelAgreement"},
            "UnknownOperationException",
        ),
        (b"{}", {"X-Amz-Target": "nonsense"}, "UnknownOperationException"),
        (b"{}", {"Content-Type": "text/html"}, "UnknownOperationException"),
        (b"{}", {"Authorization": ""}, "MissingAuthenticationTokenException"),
        (b"{}", {"Authorization": "Basic eHg="}, "IncompleteSignatureException"),
        (
            b"{}",
            {"Authorization": SIGNED["Authorization"].replace("aws-marketplace", "metering.marketplace")},
            "InvalidSignatureException",
        ),
    ],
)
def test_garbage_gets_an_aws_shaped_refusal(seller, body, headers, code):
    answer = seller.http("POST", "/", body, SIGNED | headers)
    assert (answer.status, answer.json["__type"]) == (400, code)
    assert answer.json["message"]
    assert answer.headers["x-amzn-RequestId"]
    (call,) = seller.do("GET", "calls")["calls"]
    assert call["answer"] == answer.json


@pytest.mark.parametrize("depth", range(900, 1000, 7))
def test_deep_nesting_is_refused_like_any_garbage(seller, depth):
    answer = seller.http("POST", "/", b'{"UsageRecords":' + b"[" * depth + b"]" * depth + b"}", SIGNED)
    assert (answer.status, answer.json["__type"]) == (400, "SerializationException")
    assert seller.control("GET", "calls").status == 200


def test_a_body_of_two_megabytes_is_refused(seller):
    answer = seller.http("POST", "/", b" " * 2_000_000, SIGNED)
    assert (answer.status, answer.json["__type"]) == (413, "RequestEntityTooLargeException")


def test_json_1_0_is_answered_in_kind_and_nulls_and_unknown_members_are_nothing(seller):
    body = json.dumps({"UsageRecords": [], "ProductCode": None, "Colour": "red"}).encode()
    answer = seller.http("POST", "/", body, SIGNED | {"Content-Type": "application/x-amz-json-1.0"})
    assert (answer.status, answer.json) == (200, {"Results": [], "UnprocessedRecords": []})
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.0"


def test_calls_are_kept_with_their_answers_and_without_tokens(seller):
    bought = seller.buy(seller.product())
    seller.metering("eu-west-1").resolve_customer(RegistrationToken=bought["registration_token"])
    seller.http("POST", "/", b"{", SIGNED)
    calls = seller.do("GET", "calls")["calls"]
    assert [(call["operation"], call["region"], call["status"]) for call in calls] == [
        ("ResolveCustomer", "eu-west-1", 200),
        ("BatchMeterUsage", "us-east-1", 400),
    ]
    assert calls[0]["request"] == {"RegistrationToken": "(not kept)"}
    assert calls[0]["answer"]["LicenseArn"] == bought["license_arn"]
    assert calls[1]["answer"]["__type"] == "SerializationException"


def test_only_the_latest_calls_are_kept(serve):
    from marketplace_simulator.settings import Settings

    seller = serve(Settings(keep_calls=2))
    for token in ("a", "b", "c"):
        seller.http("POST", "/", json.dumps({"RegistrationToken": token}).encode(), SIGNED)
    assert len(seller.do("GET", "calls")["calls"]) == 2
