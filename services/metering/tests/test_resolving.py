"""A person reads why an hour was billed so much, and decides what AWS's answer leaves open."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from house import House, at
from hypothesis import given
from hypothesis import strategies as st
from plain_fold import fold
from shelf_marketplace import Fault, Refused
from wire import Wire

from metering.explaining import Counts, explain
from metering.record_desk import ChangedTooOften, NoSuchRecord, RecordDesk
from metering.records import Decision
from metering.resolutions import DecidedOtherwise, NothingToDecide
from metering.usage_events import UsageEvent

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def desk(house: House) -> RecordDesk:
    return RecordDesk(house.record_store, house.usage_log)


def refused_record(house: House, **more: Any) -> str:
    """A subscription with a record of 3 that AWS says nobody has subscribed for."""
    sub = house.buy()
    buyer = house.aws.buyers.pop(house.identities[sub])
    house.use(sub, "3", **more)
    house.clock.advance(hours=1, minutes=5)
    house.run()
    house.aws.buyers[house.identities[sub]] = buyer
    assert house.outcomes(sub) == ["not_subscribed"]
    return sub


def decide(house: House, desk: RecordDesk, sub: str, decision: Decision) -> None:
    (record, *_) = house.records(sub)
    desk.resolve(record.metering_record_id, decision, "as support says", "ada", house.clock.now())


def test_what_is_billed_again_goes_out_in_the_next_free_hour(house: House, desk: RecordDesk) -> None:
    sub = refused_record(house, tags={"team": "a"})
    decide(house, desk, sub, Decision.BILL_AGAIN)
    house.must_be_exact()
    assert house.balance(sub).open == 3_000_000
    house.use(sub, "1")
    house.clock.advance(hours=1)
    house.run(2)
    assert house.hours(sub) == {"22T11": "4"}
    first, second = house.records(sub)
    assert first.resolution
    assert (first.resolution.decision, first.resolution.by) == (Decision.BILL_AGAIN, "ada")
    assert second.sources[0].tags == {(("team", "a"),): 3_000_000}
    house.must_be_exact()


def test_what_is_written_off_is_named(house: House, desk: RecordDesk) -> None:
    sub = refused_record(house)
    decide(house, desk, sub, Decision.WRITE_OFF)
    house.clock.advance(hours=1)
    house.run(2)
    assert house.billed(sub) == "0"
    assert house.balance(sub).reasons == {("written_off", "decided_after_not_subscribed"): 3_000_000}
    house.must_be_exact()


def test_what_aws_has_counted_is_billed(house: House, desk: RecordDesk) -> None:
    sub = house.buy()
    house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    house.aws.next_calls(Fault(after=Refused("InternalServiceErrorException", 500)))
    house.run()
    house.clock.advance(hours=23)
    house.run()
    assert house.outcomes(sub) == ["unknown"]
    decide(house, desk, sub, Decision.BILLED)
    found = house.balance(sub)
    assert (found.billed, found.held, found.balanced) == (3_000_000, 0, True)
    assert house.billed(sub) == "3"


@pytest.mark.parametrize("outcome", ["duplicate_conflict", "not_subscribed", "rejected", "unknown"])
@pytest.mark.parametrize("decision", list(Decision))
def test_a_decision_stands(house: House, desk: RecordDesk, outcome: str, decision: Decision) -> None:
    sub = house.buy()
    house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    if outcome == "duplicate_conflict":
        house.aws.slots[house.identities[sub], "gpu_hours", "2026-11-22T10"] = (Decimal(1), "of another")
    elif outcome == "not_subscribed":
        del house.aws.buyers[house.identities[sub]]
    elif outcome == "rejected":
        house.aws.poison[house.identities[sub]] = "InvalidLicenseException"
    else:
        house.aws.next_calls(Fault(after=Refused("InternalServiceErrorException", 500)))
        house.run()
        house.clock.advance(hours=23)
    house.run()
    assert house.outcomes(sub) == [outcome]
    before = house.balance(sub)
    for _ in range(2):
        decide(house, desk, sub, decision)
    assert house.new_auditor().audit() == set()
    (record,) = house.records(sub)
    assert record.resolution
    assert record.resolution.reason == "as support says"
    found = house.balance(sub)
    assert (found.accepted, found.balanced) == (before.accepted, True)
    where = {
        Decision.BILL_AGAIN: found.open,
        Decision.WRITE_OFF: found.written_off,
        Decision.BILLED: found.billed,
    }
    assert where[decision] == 3_000_000
    for other in set(Decision) - {decision}:
        with pytest.raises(DecidedOtherwise, match=decision.value):
            decide(house, desk, sub, other)


def test_what_is_not_open_takes_no_decision(house: House, desk: RecordDesk) -> None:
    sub = house.buy()
    house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    house.aws.next_calls(Fault(before=Refused("ThrottlingException")))
    for outcome in ("planned", "billed"):
        house.run()
        with pytest.raises(NothingToDecide, match=outcome):
            decide(house, desk, sub, Decision.BILL_AGAIN)
    for unknown in (f"{sub}.gpu_hours.2026-11-22T09", f"{sub}.requests.2026-11-22T10", "sub.a.b"):
        with pytest.raises(NoSuchRecord):
            desk.record(unknown)


def test_two_who_decide_at_once_release_it_once(house: House, desk: RecordDesk, wire: Wire) -> None:
    position = 0
    while True:
        sub = refused_record(house)
        other = RecordDesk(house.record_store, house.usage_log)

        def decide_too(sub: str = sub, other: RecordDesk = other) -> None:
            decide(house, other, sub, Decision.BILL_AGAIN)

        again = wire.interrupt(
            position, decide_too, around=lambda sub=sub: decide(house, desk, sub, Decision.BILL_AGAIN)
        )
        house.must_be_exact()
        house.clock.advance(hours=1)
        house.run(2)
        assert house.billed(sub) == "3"
        house.must_be_exact()
        if not again:
            break
        position += 1
    assert position > 1


def test_who_is_always_overtaken_says_so(
    house: House, desk: RecordDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sub = refused_record(house)
    monkeypatch.setattr(house.record_store, "resolve", lambda *_: False)
    with pytest.raises(ChangedTooOften):
        decide(house, desk, sub, Decision.WRITE_OFF)


# Explaining
# ---------------------------------------------------------------------------------------------------------

EVENTS = st.lists(
    st.tuples(
        st.sampled_from("xy"), st.sampled_from("123"), st.sampled_from(["sub_a", "sub_b"]), st.integers(-3, 3)
    ),
    max_size=20,
)


@given(EVENTS)
def test_the_events_that_count_are_the_fold(found: list[tuple[str, str, str, int]]) -> None:
    events = [UsageEvent(source, name, sub, "gpu", micro, NOON) for source, name, sub, micro in found]
    usage = fold(events)
    for sub in ("sub_a", "sub_b"):
        explained = list(explain((("segment", event) for event in events), {sub}, "gpu"))
        counted = [one.event.quantity for one in explained if one.counts is Counts.COUNTED]
        row = usage.get((sub, "gpu"))
        assert sum(max(micro, 0) for micro in counted) == (row.metered if row else 0)
        assert sum(max(-micro, 0) for micro in counted) == (row.corrections if row else 0)
        assert len(explained) == sum(event.holder == sub for event in events)


def test_a_record_is_explained_down_to_its_events(house: House, desk: RecordDesk) -> None:
    sub, other = house.buy(), house.buy()
    customer = house.register(sub)
    first = house.use(sub, "1")
    house.report(first, house.event(other, "9"), house.event(sub, "7", dimension="requests"))
    house.report(house.customers_event(customer, "2", event_id="by-customer"))
    house.intake.take([first | {"quantity": "5"}], house.intake.plain)
    house.clock.advance(hours=1, minutes=5)
    house.run(2)
    house.use(sub, "4", time=at("22T10:30"), event_id="late")
    house.clock.advance(hours=1)
    house.run(2)
    on_time, carried = house.records(sub)
    found, more = desk.events(on_time.metering_record_id, 0, 50)
    assert not more
    assert [(one.event.quantity // 1_000_000, one.counts.value) for one in found] == [
        (1, "counted"),
        (1, "repeated"),
        (2, "counted"),
        (5, "conflicting"),
        (4, "counted"),
    ]
    assert [one.event.id for one in desk.events(carried.metering_record_id, 0, 50)[0]][-1] == "late"
    assert desk.events(on_time.metering_record_id, 1, 2) == (found[1:3], True)
    (send,) = on_time.sends
    assert (send.number, send.answer) == (1, "Success")


@pytest.mark.parametrize(
    ("fault", "answers"),
    [
        (Fault(before=Refused("ThrottlingException")), ["ThrottlingException", "Success"]),
        (Fault(after=Refused("InternalServiceErrorException", 500)), [None, "Success"]),
        (Fault(unprocessed=lambda _: True), ["Unprocessed", "Success"]),
        (Fault(before=Refused("InvalidLicenseException")), ["InvalidLicenseException"]),
    ],
)
def test_every_send_stands_beside_its_answer(house: House, fault: Fault, answers: list[str | None]) -> None:
    sub = house.buy()
    house.use(sub, "1")
    house.clock.advance(hours=2)
    house.aws.next_calls(fault)
    house.run(2)
    (record,) = house.records(sub)
    assert [send.answer for send in record.sends] == answers
    assert [send.number for send in record.sends] == list(range(1, len(answers) + 1))


def test_only_the_first_sends_are_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metering.tables.record_store.MOST_SENDS", 3)
    sub = house.buy()
    house.use(sub, "1")
    house.clock.advance(hours=2)
    house.aws.always = Fault(before=Refused("ThrottlingException"))
    house.run(5)
    house.aws.always = None
    house.run()
    (record,) = house.records(sub)
    assert (record.attempts, len(record.sends), record.outcome) == (6, 3, "billed")
    house.must_be_exact()
