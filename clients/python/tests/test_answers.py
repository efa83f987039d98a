"""What an answer means: only one that adds up acknowledges anything."""

from __future__ import annotations

import json
from typing import Any

import pytest

from marketplane.answers import Again, Answer, Divide, ForAPerson, Refusal, Taken, meaning

PROBLEMS = "https://marketplane.dev/problems/"


def refused(*places: int) -> list[dict[str, Any]]:
    return [
        {"index": place, "reason": "too_old", "detail": "It is old.", "path": f"/events/{place}"}
        for place in places
    ]


def answer(status: int, document: Any) -> Answer:
    return Answer(status, json.dumps(document).encode())


def test_accepted_as_a_whole() -> None:
    assert meaning(answer(202, {"accepted": 3, "refused": []}), 3) == Taken({})


def test_accepted_in_part() -> None:
    found = meaning(answer(207, {"accepted": 2, "refused": refused(1)}), 3)
    assert found == Taken({1: Refusal("too_old", "It is old.")})


def test_refused_as_a_whole() -> None:
    found = meaning(answer(400, {"type": PROBLEMS + "no-event-accepted", "refused": refused(1, 0)}), 2)
    assert found == Taken(dict.fromkeys((0, 1), Refusal("too_old", "It is old.")))


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (202, {"accepted": 2, "refused": []}),
        (202, {"accepted": 3}),
        (202, []),
        (202, {"accepted": 3, "refused": refused(0)}),
        (207, {"accepted": 2, "refused": refused(3)}),
        (207, {"accepted": 2, "refused": refused(-1)}),
        (207, {"accepted": 1, "refused": refused(1, 1)}),
        (207, {"accepted": 2, "refused": [{"index": True}]}),
        (207, {"accepted": 2, "refused": ["?"]}),
        (400, {"type": PROBLEMS + "no-event-accepted", "refused": refused(0, 1)}),
        (400, {"type": PROBLEMS + "no-event-accepted"}),
        (200, {"accepted": 3, "refused": []}),
        (204, None),
        (408, None),
        (425, None),
        (429, None),
        (500, None),
        (502, None),
        (503, None),
        (599, None),
    ],
)
def test_whatever_else_may_pass_is_asked_again(status: int, document: Any) -> None:
    assert isinstance(meaning(answer(status, document), 3), Again)


def test_a_body_that_is_no_json_acknowledges_nothing() -> None:
    assert isinstance(meaning(Answer(202, b"<html>Welcome to the hotel"), 1), Again)


def test_too_much_at_once_is_divided() -> None:
    assert meaning(Answer(413), 2) == Divide(
        Refusal("too_large", "The service takes no request as large as this one event.")
    )
    found = meaning(answer(400, {"type": PROBLEMS + "invalid-request"}), 2)
    assert isinstance(found, Divide)
    assert found.alone.reason == "invalid_event"


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 405, 415, 418])
def test_what_only_a_person_can_mend(status: int) -> None:
    found = meaning(Answer(status, b"<html>"), 1)
    assert isinstance(found, ForAPerson)
    assert str(status) in found.why
