"""What a registration page must bear: many entitlements, on/off dimensions, trials, and AWS failing it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import START, Seller
from test_agreement_api import describe, terms
from test_behaviours import refusal
from test_storefront import FORM, page

BUYER = "444455556666"
GENERATIONS = ("legacy", "concurrent_agreements")
MODELS = ("subscription", "contract", "contract_with_consumption")
# 30 counted dimensions and one that is had or not: two pages of GetEntitlements.
DIMENSIONS: list[dict[str, Any]] = [
    *({"key": f"seats_{number}", "title": f"Seats {number}"} for number in range(30)),
    {"key": "sso", "title": "Single sign-on", "value_type": "boolean"},
]


def large_contract(seller: Seller, generation: str = "concurrent_agreements") -> dict[str, Any]:
    return seller.product(generation, pricing_model="contract", dimensions=DIMENSIONS)


def pages(seller: Seller, product: dict[str, Any], **request: Any) -> list[list[dict[str, Any]]]:
    """Every page of GetEntitlements, followed by its token as a seller must."""
    get = seller.client("marketplace-entitlement").get_entitlements
    found: list[list[dict[str, Any]]] = []
    more: dict[str, Any] = {}
    while True:
        answer = get(ProductCode=product["product_code"], **request, **more)
        found.append(answer.get("Entitlements", []))
        if "NextToken" not in answer:
            return found
        more = {"NextToken": answer["NextToken"]}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_contract_of_many_dimensions_needs_two_pages_and_says_each_in_its_type(seller, generation):
    product = large_contract(seller, generation)
    bought = seller.buy(product, entitlements={f"seats_{n}": n + 1 for n in range(30)} | {"sso": True})
    assert bought["entitlements"]["sso"] is True
    name = "CUSTOMER_IDENTIFIER" if generation == "legacy" else "LICENSE_ARN"
    who = bought["customer_identifier"] if generation == "legacy" else bought["license_arn"]
    first, second = pages(seller, product, Filter={name: [who]})
    assert (len(first), len(second)) == (25, 6)
    values = {row["Dimension"]: row["Value"] for row in first + second}
    assert values == {f"seats_{n}": {"IntegerValue": n + 1} for n in range(30)} | {
        "sso": {"BooleanValue": True}
    }
    configured = terms(seller, bought["agreement_id"])["ConfigurableUpfrontPricingTerm"]["configuration"]
    assert {"dimensionKey": "sso", "dimensionValue": 1} in configured["dimensions"]


def test_what_is_not_named_is_not_bought_and_nothing_named_is_one_of_each(seller):
    product = large_contract(seller)
    one = seller.buy(product, entitlements={"sso": False, "seats_4": 7})
    everything = seller.buy(product)
    assert one["entitlements"] == {"sso": False, "seats_4": 7}
    assert everything["entitlements"] == {f"seats_{n}": 1 for n in range(30)} | {"sso": True}
    of_one = pages(seller, product, Filter={"LICENSE_ARN": [one["license_arn"]]})
    assert [row["Value"] for row in of_one[0]] == [{"BooleanValue": False}, {"IntegerValue": 7}]


@pytest.mark.parametrize("entitlements", [{"sso": 1}, {"seats_1": True}, {"sso": "yes"}, {"seats_1": 1.5}])
def test_units_of_another_type_than_listed_are_refused(seller, entitlements):
    body = {"product_code": large_contract(seller)["product_code"], "entitlements": entitlements}
    assert seller.control("POST", "agreements", body).status in (400, 409)
    assert seller.do("GET", "agreements")["agreements"] == []


def test_an_on_off_dimension_is_amended_renewed_and_survives_in_the_book(seller):
    product = large_contract(seller)
    bought = seller.buy(product, entitlements={"seats_1": 2})
    path = f"agreements/{bought['agreement_id']}"
    assert seller.do("POST", f"{path}/amend", {"entitlements": {"sso": True}})["entitlements"] == {
        "seats_1": 2,
        "sso": True,
    }
    without = seller.do("POST", f"{path}/amend", {"entitlements": {"sso": False}})
    assert without["entitlements"] == {"seats_1": 2}
    assert seller.control("POST", f"{path}/amend", {"entitlements": {"sso": 2}}).status == 409
    renewed = seller.do("POST", f"{path}/renew", {"entitlements": {"sso": True}})
    following = seller.do("GET", f"agreements/{renewed['next_agreement_id']}")
    assert following["entitlements"] == {"seats_1": 2, "sso": True}


def test_the_storefront_sells_a_large_contract_with_a_box_to_tick(seller):
    product = large_contract(seller)
    shown = page(seller, f"/products/{product['product_code']}")
    box = '<input type="checkbox" name="quantity:sso" value="1" checked>'
    assert box in shown
    # As a browser sends it: a hidden 0 before the box, whose 1 comes only when it is ticked.
    counted = "&".join(f"quantity:seats_{n}=1" for n in range(30))
    code = f"product_code={product['product_code']}"
    for sent in ("quantity:sso=0", "quantity:sso=0&quantity:sso=1"):
        answer = seller.http("POST", "/storefront/subscribe", f"{code}&{counted}&{sent}".encode(), FORM)
        assert answer.status == 200
    without, having = seller.do("GET", "agreements")["agreements"]
    assert (without["entitlements"]["sso"], having["entitlements"]["sso"]) == (False, True)
    assert len(having["entitlements"]) == 31
    seller.advance(120)
    assert "<dt>sso</dt><dd>yes</dd>" in page(seller, f"/agreements/{having['agreement_id']}")
    assert box.replace(" checked", "") in page(seller, f"/agreements/{without['agreement_id']}")
    assert [len(rows) for rows in pages(seller, product)] == [25, 25, 12]


def test_the_control_api_names_a_wrong_type_of_dimension(seller):
    body = {
        "title": "T",
        "generation": "legacy",
        "dimensions": [{"key": "k", "value_type": "text"}],
    }
    answer = seller.control("POST", "products", body)
    assert (answer.status, answer.json["errors"][0]["path"]) == (400, "/dimensions/0/value_type")


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("model", MODELS)
def test_a_trial_shows_in_the_form_the_agreement_the_news_and_the_terms(seller, generation, model):
    product = seller.product(generation, pricing_model=model, registration_url="http://127.0.0.1:9/register")
    bought = seller.buy(product, free_trial=True, trial_days=14, customer_aws_account_id=BUYER)
    ends = START + timedelta(days=14)
    assert bought["form_fields"]["x-amzn-marketplace-offer-type"] == "free-trial"
    again = seller.do("POST", f"agreements/{bought['agreement_id']}/tokens")
    assert again["form_fields"]["x-amzn-marketplace-offer-type"] == "free-trial"
    resolved = seller.metering().resolve_customer(RegistrationToken=bought["registration_token"])
    told = describe(seller, resolved["Metadata"]["AgreementId"])
    assert told["freeTrialSummary"] == {"trialEndTime": ends}
    assert terms(seller, bought["agreement_id"])["FreeTrialPricingTerm"]["duration"] == "P14D"
    messages = [json.loads(item["body"]) for item in seller.do("GET", "news")["news"]]
    flags = [message.get("isFreeTrialTermPresent") for message in messages if "action" in message]
    if generation == "legacy":
        assert "true" in flags
        assert set(flags) <= {"true", None}
    else:
        assert flags == []


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("model", ["subscription", "contract"])
def test_the_storefronts_trial_is_the_same(seller, generation, model):
    product = seller.product(generation, pricing_model=model, registration_url="http://127.0.0.1:9/register")
    body = f"product_code={product['product_code']}&offer=free_trial&trial_days=14".encode()
    shown = seller.http("POST", "/storefront/subscribe", body, FORM).body.decode()
    assert 'name="x-amzn-marketplace-offer-type" value="free-trial"' in shown
    (bought,) = seller.do("GET", "agreements")["agreements"]
    assert describe(seller, bought["agreement_id"])["freeTrialSummary"] == {
        "trialEndTime": START + timedelta(days=14)
    }


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_paid_purchase_says_nothing_of_a_trial(seller, generation):
    bought = seller.buy(seller.product(generation))
    assert set(bought["form_fields"]) == {"x-amzn-marketplace-token"}
    assert "freeTrialSummary" not in describe(seller, bought["agreement_id"])


FAILURES = [
    ("server_error", "InternalServiceErrorException", 500),
    ("throttling", "ThrottlingException", 400),
    ("access_denied", "AccessDeniedException", 400),
    ("expired_credentials", "ExpiredTokenException", 400),
]


@pytest.mark.parametrize("operation", ["ResolveCustomer", "GetEntitlements"])
@pytest.mark.parametrize(("kind", "code", "status"), FAILURES)
def test_a_landings_calls_fail_for_so_many_calls_or_until_it_is_lifted(seller, operation, kind, code, status):
    product = seller.product(pricing_model="contract")
    bought = seller.buy(product)
    if operation == "ResolveCustomer":
        call, arguments = (
            seller.metering().resolve_customer,
            {"RegistrationToken": bought["registration_token"]},
        )
    else:
        get = seller.client("marketplace-entitlement").get_entitlements
        call, arguments = get, {"ProductCode": product["product_code"]}

    seller.do("POST", "faults", {"kind": kind, "operation": operation, "count": 2})
    assert [refusal(call, **arguments) for _ in range(2)] == [(code, status)] * 2
    call(**arguments)

    told = seller.do("POST", "faults", {"kind": kind, "operation": operation})
    assert [refusal(call, **arguments) for _ in range(5)] == [(code, status)] * 5
    seller.do("DELETE", f"faults/{told['fault_id']}")
    call(**arguments)


@pytest.mark.parametrize("operation", ["ResolveCustomer", "GetEntitlements", "DescribeAgreement"])
def test_our_own_expired_session_is_told_by_its_words(seller, operation):
    product = seller.product(pricing_model="contract")
    bought = seller.buy(product)
    calls = {
        "ResolveCustomer": lambda: seller.metering().resolve_customer(
            RegistrationToken=bought["registration_token"]
        ),
        "GetEntitlements": lambda: seller.client("marketplace-entitlement").get_entitlements(
            ProductCode=product["product_code"]
        ),
        "DescribeAgreement": lambda: describe(seller, bought["agreement_id"]),
    }
    seller.do("POST", "faults", {"kind": "expired_credentials", "operation": operation})
    with pytest.raises(ClientError) as caught:
        calls[operation]()
    assert caught.value.response["Error"] == {
        "Code": "ExpiredTokenException",
        "Message": "The security token included in the request is expired",
    }
    seller.do("DELETE", "faults")
    seller.advance(4 * 3600)
    if operation == "ResolveCustomer":
        with pytest.raises(ClientError, match="The submitted registration token has expired"):
            calls[operation]()
