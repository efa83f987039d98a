"""Errors as RFC 9457 problem documents, with the headers that the contracts promise."""

import json

from chassis.problems import NotFound, Problem, Unavailable, answer


def test_a_problem_document_has_what_is_known_and_no_more() -> None:
    bare = answer(Problem(409, "conflict", "The state of things forbids it."))
    assert json.loads(bare.body) == {
        "type": "https://marketplane.dev/problems/conflict",
        "title": "The state of things forbids it.",
        "status": 409,
    }
    assert (bare.status_code, bare.mimetype) == (409, "application/problem+json")
    errors = [{"in": "body", "path": "/a", "reason": "wrong"}]
    full = answer(Problem(400, "x", "X.", "Because.", errors=errors, claimed_by="you"), "r-1")
    assert json.loads(full.body) == {
        "type": "https://marketplane.dev/problems/x",
        "title": "X.",
        "status": 400,
        "detail": "Because.",
        "instance": "r-1",
        "errors": errors,
        "claimed_by": "you",
    }


def test_the_promised_headers_are_there_whoever_raises_it() -> None:
    assert answer(Problem(503, "unavailable", "Away.")).headers["Retry-After"] == "5"
    assert answer(Problem(503, "unavailable", "Away.", retry_after=0)).headers["Retry-After"] == "0"
    assert answer(Unavailable("The shelf.", retry_after=9, part="shelf")).headers["Retry-After"] == "9"
    assert answer(Problem(401, "unauthorized", "No.")).headers["WWW-Authenticate"] == "Bearer"
    own = Problem(401, "unauthorized", "No.", headers={"WWW-Authenticate": "Basic"})
    assert answer(own).headers["WWW-Authenticate"] == "Basic"
    assert "Retry-After" not in answer(NotFound()).headers


def test_one_problem_does_not_change_the_headers_of_another() -> None:
    shared = {"X-Mine": "1"}
    Problem(503, "unavailable", "Away.", headers=shared)
    assert shared == {"X-Mine": "1"}
