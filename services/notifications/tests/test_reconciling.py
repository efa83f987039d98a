"""A reconciliation finds each difference, heals what is safe, and goes on from where it was killed."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import samples
from conftest import World
from played_aws import entitlement, refusal
from samples import action, after, cancelled_life, contract_updated, created, license_updated

from notifications.marketplace import Away
from notifications.subscription_ids import of_license
from notifications.tables.models import DifferenceRow, ReconciliationRow
from notifications.tables.reconciliation_store import ROWS_AT_ONCE, ReconciliationStore
from notifications.tables.store import Overtaken


def listed(**changes: Any) -> dict[str, Any]:
    """A row of SearchAgreements."""
    return {
        "agreementId": "agmt-EXAMPLE",
        "acceptanceTime": after(0),
        "startTime": after(0),
        "acceptor": {"accountId": "444455556666"},
        "proposer": {"accountId": "111122223333"},
        "proposalSummary": {
            "resources": [{"id": f"prod-{samples.CONCURRENT_CODE}", "type": "SaaSProduct"}],
            "offerId": "offer-EXAMPLE",
        },
        "status": "ACTIVE",
        "entitlements": [{"licenseArn": samples.ARN}],
    } | changes


class Reconciling:
    def __init__(self, world: World) -> None:
        self.world = world
        self._headers = world.key("operator")

    def start(self) -> str:
        answer = self.world.client.post("/v1/reconciliations", headers=self._headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["reconciliation_id"])

    def get(self, reconciliation_id: str) -> dict[str, Any]:
        answer = self.world.client.get(f"/v1/reconciliations/{reconciliation_id}", headers=self._headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def differences(self, reconciliation_id: str) -> list[dict[str, Any]]:
        found, cursor = [], {}
        while True:
            path = f"/v1/reconciliations/{reconciliation_id}/differences"
            page = self.world.client.get(path, params={"limit": 2} | cursor, headers=self._headers).json()
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    def run(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """One from beginning to end."""
        reconciliation_id = self.start()
        reconciler = self.world.another_reconciler()
        while reconciler.go_on():
            pass
        return self.get(reconciliation_id), self.differences(reconciliation_id)


@pytest.fixture
def reconciling(world: World) -> Reconciling:
    return Reconciling(world)


def tells(
    world: World, status: str = "ACTIVE", ends_at: datetime | None = None, agreement: str = "agmt-EXAMPLE"
) -> None:
    world.aws.agreements[agreement] = {"status": status} | ({"endTime": ends_at} if ends_at else {})


def test_nothing_differs(world: World, reconciling: Reconciling) -> None:
    world.apply(*cancelled_life()[:2], action("subscribe-success", after(0), "m1"))
    world.aws.listed = [[listed()]]
    tells(world)
    counts = world.counts()
    report, differences = reconciling.run()
    assert differences == []
    assert (report["state"], report["differences"], report["healed"]) == ("finished", 0, 0)
    # Of a legacy subscription without a contract nobody can be asked.
    assert (report["agreements_read"], report["subscriptions_compared"], report["not_told"]) == (1, 2, 1)
    assert world.counts() == counts


def test_a_purchase_that_we_never_heard_of(world: World, reconciling: Reconciling) -> None:
    world.aws.listed = [[listed()]]
    report, (difference,) = reconciling.run()
    assert (report["differences"], report["healed"]) == (1, 1)
    assert (difference["kind"], difference["ours"], difference["theirs"]) == (
        "unknown_agreement",
        "unknown",
        "ACTIVE",
    )
    row = world.row()
    assert (row.status, row.access, row.active_since) == ("active", "granted", after(0))
    assert (row.customer_aws_account_id, row.offer_id) == ("444455556666", "offer-EXAMPLE")
    ids = ["reconciliation:agmt-EXAMPLE:created", "reconciliation:agmt-EXAMPLE:licensed"]
    assert difference["notification_ids"] == ids
    assert [world.inbox(one).door for one in ids] == ["reconciliation"] * 2
    world.tell()
    assert [signal["type"] for signal in world.signals()] == ["subscription.activated"]
    # Its page in our own API is there.
    headers = world.key("operator")
    assert world.client.get(f"/v1/notifications/{ids[1]}", headers=headers).status_code == 200


def test_the_lost_news_that_comes_after_all_changes_nothing(world: World, reconciling: Reconciling) -> None:
    world.aws.listed = [[listed()]]
    reconciling.run()
    world.apply(*cancelled_life()[:2])
    assert (world.row().status, world.row().active_since) == ("active", after(0))
    world.apply(*cancelled_life()[2:])
    assert (world.row().status, world.row().meter_until) == ("ending", after(126, hours=1))


def test_a_purchase_whose_licence_news_was_lost(world: World, reconciling: Reconciling) -> None:
    world.apply(created(after(0), "e1"))
    world.aws.listed = [[listed()]]
    _, (difference,) = reconciling.run()
    assert difference["kind"] == "unknown_agreement"
    assert world.row().status == "active"


@pytest.mark.parametrize(
    "changes",
    [
        {"proposalSummary": {"resources": [{"id": "prod-of-another-house"}]}},
        {"proposalSummary": {}},
        {"proposalSummary": {"resources": [{"id": f"prod-{samples.LEGACY_CODE}"}]}},
        {"entitlements": []},
        {"entitlements": [{}]},
        {"startTime": after(days=9)},
    ],
)
def test_what_is_not_ours_or_not_yet(world: World, reconciling: Reconciling, changes: dict[str, Any]) -> None:
    world.aws.listed = [[listed(**changes)]]
    _, differences = reconciling.run()
    assert differences == []
    assert world.counts()["SubscriptionRow"] == 0


def test_one_that_is_over_here_is_never_revived(world: World, reconciling: Reconciling) -> None:
    world.apply(*cancelled_life())
    row = world.row().attribute_values
    world.aws.listed = [[listed()]]
    report, (difference,) = reconciling.run()
    assert (difference["kind"], difference["action"], difference["ours"]) == (
        "active_at_aws",
        "reported",
        "ending",
    )
    assert (report["differences"], report["healed"]) == (1, 0)
    assert world.row().attribute_values == row


@pytest.mark.parametrize("status", ["CANCELLED", "EXPIRED", "TERMINATED", "RENEWED", "REPLACED"])
def test_an_end_that_we_never_heard_of(world: World, reconciling: Reconciling, status: str) -> None:
    world.apply(*cancelled_life()[:2])
    world.clock.advance(minutes=30)
    tells(world, status, ends_at=after(minutes=20))
    _, (difference,) = reconciling.run()
    assert (difference["kind"], difference["theirs"], difference["action"]) == (
        "ended_at_aws",
        status,
        "recorded",
    )
    row = world.row()
    assert (row.status, row.end_reason, row.ended_at) == ("ending", status, after(minutes=20))
    assert row.changed_by == "reconciliation:agmt-EXAMPLE:ended"


@pytest.mark.parametrize("ends_at", [None, after(days=300)])
def test_an_end_without_its_time_is_now(
    world: World, reconciling: Reconciling, ends_at: datetime | None
) -> None:
    world.apply(*cancelled_life()[:2])
    world.clock.advance(minutes=30)
    tells(world, "CANCELLED", ends_at)
    reconciling.run()
    assert world.row().ended_at == after(minutes=30)


def test_a_status_that_no_news_has_is_only_reported(world: World, reconciling: Reconciling) -> None:
    world.apply(*cancelled_life()[:2])
    tells(world, "ROLLED_BACK")
    _, (difference,) = reconciling.run()
    assert (difference["theirs"], difference["action"]) == ("ROLLED_BACK", "reported")
    assert world.row().status == "active"


def test_entitlements_that_differ_are_asked_for_anew(world: World, reconciling: Reconciling) -> None:
    world.apply(contract_updated(after(0), "e1"))
    tells(world)
    world.aws.sells(entitlement("seats", 20))
    world.asker.ask_what_is_due()
    world.aws.sells(entitlement("seats", 50))
    report, (difference,) = reconciling.run()
    assert (difference["kind"], difference["ours"], difference["theirs"]) == (
        "entitlements",
        "seats=20",
        "seats=50",
    )
    assert (difference["action"], report["healed"]) == ("asked_anew", 1)
    # By the usual question, which writes the answer and tells of it.
    assert world.row().entitlements[0].value == "20"
    world.asker.ask_what_is_due()
    assert world.row().entitlements[0].value == "50"
    assert reconciling.run()[1] == []


def test_a_legacy_contract_without_entitlements(world: World, reconciling: Reconciling) -> None:
    world.apply(action("subscribe-success", after(0), "m1", **{"product-code": samples.LEGACY_CONTRACT}))
    world.aws.sells(entitlement("seats", 20))
    world.asker.ask_what_is_due()
    world.aws.pages = [{}]
    _, (difference,) = reconciling.run()
    assert (difference["ours"], difference["theirs"]) == ("seats=20", "none")


def test_pages_of_both_sides(world: World, reconciling: Reconciling) -> None:
    many = ROWS_AT_ONCE * 2 + 3
    rows = [
        listed(
            agreementId=f"agmt-{n}",
            entitlements=[{"licenseArn": f"arn:aws:license-manager::1:license:l-{n}"}],
        )
        for n in range(many)
    ]
    world.aws.listed = [rows[:20], [], rows[20:]]
    for n in range(many):
        tells(world, agreement=f"agmt-{n}")
    report, differences = reconciling.run()
    assert len(differences) == report["differences"] == report["agreements_read"] == many
    assert report["subscriptions_compared"] == many


def test_what_a_partner_sold_is_not_told(world: World, reconciling: Reconciling) -> None:
    world.apply(*cancelled_life()[:2])
    report, differences = reconciling.run()
    assert (report["subscriptions_compared"], report["not_told"], differences) == (1, 1, [])


def test_without_the_permission_to_search_our_own_are_compared(
    world: World, reconciling: Reconciling
) -> None:
    world.apply(*cancelled_life()[:2])
    world.aws.fails["SearchAgreements"] = refusal("AccessDeniedException", 403, "SearchAgreements")
    tells(world, "CANCELLED")
    report, (difference,) = reconciling.run()
    assert report["last_failure"] == "SearchAgreements: AccessDeniedException"
    assert difference["kind"] == "ended_at_aws"


def test_while_aws_is_away_it_stays_where_it_is(world: World, reconciling: Reconciling) -> None:
    world.aws.listed = [[listed()]]
    reconciliation_id = reconciling.start()
    reconciler = world.another_reconciler()
    world.aws.fails["SearchAgreements"] = refusal("ThrottlingException", 429, "SearchAgreements")
    with pytest.raises(Away):
        reconciler.go_on()
    report = reconciling.get(reconciliation_id)
    assert (report["state"], report["step"]) == ("waiting", "agreements")
    assert report["last_failure"] == "SearchAgreements: ThrottlingException"
    world.aws.fails = {}
    while reconciler.go_on():
        pass
    assert reconciling.get(reconciliation_id)["state"] == "finished"
    assert world.row().status == "active"


def test_one_at_a_time(world: World, reconciling: Reconciling) -> None:
    first = reconciling.start()
    assert reconciling.start() == first
    while world.another_reconciler().go_on():
        pass
    assert reconciling.start() != first


STEPS: dict[str, Callable[[Any], tuple[Any, str]]] = {
    "before AWS is asked": lambda reconciler: (reconciler, "_agreements"),
    "before a difference is noted": lambda reconciler: (reconciler._store, "note"),
    "before it is healed": lambda reconciler: (reconciler._worker, "take"),
    "before it moves on": lambda reconciler: (reconciler._store, "move_on"),
}


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_it_goes_on(
    world: World,
    reconciling: Reconciling,
    step: str,
    monkeypatch: pytest.MonkeyPatch,
    crash: Callable[..., Any],
) -> None:
    world.apply(license_updated(after(0), "x2", agreement={"id": "agmt-2"}, license={"arn": samples.ARN_2}))
    tells(world, "CANCELLED", agreement="agmt-2")
    world.aws.listed = [[listed()]]
    tells(world)
    reconciliation_id = reconciling.start()
    for first_was_done in (False, True):
        reconciler = world.another_reconciler()
        if first_was_done:
            reconciler.go_on()
        with monkeypatch.context() as killed:
            target, name = STEPS[step](reconciler)
            killed.setattr(
                target, "_subscriptions" if first_was_done and name == "_agreements" else name, crash
            )
            with pytest.raises(KeyboardInterrupt):
                reconciler.go_on()
    while world.another_reconciler().go_on():
        pass
    report = reconciling.get(reconciliation_id)
    assert (report["state"], report["differences"], report["healed"]) == ("finished", 2, 2)
    assert {one["kind"] for one in reconciling.differences(reconciliation_id)} == {
        "unknown_agreement",
        "ended_at_aws",
    }
    assert world.row().status == "active"
    assert world.row(of_license(samples.ARN_2)).status == "ending"
    assert world.counts()["LogRow"] == 4


def test_two_workers_take_the_same_step(world: World, reconciling: Reconciling) -> None:
    world.aws.listed = [[listed()]]
    reconciliation_id = reconciling.start()
    store = ReconciliationStore(timedelta(days=800))
    stale = ReconciliationRow.get(reconciliation_id)
    world.another_reconciler().go_on()
    with pytest.raises(Overtaken):
        store.move_on(stale, position=None)
    while world.another_reconciler().go_on():
        pass
    assert DifferenceRow.count() == 1


def test_the_loop_stops_when_told(world: World) -> None:
    stop = threading.Event()
    stop.set()
    world.another_reconciler().run(stop)


def test_what_is_not_there(world: World, reconciling: Reconciling) -> None:
    missing = "/v1/reconciliations/rec_" + "a" * 26
    headers = world.key("operator")
    for path in (missing, f"{missing}/differences"):
        assert world.client.get(path, headers=headers).status_code == 404
    assert world.client.get("/v1/reconciliations/anything", headers=headers).status_code == 400
