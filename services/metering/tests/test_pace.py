"""One rate for all workers: no second has more calls than AWS allows, whoever makes them."""

import threading
from collections import Counter
from functools import partial

from botocore.exceptions import EndpointConnectionError
from house import House
from pynamodb.exceptions import UpdateError
from shelf_marketplace import URL
from structlog.testing import capture_logs

from metering.pace import ALONE_PER_SECOND, SharedPace
from metering.tables.call_rate import KEPT_SECONDS, take
from metering.tables.models import CallRateRow


class WorkersTime:
    """A worker's own time: it passes only where the worker sleeps."""

    def __init__(self, begin: float) -> None:
        self.seconds = begin
        self.slept: list[float] = []

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


def calls_in(region: str) -> dict[int, int]:
    """By second, what the rows say."""
    found = {row.second: int(row.calls) for row in CallRateRow.scan() if row.second.startswith(f"{region}#")}
    return {int(second.split("#")[1]): calls for second, calls in found.items()}


def test_several_workers_together_keep_to_the_rate(house: House) -> None:
    """Each begins at another moment; all their calls are counted in the second in which they were made."""
    made: Counter[int] = Counter()
    counting = threading.Lock()

    def work(begin: float) -> None:
        time = WorkersTime(begin)
        pace = SharedPace(partial(take, "us-east-1", 3), 3, time.now, time.sleep)
        for _ in range(8):
            pace()
            with counting:
                made[int(time.now())] += 1

    workers = [threading.Thread(target=work, args=(1000 + number * 0.3,)) for number in range(5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert made.total() == 40
    assert max(made.values()) == 3
    assert calls_in("us-east-1") == made


def test_another_region_has_a_rate_of_its_own(house: House) -> None:
    assert [take("us-east-1", 1, 7), take("us-east-1", 1, 7), take("eu-west-1", 1, 7)] == [True, False, True]
    assert take("us-east-1", 1, 8)


def test_the_row_of_a_second_is_removed_by_dynamodb(house: House) -> None:
    take("us-east-1", 8, 1000)
    assert [int(row.delete_after) for row in CallRateRow.scan()] == [1000 + KEPT_SECONDS]


def test_one_worker_alone_spreads_its_calls() -> None:
    """Four a second: after a pause the first goes at once, then each waits for its quarter."""
    time = WorkersTime(1000.0)
    pace = SharedPace(lambda _: True, 4, time.now, time.sleep)
    for _ in range(4):
        pace()
    time.seconds += 10
    pace()
    pace()
    assert time.slept == [0.25, 0.25, 0.25, 0.25]


def test_what_comes_between_two_calls_does_not_slow_the_beat() -> None:
    """Counting a call takes a while, and so does what a call is for; one that is late is followed sooner."""
    time = WorkersTime(1000.0)

    def count(_: int) -> bool:
        time.seconds += 0.0625
        return True

    pace = SharedPace(count, 4, time.now, time.sleep)
    moments = []
    for work in (0.125, 0.25, 0.0, 0.0):
        pace()
        moments.append(time.now())
        time.seconds += work
    assert moments == [1000.0625, 1000.3750, 1000.6875, 1000.8750]


def test_who_is_late_by_more_than_a_beat_makes_up_for_none_of_it() -> None:
    time = WorkersTime(1000.0)
    pace = SharedPace(lambda _: True, 4, time.now, time.sleep)
    moments = []
    for work in (0.5, 0.0, 0.0):
        pace()
        moments.append(time.now())
        time.seconds += work
    assert moments == [1000.0, 1000.5, 1000.75]


def test_a_full_second_is_waited_for() -> None:
    time = WorkersTime(1000.25)
    SharedPace(lambda second: second >= 1002, 4, time.now, time.sleep)()
    assert (time.slept, time.now()) == ([0.75, 1.0], 1002.0)


def test_while_dynamodb_is_away_calls_go_on_more_slowly_and_it_is_said_once() -> None:
    time = WorkersTime(1000.0)
    away = True

    def count(_: int) -> bool:
        if away:
            raise UpdateError("away", cause=EndpointConnectionError(endpoint_url=URL))
        return True

    pace = SharedPace(count, 8, time.now, time.sleep)
    with capture_logs() as logs:
        for _ in range(4):
            pace()
        assert time.now() == 1000 + 3 / ALONE_PER_SECOND
        away = False
        for _ in range(9):
            pace()
    assert [entry["event"] for entry in logs] == [
        "The calls of all workers cannot be counted; this one goes on more slowly.",
        "The calls of all workers are counted again.",
    ]
    # The first after the outage still waits its second; the other eight are an eighth apart.
    assert time.now() == 1004 + 8 / 8
