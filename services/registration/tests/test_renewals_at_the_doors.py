"""Renewals on real tables: by a signal, by the sweep, with the first letter, and with a buyer at the door."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import httpx
import pytest
from conftest import (
    CONCURRENT,
    DEPLOYMENT_SECRET,
    HAND_OVER_ADDRESS,
    HANDING_OVER,
    Browser,
    House,
    a_license,
    news,
)
from structlog.testing import capture_logs
from test_worker import Rounds, signal_of

from chassis.queues import Queue, create_queue_with_dlq
from registration import subscription_ids
from registration.marketplace import ParameterNotPut
from registration.measures import RENEWALS_ELSEWHERE
from registration.tables import ClaimRow, CustomerRow, OutboxRow
from registration.worker import loops

Problem = Callable[[Any], tuple[int, str]]

OLD, NEW, THIRD = (subscription_ids.of_license(a_license(number)) for number in (1, 2, 3))
FIRST, SECOND = {"LicenseArn": a_license(1)}, {"LicenseArn": a_license(2)}
QUEUE = "registration-signals-of-renewals-in-tests"


@pytest.fixture(scope="module")
def sqs(shared_house: House) -> Any:
    client = boto3.session.Session().client("sqs", region_name="us-east-1")
    create_queue_with_dlq(client, QUEUE)
    return client


@pytest.fixture
def queue(house: House, sqs: Any) -> Iterator[Queue]:
    queue = Queue(sqs, QUEUE)
    yield queue
    sqs.purge_queue(QueueUrl=queue.url)


def run(house: House, queue: Queue, loop: str) -> list[Any]:
    """One round of one of the worker's loops; the log of it."""
    parts = house.parts
    with capture_logs() as lines:
        loops(parts.tables, parts.outbox, parts.catalogue, queue, house.clock.now, 300)[loop](Rounds(1))
    return list(lines)


def renewed(product_code: str = CONCURRENT) -> None:
    """What notifications publishes of a renewal, of both in one transaction."""
    news(OLD, "ending", "granted", product_code=product_code, next_subscription_id=NEW)
    news(
        NEW,
        "active",
        "granted",
        product_code=product_code,
        previous_subscription_id=OLD,
        agreement_id="agmt-new",
        customer_aws_account_id="444455556666",
    )


def registered(house: House, **answer: Any) -> str:
    """A customer who has the old one, and their letter."""
    news(OLD, "active", "granted", product_code=answer.get("ProductCode", CONCURRENT))
    created = house.arrive("token-old", **FIRST, **answer)
    fields = {"fields": {"purpose": "Weather"}} if "ProductCode" in answer else {}
    assert house.register(created, **fields).status_code == 201
    house.work()
    claim = ClaimRow.get(OLD, consistent_read=True)
    return str(claim.customer_id)


def holder_of(subscription_id: str) -> str | None:
    rows = list(ClaimRow.query(subscription_id, consistent_read=True))
    return str(rows[0].customer_id) if rows else None


@pytest.mark.parametrize("what", [OLD, NEW, "sweep"])
def test_whichever_row_makes_us_look(house: House, queue: Queue, what: str) -> None:
    customer_id = registered(house)
    renewed()
    if what == "sweep":
        lines = run(house, queue, "sweep")
    else:
        queue.send(signal_of(what))
        lines = run(house, queue, "signals")
    assert holder_of(NEW) == customer_id
    said = [line for line in lines if line["event"].startswith("A renewal goes to the customer")]
    assert [(line["subscription_id"], line["previous_subscription_id"]) for line in said] == [(NEW, OLD)]

    answer = house.client.get(f"/v1/customers/{customer_id}/access", headers=house.reader).json()
    held = [(one["subscription_id"], one["access"], one["can_pay"]) for one in answer["subscriptions"]]
    assert held == [(OLD, "granted", True), (NEW, "granted", True)]
    assert answer["subscriptions"][0]["next_subscription_id"] == NEW
    assert answer["subscriptions"][1]["previous_subscription_id"] == OLD
    # The letter that confirmed the account was the only one.
    run(house, queue, "sweep")
    assert OutboxRow.count() == 0
    assert len(house.mail.sent) == 1


def test_what_was_renewed_before_anybody_came(house: House) -> None:
    renewed()
    customer_id = house.customer_of("token-old", **FIRST)
    assert holder_of(NEW) is None
    house.work()
    assert holder_of(NEW) == customer_id
    ((letter, *_),) = house.mail.sent
    assert "You have access now." in letter.text
    assert house.work() == 0


def test_what_somebody_else_registered_is_seen_and_not_moved(house: House, queue: Queue) -> None:
    first = registered(house)
    news(NEW, "active", "granted")
    other = house.customer_of("token-new", "eve@example.com", **SECOND)
    house.work()
    renewed()
    queue.send(signal_of(OLD))
    (line,) = [line for line in run(house, queue, "signals") if line["log_level"] == "warning"]
    assert (line["subscription_id"], line["customer_id"]) == (NEW, first)
    assert "belongs to another customer" in line["event"]
    assert holder_of(NEW) == other != first
    # The sweep does not say it again and again; it counts.
    assert [line for line in run(house, queue, "sweep") if line["log_level"] == "warning"] == []
    assert RENEWALS_ELSEWHERE._value.get() == 1
    shown = house.client.get(f"/v1/customers/{first}", headers=house.operator).json()["subscriptions"]
    assert [(one["subscription_id"], one["next_subscription_id"]) for one in shown] == [(OLD, NEW)]

    assert house.client.delete(f"/v1/customers/{first}", headers=house.operator).status_code == 204
    run(house, queue, "sweep")
    assert RENEWALS_ELSEWHERE._value.get() == 0


def test_after_erasure_nothing_goes_along(house: House, queue: Queue) -> None:
    first = registered(house)
    assert house.client.delete(f"/v1/customers/{first}", headers=house.operator).status_code == 204
    renewed()
    for what in (OLD, NEW):
        queue.send(signal_of(what))
    run(house, queue, "signals")
    run(house, queue, "sweep")
    assert holder_of(NEW) is None
    # Who lands with it is a new customer.
    second = house.customer_of("token-new", "ada@example.com", **SECOND)
    assert second != first
    assert holder_of(NEW) == second


def test_what_goes_along_is_a_change_like_any_other(house: House, queue: Queue) -> None:
    customer_id = registered(house)
    path = f"/v1/customers/{customer_id}"
    read = house.client.get(path, headers=house.operator).headers["etag"]
    renewed()
    run(house, queue, "sweep")
    stale = house.client.patch(path, json={"name": "X"}, headers=house.operator | {"If-Match": read})
    assert stale.status_code == 412
    changed = house.client.patch(path, json={"name": "Countess"}, headers=house.operator)
    assert (changed.json()["name"], changed.json()["version"]) == ("Countess", 3)
    found = house.client.get(f"/v1/customers?subscription_id={NEW}", headers=house.operator).json()["items"]
    assert [one["customer_id"] for one in found] == [customer_id]


# -- a buyer at the door, before the worker has looked -------------------------------------------------------


def test_who_lands_with_a_renewal_is_known(house: House) -> None:
    customer_id = registered(house)
    renewed()
    browser = house.land("token-new", **SECOND)
    page = browser.get()
    assert page.status_code == 200
    assert "<form" not in page.text or 'name="email"' not in page.text
    assert "ada@example.com" not in page.text
    assert holder_of(NEW) == customer_id
    assert CustomerRow.count() == 1


def test_a_form_that_was_open_already_takes_nothing_away(house: House, problem: Problem) -> None:
    customer_id = registered(house)
    browser = house.land("token-new", **SECOND)
    token = browser.csrf_token()
    created = house.arrive("token-newer", **SECOND)
    assert created["status"] == "open"
    renewed()
    form = {"csrf_token": token, "email": "eve@example.com"}
    refused = browser.post("/register/customer", form, headers={"Accept": "application/json"})
    assert problem(refused) == (409, "subscription-already-claimed")
    assert problem(house.register(created, "eve@example.com")) == (409, "subscription-already-claimed")
    assert holder_of(NEW) == customer_id
    assert CustomerRow.count() == 1


def test_who_signs_in_with_a_renewal_finds_their_account(house: House) -> None:
    customer_id = house.buys("ada", 1)
    house.work()
    browser = house.land("token-new", **SECOND)
    browser.sign_in(house.oidc, "ada")
    token = browser.csrf_token()
    renewed()
    submitted = browser.post("/register/customer", {"csrf_token": token, "email": "ada@example.com"})
    assert submitted.status_code == 303
    assert re.search("is registered|account is set up", browser.get().text)
    assert holder_of(NEW) == customer_id


def test_without_the_siblings_table_a_buyer_registers_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(house.parts.tables), "news_of", lambda _tables, _subscription_id: None)
    registered(house)
    renewed()
    browser: Browser = house.land("token-new", **SECOND)
    assert browser.submit("eve@example.com").status_code == 303
    assert holder_of(NEW)


# -- the seller's back end -----------------------------------------------------------------------------------


def test_the_back_end_that_named_the_account_hears_of_it(house: House, queue: Queue) -> None:
    customer_id = registered(house, ProductCode=HANDING_OVER)
    account = house.client.get(f"/v1/customers/{customer_id}", headers=house.operator).json()["account_id"]
    house.marketplace.parameters.clear()
    renewed(HANDING_OVER)
    run(house, queue, "sweep")
    assert holder_of(NEW) == customer_id
    # First it is away.
    house.sellers_system.answers = [httpx.ReadTimeout("too slow"), httpx.Response(500)]
    for last_error in (
        "the seller's back end did not answer (ReadTimeout)",
        "the seller's back end answered 500",
    ):
        house.work()
        (item,) = house.outbox()
        assert (item["kind"], item["last_error"]) == ("renewal_notice", last_error)
        house.clock.advance(seconds=3)
    house.sellers_system.answers = [httpx.Response(200, json={"deployment_secret": "new secret"})]
    house.work()
    (item,) = house.outbox()
    assert item["kind"] == "deployment_parameter"
    house.work()
    assert house.outbox() == []
    told = house.sellers_system.asked[1:]
    assert told == [told[0]] * 3
    assert len(set(house.sellers_system.ids[1:])) == 1
    assert set(house.sellers_system.addresses) == {HAND_OVER_ADDRESS}
    assert told[0] == {
        "type": "registration.renewed",
        "subscription_id": NEW,
        "previous_subscription_id": OLD,
        "product_code": HANDING_OVER,
        "product_id": f"prod-{HANDING_OVER}",
        "customer_id": customer_id,
        "account_id": account,
        "customer_aws_account_id": "444455556666",
        "agreement_id": "agmt-new",
    }
    ((_, agreement_id, _, secret, key),) = house.marketplace.parameters
    assert (agreement_id, key) == ("agmt-new", f"deployment-parameter-{NEW}")
    assert "new secret" in secret
    assert DEPLOYMENT_SECRET not in secret


@pytest.mark.parametrize("answer", [httpx.Response(204), httpx.Response(409), httpx.Response(422)])
def test_without_a_secret_nothing_is_put(house: House, queue: Queue, answer: httpx.Response) -> None:
    registered(house, ProductCode=HANDING_OVER)
    house.marketplace.parameters.clear()
    renewed(HANDING_OVER)
    run(house, queue, "sweep")
    house.sellers_system.answers = [answer]
    house.work()
    assert (house.outbox(), house.marketplace.parameters) == ([], [])


def test_a_notice_of_somebody_erased_is_dropped(house: House, queue: Queue) -> None:
    customer_id = registered(house, ProductCode=HANDING_OVER)
    renewed(HANDING_OVER)
    run(house, queue, "sweep")
    asked = len(house.sellers_system.asked)
    path = f"/v1/customers/{customer_id}"
    assert house.client.delete(path, headers=house.operator).status_code == 204
    house.work()
    assert house.outbox() == []
    assert len(house.sellers_system.asked) == asked


def test_a_parameter_for_an_agreement_that_has_ended_is_given_up(house: House) -> None:
    """As of one that is renewed again before AWS took its parameter; else it would be tried for ever."""
    house.marketplace.refusals = [ParameterNotPut("ConflictException")] * 2
    registered(house, ProductCode=HANDING_OVER)
    (item,) = house.outbox()
    assert item["last_error"] == "AWS did not take the deployment parameter (ConflictException)"
    news(OLD, "ending", "granted", product_code=HANDING_OVER)
    house.clock.advance(seconds=3)
    with capture_logs() as lines:
        house.work()
    assert house.outbox() == []
    assert [line["error_code"] for line in lines if "ended before" in line["event"]] == ["ConflictException"]
