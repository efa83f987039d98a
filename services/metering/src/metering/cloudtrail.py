"""CloudTrail's records of BatchMeterUsage: what AWS was told, and what it answered.

Two forms: a trail's log file, `{"Records": [event, ...]}`, and what `aws cloudtrail lookup-events` prints,
`{"Events": [{"CloudTrailEvent": "<event as text>"}, ...]}`. An event is as in AWS's example (AWS Marketplace
seller guide, "Logging AWS Marketplace Metering API calls with AWS CloudTrail"): names in lower camel case, a
record's timestamp as `Apr 19, 2018 4:32:50 PM`, in UTC. How newer members are written there
(`quantityAsDecimal`, `licenseArn`) is shown nowhere: names are compared without their case, and a timestamp
may be RFC 3339 or seconds since 1970 too.

CloudTrail delivers at least once: an event counts by its `eventID`. What is larger than it keeps, it leaves
out; then nothing is known of that call but that it was made.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from chassis.times import parse_rfc3339
from metering.evidence import (
    NO_ANSWER,
    UNPROCESSED,
    Calls,
    Meaning,
    NotEvidence,
    Party,
    Told,
    Unreadable,
    exact_micro,
    is_name,
    meaning_of,
    read_json,
)
from metering.hours import hour_of

EVENT_SOURCE, EVENT_NAME = "metering-marketplace.amazonaws.com", "BatchMeterUsage"

# Java's short form of a time; since Java 9 with a comma after the year, since Java 20 with a narrow space.
_JAVA = re.compile(r"([A-Z][a-z]{2}) (\d{1,2}), (\d{4}),? (\d{1,2}:\d{2}:\d{2}) ([AP]M)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MILLISECONDS = 10**11
"""Seconds since 1970 have fewer digits for the next three thousand years."""


def read_calls(text: str) -> Calls:
    """The calls of a file.

    Raises:
        NotEvidence: it is neither form.
    """
    try:
        document = read_json(text)
    except ValueError as error:
        raise NotEvidence(f"It is not JSON: {error}.") from None
    found = Calls()
    seen: set[str] = set()
    for place, event in _events(document):
        if isinstance(event, Unreadable):
            found.unreadable.append(event)
        elif not _is_call(event) or str(event.get("eventID")) in seen:
            found.passed_over += 1
        else:
            seen.add(str(event.get("eventID")))
            found.calls += 1
            _read_call(event, place, found)
    if document.get("NextToken") is not None:
        found.unreadable.append(Unreadable("/NextToken", "There are pages that are not in this file."))
    return found


def _events(document: Any) -> Iterator[tuple[str, Any]]:
    """Each event with its place, or what cannot be read."""
    if isinstance(document, dict) and isinstance(document.get("Records"), list):
        for number, event in enumerate(document["Records"]):
            place = f"/Records/{number}"
            yield place, event if isinstance(event, dict) else Unreadable(place, "It is no event.")
    elif isinstance(document, dict) and isinstance(document.get("Events"), list):
        for number, row in enumerate(document["Events"]):
            place = f"/Events/{number}/CloudTrailEvent"
            try:
                event = read_json(row["CloudTrailEvent"])
            except (ValueError, TypeError, KeyError):
                event = None
            yield place, event if isinstance(event, dict) else Unreadable(place, "It is no event as text.")
    else:
        raise NotEvidence('It has neither "Records" (a log file) nor "Events" (lookup-events).')


def _is_call(event: dict[str, Any]) -> bool:
    return event.get("eventSource") == EVENT_SOURCE and event.get("eventName") == EVENT_NAME


def _read_call(event: dict[str, Any], place: str, found: Calls) -> None:
    """Write down what one call says, and what of it cannot be read."""
    event_id, region, at = event.get("eventID"), event.get("awsRegion"), _time_or_none(event.get("eventTime"))
    if not is_name(event_id) or not is_name(region) or at is None:
        reason = "It lacks eventID, awsRegion or a readable eventTime."
        found.unreadable.append(Unreadable(place, reason, at))
        return
    error = event.get("errorCode")
    if error is not None and not is_name(error):
        found.unreadable.append(Unreadable(f"{place}/errorCode", "It is no name of an error.", at))
        return
    request = event.get("requestParameters")
    asked = request.get("usageRecords") if isinstance(request, dict) else None
    product_code = request.get("productCode") if isinstance(request, dict) else None
    product_code = product_code if is_name(product_code) else ""

    def unreadable(where: str, reason: str) -> None:
        found.unreadable.append(Unreadable(f"{place}{where}", reason, at))

    def tell(where: str, usage: Any, answer: str, record_id: str | None = None) -> Told | None:
        try:
            party, dimension, hour, quantity = _usage(usage, product_code)
        except ValueError as wrong:
            unreadable(where, f"It is no usage record: {wrong}.")
            return None
        told = Told(event_id, at, region, party, dimension, hour, quantity, answer, record_id)
        found.told.append(told)
        return told

    if not isinstance(asked, list):
        if error is None or meaning_of(error) is not Meaning.NOT_COUNTED:
            unreadable("/requestParameters", _left_out("the request", request))
        return
    if error is not None:
        for number, usage in enumerate(asked):
            tell(f"/requestParameters/usageRecords/{number}", usage, error)
        return
    answer = event.get("responseElements")
    results = answer.get("results") if isinstance(answer, dict) else None
    unprocessed = answer.get("unprocessedRecords") if isinstance(answer, dict) else None
    if not isinstance(results, list):
        unreadable("/responseElements", _left_out("the answer", answer))
    answered = []
    for number, result in enumerate(results if isinstance(results, list) else []):
        where = f"/responseElements/results/{number}"
        if not isinstance(result, dict) or not is_name(result.get("status")):
            unreadable(where, "It is no result.")
            continue
        record_id = result.get("meteringRecordId")
        record_id = record_id if is_name(record_id) else None
        answered.append(tell(f"{where}/usageRecord", result.get("usageRecord"), result["status"], record_id))
    for number, usage in enumerate(unprocessed if isinstance(unprocessed, list) else []):
        answered.append(tell(f"/responseElements/unprocessedRecords/{number}", usage, UNPROCESSED))
    slots = {(told.party, told.dimension, told.hour) for told in answered if told}
    for number, usage in enumerate(asked):
        where = f"/requestParameters/usageRecords/{number}"
        try:
            if _usage(usage, product_code)[:3] in slots:
                continue
        except ValueError:
            pass  # `tell` says so
        tell(where, usage, NO_ANSWER)


def _left_out(what: str, found: Any) -> str:
    """Of a call of whose request or answer nothing is there; CloudTrail's own reason, if it gives one."""
    reason = found.get("reason") if isinstance(found, dict) else None
    return f"CloudTrail has left out {what}{f': {reason}' if is_name(reason) else ''}."


def _usage(usage: Any, product_code: str) -> tuple[Party, str, str, int]:
    """Identity, dimension, hour and quantity of a usage record.

    Raises:
        ValueError: what is wrong with it.
    """
    if not isinstance(usage, dict):
        raise ValueError("it is no object")
    members = {name.lower(): value for name, value in usage.items()}

    def text(name: str) -> str:
        value = members.get(name)
        if value is not None and not is_name(value):
            raise ValueError(f"its {name} is no name")
        return value or ""

    license_arn = text("licensearn")
    party = Party(
        license_arn,
        "" if license_arn else product_code,
        text("customeridentifier"),
        text("customerawsaccountid"),
    )
    if not party.license_arn and not (party.customer_identifier or party.customer_aws_account_id):
        raise ValueError("it names nobody")
    if not text("dimension"):
        raise ValueError("it names no dimension")
    moment = _time_or_none(members.get("timestamp"))
    if moment is None:
        raise ValueError("its timestamp is of no form that is known")
    given = {
        exact_micro(members[name])
        for name in ("quantityasdecimal", "quantity")
        if members.get(name) is not None
    }
    if len(given) > 1:
        raise ValueError("it has two quantities")
    # Without any, AWS counts 0 (botocore 1.44.5, UsageRecord).
    return party, text("dimension"), hour_of(moment), given.pop() if given else 0


def _time_or_none(value: object) -> datetime | None:
    """A moment in one of the forms that CloudTrail may write it in."""
    try:
        if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
            java = _JAVA.fullmatch(re.sub(r"[\s\u202f]+", " ", value.strip()))
            if not java:
                return parse_rfc3339(value)
            return datetime.strptime(" ".join(java.groups()), "%b %d %Y %I:%M:%S %p").replace(tzinfo=UTC)
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            return None
        seconds = Decimal(value)
        whole = int(seconds / 1000 if seconds >= _FIRST_MILLISECONDS else seconds)
        return _EPOCH + timedelta(seconds=whole)
    except (ValueError, OverflowError, ArithmeticError):
        return None
