"""The history: what changed a subscription, and the notices about it, which change nothing."""

import json
from typing import Any

import pytest
import samples
from conftest import World
from prometheus_client import REGISTRY
from samples import advisory, after, cancelled_life, contract_updated, event, license_updated, notice

from notifications.changes import Change, Published
from notifications.history import ANSWER, LARGEST_VALUES, published
from notifications.inbox import NOTICES, SPEND_NOTICES, read
from notifications.news import A_PERSON_MUST_HEAR, Kind
from notifications.purchase import Entitlement, Purchase, ValueType


def changes(row: Any) -> dict[str, tuple[Any, Any]]:
    return {one["attribute"]: (one["before"], one["after"]) for one in row.changes}


def calls(kind: str) -> float:
    return REGISTRY.get_sample_value("marketplane_notifications_attention_total", {"kind": kind}) or 0.0


def test_one_entry_for_each_version(world: World) -> None:
    world.apply(*cancelled_life())
    world.clock.advance(hours=3)
    world.worker.sweep(world.clock.now())
    first, second, third, fourth = world.history()
    assert [one.version for one in world.history()] == [1, 2, 3, 4]
    assert [one.cause.kind for one in world.history()] == ["notification"] * 3 + ["time"]
    assert (first.cause.notification_id, first.cause.name) == ("e2", "License Updated - Manufacturer")
    assert changes(first)["status"] == (None, "active")
    assert changes(second)["status"] == ("active", "ending")
    assert changes(second)["end_reason"] == (None, "CANCELLED")
    assert changes(third).keys() == {"meter_until", "changed_at", "changed_by"}
    assert changes(fourth)["status"] == ("ending", "ended")
    assert (fourth.cause.notification_id, fourth.cause.event_time) == (None, None)
    assert fourth.recorded_at == world.clock.now()


def test_a_message_that_changes_nothing_has_no_entry(world: World) -> None:
    world.apply(*cancelled_life()[:2], license_updated(after(62), "again"))
    assert len(world.history()) == 1


def test_an_answer_of_aws_is_an_entry_and_the_time_of_asking_is_none(world: World) -> None:
    world.apply(contract_updated(after(0), "e1"))
    world.aws.pages = [{"Entitlements": [{"Dimension": "seats", "Value": {"IntegerValue": 20}}]}]
    world.asker.ask_what_is_due()
    world.clock.advance(hours=1)
    world.asker.ask_what_is_due()
    _, answer = world.history()
    assert answer.cause.kind == "answer"
    seats = [{"dimension": "seats", "type": "integer", "value": "20", "expires_at": None}]
    assert changes(answer) == {"entitlements": (None, seats)}


def test_values_that_fit_into_no_item_are_left_out() -> None:
    (subscription,) = samples_fold()
    many = [
        Entitlement(dimension=f"dimension-{number}", type=ValueType.STRING, value="x" * 200)
        for number in range(1000)
    ]
    before = Published(subscription, 1)
    change = Change(Published(subscription, 2, Purchase().entitled_to(many, after(0))), before, None)
    happening = published(change, ANSWER, after(0))
    assert happening is not None
    assert happening.changes == [
        {"attribute": "entitlements", "before": None, "after": None, "left_out": True}
    ]
    assert len(json.dumps(happening.changes)) < LARGEST_VALUES


def samples_fold() -> list[Any]:
    from notifications.folding import fold

    return fold([samples.news_of(body) for body in cancelled_life()[:2]], after(0))


# -- notices -------------------------------------------------------------------------------------------------

REQUEST = {
    "id": "acr-EXAMPLE",
    "reasonCode": "OTHER",
    "reasonMessage": "We agreed so.",
    "statusCode": "PENDING_APPROVAL",
    "statusMessage": None,
    "createdAt": "2026-08-20T14:00:00Z",
    "updatedAt": "2026-08-20T14:00:00Z",
}
ADJUSTMENT = {"id": "ba-EXAMPLE", "adjustmentAmount": "10.00", "currencyCode": "USD"}


@pytest.mark.parametrize("name", [*NOTICES, *(f"Purchase Agreement {name}" for name in SPEND_NOTICES)])
def test_every_notice_is_told_by_its_name_and_changes_no_access(world: World, name: str) -> None:
    world.apply(*cancelled_life()[:2])
    row, facts = world.row(), world.counts()["SubscriptionRow"]
    details = {
        "agreementCancellationRequest": REQUEST,
        "billingAdjustmentRequest": ADJUSTMENT,
        "advisory": {"issuedAt": "2026-08-20T14:00:00Z"},
        "renewalSummary": {"tcv": "0.00", "lockoutReached": True},
    }
    world.apply(notice(f"{name} - Proposer", after(200), "n1", **details))
    after_it = world.row()
    assert after_it.attribute_values == row.attribute_values
    assert world.counts()["SubscriptionRow"] == facts
    assert world.inbox("n1").outcome == "no_change"
    entry = world.history()[-1]
    assert (entry.version, entry.cause.notification_id, entry.changes) == (1, "n1", [])
    assert entry.notice["request_id"] in ("acr-EXAMPLE", "ba-EXAMPLE")
    world.tell()
    assert len(world.signals()) == 1


@pytest.mark.parametrize("suffix", ["", " - Proposer", " - Manufacturer"])
@pytest.mark.parametrize("name", ["Spend Threshold Reached", "Spend Threshold Vet Succeeded", "Vet Failed"])
def test_spend_notices_are_told_by_how_they_end(name: str, suffix: str) -> None:
    assert samples.news_of(notice(name + suffix, after(0), "n1")).kind.value.startswith("spend_")


def test_an_advisory_is_read_whole() -> None:
    news = samples.news_of(advisory(after(0), "n1"))
    assert (news.kind, news.subject) == (Kind.ADVISORY_ISSUED, "agmt-EXAMPLE")
    assert news.notice == {"issued_at": "2026-08-20T14:23:22.000Z"}
    # Nothing of it is what a subscription is made of.
    assert {value for value in vars(news.facts).values() if value} == {"agmt-EXAMPLE"}


def test_a_cancellation_request_has_no_resources_and_another_agreement() -> None:
    detail = {
        "agreement": {"id": "agmt-EXAMPLE", "acceptorId": "4", "productId": "prod-1", "offerId": "offer-2"},
        "agreementCancellationRequest": REQUEST,
    }
    body = notice("Agreement Cancellation Request Pending Approval - Proposer", after(0), "n1", **detail)
    news = samples.news_of(body)
    assert news.notice is not None
    assert news.notice["status_code"] == "PENDING_APPROVAL"
    assert "status_message" not in news.notice


@pytest.mark.parametrize("odd", [7, 1.5, True, ["x"], {"x": 1}, "x" * 5000, "\ud800", None])
def test_no_odd_value_makes_a_notice_a_dead_letter(odd: Any) -> None:
    body = notice(
        "Purchase Agreement Ending - Proposer", after(0), "n1", agreement={"id": "a", "endTime": odd}
    )
    entry = read(body, "m", after(0))
    assert entry.news is not None
    (entry.news.notice or {}).get("ends_at", "").encode()


def test_a_notice_of_no_agreement_is_kept_without_news() -> None:
    body = notice("Purchase Agreement Ending - Proposer", after(0), "n1", agreement=None)
    assert read(body, "m", after(0)).news is None


def test_a_notice_before_the_licence_waits_for_the_history(world: World) -> None:
    world.apply(advisory(after(10), "n1"))
    assert world.inbox("n1").outcome == "waiting"
    world.apply(*cancelled_life()[:2])
    assert [(one.version, one.cause.notification_id) for one in world.history()] == [(1, "e2"), (1, "n1")]
    assert world.history()[1].cause.name == "Purchase Agreement Advisory Issued"


def test_the_same_history_in_any_order(world: World) -> None:
    world.apply(*cancelled_life()[:2], advisory(after(10), "n1"))
    in_order = [(one.entry_id, one.cause.name, one.notice) for one in world.history()]
    world.begin()
    world.apply(advisory(after(10), "n1"), *cancelled_life()[:2])
    assert [(one.entry_id, one.cause.name, one.notice) for one in world.history()] == in_order


def test_a_copy_for_the_other_party_says_nothing_new(world: World) -> None:
    world.apply(*cancelled_life()[:2])
    before = calls("advisory_issued")
    world.apply(advisory(after(10), "n1"), advisory(after(10), "n2", to="Proposer"))
    assert calls("advisory_issued") == before + 1
    assert len(world.history()) == 2
    world.apply(advisory(after(20), "n3"))
    assert len(world.history()) == 3


@pytest.mark.parametrize("kind", sorted(A_PERSON_MUST_HEAR))
def test_a_person_hears_of_it(world: World, kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
    name = next(name for name, of in NOTICES.items() if of == kind)
    before = calls(kind)
    body = notice(f"{name} - Proposer", after(10), "n1", agreementCancellationRequest=REQUEST)
    world.apply(*cancelled_life()[:2], body, body)
    assert calls(kind) == before + 1
    said = capsys.readouterr().out
    assert "a person must hear of" in said
    assert "We agreed so." not in said


def test_what_is_no_matter_for_a_person_calls_nobody(world: World) -> None:
    world.apply(notice("Purchase Agreement Ending - Proposer", after(0), "n1"))
    assert calls("agreement_ending") == 0


def test_unknown_kinds_are_counted_by_name_and_bounded(world: World) -> None:
    def count(name: str) -> float:
        return REGISTRY.get_sample_value("marketplane_notifications_unknown_total", {"name": name}) or 0.0

    before = count("Something Unheard Of - Proposer")
    world.apply(event("Something Unheard Of - Proposer", after(0), "u1"))
    assert count("Something Unheard Of - Proposer") == before + 1
    for number in range(60):
        world.apply(event(f"Another {number} - Proposer", after(0), f"u-{number}"))
    assert count("other") > 0


# -- the door ------------------------------------------------------------------------------------------------


def test_the_history_page_by_page(world: World) -> None:
    world.apply(*cancelled_life(), advisory(after(300), "n1"))
    found = []
    cursor: dict[str, str] = {}
    headers = world.key("operator")
    while True:
        answer = world.client.get(
            f"/v1/subscriptions/{samples.CONCURRENT_ID}/history",
            params={"limit": 2} | cursor,
            headers=headers,
        )
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next_cursor"] is None:
            break
        cursor = {"cursor": answer.json()["next_cursor"]}
    assert [(one["version"], one["notice"] is not None) for one in found] == [
        (3, True),
        (3, False),
        (2, False),
        (1, False),
    ]
    assert found[0]["notice"] == {"issued_at": "2026-08-20T14:28:22.000Z"}
    assert {"attribute": "status", "before": "active", "after": "ending"} in found[2]["changes"]


def test_the_history_of_nothing(world: World) -> None:
    missing = f"/v1/subscriptions/sub_{'a' * 26}/history"
    assert world.client.get(missing, headers=world.key("operator")).status_code == 404
    assert world.client.get(missing, headers=world.key("usage:read")).status_code == 403
    assert world.client.get(missing).status_code == 401
