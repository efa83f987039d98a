"""Buyers' whole way through a browser, from the storefront to the last hour that is billed; and what
operators see of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.portal_house import ADA, GRACE, OLGA, Person, running_house
from tests.journeys.house import DIMENSION, NEWS_QUEUE, UNTIL_ACTIVE, UNTIL_ENDING, Buyer, House
from tools.stack import ACCOUNT, REGION

ENDPOINTS = "Inference Endpoints"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running_house(tmp_path_factory.mktemp("portal")) as house:
        yield house


@pytest.fixture
def people(browser: Browser, house: House) -> Iterator[dict[str, Person]]:
    """By what they are called at the identity provider."""
    here = {subject: Person(browser, house, subject) for subject in (ADA, GRACE, OLGA)}
    yield here
    for person in here.values():
        person.close()


def test_a_buyer_is_billed_for_what_they_see(house: House, people: dict[str, Person]) -> None:
    ada = people[ADA]
    house.begin_hour()
    bought = ada.subscribe(ENDPOINTS)
    house.advance(UNTIL_ACTIVE)
    house.until_status("active", bought)

    ada.open()
    ada.sees("Your subscriptions")
    expect(ada.page.get_by_role("heading", name=ENDPOINTS)).to_be_visible()
    expect(ada.page.get_by_text("Active", exact=True)).to_be_visible()
    ada.look("subscriptions")

    create_endpoint(ada, "First")
    ada.look("endpoints")
    house.begin_hour()
    house.begin_hour()
    house.advance(timedelta(minutes=7, seconds=13))
    ada.open("/endpoints")
    ada.press("Delete First")
    ada.look("endpoint-deletion")
    ada.page.get_by_role("dialog").get_by_role("button", name="Delete endpoint").click()
    expect(ada.page.get_by_role("status").filter(has_text="First is deleted")).to_be_visible()
    note_running_time(house, bought, "First")
    house.seal_hour()
    house.assert_billed_exactly(bought)
    assert shown_at_billing(ada) == bought.total == house.billed(bought)
    ada.look("billing")
    assert shown_as_usage(ada) == bought.total
    ada.look("usage")

    # A second one runs while the subscription ends, and ends with it: its time is in AWS's final hour.
    ada.open("/endpoints")
    create_endpoint(ada, "Second")
    house.advance(timedelta(minutes=3))
    ada.cancel(bought)
    house.advance(UNTIL_ENDING)
    house.until_status("ending", bought)
    second = note_running_time(house, bought, "Second")
    assert second["ended_because"] == "subscription_ended"
    assert second["deleted_at"] <= house.subscription(bought)["meter_until"]
    house.assert_billed_exactly(bought)  # in AWS's final hour: after it nothing is taken any more
    house.begin_hour()
    house.begin_hour()
    house.until_status("ended", bought)
    assert shown_at_billing(ada) == bought.total
    ada.go("Subscriptions")
    expect(ada.page.get_by_text("Ended", exact=True).first).to_be_visible()
    ada.look("subscriptions-ended")


def test_nobody_sees_what_is_another_s(house: House, people: dict[str, Person]) -> None:
    ada, grace = people[ADA], people[GRACE]
    house.begin_hour()
    hers = ada.subscribe(ENDPOINTS)
    grace.subscribe(ENDPOINTS)
    house.advance(UNTIL_ACTIVE)
    house.until_status("active", hers)
    grace.open(f"/subscriptions/{hers.subscription_id}")
    expect(grace.page.get_by_text(hers.subscription_id)).to_have_count(0)
    expect(grace.page.get_by_role("alert")).to_be_visible()


def create_endpoint(person: Person, name: str) -> None:
    person.go("Endpoints")
    person.press("Create an endpoint")
    person.page.get_by_label("Name").fill(name)
    person.page.get_by_label("Repository").fill("acme/model")
    person.look("endpoint-new")
    person.page.get_by_role("button", name="Create").click()
    expect(
        person.page.get_by_role("table", name="Endpoints").get_by_role("rowheader", name=name)
    ).to_be_visible()


def note_running_time(house: House, bought: Buyer, name: str) -> dict[str, Any]:
    """Waits until an endpoint is metered to its end, and notes its time as the truth; answers it."""

    def ended() -> dict[str, Any] | None:
        found = house.ask("metering", "/v1/endpoints", state="deleted", limit=100)["items"]
        mine = [
            one for one in found if (one["subscription_id"], one["name"]) == (bought.subscription_id, name)
        ]
        return mine[0] if mine and mine[0]["metered_until"] == mine[0]["deleted_at"] else None

    shown = house.until(ended, f"{name} to be metered to its end", bought) or {}
    since, until = (datetime.fromisoformat(shown[moment]) for moment in ("created_at", "deleted_at"))
    micros = (until - since) // timedelta(seconds=1) * 1_000_000 // 3600
    bought.used[shown["endpoint_id"]] = Decimal(micros).scaleb(-6)
    return shown


def shown_at_billing(person: Person) -> Decimal:
    """The sum of the hours that the page lists."""
    person.open("/billing")
    person.sees("Billing")
    expect(person.page.get_by_role("table", name="Metering records")).to_be_visible()
    return sum((number(row[2]) for row in person.rows("Metering records")), Decimal(0))


def shown_as_usage(person: Person) -> Decimal:
    """This month's, of the one dimension that is used."""
    person.go("Usage")
    person.sees("Usage")
    return number(person.page.locator(".figure-value").inner_text())


def number(shown: str) -> Decimal:
    return Decimal(shown.replace(",", ""))


def test_an_operator_mends_what_went_wrong(house: House, people: dict[str, Person]) -> None:
    """News that somebody broke on the way is mended and sent once more; an hour of which AWS has another
    quantity is decided by a person; both are found from the subscription's life."""
    olga = people[OLGA]
    house.begin_hour()
    bought = house.buy("concurrent_agreements")
    letter = break_the_news_of(house, bought)

    olga.open("/operator/news/dead-letters")
    olga.sees("Dead letters")
    section = olga.page.get_by_role("region", name=f"Letter {letter['dead_letter_id']}")
    expect(section).to_be_visible()
    section.get_by_role("button", name="Mend").click()
    section.get_by_label("Body to send instead").fill(letter["body"].replace(*reversed(BROKEN)))
    olga.look("console-dead-letters")
    olga.press("Send 1 chosen")
    olga.page.get_by_role("dialog").get_by_role("button", name="Send", exact=True).click()
    expect(olga.page.get_by_role("status").filter(has_text="1 letter sent once more.")).to_be_visible()
    house.until_status("active", bought)

    house.report(bought)
    tell_aws_otherwise(house, bought, quantity=7)
    house.seal_hour()
    [record] = house.until(
        lambda: [one for one in house.records(bought) if one["outcome"] == "duplicate_conflict"],
        "the conflict",
        bought,
    )
    olga.open("/operator/metering")
    olga.sees("Metering health")
    expect(olga.page.get_by_text("Asking the services")).to_have_count(0)
    # Every step has run, and the books were audited: neither is "never".
    last_run = olga.page.get_by_role("region", name="Last run")
    expect(last_run.get_by_text(re.compile(r"^\d+ (s|min|h|d) ago$"))).to_have_count(2)
    olga.look("console-metering")
    olga.open("/operator/metering/records/to-decide")
    expect(olga.page.get_by_role("table", name="Metering records")).to_be_visible()
    olga.look("console-records")
    olga.open(f"/operator/metering/record/{record['metering_record_id']}")
    expect(olga.page.get_by_role("table", name="Usage events").locator("tbody tr")).to_have_count(5)
    olga.look("console-record")
    olga.page.get_by_label("Decision").select_option(label="Bill again")
    olga.page.get_by_label("Reason").fill("AWS has the 7 of a test of ours; case 1234.")
    olga.press("Decide …")
    olga.page.get_by_role("dialog").get_by_role("button", name="Bill again").click()
    expect(olga.page.get_by_role("status").filter(has_text="Decided: bill again.")).to_be_visible()
    house.seal_hour()
    house.until_settled(bought)
    balance = house.balance(bought)
    assert (balance["billed"], balance["held"], balance["balanced"]) == ("1.25", "0", True)
    assert house.billed(bought) == 7 + bought.total

    olga.open(f"/operator/subscriptions/{bought.subscription_id}")
    olga.sees("Its life")
    expect(olga.page.get_by_text("Conflict", exact=True).first).to_be_visible()
    olga.look("console-subscription")


def test_the_console_is_for_operators(house: House, people: dict[str, Person]) -> None:
    people[ADA].open("/operator")
    people[ADA].sees("This is for operators")


BROKEN = ('"license"', '"licence"')


def break_the_news_of(house: House, bought: Buyer) -> dict[str, Any]:
    """The news of a licence comes as a faulty tool on the way might leave it; answers it as the dead letter
    that it becomes."""
    house.stack.kill("notifications-worker")
    house.advance(UNTIL_ACTIVE)
    queue, came = house.engine.queue(NEWS_QUEUE), dict[str, str]()

    def both_came() -> bool:
        came.update((message["Body"], message["Body"]) for message in queue.take())
        return sum(bought.agreement_id in body for body in came) == 2

    house.until(both_came, "the news")
    broken = [body.replace(*BROKEN) for body in came]
    queue.send(*broken)
    house.stack.start("notifications-worker")

    def letter() -> dict[str, Any] | None:
        found = house.ask("notifications", "/v1/dead-letters", limit=100)["dead_letters"]
        return next((one for one in found if one["body"] in broken), None)

    return house.until(letter, "the dead letter") or {}


def tell_aws_otherwise(house: House, bought: Buyer, quantity: int) -> None:
    """Somebody of the seller's meters the running hour by hand."""
    by_hand = boto3.client(
        "meteringmarketplace",
        endpoint_url=house.stack.urls["simulator"],
        region_name=REGION,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="test",
    )
    record = {
        "Timestamp": house.now(),
        "LicenseArn": bought.identity["license_arn"],
        "CustomerAWSAccountId": bought.customer_aws_account_id,
        "Dimension": DIMENSION,
        "Quantity": quantity,
    }
    [answer] = by_hand.batch_meter_usage(UsageRecords=[record])["Results"]
    assert answer["Status"] == "Success", answer
