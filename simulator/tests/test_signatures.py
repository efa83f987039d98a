"""Who calls and where: keys, accounts, Regions, as the Authorization header says."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from conftest import START, Seller, Serve
from test_behaviours import refusal

from marketplace_simulator.settings import BadSetting, Settings, load

SELLER, STRANGER, BUYER = "111122223333", "999988887777", "444455556666"


@pytest.fixture
def strict(serve: Serve) -> Seller:
    """A simulator that knows three keys."""
    keys = {"AKIASELLER": SELLER, "AKIASTRANGER": STRANGER, "AKIABUYER": BUYER}
    return serve(Settings(start=START, calls_per_second=0, access_keys=keys))


def test_an_unknown_key_is_refused_when_keys_are_listed(strict):
    resolve = strict.client("meteringmarketplace", access_key="AKIANOBODY").resolve_customer
    assert refusal(resolve, RegistrationToken="t") == ("UnrecognizedClientException", 400)
    get = strict.client("marketplace-entitlement", access_key="AKIANOBODY").get_entitlements
    assert refusal(get, ProductCode="p") == ("UnrecognizedClientException", 400)


def test_any_key_will_do_when_none_is_listed(seller):
    bought = seller.buy(seller.product())
    client = seller.client("meteringmarketplace", access_key="AKIAANYTHING")
    assert client.resolve_customer(RegistrationToken=bought["registration_token"])["ProductCode"]


def test_behaviour_02_another_sellers_credentials_make_the_token_invalid(strict):
    product = strict.product()
    bought = strict.buy(product)
    token = bought["registration_token"]
    own = strict.client("meteringmarketplace", access_key="AKIASELLER")
    other = strict.client("meteringmarketplace", access_key="AKIASTRANGER")
    assert own.resolve_customer(RegistrationToken=token)["LicenseArn"] == bought["license_arn"]
    assert refusal(other.resolve_customer, RegistrationToken=token) == ("InvalidTokenException", 400)
    assert (
        refusal(other.batch_meter_usage, UsageRecords=[strict.record(bought)])[0]
        == "InvalidProductCodeException"
    )
    get = strict.client("marketplace-entitlement", access_key="AKIASTRANGER").get_entitlements
    assert refusal(get, ProductCode=product["product_code"])[0] == "InvalidParameterException"
    assert [call["account"] for call in strict.do("GET", "calls")["calls"]] == [
        SELLER,
        STRANGER,
        STRANGER,
        STRANGER,
    ]


def test_the_region_of_the_signature_is_the_slots(seller):
    bought = seller.buy(seller.product())
    for region in ("us-east-1", "eu-central-1"):
        seller.meter(seller.record(bought), region=region)
    assert {row["region"] for row in seller.bill()} == {"us-east-1", "eu-central-1"}


def test_metering_is_disabled_where_aws_has_no_saas_metering(seller):
    bought = seller.buy(seller.product())
    batch = seller.metering("us-gov-west-1").batch_meter_usage
    assert refusal(batch, UsageRecords=[seller.record(bought)]) == ("DisabledApiException", 400)


@pytest.mark.parametrize(
    ("service", "call", "arguments"),
    [
        ("marketplace-entitlement", "get_entitlements", {"ProductCode": "p"}),
        ("marketplace-agreement", "describe_agreement", {"agreementId": "agmt-1"}),
    ],
)
def test_entitlements_and_agreements_have_no_host_outside_us_east_1(seller, service, call, arguments):
    client: Any = seller.client(service, "eu-west-1")
    with pytest.raises(ConnectionClosedError):
        getattr(client, call)(**arguments)
    (kept,) = seller.do("GET", "calls")["calls"]
    assert (kept["status"], kept["region"]) == (0, "eu-west-1")
    assert "us-east-1 only" in kept["answer"]["message"]
    with pytest.raises(ClientError):
        getattr(seller.client(service), call)(**arguments)


@pytest.mark.parametrize(
    ("call", "code"),
    [("meter_usage", "CustomerNotEntitledException"), ("register_usage", "PlatformNotSupportedException")],
)
def test_a_saas_seller_is_refused_where_buyers_software_meters(seller, call, code):
    product = seller.product()
    arguments: dict[str, Any] = (
        {"Timestamp": seller.now(), "UsageDimension": "gpu_hours", "UsageQuantity": 1}
        if call == "meter_usage"
        else {"PublicKeyVersion": 1}
    )
    act = getattr(seller.metering(), call)
    assert refusal(act, ProductCode=product["product_code"], **arguments) == (code, 400)
    assert refusal(act, ProductCode="unknown", **arguments) == ("InvalidProductCodeException", 400)
    assert seller.bill() == []


@pytest.mark.parametrize("text", ["AKIA", "AKIA=12", "=123456789012", "A=123456789012,"])
def test_access_keys_must_be_pairs(text):
    with pytest.raises(BadSetting, match="SIMULATOR_ACCESS_KEYS"):
        load({"SIMULATOR_ACCESS_KEYS": text})


def test_access_keys_are_read():
    settings = load({"SIMULATOR_ACCESS_KEYS": "A=123456789012, B=210987654321"})
    assert settings.access_keys == {"A": "123456789012", "B": "210987654321"}
