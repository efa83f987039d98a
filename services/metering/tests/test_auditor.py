"""The auditor computes anew from the log what was accepted, and says what does not add up; it writes
nothing."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from house import OLDEST, House, at, empty_tables
from structlog.testing import capture_logs
from wire import Wire

from metering import measures
from metering.auditor import audit_loop
from metering.health import STEPS
from metering.tables.models import HourRow, LedgerRowModel, RecordRow

TEN = "2026-11-22T10"
GPU = f"gpu_hours#{TEN}"


def eventful(house: House) -> tuple[str, str]:
    """Usage, late usage, corrections, usage by customer; billed and not. Answers a subscription and a
    customer."""
    sub = house.buy(OLDEST)
    customer = house.register(sub)
    house.use(sub, "5")
    house.report(house.customers_event(customer, "3", OLDEST))
    house.clock.advance(hours=1, minutes=10)
    house.run(2)
    house.use(sub, "7", time=at("22T10:10"))
    house.use(sub, "-2", time=at("22T11:05"))
    house.clock.advance(hours=1)
    house.run(2)
    house.use(sub, "11")
    house.run()
    house.must_be_exact()
    return sub, customer


def balanced(house: House) -> bool:
    return house.new_auditor().audit() == set()


def test_what_is_right_is_found_right(house: House) -> None:
    eventful(house)
    assert balanced(house)
    assert measures.IMBALANCES._value.get() == 0
    # Hours that are retired are in the ledger only.
    house.clock.advance(hours=30)
    house.run(2)
    assert house.usage_log.open_hours() == []
    assert balanced(house)


def test_usage_that_is_not_folded_yet_is_no_imbalance(house: House) -> None:
    sub = house.buy()
    house.use(sub, "5")
    assert balanced(house)
    house.run()
    house.use(sub, "5")
    assert balanced(house)


def change(model: Any, *key: str, **values: Any) -> None:
    """Somebody writes what nobody should."""
    model(*key).update([getattr(model, name).set(value) for name, value in values.items()])


WRONGS: dict[str, tuple[Callable[[str, str], None], str, str, int]] = {
    "the fold": (
        lambda sub, _: change(LedgerRowModel, sub, GPU, metered=4_000_000),
        TEN,
        "the ledger's usage is not the log's",
        -8_000_000,
    ),
    "a correction": (
        lambda sub, _: change(LedgerRowModel, sub, "gpu_hours#2026-11-22T11", corrections=3_000_000),
        "2026-11-22T11",
        "its corrections are not the log's",
        1_000_000,
    ),
    "a row that is gone": (
        lambda sub, _: LedgerRowModel(sub, "gpu_hours#2026-11-22T12").delete(),
        "2026-11-22T12",
        "the ledger's usage is not the log's",
        -11_000_000,
    ),
    "an allocation": (
        lambda sub, _: change(LedgerRowModel, sub, GPU, allocated=12_000_000),
        TEN,
        "the ledger and its metering records disagree",
        -1_000_000,
    ),
    "a record's quantity": (
        lambda sub, _: change(RecordRow, sub, GPU, quantity=8_000_001),
        TEN,
        "a metering record's quantity is not that of the hours it came from",
        1,
    ),
    "a record that is gone": (
        lambda sub, _: RecordRow(sub, GPU).delete(),
        TEN,
        "the ledger and its metering records disagree",
        8_000_000,
    ),
    "a move that did not arrive": (
        lambda sub, _: change(LedgerRowModel, sub, GPU, received={}),
        TEN,
        "did not arrive as it left",
        3_000_000,
    ),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_what_is_wrong_is_named_so_that_a_person_understands(house: House, wrong: str) -> None:
    """Which subscription, dimension and hour, by how much, and what to do."""
    act, hour, says, off = WRONGS[wrong]
    sub, customer = eventful(house)
    act(sub, customer)
    with capture_logs() as logs:
        found = house.new_auditor().audit()
    (one,) = [one for one in found if says in one.wrong]
    holder = f"{customer}/{OLDEST}" if "arrive" in says else sub
    assert (one.holder, one.dimension, one.hour, one.micro_units) == (holder, "gpu_hours", hour, off)
    assert measures.IMBALANCES._value.get() == len(found)
    (line,) = [entry for entry in logs if entry.get("micro_units") == off and says in entry["event"]]
    assert line["log_level"] == "error"
    assert f"{holder}, gpu_hours, {hour}: " in line["event"]
    assert line["event"].endswith(one.advice)


def test_what_it_advises_for_a_wrong_fold_mends_it(house: House) -> None:
    sub, _ = eventful(house)
    change(LedgerRowModel, sub, "gpu_hours#2026-11-22T12", metered=1)
    (one,) = house.new_auditor().audit()
    assert "`folded` of the hour in usage-hours to 0" in one.advice
    change(HourRow, "2026-11-22T12", folded=0)
    house.run()
    assert balanced(house)


def test_what_it_advises_mends_an_hour_that_is_quiet_too(house: House) -> None:
    """By a worker that remembers the hour, and by one that does not."""
    sub, _ = eventful(house)
    house.clock.advance(hours=6)
    house.run(2)
    for _ in range(2):
        change(LedgerRowModel, sub, "gpu_hours#2026-11-22T12", metered=1)
        house.run()
        assert not balanced(house)
        change(HourRow, "2026-11-22T12", folded=0)
        house.run()
        assert balanced(house)
        house.restart()


def test_a_row_of_a_later_fold_than_the_complete_one_is_not_compared(house: House) -> None:
    """It may know more; who wrote it has not said yet that it has written all."""
    sub, _ = eventful(house)
    wrong = LedgerRowModel.get(sub, GPU)
    change(LedgerRowModel, sub, GPU, metered=wrong.metered + 1, fold=wrong.fold)
    assert not balanced(house)
    change(LedgerRowModel, sub, GPU, fold=HourRow.get(TEN).folded + 1)
    assert balanced(house)


def test_usage_that_was_billed_and_then_belonged_to_another_is_found(house: House) -> None:
    sub, other = house.buy(), house.buy()
    house.use(sub, "5", event_id="same")
    house.clock.advance(hours=1, minutes=10)
    house.run()
    # The fold had not seen that another had the id first: its writer was slow.
    change(LedgerRowModel, sub, GPU, metered=0, fold=9)
    (one,) = [one for one in house.new_auditor().audit() if one.wrong == "more was billed than accepted"]
    assert (one.holder, one.micro_units) == (sub, -5_000_000)
    assert "refund" in one.advice
    assert other not in str(one)


def test_it_reads_only(house: House, wire: Wire) -> None:
    eventful(house)
    wire.operations.clear()
    assert balanced(house)
    assert set(wire.operations) <= {"Query", "Scan", "GetItem", "BatchGetItem"}


def test_a_worker_in_between_is_no_imbalance(house: House, wire: Wire) -> None:
    """Before each of the audit's calls in turn, other workers take usage in, fold, plan, move and send."""
    position, calls_left = 0, True
    while calls_left:
        sub = house.buy(OLDEST)
        customer = house.register(sub)
        house.use(sub, "1")
        house.report(house.customers_event(customer, "2", OLDEST))
        house.clock.advance(hours=1, minutes=10)
        house.cycle.fold_open_hours()
        found: list[object] = []

        def go_on(sub: str = sub) -> None:
            house.use(sub, "1")
            house.new_cycle().run()

        def audit(found: list[object] = found) -> None:
            found += house.new_auditor().audit()

        calls_left = wire.interrupt(position, go_on, audit)
        assert found == [], position
        position += 1
        empty_tables()
        house.truth.clear()
        house.identities.clear()
        house.aws.slots.clear()
        house.restart()
    assert position > 8


def test_two_auditors_find_the_same(house: House) -> None:
    sub, _ = eventful(house)
    change(LedgerRowModel, sub, GPU, allocated=1)
    assert house.new_auditor().audit() == house.new_auditor().audit() != set()


def test_it_audits_at_its_start_and_then_as_the_one_clock_says(house: House) -> None:
    audits: list[str] = []

    class Noting:
        def audit(self) -> None:
            audits.append(house.clock.now().strftime("%H:%M"))

    class TwentyMinutes(threading.Event):
        """Each wait takes so long by the one clock, and no time at all."""

        def wait(self, timeout: float | None = None) -> bool:
            if house.clock.advance(minutes=20) > at("22T13:00"):
                self.set()
            return self.is_set()

    house.clock.advance(seconds=(at("22T10:30") - house.clock.now()).total_seconds())
    audit_loop(Noting(), house.clock, timedelta(hours=1))["audit"](TwentyMinutes())  # type: ignore[arg-type]
    assert audits == ["10:30", "11:30", "12:30"]


def test_an_audit_that_failed_waits_for_its_next_time(house: House) -> None:
    audits: list[int] = []

    class Failing:
        def audit(self) -> None:
            audits.append(1)
            raise RuntimeError("as the test wishes")

    stop = threading.Event()
    loop = audit_loop(Failing(), house.clock, timedelta(hours=1))["audit"]  # type: ignore[arg-type]
    with pytest.raises(RuntimeError):
        loop(stop)
    stop.wait = lambda timeout=None: stop.set() or True  # type: ignore[method-assign,func-returns-value,assignment]
    loop(stop)
    assert len(audits) == 1
    stop.clear()
    house.clock.advance(hours=1)
    with pytest.raises(RuntimeError):
        loop(stop)


def test_no_usage_and_nothing_has_run_do_not_look_alike(house: House) -> None:
    before = time.time()
    house.run()
    done = {step: measures.LAST_STEP.labels(step)._value.get() for step in STEPS}
    assert all(at_ >= before for at_ in done.values())
    assert measures.standing_still(time.time()) == []
    later = max(done.values()) + measures.LONGEST_STAND_SECONDS + 1
    sentences = measures.standing_still(later)
    assert [sentence.split(" has")[0] for sentence in sentences] == [f"The step {step}" for step in STEPS]


def test_a_step_that_fails_stands_still_alone(house: House, wire: Wire) -> None:
    sub = house.buy()
    house.use(sub, "5")
    house.clock.advance(hours=1, minutes=10)
    house.run()
    before = {step: measures.LAST_STEP.labels(step)._value.get() for step in STEPS}
    house.aws.always = None
    house.use(sub, "1")
    house.clock.advance(hours=1)

    def no_aws(name: str, call: Callable[[], Any]) -> Any:
        if name == "BatchMeterUsage":
            raise RuntimeError("as the test wishes")
        return call()

    wire.meddle = no_aws
    house.run_and_fail()
    after = {step: measures.LAST_STEP.labels(step)._value.get() for step in STEPS}
    assert after["send"] == before["send"]
    assert after["fold"] > before["fold"]
    assert after["plan"] > before["plan"]
