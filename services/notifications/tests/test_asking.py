"""What AWS says when asked: it comes into the row, stays there, and no question is ever forgotten."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import samples
from conftest import SIGNALS, World
from played_aws import entitlement, refusal
from samples import action, after, amended, contract_updated, created, deprovisioned, ended, license_updated

from notifications.changes import answered
from notifications.history import ANSWER
from notifications.marketplace import Away, Marketplace, NotAnswered, OurFault
from notifications.questions import Questions
from notifications.tables.models import SubscriptionRow
from notifications.tables.rows import published
from notifications.tables.store import Overtaken
from notifications.worker.asking import FAILURES_IN_A_ROW, MOST_AT_ONCE

LEGACY_CONTRACT_ID = "sub_dmpwoavkftegfgy6v25l3kah27"
IN_A_YEAR = after(days=365)
ENDED_CONTRACT = {"product": {"code": samples.CONTRACT}}


def legacy_contract(name: str, at: Any, message_id: str) -> str:
    return action(name, at, message_id, **{"product-code": samples.LEGACY_CONTRACT})


def sold(world: World, subscription_id: str = samples.CONCURRENT_ID) -> list[tuple[str, str]] | None:
    """What the row says was sold; None: never read."""
    entitlements = world.row(subscription_id).entitlements
    return None if entitlements is None else [(one.dimension, one.value) for one in entitlements]


def signal_types(world: World) -> list[str]:
    world.tell()
    return [signal["type"] for signal in world.signals()]


def buy(world: World, count: int) -> None:
    for n in range(count):
        arn = f"arn:aws:license-manager::1:license:l-{n}"
        more = {"agreement": {"id": f"agmt-{n}"}, "license": {"arn": arn}, **ENDED_CONTRACT}
        world.apply(license_updated(after(n), f"e-{n}", **more))


def test_a_contract_s_entitlements_come_with_the_news(world: World) -> None:
    world.aws.sells(entitlement("seats", 20, IN_A_YEAR), entitlement("plan", "gold"))
    world.aws.agreements["agmt-EXAMPLE"] = {"endTime": IN_A_YEAR}
    world.apply(created(after(0), "e1"), contract_updated(after(61), "e2"))
    assert (world.row().version, sold(world)) == (1, None)

    world.clock.advance(seconds=5)
    assert world.asker.ask_what_is_due() == 1
    row = world.row()
    assert sold(world) == [("plan", "gold"), ("seats", "20")]
    assert [one.expires_at for one in row.entitlements] == [None, IN_A_YEAR]
    assert (row.entitlements_as_of, row.version) == (after(5), 2)
    assert (row.free_trial, row.trial_ends_at, row.agreement_ends_at) == (False, None, IN_A_YEAR)
    # They tell of news, and this was none.
    assert (row.changed_at, row.changed_by) == (after(61), "e2")
    assert signal_types(world) == ["subscription.activated", "subscription.changed"]
    assert world.asker.ask_what_is_due() == 0


def test_answers_in_another_order_are_no_change(world: World) -> None:
    world.aws.sells(entitlement("seats", 20), entitlement("plan", "gold"))
    world.apply(contract_updated(after(0), "e1"))
    world.asker.ask_what_is_due()
    world.aws.sells(entitlement("plan", "gold"), entitlement("seats", 20))
    world.clock.advance(hours=1)
    assert world.asker.ask_what_is_due() == 1
    assert world.row().version == 2


def test_a_pull_that_changes_nothing_moves_only_its_time(world: World) -> None:
    world.aws.sells(entitlement("seats", 20))
    world.apply(contract_updated(after(0), "e1"))
    world.asker.ask_what_is_due()
    signal_types(world)
    before = published(world.row())

    world.clock.advance(minutes=59, seconds=59)
    assert world.asker.ask_what_is_due() == 0
    world.clock.advance(seconds=1)
    assert world.asker.ask_what_is_due() == 1
    row = published(world.row())
    assert (row.version, row.subscription) == (before.version, before.subscription)
    assert row.purchase.entitlements == before.purchase.entitlements
    assert row.purchase.entitlements_as_of == after(hours=1)
    assert row.questions == Questions(after(hours=2))
    assert signal_types(world) == []


def test_the_schedule_sees_what_no_news_told(world: World) -> None:
    world.aws.sells(entitlement("seats", 20))
    world.apply(contract_updated(after(0), "e1"))
    world.asker.ask_what_is_due()
    world.aws.sells(entitlement("seats", 30))
    world.clock.advance(hours=1)
    world.asker.ask_what_is_due()
    assert sold(world) == [("seats", "30")]
    assert signal_types(world) == ["subscription.activated", "subscription.changed", "subscription.changed"]


def test_after_expiry_aws_says_none_and_so_does_the_row(world: World) -> None:
    world.aws.sells(entitlement("seats", 20, after(days=1)))
    world.apply(contract_updated(after(0), "e1"))
    world.asker.ask_what_is_due()
    world.clock.advance(days=1)
    world.aws.pages = [{}]
    world.asker.ask_what_is_due()
    assert sold(world) == []
    assert world.row().entitlements_as_of == after(days=1)
    assert "subscription.changed" in signal_types(world)


def test_a_legacy_entitlement_update_changes_no_row_but_asks_aws(world: World) -> None:
    world.aws.sells(entitlement("seats", 20))
    world.apply(legacy_contract("subscribe-success", after(0), "m1"))
    world.asker.ask_what_is_due()
    assert sold(world, LEGACY_CONTRACT_ID) == [("seats", "20")]
    assert world.aws.operations() == ["GetEntitlements"]
    version = world.row(LEGACY_CONTRACT_ID).version

    world.aws.sells(entitlement("seats", 50))
    world.apply(legacy_contract("entitlement-updated", after(300), "m2"))
    assert world.inbox("m2").outcome == "no_change"
    assert world.row(LEGACY_CONTRACT_ID).version == version
    assert world.asker.ask_what_is_due() == 1
    row = world.row(LEGACY_CONTRACT_ID)
    assert (sold(world, LEGACY_CONTRACT_ID), row.version) == ([("seats", "50")], version + 1)
    assert row.free_trial is True  # SNS's flag: no answer of AWS replaces it


def test_pay_as_you_go_is_asked_for_its_agreement_once_and_after_an_amendment(world: World) -> None:
    world.aws.agreements["agmt-EXAMPLE"] = {"freeTrialSummary": {"trialEndTime": after(days=30)}}
    world.apply(created(after(0), "e1"), license_updated(after(61), "e2"))
    world.asker.ask_what_is_due()
    row = world.row()
    assert (row.free_trial, row.trial_ends_at, row.agreement_ends_at) == (True, after(days=30), None)
    assert (row.entitlements, row.entitlements_as_of) == (None, None)
    assert world.aws.operations() == ["DescribeAgreement"]

    world.apply(license_updated(after(70), "e3"))
    world.clock.advance(days=2)
    assert world.asker.ask_what_is_due() == 0

    world.aws.agreements["agmt-EXAMPLE"] = {"endTime": IN_A_YEAR}
    world.apply(amended(after(days=2), "e4"))
    assert world.asker.ask_what_is_due() == 1
    row = world.row()
    assert (row.free_trial, row.trial_ends_at, row.agreement_ends_at) == (False, None, IN_A_YEAR)
    assert world.aws.operations() == ["DescribeAgreement"]


def test_a_legacy_subscription_without_a_contract_is_asked_nothing(world: World) -> None:
    world.apply(action("subscribe-success", after(0), "m1"), action("entitlement-updated", after(1), "m2"))
    world.asker.ask_what_is_due()
    assert world.aws.asked == []
    assert world.row(samples.LEGACY_ID).private_ask_at is None


def test_an_agreement_that_is_closed_to_us_holds_up_no_entitlement(world: World) -> None:
    world.aws.sells(entitlement("seats", 20))
    world.aws.fails["DescribeAgreement"] = refusal("AccessDeniedException", 403)
    world.apply(contract_updated(after(0), "e1"))
    assert world.asker.ask_what_is_due() == 1
    row = world.row()
    assert (sold(world), row.free_trial, row.agreement_ends_at) == ([("seats", "20")], None, None)
    assert row.private_ask_agreement is None
    world.aws.operations()
    world.clock.advance(hours=1)
    world.asker.ask_what_is_due()
    assert world.aws.operations() == ["GetEntitlements"]


@pytest.mark.parametrize(
    ("error", "named"),
    [(refusal("ThrottlingException"), Away), (refusal("AccessDeniedException"), OurFault)],
)
def test_what_is_known_stays_while_aws_does_not_answer(
    world: World, error: Exception, named: type[NotAnswered]
) -> None:
    world.aws.sells(entitlement("seats", 20))
    world.apply(contract_updated(after(0), "e1"))
    world.asker.ask_what_is_due()
    before = published(world.row())

    world.clock.advance(hours=1)
    world.aws.fails["GetEntitlements"] = error
    for _ in range(2):
        with pytest.raises(named):
            world.asker.ask_what_is_due()
    assert published(world.row()) == before  # the time of the answer too
    world.aws.fails.clear()
    world.aws.pages = [{}]
    assert world.asker.ask_what_is_due() == 1
    assert (sold(world), world.row().entitlements_as_of) == ([], after(hours=1))


def test_news_is_applied_though_aws_does_not_answer(world: World) -> None:
    world.aws.fails["GetEntitlements"] = refusal("InternalServiceErrorException", 500)
    world.apply(contract_updated(after(0), "e1"))
    with pytest.raises(Away):
        world.asker.ask_what_is_due()
    world.apply(ended(after(95), "e2"))
    assert (world.row().status, world.row().access) == ("ending", "denied")
    assert sold(world) is None  # which is not "none"


def test_a_question_that_fails_takes_nothing_from_the_other_s_answer(world: World) -> None:
    world.aws.sells(entitlement("seats", 20))
    world.aws.fails["DescribeAgreement"] = refusal("ThrottlingException", 429)
    world.apply(contract_updated(after(0), "e1"))
    with pytest.raises(Away, match="DescribeAgreement"):
        world.asker.ask_what_is_due()
    assert sold(world) == [("seats", "20")]
    assert world.row().private_ask_agreement is True

    world.aws.fails = {"GetEntitlements": refusal("ThrottlingException")}
    world.aws.agreements["agmt-EXAMPLE"] = {"endTime": IN_A_YEAR}
    with pytest.raises(Away, match="GetEntitlements"):
        world.asker.ask_what_is_due()
    assert (sold(world), world.row().agreement_ends_at) == ([("seats", "20")], IN_A_YEAR)

    world.aws.fails.clear()
    assert world.asker.ask_what_is_due() == 1
    assert world.asker.ask_what_is_due() == 0


def test_killed_between_the_news_and_the_question(world: World) -> None:
    """Another process finds it, in the row."""
    world.aws.sells(entitlement("seats", 20))
    world.apply(contract_updated(after(0), "e1"))
    world.another_asker().ask_what_is_due()
    assert sold(world) == [("seats", "20")]


def test_killed_between_the_answer_and_the_write(
    world: World, monkeypatch: pytest.MonkeyPatch, crash: Callable[..., Any]
) -> None:
    world.aws.sells(entitlement("seats", 20))
    world.apply(contract_updated(after(0), "e1"))
    with monkeypatch.context() as killed:
        killed.setattr(world.worker.store, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            world.asker.ask_what_is_due()
    assert (sold(world), world.row().version) == (None, 1)
    world.another_asker().ask_what_is_due()
    assert (sold(world), world.row().version) == ([("seats", "20")], 2)


def test_killed_after_the_write_before_anybody_is_told(world: World) -> None:
    world.aws.sells(entitlement("seats", 20))
    world.apply(contract_updated(after(0), "e1"))
    world.asker.ask_what_is_due()
    assert world.signals() == []
    assert signal_types(world) == ["subscription.activated", "subscription.changed"]


@pytest.mark.parametrize("visible", [True, False], ids=["that changes the row", "that changes no row"])
def test_news_during_a_pull_is_not_undone_and_asks_again(world: World, visible: bool) -> None:
    """The answer was made before the news: it may be older. The clock stands still, so no time tells them
    apart."""
    world.aws.sells(entitlement("seats", 20))
    world.apply(contract_updated(after(0), "e1"))
    news = ended(after(95), "e2", status="RENEWED") if visible else contract_updated(after(95), "e2")

    def meanwhile() -> None:
        world.apply(news)
        world.aws.sells(entitlement("seats", 30))

    world.aws.meanwhile = [meanwhile]
    assert world.asker.ask_what_is_due() == 1
    assert [name for name in world.aws.operations() if name == "GetEntitlements"] == ["GetEntitlements"] * 2
    assert sold(world) == [("seats", "30")]
    row = world.row()
    assert (row.status, row.version) == (("ending", 3) if visible else ("active", 2))
    assert world.asker.ask_what_is_due() == 0


def test_news_each_time_leaves_the_question_to_the_next_round(world: World) -> None:
    world.aws.sells(entitlement("seats", 20))
    world.apply(contract_updated(after(0), "e0"))
    world.aws.meanwhile = [partial(world.apply, contract_updated(after(n), f"e{n}")) for n in range(1, 9)]
    assert world.asker.ask_what_is_due() == 0
    assert sold(world) is None
    world.aws.meanwhile = []
    assert world.asker.ask_what_is_due() == 1
    assert sold(world) == [("seats", "20")]


def test_a_pull_between_reading_and_writing_of_news_is_not_undone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.aws.sells(entitlement("seats", 20))
    world.apply(contract_updated(after(0), "e1"))
    store = world.worker.store
    read = store.published
    pulls = iter([world.asker.ask_what_is_due])

    def read_then_be_overtaken(ids: Any) -> Any:
        rows = read(ids)
        next(pulls, lambda: None)()
        return rows

    monkeypatch.setattr(store, "published", read_then_be_overtaken)
    world.apply(ended(after(95), "e2"))
    assert (world.row().status, sold(world), world.row().version) == ("ending", [("seats", "20")], 3)


def test_two_processes_ask_and_one_writes(world: World) -> None:
    world.aws.sells(entitlement("seats", 20))
    world.apply(contract_updated(after(0), "e1"))
    other = world.another_asker()
    world.aws.meanwhile = [other.ask_what_is_due]
    assert world.asker.ask_what_is_due() == 0
    assert (sold(world), world.row().version) == ([("seats", "20")], 2)
    assert signal_types(world) == ["subscription.activated", "subscription.changed"]


def test_folding_again_keeps_what_was_answered(world: World) -> None:
    world.aws.sells(entitlement("seats", 20))
    world.aws.agreements["agmt-EXAMPLE"] = {"freeTrialSummary": {"trialEndTime": after(days=7)}}
    world.apply(contract_updated(after(61), "e2"))
    world.asker.ask_what_is_due()
    purchase = published(world.row()).purchase
    # Late news, the end, and the passing of the last hour: each folds all facts anew.
    world.apply(created(after(0), "e1"), ended(after(95), "e3"))
    world.apply(deprovisioned(after(126), "e4", **ENDED_CONTRACT))
    assert published(world.row()).purchase == purchase
    world.worker.sweep(after(hours=3))
    assert world.row().status == "ended"
    assert published(world.row()).purchase == purchase


def test_an_ended_subscription_is_asked_about_once_more_and_never_again(world: World) -> None:
    world.aws.sells(entitlement("seats", 20))
    world.apply(contract_updated(after(0), "e1"), ended(after(95), "e2"))
    world.asker.ask_what_is_due()
    world.clock.advance(hours=3)
    world.worker.sweep(world.clock.now())
    world.aws.pages = [{}]
    assert world.asker.ask_what_is_due() == 1
    assert (world.row().status, sold(world), world.row().private_ask_at) == ("ended", [], None)
    world.clock.advance(days=3)
    assert world.another_asker().ask_what_is_due() == 0


def test_the_sweep_writes_no_row_whose_last_hour_is_not_over(world: World) -> None:
    world.apply(contract_updated(after(0), "e1"), ended(after(95), "e2"))
    revision = world.row().private_revision
    assert world.worker.sweep(after(minutes=30)) == 0
    assert world.row().private_revision == revision


def test_rows_without_a_question_get_it_when_a_process_starts(world: World) -> None:
    """As an older release wrote them, or a catalogue that called no product a contract."""
    world.aws.sells(entitlement("seats", 20))
    world.apply(contract_updated(after(0), "e1"), legacy_contract("unsubscribe-success", after(0), "m1"))
    for subscription_id in (samples.CONCURRENT_ID, LEGACY_CONTRACT_ID):
        world.row(subscription_id).update(
            [
                SubscriptionRow.private_ask_at.remove(),
                SubscriptionRow.private_ask_agreement.remove(),
                SubscriptionRow.private_revision.remove(),
            ]
        )
    assert world.asker.ask_what_is_due() == 1
    assert sold(world) == [("seats", "20")]
    assert sold(world, LEGACY_CONTRACT_ID) is None  # it is over; nothing would be done with it
    assert world.row().private_revision == 2
    # News about a row of an older release.
    world.row().update([SubscriptionRow.private_revision.remove()])
    world.apply(ended(after(95), "e2"))
    assert (world.row().status, sold(world)) == ("ending", [("seats", "20")])


def test_an_older_release_beside_us_is_not_overwritten(world: World) -> None:
    world.apply(contract_updated(after(0), "e1"))
    world.row().update([SubscriptionRow.private_revision.remove()])
    stale = published(world.row())
    change = answered(stale, stale.purchase.entitled_to([], after(1)), Questions(), after(1))
    assert change is not None
    # It raises the version and knows no revision.
    world.row().update([SubscriptionRow.version.set(2)])
    with pytest.raises(Overtaken):
        world.worker.store.replace(change, ANSWER, samples.T0)


def test_one_that_fails_alone_holds_up_no_other(world: World) -> None:
    buy(world, 12)
    played = world.aws.get_entitlements

    class OneFails:
        describe_agreement = staticmethod(world.aws.describe_agreement)

        @staticmethod
        def get_entitlements(**request: Any) -> Any:
            if request["Filter"]["LICENSE_ARN"] == ["arn:aws:license-manager::1:license:l-3"]:
                raise refusal("InvalidParameterException")
            return played(**request)

    asker = world.another_asker(Marketplace(OneFails, OneFails))
    with pytest.raises(OurFault):
        asker.ask_what_is_due()
    unread = [row.agreement_id for row in SubscriptionRow.scan() if row.entitlements is None]
    assert unread == ["agmt-3"]


def test_when_all_fail_the_round_ends_early(world: World) -> None:
    buy(world, FAILURES_IN_A_ROW + 2)
    world.aws.fails["GetEntitlements"] = refusal("ThrottlingException")
    with pytest.raises(Away):
        world.asker.ask_what_is_due()
    assert world.aws.operations().count("GetEntitlements") == FAILURES_IN_A_ROW
    world.aws.fails.clear()
    assert world.asker.ask_what_is_due() == FAILURES_IN_A_ROW + 2


def test_a_round_has_an_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.worker.store, "due_questions", lambda _now: ["sub_none"] * (MOST_AT_ONCE + 50))
    looked: list[Any] = []
    monkeypatch.setattr(world.worker.store, "published", lambda ids: looked.append(ids) or {})
    assert world.asker.ask_what_is_due() == 0
    assert len(looked) == MOST_AT_ONCE


def test_the_other_queue_hears_of_answers_too(world: World) -> None:
    world.aws.sells(entitlement("seats", 20))
    world.apply(contract_updated(after(0), "e1"))
    world.asker.ask_what_is_due()
    world.tell()
    for queue in (SIGNALS, "test-other-signals"):
        assert [(one["type"], one["version"]) for one in world.signals(queue)] == [
            ("subscription.activated", 1),
            ("subscription.changed", 2),
        ]
