"""What an answer means for the batch that was sent.

Only an answer that adds up acknowledges anything: a status alone may come from something in between.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

AGAIN = frozenset({408, 425, 429})


@dataclass(frozen=True)
class Answer:
    """As it came over the wire."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case names."""


@dataclass(frozen=True)
class Refusal:
    reason: str
    detail: str


@dataclass(frozen=True)
class Taken:
    """All is decided: what is not refused is durable.

    Attributes:
        refused: by the place in the batch.
    """

    refused: Mapping[int, Refusal] = field(default_factory=dict)


@dataclass(frozen=True)
class Again:
    """Nobody knows, or not now: the same batch has to be sent again."""

    why: str


@dataclass(frozen=True)
class Divide:
    """Nothing was done, and smaller batches may do better.

    Attributes:
        alone: what it means where the batch is one event already.
    """

    alone: Refusal


@dataclass(frozen=True)
class ForAPerson:
    """Nothing was done, and nothing will be until somebody acts."""

    why: str


Meaning = Taken | Again | Divide | ForAPerson


def meaning(answer: Answer, count: int) -> Meaning:
    """
    Args:
        answer: the service's, or of something before it.
        count: how many events were sent.
    """
    status = answer.status
    if status in (202, 207):
        refused = _refused(answer, count)
        return Again(f"{status}, but its body does not add up") if refused is None else Taken(refused)
    if status == 413:
        return Divide(Refusal("too_large", "The service takes no request as large as this one event."))
    if status == 400:
        return _bad_request(answer, count)
    if status in AGAIN or status >= 500:
        return Again(str(status))
    if status in (401, 403):
        return ForAPerson(f"The service answered {status}: the credentials are missing, wrong or not enough.")
    if status < 300:
        # Of something that takes everything, such as a portal in between.
        return Again(f"{status}, which metering never answers")
    return ForAPerson(f"The service answered {status}: this is not the address of a metering service.")


def _bad_request(answer: Answer, count: int) -> Meaning:
    problem = _document(answer)
    match str(problem.get("type", "")).rpartition("/")[2]:
        case "no-event-accepted":
            refused = _refusals(problem.get("refused"), count)
            if refused is not None and len(refused) == count:
                return Taken(refused)
            return Again("400, but its body does not add up")
        case "invalid-request":
            return Divide(
                Refusal("invalid_event", "The request with this one event does not fit the contract.")
            )
    return ForAPerson("The service answered 400, without naming an event: is the address right?")


def _refused(answer: Answer, count: int) -> dict[int, Refusal] | None:
    document = _document(answer)
    refused = _refusals(document.get("refused"), count)
    if refused is None or document.get("accepted") != count - len(refused):
        return None
    return refused


def _refusals(rows: Any, count: int) -> dict[int, Refusal] | None:
    if not isinstance(rows, list):
        return None
    found: dict[int, Refusal] = {}
    for row in rows:
        index = row.get("index") if isinstance(row, dict) else None
        if type(index) is not int or not 0 <= index < count or index in found:
            return None
        found[index] = Refusal(str(row.get("reason", "")), str(row.get("detail", "")))
    return found


def _document(answer: Answer) -> dict[str, Any]:
    try:
        document = json.loads(answer.body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
