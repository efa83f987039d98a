"""Whatever is sent, an SDK is answered in AWS's form: drawn at random, besides what `test_wire.py` lists."""

from __future__ import annotations

import copy
import json
import math
import socket
from typing import Any
from urllib.parse import urlsplit

import cbor2
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_cbor import CBOR, GET
from test_deployment_parameters import BODY, PATH, REST
from test_wire import SIGNED

from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.operations import operations

BATCH = operations()["AWSMPMeteringService.BatchMeterUsage"]
LICENSE = "arn:aws:license-manager::294406891311:license:l-9d01d15f86334a8894365cd7350556ff"
ON_THE_WIRE = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["1.5", "17.000000", "99999999999", "01", "", "d" * 300, LICENSE, "x\n", "é", 5.0, -1]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def valid_request() -> dict[str, Any]:
    tags = [{"Key": "team", "Value": "a b"}]
    return {
        "UsageRecords": [
            {
                "Timestamp": 1793491200.25,
                "Dimension": "gpu_hours",
                "CustomerAWSAccountId": "444455556666",
                "LicenseArn": LICENSE,
                "QuantityAsDecimal": "17.5",
                "UsageAllocations": [{"AllocatedUsageQuantityAsDecimal": "17.5", "Tags": tags}],
            },
            {"Timestamp": 1793491200, "Dimension": "d", "CustomerIdentifier": "X", "Quantity": 3},
        ],
        "ProductCode": "code",
    }


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    return [path, *(place for key, child in children for place in places(child, (*path, key)))]


def put(request: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    changed = copy.deepcopy(request)
    target = changed
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    return changed


@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_the_quick_check_passes_only_what_the_reader_leaves_as_it_is(data):
    """Two judges of one model: a yes of the quick one is a request that the slow one finds nothing in."""
    request = valid_request()
    for _ in range(data.draw(st.integers(1, 3))):
        request = put(request, data.draw(st.sampled_from(places(request))), data.draw(anything))
    request = orjson.loads(orjson.dumps(request, option=orjson.OPT_NON_STR_KEYS)) if fits_64(request) else {}
    try:
        members, violations = BATCH.read(request)
    except AwsError:
        assert not BATCH.fits(request)
    else:
        assert BATCH.fits(request) == (not violations and members == request)


def fits_64(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except (TypeError, orjson.JSONEncodeError):
        return False
    return True


def test_the_quick_check_passes_the_usual_request():
    assert BATCH.fits(valid_request())
    assert BATCH.read(valid_request()) == (valid_request(), [])


@pytest.mark.parametrize("operation", operations().values(), ids=lambda operation: operation.name)
def test_every_operation_reads_an_empty_request_the_same_way(operation):
    _, violations = operation.read({})
    assert operation.fits({}) == (not violations)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1e300, -1e300])
def test_no_moment_outside_the_calendar(number):
    request = {"UsageRecords": [{"Timestamp": number, "Dimension": "d"}]}
    assert not BATCH.fits(request)
    with pytest.raises(AwsError, match="SerializationException"):
        BATCH.read(request)


@ON_THE_WIRE
@given(body=st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode()))
def test_any_json_body_is_answered_in_json(seller, body):
    answer = seller.http("POST", "/", body, SIGNED)
    assert answer.status in (200, 400)
    assert answer.status == 200 or answer.json["__type"]


@ON_THE_WIRE
@given(body=st.binary(max_size=200) | anything.map(cbor2.dumps))
def test_any_cbor_body_is_answered_in_cbor(seller, body):
    headers = {"Authorization": SIGNED["Authorization"], **CBOR}
    answer = seller.http("POST", GET, body, headers)
    assert answer.status in (200, 400)
    assert answer.status == 200 or cbor2.loads(answer.body)["__type"]


@ON_THE_WIRE
@given(
    body=st.binary(max_size=200)
    | anything.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.sampled_from([*BODY, "tags", "expirationDate"]), anything, max_size=4).map(
        lambda some: json.dumps(BODY | some).encode()
    )
)
def test_any_rest_json_body_is_answered_in_rest_json(seller, body):
    answer = seller.http("POST", PATH, body, REST)
    assert answer.status in (400, 404)
    assert answer.headers["x-amzn-ErrorType"]
    assert answer.json["message"]


header_text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(str.strip)


@ON_THE_WIRE
@given(
    headers=st.dictionaries(
        st.sampled_from([*SIGNED, "Accept", "Content-Encoding", "X-Amz-Date", "smithy-protocol"]),
        header_text,
        max_size=5,
    ),
    method=st.sampled_from(["POST", "GET", "PUT", "DELETE", "PATCH", "OPTIONS"]),
)
def test_any_header_is_answered_in_json(seller, headers, method):
    answer = seller.http(method, "/", b"{}", SIGNED | headers)
    if method == "POST" or "x-amz-target" in {name.lower() for name in SIGNED | headers}:
        assert answer.status == 400
        assert answer.json["__type"]
        assert answer.headers["x-amzn-RequestId"]


def test_a_browser_is_no_sdk(seller):
    assert seller.http("GET", "/").headers["Content-Type"].startswith("text/html")
    wrong = seller.http("GET", "/", headers={"X-Amz-Target": "AWSMPMeteringService.ResolveCustomer"})
    assert (wrong.status, wrong.json["__type"]) == (400, "UnknownOperationException")


def test_a_body_that_breaks_off_harms_nobody(seller):
    address = urlsplit(seller.url)
    with socket.create_connection((address.hostname, address.port)) as broken:
        broken.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    assert seller.http("POST", "/", b"{}", SIGNED).status == 400
