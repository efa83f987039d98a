"""The Agreement API by real boto3: what a seller learns of an agreement, and who may ask."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import START, Seller, Serve
from test_behaviours import refusal

from marketplace_simulator.settings import Settings
from marketplace_simulator.times import parse_rfc3339

SELLER, BUYER, PARTNER = "111122223333", "444455556666", "777766665555"


def describe(seller: Any, agreement_id: str, **client: Any) -> dict[str, Any]:
    answer = seller.client("marketplace-agreement", **client).describe_agreement(agreementId=agreement_id)
    del answer["ResponseMetadata"]
    return answer


def terms(seller: Any, agreement_id: str) -> dict[str, dict[str, Any]]:
    answer = seller.client("marketplace-agreement").get_agreement_terms(agreementId=agreement_id)
    return {term["type"]: term for item in answer["acceptedTerms"] for term in item.values()}


def search(seller: Any, /, party: str = "Proposer", **filters: str) -> list[str]:
    return [row["agreementId"] for row in summaries(seller, party, **filters)]


def summaries(seller: Any, party: str = "Proposer", **filters: str) -> list[dict[str, Any]]:
    return seller.client("marketplace-agreement").search_agreements(
        filters=[
            {"name": name, "values": [value]}
            for name, value in {"PartyType": party, "AgreementType": "PurchaseAgreement", **filters}.items()
        ]
    )["agreementViewSummaries"]


def reason(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    return caught.value.response["reason"]


def test_pay_as_you_go_has_no_end(seller):
    product = seller.product()
    bought = seller.buy(product, customer_aws_account_id=BUYER)
    assert describe(seller, bought["agreement_id"]) == {
        "agreementId": bought["agreement_id"],
        "acceptor": {"accountId": BUYER},
        "proposer": {"accountId": SELLER},
        "startTime": START,
        "acceptanceTime": START,
        "agreementType": "PurchaseAgreement",
        "proposalSummary": {
            "resources": [{"id": product["product_id"], "type": "SaaSProduct"}],
            "offerId": bought["offer_id"],
        },
        "status": "ACTIVE",
        "initialAgreementId": bought["agreement_id"],
    }
    seller.do("POST", f"agreements/{bought['agreement_id']}/cancel")
    assert describe(seller, bought["agreement_id"])["status"] == "CANCELLED"


def test_a_contract_has_an_end_and_says_what_then(seller):
    product = seller.product(pricing_model="contract")
    plain = seller.buy(product)
    renewing = seller.buy(product, auto_renew=True)
    answer = describe(seller, plain["agreement_id"])
    assert answer["endTime"] - answer["startTime"] == timedelta(days=365)
    assert answer["endTimeBehavior"] == {"type": "EXPIRE", "reasonCode": "NO_RENEWAL_TERM"}
    offer = {"renewalSummary": {"offerId": renewing["offer_id"]}}
    assert describe(seller, renewing["agreement_id"])["endTimeBehavior"] == {"type": "RENEW", **offer}
    seller.do("POST", f"agreements/{renewing['agreement_id']}/amend", {"auto_renew": False})
    assert describe(seller, renewing["agreement_id"])["endTimeBehavior"] == {
        "type": "EXPIRE",
        "reasonCode": "ACCEPTOR_RENEW_OPTED_OUT",
        **offer,
    }


def test_a_renewal_is_linked_to_the_first_agreement(seller):
    bought = seller.buy(seller.product(pricing_model="contract"), auto_renew=True)
    seller.advance(366 * 86400)
    renewed = seller.do("GET", f"agreements/{bought['agreement_id']}")["next_agreement_id"]
    assert describe(seller, bought["agreement_id"])["status"] == "RENEWED"
    assert describe(seller, renewed)["initialAgreementId"] == bought["agreement_id"]
    assert set(search(seller, InitialAgreementId=bought["agreement_id"])) == {bought["agreement_id"], renewed}


def test_a_trial_says_when_it_ends(seller):
    bought = seller.buy(seller.product(), free_trial=True)
    ends = describe(seller, bought["agreement_id"])["freeTrialSummary"]["trialEndTime"]
    assert ends == START + timedelta(days=30)
    assert terms(seller, bought["agreement_id"])["FreeTrialPricingTerm"]["duration"] == "P30D"
    assert summaries(seller)[0]["freeTrialEndTime"] == ends


def test_terms_carry_dimensions_and_what_the_buyer_chose(seller):
    payg = seller.buy(seller.product())
    found = terms(seller, payg["agreement_id"])
    assert set(found) == {"LegalTerm", "SupportTerm", "UsageBasedPricingTerm"}
    (card,) = found["UsageBasedPricingTerm"]["rateCards"]
    assert [item["dimensionKey"] for item in card["rateCard"]] == ["gpu_hours", "requests"]

    contract = seller.product(pricing_model="contract")
    bought = seller.buy(contract, entitlements={"gpu_hours": 40}, auto_renew=True)
    found = terms(seller, bought["agreement_id"])
    assert "UsageBasedPricingTerm" not in found
    assert found["RenewalTerm"]["configuration"] == {"enableAutoRenew": True}
    assert found["ConfigurableUpfrontPricingTerm"]["configuration"] == {
        "selectorValue": "P12M",
        "dimensions": [{"dimensionKey": "gpu_hours", "dimensionValue": 40}],
    }


def test_terms_come_in_pages(seller):
    bought = seller.buy(seller.product())
    get = seller.client("marketplace-agreement").get_agreement_terms
    pages, token = [], {}
    while True:
        page = get(agreementId=bought["agreement_id"], maxResults=2, **token)
        pages.append(len(page["acceptedTerms"]))
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert pages == [2, 1]
    assert reason(get, agreementId=bought["agreement_id"], nextToken="forged") == "INVALID_NEXT_TOKEN"
    assert refusal(get, agreementId=bought["agreement_id"], maxResults=51) == ("ValidationException", 400)


def test_agreements_are_searched(seller):
    contract = seller.product(pricing_model="contract")
    short = seller.buy(contract, term_days=30)
    long = seller.buy(contract)
    payg = seller.buy(seller.product(), customer_aws_account_id=BUYER)
    ids = [item["agreement_id"] for item in (short, long, payg)]
    # The latest end first; pay as you go never ends.
    assert search(seller) == [ids[2], ids[1], ids[0]]
    assert search(seller, AcceptorAccountId=BUYER) == [ids[2]]
    assert search(seller, ResourceIdentifier=contract["product_id"]) == [ids[1], ids[0]]
    assert search(seller, LicenseArn=short["license_arn"]) == [ids[0]]
    assert search(seller, OfferId=long["offer_id"]) == [ids[1]]
    assert search(seller, BeforeEndTime="2027-01-31T00:00:00Z") == [ids[0]]
    assert search(seller, AfterEndTime="2027-01-31T00:00:00Z", EndTimeBehaviorType="EXPIRE") == [ids[1]]
    assert search(seller, OfferSetId="offerset-1") == []
    before = seller.now()
    seller.advance(60)
    seller.do("POST", f"agreements/{ids[2]}/cancel")
    assert search(seller, Status="CANCELLED") == [ids[2]]
    assert search(seller, AfterLastUpdateTime=before.strftime("%Y-%m-%dT%H:%M:%SZ")) == [ids[2]]
    (row,) = summaries(seller, Status="CANCELLED")
    assert row["lastUpdateTime"] == seller.now()
    assert row["entitlements"] == [{"licenseArn": payg["license_arn"]}]
    # The caller buys nothing.
    assert search(seller, "Acceptor") == []


def test_searches_come_in_pages_and_in_order(seller):
    product = seller.product()
    ids = [seller.buy(product)["agreement_id"] for _ in range(5)]
    call = seller.client("marketplace-agreement").search_agreements
    filters = [
        {"name": "PartyType", "values": ["Proposer"]},
        {"name": "AgreementType", "values": ["PurchaseAgreement"]},
    ]
    sort = {"sortBy": "StartTime", "sortOrder": "ASCENDING"}
    first = call(filters=filters, sort=sort, maxResults=3)
    second = call(filters=filters, sort=sort, maxResults=3, nextToken=first["nextToken"])
    found = first["agreementViewSummaries"] + second["agreementViewSummaries"]
    assert [row["agreementId"] for row in found] == ids
    assert "nextToken" not in second


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"filters": None}, "MISSING_PARTY_TYPE"),
        ({"PartyType": None}, "MISSING_PARTY_TYPE"),
        ({"PartyType": "Nobody"}, "INVALID_PARTY_TYPE"),
        ({"AgreementType": None}, "UNSUPPORTED_FILTERS"),
        ({"Colour": "red"}, "INVALID_FILTER_NAME"),
        ({"BeforeEndTime": "tomorrow"}, "INVALID_FILTER_VALUES"),
        ({"PartyType": "Acceptor", "LicenseArn": "arn"}, "UNSUPPORTED_FILTERS"),
        ({"PartyType": "Acceptor", "ResourceType": "SaaSProduct", "Status": "ACTIVE"}, "UNSUPPORTED_FILTERS"),
        ({"PartyType": "Acceptor", "OfferId": "o", "ResourceIdentifier": "p"}, "UNSUPPORTED_FILTERS"),
        ({"catalog": "Elsewhere"}, "INVALID_CATALOG"),
        ({"sort": {"sortBy": "Colour"}}, "INVALID_SORT_BY"),
        ({"PartyType": "Acceptor", "sort": {"sortBy": "StartTime"}}, "INVALID_SORT_BY"),
        ({"nextToken": "forged"}, "INVALID_NEXT_TOKEN"),
    ],
)
def test_a_search_that_cannot_be_says_aws_own_reason(seller, change, expected):
    wanted = {"PartyType": "Proposer", "AgreementType": "PurchaseAgreement"}
    other = {name: change[name] for name in ("catalog", "sort", "nextToken") if name in change}
    wanted |= {name: value for name, value in change.items() if name not in other}
    filters = [{"name": name, "values": [value]} for name, value in wanted.items() if value is not None]
    arguments = other if "filters" in change else {"filters": filters, **other}
    assert reason(seller.client("marketplace-agreement").search_agreements, **arguments) == expected


def test_what_the_model_limits_is_refused_with_its_fields(seller):
    with pytest.raises(ClientError) as caught:
        seller.client("marketplace-agreement").describe_agreement(agreementId="a b")
    response = caught.value.response
    assert response["Error"]["Code"] == "ValidationException"
    assert response["fields"][0]["name"] == "agreementId"
    assert response["requestId"] == response["ResponseMetadata"]["RequestId"]


def test_only_the_two_parties_may_ask(serve: Serve):
    keys = {"S": SELLER, "B": BUYER, "P": PARTNER, "X": "999988887777"}
    seller: Seller = serve(Settings(start=START, calls_per_second=0, access_keys=keys))
    product = seller.product(pricing_model="contract")
    direct = seller.buy(product, customer_aws_account_id=BUYER)
    resold = seller.buy(product, customer_aws_account_id=BUYER, partner_account_id=PARTNER)

    def asked(agreement: dict[str, Any], key: str) -> Any:
        client = seller.client("marketplace-agreement", access_key=key)
        try:
            return client.describe_agreement(agreementId=agreement["agreement_id"])["proposer"]["accountId"]
        except ClientError as error:
            return error.response["Error"]["Code"]

    assert [asked(direct, key) for key in keys] == [SELLER, SELLER, *["AccessDeniedException"] * 2]
    # A partner's sale: its maker is no party.
    assert [asked(resold, key) for key in keys] == [
        "AccessDeniedException",
        PARTNER,
        PARTNER,
        "AccessDeniedException",
    ]
    assert asked({"agreement_id": "agmt-none"}, "S") == "ResourceNotFoundException"
    client = seller.client("marketplace-agreement", access_key="X")
    assert refusal(client.describe_agreement, agreementId=direct["agreement_id"])[1] == 403
    assert refusal(client.get_agreement_terms, agreementId="agmt-none") == ("ResourceNotFoundException", 404)


def test_a_future_dated_agreement_has_no_licence_yet(seller):
    starts = (START + timedelta(days=10)).isoformat()
    bought = seller.buy(seller.product(pricing_model="contract"), starts_at=starts)
    answer = describe(seller, bought["agreement_id"])
    assert answer["startTime"] == parse_rfc3339(starts)
    assert answer["acceptanceTime"] == START
    assert "entitlements" not in summaries(seller)[0]
    seller.advance(11 * 86400)
    assert summaries(seller)[0]["entitlements"] == [{"licenseArn": bought["license_arn"]}]
