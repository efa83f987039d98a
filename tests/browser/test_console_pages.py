"""The operator's console in a browser, with services that answer their contracts' examples: each page as
people meet it, and each deed with its question, its request and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.console_back_end import Call, ConsoleBackEnd, listed
from tests.browser.contract_examples import answer_of
from tests.browser.portal_back_end import problem
from tests.browser.portal_visit import PortalVisit

SUBSCRIPTION = "sub_akqbclolnbr5rol2aljugptsbj"
OTHER = "sub_t6gpawywych34xbexcgv7drsaj"
CUSTOMER = "cus_5d7e3f6g4h2fzk5j3w7v6c4b2a"
RECORD = f"{SUBSCRIPTION}.gpu_hours.2026-11-22T10"
RUN = "run_2fzk5j3w7v6c4b2a5d7e3f6g4h"
MESSAGE = "b1f5e1f4-0000-4000-8000-000000000002"
ENDPOINT = "whe_2fzk5j3w7v6c4b2a5d7e3f6g4h"
DELIVERY = "whd_3f6g4h2fzk5j3w7v6c4b2a5d7e"
REPLAY = "whr_4b2a5d7e3f6g4h2fzk5j3w7v6c"
COMPARED = "rec_2fzk5j3w7v6c4b2a5d7e3f6g4h"
BILLS = "rec_5d7e3f6g4h2fzk5j3w7v6c4b2a"
REASON = "The subscription is restored; case 1234."

Begin = Callable[..., PortalVisit]


def example(service: str, method: str, path: str) -> Any:
    found = answer_of(service, method, path)
    assert found is not None
    return found.body


def a_record(hour: str, outcome: str, **more: Any) -> dict[str, Any]:
    record = example("metering", "GET", "/v1/metering-records")["items"][0]
    named = {"metering_record_id": f"{SUBSCRIPTION}.gpu_hours.{hour[:13]}", "hour": hour, "timestamp": hour}
    return {**record, **named, "outcome": outcome, "settled_at": hour, "created_at": hour, **more}


RECORDS = [
    a_record("2026-11-22T10:00:00Z", "unknown", quantity="41.25", reason=None),
    a_record("2026-11-22T09:00:00Z", "not_subscribed", quantity="3.5"),
    a_record("2026-11-22T08:00:00Z", "rejected", quantity="1200", reason="InvalidUsageDimension", attempts=2),
    a_record("2026-11-22T07:00:00Z", "billed"),
    a_record("2026-11-22T06:00:00Z", "billed", quantity="0.000001"),
    a_record("2026-11-21T06:00:00Z", "billed", quantity="17"),
    a_record(
        "2026-11-20T05:00:00Z",
        "duplicate_conflict",
        resolution={
            "decision": "write_off",
            "reason": "A test of our own.",
            "by": "console",
            "at": "2026-11-21T09:00:00Z",
        },
    ),
]
RUN_STATES = ["waiting", "running", "finished"]


def records_of(call: Call) -> dict[str, Any]:
    wished = call.query.get("outcome")
    return listed(*[one for one in RECORDS if wished in (None, one["outcome"])])


def foresight() -> dict[str, Any]:
    told: dict[str, Any] = example("metering", "POST", "/v1/metering-runs")
    fate = told["rest"][0]
    rest = [
        fate,
        fate | {"hour": "2026-11-22T10:00:00Z", "reason": "hour_not_sealed"},
        fate | {"hour": "2026-11-21T10:00:00Z", "becomes": "held", "reason": "subscription_pending"},
        fate
        | {"hour": "2026-11-21T09:00:00Z", "becomes": "moved", "reason": OTHER}
        | {"subscription_id": None, "customer_id": CUSTOMER, "product_code": "74azexample"},
        fate | {"hour": "2026-11-21T08:00:00Z", "becomes": "included", "reason": "entitlement"},
    ]
    due = [a_record("2026-11-21T14:00:00Z", "planned", settled_at=None, attempts=3)]
    return told | {"rest": rest, "due": due}


def start_of_run(call: Call) -> Any:
    if call.body["mode"] == "dry_run":
        return 200, foresight()
    asked = example("metering", "GET", f"/v1/metering-runs/{RUN}")
    return 202, asked | {"state": "waiting", "started_at": None, "finished_at": None, "outcomes": []}


class Beats:
    """A run that is one state further at each look."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self, _: Call) -> dict[str, Any]:
        state = RUN_STATES[min(self.looks, 2)]
        self.looks += 1
        finished: dict[str, Any] = example("metering", "GET", f"/v1/metering-runs/{RUN}")
        if state == "finished":
            return finished
        return finished | {"state": state, "finished_at": None, "outcomes": [], "left": [], "due": None}


def history() -> list[dict[str, Any]]:
    ended = example("notifications", "GET", f"/v1/subscriptions/{SUBSCRIPTION}/history")["items"][0]
    began = ended | {
        "version": 1,
        "notification_id": MESSAGE,
        "name": "License Updated - Manufacturer",
        "event_time": "2026-11-19T14:24:23.000000Z",
        "changes": [
            {"attribute": "status", "before": None, "after": "active"},
            {
                "attribute": "entitlements",
                "before": None,
                "after": [{"dimension": "seats", "type": "integer", "value": "20"}],
            },
        ],
    }
    notice = ended | {
        "notification_id": "n3",
        "name": "Purchase Agreement Renewal Upcoming - Proposer",
        "event_time": "2026-11-21T08:00:00.000000Z",
        "changes": [],
        "notice": {"renewal_at": "2026-12-20T00:00:00Z"},
    }
    return [ended | {"event_time": "2026-11-22T12:00:00.000000Z"}, notice, began]


def days_of_usage() -> dict[str, Any]:
    hour = example("metering", "GET", "/v1/usage")["items"][0]
    days = [
        hour | {"day": f"2026-11-{day}", "hour": f"2026-11-{day}T00:00:00Z", "quantity": quantity}
        for day, quantity in (("20", "12"), ("21", "31.5"), ("22", "1412.250001"))
    ]
    days[1] = days[1] | {"corrections": "2", "conflicting_events": 1}
    return listed(*days)


def news(call: Call) -> dict[str, Any]:
    one = example("notifications", "GET", "/v1/notifications")["items"][0]
    others = [
        one
        | {
            "notification_id": "84a4f48b-0000-4000-8000-000000000009",
            "name": "Purchase Agreement Created - Manufacturer",
            "outcome": "waiting",
            "event_time": "2026-11-19T14:20:00.000000Z",
            "received_at": "2026-11-19T14:20:02.000000Z",
            "subscription_id": None,
        },
        one
        | {
            "notification_id": "reconciliation:agmt-EXAMPLE:ended",
            "name": "subscribe-success",
            "source": "sns",
            "door": "https",
            "outcome": "unknown_product",
            "event_time": "2026-11-21T14:20:00.000000Z",
            "received_at": "2026-11-21T14:20:02.000000Z",
        },
    ]
    found = [one, *others]
    wished = call.query.get("outcome")
    return listed(*[message for message in found if wished in (None, message["outcome"])])


def exported() -> dict[str, Any]:
    kept: dict[str, Any] = example("registration", "GET", f"/v1/customers/{CUSTOMER}/export")
    return kept


def differences() -> dict[str, Any]:
    found = example("notifications", "GET", f"/v1/reconciliations/{COMPARED}/differences")["items"][0]
    reported = found | {"kind": "active_at_aws", "action": "reported", "ours": "ended", "theirs": "ACTIVE"}
    return listed(found, reported | {"agreement_id": "agmt-OTHER", "notification_ids": []})


def busy() -> ConsoleBackEnd:
    """An installation with something of each kind to look into."""
    subscription = example("notifications", "GET", f"/v1/subscriptions/{SUBSCRIPTION}")
    balance = example("metering", "GET", "/v1/balance")
    row = balance["dimensions"][0]
    rows = [
        row
        | {
            "held": "1.5",
            "reasons": [{"kind": "held", "reason": "several_subscriptions", "quantity": "1.5"}],
        },
        row | {"dimension": "tokens", "accepted": "1200000", "billed": "1199999", "balanced": False},
    ]
    held = example("metering", "GET", "/v1/held-usage")["items"][0]
    letters = example("notifications", "GET", "/v1/dead-letters")
    letter = letters["dead_letters"][0]
    outbox = example("registration", "GET", "/v1/outbox-items")["items"][0]
    delivery = example("notifications", "GET", "/v1/webhook-deliveries")["items"][0]
    customer = example("registration", "GET", f"/v1/customers/{CUSTOMER}")
    back_end = ConsoleBackEnd()
    back_end.answers = {
        "metering list_metering_records": records_of,
        "metering start_metering_run": start_of_run,
        "metering get_metering_run": Beats(),
        "metering get_usage": days_of_usage(),
        "metering get_balance": balance | {"dimensions": rows},
        "metering list_held_usage": listed(
            held,
            held | {"subscription_id": SUBSCRIPTION, "customer_id": None, "reason": "subscription_pending"},
        ),
        "notifications list_subscriptions": listed(
            subscription, subscription | {"subscription_id": OTHER, "status": "ended", "access": "denied"}
        ),
        "notifications get_subscription": subscription
        | {"meter_until": "2026-11-22T13:00:00.000000Z", "previous_subscription_id": OTHER},
        "notifications list_history": listed(*history()),
        "notifications list_notifications": news,
        "notifications list_differences": differences(),
        "notifications get_reconciliation": example("notifications", "GET", f"/v1/reconciliations/{COMPARED}")
        | {"state": "finished", "differences": 2, "healed": 1, "subscriptions_compared": 58},
        "notifications list_dead_letters": {
            "dead_letters": [
                letter,
                letter
                | {"dead_letter_id": "letter-2", "reason": None, "body": '{"detail": {"product": "x"}}'},
            ],
            "about": 2,
        },
        "notifications webhooks.list_deliveries": listed(
            delivery,
            delivery
            | {"delivery_id": DELIVERY[:-1] + "f", "state": "dead", "next_attempt_at": None, "tries": 10},
            delivery | {"delivery_id": DELIVERY[:-1] + "g", "state": "delivered", "next_attempt_at": None},
        ),
        "registration list_outbox_items": listed(outbox, outbox | {"outbox_id": "two", "state": "stuck"}),
        "registration list_customers": listed(
            customer, customer | {"customer_id": CUSTOMER[:-1] + "c", "name": None, "access": "denied"}
        ),
        "registration chassis.health.readyz": {"status": "ready", "service": "registration", "parts": {}},
        "notifications chassis.health.readyz": {"status": "ready", "service": "notifications", "parts": {}},
        "metering chassis.health.readyz": problem(
            503,
            "unavailable",
            "A part this service needs is away.",
            parts={"usage queue": "cannot be reached"},
        ),
    }
    return back_end


@pytest.fixture
def begin(begin: Begin) -> Begin:
    """Lets operators come; without a back end of their own they find a busy one."""

    def one(back_end: ConsoleBackEnd | None = None, **more: Any) -> PortalVisit:
        return begin(back_end or busy(), **more)

    return one


def console(visit: PortalVisit) -> ConsoleBackEnd:
    assert isinstance(visit.back_end, ConsoleBackEnd)
    return visit.back_end


def answer_yes(visit: PortalVisit, name: str) -> None:
    """Presses the button of the question that stands before all else."""
    visit.page.get_by_role("dialog").get_by_role("button", name=name, exact=True).click()


def is_said(visit: PortalVisit, words: str) -> None:
    expect(visit.page.get_by_role("status").filter(has_text=words).first).to_be_visible()


def the_call(visit: PortalVisit, operation: str) -> Call:
    calls = console(visit).called(operation)
    assert len(calls) == 1, f"{operation} was called {len(calls)} times"
    return calls[0]


PAGES = [
    ("customers", "", "Customers", "Ada Lovelace"),
    ("customer", f"/customers/{CUSTOMER}", "Ada Lovelace", "248289761001"),
    ("outbox", "/outbox", "Outbox", "Hand-over to your back end"),
    ("subscriptions", "/subscriptions", "Subscriptions", "agmt-EXAMPLE"),
    ("subscription", f"/subscriptions/{SUBSCRIPTION}", "Example Inference", "Billed 41.250001 GPU hours"),
    ("health", "/metering", "Metering health", "The metering service is not ready"),
    ("records", "/metering/records", "Metering records", "Waits for you"),
    ("record", f"/metering/record/{RECORD}", "41.25 GPU hours", "CustomerNotSubscribed"),
    ("held", "/metering/held", "Held usage", "Several subscriptions could be meant"),
    ("runs", "/metering/runs", "Runs", "Would be frozen and sent: 1"),
    ("run", f"/metering/runs/{RUN}", "Metering run", "Records that it settled"),
    ("news", "/news", "News", "License Updated - Manufacturer"),
    ("message", f"/news/message/{MESSAGE}", "License Updated - Manufacturer", "aws.agreement-marketplace"),
    ("dead-letters", "/news/dead-letters", "Dead letters", "The message is not JSON."),
    ("agreements", "/reconciliations", "Compare agreements", "Open an earlier one"),
    (
        "agreements-compared",
        f"/reconciliations/agreements/{COMPARED}",
        "Agreements compared",
        "A person must look",
    ),
    ("bills", "/reconciliations/bills", "Compare bills", "CloudTrail, "),
    ("bills-compared", f"/reconciliations/bills/{BILLS}", "Bills compared", "Settled: billed"),
    ("webhooks", "/webhooks", "Webhooks", "Account system"),
    ("new-webhook", "/webhooks/endpoint/new", "New endpoint", "Make the endpoint"),
    ("webhook", f"/webhooks/endpoint/{ENDPOINT}", "Account system", "The present one"),
    ("replay", f"/webhooks/endpoint/{ENDPOINT}/replays/{REPLAY}", "Replay", "17 deliveries made"),
    ("deliveries", "/webhooks/deliveries", "Deliveries", "subscription.activated"),
    ("delivery", f"/webhooks/delivery/{DELIVERY}", "subscription.activated", "Bad gateway"),
    ("no-such-page", "/nowhere", "There is no such page", ""),
]


@pytest.mark.parametrize(("name", "path", "heading", "shown"), PAGES, ids=[page[0] for page in PAGES])
def test_each_page_is_fit_for_people(begin: Begin, name: str, path: str, heading: str, shown: str) -> None:
    visit = begin().sign_in(f"/operator{path}")
    visit.sees(heading)
    expect(visit.page.get_by_text(shown).first).to_be_visible()
    expect(visit.page.locator(".loading")).to_have_count(0)
    visit.look(f"console-{name}")


def test_every_call_carries_an_operators_token(begin: Begin) -> None:
    visit = begin().sign_in("/operator")
    visit.sees("Customers")
    expect(visit.page.get_by_role("link", name="Ada Lovelace").first).to_be_visible()
    assert {call.headers["authorization"] for call in console(visit).asked_for} == {"Bearer token-code-0"}
    assert any("operator" in url for url in visit.asked if "/authorize?" in url)


def test_buyers_never_load_the_console(begin: Begin) -> None:
    visit = begin()
    visit.go("/")
    visit.page.wait_for_load_state("networkidle")
    assert not [url for url in visit.asked if "Console" in url]


def test_a_subscriptions_life_is_filtered_by_kind(begin: Begin) -> None:
    visit = begin().sign_in(f"/operator/subscriptions/{SUBSCRIPTION}")
    life = visit.page.locator(".timeline")
    for words in ("Registered", "by Ada Lovelace", "Used 1,412.250001 GPU hours", "status: active → ending"):
        expect(life.get_by_text(words).first).to_be_visible()
    # News that made an entry of the history is told once, by that entry.
    expect(life.get_by_text("License Updated - Manufacturer")).to_have_count(
        2
    )  # its title, and its link's words
    visit.page.get_by_role("checkbox", name="Usage by day").uncheck()
    expect(life.get_by_text("Used 1,412.250001 GPU hours")).to_have_count(0)
    visit.page.get_by_role("checkbox", name="Metering records").uncheck()
    expect(life.get_by_text("Decided: write off")).to_have_count(0)
    expect(life.get_by_text("Registered").first).to_be_visible()


def test_a_source_that_is_away_leaves_the_rest_of_the_life(begin: Begin) -> None:
    back_end = busy()
    back_end.failing["registration"] = problem(403, "forbidden", "The credentials lack the scope for this.")
    visit = begin(back_end).sign_in(f"/operator/subscriptions/{SUBSCRIPTION}")
    expect(visit.page.get_by_text("The credentials lack the scope for this.").first).to_be_visible()
    expect(visit.page.locator(".timeline").get_by_text("Used 31.5 GPU hours")).to_be_visible()


def test_a_record_is_decided_with_a_reason(begin: Begin) -> None:
    visit = begin().sign_in(f"/operator/metering/record/{RECORD}")
    visit.press("Decide …")
    expect(visit.page.get_by_role("dialog")).to_have_count(0)
    visit.page.get_by_label("Decision").select_option(label="Write off")
    visit.page.get_by_label("Reason").fill(REASON)
    visit.press("Decide …")
    expect(visit.page.get_by_role("dialog")).to_contain_text("It is never billed.")
    visit.look("console-question")
    explained = example("metering", "GET", f"/v1/metering-records/{RECORD}")
    resolution = {
        "decision": "write_off",
        "reason": REASON,
        "by": "ada@example.com",
        "at": "2026-11-22T15:00:00Z",
    }
    console(visit).answers["metering get_metering_record"] = explained | {
        "metering_record": explained["metering_record"] | {"resolution": resolution}
    }
    answer_yes(visit, "Write off")
    is_said(visit, "Decided: write off.")
    visit.sees("What was decided")
    expect(visit.page.get_by_role("button", name="Decide …")).to_have_count(0)
    asked = the_call(visit, "metering resolve_metering_record")
    assert asked.path.endswith(f"{RECORD}/resolution")
    assert asked.body == {"decision": "write_off", "reason": REASON}


def test_a_refusal_says_what_and_where(begin: Begin) -> None:
    back_end = busy()
    place = {"in": "body", "path": "/reason", "reason": "does not satisfy `pattern`"}
    back_end.answers["metering resolve_metering_record"] = problem(
        409, "conflict", "Another decision stands.", detail="It was billed again.", errors=[place]
    )
    visit = begin(back_end).sign_in(f"/operator/metering/record/{RECORD}")
    visit.page.get_by_label("Reason").fill(REASON)
    visit.press("Decide …")
    answer_yes(visit, "Bill again")
    trouble = visit.page.get_by_role("alert")
    for words in ("Another decision stands.", "It was billed again.", "/reason", "409", "req-0001"):
        expect(trouble).to_contain_text(words)
    expect(visit.page.get_by_label("Reason")).to_have_value(REASON)


def test_held_usage_is_given_away(begin: Begin) -> None:
    visit = begin().sign_in("/operator/metering/held")
    visit.page.get_by_role("button", name="Decide about GPU hours, 22 Nov 2026, 10:00 UTC").first.click()
    visit.page.get_by_label("To the subscription").fill(SUBSCRIPTION)
    visit.page.get_by_label("Reason").fill(REASON)
    visit.look("console-decide-held")
    visit.press("Decide …")
    answer_yes(visit, "Give it")
    is_said(visit, "1 hour decided.")
    assert the_call(visit, "metering decide_held_usage").body == {
        "customer_id": "cus_2fzk5j3w7v6c4b2a5d7e3f6g4h",
        "product_code": "74azexampleendpoints00000",
        "dimension": "gpu_hours",
        "first_hour": "2026-11-22T10:00:00Z",
        "last_hour": "2026-11-22T10:00:00Z",
        "decision": "give",
        "to_subscription_id": SUBSCRIPTION,
        "reason": REASON,
    }


def test_a_run_is_asked_for_and_followed(begin: Begin) -> None:
    visit = begin().sign_in("/operator/metering/runs")
    visit.press("Run now …")
    answer_yes(visit, "Run now")
    visit.sees("Metering run")
    visit.sees("Records that it settled")
    expect(
        visit.page.get_by_text("AWS had not answered for 2 records; every cycle sends them.")
    ).to_be_visible()
    modes = [call.body for call in console(visit).called("metering start_metering_run")]
    assert {"mode": "send"} in modes
    assert modes.count({"mode": "send"}) == 1


def test_all_balances_are_checked(begin: Begin) -> None:
    visit = begin().sign_in("/operator/metering")
    visit.press("Check all balances")
    is_said(visit, "2 of 2 subscriptions do not balance.")
    expect(visit.page.get_by_text("Books that do not balance: 2")).to_be_visible()


def test_a_message_is_replayed(begin: Begin) -> None:
    visit = begin().sign_in("/operator/news")
    visit.page.get_by_role("link", name="subscribe-success").click()
    expect(visit.page.get_by_text("reconciliation:agmt-EXAMPLE:ended").first).to_be_visible()
    visit.press("Replay …")
    answer_yes(visit, "Replay")
    is_said(visit, "It was taken once more: applied.")
    assert (
        the_call(visit, "notifications replay_notification").path
        == "/v1/notifications/reconciliation:agmt-EXAMPLE:ended/replay"
    )


def test_a_dead_letter_is_mended_and_sent(begin: Begin) -> None:
    visit = begin().sign_in("/operator/news/dead-letters")
    expect(visit.page.get_by_role("button", name="Send 0 chosen …")).to_be_disabled()
    visit.page.get_by_role("button", name="Mend letter-2").click()
    visit.page.get_by_label("Body to send instead").fill("{}")
    visit.page.get_by_role("checkbox", name="The message is not JSON.").check()
    visit.press("Send 2 chosen …")
    answer_yes(visit, "Send")
    is_said(visit, "1 letter sent once more. 1 letter could not be found")
    assert the_call(visit, "notifications redrive_dead_letters").body == {
        "dead_letter_ids": ["5fea7756-0ea4-451a-a703-a558b933e274"],
        "mended": [{"dead_letter_id": "letter-2", "body": "{}"}],
    }


def test_a_webhooks_secret_is_shown_once(begin: Begin) -> None:
    visit = begin().sign_in("/operator/webhooks/endpoint/new")
    visit.page.get_by_label("Address").fill("https://hooks.seller.example/marketplane")
    visit.press("Make the endpoint")
    secret = visit.page.get_by_text(re.compile("^whsec_"))
    expect(secret).to_be_visible()
    visit.look("console-secret")
    visit.press("I have it; put it away")
    expect(secret).to_have_count(0)
    visit.page.get_by_role("link", name="Go to the endpoint").click()
    visit.sees("Account system")
    assert "whsec_" not in visit.page.content()
    stores = visit.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
    assert "whsec_" not in stores
    assert the_call(visit, "notifications webhooks.create_endpoint").body == {
        "url": "https://hooks.seller.example/marketplane",
        "description": None,
        "event_types": None,
    }


def test_an_endpoint_is_tried_turned_off_and_deleted(begin: Begin) -> None:
    visit = begin().sign_in(f"/operator/webhooks/endpoint/{ENDPOINT}")
    visit.press("Send a test event")
    is_said(visit, "A test event is on its way.")
    visit.press("Disable …")
    answer_yes(visit, "Disable")
    is_said(visit, "It is disabled.")
    switched = the_call(visit, "notifications webhooks.change_endpoint")
    assert switched.body == {"enabled": False}
    assert switched.headers["if-match"] == '"1"'
    visit.press("New secret …")
    answer_yes(visit, "New secret")
    expect(visit.page.get_by_text(re.compile("^whsec_"))).to_be_visible()
    visit.press("Delete endpoint …")
    answer_yes(visit, "Delete endpoint")
    visit.sees("The endpoint is deleted")


def test_a_range_of_time_is_replayed(begin: Begin) -> None:
    visit = begin().sign_in(f"/operator/webhooks/endpoint/{ENDPOINT}")
    visit.page.get_by_label("From, UTC").fill("2026-08-20T00:00")
    visit.page.get_by_label("To, UTC").fill("2026-08-21T00:00")
    visit.press("Replay …")
    answer_yes(visit, "Replay")
    visit.sees("How far it has come")
    assert the_call(visit, "notifications webhooks.start_replay").body == {
        "from": "2026-08-20T00:00:00Z",
        "to": "2026-08-21T00:00:00Z",
    }


def test_a_delivery_is_sent_again(begin: Begin) -> None:
    visit = begin().sign_in("/operator/webhooks/deliveries/dead")
    visit.page.get_by_role("button", name="Send again subscription.activated").nth(1).click()
    answer_yes(visit, "Send again")
    is_said(visit, "subscription.activated is sent again.")
    assert console(visit).called("notifications webhooks.list_deliveries")[0].query["state"] == "dead"


def test_a_comparison_with_aws_is_started(begin: Begin) -> None:
    visit = begin().sign_in("/operator/reconciliations")
    visit.press("Compare with AWS …")
    answer_yes(visit, "Compare")
    visit.sees("Agreements compared")
    the_call(visit, "notifications start_reconciliation")


def test_a_usage_report_is_sent_as_it_is(begin: Begin) -> None:
    visit = begin().sign_in("/operator/reconciliations/bills")
    report = b"Usage date,Product code\n2026-11-22,74azexample\n"
    visit.page.get_by_label("File", exact=True).set_input_files(
        {"name": "usage.csv", "mimeType": "text/csv", "buffer": report}
    )
    visit.press("Compare …")
    answer_yes(visit, "Compare")
    visit.sees("Bills compared")
    sent = the_call(visit, "metering reconciliations.reconcile")
    assert sent.headers["content-type"] == "text/csv"
    assert sent.body == report.decode()


def test_an_outbox_item_is_tried_again(begin: Begin) -> None:
    visit = begin().sign_in("/operator/outbox/stuck")
    visit.page.get_by_role("button", name="Try now Hand-over to your back end").first.click()
    is_said(visit, "the worker tries it within seconds")
    assert the_call(visit, "registration retry_outbox_item").path.startswith("/v1/outbox-items/hand-over-")


def test_a_customer_is_exported_and_deleted(begin: Begin) -> None:
    visit = begin().sign_in(f"/operator/customers/{CUSTOMER}")
    with visit.page.expect_download() as saving:
        visit.press("Download the export")
    assert saving.value.suggested_filename == f"{CUSTOMER}.json"
    visit.press("Delete customer …")
    answer_yes(visit, "Delete customer")
    visit.sees("The customer is deleted")
    the_call(visit, "registration delete_customer")
