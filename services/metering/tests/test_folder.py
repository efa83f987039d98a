"""Folding reads and writes only what is new, and forgets without harm."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Queue
from threading import Lock, Thread
from typing import Any

import orjson
import pytest
import zstandard
from house import House
from pynamodb.exceptions import UpdateError
from wire import Wire

from metering.folder import Folder
from metering.hour_fold import HourFold
from metering.log_writer import LogWriter
from metering.segments import LoggedSegment, shard_of
from metering.tables.ledger_store import LedgerStore
from metering.tables.models import HourRow, LedgerRowModel, SegmentRow
from metering.usage_log import HourOfLog, UsageLog

TEN = "2026-11-22T10"


def new_folder(house: House, most_events: int = 1000) -> Folder:
    """One more worker's."""
    return Folder(house.usage_log, house.ledger, most_events)


def metered(house: House, sub: str, dimension: str = "gpu_hours") -> str:
    """What the ledger has of the hour."""
    row = LedgerRowModel.get(sub, f"{dimension}#{TEN}")
    assert int(row.metered) % 1_000_000 == 0
    return str(int(row.metered) // 1_000_000)


def ledger_writes(wire: Wire, act: Callable[[], object]) -> int:
    wire.operations.clear()
    act()
    # Two updates are those of the hour's own row.
    return max(wire.operations.count("UpdateItem") - 2, 0)


def test_only_rows_that_changed_are_written(house: House, wire: Wire) -> None:
    subs = [house.buy() for _ in range(8)]
    folder = new_folder(house)
    house.report(*[house.event(sub) for sub in subs])
    assert ledger_writes(wire, lambda: folder.fold(TEN)) == 8
    assert ledger_writes(wire, lambda: folder.fold(TEN)) == 0
    house.use(subs[3], "4")
    assert ledger_writes(wire, lambda: folder.fold(TEN)) == 1
    assert [metered(house, sub) for sub in subs[2:4]] == ["1", "5"]


def test_only_segments_that_are_new_are_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    sub = house.buy()
    taken: list[str] = []
    add = HourFold.add
    monkeypatch.setattr(HourFold, "add", lambda self, one: taken.append(one.segment_id) or add(self, one))
    folder = new_folder(house)
    for quantity in ("1", "2", "3"):
        house.use(sub, quantity)
        folder.fold(TEN)
    assert len(taken) == 3
    assert metered(house, sub) == "6"


def test_a_worker_that_begins_anew_writes_nothing_that_is_written(house: House, wire: Wire) -> None:
    subs = [house.buy() for _ in range(5)]
    house.report(*[house.event(sub) for sub in subs])
    new_folder(house).fold(TEN)
    assert ledger_writes(wire, lambda: new_folder(house).fold(TEN)) == 0


def test_what_is_forgotten_is_read_again(house: House) -> None:
    sub = house.buy()
    folder = new_folder(house, most_events=0)
    first = house.use(sub, "1")
    folder.fold(TEN)
    house.report(first, house.event(sub, "5"))
    folder.fold(TEN)
    assert metered(house, sub) == "6"
    assert folder._hours == {}


def test_the_hour_that_was_folded_longest_ago_is_forgotten_first(house: House) -> None:
    sub = house.buy()
    folder = new_folder(house, most_events=2)
    for hour in range(3):
        house.use(sub, "1")
        folder.fold(f"2026-11-22T{10 + hour}")
        house.clock.advance(hours=1)
    assert list(folder._hours) == ["2026-11-22T11", "2026-11-22T12"]


def test_two_workers_that_fold_in_turn_come_to_the_truth(house: House) -> None:
    subs = [house.buy() for _ in range(3)]
    one, other = new_folder(house), new_folder(house)
    for round_ in range(6):
        house.report(*[house.event(sub, f"{round_}") for sub in subs])
        (one, other)[round_ % 2].fold(TEN)
    other.fold(TEN)
    assert {metered(house, sub) for sub in subs} == {"15"}


class SlowLedger(LedgerStore):
    """A worker's that stands still once, between taking its number and writing its rows."""

    def __init__(self, house: House, meanwhile: Callable[[], None]) -> None:
        super().__init__(house.connection)
        self._meanwhile: Callable[[], None] | None = meanwhile

    def book_fold(self, *of: Any) -> None:
        if self._meanwhile:
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        super().book_fold(*of)


class SlowLog(UsageLog):
    """A worker's that stands still a few times, between reading an hour and taking its number."""

    def __init__(self, house: House, *meanwhile: Callable[[], None]) -> None:
        super().__init__(house.dynamodb, house.clock, house.settings.age_limits)
        self._meanwhile = list(meanwhile)

    def take_number(self, found: HourOfLog) -> int | None:
        if self._meanwhile:
            self._meanwhile.pop(0)()
        return super().take_number(found)


def test_who_stands_still_after_its_number_leaves_what_a_later_fold_wrote(house: House) -> None:
    sub, other_sub = house.buy(), house.buy()
    house.use(sub, "1")

    def more_is_folded() -> None:
        house.use(sub, "2")
        house.use(other_sub, "7")
        new_folder(house).fold(TEN)

    slow = Folder(house.usage_log, SlowLedger(house, more_is_folded), 1000)
    for _ in range(2):
        slow.fold(TEN)
        assert (metered(house, sub), metered(house, other_sub)) == ("3", "7")
        assert (HourRow.get(TEN).folded, HourRow.get(TEN).folded_segments) == (2, 3)


def test_who_stands_still_before_its_number_reads_on(house: House) -> None:
    """However often it is overtaken, the hour gets on, and so does it."""
    sub = house.buy()
    house.use(sub, "1")
    other = new_folder(house)

    def more_is_folded() -> None:
        house.use(sub, "2")
        other.fold(TEN)
        assert HourRow.get(TEN).folded == HourRow.get(TEN).folds
        house.use(sub, "1")

    def more_is_written() -> None:
        house.use(sub, "4")

    Folder(SlowLog(house, *[more_is_folded] * 5, more_is_written), house.ledger, 1000).fold(TEN)
    assert metered(house, sub) == "16", "all that was there when it got its number, and no more"
    other.fold(TEN)
    assert metered(house, sub) == "20"
    assert int(HourRow.get(TEN).folded) == 7


class Dies(Exception):
    """A worker."""


class DyingLog(UsageLog):
    """A worker's that stands still once when it has read the first part, and dies where it would read on."""

    def __init__(self, house: House, meanwhile: Callable[[], None]) -> None:
        super().__init__(house.dynamodb, house.clock, house.settings.age_limits)
        self._meanwhile: Callable[[], None] | None = meanwhile

    def hour(self, hour: str) -> HourOfLog:
        if not self._meanwhile:
            raise Dies
        return super().hour(hour)

    def segments(self, part: str, after: str = "") -> Iterator[LoggedSegment]:
        yield from super().segments(part, after)
        if self._meanwhile:
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()


def test_who_has_read_more_but_not_all_writes_nothing_over(house: House) -> None:
    """Then it dies. Were its short row written, nobody would book it again: it has nothing that is new to
    them."""
    here, there = in_two_shards(house)
    house.report(house.event(here, "1"), house.event(there, "1"))
    living = new_folder(house)

    def more_comes() -> None:
        house.use(here, "2")
        living.fold(TEN)
        house.use(there, "4")
        house.use(there, "8")

    with suppress(Dies):
        Folder(DyingLog(house, more_comes), house.ledger, 1000).fold(TEN)
    assert metered(house, here) == "3"
    living.fold(TEN)
    assert (metered(house, here), metered(house, there)) == ("3", "13")


def in_two_shards(house: House) -> tuple[str, str]:
    """A subscription in the first, and one in the last of four."""
    subs = [house.buy() for _ in range(16)]
    here = next(sub for sub in subs if shard_of(sub, 4) == 0)
    return here, next(sub for sub in subs if shard_of(sub, 4) == 3)


def test_two_readings_of_as_many_but_other_segments_are_both_booked(house: House) -> None:
    """Each worker has seen a part that the other has not yet: neither may take the other's for its own."""
    here, there = in_two_shards(house)
    house.use(house.buy(), "1")
    one, other = new_folder(house), new_folder(house)
    segments = house.usage_log.segments

    def without(shard: str) -> Callable[..., Any]:
        return lambda part, after="": iter(()) if f"#{shard}#" in part else segments(part, after)

    one.fold(TEN)
    other.fold(TEN)
    house.use(here, "2")
    house.use(there, "3")
    house.usage_log.segments = without("003")  # type: ignore[method-assign]
    one.fold(TEN)
    house.usage_log.segments = without("000")  # type: ignore[method-assign]
    other.fold(TEN)
    house.usage_log.segments = segments  # type: ignore[method-assign]
    assert (metered(house, here), metered(house, there)) == ("2", "3")
    del one
    other.fold(TEN)
    assert (metered(house, here), metered(house, there)) == ("2", "3")


class WatchedLock:
    """Says who has to wait for it."""

    def __init__(self, said: Queue[str]) -> None:
        self._lock, self._said = Lock(), said

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self._said.put("waits")
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_who_folds_beside_another_waits_and_then_folds_what_came_meanwhile(house: House) -> None:
    """The metering cycle, while the loop that only folds is at the same hour and has read it already."""
    sub = house.buy()
    house.use(sub, "1")
    folder = new_folder(house)
    said: Queue[str] = Queue()
    folder._lock = WatchedLock(said)  # type: ignore[assignment]
    book = folder._book
    cycles: list[Thread] = []

    def fold_beside() -> None:
        folder.fold(TEN)
        said.put("has folded")

    def book_late(*of: Any) -> bool:
        if not cycles:
            house.use(sub, "2")
            cycles.append(Thread(target=fold_beside, daemon=True))
            cycles[0].start()
            assert said.get(timeout=60) == "waits"
        return book(*of)

    folder._book = book_late  # type: ignore[method-assign]
    folder.fold(TEN)
    assert said.get(timeout=60) == "has folded"
    assert metered(house, sub) == "3"


def test_a_failed_booking_is_made_up_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    sub = house.buy()
    folder = new_folder(house)
    house.use(sub, "1")
    folder.fold(TEN)
    house.use(sub, "2")
    with monkeypatch.context() as outage:
        outage.setattr(house.ledger, "book_fold", _raise)
        with pytest.raises(UpdateError):
            folder.fold(TEN)
    assert metered(house, sub) == "1"
    folder.fold(TEN)
    assert metered(house, sub) == "3"


def test_a_quiet_hour_costs_one_read(house: House, wire: Wire) -> None:
    sub = house.buy()
    folder = new_folder(house)
    house.use(sub, "1")
    folder.fold(TEN)
    house.clock.advance(hours=2, minutes=59)
    folder.fold(TEN)
    wire.operations.clear()
    folder.fold(TEN)
    assert wire.operations.count("Query") == 4, "within two hours of its end an hour is read each time"
    house.clock.advance(minutes=1)
    folder.fold(TEN)
    wire.operations.clear()
    folder.fold(TEN)
    new_folder(house).fold(TEN)
    assert wire.operations == ["GetItem", "GetItem"]


def test_workers_that_remember_nothing_let_an_hour_be_quiet_too(house: House, wire: Wire) -> None:
    house.use(house.buy(), "1")
    house.clock.advance(hours=3)
    new_folder(house).fold(TEN)
    wire.operations.clear()
    new_folder(house).fold(TEN)
    assert wire.operations == ["GetItem"]


@pytest.mark.parametrize("hours", [1, 3, 20])
def test_late_usage_is_found_however_quiet_its_hour_was(house: House, hours: int) -> None:
    sub = house.buy()
    late = house.event(sub, "5")
    folder = new_folder(house)
    house.use(sub, "1")
    folder.fold(TEN)
    house.clock.advance(hours=hours)
    folder.fold(TEN)
    house.report(late)
    folder.fold(TEN)
    assert metered(house, sub) == "6"


def test_a_writer_that_is_an_hour_behind_is_heard(house: House) -> None:
    """By its own clock the hour ended less than an hour ago, so it does not announce what it writes."""
    sub = house.buy()
    folder = new_folder(house)
    house.use(sub, "1")
    late = house.event(sub, "5")
    house.clock.advance(hours=2, minutes=50)
    folder.fold(TEN)
    announcements = HourRow.get(TEN).announcements
    house.clock.advance(minutes=-55)
    house.report(late)
    assert HourRow.get(TEN).announcements == announcements
    house.clock.advance(minutes=55)
    folder.fold(TEN)
    assert metered(house, sub) == "6"


def test_an_hour_is_read_once_more_before_it_is_let_go(house: House) -> None:
    """Whatever a clock of ours said: what lies in the log is counted."""
    sub = house.buy()
    folder = new_folder(house)
    house.use(sub, "1")
    late = house.event(sub, "5")
    house.clock.advance(hours=3)
    folder.fold(TEN)
    house.clock.advance(hours=-2, minutes=-10)
    house.report(late)
    house.clock.advance(hours=25, minutes=30)
    folder.fold(TEN)
    assert metered(house, sub) == "6"
    assert house.usage_log.open_hours() == []
    assert folder._hours == {}


def test_parts_of_older_releases_are_read_whatever_comes_where(house: House) -> None:
    """Their segments are not numbered: one may come before another that was read already."""
    sub = house.buy()
    house.use(sub, "1")
    (segment,) = SegmentRow.scan()
    HourRow(TEN).update([HourRow.shards.set(2)])
    folder = new_folder(house)
    folder.fold(TEN)
    for number, (key, quantity) in enumerate({"2026-11-22T10:20": 4, "2026-11-22T10:10": 2}.items()):
        SegmentRow(
            f"{TEN}#001", key, format=1, events=1, data=_format_1(sub, f"old-{number}", quantity)
        ).save()
        folder.fold(TEN)
    assert metered(house, sub) == "7"
    assert segment.format == 3


def test_a_writer_of_more_shards_is_heard_beside_one_of_fewer(house: House) -> None:
    subs = [house.buy() for _ in range(6)]
    folder = new_folder(house)
    house.report(*[house.event(sub) for sub in subs])
    folder.fold(TEN)
    house.log_writer = LogWriter(house.dynamodb, house.clock, 32)
    house.intake._append = house.log_writer.append
    house.report(*[house.event(sub, "2") for sub in subs])
    folder.fold(TEN)
    assert {metered(house, sub) for sub in subs} == {"3"}


def _raise(*_: object) -> None:
    raise UpdateError("DynamoDB is away.")


def _format_1(sub: str, event_id: str, quantity: int) -> bytes:
    row = ["test", event_id, sub, "gpu_hours", quantity * 1_000_000, "2026-11-22T10:15:00Z"]
    return zstandard.compress(orjson.dumps([row]))
