"""AWS's files beside the books: every way to differ has its name, and only what is certain settles anything.

The files are made of what the shelf was really told, and of what it really counted.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from house import CONCURRENT, LEGACY, LONG_AGO, House, at
from shelf_marketplace import URL, Buyer, Fault, Refused
from trail import event, events, log_file, looked_up

from metering.evidence import Source
from metering.reconciler import Reconciler, Span
from metering.record_desk import RecordDesk
from metering.records import Decision, MeteringRecord
from metering.subscription_ids import of_customer, of_license
from metering.tables.models import ReconciliationRow
from metering.tables.reconciliation_store import ReconciliationStore

LOST = Fault(after=ReadTimeoutError(endpoint_url=URL))
NEVER_ARRIVED = Fault(before=ReadTimeoutError(endpoint_url=URL))
NOBODY_THERE = EndpointConnectionError(endpoint_url=URL)


@pytest.fixture
def desk(house: House) -> RecordDesk:
    return RecordDesk(house.record_store, house.usage_log)


@pytest.fixture
def reconciler(house: House, desk: RecordDesk) -> Reconciler:
    return Reconciler(
        house.record_store,
        house.published,
        desk,
        ReconciliationStore(),
        house.clock,
        "us-east-1",
        house.settings.limits.window,
    )


def buy(house: House, *, legacy: bool = False, account: str | None = None) -> str:
    """A buyer whose subscription has the id that is derived from AWS's identity, as in real life."""
    number = len(house.identities) + int(house.clock.now().timestamp()) % 1000 * 1000
    identity = f"X01BUYER{number}" if legacy else f"arn:aws:license-manager::1:license:l-{number:032x}"
    sub = of_customer(LEGACY, identity) if legacy else of_license(identity)
    house.identities[sub] = identity
    product = LEGACY if legacy else CONCURRENT
    shown = account or f"{111122220000 + number:012d}"
    house.aws.buyers[identity] = Buyer(product, LONG_AGO, account=None if legacy else shown)
    house.publish(sub, customer_aws_account_id=account if legacy else shown)
    return sub


def cloudtrail(house: House, reconciler: Reconciler, *found: dict[str, Any], complete: bool = False) -> Any:
    """Reconcile with what CloudTrail has of the shelf, or with these events; answers numbers and
    differences."""
    span = Span(LONG_AGO, house.clock.now()) if complete else None
    text = log_file(*(found or events(house.aws)))
    reconciliation, differences = reconciler.reconcile(Source.CLOUDTRAIL, text, "ada", span)
    return reconciliation.counts, differences


def unknown(house: House, fault: Fault, quantity: str = "3", **how: Any) -> str:
    """A subscription whose record was sent into this fault until AWS took its hour no more."""
    sub = buy(house, **how)
    house.use(sub, quantity)
    house.clock.advance(hours=1, minutes=5)
    house.aws.next_calls(fault)
    house.run()
    house.clock.advance(hours=30)
    house.run()
    assert house.outcomes(sub) == ["unknown"]
    return sub


def neighbour(house: House) -> str:
    """A subscription whose record AWS has billed."""
    sub = buy(house)
    house.use(sub, "2")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    assert house.outcomes(sub) == ["billed"]
    return sub


def the_record(house: House, sub: str) -> MeteringRecord:
    (record, *_) = house.records(sub)
    return record


def resolve(house: House, desk: RecordDesk, sub: str, decision: Decision) -> None:
    desk.resolve(the_record(house, sub).metering_record_id, decision, "so I say", "grace", house.clock.now())


def decided(house: House, sub: str) -> str | None:
    resolution = the_record(house, sub).resolution
    return resolution.decision.value if resolution else None


# What agrees
# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("legacy", [False, True])
def test_what_is_billed_on_both_sides_is_no_difference(
    house: House, reconciler: Reconciler, legacy: bool
) -> None:
    sub = buy(house, legacy=legacy)
    house.use(sub, "0.000001")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    counts, differences = cloudtrail(house, reconciler, complete=True)
    assert differences == []
    assert (counts.read, counts.compared, counts.agreed) == (1, 1, 1)


def test_a_record_that_is_being_sent_again_by_itself_is_let_be(house: House, reconciler: Reconciler) -> None:
    sub = buy(house)
    house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    house.aws.next_calls(LOST)
    house.run()
    assert house.outcomes(sub) == ["planned"]
    assert cloudtrail(house, reconciler, complete=True)[1] == []
    assert house.outcomes(sub) == ["planned"]


# Settled by a count
# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("form", [log_file, looked_up])
def test_an_unknown_record_that_aws_has_counted_is_settled_as_billed(
    house: House, reconciler: Reconciler, legacy: bool, form: Any
) -> None:
    sub = unknown(house, LOST, "41.25", legacy=legacy)
    assert house.balance(sub).held == 41_250_000
    found, (difference,) = reconciler.reconcile(Source.CLOUDTRAIL, form(*events(house.aws)), "ada", None)
    assert (difference["kind"], difference["settled"]) == ("outcome_differs", "billed")
    assert difference["ours"]["says"] == "unknown"
    assert difference["theirs"]["event_id"] == "event-1"
    assert (found.counts.settled_as_billed, found.counts.differences) == (1, 1)
    record = the_record(house, sub)
    assert record.resolution
    assert record.resolution.by == f"reconciliation {found.reconciliation_id}"
    assert "event-1" in record.resolution.reason
    assert house.balance(sub).billed == 41_250_000
    assert house.billed(sub) == "41.25"
    assert house.balance(sub).balanced


def test_the_same_file_again_changes_nothing(house: House, reconciler: Reconciler) -> None:
    sub = unknown(house, LOST)
    cloudtrail(house, reconciler)
    before = the_record(house, sub)
    house.clock.advance(hours=1)
    counts, differences = cloudtrail(house, reconciler)
    assert differences == []
    assert (counts.compared, counts.agreed, counts.settled_as_billed) == (1, 1, 0)
    assert the_record(house, sub) == before


def test_a_duplicate_of_our_own_first_sending_is_settled_as_billed(
    house: House, reconciler: Reconciler
) -> None:
    """AWS's own skill says that an identical record sent again may come back as DuplicateRecord."""
    house.aws.identical_is_duplicate = True
    sub = buy(house)
    house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    house.aws.next_calls(LOST)
    house.run(2)
    record = the_record(house, sub)
    assert (record.outcome.value, record.reason) == ("duplicate_conflict", "sent_before")
    cloudtrail(house, reconciler)
    assert decided(house, sub) == "billed"
    assert (house.balance(sub).billed, house.balance(sub).conflicting) == (3_000_000, 0)


@pytest.mark.parametrize("decision", [Decision.WRITE_OFF, Decision.BILL_AGAIN])
def test_a_person_s_decision_stands_and_is_named_where_it_is_wrong(
    house: House, reconciler: Reconciler, desk: RecordDesk, decision: Decision
) -> None:
    sub = unknown(house, LOST)
    resolve(house, desk, sub, decision)
    counts, (difference,) = cloudtrail(house, reconciler)
    assert (difference["kind"], difference["settled"]) == ("outcome_differs", None)
    assert difference["ours"]["says"] == f"unknown, decided {decision.value}"
    assert counts.settled_as_billed == 0
    assert decided(house, sub) == decision.value
    resolution = the_record(house, sub).resolution
    assert resolution
    assert resolution.by == "grace"


@pytest.mark.parametrize(
    ("decision", "why"),
    [(Decision.WRITE_OFF, "DecidedOtherwise"), (Decision.BILLED, "has just decided the same")],
)
def test_a_person_who_decides_meanwhile_wins(
    house: House,
    reconciler: Reconciler,
    desk: RecordDesk,
    monkeypatch: pytest.MonkeyPatch,
    decision: Decision,
    why: str,
) -> None:
    sub = unknown(house, LOST)
    save = ReconciliationStore.save

    def decide_first(store: ReconciliationStore, one: Any) -> None:
        if one.finished_at is None:
            resolve(house, desk, sub, decision)
        save(store, one)

    monkeypatch.setattr(ReconciliationStore, "save", decide_first)
    counts, (difference,) = cloudtrail(house, reconciler)
    assert (difference["settled"], counts.settled_as_billed) == (None, 0)
    assert why in difference["sentence"]
    resolution = the_record(house, sub).resolution
    assert resolution
    assert (resolution.decision, resolution.by) == (decision, "grace")


# Settled by its absence
# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("legacy", [False, True])
def test_prior_art_11_a_record_that_never_arrived_is_billed_again_once(
    house: House, reconciler: Reconciler, legacy: bool
) -> None:
    sub = unknown(house, NEVER_ARRIVED, legacy=legacy)
    neighbour(house)
    house.clock.advance(hours=24)
    counts, (difference,) = cloudtrail(house, reconciler, complete=True)
    assert (difference["kind"], difference["settled"]) == ("not_at_aws", "bill_again")
    assert (difference["theirs"], difference["place"]) == (None, None)
    assert counts.settled_to_bill_again == 1
    for _ in range(2):  # and the file, sent again, releases nothing a second time
        assert (house.balance(sub).open, house.balance(sub).held) == (3_000_000, 0)
        assert cloudtrail(house, reconciler, complete=True)[1] == []
    house.run(2)
    assert house.billed(sub) == "3"
    assert house.outcomes(sub) == ["unknown", "billed"]
    house.must_be_exact()


@pytest.mark.parametrize("refusal", ["ThrottlingException", "AccessDeniedException"])
def test_refusals_that_counted_nothing_do_not_speak_against_it(
    house: House, reconciler: Reconciler, refusal: str
) -> None:
    sub = buy(house)
    house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    house.aws.next_calls(NEVER_ARRIVED, Fault(before=Refused(refusal)))
    house.run()
    try:
        house.run()
    except ExceptionGroup:
        assert refusal == "AccessDeniedException"
    house.clock.advance(hours=30)
    house.run()
    neighbour(house)
    house.clock.advance(hours=24)
    _, (difference,) = cloudtrail(house, reconciler, complete=True)
    assert (difference["kind"], difference["settled"]) == ("not_at_aws", "bill_again")
    assert difference["theirs"]["says"] == refusal
    assert decided(house, sub) == "bill_again"


def test_absence_alone_settles_nothing(house: House, reconciler: Reconciler) -> None:
    """Without a person's word a file may be any part of what AWS has."""
    sub = unknown(house, NEVER_ARRIVED)
    neighbour(house)
    house.clock.advance(hours=24)
    assert cloudtrail(house, reconciler)[1] == []
    assert decided(house, sub) is None


def test_a_file_without_our_calls_is_not_believed(house: House, reconciler: Reconciler) -> None:
    sub = unknown(house, NEVER_ARRIVED)
    neighbour(house)
    house.clock.advance(hours=24)
    span = Span(LONG_AGO, house.clock.now())
    elsewhere = events(house.aws, region="eu-west-1")
    for text in (log_file(), looked_up(), log_file(*elsewhere)):
        _, differences = reconciler.reconcile(Source.CLOUDTRAIL, text, "ada", span)
        of_ours = [one for one in differences if one["kind"] == "still_unknown"]
        assert [one["settled"] for one in of_ours] == [None]
        assert "may be another's" in of_ours[0]["sentence"]
        assert "not_at_aws" not in {one["kind"] for one in differences}
    assert decided(house, sub) is None


def test_a_file_must_be_complete_of_all_the_time_in_which_it_could_have_been_counted(
    house: House, reconciler: Reconciler
) -> None:
    sub = unknown(house, NEVER_ARRIVED)
    neighbour(house)
    house.clock.advance(hours=24)
    record = the_record(house, sub)
    # From its freezing until AWS's window has closed or it was given up, whichever is later.
    since = record.created_at - timedelta(minutes=15)
    assert record.settled_at
    until = record.settled_at + timedelta(minutes=15)
    second = timedelta(seconds=1)
    for span in (Span(since + second, until), Span(since, until - second)):
        _, (difference,) = reconciler.reconcile(Source.CLOUDTRAIL, log_file(*events(house.aws)), "ada", span)
        assert (difference["kind"], difference["settled"]) == ("still_unknown", None)
        assert "complete from 2026-11-22T10:50:00Z until" in difference["sentence"]
    reconciler.reconcile(Source.CLOUDTRAIL, log_file(*events(house.aws)), "ada", Span(since, until))
    assert decided(house, sub) == "bill_again"


def test_it_could_have_been_counted_until_aws_s_own_window_closes(
    house: House, reconciler: Reconciler
) -> None:
    """We give up five minutes earlier; a call of a process that stood still may arrive in them."""
    sub = buy(house)
    house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    house.aws.next_calls(NEVER_ARRIVED)
    house.run()
    house.clock.advance(hours=22, minutes=50)
    house.run()
    assert the_record(house, sub).settled_at == at("23T09:55")
    neighbour(house)
    house.clock.advance(hours=24)
    since, until = at("22T00:00"), at("23T10:15")
    text = log_file(*events(house.aws))
    reconciler.reconcile(Source.CLOUDTRAIL, text, "ada", Span(since, until - timedelta(seconds=1)))
    assert decided(house, sub) is None
    reconciler.reconcile(Source.CLOUDTRAIL, text, "ada", Span(since, until))
    assert decided(house, sub) == "bill_again"


def test_what_is_younger_than_cloudtrail_s_lateness_is_not_relied_on(
    house: House, reconciler: Reconciler
) -> None:
    neighbour(house)
    sub = unknown(house, NEVER_ARRIVED)
    house.clock.advance(minutes=74)
    _, (difference,) = cloudtrail(house, reconciler, complete=True)
    assert difference["kind"] == "still_unknown"
    house.clock.advance(minutes=1)
    cloudtrail(house, reconciler, complete=True)
    assert decided(house, sub) == "bill_again"


def test_a_call_of_that_time_that_cannot_be_read_speaks_against_it(
    house: House, reconciler: Reconciler
) -> None:
    sub = unknown(house, NEVER_ARRIVED)
    neighbour(house)
    house.clock.advance(hours=24)
    hole = event(at("22T20:00"), {}, {}, "hole") | {"requestParameters": None}
    _, differences = cloudtrail(house, reconciler, *events(house.aws), hole, complete=True)
    kinds = {one["kind"]: one for one in differences}
    assert kinds.keys() == {"unreadable", "still_unknown"}
    assert kinds["unreadable"]["place"] == "/Records/1/requestParameters"
    assert "cannot be read" in kinds["still_unknown"]["sentence"]
    assert decided(house, sub) is None
    # One that lies outside of that time does not.
    hole["eventTime"] = "2026-11-10T10:00:00Z"
    _, differences = cloudtrail(house, reconciler, *events(house.aws), hole, complete=True)
    assert decided(house, sub) == "bill_again"


@pytest.mark.parametrize(
    "answer", ["InternalServiceErrorException", "DuplicateRecord", "NobodyForesawIt", "no answer"]
)
def test_an_answer_that_leaves_it_open_speaks_against_it(
    house: House, reconciler: Reconciler, answer: str
) -> None:
    sub = unknown(house, NEVER_ARRIVED)
    neighbour(house)
    house.clock.advance(hours=24)
    (usage,) = house.aws.requests[0]["UsageRecords"]
    said: Any = {"Results": [{"UsageRecord": usage, "Status": answer}]}
    if answer == "no answer":
        said = {"Results": []}
    elif answer != "DuplicateRecord":
        said = answer
    sending = event(at("22T11:05"), {"UsageRecords": [usage]}, said, "its-sending")
    _, (difference,) = cloudtrail(house, reconciler, *events(house.aws), sending, complete=True)
    assert (difference["kind"], difference["settled"]) == ("still_unknown", None)
    assert answer in difference["sentence"]
    assert decided(house, sub) is None


def test_what_aws_refused_in_the_end_is_for_a_person(house: House, reconciler: Reconciler) -> None:
    """It was certainly not counted; but sent again, it would be refused again."""
    sub = buy(house)
    house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    house.aws.next_calls(NEVER_ARRIVED, Fault(before=Refused("InvalidLicenseException")))
    house.run(2)
    assert house.outcomes(sub) == ["unknown"]
    neighbour(house)
    house.clock.advance(hours=48)
    _, (difference,) = cloudtrail(house, reconciler, complete=True)
    assert (difference["kind"], difference["settled"]) == ("still_unknown", None)
    assert "InvalidLicenseException" in difference["sentence"]
    assert decided(house, sub) is None


def test_an_error_after_the_count_leaves_it_unknown(house: House, reconciler: Reconciler) -> None:
    """CloudTrail has the error and not the count: nothing may be billed again."""
    sub = unknown(house, Fault(after=Refused("InternalServiceErrorException", 500)))
    neighbour(house)
    house.clock.advance(hours=24)
    _, (difference,) = cloudtrail(house, reconciler, complete=True)
    assert (difference["kind"], difference["settled"]) == ("still_unknown", None)
    assert house.billed(sub) == "3"
    house.must_be_exact()


# Only named
# ---------------------------------------------------------------------------------------------------------


def test_what_aws_counted_and_we_do_not_know_is_named(house: House, reconciler: Reconciler) -> None:
    neighbour(house)
    request = house.aws.requests[0]
    stranger = {**request["UsageRecords"][0], "LicenseArn": "arn:aws:license-manager::1:license:l-0abc"}
    answer = {"Results": [{"UsageRecord": stranger, "Status": "Success", "MeteringRecordId": "m-9"}]}
    found = event(house.clock.now(), {"UsageRecords": [stranger]}, answer, "strange")
    counts, (difference,) = cloudtrail(house, reconciler, *events(house.aws), found)
    assert difference["kind"] == "not_in_our_books"
    assert difference["ours"] is None
    assert difference["theirs"] == {
        "quantity": "2",
        "says": "Success",
        "region": "us-east-1",
        "aws_metering_record_id": "m-9",
        "event_id": "strange",
    }
    assert difference["subscription_id"] == of_license("arn:aws:license-manager::1:license:l-0abc")
    assert (counts.compared, counts.agreed) == (2, 1)


def test_an_identity_that_we_never_bill_under_is_named(house: House, reconciler: Reconciler) -> None:
    usage = {"Dimension": "gpu_hours", "Timestamp": at("22T10").timestamp(), "QuantityAsDecimal": "1"}
    by_account = usage | {"CustomerAWSAccountId": "444455556666"}
    answer = {"Results": [{"UsageRecord": by_account, "Status": "Success"}]}
    found = event(at("22T11"), {"UsageRecords": [by_account], "ProductCode": LEGACY}, answer, "e")
    _, (difference,) = cloudtrail(house, reconciler, found)
    assert (difference["kind"], difference["subscription_id"]) == ("not_in_our_books", None)
    assert difference["product_code"] == LEGACY


@pytest.mark.parametrize("billed", [True, False])
def test_another_quantity_is_named_and_settles_nothing(
    house: House, reconciler: Reconciler, billed: bool
) -> None:
    sub = neighbour(house) if billed else unknown(house, LOST)
    (_, request, answer) = house.aws.trail[0]
    assert isinstance(answer, dict)
    answer["Results"][0]["UsageRecord"] = request["UsageRecords"][0] | {"QuantityAsDecimal": "2.000001"}
    _, (difference,) = cloudtrail(house, reconciler, complete=True)
    assert (difference["kind"], difference["settled"]) == ("quantity_differs", None)
    assert difference["theirs"]["quantity"] == "2.000001"
    assert decided(house, sub) is None


def test_what_stands_in_the_slot_of_a_duplicate_is_named(house: House, reconciler: Reconciler) -> None:
    sub = buy(house)
    house.use(sub, "3")
    other = {
        "LicenseArn": house.identities[sub],
        "CustomerAWSAccountId": house.aws.buyers[house.identities[sub]].account,
        "Dimension": "gpu_hours",
        "Timestamp": at("22T10").timestamp(),
        "QuantityAsDecimal": "5",
    }
    house.clock.advance(hours=1, minutes=5)
    house.aws._answer({"UsageRecords": [other]})
    house.run()
    assert house.outcomes(sub) == ["duplicate_conflict"]
    _, (difference,) = cloudtrail(house, reconciler, complete=True)
    assert (difference["kind"], difference["settled"]) == ("quantity_differs", None)
    assert (difference["ours"]["quantity"], difference["theirs"]["quantity"]) == ("3", "5")
    assert decided(house, sub) is None


def test_a_refused_record_that_aws_has_counted_after_all_is_named(
    house: House, reconciler: Reconciler
) -> None:
    sub = buy(house)
    house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    house.aws.next_calls(Fault(before=Refused("InvalidLicenseException")))
    house.run()
    assert house.outcomes(sub) == ["rejected"]
    request = house.aws.requests[0]
    answer = {"Results": [{"UsageRecord": request["UsageRecords"][0], "Status": "Success"}]}
    _, (difference,) = cloudtrail(house, reconciler, event(house.clock.now(), request, answer, "e-1"))
    assert (difference["kind"], difference["settled"]) == ("outcome_differs", None)
    assert difference["ours"]["says"] == "rejected"
    assert decided(house, sub) is None


def test_what_we_call_billed_and_a_complete_file_does_not_have_is_named(
    house: House, reconciler: Reconciler
) -> None:
    gone, refused, there = neighbour(house), neighbour(house), neighbour(house)
    _, second, third = events(house.aws)
    house.clock.advance(hours=3)
    second["responseElements"]["results"][0]["status"] = "CustomerNotSubscribed"
    assert cloudtrail(house, reconciler, second, third)[1] == []
    _, differences = cloudtrail(house, reconciler, second, third, complete=True)
    assert {one["subscription_id"]: one["kind"] for one in differences} == {
        gone: "not_at_aws",
        refused: "outcome_differs",
    }
    assert {house.outcomes(sub)[0] for sub in (gone, refused, there)} == {"billed"}
    # Not of what was sent outside of that time, or at its very end.
    settled = the_record(house, refused).settled_at
    assert settled
    end = settled + timedelta(minutes=15)
    for until, kinds in (
        (end - timedelta(seconds=1), {"not_at_aws"}),
        (end, {"not_at_aws", "outcome_differs"}),
    ):
        text = log_file(second, third)
        _, differences = reconciler.reconcile(Source.CLOUDTRAIL, text, "ada", Span(LONG_AGO, until))
        assert {one["kind"] for one in differences} == kinds
    late = Span(house.clock.now() - timedelta(hours=1), house.clock.now())
    assert reconciler.reconcile(Source.CLOUDTRAIL, log_file(third), "ada", late)[1] == []


@pytest.mark.parametrize("twice", [True, False])
def test_a_count_in_another_region_is_named(house: House, reconciler: Reconciler, twice: bool) -> None:
    sub = unknown(house, LOST)
    elsewhere = [one | {"eventID": "there"} for one in events(house.aws, region="eu-west-1")]
    _, differences = cloudtrail(house, reconciler, *(events(house.aws) if twice else ()), *elsewhere)
    abroad = next(one for one in differences if one["kind"] == "another_region")
    assert abroad["theirs"]["region"] == "eu-west-1"
    assert ("second time" in abroad["sentence"]) == twice
    assert decided(house, sub) == ("billed" if twice else None)


def test_prior_art_15_both_identities_in_one_hour_are_named(house: House, reconciler: Reconciler) -> None:
    account = "444455556666"
    old, new = buy(house, legacy=True, account=account), buy(house, account=account)
    house.publish(new, product_code=LEGACY, customer_aws_account_id=account)
    house.aws.buyers[house.identities[new]].product_code = LEGACY
    other = buy(house)
    for sub in (old, new, other):
        house.use(sub, "1")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    counts, (difference,) = cloudtrail(house, reconciler)
    assert difference["kind"] == "billed_under_two_identities"
    assert (difference["subscription_id"], difference["hour"]) == (old, "2026-11-22T10:00:00.000000Z")
    assert house.identities[new] in difference["sentence"]
    assert counts.agreed == 3


def test_two_licences_of_one_account_are_two_agreements(house: House, reconciler: Reconciler) -> None:
    for sub in (buy(house, account="444455556666"), buy(house, account="444455556666")):
        house.use(sub, "1")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    assert cloudtrail(house, reconciler)[1] == []


def test_two_names_of_a_legacy_buyer_are_not_two_identities(house: House, reconciler: Reconciler) -> None:
    account = "444455556666"
    sub = buy(house, legacy=True, account=account)
    house.use(sub, "1")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    (one,) = events(house.aws)
    (usage,) = house.aws.requests[0]["UsageRecords"]
    by_account = {name: usage[name] for name in ("Dimension", "Timestamp", "QuantityAsDecimal")}
    by_account["CustomerAWSAccountId"] = account
    answer = {"Results": [{"UsageRecord": by_account, "Status": "Success"}]}
    other = event(house.clock.now(), {"UsageRecords": [by_account], "ProductCode": LEGACY}, answer, "e")
    _, (difference,) = cloudtrail(house, reconciler, one, other)
    assert difference["kind"] == "not_in_our_books"


# The usage report
# ---------------------------------------------------------------------------------------------------------


def report(house: House, reconciler: Reconciler, *lines: str, span: Span | None = None) -> Any:
    header = "Usage date,Product code,Subscriber AWS account ID,Dimension key,Estimated usage"
    text = "\n".join([header, *lines])
    found, differences = reconciler.reconcile(Source.USAGE_REPORT, text, "ada", span)
    return found.counts, differences


def account_of(house: House, sub: str) -> str:
    return str(house.aws.buyers[house.identities[sub]].account)


def test_a_day_is_compared_as_far_as_the_report_is_exact(house: House, reconciler: Reconciler) -> None:
    sub = buy(house)
    for quantity in ("1.125", "2.000009"):
        house.use(sub, quantity)
        house.clock.advance(hours=1)
    house.clock.advance(minutes=6)
    house.run()
    line = f"2026-11-22,{CONCURRENT},{account_of(house, sub)},gpu_hours"
    for agreeing in ([f"{line},3.13"], [f"{line},3.12"], [f"{line},1.12", f"{line},2"]):
        counts, differences = report(house, reconciler, *agreeing)
        assert (differences, counts.compared, counts.agreed) == ([], 1, 1)
    _, (difference,) = report(house, reconciler, f"{line},3.14")
    assert (difference["kind"], difference["day"], difference["hour"]) == (
        "quantity_differs",
        "2026-11-22",
        None,
    )
    assert difference["ours"]["quantity"] == "3.125009"
    assert difference["theirs"]["quantity"] == "3.14"


def test_a_report_says_what_unknown_records_would_explain_and_settles_nothing(
    house: House, reconciler: Reconciler
) -> None:
    sub = unknown(house, LOST)
    line = f"2026-11-22,{CONCURRENT},{account_of(house, sub)},gpu_hours,3"
    counts, (difference,) = report(house, reconciler, line, span=Span(LONG_AGO, house.clock.now()))
    assert (difference["kind"], difference["settled"]) == ("quantity_differs", None)
    assert "unknown records of this day have 3, which explains it" in difference["sentence"]
    assert decided(house, sub) is None
    assert counts.settled_as_billed == 0


def test_a_line_of_a_stranger_is_named(house: House, reconciler: Reconciler) -> None:
    neighbour(house)
    _, (difference,) = report(house, reconciler, f"2026-11-22,{CONCURRENT},999988887777,gpu_hours,3")
    assert (difference["kind"], difference["ours"]) == ("not_in_our_books", None)


def test_a_day_that_a_complete_report_lacks_is_named(house: House, reconciler: Reconciler) -> None:
    sub = neighbour(house)
    other = f"2026-11-23,{CONCURRENT},{account_of(house, sub)},gpu_hours,0"
    day = datetime(2026, 11, 22, tzinfo=UTC)
    whole = Span(day, day + timedelta(days=1))
    assert report(house, reconciler, other)[1] == []
    assert report(house, reconciler, other, span=replace(whole, since=day + timedelta(seconds=1)))[1] == []
    _, (difference,) = report(house, reconciler, other, span=whole)
    assert (difference["kind"], difference["theirs"]) == ("not_at_aws", None)


def test_a_legacy_record_is_compared_by_the_account_that_is_published(
    house: House, reconciler: Reconciler
) -> None:
    for account in ("444455556666", None):
        house.use(buy(house, legacy=True, account=account), "1")
        house.clock.advance(hours=1)
    house.clock.advance(minutes=6)
    house.run()
    assert report(house, reconciler, f"2026-11-22,{LEGACY},444455556666,gpu_hours,1")[1] == []


# Killed on its way
# ---------------------------------------------------------------------------------------------------------


def test_killed_between_two_the_same_file_settles_the_rest(
    house: House, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    subs = [buy(house), buy(house)]
    for sub in subs:
        house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    house.aws.next_calls(LOST)
    house.run()
    house.clock.advance(hours=30)
    house.run()
    resolve_one, calls = RecordDesk.resolve, []

    def killed_at_the_second(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return resolve_one(*arguments)

    monkeypatch.setattr(RecordDesk, "resolve", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        cloudtrail(house, reconciler)
    monkeypatch.undo()
    assert sorted(decided(house, sub) or "" for sub in subs) == ["", "billed"]
    ((unfinished,), _) = reconciler.store.page(10, None)
    assert unfinished.finished_at is None
    counts, differences = cloudtrail(house, reconciler)
    assert (len(differences), counts.agreed, counts.settled_as_billed) == (1, 1, 1)
    assert {decided(house, sub) for sub in subs} == {"billed"}


def test_what_is_kept_is_what_was_answered(house: House, reconciler: Reconciler) -> None:
    unknown(house, LOST)
    text = log_file(*events(house.aws))
    found, differences = reconciler.reconcile(
        Source.CLOUDTRAIL, text, "ada", Span(LONG_AGO, house.clock.now())
    )
    assert reconciler.store.find(found.reconciliation_id) == found
    assert reconciler.store.differences(found.reconciliation_id, 10, None) == (differences, None)
    assert {row.item for row in ReconciliationRow.scan()} == {"reconciliation", "difference#0000001"}
    assert reconciler.store.find("rec_" + "a" * 26) is None
