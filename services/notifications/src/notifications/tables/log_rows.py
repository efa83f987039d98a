"""The bridge between the rows of the log and its entries.

A row's text is one line of JSON, and for each event of webhooks, its body to the letter in a line of its own:
JSON as we write it has no line breaks. The line has `cause`, `name` and `event_time`; the `fact`, without
what is null and what it shares with its cause; the `changes` of each subscription, without what is null in
them; `signals` as they are sent; and the ids of the `events`.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

import orjson

from chassis import tracing
from chassis.times import parse_rfc3339, rfc3339
from notifications.history import Cause, CauseKind, Happening
from notifications.news import Facts, Generation, Kind, News
from notifications.subject_log import LogEntry
from notifications.tables.models import LogRow
from notifications.tables.packing import pack, unpack
from notifications.webhook_events import of_body

_FACTS = [field.name for field in fields(Facts)]
_TIMES = frozenset({"accepted_at", "starts_at", "ends_at"})


def log_row(entry: LogEntry) -> LogRow:
    return LogRow(
        subject=entry.subject,
        number=entry.number,
        recorded_at=entry.recorded_at,
        notification_id=entry.cause.notification_id,
        packed=pack("\n".join([_json(_head(entry)), *(event.body for event in entry.events)])),
        untold_since=entry.recorded_at if entry.tells else None,
        traceparent=tracing.traceparent() if entry.tells else None,
    )


def log_entry(row: LogRow) -> LogEntry:
    line, *bodies = unpack(row.packed).split("\n")
    head = orjson.loads(line)
    cause = _cause(row, head)
    return LogEntry(
        subject=row.subject,
        number=int(row.number),
        recorded_at=row.recorded_at,
        cause=cause,
        fact=_fact(row.subject, head["fact"], cause) if "fact" in head else None,
        happenings=tuple(
            Happening(
                one["subscription_id"],
                one["version"],
                row.recorded_at,
                cause,
                [{"before": None, "after": None} | change for change in one["changes"]],
            )
            for one in head.get("changes", ())
        ),
        signals=tuple(head.get("signals", ())),
        events=tuple(
            of_body(event_id, body) for event_id, body in zip(head.get("events", ()), bodies, strict=True)
        ),
    )


def fact_of(row: LogRow) -> News | None:
    """Only the fact of an entry: what decisions rest on."""
    head = orjson.loads(unpack(row.packed).partition("\n")[0])
    return _fact(row.subject, head["fact"], _cause(row, head)) if "fact" in head else None


def _cause(row: LogRow, head: Mapping[str, Any]) -> Cause:
    return Cause(
        CauseKind(head["cause"]), row.notification_id, head.get("name"), _moment(head.get("event_time"))
    )


def _head(entry: LogEntry) -> dict[str, Any]:
    cause = entry.cause
    head = {
        "cause": cause.kind.value,
        "name": cause.name,
        "event_time": cause.event_time and rfc3339(cause.event_time),
        "fact": entry.fact and _said(entry.fact, cause),
        "changes": [
            {
                "subscription_id": one.subscription_id,
                "version": one.version,
                "changes": [_without_null(change) for change in one.changes],
            }
            for one in entry.happenings
        ],
        "signals": list(entry.signals),
        "events": [event.event_id for event in entry.events],
    }
    return {name: value for name, value in head.items() if value}


def _said(fact: News, cause: Cause) -> dict[str, Any]:
    # What another agreement's older news says of this one is learnt by the news that names them both.
    by_other = fact.notification_id != cause.notification_id
    facts = {name: getattr(fact.facts, name) for name in _FACTS}
    return _without_null(
        {
            "kind": fact.kind.value,
            "generation": fact.generation.value,
            "notification_id": fact.notification_id if by_other else None,
            "event_time": rfc3339(fact.event_time) if by_other else None,
            **{name: rfc3339(one) if isinstance(one, datetime) else one for name, one in facts.items()},
            "notice": fact.notice if fact.notice is None else dict(fact.notice),
        }
    )


def _fact(subject: str, said: Mapping[str, Any], cause: Cause) -> News:
    notification_id = said.get("notification_id", cause.notification_id)
    event_time = _moment(said.get("event_time")) or cause.event_time
    assert event_time is not None
    facts = {name: said[name] for name in _FACTS if name in said}
    return News(
        notification_id=notification_id,
        kind=Kind(said["kind"]),
        generation=Generation(said["generation"]),
        event_time=event_time,
        subject=subject,
        facts=Facts(**facts | {name: _moment(facts[name]) for name in _TIMES & facts.keys()}),
        notice=said.get("notice"),
    )


def _without_null(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_rfc3339(text)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
