"""A batch is sent until all of it is decided: the same bytes, in order, halved where it is too large."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from made_up import events

from marketplane import Stopped
from marketplane.answers import Answer
from marketplane.connection import NoAnswer
from marketplane.retry import Backoff
from marketplane.sender import Sender, ToldToStop

ACCEPT = object()


class Service:
    """Answers from a list; time passes only in pauses."""

    def __init__(self, answers: Iterable[Any], stop_after: int | None = None, **settings: Any) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self.pauses: list[float] = []
        self.stop_after = stop_after
        self.sender = Sender(
            self.post,
            self.pause,
            backoff=Backoff(base=1.0, cap=64.0, draw=lambda most: most),
            now=lambda: datetime(2026, 11, 22, 10, 0, tzinfo=UTC),
            monotonic=lambda: sum(self.pauses),
            **settings,
        )

    def post(self, body: bytes) -> Answer:
        self.bodies.append(body)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if answer is ACCEPT:
            count = len(json.loads(body)["events"])
            return Answer(202, json.dumps({"accepted": count, "refused": []}).encode())
        return answer if isinstance(answer, Answer) else Answer(answer)

    def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return len(self.pauses) == self.stop_after

    @property
    def asked(self) -> list[list[str]]:
        return [[event["id"] for event in json.loads(body)["events"]] for body in self.bodies]


def test_the_same_body_until_it_is_taken() -> None:
    service = Service([NoAnswer("hung up"), 503, 429, 500, Answer(202, b"?"), ACCEPT])
    batch = events(3)
    (decided,) = service.sender.send(batch)
    assert decided.events == batch
    assert not decided.refused
    assert len(service.bodies) == 6
    assert len(set(service.bodies)) == 1
    assert service.pauses == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_retry_after_is_honoured() -> None:
    dated = Answer(503, headers={"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT"})
    service = Service([Answer(429, headers={"retry-after": "7"}), dated, ACCEPT])
    list(service.sender.send(events(1)))
    assert service.pauses == [8.0, 31.0]


def test_halved_in_order_first_half_first() -> None:
    service = Service([413, 413, ACCEPT, ACCEPT, 413, ACCEPT, 413, ACCEPT, ACCEPT])
    decided = list(service.sender.send(events(5)))
    assert service.asked == [
        ["e0", "e1", "e2", "e3", "e4"],
        ["e0", "e1"],
        ["e0"],
        ["e1"],
        ["e2", "e3", "e4"],
        ["e2"],
        ["e3", "e4"],
        ["e3"],
        ["e4"],
    ]
    assert [event.id for part in decided for event in part.events] == ["e0", "e1", "e2", "e3", "e4"]
    assert service.pauses == []


def test_what_is_too_large_alone_is_refused() -> None:
    service = Service([413, 413, ACCEPT])
    first, second = service.sender.send(events(2))
    assert first.refused[0].reason == "too_large"
    assert not second.refused


def test_a_request_that_does_not_fit_is_narrowed_down_to_the_event() -> None:
    bad = Answer(400, b'{"type": "https://marketplane.dev/problems/invalid-request"}')
    service = Service([bad, ACCEPT, bad])
    first, second = service.sender.send(events(2))
    assert not first.refused
    assert second.refused[0].reason == "invalid_event"


def test_a_person_must_act() -> None:
    service = Service([503, 401])
    with pytest.raises(Stopped, match="401"):
        list(service.sender.send(events(1)))


def test_what_was_decided_before_is_known() -> None:
    service = Service([413, ACCEPT, 403])
    sent = service.sender.send(events(4))
    assert [event.id for event in next(sent).events] == ["e0", "e1"]
    with pytest.raises(Stopped, match="403"):
        next(sent)


def test_given_up_when_the_caller_says_so() -> None:
    service = Service([503] * 9, give_up_after=10.0)
    with pytest.raises(Stopped, match="for 7 s; the last try: 503"):
        list(service.sender.send(events(1)))
    assert service.pauses == [1.0, 2.0, 4.0]


def test_each_request_has_the_time_that_the_caller_allows() -> None:
    service = Service([413, 503, 503, ACCEPT, 503, 503, ACCEPT], give_up_after=4.0)
    assert len(list(service.sender.send(events(2)))) == 2


def test_it_ends_between_two_tries() -> None:
    service = Service([503] * 9, stop_after=2)
    with pytest.raises(ToldToStop):
        list(service.sender.send(events(1)))
    assert len(service.bodies) == 2
