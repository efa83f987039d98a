"""Two workers on the same hour, always: whatever they do at the same time, a unit is billed once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from house import House, at
from shelf_marketplace import URL, Fault, Refused
from wire import Wire

from metering.ledger import LedgerRow
from metering.tables.ledger_store import LedgerStore
from metering.tables.record_store import RecordStore

LOST = ReadTimeoutError(endpoint_url=URL)


def together(*acts: Callable[[], object]) -> None:
    """Run them in threads that begin at the same moment; an error of any is raised."""
    begin = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        begin.wait(timeout=30)
        act()

    with ThreadPoolExecutor(len(acts)) as pool:
        for future in [pool.submit(run, act) for act in acts]:
            future.result(timeout=60)


def test_two_cycles_at_once(house: House) -> None:
    subs = [house.buy() for _ in range(12)]
    house.clock.advance(minutes=30)
    for minute in (10, 20):
        house.report(*[house.event(sub, "1.5", time=at(f"22T10:{minute}")) for sub in subs])
    house.clock.advance(hours=2)
    workers = [house.new_cycle() for _ in range(3)]
    together(*[worker.run for worker in workers])
    house.run()
    assert {house.billed(sub) for sub in subs} == {"3"}
    assert {record.outcome for sub in subs for record in house.records(sub)} == {"billed"}
    house.must_be_exact()


def test_two_cycles_at_once_while_answers_are_lost(house: House) -> None:
    subs = [house.buy() for _ in range(12)]
    house.report(*[house.event(sub, "1.5") for sub in subs])
    house.clock.advance(hours=2)
    house.aws.next_calls(
        Fault(after=LOST),
        Fault(before=Refused("ThrottlingException")),
        Fault(before=LOST),
        Fault(unprocessed=lambda place: place % 2 == 1),
    )
    workers = [house.new_cycle() for _ in range(2)]
    for _ in range(3):
        together(*[worker.run for worker in workers])
        house.must_be_exact()
    house.run(3)
    assert {house.billed(sub) for sub in subs} == {"1.5"}
    house.must_be_exact()


def test_a_late_writer_against_the_sealer(house: House) -> None:
    subs = [house.buy() for _ in range(6)]
    house.report(*[house.event(sub, "1") for sub in subs])
    house.clock.advance(hours=1, minutes=5)
    late = [house.event(sub, "2", time=at("22T10:30")) for sub in subs]
    together(house.cycle.run, lambda: house.report(*late), house.new_cycle().run)
    house.run()
    house.must_be_exact()
    house.clock.advance(hours=1)
    house.run(2)
    assert {house.billed(sub) for sub in subs} == {"3"}
    house.must_be_exact()


def test_the_same_batch_by_two_writers_at_once(house: House) -> None:
    """The reporter gave up waiting and sent it again, to another process, while the first was still at it."""
    subs = [house.buy() for _ in range(6)]
    batch = [house.event(sub, "1") for sub in subs]
    together(lambda: house.report(*batch), lambda: house.report(*batch), lambda: house.report(*batch))
    house.clock.advance(hours=2)
    house.run()
    assert {house.billed(sub) for sub in subs} == {"1"}
    house.must_be_exact()


# One after the other, at the worst moment
# ----------------------------------------------------------------------


def test_who_is_overtaken_between_its_plan_and_its_freeze_writes_nothing(house: House, wire: Wire) -> None:
    sub = house.buy()
    house.use(sub, "3")
    house.clock.advance(hours=2)
    other = house.new_cycle()
    _once_before(wire, "TransactWriteItems", other.run)
    house.run()
    assert house.hours(sub) == {"22T10": "3"}
    assert len(house.records(sub)) == 1
    house.must_be_exact()


def test_who_is_overtaken_by_late_usage_before_its_freeze_plans_anew(house: House, wire: Wire) -> None:
    sub = house.buy()
    house.use(sub, "3")
    house.clock.advance(hours=2)

    def late() -> None:
        house.use(sub, "2", time=at("22T10:10"))
        house.new_cycle().fold_open_hours()

    _once_before(wire, "TransactWriteItems", late)
    house.run()
    assert house.records(sub) == []
    house.run()
    assert house.hours(sub) == {"22T10": "5"}
    house.must_be_exact()


def test_late_usage_between_the_plan_and_the_write_off_is_written_off_too(house: House, wire: Wire) -> None:
    sub = house.buy()
    house.use(sub, "3")
    house.end(sub, at("22T11:00"))
    house.clock.advance(hours=2)
    house.cycle.fold_open_hours()

    def late() -> None:
        house.use(sub, "2", time=at("22T10:10"))
        house.new_cycle().fold_open_hours()

    _once_before(wire, "UpdateItem", late)
    house.cycle.plan_unbilled()
    house.must_be_exact()
    house.run()
    assert house.balance(sub).reasons == {("written_off", "after_final_hour"): 5_000_000}
    house.must_be_exact()


def test_late_usage_of_a_row_that_is_just_being_cleared_is_billed(house: House, wire: Wire) -> None:
    """Were the row to leave the index all the same, nobody would look at it again."""
    sub = house.buy()
    house.use(sub, "0")
    house.clock.advance(hours=2)
    house.cycle.fold_open_hours()

    def late() -> None:
        house.use(sub, "2", time=at("22T10:10"))
        house.new_cycle().fold_open_hours()

    _once_before(wire, "UpdateItem", late)
    house.cycle.plan_unbilled()
    house.run()
    assert house.hours(sub) == {"22T10": "2"}
    house.must_be_exact()


class Shortsighted(LedgerStore):
    """Reads an index that lags: it shows one hour's row and not yet the other's."""

    def __init__(self, house: House, hour: str) -> None:
        super().__init__(house.connection)
        self._hour = hour

    def unbilled(self) -> dict[tuple[str, str], list[LedgerRow]]:
        found = super().unbilled()
        return {key: [row for row in rows if row.hour == self._hour] for key, rows in found.items()}


def test_two_who_see_different_rows_never_fill_one_slot_twice(house: House, wire: Wire) -> None:
    """One has late usage to carry to eleven o'clock, the other has eleven o'clock's own."""
    sub = house.buy()
    house.use(sub, "1")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    house.use(sub, "2", time=at("22T10:30"))
    house.use(sub, "4")
    house.clock.advance(hours=1)
    house.cycle.fold_open_hours()
    other = house.new_cycle()
    other._planner._ledger = Shortsighted(house, "2026-11-22T11")
    house.cycle._planner._ledger = Shortsighted(house, "2026-11-22T10")
    _once_before(wire, "TransactWriteItems", other.plan_unbilled)
    house.cycle.plan_unbilled()
    assert [record.quantity for record in house.records(sub)] == [1_000_000, 4_000_000]
    house.must_be_exact()
    house.restart()
    house.run()
    house.clock.advance(hours=1)
    house.run()
    assert house.hours(sub) == {"22T10": "1", "22T11": "4", "22T12": "2"}
    house.must_be_exact()


def test_who_stands_still_before_its_call_sends_what_another_has_settled(house: House, wire: Wire) -> None:
    sub = house.buy()
    house.use(sub, "3")
    house.clock.advance(hours=2)
    _once_before(wire, "BatchMeterUsage", house.new_cycle().run)
    house.run()
    assert len(house.aws.requests) == 2
    assert house.aws.requests[0] == house.aws.requests[1]
    assert house.outcomes(sub) == ["billed"]
    house.must_be_exact()


def test_the_first_outcome_stands(house: House, wire: Wire) -> None:
    """Who stood still hears "not subscribed" of what another has billed in the meantime."""
    sub = house.buy()
    house.use(sub, "3")
    house.clock.advance(hours=2)

    def billed_and_over() -> None:
        house.new_cycle().run()
        house.aws.buyers[house.identities[sub]].until = house.clock.now()

    _once_before(wire, "BatchMeterUsage", billed_and_over)
    house.run()
    assert len(house.aws.requests) == 2
    assert house.outcomes(sub) == ["billed"]
    house.must_be_exact()


def test_prior_art_11_who_stands_still_before_its_call_until_the_window_closes(
    house: House, wire: Wire
) -> None:
    """Nobody may release what it still has in its hand."""
    sub = house.buy()
    house.use(sub, "3")
    house.clock.advance(hours=2)

    def a_day_later() -> None:
        house.clock.advance(hours=22)
        house.new_cycle().run()

    _once_before(wire, "BatchMeterUsage", a_day_later)
    house.run(2)
    assert house.outcomes(sub) == ["unknown"]
    house.must_be_exact()


def test_prior_art_11_a_doubt_that_another_worker_raised_is_not_cleared(house: House, wire: Wire) -> None:
    """The first is throttled; while it waits for that answer, the second is counted and its answer lost."""
    sub = house.buy()
    house.use(sub, "3")
    house.clock.advance(hours=2)
    other = house.new_cycle()
    house.aws.next_calls(Fault(after=LOST), Fault(before=Refused("ThrottlingException")))
    _once_before(wire, "BatchMeterUsage", other.run)
    house.run()
    assert house.records(sub)[0].in_doubt
    # Were the doubt gone, the record would expire now, be released, and be billed twice.
    house.clock.advance(hours=23)
    house.run(2)
    assert house.outcomes(sub) == ["unknown"]
    assert house.billed(sub) == "3"
    house.must_be_exact()


@pytest.mark.parametrize("refusal", ["over", "refused"])
def test_prior_art_11_who_is_refused_while_another_may_have_been_counted_leaves_it_in_doubt(
    house: House, wire: Wire, refusal: str
) -> None:
    """The first stands still before its call; the second is counted and its answer lost; then AWS refuses the
    first. Were that the outcome, a person would bill again what is billed."""
    sub = house.buy()
    house.use(sub, "3")
    house.clock.advance(hours=2)

    def counted_and_refused_from_then_on() -> None:
        house.new_cycle().run()
        if refusal == "over":
            house.aws.buyers[house.identities[sub]].until = house.clock.now()
        else:
            house.aws.poison[house.identities[sub]] = "InvalidLicenseException"

    house.aws.next_calls(Fault(after=LOST))
    _once_before(wire, "BatchMeterUsage", counted_and_refused_from_then_on)
    house.run()
    assert house.billed(sub) == "3"
    assert house.outcomes(sub) == ["planned"]
    house.run()
    assert house.outcomes(sub) == ["unknown"]
    house.must_be_exact()


def test_prior_art_11_a_duplicate_of_what_another_sent_says_so(house: House, wire: Wire) -> None:
    """Whoever looks at the conflict must know that it is our own sending that AWS has."""
    sub = house.buy()
    house.use(sub, "3")
    house.clock.advance(hours=2)
    house.aws.identical_is_duplicate = True
    house.aws.next_calls(Fault(after=LOST))
    _once_before(wire, "BatchMeterUsage", house.new_cycle().run)
    house.run(2)
    (record,) = house.records(sub)
    assert (record.outcome, record.reason) == ("duplicate_conflict", "sent_before")
    house.must_be_exact()


def test_who_gives_up_a_record_yields_to_who_begins_to_send_it(house: House, wire: Wire) -> None:
    sub = house.buy()
    house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    house.aws.next_calls(Fault(before=Refused("ThrottlingException")))
    house.run()
    record = house.records(sub)[0]
    house.clock.advance(hours=23)
    records = RecordStore(house.connection)
    _once_before(wire, "TransactWriteItems", lambda: records.begin_attempt(record, house.clock.now()))
    house.run()
    assert house.outcomes(sub) == ["planned"]
    house.run()
    assert house.outcomes(sub) == ["unknown"]
    house.must_be_exact()


@pytest.mark.parametrize(
    "operation", ["UpdateItem", "TransactWriteItems", "BatchGetItem", "Query", "Scan", "GetItem"]
)
def test_another_cycle_in_the_midst_of_each_kind_of_call(house: House, wire: Wire, operation: str) -> None:
    """Before the first, second, fourth, eighth … call of a kind, another worker runs a whole cycle."""
    position = 0
    while True:
        sub = house.buy()
        house.use(sub, "1")
        house.use(sub, "2", time=house.clock.now().replace(minute=0))
        house.clock.advance(hours=1, minutes=10)
        if not _once_before(wire, operation, house.new_cycle().run, position=position, around=house.run):
            break
        wire.meddle = None
        house.run()
        assert house.billed(sub) == "3", position
        position = 2 * position + 1
    wire.meddle = None
    house.run()
    house.must_be_exact()
    assert position


def _once_before(
    wire: Wire,
    operation: str,
    act: Callable[[], object],
    *,
    position: int = 0,
    around: Callable[[], object] | None = None,
) -> bool:
    """Before one call of an operation (the first, unless told otherwise) do something else, once.

    Given `around`, runs it, and answers whether there was such a call.
    """
    seen = 0
    done = False

    def meddle(name: str, call: Callable[[], AWSResponse]) -> AWSResponse:
        nonlocal seen, done
        if name == operation and not done:
            seen += 1
            if seen > position:
                done = True
                act()
        return call()

    wire.meddle = meddle
    if around:
        around()
    return done
