"""PutDeploymentParameter by real boto3, as a Quick Launch seller calls it, and by hand in REST-JSON."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ParamValidationError
from conftest import START, Answer, Seller, Serve
from test_behaviours import refusal
from test_wire import SIGNED

from marketplace_simulator.settings import Settings
from marketplace_simulator.times import rfc3339

SELLER, BUYER = "111122223333", "444455556666"
TOKEN = "2f1a6c1e-6a53-4c5f-9d56-6d1f3f1f0a01"
SECRET = "s3cr3t-of-the-buyer"


def token(number: int) -> str:
    return f"client-token-{number:032d}"


def request(agreement: dict[str, Any], product: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "catalog": "AWSMarketplace",
        "productId": product["product_id"],
        "agreementId": agreement["agreement_id"],
        "deploymentParameter": {"name": "ApiKey", "secretString": SECRET},
        **more,
    }


def deployment(seller: Seller, **client: Any) -> Any:
    return seller.client("marketplace-deployment", **client)


def put(seller: Seller, agreement: dict[str, Any], product: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = deployment(seller).put_deployment_parameter(**request(agreement, product, **more))
    assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == 200
    return answer


def parameter(name: str = "ApiKey", secret: str = SECRET) -> dict[str, str]:
    return {"name": name, "secretString": secret}


def kept(seller: Seller, query: str = "") -> list[dict[str, Any]]:
    return seller.do("GET", f"deployment-parameters{query}")["deployment_parameters"]


@pytest.mark.parametrize("generation", ["legacy", "concurrent_agreements"])
def test_a_parameter_is_put_for_the_buyer_and_shown_to_the_test(seller, generation):
    product = seller.product(generation)
    # A buyer arrives before the agreement's licence does.
    bought = seller.buy(product, active=False, customer_aws_account_id=BUYER)
    expires = START + timedelta(days=1, microseconds=5)
    answer = put(seller, bought, product, expirationDate=expires, tags={"team": "tea"}, clientToken=TOKEN)
    identifier = answer["deploymentParameterId"]
    assert answer == {
        "agreementId": bought["agreement_id"],
        "deploymentParameterId": identifier,
        "resourceArn": f"arn:aws:aws-marketplace:us-east-1:{SELLER}:DeploymentParameter:"
        f"catalogs/AWSMarketplace/products/{product['product_id']}/{identifier}",
        "tags": {"team": "tea"},
    }
    assert identifier.startswith("dp-")
    assert kept(seller) == [
        {
            "deployment_parameter_id": identifier,
            "resource_arn": answer["resourceArn"],
            "product_id": product["product_id"],
            "customer_aws_account_id": BUYER,
            "agreement_id": bought["agreement_id"],
            "name": "ApiKey",
            "secret_string": SECRET,
            "expires_at": rfc3339(expires),
            "expired": False,
            "tags": {"team": "tea"},
            "created_at": rfc3339(START),
            "updated_at": rfc3339(START),
        }
    ]


def test_boto3_finds_it_by_the_environment_alone(seller, monkeypatch):
    for name, value in {
        "AWS_ENDPOINT_URL_MARKETPLACE_DEPLOYMENT": seller.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    product = seller.product()
    bought = seller.buy(product)
    client = boto3.client("marketplace-deployment", "us-east-1")
    answer = client.put_deployment_parameter(**request(bought, product))
    assert answer["agreementId"] == bought["agreement_id"]
    (call,) = seller.do("GET", "calls?operation=PutDeploymentParameter")["calls"]
    assert (call["protocol"], call["status"], call["account"]) == ("rest-json", 200, SELLER)


def test_the_call_log_has_no_secret(seller):
    product = seller.product()
    bought = seller.buy(product)
    put(seller, bought, product)
    refusal(deployment(seller).put_deployment_parameter, **request(bought, product, agreementId="agmt-none"))
    told = seller.do("GET", "calls")["calls"]
    assert [call["status"] for call in told] == [200, 404]
    assert SECRET not in json.dumps(told)
    for call in told:
        assert call["request"]["deploymentParameter"] == {"name": "ApiKey", "secretString": "(not kept)"}
        assert call["request"]["productId"] == product["product_id"]


def test_the_same_name_is_a_new_version_and_keeps_id_and_first_tags(seller):
    product = seller.product()
    first, second = (seller.buy(product, customer_aws_account_id=BUYER) for _ in range(2))
    created = put(seller, first, product, tags={"a": "1"}, expirationDate=seller.now() + timedelta(days=9))
    seller.advance(60)
    updated = put(
        seller, second, product, tags={"b": "2"}, deploymentParameter=parameter(secret="a later one")
    )
    assert updated == created | {"agreementId": second["agreement_id"]}
    (row,) = kept(seller)
    assert (row["secret_string"], row["agreement_id"]) == ("a later one", second["agreement_id"])
    assert (row["tags"], row["expires_at"]) == ({"a": "1"}, None)
    assert row["created_at"] < row["updated_at"] == rfc3339(seller.now())


def test_names_are_a_buyers_and_a_products_own(seller):
    tea, coffee = seller.product(title="Tea"), seller.product(title="Coffee")
    for product in (tea, coffee):
        for account in (BUYER, "777766665555"):
            put(seller, seller.buy(product, customer_aws_account_id=account), product)
    assert len({row["deployment_parameter_id"] for row in kept(seller)}) == 4
    of_tea = kept(seller, f"?product_id={tea['product_id']}")
    assert [row["customer_aws_account_id"] for row in of_tea] == [BUYER, "777766665555"]
    assert kept(seller, "?product_id=prod-none") == []


def test_a_client_token_again_changes_nothing_and_brings_no_old_secret_back(seller):
    product = seller.product()
    bought = seller.buy(product)
    first = put(seller, bought, product, clientToken=TOKEN)
    put(seller, bought, product, deploymentParameter=parameter(secret="a later one"))
    assert put(seller, bought, product, clientToken=TOKEN) == first
    (row,) = kept(seller)
    assert row["secret_string"] == "a later one"
    # An answer that was lost is told again, even when the agreement has ended meanwhile.
    seller.do("POST", f"agreements/{bought['agreement_id']}/cancel")
    assert put(seller, bought, product, clientToken=TOKEN) == first


@pytest.mark.parametrize(
    "other",
    [
        {"deploymentParameter": parameter(secret="another")},
        {"deploymentParameter": parameter(name="another")},
        {"expirationDate": START + timedelta(days=3)},
        {"agreementId": "agmt-another"},
    ],
)
def test_a_client_token_with_another_request_is_a_conflict(seller, other):
    product = seller.product()
    bought = seller.buy(product)
    first = put(seller, bought, product, clientToken=TOKEN)
    client = deployment(seller)
    with pytest.raises(client.exceptions.ConflictException) as caught:
        client.put_deployment_parameter(**request(bought, product, clientToken=TOKEN, **other))
    assert caught.value.response["resourceId"] == first["deploymentParameterId"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert [row["secret_string"] for row in kept(seller)] == [SECRET]


def test_boto3s_own_retry_after_a_lost_answer_puts_once(seller):
    product = seller.product()
    bought = seller.buy(product)
    fault = {"kind": "connection_reset", "point": "after_commit", "operation": "PutDeploymentParameter"}
    seller.do("POST", "faults", fault | {"count": 2})
    client = deployment(seller, retries={"mode": "standard", "total_max_attempts": 3})
    answer = client.put_deployment_parameter(**request(bought, product))
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2
    (row,) = kept(seller)
    assert row["deployment_parameter_id"] == answer["deploymentParameterId"]


def test_product_and_agreement_must_be_there_and_belong_together(seller):
    tea, coffee = seller.product(title="Tea"), seller.product(title="Coffee")
    bought = seller.buy(tea)
    client = deployment(seller)
    for wrong in (
        {"productId": "prod-none"},
        # The product code is not the product's id.
        {"productId": tea["product_code"]},
        {"productId": coffee["product_id"]},
        {"agreementId": "agmt-none"},
    ):
        with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
            client.put_deployment_parameter(**request(bought, tea) | wrong)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert kept(seller) == []


def test_the_agreement_must_have_begun_and_not_ended(seller):
    product = seller.product()
    ended, future = seller.buy(product), seller.buy(product, starts_at="2026-12-01T00:00:00Z")
    seller.do("POST", f"agreements/{ended['agreement_id']}/cancel")
    client = deployment(seller)
    for agreement in (ended, future):
        with pytest.raises(client.exceptions.ConflictException) as caught:
            client.put_deployment_parameter(**request(agreement, product))
        assert caught.value.response["resourceId"] == agreement["agreement_id"]
    seller.do("PUT", "clock", {"now": "2026-12-01T00:00:00Z"})
    put(seller, future, product)


def test_a_parameter_expires_and_its_name_is_free_again(seller):
    product = seller.product()
    bought = seller.buy(product)
    first = put(seller, bought, product, expirationDate=seller.now() + timedelta(hours=1))
    client = deployment(seller)
    with pytest.raises(client.exceptions.ValidationException) as caught:
        client.put_deployment_parameter(**request(bought, product, expirationDate=seller.now()))
    assert caught.value.response["fieldName"] == "expirationDate"
    seller.advance(3600)
    again = put(seller, bought, product, tags={"new": "tag"})
    assert again["deploymentParameterId"] != first["deploymentParameterId"]
    assert again["tags"] == {"new": "tag"}
    assert [row["expired"] for row in kept(seller)] == [True, False]


def test_a_buyer_has_ten_of_a_product_at_most(seller):
    product = seller.product()
    bought = seller.buy(product)
    for number in range(10):
        put(
            seller,
            bought,
            product,
            deploymentParameter=parameter(f"key-{number}"),
            expirationDate=seller.now() + timedelta(hours=1),
        )
    client = deployment(seller)
    one_more = request(bought, product, deploymentParameter=parameter("one-more"))
    with pytest.raises(client.exceptions.ServiceQuotaExceededException) as caught:
        client.put_deployment_parameter(**one_more)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 402
    # Another buyer, an update, and what has expired do not count.
    put(seller, seller.buy(product), product)
    put(seller, bought, product, deploymentParameter=parameter("key-3", "anew"))
    seller.advance(3600)
    client.put_deployment_parameter(**one_more)


def test_a_parameter_is_updated_a_hundred_times_a_day_at_most(seller):
    product = seller.product()
    bought = seller.buy(product)
    for number in range(101):
        put(seller, bought, product, clientToken=token(number))
    client = deployment(seller)
    with pytest.raises(client.exceptions.ServiceQuotaExceededException):
        client.put_deployment_parameter(**request(bought, product))
    # A repeat is no update.
    put(seller, bought, product, clientToken=token(100))
    put(seller, bought, product, deploymentParameter=parameter("another"))
    seller.advance(24 * 3600)
    put(seller, bought, product)


@pytest.mark.parametrize("missing", ["catalog", "productId", "agreementId", "deploymentParameter"])
def test_boto3_itself_refuses_what_the_model_requires(seller, missing):
    product = seller.product()
    body = request(seller.buy(product), product)
    del body[missing]
    with pytest.raises(ParamValidationError):
        deployment(seller).put_deployment_parameter(**body)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"catalog": "AWSMarketplaceTest"}, "catalog"),
        ({"catalog": "AWS1"}, "catalog"),
        ({"productId": "prod 1"}, "productId"),
        ({"productId": "p" * 65}, "productId"),
        ({"agreementId": "agmt.1"}, "agreementId"),
        ({"clientToken": "short-but-long-enough-for-boto3"}, "clientToken"),
        ({"clientToken": "x" * 65}, "clientToken"),
        ({"clientToken": "x" * 31 + " "}, "clientToken"),
        ({"deploymentParameter": parameter("a b")}, "deploymentParameter.name"),
        ({"deploymentParameter": parameter("n" * 401)}, "deploymentParameter.name"),
        ({"deploymentParameter": parameter(secret="s" * 15001)}, "deploymentParameter.secretString"),
        ({"tags": {"a b": "1"}}, "tags.key"),
        ({"tags": {"a": "b c"}}, "tags.a"),
        ({"tags": {str(number): "x" for number in range(51)}}, "tags"),
    ],
)
def test_limits_of_the_model_are_a_validation_exception_that_names_the_field(seller, wrong, field):
    product = seller.product()
    bought = seller.buy(product)
    client = deployment(seller, parameter_validation=False)
    with pytest.raises(client.exceptions.ValidationException) as caught:
        client.put_deployment_parameter(**request(bought, product) | wrong)
    assert caught.value.response["fieldName"] == field
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert SECRET not in str(caught.value)
    assert kept(seller) == []


def test_the_largest_that_the_model_allows_is_taken(seller):
    product = seller.product()
    most = {f"{number}" + "k" * 100: "v" * 256 for number in range(50)}
    large = parameter("n" * 400, "ü" * 15000)
    put(seller, seller.buy(product), product, deploymentParameter=large, tags=most, clientToken="x" * 64)
    (row,) = kept(seller)
    assert (row["name"], row["secret_string"], row["tags"]) == (*large.values(), most)


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttling", "ThrottlingException", 429),
        ("access_denied", "AccessDeniedException", 403),
        ("server_error", "InternalServerException", 500),
    ],
)
def test_faults_come_as_the_models_own_exceptions(seller, kind, code, status):
    product = seller.product()
    bought = seller.buy(product)
    seller.do("POST", "faults", {"kind": kind, "operation": "PutDeploymentParameter", "count": 1})
    client = deployment(seller)
    with pytest.raises(getattr(client.exceptions, code)) as caught:
        client.put_deployment_parameter(**request(bought, product))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert kept(seller) == []
    put(seller, bought, product)
    assert [call["fault"] is None for call in seller.do("GET", "calls")["calls"]] == [False, True]


def test_a_fault_can_be_for_one_agreement(seller):
    product = seller.product()
    one, two = seller.buy(product), seller.buy(product)
    seller.do("POST", "faults", {"kind": "server_error", "customers": [one["agreement_id"]]})
    call = deployment(seller).put_deployment_parameter
    assert refusal(call, **request(one, product)) == ("InternalServerException", 500)
    put(seller, two, product)


def test_expired_credentials_are_no_exception_of_the_model(seller):
    product = seller.product()
    bought = seller.buy(product)
    seller.do("POST", "faults", {"kind": "expired_credentials"})
    with pytest.raises(ClientError, match="security token included in the request is expired") as caught:
        put(seller, bought, product)
    assert caught.value.response["Error"]["Code"] == "ExpiredTokenException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_behaviour_18_one_call_a_second(serve: Serve):
    seller = serve(Settings(start=START))
    product = seller.product()
    bought = seller.buy(product)
    client = deployment(seller)

    def call_until_refused() -> None:
        for _ in range(50):
            client.put_deployment_parameter(**request(bought, product, clientToken=TOKEN))

    with pytest.raises(client.exceptions.ThrottlingException) as caught:
        call_until_refused()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    seller.advance(1)
    put(seller, bought, product)


def test_only_the_products_seller_may_and_only_in_us_east_1(serve: Serve):
    keys = {"AKIASELLER": SELLER, "AKIABUYER": BUYER}
    seller = serve(Settings(start=START, calls_per_second=0, access_keys=keys))
    product = seller.product()
    body = request(seller.buy(product, customer_aws_account_id=BUYER), product)
    deployment(seller, access_key="AKIASELLER").put_deployment_parameter(**body)
    other = deployment(seller, access_key="AKIABUYER")
    with pytest.raises(other.exceptions.AccessDeniedException):
        other.put_deployment_parameter(**body)
    unknown = deployment(seller, access_key="AKIANOBODY").put_deployment_parameter
    assert refusal(unknown, **body) == ("UnrecognizedClientException", 403)
    with pytest.raises(ConnectionClosedError):
        deployment(seller, region="eu-west-1", access_key="AKIASELLER").put_deployment_parameter(**body)


def test_a_channel_partners_sale_is_handed_over_by_the_products_maker(seller):
    product = seller.product()
    bought = seller.buy(product, partner_account_id="777766665555")
    assert put(seller, bought, product)["agreementId"] == bought["agreement_id"]


def test_parameters_survive_a_restart_and_their_tokens_with_them(serve: Serve, tmp_path):
    settings = Settings(start=START, database=str(tmp_path / "state.sqlite3"), calls_per_second=0)
    seller = serve(settings)
    product = seller.product()
    bought = seller.buy(product)
    first, before = put(seller, bought, product, clientToken=TOKEN), kept(seller)
    seller = serve(settings)
    assert kept(seller) == before
    assert put(seller, bought, product, clientToken=TOKEN) == first


def test_a_reset_forgets_parameters_and_tokens(seller):
    product = seller.product()
    put(seller, seller.buy(product), product, clientToken=TOKEN)
    seller.do("POST", "reset")
    assert kept(seller) == []
    product = seller.product()
    put(seller, seller.buy(product), product, clientToken=TOKEN, deploymentParameter=parameter("new"))
    assert [row["name"] for row in kept(seller)] == ["new"]


REST = {"Authorization": SIGNED["Authorization"], "Content-Type": "application/json"}
PATH = "/catalogs/AWSMarketplace/products/prod-1/deployment-parameters"
BODY: dict[str, Any] = {
    "agreementId": "agmt-1",
    "clientToken": TOKEN,
    "deploymentParameter": {"name": "n", "secretString": "s"},
}


def by_hand(
    seller: Seller, body: Any, path: str = PATH, method: str = "POST", headers: dict[str, str] | None = None
) -> Answer:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return seller.http(method, path, sent, REST | (headers or {}))


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "ValidationException"),
        (b"{", 400, "SerializationException"),
        (b"\xff", 400, "SerializationException"),
        (b"[]", 400, "SerializationException"),
        (b"null", 400, "SerializationException"),
        (b"[" * 50_000, 400, "SerializationException"),
        ({}, 400, "ValidationException"),
        (BODY | {"deploymentParameter": {}}, 400, "ValidationException"),
        (BODY | {"deploymentParameter": "s"}, 400, "SerializationException"),
        (BODY | {"agreementId": 1}, 400, "SerializationException"),
        (BODY | {"tags": ["a"]}, 400, "SerializationException"),
        (BODY | {"tags": {"a": 1}}, 400, "SerializationException"),
        (BODY | {"expirationDate": 1793491200}, 400, "SerializationException"),
        (BODY | {"expirationDate": "tomorrow"}, 400, "SerializationException"),
        (BODY | {"expirationDate": "2026-12-01"}, 400, "SerializationException"),
        (BODY | {"clientToken": None}, 400, "ValidationException"),
        # The path says which product; a body cannot.
        (BODY | {"productId": "prod-2", "catalog": "x"}, 404, "ResourceNotFoundException"),
        (b" " * 2_000_000, 413, "RequestEntityTooLargeException"),
    ],
)
def test_garbage_gets_an_error_in_rest_json(seller, body, status, code):
    answer = by_hand(seller, body)
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["x-amzn-RequestId"]
    assert answer.json["message"]
    assert "__type" not in answer.json
    (call,) = seller.do("GET", "calls")["calls"]
    assert (call["protocol"], call["answer"]["__type"]) == ("rest-json", code)


def test_who_calls_without_an_sdk_brings_a_client_token(seller):
    answer = by_hand(seller, {name: value for name, value in BODY.items() if name != "clientToken"})
    assert (answer.status, answer.json["fieldName"]) == (400, "clientToken")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", PATH),
        ("PUT", PATH),
        ("POST", PATH + "/"),
        ("POST", "/catalogs/"),
        ("POST", "/catalogs//products/prod-1/deployment-parameters"),
        # Operations of the service that are not simulated.
        ("GET", "/tags/arn%3Aaws%3Aaws-marketplace"),
        ("POST", "/tags/arn"),
    ],
)
def test_an_unknown_path_is_an_unknown_operation(seller, method, path):
    answer = by_hand(seller, b"{}", path, method)
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (404, "UnknownOperationException")


def test_rest_json_is_not_reached_by_the_other_languages(seller):
    for target in ("marketplace-deployment.PutDeploymentParameter", "PutDeploymentParameter"):
        answer = seller.http("POST", "/", json.dumps(BODY).encode(), SIGNED | {"X-Amz-Target": target})
        assert (answer.status, answer.json["__type"]) == (400, "UnknownOperationException")


def test_an_escaped_slash_is_part_of_its_member(seller):
    answer = by_hand(seller, BODY, PATH.replace("prod-1", "prod%2F1"))
    assert (answer.status, answer.json["message"]) == (404, "There is no product prod/1.")


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "MissingAuthenticationTokenException"),
        ("Basic eHg=", "IncompleteSignatureException"),
        (REST["Authorization"].replace("aws-marketplace", "deployment"), "InvalidSignatureException"),
    ],
)
def test_a_bad_signature_is_forbidden(seller, authorization, code):
    answer = by_hand(seller, BODY, headers={"Authorization": authorization})
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (403, code)
