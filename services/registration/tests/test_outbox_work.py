"""What registering sets going: hand-overs, letters, Quick Launch; each until it is done."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import boto3
import httpx
import pytest
import structlog
import yaml
from conftest import (
    CONCURRENT,
    DEPLOYMENT_SECRET,
    HAND_OVER_ADDRESS,
    HANDING_OVER,
    LICENSE_ARN,
    OPENAPI,
    START,
    Browser,
    House,
    a_license,
    concurrent_answer,
    news,
)

from registration import subscription_ids
from registration.mail import MailAway, MailRefused, Reason
from registration.marketplace import ParameterNotPut
from registration.outbox_items import Kind, new_item
from registration.settling import settle
from registration.tables import ClaimRow, CustomerRow, IdentityRow, OutboxRow
from registration.tables.rows import outbox_row

Problem = Callable[[Any], tuple[int, str]]

SUBSCRIPTION_ID = subscription_ids.of_license(LICENSE_ARN)
TIMED_OUT = httpx.ReadTimeout("too slow")


def every_item_of_every_table() -> str:
    client = boto3.client("dynamodb", region_name="us-east-1")
    return json.dumps([client.scan(TableName=name)["Items"] for name in client.list_tables()["TableNames"]])


def hand_over(house: House, token: str = "token-1", **more: Any) -> dict[str, Any]:
    """Arrive with a product that hands over and submit; the answer."""
    created = house.arrive(token, ProductCode=HANDING_OVER, **more.pop("answer", {}))
    answer = house.register(created, fields={"purpose": "Weather"}, **more)
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())


# -- handing over --------------------------------------------------------------------------------------------


def test_the_sellers_back_end_names_the_account_while_the_buyer_waits(house: House) -> None:
    browser = house.land(offer_type="free-trial", ProductCode=HANDING_OVER)
    assert browser.submit(name="Ada", company="Engines", purpose="Weather").status_code == 303

    page = browser.get()
    assert "Your account is set up" in page.text
    assert f"acct-{SUBSCRIPTION_ID}" in page.text
    (customer,), (claim,) = CustomerRow.scan(), ClaimRow.scan()
    assert customer.account_id == f"acct-{SUBSCRIPTION_ID}"
    assert (claim.customer_id, claim.offer_type) == (customer.customer_id, "free-trial")
    assert [row.issuer for row in IdentityRow.scan()] == ["urn:marketplane:seller-account"]

    # The signature was judged where it arrived; the address is the catalogue's.
    assert house.sellers_system.addresses == [HAND_OVER_ADDRESS]
    assert house.sellers_system.asked == [
        {
            "type": "registration.hand_over",
            "registration_id": claim.registration_id,
            "subscription_id": SUBSCRIPTION_ID,
            "product_code": HANDING_OVER,
            "product_id": f"prod-{HANDING_OVER}",
            "customer_aws_account_id": "444455556666",
            "agreement_id": "agmt-example",
            "free_trial": True,
            "email": "ada@example.com",
            "name": "Ada",
            "company": "Engines",
            "fields": {"purpose": "Weather"},
            "language": "en",
            "identity": None,
        }
    ]
    contract = yaml.safe_load((OPENAPI / "registration.yaml").read_text(encoding="utf-8"))
    promised = contract["components"]["schemas"]["HandOverRequest"]
    assert set(house.sellers_system.asked[0]) == set(promised["properties"]) == set(promised["required"])


def test_a_back_end_that_is_slow_keeps_nobody_waiting(house: House) -> None:
    house.sellers_system.answers = [TIMED_OUT]
    browser = house.land(ProductCode=HANDING_OVER)
    assert browser.submit(purpose="Weather").status_code == 303

    waiting = browser.get()
    assert "Your account is being made" in waiting.text
    assert SUBSCRIPTION_ID in waiting.text
    assert "ada@example.com" not in waiting.text
    assert CustomerRow.count() == 0
    assert house.work() == 0  # Not due yet.

    house.clock.advance(seconds=1)
    assert house.work() == 1
    assert "Your account is set up" in browser.get().text
    assert CustomerRow.count() == 1
    first, second = house.sellers_system.ids
    assert first == second
    assert house.sellers_system.asked[0] == house.sellers_system.asked[1]


def test_by_api_the_caller_hears_that_it_is_pending(house: House, problem: Problem) -> None:
    house.sellers_system.answers = [TIMED_OUT]
    created = house.arrive("token-1", ProductCode=HANDING_OVER)
    details = {"fields": {"purpose": "Weather"}}

    answer = house.register(created, **details)
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["customer_id"]) == ("open", None)
    assert answer.json()["hand_over"] == {"status": "pending", "detail": None}

    # Submitting again asks nothing more; nobody else can claim it meanwhile.
    assert house.register(created, **details).json()["hand_over"] == {"status": "pending", "detail": None}
    assert len(house.sellers_system.asked) == 1
    other = house.arrive("token-2", ProductCode=HANDING_OVER)
    assert other["hand_over"] is None
    assert problem(house.register(other, **details)) == (409, "subscription-already-claimed")

    house.clock.advance(seconds=1)
    house.work()
    session = {"X-Registration-Session": created["session_secret"]}
    read = house.client.get(f"/v1/registrations/{created['registration_id']}", headers=session).json()
    assert (read["status"], read["hand_over"]) == ("registered", None)
    assert read["customer_id"]


def test_asked_in_time_the_api_answers_created(house: House) -> None:
    created = house.arrive("token-1", ProductCode=HANDING_OVER)
    answer = house.register(created, fields={"purpose": "Weather"})
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/customers/{answer.json()['customer_id']}"
    again = house.register(created, fields={"purpose": "Weather"})
    assert (again.status_code, again.json()) == (200, answer.json())
    assert len(house.sellers_system.asked) == 1


@pytest.mark.parametrize("status", [409, 422])
def test_a_no_brings_the_form_back_with_the_back_ends_words(house: House, status: int) -> None:
    words = "Please use your <company> address.\nThank you."
    house.sellers_system.answers = [httpx.Response(status, json={"detail": words})]
    browser = house.land(ProductCode=HANDING_OVER)
    assert browser.submit(purpose="Weather").status_code == 303

    page = browser.get()
    assert page.status_code == 200
    assert "Your account could not be made with these entries" in page.text
    assert "Please use your &lt;company&gt; address.Thank you." in page.text
    # The claim is free again, and nothing is left to do.
    assert ClaimRow.count() == CustomerRow.count() == OutboxRow.count() == 0

    house.clock.advance(minutes=1)
    assert browser.submit("ada@company.example", purpose="Weather").status_code == 303
    assert "Your account is set up" in browser.get().text
    first, second = house.sellers_system.ids
    # Another question has another key: a back end that remembers its answers would say no for ever.
    assert first != second
    assert house.sellers_system.asked[1]["email"] == "ada@company.example"


def test_by_api_a_no_is_told_with_its_words(house: House) -> None:
    house.sellers_system.answers = [
        httpx.Response(422, json={"detail": "x" * 600}),
        httpx.Response(409, json={"detail": 7}),
        httpx.Response(409, content=b"no"),
    ]
    created = house.arrive("token-1", ProductCode=HANDING_OVER)
    told = [house.register(created, fields={"purpose": "x"}).json() for _ in range(4)]
    assert [one["hand_over"] for one in told] == [
        {"status": "refused", "detail": "x" * 500},
        {"status": "refused", "detail": None},
        {"status": "refused", "detail": None},
        None,
    ]
    assert [one["status"] for one in told] == ["open", "open", "open", "registered"]


def test_a_no_without_words_has_ours(house: House) -> None:
    house.sellers_system.answers = [httpx.Response(409)]
    browser = house.land(ProductCode=HANDING_OVER)
    browser.submit(purpose="Weather")
    assert "Please check what you entered, or write to us." in browser.get().text


def test_after_a_no_another_may_claim(house: House) -> None:
    house.sellers_system.answers = [httpx.Response(409)]
    refused = house.land("token-1", ProductCode=HANDING_OVER)
    refused.submit(purpose="Weather")
    other = house.land("token-2", ProductCode=HANDING_OVER)
    assert "could not be made" not in other.get().text
    other.submit("eve@example.com", purpose="Weather")
    assert [row.email for row in CustomerRow.scan()] == ["eve@example.com"]
    page = refused.get()
    assert "This subscription is registered" in page.text
    assert "eve@example.com" not in page.text


def answered(**body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (TIMED_OUT, "the seller's back end did not answer (ReadTimeout)"),
        (httpx.ConnectError("refused"), "the seller's back end did not answer (ConnectError)"),
        (httpx.Response(500), "the seller's back end answered 500"),
        (httpx.Response(404), "the seller's back end answered 404"),
        (httpx.Response(204), "the seller's back end answered 204"),
        (
            httpx.Response(307, headers={"Location": "https://evil.example/"}),
            "the seller's back end answered 307",
        ),
        (
            httpx.Response(200, content=b"<html>"),
            "the seller's back end answered without a usable account_id",
        ),
        (httpx.Response(200, json=["acct"]), "the seller's back end answered without a usable account_id"),
        (answered(account_id=""), "the seller's back end answered without a usable account_id"),
        (answered(account_id=17), "the seller's back end answered without a usable account_id"),
        (answered(account_id="a\nb"), "the seller's back end answered without a usable account_id"),
        (answered(account_id="a" * 201), "the seller's back end answered without a usable account_id"),
        (
            answered(account_id="a", deployment_secret=""),
            "the seller's back end answered with an unusable deployment_secret",
        ),
        (
            answered(account_id="a", deployment_secret="x" * 15_001),
            "the seller's back end answered with an unusable deployment_secret",
        ),
        (answered(account_id="a" * 70_000), "the seller's back end answered more than 64 KiB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_neither_yes_nor_no_is_asked_again(house: House, answer: Any, error: str) -> None:
    house.sellers_system.answers = [answer]
    assert hand_over(house)["hand_over"] == {"status": "pending", "detail": None}
    (item,) = house.outbox()
    assert (item["kind"], item["attempts"], item["last_error"]) == ("hand_over", 1, error)
    assert item["due_at"] == "2026-11-22T10:00:01.000000Z"
    assert (ClaimRow.count(), CustomerRow.count()) == (1, 0)

    house.clock.advance(seconds=1)
    assert house.work() == 1
    assert CustomerRow.count() == 1
    assert len(set(house.sellers_system.ids)) == 1
    assert set(house.sellers_system.addresses) == {HAND_OVER_ADDRESS}


def test_the_pauses_grow_to_half_an_hour_and_never_end(house: House) -> None:
    house.sellers_system.answers = [httpx.Response(503) for _ in range(14)]
    hand_over(house)
    pauses = []
    for _ in range(13):
        (item,) = house.parts.tables.outbox(10, None)[0]
        pauses.append((item.due_at - house.clock.now()).total_seconds())
        house.clock.advance(seconds=pauses[-1])
        assert house.work() == 0
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1800, 1800]
    assert len(set(house.sellers_system.ids)) == 1


def test_an_answer_that_names_a_known_account_joins_that_customer(house: House) -> None:
    house.sellers_system.answers = [answered(account_id="acct-1", deployment_secret="s1")]
    first = hand_over(house, email="first@example.com")["customer_id"]
    house.sellers_system.answers = [answered(account_id="acct-1", deployment_secret="s2")]
    second = hand_over(house, "token-2", email="second@example.com", answer={"license_arn": a_license(2)})

    assert second["customer_id"] == first
    (customer,) = CustomerRow.scan()
    assert (customer.email, customer.account_id, customer.version) == ("first@example.com", "acct-1", 2)
    assert len(customer.subscription_ids) == 2
    listed = house.client.get("/v1/customers", params={"account_id": "acct-1"}, headers=house.operator)
    assert [one["customer_id"] for one in listed.json()["items"]] == [first]


def test_a_process_that_died_while_asking_is_followed_by_another(house: House) -> None:
    """The item was in its hands: nobody else has it before the lease is over, somebody has it after."""
    house.sellers_system.answers = [TIMED_OUT]
    hand_over(house)
    house.clock.advance(seconds=1)
    (item,) = house.parts.tables.outbox(10, None)[0]
    assert house.parts.tables.replace_outbox_item(item, item.taken(house.clock.now()))

    house.clock.advance(seconds=59)
    assert house.work() == 0
    house.clock.advance(seconds=1)
    assert house.work() == 1
    assert CustomerRow.count() == 1
    assert len(set(house.sellers_system.ids)) == 1


def test_a_process_that_died_after_the_answer_was_acted_on_leaves_nothing_to_do(house: House) -> None:
    hand_over(house)
    claim = next(iter(ClaimRow.scan()))
    payload = {"registration_id": claim.registration_id}
    stale = new_item(Kind.HAND_OVER, "stale", SUBSCRIPTION_ID, None, START, payload)
    outbox_row(stale).save()
    house.work()
    assert OutboxRow.count() == 0
    assert len(house.sellers_system.asked) == 1


def test_a_product_that_no_longer_hands_over_is_told_to_operators(house: House) -> None:
    house.sellers_system.answers = [TIMED_OUT]
    hand_over(house)
    claim = next(iter(ClaimRow.scan()))
    for code, error in (
        (CONCURRENT, "the catalogue or the settings no longer say where to hand over"),
        ("gone", "the product has left the catalogue"),
    ):
        claim.update(actions=[ClaimRow.product_code.set(code)])
        house.clock.advance(minutes=1)
        assert house.work() == 0
        assert [one["last_error"] for one in house.outbox()] == [error]


def test_no_page_waits_for_another_registrations_hand_over(house: House) -> None:
    house.sellers_system.answers = [TIMED_OUT]
    hand_over(house)
    assert "Your account is being made" not in house.land("token-2", ProductCode=HANDING_OVER).get().text


# -- Quick Launch --------------------------------------------------------------------------------------------


def test_the_deployment_parameter_is_put_once(house: House) -> None:
    hand_over(house)
    kept = every_item_of_every_table()
    assert DEPLOYMENT_SECRET not in kept
    assert {one["kind"] for one in house.outbox()} == {"welcome_letter", "deployment_parameter"}
    assert DEPLOYMENT_SECRET not in json.dumps(house.outbox())

    house.work()
    house.work()

    assert house.marketplace.parameters == [
        (
            f"prod-{HANDING_OVER}",
            "agmt-example",
            "ApiKey",
            DEPLOYMENT_SECRET,
            f"deployment-parameter-{SUBSCRIPTION_ID}",
        )
    ]
    assert house.outbox() == []
    assert DEPLOYMENT_SECRET not in every_item_of_every_table()


def test_a_parameter_that_aws_does_not_take_is_put_again(house: House) -> None:
    house.marketplace.refusals = [
        ParameterNotPut("ThrottlingException"),
        ParameterNotPut("ConflictException"),
    ]
    with structlog.testing.capture_logs() as said:
        hand_over(house)
        for code in ("ThrottlingException", "ConflictException"):
            house.work()
            (item,) = house.outbox()
            assert item["last_error"] == f"AWS did not take the deployment parameter ({code})"
            assert DEPLOYMENT_SECRET not in str(item)
            house.clock.advance(minutes=1)
        assert house.work() == 1
    assert [put[3] for put in house.marketplace.parameters] == [DEPLOYMENT_SECRET]
    assert house.outbox() == []
    assert said
    assert DEPLOYMENT_SECRET not in str(said)


def test_a_back_end_that_gives_no_secret_is_told_to_operators(house: House) -> None:
    house.sellers_system.answers = [answered(account_id="acct-1")]
    assert hand_over(house)["customer_id"]
    house.work()
    (item,) = house.outbox()
    assert item["last_error"] == (
        "the seller's back end gave no deployment_secret for this product's Quick Launch"
    )
    assert house.marketplace.parameters == []


def test_a_secret_that_cannot_be_opened_is_told_to_operators(house: House) -> None:
    hand_over(house)
    (row,) = OutboxRow.scan(OutboxRow.kind == "deployment_parameter")
    row.update(actions=[OutboxRow.payload.set(row.payload | {"deployment_secret": "sealed elsewhere"})])
    house.work()
    (item,) = house.outbox()
    assert item["last_error"] == "the deployment secret cannot be opened: was SESSION_SECRET changed?"
    assert house.marketplace.parameters == []


def test_without_an_agreement_there_is_no_quick_launch(house: House) -> None:
    hand_over(house, answer={"Metadata": {}})
    assert [one["kind"] for one in house.outbox()] == ["welcome_letter"]


def test_after_erasure_nothing_is_put(house: House) -> None:
    customer_id = hand_over(house)["customer_id"]
    assert house.client.delete(f"/v1/customers/{customer_id}", headers=house.operator).status_code == 204
    house.work()
    assert house.outbox() == []
    assert house.marketplace.parameters == []
    assert house.mail.sent == []


# -- letters -------------------------------------------------------------------------------------------------


def settled(house: House) -> int:
    """What a signal leads to; how many letters it set going."""
    claims, _ = house.parts.tables.claims(100, None)
    return settle(house.parts.tables, claims, house.parts.catalogue, house.clock.now()).access_told


def subjects(house: House) -> list[str]:
    return [letter.subject for letter, *_ in house.mail.sent]


def test_who_waits_for_access_gets_a_letter_now_and_one_then(house: House) -> None:
    customer_id = house.customer_of("token-1")
    assert house.work() == 1
    ((letter, to, idempotency_id),) = house.mail.sent
    assert to == "ada@example.com"
    assert idempotency_id == f"welcome-letter-{SUBSCRIPTION_ID}"
    assert letter.subject == "Your account for Endpoints is confirmed"
    assert "as soon as AWS Marketplace confirms the subscription" in letter.text
    assert customer_id in letter.text
    assert settled(house) == 0

    news(SUBSCRIPTION_ID, "active", "granted")
    assert [settled(house), settled(house)] == [1, 0]
    assert house.work() == 1
    assert subjects(house)[1:] == ["You have access to Endpoints now"]
    assert house.mail.sent[1][2] == f"access-letter-{SUBSCRIPTION_ID}"
    # Whatever comes after, the letter was that one.
    news(SUBSCRIPTION_ID, "ending", "granted")
    assert settled(house) == house.work() == 0
    assert house.outbox() == []


def test_who_has_access_already_gets_one_letter(house: House) -> None:
    news(SUBSCRIPTION_ID, "active", "granted")
    house.customer_of("token-1")
    assert house.work() == 1
    ((letter, *_),) = house.mail.sent
    assert "You have access now." in letter.text
    assert settled(house) == house.work() == 0
    assert len(house.mail.sent) == 1


@pytest.mark.parametrize("status", ["pending", "ended", "failed"])
def test_without_access_there_is_no_letter_that_says_so(house: House, status: str) -> None:
    house.customer_of("token-1")
    house.work()
    news(SUBSCRIPTION_ID, status, "denied")
    assert settled(house) == 0


def test_letters_are_in_the_language_of_the_form(house: House) -> None:
    created = house.arrive("token-1")
    assert house.register(created, language="de").status_code == 201
    house.work()
    news(SUBSCRIPTION_ID, "active", "granted")
    settled(house)
    house.work()
    assert len(house.mail.sent) == 2
    for letter, *_ in house.mail.sent:
        assert letter.text.startswith("Guten Tag,")


def test_each_purchase_of_a_customer_has_letters_of_its_own(house: House) -> None:
    house.buys("ada", 1)
    house.buys("ada", 2)
    house.work()
    assert len({one[2] for one in house.mail.sent}) == 2


def test_letters_that_wait_are_dropped_after_erasure(house: House) -> None:
    customer_id = house.customer_of("token-1")
    news(SUBSCRIPTION_ID, "active", "granted")
    # As after a release that wrote both.
    letter = new_item(Kind.ACCESS_LETTER, SUBSCRIPTION_ID, SUBSCRIPTION_ID, customer_id, house.clock.now())
    outbox_row(letter).save()
    assert house.client.delete(f"/v1/customers/{customer_id}", headers=house.operator).status_code == 204

    assert house.work() == 2
    assert house.mail.sent == []
    assert house.outbox() == []
    assert "ada@example.com" not in every_item_of_every_table()


def test_while_mail_is_away_letters_wait(house: House) -> None:
    house.mail.refusals = [MailAway("ConnectTimeoutError"), MailAway("ThrottlingException")]
    house.customer_of("token-1")
    for attempts in (1, 2):
        assert house.work() == 0
        (item,) = house.outbox()
        assert (item["attempts"], item["last_error"]) == (attempts, "the mail service is away")
        house.clock.advance(seconds=2)
    assert house.work() == 1
    assert [one[2] for one in house.mail.sent] == [f"welcome-letter-{SUBSCRIPTION_ID}"]


@pytest.mark.parametrize("reason", [Reason.SENDER_NOT_VERIFIED, Reason.SENDING_STOPPED, Reason.OUR_FAULT])
def test_a_letter_that_we_can_mend_is_kept(house: House, reason: Reason) -> None:
    house.mail.refusals = [MailRefused(reason, "SomeException")]
    house.customer_of("token-1")
    assert house.work() == 0
    (item,) = house.outbox()
    assert item["last_error"] == f"the mail service refuses us: {reason.value} (SomeException)"
    house.clock.advance(seconds=1)
    assert house.work() == 1
    assert len(house.mail.sent) == 1


def test_a_letter_to_no_address_is_dropped_with_a_word(house: House) -> None:
    house.mail.refusals = [MailRefused(Reason.BAD_ADDRESS, "MessageRejected")]
    house.customer_of("token-1", "nobody@example.com")
    with structlog.testing.capture_logs() as said:
        assert house.work() == 1
    assert house.outbox() == house.mail.sent == []
    (line,) = [one for one in said if one["event"].startswith("A letter cannot be delivered")]
    assert line["error_code"] == "MessageRejected"
    assert "nobody@example.com" not in str(said)


# -- all of it -----------------------------------------------------------------------------------------------


def test_what_is_to_be_done_is_listed_without_what_it_says(house: House) -> None:
    house.mail.refusals = [MailAway("away")]
    customer_id = house.customer_of("token-1")
    house.work()
    assert house.outbox() == [
        {
            "outbox_id": f"welcome-letter-{SUBSCRIPTION_ID}",
            "kind": "welcome_letter",
            "state": "waiting",
            "subscription_id": SUBSCRIPTION_ID,
            "customer_id": customer_id,
            "created_at": "2026-11-22T10:00:00.000000Z",
            "due_at": "2026-11-22T10:00:01.000000Z",
            "attempts": 1,
            "last_error": "the mail service is away",
        }
    ]
    assert house.outbox(state="waiting") == house.outbox()
    assert house.outbox(state="stuck") == []


def test_the_list_goes_on_by_page(house: House, problem: Problem) -> None:
    ids = set()
    for number in range(5):
        house.customer_of(f"token-{number}", license_arn=a_license(number))
        ids.add(f"welcome-letter-{subscription_ids.of_license(a_license(number))}")
    found: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = house.client.get("/v1/outbox-items", params=query, headers=house.operator).json()
        assert len(page["items"]) <= 2
        found += [item["outbox_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(found) == sorted(ids)
    foreign = house.client.get("/v1/outbox-items?cursor=no-cursor", headers=house.operator)
    assert problem(foreign) == (400, "invalid-request")


def test_after_three_days_an_item_is_stuck_and_tried_each_hour(house: House) -> None:
    house.mail.refusals = [MailAway("away") for _ in range(3)]
    house.customer_of("token-1")
    house.work()
    house.clock.advance(days=3, seconds=-1)
    assert [one["state"] for one in house.outbox()] == ["waiting"]
    house.clock.advance(seconds=1)
    with structlog.testing.capture_logs() as said:
        assert house.work() == 0
    (item,) = house.outbox(state="stuck")
    assert item["due_at"] == "2026-11-25T11:00:00.000000Z"
    assert ("error", "stuck") in [(one["log_level"], one.get("state")) for one in said]
    metrics = house.client.get("/metrics").text
    assert 'marketplane_registration_outbox_items{state="stuck"} 1.0' in metrics
    assert 'marketplane_registration_outbox_items{state="waiting"} 0.0' in metrics
    house.clock.advance(minutes=59)
    assert house.work() == 0
    assert len(house.mail.refusals) == 1
    house.clock.advance(minutes=1)
    assert house.work() == 0
    house.clock.advance(hours=1)
    assert house.work() == 1
    assert len(house.mail.sent) == 1


def test_an_operator_has_an_item_tried_now(house: House, problem: Problem) -> None:
    house.mail.refusals = [MailAway("away") for _ in range(6)]
    house.customer_of("token-1")
    for _ in range(6):
        house.work()
        house.clock.advance(seconds=20)
    (item,) = house.outbox()
    assert item["attempts"] > 3
    assert house.work() == 0

    retried = house.client.post(f"/v1/outbox-items/{item['outbox_id']}/retry", headers=house.operator)

    assert retried.status_code == 200
    assert retried.json() == item | {"attempts": 0, "due_at": retried.json()["due_at"]}
    assert house.outbox() == [retried.json()]
    house.mail.refusals.clear()
    assert house.work() == 1
    gone = house.client.post(f"/v1/outbox-items/{item['outbox_id']}/retry", headers=house.operator)
    assert problem(gone) == (404, "not-found")


def test_one_items_surprise_does_not_hold_up_the_others(house: House) -> None:
    house.mail.refusals = [RuntimeError("a surprise with ada@example.com in it")]
    for number in range(3):
        house.customer_of(f"token-{number}", license_arn=a_license(number))
    assert house.work() == 2
    (item,) = house.outbox()
    assert item["last_error"] == "RuntimeError"
    house.clock.advance(seconds=1)
    assert house.work() == 1
    assert len({one[2] for one in house.mail.sent}) == 3


def test_two_workers_do_not_do_one_thing_twice(house: House) -> None:
    for number in range(6):
        house.customer_of(f"token-{number}", license_arn=a_license(number))
    with ThreadPoolExecutor(2) as pool:
        done = [one.result() for one in [pool.submit(house.work), pool.submit(house.work)]]
    assert sum(done) == 6
    assert sorted(one[2] for one in house.mail.sent) == sorted({one[2] for one in house.mail.sent})
    assert house.outbox() == []


def test_an_outbox_of_many_pages_is_worked_off_in_one_round(house: House) -> None:
    long_ago = START - timedelta(hours=1)
    with OutboxRow.batch_write() as batch:
        for number in range(130):
            item = new_item(Kind.WELCOME_LETTER, f"sub_{number}", f"sub_{number}", "cus_gone", long_ago)
            batch.save(outbox_row(item))
    assert house.work() == 130
    assert OutboxRow.count() == 0


def test_a_buyer_of_a_product_that_left_the_catalogue_is_not_forgotten(house: House) -> None:
    house.customer_of("token-1")
    next(iter(ClaimRow.scan())).update(actions=[ClaimRow.product_code.set("gone")])
    assert house.work() == 0
    assert [one["last_error"] for one in house.outbox()] == ["the product has left the catalogue"]


def test_the_retry_of_a_form_after_a_slow_back_end_is_the_same_act(house: House) -> None:
    """The browser sends its form twice while the back end is slow; only one account comes of it."""
    house.sellers_system.answers = [TIMED_OUT]
    house.marketplace.answers["token-1"] = concurrent_answer(ProductCode=HANDING_OVER)
    browser: Browser = house.land(ProductCode=HANDING_OVER)
    form = {"csrf_token": browser.csrf_token(), "email": "ada@example.com", "purpose": "Weather"}
    assert [browser.post("/register/customer", form).status_code for _ in range(2)] == [303, 303]
    assert len(house.sellers_system.asked) == 1
    house.clock.advance(seconds=1)
    house.work()
    assert browser.post("/register/customer", form).status_code == 303
    assert CustomerRow.count() == 1
    assert "Your account is set up" in browser.get().text
