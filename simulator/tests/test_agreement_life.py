"""What becomes of an agreement, and the news of it: word for word, in its order, at its moment."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest

from marketplace_simulator.settings import Settings
from marketplace_simulator.times import parse_rfc3339, rfc3339

DAY = 24 * 3600
SELLER = "111122223333"
PARTNER = "777788889999"


def act(seller: Any, agreement: dict[str, Any], action: str, body: Any = None) -> dict[str, Any]:
    return seller.do("POST", f"agreements/{agreement['agreement_id']}/{action}", body)


def refused(seller: Any, agreement: dict[str, Any], action: str, body: Any = None) -> str:
    answer = seller.control("POST", f"agreements/{agreement['agreement_id']}/{action}", body)
    assert answer.status == 409, answer.body
    return answer.json["detail"]


def events(seller: Any, since: int = 0) -> list[dict[str, Any]]:
    return [json.loads(news.body) for news in seller.mailbox.delivered[since:]]


def names(seller: Any, since: int = 0) -> list[str]:
    return [news.name for news in seller.mailbox.delivered[since:]]


def entitled(seller: Any, product: dict[str, Any]) -> dict[tuple[str, str], int]:
    answer = seller.client("marketplace-entitlement").get_entitlements(ProductCode=product["product_code"])
    return {
        (row["LicenseArn"], row["Dimension"]): row["Value"]["IntegerValue"]
        for row in answer.get("Entitlements", [])
    }


def test_behaviour_04_setting_up_again_gives_another_token_and_no_event(seller):
    bought = seller.buy(seller.product(), active=False)
    seller.advance(71)
    before = names(seller)
    again = act(seller, bought, "tokens")
    assert again["registration_token"] != bought["registration_token"]
    answers = [
        seller.metering().resolve_customer(RegistrationToken=token["registration_token"])
        for token in (bought, again, bought)
    ]
    for answer in answers:
        del answer["ResponseMetadata"]
    assert answers[0] == answers[1] == answers[2]
    seller.advance(3600)
    assert names(seller) == before


def test_behaviour_05_only_trial_buyers_bring_the_offer_type(seller):
    product = seller.product(registration_url="http://127.0.0.1:9/register")
    paid, trial = seller.buy(product), seller.buy(product, free_trial=True)
    assert set(paid["form_fields"]) == {"x-amzn-marketplace-token"}
    assert trial["form_fields"]["x-amzn-marketplace-offer-type"] == "free-trial"


def test_behaviour_20_a_cancelled_contract_follows_the_observed_timing(seller):
    bought = seller.buy(seller.product(pricing_model="contract"))
    act(seller, bought, "cancel")
    seller.advance(31)
    ended, deprovisioned = events(seller, 2)
    assert (ended["time"], deprovisioned["time"]) == ("2026-11-22T14:02:00Z", "2026-11-22T14:02:31Z")
    created = events(seller)[0]
    assert created["detail"]["agreement"]["endTime"] == "2027-11-22T14:00:00Z"


@pytest.mark.parametrize(
    ("action", "status"), [("cancel", "CANCELLED"), ("terminate", "TERMINATED"), ("expire", "EXPIRED")]
)
def test_behaviour_21_every_end_says_why_without_licence_product_or_offer(seller, action, status):
    bought = seller.buy(seller.product(pricing_model="contract"))
    assert act(seller, bought, action)["end_reason"] == status
    ended = events(seller)[2]
    assert ended["detail-type"] == "Purchase Agreement Ended - Proposer"
    assert ended["detail"]["agreement"] == {"id": bought["agreement_id"], "status": status}
    assert not {"offer", "license", "product"} & set(ended["detail"])


def test_behaviour_22_a_partner_sale_tells_the_manufacturer_only(seller):
    product = seller.product(pricing_model="contract")
    bought = seller.buy(product, partner_account_id=PARTNER)
    assert (bought["offer"], bought["proposer_account_id"]) == ("private", PARTNER)
    act(seller, bought, "amend", {"entitlements": {"gpu_hours": 5}})
    seller.advance(71)
    act(seller, bought, "cancel")
    seller.advance(400 * DAY)
    assert names(seller) == [
        "Purchase Agreement Created - Manufacturer",
        "License Updated - Manufacturer",
        "Purchase Agreement Amended - Manufacturer",
        "License Updated - Manufacturer",
        "Purchase Agreement Ended - Manufacturer",
        "License Deprovisioned - Manufacturer",
    ]
    for event in events(seller):
        assert event["account"] == SELLER
        assert event["detail"]["proposer"] == {"accountId": PARTNER}
        if event["detail-type"].startswith("Purchase"):
            assert event["detail"]["resaleAuthorization"] == {"id": bought["resale_authorization_id"]}
    assert bought["resale_authorization_id"].startswith("resaleauthz-")
    assert "autoRenewalEnabled" not in events(seller)[2]["detail"]["agreement"]


def test_behaviour_23_news_can_come_twice_with_one_id(seller):
    seller.do("PUT", "news-delivery", {"double": True, "name": "License Updated"})
    seller.buy(seller.product())
    assert names(seller) == ["Purchase Agreement Created - Proposer", *["License Updated - Manufacturer"] * 2]
    assert len({news.message_id for news in seller.mailbox.delivered}) == 2


def test_behaviour_23_deprovisioned_can_come_before_ended_and_updated_after_it(seller):
    seller.do("PUT", "news-delivery", {"delay_seconds": 60, "name": "Purchase Agreement Ended - Proposer"})
    seller.do("PUT", "news-delivery", {"delay_seconds": 600, "name": "License Updated"})
    bought = seller.buy(seller.product(), active=False)
    seller.advance(71)
    act(seller, bought, "cancel")
    assert [item["state"] for item in seller.do("GET", "news")["news"]] == [
        "delivered", "delayed", "delayed", "scheduled",
    ]  # fmt: skip
    assert seller.do("GET", "health")["news_waiting"] == 0
    seller.advance(40)
    assert names(seller, 1) == ["License Deprovisioned - Manufacturer"]
    seller.advance(600)
    assert names(seller, 2) == ["Purchase Agreement Ended - Proposer", "License Updated - Manufacturer"]
    # What the news says of the time is not moved.
    assert events(seller, 2)[1]["time"] == "2026-11-22T14:01:11Z"


def test_behaviour_23_a_seed_draws_the_same_other_order_every_time(serve):
    orders = []
    for _ in range(2):
        seller = serve()
        seller.do("PUT", "news-delivery", {"shuffle_seed": 1})
        product = seller.product()
        for _ in range(3):
            seller.buy(product, active=False)
        seller.advance(71)
        position = {
            agreement["agreement_id"]: index
            for index, agreement in enumerate(seller.do("GET", "agreements")["agreements"])
        }
        orders.append([(news.name, position[news.agreement_id]) for news in seller.mailbox.delivered])
    assert orders[0] == orders[1]
    assert orders[0] != sorted(orders[0], key=lambda item: item[0], reverse=True)


def test_news_can_be_lost_by_count_and_for_one_agreement(seller):
    product = seller.product()
    lost = seller.buy(product, active=False)
    seller.do("PUT", "news-delivery", {"agreement_id": lost["agreement_id"], "drop": 1})
    kept = seller.buy(product)
    assert [news.agreement_id for news in seller.mailbox.delivered] == [
        kept["agreement_id"], lost["agreement_id"], kept["agreement_id"],
    ]  # fmt: skip
    assert seller.do("GET", "news-delivery") == {"rules": []}
    assert [item["state"] for item in seller.do("GET", "news")["news"]].count("dropped") == 1


def test_rules_for_news_are_replaced_listed_and_forgotten(seller):
    rule = {
        "agreement_id": None, "name": "License Updated", "double": False, "delay_seconds": 5.0,
        "shuffle_seed": None, "drop": 0,
    }  # fmt: skip
    for delay in (9, 5):
        rules = seller.do("PUT", "news-delivery", {"name": "License Updated", "delay_seconds": delay})
    assert rules == {"rules": [rule]}
    assert seller.do("PUT", "news-delivery", {"double": True})["rules"][0] == rule
    assert seller.do("PUT", "news-delivery", {"name": "License Updated"})["rules"][0]["double"]
    assert seller.do("DELETE", "news-delivery") == {"rules": []}
    assert seller.control("PUT", "news-delivery", {"agreement_id": "agmt-none", "drop": 1}).status == 404


def test_behaviour_24_a_renewal_at_the_end_of_the_term_links_old_and_new(seller):
    product = seller.product(pricing_model="contract")
    bought = seller.buy(product, auto_renew=True, entitlements={"gpu_hours": 3}, term_days=90)
    seller.advance(90 * DAY)
    old, new = seller.do("GET", "agreements")["agreements"]
    assert (old["end_reason"], old["next_agreement_id"]) == ("RENEWED", new["agreement_id"])
    assert (new["intent"], new["previous_agreement_id"]) == ("RENEW", bought["agreement_id"])
    assert new["initial_agreement_id"] == bought["agreement_id"]
    assert new["license_arn"] != bought["license_arn"]
    assert new["offer_id"] == bought["offer_id"]
    assert parse_rfc3339(new["end_time"]) - parse_rfc3339(new["starts_at"]) == timedelta(days=90)
    by_name = {event["detail-type"]: event for event in events(seller, 2)}
    ended = by_name["Purchase Agreement Ended - Proposer"]
    assert (ended["time"], ended["detail"]["agreement"]["status"]) == ("2027-02-20T14:00:00Z", "RENEWED")
    created = by_name["Purchase Agreement Created - Proposer"]
    assert created["time"] == "2027-02-20T14:00:11Z"
    assert created["detail"]["agreement"] == {
        "id": new["agreement_id"],
        "intent": "RENEW",
        "status": "ACTIVE",
        "acceptanceTime": "2027-02-20T14:00:00.000Z",
        "startTime": "2027-02-20T14:00:00.000Z",
        "endTime": "2027-05-21T14:00:00Z",
        "previousAgreementId": bought["agreement_id"],
    }
    assert created["detail"]["product"] == {"id": product["product_id"], "title": product["title"]}
    assert created["detail"]["proposer"] == {"name": "Simulated Seller", "accountId": SELLER}
    # The clock jumped 120 s beyond: the old licence is gone, the new one has come.
    assert names(seller)[-2:] == ["License Deprovisioned - Manufacturer", "License Updated - Manufacturer"]
    assert entitled(seller, product) == {(new["license_arn"], "gpu_hours"): 3}


def test_behaviour_24_both_licences_meter_around_a_renewal_and_are_billed_apart(seller):
    old = seller.buy(seller.product(pricing_model="contract_with_consumption"))
    new_id = act(seller, old, "renew")["next_agreement_id"]
    seller.advance(71)
    new = seller.do("GET", f"agreements/{new_id}")
    assert seller.status(seller.record(old, 2)) == ["Success"]
    assert seller.status(seller.record(new, 3)) == ["Success"]
    seller.advance(3600)
    assert seller.status(seller.record(old, 2)) == ["CustomerNotSubscribed"]
    assert sorted(seller.quantities()) == ["2", "3"]


def test_behaviour_24_a_long_jump_renews_as_often_as_the_term_ends(seller):
    seller.buy(seller.product(pricing_model="contract"), auto_renew=True, term_days=30)
    seller.advance(100 * DAY)
    chain = seller.do("GET", "agreements")["agreements"]
    assert [agreement["end_reason"] for agreement in chain] == ["RENEWED"] * 3 + [None]
    assert len({agreement["license_arn"] for agreement in chain}) == 4
    assert {agreement["initial_agreement_id"] for agreement in chain[1:]} == {chain[0]["agreement_id"]}
    due = [news.due_at for news in seller.mailbox.delivered]
    assert due == sorted(due)


def test_behaviour_24_a_renewal_by_offer_can_be_agreed_before_the_end(seller):
    product = seller.product(pricing_model="contract")
    bought = seller.buy(product, entitlements={"gpu_hours": 3})
    renewed = act(seller, bought, "renew", {"at_end": True, "entitlements": {"requests": 7}, "term_days": 30})
    assert (renewed["status"], renewed["end_reason"]) == ("active", "RENEWED")
    new = seller.do("GET", f"agreements/{renewed['next_agreement_id']}")
    assert (new["status"], new["offer_id"] != bought["offer_id"]) == ("pending", True)
    assert "renewal already" in refused(seller, bought, "cancel")
    assert "future" in refused(seller, new, "tokens")
    assert names(seller, 2) == []
    seller.set_now(parse_rfc3339(bought["end_time"]))
    assert entitled(seller, product) == {
        (new["license_arn"], "gpu_hours"): 3,
        (new["license_arn"], "requests"): 7,
    }


def test_behaviour_24_a_replacement_ends_the_old_as_replaced(seller):
    bought = seller.buy(seller.product(pricing_model="contract"), entitlements={"gpu_hours": 3})
    old = act(seller, bought, "replace", {"entitlements": {"gpu_hours": 9}})
    assert old["end_reason"] == "REPLACED"
    seller.advance(71)
    ended, created, deprovisioned, updated = events(seller, 2)
    assert ended["detail"]["agreement"] == {"id": bought["agreement_id"], "status": "REPLACED"}
    assert created["detail"]["agreement"]["intent"] == "REPLACE"
    assert created["detail"]["agreement"]["previousAgreementId"] == bought["agreement_id"]
    assert created["detail"]["resaleAuthorization"] == {"id": None}
    assert deprovisioned["detail"]["license"]["arn"] == bought["license_arn"]
    assert updated["detail"]["agreement"]["id"] == old["next_agreement_id"]


def test_behaviour_24_a_future_dated_agreement_is_silent_until_its_start(seller):
    start = seller.now() + timedelta(days=10)
    bought = seller.buy(seller.product(), active=False, starts_at=rfc3339(start))
    assert (bought["status"], bought["offer"], bought["registration_token"]) == ("pending", "private", None)
    assert bought["form_fields"] == {}
    refused(seller, bought, "tokens")
    seller.advance(10 * DAY - 1)
    assert names(seller) == []
    assert seller.status(seller.record(bought)) == ["CustomerNotSubscribed"]
    seller.advance(1)
    token = act(seller, bought, "tokens")["registration_token"]
    seller.metering().resolve_customer(RegistrationToken=token)
    seller.advance(71)
    created, _ = events(seller)
    assert created["time"] == "2026-12-02T14:00:11Z"
    assert created["detail"]["agreement"]["acceptanceTime"] == "2026-11-22T14:00:00.000Z"
    assert created["detail"]["agreement"]["startTime"] == "2026-12-02T14:00:00.000Z"
    assert seller.status(seller.record(bought)) == ["Success"]


def test_behaviour_24_a_contract_expires_by_itself_at_its_moment(seller):
    product = seller.product(pricing_model="contract")
    bought = seller.buy(product, term_days=20)
    seller.advance(30 * DAY)
    ended = seller.do("GET", f"agreements/{bought['agreement_id']}")
    assert (ended["status"], ended["end_reason"], ended["ended_at"]) == (
        "ended",
        "EXPIRED",
        bought["end_time"],
    )
    assert [event["time"] for event in events(seller, 2)] == ["2026-12-12T14:00:00Z", "2026-12-12T14:00:31Z"]
    assert entitled(seller, product) == {}


def test_behaviour_25_legacy_news_of_amendment_renewal_and_end(seller):
    product = seller.product("legacy", pricing_model="contract")
    bought = seller.buy(product)
    amended = act(seller, bought, "amend", {"entitlements": {"gpu_hours": 2}})
    seller.advance(10)
    messages = events(seller, 2)
    assert [message["action"] for message in messages] == ["subscribe-success", "entitlement-updated"]
    assert messages[0]["offer-identifier"] == amended["offer_id"] != bought["offer_id"]
    renewed = act(seller, amended, "renew")
    seller.advance(10)
    assert names(seller, 4) == ["entitlement-updated"]
    new = seller.do("GET", f"agreements/{renewed['next_agreement_id']}")
    assert new["customer_identifier"] == bought["customer_identifier"]
    act(seller, new, "expire")
    seller.advance(3600)
    assert names(seller, 5) == ["unsubscribe-pending", "entitlement-updated", "unsubscribe-success"]
    assert "isFreeTrialTermPresent" not in events(seller)[6]


def test_behaviour_25_a_failed_payment_is_told_and_never_metered(seller):
    product = seller.product("legacy")
    bought = seller.buy(product, payment_fails=True)
    (message,) = events(seller)
    assert (message["action"], message["offer-identifier"]) == ("subscribe-fail", bought["offer_id"])
    assert seller.do("GET", f"agreements/{bought['agreement_id']}")["status"] == "ended"
    record = {
        "Timestamp": seller.now(),
        "Dimension": "gpu_hours",
        "CustomerIdentifier": bought["customer_identifier"],
    }
    assert seller.status(record, ProductCode=product["product_code"]) == ["CustomerNotSubscribed"]
    again = seller.buy(product, customer_aws_account_id=bought["customer_aws_account_id"])
    assert names(seller, 1) == ["subscribe-success"]
    assert again["customer_identifier"] == bought["customer_identifier"]


def test_behaviour_16_a_suspended_account_is_not_subscribed_until_it_is_resumed(seller):
    product = seller.product()
    account = {"customer_aws_account_id": "444455556666"}
    first, second = seller.buy(product, **account), seller.buy(seller.product(), **account)
    assert act(seller, first, "suspend")["suspended"]
    assert seller.status(seller.record(second)) == ["CustomerNotSubscribed"]
    assert seller.do("GET", f"agreements/{second['agreement_id']}")["status"] == "active"
    assert "already suspended" in refused(seller, second, "suspend")
    buy = {"product_code": product["product_code"], **account}
    assert seller.control("POST", "agreements", buy).status == 409
    act(seller, second, "resume")
    assert seller.status(seller.record(second)) == ["Success"]
    assert "not suspended" in refused(seller, first, "resume")
    assert len(names(seller)) == 4


def test_an_amendment_changes_quantities_and_says_so(seller):
    product = seller.product(pricing_model="contract")
    bought = seller.buy(product, entitlements={"gpu_hours": 3, "requests": 2})
    amended = act(seller, bought, "amend", {"entitlements": {"gpu_hours": 8, "requests": 0}})
    assert amended["entitlements"] == {"gpu_hours": 8}
    assert entitled(seller, product) == {(bought["license_arn"], "gpu_hours"): 8}
    seller.advance(71)
    event, updated = events(seller, 2)
    assert event["detail-type"] == "Purchase Agreement Amended - Proposer"
    assert event["detail"]["agreement"] == {
        "id": bought["agreement_id"],
        "intent": "AMEND",
        "status": "ACTIVE",
        "acceptanceTime": "2026-11-22T14:00:00.000Z",
        "startTime": "2026-11-22T14:00:00.000Z",
        "endTime": "2027-11-22T14:00:00Z",
        "autoRenewalEnabled": False,
    }
    assert event["detail"]["renewalSummary"] == {"lockoutStartTime": None, "disabledBy": None}
    assert event["detail"]["product"] == {"id": product["product_id"], "title": product["title"]}
    assert event["detail"]["offer"] == {"id": amended["offer_id"]}
    assert updated["detail"]["license"]["arn"] == bought["license_arn"]
    assert updated["time"] == "2026-11-22T14:03:11Z"


def test_switching_auto_renewal_is_an_amendment_without_a_licence(seller):
    bought = seller.buy(seller.product(pricing_model="contract"), auto_renew=True, term_days=60)
    amended = act(seller, bought, "amend", {"auto_renew": False, "switched_by": "PROPOSER"})
    assert (amended["auto_renew"], amended["offer_id"]) == (False, bought["offer_id"])
    seller.advance(60)
    (event,) = events(seller, 2)
    assert event["detail"]["renewalSummary"]["disabledBy"] == "PROPOSER"
    assert "nothing" in refused(seller, bought, "amend", {"auto_renew": False})
    act(seller, bought, "amend", {"auto_renew": True})
    seller.advance(31 * DAY)
    assert "settled" in refused(seller, bought, "amend", {"auto_renew": False})


def test_notices_before_the_end_of_a_term(seller):
    product = seller.product(pricing_model="contract")
    bought = seller.buy(product, auto_renew=True, renewal_price_range=True)
    seller.advance(364 * DAY)
    found = events(seller, 2)
    assert [
        (event["detail-type"], event["detail"]["agreement"].get("daysBeforeEndTime")) for event in found
    ] == [
        *[("Purchase Agreement Ending - Proposer", days) for days in (180, 120, 90, 60)],
        ("Purchase Agreement Renewal Terms Finalized - Proposer", None),
        ("Purchase Agreement Ending - Proposer", 30),
        ("Purchase Agreement Renewal Upcoming - Proposer", None),
    ]
    parties = {
        "product": {"id": product["product_id"], "title": product["title"]},
        "acceptor": {"accountId": bought["customer_aws_account_id"]},
        "proposer": {"name": "Simulated Seller", "accountId": SELLER},
    }
    ending, finalized, upcoming = found[0]["detail"], found[4]["detail"], found[6]["detail"]
    for detail in (ending, finalized, upcoming):
        del detail["requestId"]
    term = {
        "id": bought["agreement_id"], "startTime": "2026-11-22T14:00:00Z", "endTime": "2027-11-22T14:00:00Z",
    }  # fmt: skip
    assert ending == {
        "catalog": "AWSMarketplace",
        "agreement": {**term, "status": "ACTIVE", "daysBeforeEndTime": 180, "autoRenewalEnabled": True},
        "renewalSummary": {"lockoutStartTime": "2027-10-23T14:00:00Z", "disabledBy": None},
        **parties,
        "offer": {"id": bought["offer_id"]},
    }
    assert finalized == {
        "catalog": "AWSMarketplace",
        "agreement": term,
        "renewalSummary": {
            "tcv": "0.00",
            "currency": "USD",
            "termsFinalizedTime": "2027-09-23T14:00:00Z",
            "lockoutReached": False,
            "lockoutStartTime": "2027-10-23T14:00:00Z",
        },
        **parties,
    }
    assert upcoming == {
        "catalog": "AWSMarketplace",
        "agreement": term,
        "renewalSummary": {"lockoutReached": True, "tcv": "0.00", "currency": "USD"},
        **parties,
    }


def test_notices_stop_with_the_agreement(seller):
    bought = seller.buy(seller.product(pricing_model="contract"))
    act(seller, bought, "cancel")
    seller.advance(400 * DAY)
    assert len(names(seller)) == 4


@pytest.mark.parametrize(
    ("action", "step", "message"),
    [
        ("approve-cancellation", "Approved", None),
        ("reject-cancellation", "Rejected", "We need it"),
        ("withdraw-cancellation", "Cancelled", "A mistake"),
    ],
)
def test_a_seller_asks_for_a_cancellation(seller, action, step, message):
    product = seller.product()
    bought = seller.buy(product)
    body = {"reason_code": "INCORRECT_TERMS_ACCEPTED", "reason_message": "Wrong rate"}
    asked = act(seller, bought, "request-cancellation", body)
    assert asked["cancellation_request"]["status_code"] == "PENDING_APPROVAL"
    assert "pending already" in refused(seller, bought, "request-cancellation")
    seller.advance(60)
    act(seller, bought, action, {"message": message} if message else None)
    pending, answered = events(seller, 2)[:2]
    assert pending["detail-type"] == "Agreement Cancellation Request Pending Approval - Proposer"
    assert answered["detail-type"] == f"Agreement Cancellation Request {step} - Proposer"
    assert (pending["resources"], answered["resources"]) == ([], [])
    assert answered["detail"]["agreement"] == {
        "id": bought["agreement_id"],
        "acceptorId": bought["customer_aws_account_id"],
        "productId": product["product_id"],
        "offerId": bought["offer_id"],
    }
    request = answered["detail"]["agreementCancellationRequest"]
    assert request == {
        "id": asked["cancellation_request"]["request_id"],
        "reasonCode": "INCORRECT_TERMS_ACCEPTED",
        "reasonMessage": "Wrong rate",
        "statusCode": step.upper(),
        "statusMessage": message or "",
        "createdAt": "2026-11-22T14:02:00Z",
        "updatedAt": "2026-11-22T14:03:00Z",
    }
    ended = "Purchase Agreement Ended - Proposer" in names(seller)
    assert ended == (step == "Approved")
    assert "No cancellation request" in refused(seller, bought, action)


def test_a_cancellation_request_is_approved_by_seven_days_of_silence(seller):
    bought = seller.buy(seller.product())
    act(seller, bought, "request-cancellation")
    seller.advance(30 * DAY)
    assert [(event["detail-type"].partition(" - ")[0], event["time"]) for event in events(seller, 3)] == [
        ("Agreement Cancellation Request Approved", "2026-11-29T14:02:00Z"),
        ("Purchase Agreement Ended", "2026-11-29T14:02:00Z"),
        ("License Deprovisioned", "2026-11-29T14:02:31Z"),
    ]


def test_a_cancellation_request_fails_where_a_renewal_follows(seller):
    bought = seller.buy(seller.product(pricing_model="contract"))
    act(seller, bought, "renew", {"at_end": True})
    asked = act(seller, bought, "request-cancellation")
    assert asked["cancellation_request"]["status_code"] == "VALIDATION_FAILED"
    assert names(seller, 2) == ["Agreement Cancellation Request Validation Failed - Proposer"]


def test_an_advisory_is_issued_and_resolved_and_changes_nothing(seller):
    product = seller.product()
    bought = seller.buy(product)
    assert act(seller, bought, "issue-advisory")["advisory_issued_at"] == "2026-11-22T14:02:00.000000Z"
    assert seller.status(seller.record(bought)) == ["Success"]
    refused(seller, bought, "issue-advisory")
    seller.advance(60)
    assert act(seller, bought, "resolve-advisory")["advisory_issued_at"] is None
    refused(seller, bought, "resolve-advisory")
    issued, resolved = events(seller, 2)
    assert issued["detail-type"] == "Purchase Agreement Advisory Issued - Manufacturer"
    assert resolved["detail-type"] == "Purchase Agreement Advisory Resolved - Manufacturer"
    assert resolved["detail"] == {
        "requestId": resolved["detail"]["requestId"],
        "catalog": "AWSMarketplace",
        "agreement": {"id": bought["agreement_id"]},
        "product": {"id": product["product_id"]},
        "acceptor": {"accountId": bought["customer_aws_account_id"]},
        "proposer": {"accountId": SELLER},
        "offer": {"id": bought["offer_id"]},
        "advisory": {"resolvedAt": "2026-11-22T14:03:00Z"},
    }
    assert issued["detail"]["advisory"] == {"issuedAt": "2026-11-22T14:02:00Z"}


def test_one_account_holds_several_agreements_that_live_apart(seller):
    product = seller.product()
    account = {"customer_aws_account_id": "444455556666"}
    first, second = seller.buy(product, **account), seller.buy(product, **account)
    act(seller, first, "cancel")
    seller.advance(7200)
    assert seller.status(seller.record(first)) == ["CustomerNotSubscribed"]
    assert seller.status(seller.record(second)) == ["Success"]


def test_a_usage_priced_trial_becomes_paid_by_itself_or_lapses_on_wish(seller):
    product = seller.product()
    stays = seller.buy(product, free_trial=True, trial_days=7)
    lapses = seller.buy(product, free_trial=True, trial_days=7, trial_lapses=True)
    assert parse_rfc3339(stays["trial_ends_at"]) - parse_rfc3339(stays["starts_at"]) == timedelta(days=7)
    seller.advance(8 * DAY)
    assert seller.do("GET", f"agreements/{stays['agreement_id']}")["status"] == "active"
    ended = seller.do("GET", f"agreements/{lapses['agreement_id']}")
    assert (ended["end_reason"], ended["ended_at"]) == ("EXPIRED", lapses["trial_ends_at"])
    again = {
        "product_code": product["product_code"],
        "customer_aws_account_id": stays["customer_aws_account_id"],
        "free_trial": True,
    }
    assert "free trial" in seller.control("POST", "agreements", again).json["detail"]


@pytest.mark.parametrize(
    ("generation", "pricing_model", "body"),
    [
        ("concurrent_agreements", "subscription", {"free_trial": True, "offer": "private"}),
        ("concurrent_agreements", "subscription", {"starts_at": "2026-11-22T13:00:00Z"}),
        ("concurrent_agreements", "subscription", {"starts_at": "2030-11-22T13:00:00Z"}),
        ("concurrent_agreements", "subscription", {"partner_account_id": SELLER}),
        ("concurrent_agreements", "subscription", {"term_days": 30}),
        ("concurrent_agreements", "subscription", {"auto_renew": True}),
        ("concurrent_agreements", "contract", {"renewal_price_range": True}),
        ("concurrent_agreements", "subscription", {"payment_fails": True}),
    ],
)
def test_offers_that_aws_has_not_are_refused(seller, generation, pricing_model, body):
    product = seller.product(generation, pricing_model=pricing_model)
    answer = seller.control("POST", "agreements", {"product_code": product["product_code"], **body})
    assert answer.status == 409
    assert seller.do("GET", "agreements") == {"agreements": []}


def test_pay_as_you_go_without_a_term_has_nothing_to_renew(seller):
    bought = seller.buy(seller.product())
    for action in ("renew", "replace", "expire", "amend"):
        assert "term" in refused(seller, bought, action)
    private = seller.buy(seller.product(), offer="private", term_days=10)
    assert act(seller, private, "renew")["end_reason"] == "RENEWED"


def test_a_month_of_hours_is_played_in_seconds(seller):
    bought = seller.buy(seller.product())
    for _ in range(720):
        seller.advance(3600)
    assert seller.now() == parse_rfc3339(bought["accepted_at"]) + timedelta(hours=720, seconds=120)


def test_a_running_clock_lets_terms_end_by_themselves(seller):
    seller.buy(seller.product(pricing_model="contract"), term_days=1, active=False)
    seller.do("PUT", "clock", {"speed": 100_000})
    for _ in range(100):
        if len(names(seller)) == 4:
            break
        time.sleep(0.05)
    assert names(seller)[2:] == [
        "Purchase Agreement Ended - Proposer",
        "License Deprovisioned - Manufacturer",
    ]
    assert events(seller)[2]["time"] == "2026-11-23T14:00:00Z"


def test_a_life_survives_a_restart(serve, tmp_path):
    settings = {"start": parse_rfc3339("2026-11-22T14:00:00Z"), "database": str(tmp_path / "state.db")}
    seller = serve(Settings(**settings))
    bought = seller.buy(seller.product(pricing_model="contract"), auto_renew=True, partner_account_id=PARTNER)
    act(seller, bought, "request-cancellation")
    seller.do("PUT", "news-delivery", {"double": True})
    before = (seller.do("GET", "agreements"), seller.do("GET", "news-delivery"))
    again = serve(Settings(**settings))
    assert (again.do("GET", "agreements"), again.do("GET", "news-delivery")) == before
