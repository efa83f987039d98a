"""CloudTrail's log file about what AWS was told, made of the calls that the simulator had, and of its bill.

Where a call's answer was lost after the commit, CloudTrail has the answer nevertheless; a call that never
arrived it has not.
"""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

from tests.journeys.house import House

ARRIVED_WITHOUT_AN_ANSWER = "connection_reset_after_commit"


def log_file(house: House) -> bytes:
    """As a trail delivers it: packed."""
    bill = house.aws_bill()
    calls = [one for one in house.calls("BatchMeterUsage") if one["status"] or _was_counted(one)]
    return gzip.compress(json.dumps({"Records": [_event(one, bill) for one in calls]}).encode())


def _was_counted(call: dict[str, Any]) -> bool:
    return bool(call["fault"] == ARRIVED_WITHOUT_AN_ANSWER)


def _event(call: dict[str, Any], bill: list[dict[str, Any]]) -> dict[str, Any]:
    answer = call["answer"]
    if _was_counted(call):
        answer = {"Results": [_result(usage, bill) for usage in call["request"]["UsageRecords"]]}
    refused = {"errorCode": answer["__type"]} if "__type" in answer else {}
    return {
        "eventID": call["request_id"],
        "eventTime": call["at"],
        "eventSource": "metering-marketplace.amazonaws.com",
        "eventName": "BatchMeterUsage",
        "awsRegion": call["region"],
        "requestParameters": _lower(call["request"]),
        "responseElements": None if refused else _lower(answer),
        **refused,
    }


def _result(usage: dict[str, Any], bill: list[dict[str, Any]]) -> dict[str, Any]:
    """What AWS has of a record in its books."""
    who = usage.get("LicenseArn") or usage["CustomerIdentifier"]
    hour = _moment(usage["Timestamp"]).strftime("%Y-%m-%dT%H")
    (counted,) = [
        one
        for one in bill
        if who in (one["license_arn"], one["customer_identifier"])
        and (one["dimension"], one["hour"][:13]) == (usage["Dimension"], hour)
    ]
    return {"UsageRecord": usage, "MeteringRecordId": counted["metering_record_id"], "Status": "Success"}


def _lower(value: Any) -> Any:
    """Names as CloudTrail writes them, in lower camel case, and a timestamp as its own example has it."""
    if isinstance(value, list):
        return [_lower(one) for one in value]
    if not isinstance(value, dict):
        return value
    named = {name[0].lower() + name[1:]: _lower(one) for name, one in value.items()}
    if "timestamp" in named:
        moment = _moment(named["timestamp"])
        named["timestamp"] = moment.strftime(f"%b {moment.day}, %Y {moment.hour % 12 or 12}:%M:%S %p")
    return named


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
