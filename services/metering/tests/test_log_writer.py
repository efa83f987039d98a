"""What a reader may count on: each writer numbers what it puts into its own parts, and none comes late."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError, ReadTimeoutError
from house import House

from chassis.clock import FrozenClock
from chassis.problems import Unavailable
from metering import log_writer
from metering.log_writer import ATTEMPTS_AT_UNPROCESSED, SEGMENTS_PER_WRITE, LogWriter, part_of
from metering.segments import LoggedSegment, shard_of
from metering.tables.models import HourRow, SegmentRow
from metering.usage_columns import UsageColumns, columns_of
from metering.usage_events import UsageEvent

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
SHARDS = 4
GONE = ReadTimeoutError(endpoint_url="http://nowhere.invalid")

Item = dict[str, Any]
Wish = Callable[[list[Item]], list[Item]]


class Table:
    """Stands for DynamoDB's client: takes batches, or does with them what the test wishes."""

    def __init__(self) -> None:
        self.batches: list[list[Item]] = []
        self.wishes: list[Wish] = []
        """Of the next batches, each: answers what stays unwritten, or raises."""

    def batch_write_item(self, RequestItems: dict[str, list[Item]]) -> dict[str, Any]:
        ((name, items),) = RequestItems.items()
        assert name == SegmentRow.Meta.table_name
        assert len(items) <= SEGMENTS_PER_WRITE
        left = self.wishes.pop(0)(items) if self.wishes else []
        self.batches.append([item["PutRequest"]["Item"] for item in items if item not in left])
        return {"UnprocessedItems": {name: left} if left else {}}

    @property
    def written(self) -> dict[str, list[int]]:
        """The numbers in each part, in the order in which they were written."""
        found = defaultdict(list)
        for batch in self.batches:
            for item in batch:
                found[item["partition"]["S"]].append(int(item["segment_id"]["S"], 16))
        return found

    @property
    def names(self) -> list[str]:
        """Under which the writer wrote, in that order."""
        return list(dict.fromkeys(part.split("#")[2] for part in self.written))


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The hours that were announced, each with its writer's name."""
    found: list[tuple[str, str]] = []
    monkeypatch.setattr(log_writer, "announce", lambda hour, name, shards: found.append((hour, name)))
    return found


@pytest.fixture
def table(announced: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setattr(log_writer.time, "sleep", lambda _: None)
    return Table()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def writer(table: Table, clock: FrozenClock) -> LogWriter:
    return LogWriter(table, clock, SHARDS)


def usage(*hours: str, holders: Iterable[str] = ("a",)) -> UsageColumns:
    """One event of each holder in each hour, such as `22T10`."""
    moments = [datetime.fromisoformat(f"2026-11-{hour}:15:00+00:00") for hour in hours]
    return columns_of(
        UsageEvent("gateway", f"{holder}{moment}", holder, "tokens", 1, moment)
        for moment in moments
        for holder in holders
    )


def timed_out(_: list[Item]) -> list[Item]:
    raise GONE


def refused(_: list[Item]) -> list[Item]:
    raise ClientError({"Error": {"Code": "ValidationException"}}, "BatchWriteItem")


def refused_when_made_again(_: list[Item]) -> list[Item]:
    """botocore made the call three times, and heard nothing of the first two."""
    refusal = {"Error": {"Code": "AccessDeniedException"}, "ResponseMetadata": {"RetryAttempts": 2}}
    raise ClientError(refusal, "BatchWriteItem")  # type: ignore[arg-type]


def never_sent(_: list[Item]) -> list[Item]:
    raise ParamValidationError(report="as the test wishes")


def one_is_written(items: list[Item]) -> list[Item]:
    return items[1:]


def none_is_written(items: list[Item]) -> list[Item]:
    return items


def noting(at_write: list[int], announced: list[Any]) -> Wish:
    """Notes how many hours had been announced when a batch was written."""

    def note(_: list[Item]) -> list[Item]:
        at_write.append(len(announced))
        return []

    return note


def test_each_write_has_the_next_number_in_every_part(writer: LogWriter, table: Table) -> None:
    for hours in (["22T10"], ["22T10", "22T09"], ["22T09"], ["22T10"]):
        writer.append(usage(*hours))
    (name,) = table.names
    shard = f"{shard_of('a', SHARDS):03d}"
    assert table.written == {
        f"2026-11-22T10#{shard}#{name}": [1, 2, 4],
        f"2026-11-22T09#{shard}#{name}": [2, 3],
    }
    keys = [item["segment_id"]["S"] for batch in table.batches for item in batch]
    assert keys == sorted(keys)


def test_two_writers_share_no_part(table: Table, clock: FrozenClock) -> None:
    for _ in range(2):
        LogWriter(table, clock, SHARDS).append(usage("22T10"))
    assert len(table.written) == len(table.names) == 2


def test_a_batch_has_at_most_one_segment_of_a_part(
    writer: LogWriter, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that are written at once a reader may see the second first, and never look for the first."""
    monkeypatch.setattr("metering.segments.MOST_BYTES", 1)
    holders = [f"holder-{number}" for number in range(40)]
    writer.append(usage("22T10", "22T09", "22T08", holders=holders))
    for batch in table.batches:
        parts = [item["partition"]["S"] for item in batch]
        assert len(parts) == len(set(parts))
    assert sum(map(len, table.written.values())) == 120
    for numbers in table.written.values():
        assert numbers == sorted(set(numbers))
    # Twelve parts: each batch has one of each for as long as there are.
    assert len(table.batches) == max(map(len, table.written.values()))


def test_many_parts_take_several_calls(writer: LogWriter, table: Table) -> None:
    writer.append(usage(*(f"22T{hour:02d}" for hour in range(10)), holders=[f"h{n}" for n in range(40)]))
    assert [len(batch) for batch in table.batches] == [25, 15]
    assert sum(int(item["events"]["N"]) for batch in table.batches for item in batch) == 400


def test_what_stays_unwritten_is_written_again_under_its_number(writer: LogWriter, table: Table) -> None:
    table.wishes = [none_is_written, one_is_written, one_is_written]
    writer.append(usage("22T10", "22T09", "22T08"))
    writer.append(usage("22T10"))
    assert [len(batch) for batch in table.batches] == [0, 1, 1, 1, 1]
    assert sorted(table.written.values()) == [[1], [1], [1, 2]]


def test_it_gives_up_what_stays_unwritten(writer: LogWriter, table: Table) -> None:
    table.wishes = [none_is_written] * (ATTEMPTS_AT_UNPROCESSED + 1)
    with pytest.raises(Unavailable) as gives_up:
        writer.append(usage("22T10"))
    assert gives_up.value.headers["Retry-After"] == "2"
    assert len(table.wishes) == 1
    assert table.written == {}


def test_an_hour_is_announced_before_its_first_write_and_not_with_each(
    writer: LogWriter, table: Table, announced: list[tuple[str, str]]
) -> None:
    at_write: list[int] = []
    table.wishes = [noting(at_write, announced)] * 3
    for hours in (["22T10"], ["22T10", "22T11"], ["22T11"]):
        writer.append(usage(*hours))
    (name,) = table.names
    assert announced == [("2026-11-22T10", name), ("2026-11-22T11", name)]
    assert at_write == [1, 2, 2]


def test_an_hour_that_ended_long_ago_is_announced_again_after_each_write(
    writer: LogWriter, table: Table, announced: list[tuple[str, str]], clock: FrozenClock
) -> None:
    at_write: list[int] = []
    table.wishes = [noting(at_write, announced)] * 4
    writer.append(usage("22T09"))
    assert len(announced) == 1  # it ended half an hour ago
    clock.advance(minutes=29)
    writer.append(usage("22T09"))
    assert len(announced) == 1
    clock.advance(minutes=1)
    writer.append(usage("22T09"))
    writer.append(usage("22T09", "22T10"))
    assert [hour for hour, _ in announced[:2]] == ["2026-11-22T09"] * 2
    assert sorted(hour for hour, _ in announced[2:]) == ["2026-11-22T09", "2026-11-22T10"]
    assert at_write == [1, 1, 1, 3]


def test_the_clock_is_asked_again_after_the_write(
    writer: LogWriter, table: Table, announced: list[tuple[str, str]], clock: FrozenClock
) -> None:
    """This process stood still in the middle of it; meanwhile the hour was retired."""

    def stand_still(_: list[Item]) -> list[Item]:
        clock.advance(hours=30)
        return []

    table.wishes = [stand_still]
    writer.append(usage("22T10"))
    assert [hour for hour, _ in announced] == ["2026-11-22T10"] * 2


def test_an_hour_that_cannot_be_announced_gets_nothing(
    writer: LogWriter, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise GONE

    with monkeypatch.context() as outage:
        outage.setattr(log_writer, "announce", away)
        for _ in range(2):
            with pytest.raises(ReadTimeoutError):
                writer.append(usage("22T10"))
    assert table.batches == []


def test_a_forked_child_goes_on_under_a_name_of_its_own(
    writer: LogWriter, table: Table, announced: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.append(usage("22T10"))
    process = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: process + 1)
    writer.append(usage("22T10"))
    writer.append(usage("22T10"))
    parent, child = table.names
    assert list(table.written.values()) == [[1], [1, 2]]
    assert announced == [("2026-11-22T10", parent), ("2026-11-22T10", child)]


@pytest.mark.parametrize(
    "wishes",
    [[timed_out], [one_is_written, timed_out], [none_is_written] * ATTEMPTS_AT_UNPROCESSED],
    ids=["timed out", "half written", "never written"],
)
def test_what_was_given_up_is_written_before_the_next(
    writer: LogWriter, table: Table, wishes: list[Wish]
) -> None:
    writer.append(usage("22T10", "22T09"))
    table.wishes = list(wishes)
    with pytest.raises((ReadTimeoutError, Unavailable)):
        writer.append(usage("22T10", "22T09"))
    assert table.wishes == []
    writer.append(usage("22T10"))
    assert sorted(table.written.values()) == [[1, 2], [1, 2, 3]]
    assert len(table.names) == 1


def test_nothing_is_written_before_what_was_given_up(writer: LogWriter, table: Table) -> None:
    """However often: it may be on its way yet."""
    writer.append(usage("22T10"))
    table.wishes = [timed_out] * 3
    for _ in range(3):
        with pytest.raises(ReadTimeoutError):
            writer.append(usage("22T10"))
    assert list(table.written.values()) == [[1]]
    writer.append(usage("22T10"))
    assert list(table.written.values()) == [[1, 2, 3]]


def test_what_dynamodb_refuses_is_not_tried_for_ever(writer: LogWriter, table: Table) -> None:
    table.wishes = [refused] * 3
    for _ in range(3):
        with pytest.raises(ClientError):
            writer.append(usage("22T10"))
    writer.append(usage("22T10"))
    assert list(table.written.values()) == [[4]]


def test_what_never_left_this_process_is_not_tried_again(writer: LogWriter, table: Table) -> None:
    table.wishes = [never_sent]
    with pytest.raises(ParamValidationError):
        writer.append(usage("22T10"))
    writer.append(usage("22T10"))
    assert list(table.written.values()) == [[2]]


@pytest.mark.parametrize("refusal", [refused, never_sent, refused_when_made_again])
def test_what_is_refused_and_perhaps_written_has_no_successor(
    writer: LogWriter, table: Table, announced: list[tuple[str, str]], refusal: Wish
) -> None:
    """It may be on its way yet: who has read the next number by then would never look for it. Who reports
    next has no part in it, and is taken."""
    writer.append(usage("22T10"))
    table.wishes = [timed_out, timed_out, refusal]
    for _ in range(2):
        with pytest.raises(ReadTimeoutError):
            writer.append(usage("22T10"))
    at_write: list[int] = []
    table.wishes.append(noting(at_write, announced))
    writer.append(usage("22T10"))
    writer.append(usage("22T10"))
    assert list(table.written.values()) == [[1], [1, 2]]
    assert announced == [("2026-11-22T10", name) for name in table.names]
    assert at_write == [2], "it was announced under the new name before it was written"


def test_a_refusal_of_what_botocore_made_again_says_nothing_of_the_first_time(
    writer: LogWriter, table: Table
) -> None:
    writer.append(usage("22T10"))
    table.wishes = [refused_when_made_again, refused]
    with pytest.raises(ClientError):
        writer.append(usage("22T10"))
    writer.append(usage("22T10"))
    assert list(table.written.values()) == [[1], [1]]


def test_refusals_alone_make_no_new_parts(writer: LogWriter, table: Table) -> None:
    """Nor do they after a doubt, which is over once the writer has another name."""
    table.wishes = [timed_out, refused, refused, refused]
    with pytest.raises(ReadTimeoutError):
        writer.append(usage("22T10"))
    for _ in range(2):
        with pytest.raises(ClientError):
            writer.append(usage("22T10"))
    writer.append(usage("22T10"))
    assert list(table.written.values()) == [[3]]


def test_the_table_can_take_what_was_left_unwritten_or_refuse_it(writer: LogWriter, table: Table) -> None:
    table.wishes = [none_is_written, refused]
    with pytest.raises(ClientError):
        writer.append(usage("22T10"))
    writer.append(usage("22T10"))
    assert list(table.written.values()) == [[2]], "refused as it was, nothing is on its way"


def test_a_process_that_is_stopped_amidst_a_write_makes_it_again_too(writer: LogWriter, table: Table) -> None:
    def stop(_: list[Item]) -> list[Item]:
        raise KeyboardInterrupt

    writer.append(usage("22T10"))
    table.wishes = [stop]
    with pytest.raises(KeyboardInterrupt):
        writer.append(usage("22T10"))
    writer.append(usage("22T10"))
    assert list(table.written.values()) == [[1, 2, 3]]


class LateTable:
    """DynamoDB, but of one call we hear nothing in time; it is executed later."""

    def __init__(self, dynamodb: Any) -> None:
        self._dynamodb = dynamodb
        self.lose_the_next = False
        self.under_way: list[dict[str, Any]] = []

    def batch_write_item(self, **call: Any) -> Any:
        if self.lose_the_next:
            self.lose_the_next = False
            self.under_way.append(call)
            raise GONE
        return self._dynamodb.batch_write_item(**call)

    def arrive(self) -> None:
        for call in self.under_way:
            self._dynamodb.batch_write_item(**call)


class Follower:
    """A reader that asks each part only for what came after the last number that it knows."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def new_events(self) -> list[str]:
        return [
            event.id
            for hour in HourRow.scan()
            for writer in hour.writers
            for shard in range(int(hour.writers_shards))
            for event in self._of_part(part_of(hour.hour, shard, writer))
        ]

    def _of_part(self, part: str) -> Iterator[UsageEvent]:
        for row in SegmentRow.query(part, SegmentRow.segment_id > self._last.get(part, "-")):
            self._last[part] = row.segment_id
            segment = LoggedSegment(row.partition, row.segment_id, int(row.format), bytes(row.data))
            yield from segment.columns.events()


def test_who_reads_what_came_after_a_failed_write_has_that_too(house: House) -> None:
    sub = house.buy()
    dynamodb = LateTable(house.dynamodb)
    house.intake._append = LogWriter(dynamodb, house.clock, house.settings.log_shards).append
    follower = Follower()
    first = house.use(sub, "1")
    assert follower.new_events() == [first["id"]]
    lost = house.event(sub, "2")
    dynamodb.lose_the_next = True
    with pytest.raises(ReadTimeoutError):
        house.report(lost)
    after = house.use(sub, "4")
    assert follower.new_events() == [lost["id"], after["id"]]
    house.run()
    dynamodb.arrive()
    assert follower.new_events() == []
    house.run()
    assert house.balance(sub).accepted == 7_000_000
    # Sent again, as it was not acknowledged, it counts once.
    house.report(lost)
    house.clock.advance(hours=2)
    house.run()
    assert house.billed(sub) == "7"
    house.must_be_exact()
