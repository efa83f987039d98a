"""A product reports, the service does what services do, and each event is counted once or told of."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY
from fake_metering import (
    FakeMetering,
    Gate,
    Request,
    Said,
    accept,
    at_most,
    hang_up,
    problem,
    refuse,
    say,
    take_and_hang_up,
)
from made_up import usage

from marketplane import BufferFull, Closed, InvalidEvent, NotAllSent, Stopped, UsageEvent, UsageReporter

Make = Callable[..., UsageReporter]
LONG = 60.0


def report(reporter: UsageReporter, *ids: str) -> None:
    for event_id in ids:
        reporter.report(**usage(id=event_id))


def test_what_is_reported_arrives(reporter: Make, metering: FakeMetering) -> None:
    one = reporter()
    said = one.report(**usage(quantity="1.5", tags={"team": "research"}))
    assert one.pending == 1
    one.flush(LONG)
    (request,) = metering.requests
    assert request.path == "/v1/usage-events"
    assert request.headers["x-api-key"] == KEY
    assert request.headers["content-type"] == "application/json"
    assert request.events == [said.members]
    assert request.events[0] == {
        "source": "test",
        "id": said.id,
        "subscription_id": "sub_akqbclolnbr5rol2aljugptsbj",
        "dimension": "gpu_hours",
        "quantity": "1.5",
        "time": "2026-11-22T10:15:00.000000Z",
        "tags": {"team": "research"},
    }
    assert one.pending == 0


def test_now_is_the_time_of_use_where_none_is_given(reporter: Make, metering: FakeMetering) -> None:
    one = reporter(now=lambda: datetime(2026, 11, 22, 9, 0, 1, tzinfo=UTC))
    one.report(**usage(time=None))
    one.flush(LONG)
    assert metering.requests[0].events[0]["time"] == "2026-11-22T09:00:01.000000Z"


def test_it_is_sent_without_being_asked(reporter: Make, metering: FakeMetering) -> None:
    one = reporter(flush_interval=0.001)
    report(one, "e1")
    metering.until(lambda: metering.taken_ids == ["e1"])


def test_a_full_batch_does_not_wait_for_company(reporter: Make, metering: FakeMetering) -> None:
    one = reporter()
    report(one, *(f"e{number}" for number in range(1001)))
    metering.until(lambda: len(metering.taken) == 1000)
    assert [len(request.events) for request in metering.requests] == [1000]


def test_the_token_is_asked_for_each_time(reporter: Make, metering: FakeMetering) -> None:
    tokens = iter(["first", "second"])
    metering.script.append(say(503))
    one = reporter(api_key=None, token=lambda: next(tokens))
    report(one, "e1")
    one.flush(LONG)
    sent = [request.headers["authorization"] for request in metering.requests]
    assert sent == ["Bearer first", "Bearer second"]
    assert not any("x-api-key" in request.headers for request in metering.requests)


def test_whoever_gives_tokens_may_be_away(
    reporter: Make, metering: FakeMetering, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[Any] = [OSError("away"), "secret\n", "token"]

    def token() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    one = reporter(api_key=None, token=token)
    report(one, "e1")
    with caplog.at_level(logging.DEBUG):
        one.flush(LONG)
    assert metering.taken_ids == ["e1"]
    assert len(pauses) == 2
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    "trouble", [say(500), say(503), say(429), hang_up, take_and_hang_up, say(202, b"<html>"), say(200, {})]
)
def test_the_same_again_and_counted_once(
    reporter: Make, metering: FakeMetering, pauses: list[float], trouble: Any
) -> None:
    metering.script.extend([trouble, trouble, accept])
    one = reporter()
    report(one, "e1", "e2")
    one.flush(LONG)
    assert metering.taken_ids == ["e1", "e2"]
    assert len(metering.requests) == 3
    assert len({request.body for request in metering.requests}) == 1
    assert pauses == [0.5, 1.0]


def test_nobody_is_there_for_a_while(metering: FakeMetering) -> None:
    """Each try meets a closed port, until the service is up again."""
    url, gone = metering.url, FakeMetering()
    gone.close()
    tried: list[float] = []

    def pause(seconds: float) -> None:
        tried.append(seconds)
        if len(tried) == 3:
            one._connection._url = f"{url}/v1/usage-events"

    one = UsageReporter(gone.url, api_key=KEY, source="test", pause=pause)
    report(one, "e1")
    one.close(LONG)
    assert metering.taken_ids == ["e1"]
    assert len(tried) == 3


def test_retry_after_is_honoured(reporter: Make, metering: FakeMetering, pauses: list[float]) -> None:
    metering.script.extend(
        [say(429, Retry_After="7"), say(503, Retry_After="Sun, 22 Nov 2026 10:00:30 GMT"), accept]
    )
    one = reporter(now=lambda: datetime(2026, 11, 22, 10, 0, tzinfo=UTC))
    report(one, "e1")
    one.flush(LONG)
    assert pauses == [7.5, 30.5]


def test_refused_events_are_told_of_and_never_sent_again(reporter: Make, metering: FakeMetering) -> None:
    told: list[tuple[str, str, str]] = []

    def on_refused(event: UsageEvent, reason: str, detail: str) -> None:
        told.append((event.id, reason, detail))

    metering.script.extend([refuse("e2"), refuse("e4")])
    one = reporter(on_refused=on_refused)
    report(one, "e1", "e2", "e3")
    one.flush(LONG)
    report(one, "e4")  # alone, so the whole batch is refused
    one.flush(LONG)
    report(one, "e5")
    one.flush(LONG)
    assert metering.taken_ids == ["e1", "e3", "e5"]
    why = ("unknown_dimension", "There is no such dimension.")
    assert told == [("e2", *why), ("e4", *why)]
    assert [request.ids for request in metering.requests] == [["e1", "e2", "e3"], ["e4"], ["e5"]]


def test_a_refusal_is_logged_without_what_is_nobodys_business(
    reporter: Make, metering: FakeMetering, caplog: pytest.LogCaptureFixture
) -> None:
    metering.script.append(refuse("e1", detail="ada@company.example is no dimension"))
    one = reporter()
    one.report(**usage(id="e1", dimension="ada@company.example", tags={"who": "ada@company.example"}))
    with caplog.at_level(logging.DEBUG):
        one.flush(LONG)
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert errors == ["Usage event e1 of test was refused (unknown_dimension) and will not be billed."]
    assert "ada@" not in caplog.text
    assert KEY not in caplog.text


def test_a_callback_that_fails_harms_nothing(reporter: Make, metering: FakeMetering) -> None:
    def on_refused(*_: Any) -> None:
        raise RuntimeError("a defect of the product's")

    metering.script.append(refuse("e1"))
    one = reporter(on_refused=on_refused)
    report(one, "e1", "e2")
    one.flush(LONG)
    report(one, "e3")
    one.flush(LONG)
    assert metering.taken_ids == ["e2", "e3"]


def test_what_is_too_large_is_halved(reporter: Make, metering: FakeMetering) -> None:
    metering.otherwise = at_most(2)
    one = reporter()
    report(one, "e0", "e1", "e2", "e3", "e4")
    one.flush(LONG)
    assert [request.ids for request in metering.requests] == [
        ["e0", "e1", "e2", "e3", "e4"],
        ["e0", "e1"],
        ["e2", "e3", "e4"],
        ["e2"],
        ["e3", "e4"],
    ]
    assert metering.taken_ids == ["e0", "e1", "e2", "e3", "e4"]


@pytest.mark.parametrize("status", [401, 403, 404, 307])
def test_stops_where_a_person_must_act_and_loses_nothing(
    reporter: Make, metering: FakeMetering, status: int
) -> None:
    metering.script.append(say(status, Location="/elsewhere"))
    one = reporter()
    report(one, "e1", "e2")
    with pytest.raises(Stopped, match=str(status)):
        one.flush(LONG)
    with pytest.raises(Stopped, match=str(status)):
        report(one, "e3")
    assert len(metering.requests) == 1
    assert [event.id for event in one.unsent()] == ["e1", "e2"]
    one.resume()
    report(one, "e4")
    one.flush(LONG)
    assert metering.taken_ids == ["e1", "e2", "e4"]


def test_what_was_on_its_way_is_kept_before_what_waits(reporter: Make, metering: FakeMetering) -> None:
    gate = Gate(then=say(401))
    metering.script.append(gate)
    one = reporter()
    report(one, *(f"e{number}" for number in range(1000)))
    metering.until(lambda: len(metering.requests) == 1)
    report(one, "e1000")
    gate.open()
    with pytest.raises(Stopped):
        one.flush(LONG)
    assert [event.id for event in one.unsent()] == [f"e{number}" for number in range(1001)]


def test_stopped_in_the_midst_of_a_halved_batch(reporter: Make, metering: FakeMetering) -> None:
    metering.script.extend([problem(413, "too-large"), accept, say(401)])
    one = reporter()
    report(one, "e0", "e1", "e2", "e3")
    with pytest.raises(Stopped):
        one.flush(LONG)
    assert [event.id for event in one.unsent()] == ["e2", "e3"]
    assert one.pending == 2
    one.resume()
    one.flush(LONG)
    assert [request.ids for request in metering.requests][2:] == [["e2", "e3"], ["e2", "e3"]]


def test_a_bound_of_tries_that_the_caller_sets(reporter: Make, metering: FakeMetering) -> None:
    metering.otherwise = say(503)
    one = reporter(give_up_after=0.0)
    report(one, "e1")
    with pytest.raises(Stopped, match="503"):
        one.flush(LONG)
    assert [event.id for event in one.unsent()] == ["e1"]


def test_a_defect_in_the_sending_thread_is_told(
    reporter: Make, metering: FakeMetering, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = reporter()

    def broken(body: bytes) -> Any:
        raise KeyError("a defect")

    monkeypatch.setattr(one._sender, "_post", broken)
    report(one, "e1")
    with pytest.raises(Stopped, match="KeyError"):
        one.flush(LONG)
    assert [event.id for event in one.unsent()] == ["e1"]


def test_when_it_is_full_it_says_so_at_once_if_asked(reporter: Make, metering: FakeMetering) -> None:
    gate = Gate()
    metering.otherwise = gate
    one = reporter(capacity=3, full_timeout=0, flush_interval=0)
    report(one, "e1")
    metering.until(lambda: len(metering.requests) == 1)
    report(one, "e2", "e3")  # what is on its way counts too
    with pytest.raises(BufferFull, match="3 events"):
        report(one, "e4")
    gate.open()
    one.flush(LONG)
    report(one, "e4")
    one.flush(LONG)
    assert metering.taken_ids == ["e1", "e2", "e3", "e4"]


def test_when_it_is_full_it_waits_for_room(reporter: Make, metering: FakeMetering) -> None:
    gate = Gate()
    metering.otherwise = gate
    one = reporter(capacity=1, full_timeout=None, flush_interval=0)
    report(one, "e1")
    metering.until(lambda: len(metering.requests) == 1)
    waiting, through = threading.Event(), threading.Event()

    def product() -> None:
        waiting.set()
        report(one, "e2")
        through.set()

    thread = threading.Thread(target=product)
    thread.start()
    assert waiting.wait(LONG)
    assert not through.is_set()
    assert len(metering.requests) == 1
    gate.open()
    assert through.wait(LONG)
    thread.join()
    one.flush(LONG)
    assert metering.taken_ids == ["e1", "e2"]


def test_who_waits_for_room_hears_that_it_stopped(reporter: Make, metering: FakeMetering) -> None:
    gate = Gate(then=say(401))
    metering.otherwise = gate
    one = reporter(capacity=1, full_timeout=None, flush_interval=0)
    report(one, "e1")
    metering.until(lambda: len(metering.requests) == 1)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(report, one, "e2")
        gate.open()
        with pytest.raises(Stopped):
            waits.result(LONG)


def test_several_requests_may_be_on_their_way(reporter: Make, metering: FakeMetering) -> None:
    gate = Gate()
    metering.otherwise = gate
    one = reporter(in_flight=3, flush_interval=0)
    for number in range(3):
        report(one, f"e{number}")
        metering.until(lambda number=number: len(metering.requests) == number + 1)
    gate.open()
    one.flush(LONG)
    assert sorted(metering.taken_ids) == ["e0", "e1", "e2"]


def test_one_request_at_a_time_unless_asked(reporter: Make, metering: FakeMetering) -> None:
    gate = Gate()
    metering.script.append(gate)
    one = reporter(flush_interval=0)
    report(one, "e0")
    metering.until(lambda: len(metering.requests) == 1)
    report(one, "e1", "e2")
    gate.open()
    one.flush(LONG)
    assert [request.ids for request in metering.requests] == [["e0"], ["e1", "e2"]]


def test_many_threads_report_and_each_event_is_counted_once(reporter: Make, metering: FakeMetering) -> None:
    seen = 0

    def shaky(fake: FakeMetering, request: Request) -> Said:
        nonlocal seen
        seen += 1
        acts = [accept, take_and_hang_up, say(503), hang_up]
        return acts[seen % len(acts)](fake, request)

    metering.otherwise = shaky
    one = reporter(capacity=50, full_timeout=None, in_flight=3, flush_interval=0)
    with ThreadPoolExecutor(8) as pool:
        for done in [
            pool.submit(report, one, *(f"{thread}-{number}" for number in range(100))) for thread in range(8)
        ]:
            done.result(LONG)
    one.flush(LONG)
    assert len(metering.taken) == 800
    assert one.pending == 0


def test_what_cannot_be_sent_is_not_taken(reporter: Make) -> None:
    one = reporter()
    with pytest.raises(InvalidEvent, match="not a float"):
        one.report(**usage(quantity=0.1))
    with pytest.raises(InvalidEvent, match="zone"):
        one.report(**usage(time=datetime(2026, 1, 1)))  # noqa: DTZ001
    assert one.pending == 0


def test_flush_says_what_is_left_when_its_time_is_over(reporter: Make, metering: FakeMetering) -> None:
    gate = Gate()
    metering.otherwise = gate
    one = reporter()
    report(one, "e1", "e2")
    with pytest.raises(NotAllSent, match="2 events") as caught:
        one.flush(0)
    assert caught.value.count == 2
    gate.open()
    one.flush(LONG)
    assert metering.taken_ids == ["e1", "e2"]


def test_closing_sends_the_rest(reporter: Make, metering: FakeMetering) -> None:
    with reporter() as one:
        report(one, "e1")
    assert metering.taken_ids == ["e1"]
    with pytest.raises(Closed):
        report(one, "e2")
    one.close()


def test_closing_ends_the_tries(reporter: Make, metering: FakeMetering) -> None:
    metering.otherwise = say(503)
    one = reporter()
    report(one, "e1")
    with pytest.raises(NotAllSent):
        one.close(0)
    for thread in one._threads:
        thread.join(LONG)
    assert [event.id for event in one.unsent()] == ["e1"]
    with pytest.raises(NotAllSent):
        one.flush()


def test_leaving_the_block_tells_of_unsent_events(metering: FakeMetering) -> None:
    metering.otherwise = say(401)
    with pytest.raises(Stopped), UsageReporter(metering.url, api_key=KEY, source="test") as one:
        report(one, "e1")


def test_the_callers_own_error_is_the_one_that_is_seen(metering: FakeMetering) -> None:
    metering.otherwise = say(401)

    def product() -> None:
        with UsageReporter(metering.url, api_key=KEY, source="test") as one:
            report(one, "e1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        product()


@pytest.mark.parametrize(
    ("url", "more", "said"),
    [
        ("ftp://metering", {}, "http"),
        ("metering.example", {}, "http"),
        ("https://metering.example/?x=1", {}, "no more than a path"),
        ("https://user:secret@metering.example", {}, "do not belong into the address"),
        ("https://metering.example", {"api_key": None}, "or a function"),
        ("https://metering.example", {"token": lambda: "t"}, "or a function"),
        ("https://metering.example", {"api_key": ""}, "empty"),
        ("https://metering.example", {"api_key": KEY + "\n"}, "line break"),
        ("https://metering.example", {"capacity": 0}, "1 or more"),
        ("https://metering.example", {"in_flight": 0}, "1 or more"),
    ],
)
def test_settings_that_make_no_sense(url: str, more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        UsageReporter(url, **{"api_key": KEY, "source": "test"} | more)
    assert KEY not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_disk_has_an_event_before_it_is_sent(
    reporter: Callable[..., UsageReporter],
    metering: FakeMetering,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            order.append("on disk")
        fsync(descriptor)

    def taken(fake: FakeMetering, request: Request) -> Said:
        order.append("sent")
        return accept(fake, request)

    monkeypatch.setattr(os, "fsync", noted)
    metering.otherwise = taken
    reports = reporter(spool=tmp_path / "spool")
    reports.report(**usage())
    reports.flush(60)
    assert order == ["on disk", "sent"]
