"""The alarms on what the running processes show: quiet before, firing on the condition, quiet after."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.journeys.house import NEWS_QUEUE, House
from tests.observability.known import OF_EVERY_SCRAPE, Alarm, alarms, labels_by_metric
from tests.observability.promql import Sample, fires, read_exposition
from tools.metrics_page import MOVED_BY, SERVICES

ROLES = ("web", "worker")
PROCESSES = [f"{service}-{role}" for service in SERVICES for role in ROLES]
ALARMS: dict[str, Alarm] = {alarm.name: alarm for alarm in alarms()}


def scraped(house: House, earlier: list[Sample] | None = None) -> list[Sample]:
    """What all processes show now, each with the name of its process as `job`.

    Args:
        earlier: what they showed before; counters know from it by how much they have grown.
    """
    before = {(one.name, one.labels): one.value for one in earlier or []}
    found = []
    for name in PROCESSES:
        answer = house.http.get(f"{house.stack.urls[name]}/metrics")
        assert answer.status_code == 200
        found += [
            Sample(one.name, one.labels, one.value, before.get((one.name, one.labels)))
            for one in read_exposition(answer.text, job=name)
            if one.name.startswith("marketplane_") and not one.name.endswith("_created")
        ]
    return found


def does_fire(house: House, name: str, earlier: list[Sample] | None = None) -> bool:
    return fires(ALARMS[name].expression, scraped(house, earlier), time.time())


@pytest.fixture
def aws(house: House) -> Iterator[House]:
    """The house, whose AWS is well again after the test."""
    yield house
    house.aws_is_well()


def test_what_is_shown_is_what_the_page_says(house: House) -> None:
    house.seal_hour()
    found = scraped(house)
    known = labels_by_metric()
    for one in found:
        assert one.name in known, one
        assert {label for label, _ in one.labels} <= known[one.name], one
    moved = {(one.name, role_of(one)) for one in found if one.name.endswith("_total") and one.value}
    assert {(name, role) for name, role in moved if role not in MOVED_BY[name]} == set()
    # Each process of a service shows what is the service's. (With labels of its own a metric begins later.)
    without_labels = {name for name, labels in known.items() if labels == OF_EVERY_SCRAPE}
    for service in SERVICES:
        web, worker = (
            {one.name for one in found if ("job", f"{service}-{role}") in one.labels} & without_labels
            for role in ROLES
        )
        assert web == worker


def role_of(one: Sample) -> str:
    return dict(one.labels)["job"].partition("-")[2]


def test_metering_runs_and_is_audited_and_clocks_are_right(house: House) -> None:
    """Whatever other journeys did to the house, it goes on by itself."""
    for name in ("NoMeteringRun", "NoAudit", "BooksDoNotBalance", "ClockSkew"):
        house.until(lambda name=name: not does_fire(house, name), f"{name} to be quiet")


def test_aws_refuses_us_until_the_hours_window_is_nearly_over(aws: House) -> None:
    buyer = aws.buy_active("concurrent_agreements")
    aws.begin_hour()
    aws.until(lambda: not does_fire(aws, "AwsRefusesUs"), "AWS to take what others left")
    aws.aws_fails("access_denied", "BatchMeterUsage")
    aws.report(buyer)
    aws.seal_hour()
    aws.until(lambda: does_fire(aws, "AwsRefusesUs"), "the alarm that AWS refuses us", buyer)
    assert not does_fire(aws, "HourNearWindowEnd")
    aws.advance(timedelta(hours=20, minutes=30))
    aws.until(lambda: does_fire(aws, "HourNearWindowEnd"), "the alarm that the window closes", buyer)

    aws.aws_is_well()
    aws.assert_billed_exactly(buyer)
    for name in ("AwsRefusesUs", "HourNearWindowEnd"):
        aws.until(lambda name=name: not does_fire(aws, name), f"{name} to be over", buyer)


def test_usage_that_comes_after_the_final_hour(house: House) -> None:
    buyer = house.buy_active("legacy")
    house.begin_hour()
    used_at = house.now()
    house.report(buyer)
    house.end(buyer)
    earlier = scraped(house)
    assert not does_fire(house, "FinalHourMissed", earlier)
    house.report(buyer, at=used_at)
    house.until(lambda: does_fire(house, "FinalHourMissed", earlier), "the write-off to be seen", buyer)
    row = house.balance(buyer)
    assert (row["written_off"], row["balanced"]) == ("1.25", True)


def test_news_that_nobody_can_read(house: House) -> None:
    news = house.engine.queue(NEWS_QUEUE)
    letters = house.engine.queue(f"{NEWS_QUEUE}-dlq")
    lay_there = letters.depth()
    news.send("hello")
    house.until(lambda: letters.depth() > lay_there, "the message to be buried")
    # It is taken from the queue after that. A worker that was killed in between would bury it again.
    house.until(lambda: news.depth() == 0, "the message to be gone")
    # A worker counts at its start, and then each minute.
    house.stack.kill("notifications-worker")
    house.start("notifications-worker")
    house.until(lambda: does_fire(house, "DeadLetters"), "the alarm of the dead letters")
    letters.purge()
