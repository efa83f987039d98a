"""A unit of usage comes in at any time and is billed once: real tables, AWS Marketplace on a shelf."""

from datetime import timedelta
from typing import Any

import pytest
from house import CONCURRENT, CONTRACT, LEGACY, House, at
from shelf_marketplace import Fault, Refused
from wire import Wire, dynamodb_refuses

from chassis.problems import Unavailable
from metering.hour_fold import HourFold
from metering.log_writer import LogWriter, part_of
from metering.segments import FORMAT, shard_of
from metering.tables.models import HourRow, LedgerRowModel, SegmentRow


def test_both_generations_are_billed_to_the_unit(house: House) -> None:
    subs = [house.buy(LEGACY), house.buy(CONCURRENT)]
    for sub in subs:
        house.use(sub, "0.1")
        house.use(sub, "0.000001")
        house.use(sub, "7", dimension="requests")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    for sub in subs:
        assert house.hours(sub) == {"22T10": "0.100001"}
        assert house.hours(sub, "requests") == {"22T10": "7"}
    house.must_be_exact()
    house.run(2)
    assert len(house.aws.requests) == 2


def test_nothing_is_sent_before_the_hour_is_sealed(house: House) -> None:
    sub = house.buy()
    house.use(sub)
    house.clock.advance(hours=1, minutes=4, seconds=59)
    house.run()
    assert house.aws.requests == []
    assert house.balance(sub).open == 1_000_000
    house.must_be_exact()
    house.clock.advance(seconds=1)
    house.run()
    assert house.billed(sub) == "1"


def test_prior_art_10_an_event_sent_again_counts_once(house: House) -> None:
    sub = house.buy()
    event = house.use(sub, "2")
    house.report(event, event)
    house.clock.advance(minutes=30)
    house.restart()
    house.report(event)
    house.clock.advance(hours=1)
    house.run()
    house.report(event)
    house.run(2)
    assert house.billed(sub) == "2"
    house.must_be_exact()


def test_a_conflict_is_named_and_the_first_one_counts(house: House) -> None:
    sub, other = house.buy(), house.buy()
    house.use(sub, "2", event_id="same")
    house.intake.take(
        [house.event(sub, "5", event_id="same"), house.event(other, "9", event_id="same")], house.intake.plain
    )
    house.run()
    house.clock.advance(hours=1, minutes=5)
    house.run()
    assert house.billed(sub) == "2"
    assert house.billed(other) == "0"
    assert {row.dimension: row.conflicts for row in house.ledger.rows(sub)} == {"gpu_hours": 2}
    assert house.balance(other).accepted == 0
    house.must_be_exact()


def test_a_slow_writers_event_takes_its_place_from_whoever_came_second(house: House) -> None:
    """Two events under one id, the earlier written later: what was folded before must not be billed too."""
    first, second = house.buy(), house.buy()
    slow = LogWriter(house.dynamodb, house.clock, house.settings.log_shards)
    written = slow._write
    waiting = []
    slow._write = waiting.append  # type: ignore[method-assign]
    accepted = house.event(first, "2", event_id="same")
    house.intake._append = slow.append
    house.report(accepted)
    house.restart()
    house.clock.advance(minutes=1)
    house.intake.take([house.event(second, "9", event_id="same", time=at("22T10:00"))], house.intake.plain)
    house.run()
    assert house.balance(second).accepted == 9_000_000
    written(waiting[0])
    house.run()
    house.clock.advance(hours=1, minutes=5)
    house.run()
    assert (house.billed(first), house.billed(second)) == ("2", "0")
    house.must_be_exact()


def test_prior_art_05_late_usage_gets_its_own_hour_where_that_is_free(house: House) -> None:
    sub = house.buy()
    house.clock.advance(hours=6)
    house.use(sub, "3", time=at("22T10:30"))
    house.run()
    assert house.hours(sub) == {"22T10": "3"}
    house.must_be_exact()


def test_prior_art_05_late_usage_of_a_taken_hour_is_carried_forward(house: House) -> None:
    sub = house.buy()
    house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    house.use(sub, "4", time=at("22T10:59"))
    house.use(sub, "1")
    house.run()
    assert house.hours(sub) == {"22T10": "3"}
    assert house.balance(sub).open == 5_000_000
    house.clock.advance(hours=1)
    house.run()
    assert house.hours(sub) == {"22T10": "3", "22T11": "5"}
    carried = house.records(sub)[1]
    assert [(source.hour, source.quantity) for source in carried.sources] == [
        ("2026-11-22T10", 4_000_000),
        ("2026-11-22T11", 1_000_000),
    ]
    house.must_be_exact()


def test_prior_art_05_usage_that_aws_takes_no_more_is_carried_forward(house: House) -> None:
    sub = house.buy()
    house.use(sub, "3")
    house.clock.advance(hours=24, minutes=30)
    house.run()
    assert house.hours(sub) == {"22T11": "3"}
    house.must_be_exact()


def test_prior_art_13_days_without_a_cycle_lose_nothing(house: House) -> None:
    sub = house.buy()
    for _ in range(60):
        house.use(sub, "1")
        house.clock.advance(hours=1)
    house.clock.advance(hours=24)
    house.run(3)
    assert house.balance(sub).billed == 60_000_000
    assert house.billed(sub) == "60"
    house.must_be_exact()


def test_the_end_of_a_month_is_billed_in_its_month_until_six(house: House) -> None:
    sub = house.buy()
    house.clock.advance(days=8, hours=13, minutes=30)
    assert house.clock.now() == at("30T23:30")
    house.use(sub, "2")
    house.clock.advance(hours=6, minutes=20)
    house.run()
    assert house.aws.hours(house.identities[sub]) == {"2026-11-30T23": "2"}
    house.use(sub, "3", time=at("30T22:30"))
    house.clock.advance(minutes=10)
    house.run()
    assert house.aws.hours(house.identities[sub]) == {"2026-11-30T23": "2", "2026-12-01T00": "3"}
    house.must_be_exact()


def test_the_activations_hour_is_stamped_with_the_activation(house: House) -> None:
    """AWS refuses a time before it."""
    since = at("22T10:20") + timedelta(seconds=7, microseconds=123456)
    sub, other = house.buy(since=since), house.buy(LEGACY, since=since)
    house.clock.advance(minutes=40)
    house.use(sub, "2")
    house.use(other, "2")
    house.use(other, "1", time=at("22T09:30"))
    house.clock.advance(hours=1)
    house.run()
    assert house.hours(sub) == house.hours(other) == {"22T10": "2"}
    assert house.records(sub)[0].timestamp == since
    assert house.outcomes(sub) == house.outcomes(other) == ["billed"]
    assert house.balance(other).reasons == {("held", "before_activation"): 1_000_000}
    house.must_be_exact()
    # At its end it is written off by the name that is true: it did not come too late.
    house.end(other, house.clock.now() + timedelta(hours=1))
    house.clock.advance(hours=1, minutes=1)
    house.run()
    assert house.balance(other).reasons == {("written_off", "before_activation"): 1_000_000}
    house.must_be_exact()


def test_usage_of_an_unknown_subscription_is_held_until_it_is_known(house: House) -> None:
    sub = house.buy(known=False)
    house.use(sub, "2")
    house.clock.advance(hours=2)
    house.run()
    assert house.balance(sub).reasons == {("held", "subscription_unknown"): 2_000_000}
    house.must_be_exact()
    house.publish(sub, status="pending", active_since=None)
    house.run()
    assert house.balance(sub).reasons == {("held", "subscription_pending"): 2_000_000}
    house.publish(sub)
    house.run()
    assert house.hours(sub) == {"22T10": "2"}
    house.must_be_exact()


def test_usage_taken_before_its_product_was_known_is_never_billed_to_a_contract(house: House) -> None:
    contract, unknown, other = (
        house.buy(CONTRACT, known=False),
        house.buy(known=False),
        house.buy(known=False),
    )
    for sub in (contract, unknown):
        house.use(sub, "2")
    house.use(other, "2", dimension="seats")
    house.publish(contract)
    house.publish(unknown, product_code="74nobodys")
    house.publish(other)
    house.clock.advance(hours=2)
    house.run()
    assert house.aws.requests == []
    assert house.balance(contract).reasons == {("held", "not_metered"): 2_000_000}
    assert house.balance(unknown).reasons == {("held", "product_unknown"): 2_000_000}
    assert house.balance(other, "seats").reasons == {("held", "unknown_dimension"): 2_000_000}
    house.must_be_exact()


def test_a_subscription_whose_account_is_not_known_yet_is_held(house: House) -> None:
    sub, fine = house.buy(), house.buy()
    house.publish(sub, customer_aws_account_id=None)
    house.use(sub, "2")
    house.use(fine, "3")
    house.clock.advance(hours=2)
    house.run()
    assert house.balance(sub).reasons == {("held", "identity_unknown"): 2_000_000}
    assert house.billed(fine) == "3"
    house.publish(sub)
    house.run()
    assert house.billed(sub) == "2"
    house.must_be_exact()


def test_more_than_a_record_carries_goes_out_over_hours(house: House) -> None:
    sub = house.buy()
    for _ in range(3):
        house.use(sub, "9999999999.999999")
    house.clock.advance(hours=3, minutes=6)
    house.run(4)
    assert house.hours(sub) == {f"22T{hour}": "9999999999.999999" for hour in (10, 11, 12)}
    house.must_be_exact()


def test_the_shards_may_be_raised_between_two_writes(house: House) -> None:
    subs = [house.buy() for _ in range(8)]
    for sub in subs:
        house.use(sub, "1")
    house.settings = house.settings.model_copy(update={"log_shards": 16})
    old = house.log_writer
    house.restart()
    for sub in subs:
        house.use(sub, "2")
    # The process of before is still at work.
    house.intake._append = old.append
    for sub in subs:
        house.use(sub, "4")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    assert {house.billed(sub) for sub in subs} == {"7"}
    assert {shard_of(sub, 16) for sub in subs} - {shard_of(sub, 4) for sub in subs}
    house.must_be_exact()


def test_an_hour_is_retired_when_nothing_can_come_any_more(house: House) -> None:
    sub = house.buy()
    house.use(sub, "1")
    house.clock.advance(hours=25, minutes=59)
    house.run()
    assert house.usage_log.open_hours() == ["2026-11-22T10"]
    house.clock.advance(minutes=1)
    house.run()
    assert house.usage_log.open_hours() == []
    house.must_be_exact()


def test_who_writes_into_a_retired_hour_opens_it_again(house: House) -> None:
    """A web process that knows the hour as open, its clock behind the worker's by more than all margins."""
    sub = house.buy()
    house.use(sub, "1")
    late = house.event(sub, "5")
    house.clock.advance(hours=23)
    behind = house.clock.now()
    house.clock.advance(hours=4)
    house.run()
    assert house.usage_log.open_hours() == []
    house.clock.advance(seconds=(behind - house.clock.now()).total_seconds())
    house.report(late)
    house.clock.advance(hours=4)
    house.run(2)
    assert house.billed(sub) == "6"
    house.must_be_exact()


def test_an_hour_announced_during_its_last_fold_is_not_retired(house: House) -> None:
    """The fold has read the hour, then someone writes and announces, then the fold would retire it."""
    sub = house.buy()
    house.use(sub, "1")
    late = house.event(sub, "5")
    house.clock.advance(hours=23)
    segments = house.usage_log.segments

    def read_and_be_overtaken(part: str, after: str = "") -> object:
        found = list(segments(part, after))
        house.usage_log.segments = segments  # type: ignore[method-assign]
        house.clock.advance(hours=-4)
        house.report(late)
        house.clock.advance(hours=4)
        return iter(found)

    house.clock.advance(hours=4)
    house.usage_log.segments = read_and_be_overtaken  # type: ignore[method-assign, assignment]
    house.run()
    assert house.usage_log.open_hours() == ["2026-11-22T10"]
    house.run(2)
    assert house.billed(sub) == "6"
    assert house.usage_log.open_hours() == []
    house.must_be_exact()


def test_a_segment_of_a_later_release_stops_its_hour_and_no_other(house: House) -> None:
    sub = house.buy()
    house.use(sub, "1")
    house.clock.advance(hours=1)
    house.use(sub, "2")
    shard = shard_of(sub, house.settings.log_shards)
    (writer,) = HourRow.get("2026-11-22T10").writers
    part = part_of("2026-11-22T10", shard, writer)
    stranger = SegmentRow(part, "f", format=FORMAT + 1, events=1, data=b"?")
    stranger.save()
    house.clock.advance(hours=1, minutes=5)
    failures = house.run_and_fail()
    assert f"format {FORMAT + 1}" in str(failures.exceptions)
    assert house.hours(sub) == {"22T11": "2"}
    stranger.delete()
    house.run()
    assert house.hours(sub) == {"22T10": "1", "22T11": "2"}
    house.must_be_exact()


def test_an_older_fold_never_overwrites_a_newer(house: House) -> None:
    sub = house.buy()
    house.use(sub, "1")
    slow = house.usage_log.hour("2026-11-22T10")
    fold = HourFold(house.usage_log.segment)
    for segment in house.usage_log.all_segments(slow):
        fold.add(segment)
    fold.settle()
    number = house.usage_log.take_number(slow)
    assert number == 1
    house.use(sub, "2")
    house.run()
    assert house.usage_log.take_number(slow) is None
    house.ledger.book_fold("2026-11-22T10", {row: fold.usage(row) for row in fold.rows()}, number)
    house.usage_log.mark_folded(slow, number, fold.reading, late=True)
    assert house.balance(sub).accepted == 3_000_000
    row = HourRow.get("2026-11-22T10")
    assert (row.folds, row.folded, row.folded_segments, row.quiet_since) == (2, 2, 2, 0)


def test_prior_art_04_more_than_one_page_is_read(house: House) -> None:
    """130 subscriptions: beyond one BatchGetItem; and a ledger that fills more than one call."""
    subs = [house.buy() for _ in range(130)]
    house.report(*[house.event(sub, "1") for sub in subs])
    house.clock.advance(hours=1, minutes=5)
    house.run()
    assert {house.billed(sub) for sub in subs} == {"1"}
    assert [len(call) for call in house.aws.sent()] == [25, 25, 25, 25, 25, 5]


def test_what_dynamodb_leaves_unwritten_is_written_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a batch: first nothing is taken, then one item, then two, then the rest."""
    monkeypatch.setattr("metering.log_writer.time.sleep", lambda _: None)
    sub = house.buy()
    batch_write_item = house.dynamodb.batch_write_item
    takes = [0, 1, 2]

    def reluctant(RequestItems: dict[str, list[object]]) -> dict[str, object]:
        ((table, items),) = RequestItems.items()
        most = takes.pop(0) if takes else len(items)
        if most:
            batch_write_item(RequestItems={table: items[:most]})
        return {"UnprocessedItems": {table: items[most:]} if items[most:] else {}}

    house.log_writer._dynamodb = _With(batch_write_item=reluctant)
    house.report(*[house.event(sub, "1", time=at(f"22T0{hour}:30")) for hour in range(5)])
    house.run()
    assert house.billed(sub) == "5"
    house.must_be_exact()


def test_prior_art_10_what_stays_unwritten_is_not_acknowledged(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metering.log_writer.time.sleep", lambda _: None)
    sub = house.buy()
    event = house.event(sub, "1")
    house.log_writer._dynamodb = _With(
        batch_write_item=lambda RequestItems: {"UnprocessedItems": RequestItems}
    )
    with pytest.raises(Unavailable):
        house.intake.take([event], house.intake.plain)
    house.restart()
    house.report(event)
    house.clock.advance(hours=2)
    house.run()
    assert house.billed(sub) == "1"
    house.must_be_exact()


@pytest.mark.parametrize(("code", "fails"), [("ValidationError", True), ("TransactionConflict", False)])
def test_a_record_that_dynamodb_never_takes_is_no_lost_race(
    house: House, wire: Wire, code: str, fails: bool
) -> None:
    """Else it would be planned anew for ever, in silence."""
    sub, fine = house.buy(), house.buy()
    house.use(sub, "1")
    house.use(fine, "1")
    house.clock.advance(hours=2)
    refused = dynamodb_refuses(
        "TransactionCanceledException",
        CancellationReasons=[{"Code": "None"}, {"Code": code, "Message": "No."}],
    )
    answers = [refused]
    wire.meddle = lambda name, call: answers.pop() if name == "TransactWriteItems" and answers else call()
    if fails:
        house.run_and_fail()
    else:
        house.run()
    assert sorted([house.billed(sub), house.billed(fine)]) == ["0", "1"]
    house.must_be_exact()
    house.run()
    assert [house.billed(sub), house.billed(fine)] == ["1", "1"]
    house.must_be_exact()


def test_a_ledger_row_leaves_the_index_when_nothing_is_left_to_bill(house: House) -> None:
    sub = house.buy()
    house.use(sub, "0")
    house.use(sub, "1", dimension="requests")
    house.clock.advance(hours=2)
    house.run()
    assert list(LedgerRowModel.unbilled_rows.scan()) == []
    assert house.aws.bill() == {(house.identities[sub], "requests"): 1_000_000}


def test_prior_art_16_no_usage_sends_no_nought(house: House) -> None:
    """A nought would occupy the hour's slot."""
    sub = house.buy()
    house.use(sub, "0")
    house.clock.advance(hours=2)
    house.run()
    assert house.aws.requests == []
    house.use(sub, "2", time=at("22T10:15"))
    house.run()
    assert house.hours(sub) == {"22T10": "2"}
    house.must_be_exact()


def test_one_broken_group_does_not_hold_up_the_others(house: House) -> None:
    broken, fine = house.buy(), house.buy()
    house.use(broken, "1")
    house.use(fine, "1")
    house.clock.advance(hours=2)
    house.publish(broken, active_since=None)
    subscription = house.published.subscription

    def away(sub: str) -> object:
        if sub == broken:
            raise RuntimeError("this row cannot be read")
        return subscription(sub)

    house.published.subscription = away  # type: ignore[method-assign, assignment]
    house.run_and_fail()
    assert house.billed(fine) == "1"
    house.published.subscription = subscription  # type: ignore[method-assign]
    house.run()
    assert house.billed(broken) == "1"
    house.must_be_exact()


def test_what_is_frozen_goes_out_though_the_log_is_away(house: House, wire: Wire) -> None:
    """A final hour cannot wait until the list of open hours can be read again."""
    sub = house.buy()
    house.use(sub, "1")
    house.clock.advance(hours=2)
    house.cycle.fold_open_hours()
    wire.meddle = lambda name, call: dynamodb_refuses("InternalServerError") if name == "Query" else call()
    house.run_and_fail()
    house.cycle.plan_unbilled()
    assert house.billed(sub) == "0"
    wire.meddle = None
    house.cycle.plan_unbilled()
    wire.meddle = lambda name, call: dynamodb_refuses("InternalServerError") if name == "Query" else call()
    house.run_and_fail()
    assert house.billed(sub) == "1"
    wire.meddle = None
    house.must_be_exact()


def test_prior_art_13_a_failed_cycle_is_followed_by_a_good_one(house: House) -> None:
    sub = house.buy()
    house.use(sub, "1")
    house.clock.advance(hours=2)
    house.aws.next_calls(Fault(before=Refused("AccessDeniedException")))
    house.run_and_fail()
    house.run()
    assert house.billed(sub) == "1"
    house.must_be_exact()


class _With:
    """An object with these attributes."""

    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)


@pytest.mark.parametrize("step", ["open_hours", "hour", "segments"])
def test_no_hour_is_sealed_on_an_old_fold(house: House, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """What came since would go out under a later hour, and of a final hour perhaps not at all."""
    sub = house.buy()
    house.use(sub, "1")
    house.run()
    house.use(sub, "3")
    house.clock.advance(hours=2)

    def away(*_: Any, **__: Any) -> Any:
        raise TimeoutError

    with monkeypatch.context() as outage:
        outage.setattr(house.usage_log, step, away)
        house.run_and_fail()
    assert house.records(sub) == []
    house.run()
    assert house.hours(sub) == {"22T10": "4"}
    house.must_be_exact()


def test_what_comes_after_the_fold_does_not_miss_its_hour(house: House) -> None:
    """A cycle that takes long must not seal an hour that still ran when it was folded."""
    sub = house.buy()
    house.use(sub, "1")
    segments = house.usage_log.segments

    def read_slowly(part: str, after: str = "") -> Any:
        found = list(segments(part, after))
        if found:
            house.usage_log.segments = segments  # type: ignore[method-assign]
            house.use(sub, "3")
            house.clock.advance(hours=2)
        return iter(found)

    house.usage_log.segments = read_slowly  # type: ignore[method-assign, assignment]
    house.run()
    assert house.records(sub) == []
    house.run()
    assert house.hours(sub) == {"22T10": "4"}
    house.must_be_exact()


def test_late_usage_does_not_take_the_slot_of_an_hour_that_could_not_be_folded(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    sub = house.buy()
    house.use(sub, "1")
    house.clock.advance(hours=1, minutes=10)
    house.run()
    house.use(sub, "2", time=at("22T10:20"))
    house.use(sub, "3", time=at("22T11:05"))
    house.clock.advance(hours=1)
    hour_of_log = house.usage_log.hour

    def away(hour: str) -> Any:
        if hour.endswith("22T11"):
            raise TimeoutError
        return hour_of_log(hour)

    with monkeypatch.context() as outage:
        outage.setattr(house.usage_log, "hour", away)
        house.run_and_fail()
    assert house.hours(sub) == {"22T10": "1"}
    house.run()
    assert house.hours(sub) == {"22T10": "1", "22T11": "5"}
    house.must_be_exact()
