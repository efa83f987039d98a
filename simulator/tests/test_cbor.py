"""Smithy RPC v2 CBOR for the services whose model lists it: by boto3's own CBOR, and by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import cbor2
import pytest
from botocore.exceptions import ClientError
from test_behaviours import refusal
from test_wire import SIGNED

CBOR = {"smithy-protocol": "rpc-v2-cbor", "Content-Type": "application/cbor", "Accept": "application/cbor"}
HEADERS = {"Authorization": SIGNED["Authorization"], **CBOR}
GET = "/service/AWSMPEntitlementService/operation/GetEntitlements"
SEARCH = "/service/AWSMPCommerceService_v20200301/operation/SearchAgreements"


def cbor_client(seller: Any, service: str, folder: Path) -> Any:
    """boto3 with the JSON taken out of the service's model, which leaves it CBOR."""
    version = botocore.session.get_session().get_service_model(service).api_version
    model = botocore.loaders.Loader().load_service_model(service, "service-2", version)
    model["metadata"]["protocols"] = ["smithy-rpc-v2-cbor"]
    path = folder / service / version
    path.mkdir(parents=True)
    (path / "service-2.json").write_text(json.dumps(model))
    session = botocore.session.get_session()
    session.get_component("data_loader").search_paths.insert(0, str(folder))
    return boto3.Session(botocore_session=session).client(
        service,
        endpoint_url=seller.url,
        region_name="us-east-1",
        aws_access_key_id="111122223333",
        aws_secret_access_key="test",
    )


def test_entitlements_say_the_same_in_cbor_and_json(seller, tmp_path):
    product = seller.product(pricing_model="contract")
    seller.buy(product, entitlements={"gpu_hours": 40})
    wanted = {"ProductCode": product["product_code"], "MaxResults": 1}
    json_client = seller.client("marketplace-entitlement")
    cbor = cbor_client(seller, "marketplace-entitlement", tmp_path)
    in_json, in_cbor = json_client.get_entitlements(**wanted), cbor.get_entitlements(**wanted)
    assert in_cbor["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "application/cbor"
    assert in_cbor["ResponseMetadata"]["HTTPHeaders"]["smithy-protocol"] == "rpc-v2-cbor"
    assert in_json["Entitlements"] == in_cbor["Entitlements"]
    assert in_json["Entitlements"][0]["Value"] == {"IntegerValue": 40}
    assert refusal(cbor.get_entitlements, ProductCode="unknown") == ("InvalidParameterException", 400)
    calls = seller.do("GET", "calls")["calls"]
    assert [call["protocol"] for call in calls] == ["json", "cbor", "cbor"]
    assert calls[0]["answer"] == calls[1]["answer"]


def test_agreements_say_the_same_in_cbor_and_json(seller, tmp_path):
    bought = seller.buy(seller.product(), free_trial=True)
    cbor, plain = (
        cbor_client(seller, "marketplace-agreement", tmp_path),
        seller.client("marketplace-agreement"),
    )
    answers = [client.describe_agreement(agreementId=bought["agreement_id"]) for client in (cbor, plain)]
    for answer in answers:
        del answer["ResponseMetadata"]
    assert answers[0] == answers[1]
    assert refusal(cbor.describe_agreement, agreementId="agmt-none") == ("ResourceNotFoundException", 404)
    with pytest.raises(ClientError) as caught:
        cbor.search_agreements(filters=[{"name": "PartyType", "values": ["Nobody"]}])
    assert caught.value.response["reason"] == "INVALID_PARTY_TYPE"


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "code"),
    [
        (GET, b"\xff", {}, 400, "SerializationException"),
        (GET, b"\xa1", {}, 400, "SerializationException"),
        (GET, b"{}", {}, 400, "SerializationException"),
        (GET, b"\xa0\xa0", {}, 400, "SerializationException"),
        (GET, b"\x81" * 50_000, {}, 400, "SerializationException"),
        (GET, b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", {}, 400, "SerializationException"),
        (GET, b"\xbf", {}, 400, "SerializationException"),
        (GET, b"\x62\xff\xff", {}, 400, "SerializationException"),
        (GET, b"\xd8\x1c\x81\xd8\x1d\x00", {}, 400, "SerializationException"),
        (GET, cbor2.dumps([]), {}, 400, "SerializationException"),
        (GET, cbor2.dumps({"ProductCode": 1}), {}, 400, "SerializationException"),
        (GET, cbor2.dumps({"ProductCode": b"p"}), {}, 400, "SerializationException"),
        (GET, cbor2.dumps({"ProductCode": "p", "MaxResults": 2.0}), {}, 400, "SerializationException"),
        (GET, cbor2.dumps({"ProductCode": "p", "MaxResults": 2**70}), {}, 400, "SerializationException"),
        (GET, b"", {}, 400, "InvalidParameterException"),
        (GET, cbor2.dumps({1: 2}), {}, 400, "InvalidParameterException"),
        (GET, cbor2.dumps({"ProductCode": "p", "MaxResults": 26}), {}, 400, "InvalidParameterException"),
        (GET, b"\xa0", {"Content-Type": "text/html"}, 415, "UnknownOperationException"),
        (GET, b"\xa0", {"smithy-protocol": "x"}, 404, "UnknownOperationException"),
        (GET + "/", b"\xa0", {}, 404, "UnknownOperationException"),
        ("/service/", b"\xa0", {}, 404, "UnknownOperationException"),
        (
            "/service/AWSMPMeteringService/operation/ResolveCustomer",
            b"\xa0",
            {},
            404,
            "UnknownOperationException",
        ),
        (GET, b"\xa0", {"Authorization": ""}, 400, "MissingAuthenticationTokenException"),
        (SEARCH, b"\xa0", {}, 400, "ValidationException"),
        (GET, b" " * 2_000_000, {}, 413, "RequestEntityTooLargeException"),
    ],
)  # fmt: skip
def test_garbage_gets_an_error_in_cbor(seller, path, body, headers, status, code):
    answer = seller.http("POST", path, body, HEADERS | headers)
    told = cbor2.loads(answer.body)
    assert (answer.status, told["__type"].rpartition("#")[2]) == (status, code)
    assert told["message"]
    assert answer.headers["Content-Type"] == "application/cbor"
    assert answer.headers["smithy-protocol"] == "rpc-v2-cbor"
    (call,) = seller.do("GET", "calls")["calls"]
    assert call["answer"]["__type"] == code


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_is_spoken(seller, method):
    answer = seller.http(method, GET, b"\xa0", HEADERS)
    assert (answer.status, cbor2.loads(answer.body)["__type"]) == (404, "UnknownOperationException")


def test_errors_name_their_model(seller):
    answer = seller.http("POST", GET, b"", HEADERS)
    assert cbor2.loads(answer.body)["__type"] == (
        "com.amazonaws.marketplaceentitlementservice#InvalidParameterException"
    )


def test_moments_are_tagged_epoch_seconds(seller):
    product = seller.product(pricing_model="contract")
    seller.buy(product)
    answer = seller.http("POST", GET, cbor2.dumps({"ProductCode": product["product_code"]}), HEADERS)
    # cbor2 reads tag 1 as a moment.
    assert cbor2.loads(answer.body)["Entitlements"][0]["ExpirationDate"] > seller.now()
