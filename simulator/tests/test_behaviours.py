"""What a faithful simulator must do, by real boto3 over real HTTP; each test carries its behaviour's number.

The numbers are those of FIDELITY.md.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

HOUR = timedelta(hours=1)


def refusal(call: Any, **arguments: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def names(seller: Any) -> list[str]:
    return [news.name for news in seller.mailbox.delivered]


def test_behaviour_01_a_live_token_always_resolves_to_the_same_until_it_expires(seller):
    product = seller.product()
    bought = seller.buy(product)
    resolve = seller.metering().resolve_customer
    first = resolve(RegistrationToken=bought["registration_token"])
    seller.advance(4 * 3600 - 121)
    again = resolve(RegistrationToken=bought["registration_token"])
    for answer in (first, again):
        assert answer["CustomerAWSAccountId"] == bought["customer_aws_account_id"]
        assert answer["LicenseArn"] == bought["license_arn"]
        assert answer["ProductCode"] == product["product_code"]
        assert answer["Metadata"]["AgreementId"] == bought["agreement_id"]
    seller.advance(1)
    assert refusal(resolve, RegistrationToken=bought["registration_token"]) == ("ExpiredTokenException", 400)


def test_behaviour_02_an_unknown_token_is_an_invalid_token(seller):
    with pytest.raises(ClientError) as caught:
        seller.metering().resolve_customer(RegistrationToken="no such token")
    assert caught.value.response["Error"] == {
        "Code": "InvalidTokenException",
        "Message": "Registration token is invalid",
    }
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["content-type"] == "application/x-amz-json-1.1"
    assert headers["x-amzn-requestid"]


def test_behaviour_03_only_a_legacy_customer_has_an_identifier(seller):
    new, old = seller.buy(seller.product()), seller.buy(seller.product("legacy"))
    resolve = seller.metering().resolve_customer
    assert "CustomerIdentifier" not in resolve(RegistrationToken=new["registration_token"])
    answer = resolve(RegistrationToken=old["registration_token"])
    assert answer["CustomerIdentifier"] == old["customer_identifier"]
    # botocore's documentation: existing integrations get the licence as well.
    assert answer["LicenseArn"] == old["license_arn"]


def test_behaviour_04_setting_up_again_gives_another_token_and_no_news(seller):
    bought = seller.buy(seller.product())
    before = names(seller)
    another = seller.do("POST", f"agreements/{bought['agreement_id']}/tokens")["registration_token"]
    assert another != bought["registration_token"]
    for token in (another, bought["registration_token"]):
        assert (
            seller.metering().resolve_customer(RegistrationToken=token)["LicenseArn"] == bought["license_arn"]
        )
    assert names(seller) == before


def test_behaviour_05_the_redirect_is_a_form_post_and_a_trial_says_so(seller):
    product = seller.product(registration_url="http://127.0.0.1:9/register")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = f"product_code={product['product_code']}".encode()
    paid = seller.http("POST", "/storefront/subscribe", body, form).body.decode()
    trial = seller.http("POST", "/storefront/subscribe", body + b"&offer=free_trial", form).body.decode()
    for page in (paid, trial):
        assert 'method="post" action="http://127.0.0.1:9/register"' in page
        assert 'name="x-amzn-marketplace-token"' in page
    assert 'name="x-amzn-marketplace-offer-type" value="free-trial"' in trial
    assert "offer-type" not in paid


def test_behaviour_06_empty_entitlements_have_no_key_and_an_empty_page_may_go_on(seller):
    get = seller.client("marketplace-entitlement").get_entitlements
    payg = seller.product()
    seller.buy(payg)
    assert "Entitlements" not in get(ProductCode=payg["product_code"])

    contract = seller.product(pricing_model="contract")
    code = contract["product_code"]
    first, second = seller.buy(contract), seller.buy(contract, entitlements={"gpu_hours": 40})
    wanted = {"LICENSE_ARN": [second["license_arn"]]}
    page = get(ProductCode=code, Filter=wanted, MaxResults=2)
    assert "Entitlements" not in page
    page = get(ProductCode=code, Filter=wanted, MaxResults=2, NextToken=page["NextToken"])
    assert [(row["LicenseArn"], row["Value"]) for row in page["Entitlements"]] == [
        (second["license_arn"], {"IntegerValue": 40})
    ]
    assert "NextToken" not in page
    assert page["Entitlements"][0]["ExpirationDate"] > seller.now()
    assert refusal(get, ProductCode=code, MaxResults=26) == ("InvalidParameterException", 400)
    assert refusal(get, ProductCode=code, NextToken="forged")[0] == "InvalidParameterException"

    seller.do("POST", f"agreements/{first['agreement_id']}/cancel")
    seller.do("POST", f"agreements/{second['agreement_id']}/cancel")
    assert "Entitlements" not in get(ProductCode=code)


def test_behaviour_07_filter_values_are_united_and_filter_keys_intersected(seller):
    product = seller.product("legacy", pricing_model="contract")
    one, two = seller.buy(product), seller.buy(product)
    get = seller.client("marketplace-entitlement").get_entitlements

    def found(**wanted: list[str]) -> int:
        return len(get(ProductCode=product["product_code"], Filter=wanted).get("Entitlements", []))

    both = [one["customer_aws_account_id"], two["customer_aws_account_id"]]
    assert found(CUSTOMER_AWS_ACCOUNT_ID=both) == 4
    assert found(CUSTOMER_AWS_ACCOUNT_ID=both, DIMENSION=["gpu_hours"]) == 2
    assert found(CUSTOMER_IDENTIFIER=[one["customer_identifier"]], DIMENSION=["gpu_hours"]) == 1
    assert refusal(
        get,
        ProductCode=product["product_code"],
        Filter={"CUSTOMER_IDENTIFIER": ["a"], "CUSTOMER_AWS_ACCOUNT_ID": ["1"]},
    ) == ("InvalidParameterException", 400)
    assert refusal(get, ProductCode="unknown")[0] == "InvalidParameterException"
    assert refusal(get, ProductCode="x", Filter={"COLOUR": ["red"]})[0] == "InvalidParameterException"


TAG = {"Key": "team", "Value": "a"}


def bucket(quantity: int, tags: list[dict[str, str]]) -> dict[str, Any]:
    return {"AllocatedUsageQuantity": quantity, "Tags": tags}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"QuantityAsDecimal": "1"}, "ValidationException"),
        ({"Quantity": 2147483648}, "ValidationException"),
        (
            {"UsageAllocations": [bucket(1, [TAG | {"Key": f"k{i}"} for i in range(6)])]},
            "InvalidTagException",
        ),
        (
            {"UsageAllocations": [{"AllocatedUsageQuantity": 1, "Tags": [TAG | {"Value": "<?>"}]}]},
            "InvalidTagException",
        ),
        ({"UsageAllocations": [{"AllocatedUsageQuantity": 2}]}, "InvalidUsageAllocationsException"),
        (
            {"UsageAllocations": [{"AllocatedUsageQuantityAsDecimal": "1"}]},
            "InvalidUsageAllocationsException",
        ),
        (
            {"UsageAllocations": [bucket(1, [TAG]), bucket(0, [TAG])]},
            "InvalidUsageAllocationsException",
        ),
    ],
)  # fmt: skip
def test_behaviour_08_a_bad_record_fails_the_whole_request_and_meters_nothing(seller, change, code):
    bought = seller.buy(seller.product())
    good, bad = seller.record(bought), seller.record(bought, Dimension="requests") | change
    assert refusal(seller.metering().batch_meter_usage, UsageRecords=[good, bad]) == (code, 400)
    assert seller.bill() == []


def test_behaviour_08_twenty_six_records_or_a_megabyte_fail_the_whole_request(seller):
    bought = seller.buy(seller.product())
    batch = seller.metering().batch_meter_usage
    record = seller.record(bought)
    assert refusal(batch, UsageRecords=[record] * 26) == ("ValidationException", 400)
    tag = {"Value": "v" * 256}
    allocations = [
        bucket(0, [tag | {"Key": f"{'k' * 90}{i}-{j}"} for j in range(5)]) for i in range(600)
    ]  # fmt: skip
    large = record | {"Quantity": 0, "UsageAllocations": allocations}
    assert refusal(batch, UsageRecords=[large]) == ("RequestEntityTooLargeException", 413)
    assert seller.bill() == []


def test_behaviour_08_allocations_that_sum_are_accepted(seller):
    bought = seller.buy(seller.product())
    record = seller.record(bought, "0.3")
    record["UsageAllocations"] = [
        {"AllocatedUsageQuantityAsDecimal": "0.1", "Tags": [TAG]},
        {"AllocatedUsageQuantityAsDecimal": "0.2"},
    ]
    assert seller.status(record) == ["Success"]
    assert seller.quantities() == ["0.3"]


def test_behaviour_09_a_day_old_record_fails_the_batch_and_without_it_the_batch_succeeds(seller):
    bought = seller.buy(seller.product())
    seller.advance(30 * 3600)
    batch = seller.metering().batch_meter_usage
    good = seller.record(bought, ago=timedelta(hours=24) - timedelta(seconds=1))
    for bad_ago in (timedelta(hours=24), timedelta(seconds=-1)):
        bad = seller.record(bought, ago=bad_ago, Dimension="requests")
        assert refusal(batch, UsageRecords=[good, bad]) == ("TimestampOutOfBoundsException", 400)
    assert seller.bill() == []
    assert seller.status(good) == ["Success"]


def test_behaviour_10_last_month_closes_at_six_on_the_first(seller):
    bought = seller.buy(seller.product())
    seller.set_now(datetime(2026, 12, 1, 5, 59, 59, tzinfo=UTC))
    november = seller.record(bought, Timestamp=datetime(2026, 11, 30, 23, tzinfo=UTC))
    assert seller.status(november) == ["Success"]
    seller.advance(1)
    late = november | {"Timestamp": datetime(2026, 11, 30, 22, tzinfo=UTC)}
    assert (
        refusal(seller.metering().batch_meter_usage, UsageRecords=[late])[0]
        == "TimestampOutOfBoundsException"
    )
    december = november | {"Timestamp": datetime(2026, 12, 1, 0, tzinfo=UTC)}
    assert seller.status(december) == ["Success"]


def test_behaviour_11_an_identical_record_is_success_with_the_same_id_and_billed_once(seller):
    bought = seller.buy(seller.product())
    record = seller.record(bought, 17)
    again = seller.record(bought, "17.00")
    first, second = seller.meter(record) + seller.meter(again)
    assert (first["Status"], second["Status"]) == ("Success", "Success")
    assert first["MeteringRecordId"] == second["MeteringRecordId"]
    both = seller.meter(record, again)
    assert {result["MeteringRecordId"] for result in both} == {first["MeteringRecordId"]}
    assert seller.quantities() == ["17"]


@pytest.mark.parametrize(
    ("first", "second"), [(0, "9999999999.999999"), (5, "4.999999"), ("0.000001", 0), (5, 6)]
)
def test_behaviour_12_another_quantity_is_a_duplicate_and_the_first_stands(seller, first, second):
    bought = seller.buy(seller.product())
    assert seller.status(seller.record(bought, first)) == ["Success"]
    (refused,) = seller.meter(seller.record(bought, second))
    assert refused["Status"] == "DuplicateRecord"
    assert "MeteringRecordId" not in refused
    assert seller.quantities() == [str(first)]


def test_behaviour_13_timestamps_are_echoed_and_fall_into_their_hour(seller):
    bought = seller.buy(seller.product())
    seller.set_now(datetime(2026, 11, 22, 15, 59, 30, tzinfo=UTC))
    early = datetime(2026, 11, 22, 15, 5, 0, 250000, tzinfo=UTC)
    late = datetime(2026, 11, 22, 15, 55, tzinfo=UTC)
    (first,) = seller.meter(seller.record(bought, 1, Timestamp=early))
    assert first["UsageRecord"]["Timestamp"] == early
    assert seller.status(seller.record(bought, 2, Timestamp=late)) == ["DuplicateRecord"]
    assert [record["hour"] for record in seller.bill()] == ["2026-11-22T15:00:00.000000Z"]


def test_behaviour_14_two_licences_and_two_regions_are_billed_apart(seller):
    product = seller.product()
    account = "444455556666"
    one = seller.buy(product, customer_aws_account_id=account)
    two = seller.buy(product, customer_aws_account_id=account)
    assert seller.status(seller.record(one, 3), seller.record(two, 4)) == ["Success", "Success"]
    assert seller.status(seller.record(one, 3), region="eu-west-1") == ["Success"]
    bill = seller.bill()
    assert sorted((row["license_arn"], row["region"], row["quantity"]) for row in bill) == sorted(
        [
            (one["license_arn"], "us-east-1", "3"),
            (one["license_arn"], "eu-west-1", "3"),
            (two["license_arn"], "us-east-1", "4"),
        ]
    )
    totals = seller.do("GET", "bill")["totals"]
    assert {total["license_arn"]: total["quantity"] for total in totals} == {
        one["license_arn"]: "6",
        two["license_arn"]: "4",
    }


def test_behaviour_15_dimension_and_licence_must_be_right_or_nothing_is_metered(seller):
    product = seller.product()
    bought, other = seller.buy(product), seller.buy(seller.product())
    stranger = seller.buy(product)
    good = seller.record(bought)
    batch = seller.metering().batch_meter_usage
    for change, code in [
        ({"Dimension": "GPU_hours"}, "InvalidUsageDimensionException"),
        ({"LicenseArn": "l-malformed"}, "InvalidLicenseException"),
        ({"LicenseArn": stranger["license_arn"]}, "InvalidLicenseException"),
        ({"LicenseArn": "arn:aws:license-manager::294406891311:license:l-0"}, "InvalidLicenseException"),
        ({"CustomerAWSAccountId": "1a"}, "ValidationException"),
    ]:
        assert refusal(batch, UsageRecords=[good, good | change]) == (code, 400), change
    assert refusal(batch, UsageRecords=[good, seller.record(other)])[0] == "InvalidLicenseException"
    assert seller.bill() == []


def test_behaviour_16_usage_counts_from_activation_until_an_hour_after_deprovisioned(seller):
    bought = seller.buy(seller.product(), active=False)
    record = seller.record(bought, 1)
    assert seller.status(record) == ["CustomerNotSubscribed"]
    seller.advance(70)
    assert seller.status(record) == ["CustomerNotSubscribed"]
    seller.advance(1)
    assert seller.status(record) == ["Success"]
    seller.do("POST", f"agreements/{bought['agreement_id']}/cancel")
    seller.advance(31 + 3600)
    assert seller.status(seller.record(bought, 2)) == ["Success"]
    seller.advance(1)
    assert seller.status(seller.record(bought, 2, Dimension="requests")) == ["CustomerNotSubscribed"]
    assert seller.quantities() == ["1", "2"]


def test_behaviour_16_hours_before_the_activation_are_not_billed_but_its_own_hour_is(seller):
    product = seller.product()
    seller.set_now(datetime(2026, 11, 22, 20, 30, tzinfo=UTC))
    bought = seller.buy(product)
    seller.advance(3600)
    assert seller.status(
        seller.record(bought, Timestamp=datetime(2026, 11, 22, 20, 0, tzinfo=UTC)),
        seller.record(bought, Timestamp=datetime(2026, 11, 22, 19, 59, tzinfo=UTC)),
    ) == ["Success", "CustomerNotSubscribed"]


def test_behaviour_19_a_concurrent_agreement_refuses_a_product_code(seller):
    product = seller.product()
    bought = seller.buy(product)
    batch = seller.metering().batch_meter_usage
    record = seller.record(bought)
    assert refusal(batch, UsageRecords=[record], ProductCode=product["product_code"]) == (
        "InvalidProductCodeException",
        400,
    )
    assert refusal(batch, UsageRecords=[record], ProductCode="unknown")[0] == "InvalidProductCodeException"
    del record["LicenseArn"]
    assert refusal(batch, UsageRecords=[record])[0] == "InvalidProductCodeException"
    assert seller.bill() == []


def test_legacy_customers_are_metered_by_product_and_identifier_or_account(seller):
    product = seller.product("legacy")
    bought = seller.buy(product)
    code = product["product_code"]
    base = {"Timestamp": seller.now(), "Dimension": "gpu_hours", "Quantity": 2}
    by_identifier = base | {"CustomerIdentifier": bought["customer_identifier"]}
    by_account = base | {"CustomerAWSAccountId": bought["customer_aws_account_id"]}
    unknown = base | {"CustomerIdentifier": "nobody"}
    results = seller.meter(by_identifier, by_account, unknown, ProductCode=code)
    assert [result["Status"] for result in results] == ["Success", "Success", "CustomerNotSubscribed"]
    assert results[0]["MeteringRecordId"] == results[1]["MeteringRecordId"]
    batch = seller.metering().batch_meter_usage
    assert refusal(batch, UsageRecords=[by_identifier | by_account], ProductCode=code)[0] == (
        "InvalidCustomerIdentifierException"
    )
    assert refusal(batch, UsageRecords=[base], ProductCode=code)[0] == "InvalidCustomerIdentifierException"
    # The licence is a second meter: AWS warns that both in one hour bill twice.
    assert seller.status(seller.record(bought, 2)) == ["Success"]
    assert [(row["customer_identifier"], row["license_arn"], row["quantity"]) for row in seller.bill()] in (
        [(bought["customer_identifier"], None, "2"), (None, bought["license_arn"], "2")],
        [(None, bought["license_arn"], "2"), (bought["customer_identifier"], None, "2")],
    )


def test_legacy_usage_ends_an_hour_after_unsubscribe_pending(seller):
    product = seller.product("legacy")
    bought = seller.buy(product)
    seller.do("POST", f"agreements/{bought['agreement_id']}/cancel")
    record = {"Dimension": "gpu_hours", "CustomerIdentifier": bought["customer_identifier"]}
    seller.advance(3600)
    assert seller.status(record | {"Timestamp": seller.now()}, ProductCode=product["product_code"]) == [
        "Success"
    ]
    seller.advance(1)
    late = record | {"Timestamp": seller.now(), "Dimension": "requests"}
    assert seller.status(late, ProductCode=product["product_code"]) == ["CustomerNotSubscribed"]


def test_behaviour_20_21_22_a_direct_sale_of_a_concurrent_agreement(seller):
    product = seller.product()
    bought = seller.buy(product, active=False, customer_aws_account_id="444455556666")
    assert names(seller) == []
    seller.advance(11)
    assert names(seller) == ["Purchase Agreement Created - Proposer"]
    seller.advance(60)
    seller.advance(1000)
    seller.do("POST", f"agreements/{bought['agreement_id']}/cancel")
    assert names(seller)[2:] == ["Purchase Agreement Ended - Proposer"]
    seller.advance(31)
    assert names(seller) == [
        "Purchase Agreement Created - Proposer",
        "License Updated - Manufacturer",
        "Purchase Agreement Ended - Proposer",
        "License Deprovisioned - Manufacturer",
    ]
    created, updated, ended, deprovisioned = (json.loads(news.body) for news in seller.mailbox.delivered)
    parties = {"acceptor": {"accountId": "444455556666"}, "proposer": {"accountId": "111122223333"}}
    assert created.pop("detail") == {
        "requestId": created_request(seller, 0),
        "catalog": "AWSMarketplace",
        "agreement": {
            "id": bought["agreement_id"],
            "intent": "NEW",
            "status": "ACTIVE",
            "acceptanceTime": "2026-11-22T14:00:00.000Z",
            "startTime": "2026-11-22T14:00:00.000Z",
            "endTime": "9999-01-01T00:00:00Z",
        },
        "resaleAuthorization": {"id": None},
        **parties,
        "offer": {"id": bought["offer_id"]},
    }
    assert created == {
        "version": "0",
        "id": seller.mailbox.delivered[0].message_id,
        "detail-type": "Purchase Agreement Created - Proposer",
        "source": "aws.agreement-marketplace",
        "account": "111122223333",
        "time": "2026-11-22T14:00:11Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:aws-marketplace::aws:agreement:{bought['agreement_id']}"],
    }
    assert ended["detail"] == {
        "requestId": ended["detail"]["requestId"],
        "catalog": "AWSMarketplace",
        "agreement": {"id": bought["agreement_id"], "status": "CANCELLED"},
        "resaleAuthorization": {"id": None},
        **parties,
    }
    for event in (updated, deprovisioned):
        assert event["detail"] == {
            "requestId": event["detail"]["requestId"],
            "catalog": "AWSMarketplace",
            "agreement": {"id": bought["agreement_id"]},
            "product": {"id": product["product_id"], "code": product["product_code"]},
            "license": {"arn": bought["license_arn"]},
            **parties,
            "offer": {"id": bought["offer_id"]},
        }
    assert [updated["time"], ended["time"], deprovisioned["time"]] == [
        "2026-11-22T14:01:11Z",
        "2026-11-22T14:17:51Z",
        "2026-11-22T14:18:22Z",
    ]


def created_request(seller: Any, index: int) -> str:
    return json.loads(seller.mailbox.delivered[index].body)["detail"]["requestId"]


def test_behaviour_25_re_subscribing_within_the_hour_replaces_unsubscribe_success(seller):
    product = seller.product("legacy")
    account = {"customer_aws_account_id": "444455556666"}
    bought = seller.buy(product, **account)
    seller.do("POST", f"agreements/{bought['agreement_id']}/cancel")
    seller.advance(1800)
    seller.buy(product, **account)
    seller.advance(7200)
    assert names(seller) == ["subscribe-success", "unsubscribe-pending", "subscribe-success"]
    record = {
        "Timestamp": seller.now(),
        "Dimension": "gpu_hours",
        "CustomerIdentifier": bought["customer_identifier"],
    }
    assert seller.status(record, ProductCode=product["product_code"]) == ["Success"]


@pytest.mark.parametrize(("free_trial", "word"), [(True, "true"), (False, "false")])
def test_behaviour_25_legacy_messages_carry_the_trial_as_a_string(seller, free_trial, word):
    product = seller.product("legacy")
    bought = seller.buy(product, active=False, free_trial=free_trial)
    seller.advance(9)
    assert names(seller) == []
    seller.advance(1)
    seller.do("POST", f"agreements/{bought['agreement_id']}/cancel")
    seller.advance(3599)
    assert names(seller) == ["subscribe-success", "unsubscribe-pending"]
    seller.advance(1)
    messages = [json.loads(news.body) for news in seller.mailbox.delivered]
    who = {
        "customer-identifier": bought["customer_identifier"],
        "product-code": product["product_code"],
        "isFreeTrialTermPresent": word,
    }
    assert messages == [
        {"action": "subscribe-success", "offer-identifier": bought["offer_id"], **who},
        {"action": "unsubscribe-pending", **who},
        {"action": "unsubscribe-success", **who},
    ]
    assert {news.topic for news in seller.mailbox.delivered} == {
        f"aws-mp-subscription-notification-{product['product_code']}"
    }
