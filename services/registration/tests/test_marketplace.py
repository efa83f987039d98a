"""The hand that asks AWS: a real boto3 client against answers laid ready on a local port."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from conftest import concurrent_answer

from registration.arriving import EntitlementsNotRead
from registration.entitlements import Entitlement
from registration.marketplace import Marketplace, ParameterNotPut
from registration.resolve_refusals import Refusal, TokenNotResolved
from registration.resolved_purchase import ResolvedPurchase

TOKEN = "a-token+with/odd=characters and spaces"


@dataclass
class Aws:
    url: str = ""
    status: int = 200
    body: bytes = b"{}"
    asked: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def aws() -> Iterator[Aws]:
    aws = Aws()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            aws.asked.append({"target": self.headers["X-Amz-Target"] or self.path, "body": json.loads(body)})
            self.send_response(aws.status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(aws.body)))
            self.end_headers()
            self.wfile.write(aws.body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    aws.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield aws
    server.shutdown()
    thread.join()
    server.server_close()


# One for all: each new session reads AWS's models anew.
_SESSION = boto3.session.Session()


def client(service: str, url: str) -> Any:
    return _SESSION.client(
        service,
        region_name="us-east-1",
        endpoint_url=url,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=1),
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def marketplace(url: str) -> Marketplace:
    services = ("meteringmarketplace", "marketplace-entitlement", "marketplace-deployment")
    return Marketplace(*(client(service, url) for service in services))


def test_the_answer_comes_whole_and_the_token_goes_unchanged(aws: Aws) -> None:
    aws.body = json.dumps(concurrent_answer()).encode()
    answer = marketplace(aws.url).resolve_customer(TOKEN)
    # Older botocore drops it.
    assert answer["Metadata"] == {"AgreementId": "agmt-example"}
    assert aws.asked == [
        {"target": "AWSMPMeteringService.ResolveCustomer", "body": {"RegistrationToken": TOKEN}}
    ]


@pytest.mark.parametrize(
    ("status", "code", "message", "refusal"),
    [
        (400, "InvalidTokenException", "Registration token is invalid", Refusal.INVALID_TOKEN),
        (400, "ExpiredTokenException", f"The token {TOKEN} has expired", Refusal.EXPIRED_TOKEN),
        (
            400,
            "ExpiredTokenException",
            "The security token included in the request is expired",
            Refusal.OUR_FAULT,
        ),
        (400, "ThrottlingException", "Rate exceeded", Refusal.AWAY),
        (500, "InternalServiceErrorException", "", Refusal.AWAY),
        (403, "AccessDeniedException", "", Refusal.OUR_FAULT),
        (400, "DisabledApiException", "", Refusal.OUR_FAULT),
    ],
)
def test_each_refusal_is_named_and_never_repeats_the_token(
    aws: Aws, status: int, code: str, message: str, refusal: Refusal
) -> None:
    aws.status, aws.body = status, json.dumps({"__type": code, "message": message}).encode()
    with pytest.raises(TokenNotResolved) as refused:
        marketplace(aws.url).resolve_customer(TOKEN)
    assert refused.value.refusal is refusal
    assert refused.value.error_code == code
    assert TOKEN not in str(refused.value)
    assert refused.value.__suppress_context__


def test_no_answer_or_a_garbled_one_means_away(aws: Aws) -> None:
    with pytest.raises(TokenNotResolved) as refused:
        marketplace("http://127.0.0.1:9").resolve_customer(TOKEN)
    assert refused.value.refusal is Refusal.AWAY
    aws.status, aws.body = 502, b"<html>Bad Gateway</html>"
    with pytest.raises(TokenNotResolved) as refused:
        marketplace(aws.url).resolve_customer(TOKEN)
    assert refused.value.refusal is Refusal.AWAY


@pytest.fixture
def without_credentials(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Marketplace:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    session = boto3.session.Session()
    services = ("meteringmarketplace", "marketplace-entitlement", "marketplace-deployment")
    return Marketplace(
        *(session.client(one, region_name="us-east-1", endpoint_url=aws.url) for one in services)
    )


def test_without_credentials_it_is_our_fault(without_credentials: Marketplace) -> None:
    with pytest.raises(TokenNotResolved) as refused:
        without_credentials.resolve_customer(TOKEN)
    assert refused.value.refusal is Refusal.OUR_FAULT
    with pytest.raises(EntitlementsNotRead) as not_read:
        without_credentials.entitlements(PURCHASE)
    assert not_read.value.our_fault
    with pytest.raises(ParameterNotPut, match="NoCredentialsError"):
        without_credentials.put_deployment_parameter("prod-1", "agmt-1", "ApiKey", SECRET, "key-1")


# -- entitlements --------------------------------------------------------------------------------------------

# Their wire is CBOR, so botocore's own stub stands in: it holds question and answer against AWS's model.
PURCHASE = ResolvedPurchase(
    subscription_id="sub_a",
    product_code="code-1",
    generation="concurrent_agreements",
    customer_aws_account_id="444455556666",
    customer_identifier=None,
    license_arn="arn:aws:license-manager::294406891311:license:l-1",
    agreement_id="agmt-1",
)
EXPIRES = datetime(2027, 11, 22, 10, tzinfo=UTC)


@pytest.fixture
def stubbed() -> Iterator[tuple[Marketplace, Stubber]]:
    entitlement = client("marketplace-entitlement", "http://127.0.0.1:9")
    with Stubber(entitlement) as stub:
        yield Marketplace(None, entitlement, None), stub
        stub.assert_no_pending_responses()


def asks(**more: Any) -> dict[str, Any]:
    return {"ProductCode": "code-1", "Filter": {"LICENSE_ARN": [PURCHASE.license_arn]}} | more


def test_all_pages_of_entitlements_are_read(stubbed: tuple[Marketplace, Stubber]) -> None:
    aws, stub = stubbed

    def row(dimension: str, **value: Any) -> dict[str, Any]:
        return {"Dimension": dimension, "Value": value, "ExpirationDate": EXPIRES}

    pages = [
        ({"Entitlements": [row("seats", IntegerValue=20)], "NextToken": "2"}, asks()),
        # An empty page may lead on.
        ({"Entitlements": [], "NextToken": "3"}, asks(NextToken="2")),
        ({"NextToken": "4"}, asks(NextToken="3")),
        ({"Entitlements": [row("flag", BooleanValue=True), row("gb", DoubleValue=1.5)]}, asks(NextToken="4")),
    ]
    for answer, expected in pages:
        stub.add_response("get_entitlements", answer, expected)
    assert aws.entitlements(PURCHASE) == (
        Entitlement("flag", "boolean", "true", EXPIRES),
        Entitlement("gb", "double", "1.5", EXPIRES),
        Entitlement("seats", "integer", "20", EXPIRES),
    )


def test_a_legacy_purchase_is_asked_by_its_customer_identifier(stubbed: tuple[Marketplace, Stubber]) -> None:
    aws, stub = stubbed
    legacy = replace(PURCHASE, generation="legacy", customer_identifier="X01", license_arn=None)
    stub.add_response("get_entitlements", {}, asks(Filter={"CUSTOMER_IDENTIFIER": ["X01"]}))
    # AWS's answer leaves the key out where there is nothing.
    assert aws.entitlements(legacy) == ()


@pytest.mark.parametrize(
    ("code", "status", "message", "our_fault"),
    [
        ("ThrottlingException", 400, "Rate exceeded", False),
        ("InternalServiceErrorException", 500, "", False),
        ("AccessDeniedException", 400, "", True),
        ("InvalidParameterException", 400, "", True),
        ("ExpiredTokenException", 400, "The security token included in the request is expired", True),
    ],
)
@pytest.mark.parametrize("page", [1, 2])
def test_a_refusal_is_not_no_entitlements(
    stubbed: tuple[Marketplace, Stubber], page: int, code: str, status: int, message: str, our_fault: bool
) -> None:
    aws, stub = stubbed
    if page == 2:
        rows = [{"Dimension": "seats", "Value": {"IntegerValue": 1}}]
        stub.add_response("get_entitlements", {"Entitlements": rows, "NextToken": "2"})
    stub.add_client_error("get_entitlements", code, message, status)
    with pytest.raises(EntitlementsNotRead) as refused:
        aws.entitlements(PURCHASE)
    assert (refused.value.error_code, refused.value.our_fault) == (code, our_fault)
    assert refused.value.__suppress_context__


def test_no_answer_about_entitlements_means_away(aws: Aws) -> None:
    with pytest.raises(EntitlementsNotRead) as refused:
        marketplace("http://127.0.0.1:9").entitlements(PURCHASE)
    assert not refused.value.our_fault
    aws.status, aws.body = 502, b"<html>Bad Gateway</html>"
    with pytest.raises(EntitlementsNotRead) as refused:
        marketplace(aws.url).entitlements(PURCHASE)
    assert not refused.value.our_fault


# -- deployment parameters -----------------------------------------------------------------------------------

SECRET = "s3cret-of-the-seller"


def test_a_parameter_goes_with_the_same_key_each_time(aws: Aws) -> None:
    aws.body = b'{"agreementId": "agmt-1", "deploymentParameterId": "dp-1", "resourceArn": "arn:1"}'
    for key in ("key-1", "key-1", "key-2"):
        marketplace(aws.url).put_deployment_parameter("prod-1", "agmt-1", "ApiKey", SECRET, key)
    tokens = [asked["body"].pop("clientToken") for asked in aws.asked]
    assert tokens[0] == tokens[1] != tokens[2]
    assert all(32 <= len(token) <= 64 for token in tokens)
    assert aws.asked[0] == {
        "target": "/catalogs/AWSMarketplace/products/prod-1/deployment-parameters",
        "body": {
            "agreementId": "agmt-1",
            "deploymentParameter": {"name": "ApiKey", "secretString": SECRET},
        },
    }


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ValidationException"),
        (402, "ServiceQuotaExceededException"),
        (403, "AccessDeniedException"),
        (404, "ResourceNotFoundException"),
        (409, "ConflictException"),
        (429, "ThrottlingException"),
        (500, "InternalServerException"),
    ],
)
def test_a_parameter_that_is_not_taken_never_repeats_the_secret(aws: Aws, status: int, code: str) -> None:
    aws.status = status
    aws.body = json.dumps({"__type": code, "message": f"cannot take {SECRET}"}).encode()
    with pytest.raises(ParameterNotPut) as refused:
        marketplace(aws.url).put_deployment_parameter("prod-1", "agmt-1", "ApiKey", SECRET, "key-1")
    assert refused.value.error_code == code
    assert SECRET not in str(refused.value)
    assert refused.value.__suppress_context__


def test_no_answer_about_a_parameter_is_named(aws: Aws) -> None:
    with pytest.raises(ParameterNotPut, match="EndpointConnectionError"):
        marketplace("http://127.0.0.1:9").put_deployment_parameter("prod-1", "a", "ApiKey", SECRET, "key-1")
    aws.status, aws.body = 502, b"<html>Bad Gateway</html>"
    with pytest.raises(ParameterNotPut, match="502"):
        marketplace(aws.url).put_deployment_parameter("prod-1", "agmt-1", "ApiKey", SECRET, "key-1")
    aws.status, aws.body = 200, b"<html>Welcome</html>"
    with pytest.raises(ParameterNotPut):
        marketplace(aws.url).put_deployment_parameter("prod-1", "agmt-1", "ApiKey", SECRET, "key-1")
    aws.body = b"{}"
    with pytest.raises(ParameterNotPut, match="no deploymentParameterId"):
        marketplace(aws.url).put_deployment_parameter("prod-1", "agmt-1", "ApiKey", SECRET, "key-1")
