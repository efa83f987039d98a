"""CloudTrail's files about what the shelf was told, as AWS writes them."""

import json
from datetime import UTC, datetime
from typing import Any

from shelf_marketplace import ShelfMarketplace

REGION = "us-east-1"


def java_time(seconds: float) -> str:
    """As CloudTrail writes a record's timestamp: `Apr 19, 2018 4:32:50 PM`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime(f"%b {moment.day}, %Y {moment.hour % 12 or 12}:%M:%S %p")


def lower(value: Any) -> Any:
    """Names as CloudTrail writes them, in lower camel case."""
    if isinstance(value, list):
        return [lower(one) for one in value]
    if not isinstance(value, dict):
        return value
    named = {name[0].lower() + name[1:]: lower(one) for name, one in value.items()}
    if "timestamp" in named:
        named["timestamp"] = java_time(named["timestamp"])
    return named


def event(at: datetime, request: Any, answer: Any, event_id: str, region: str = REGION) -> dict[str, Any]:
    """One event; an answer that is text is the name of an error."""
    refused = isinstance(answer, str)
    return {
        "eventVersion": "1.05",
        "userIdentity": {"type": "IAMUser", "accountId": "123456789012", "userName": "Alice"},
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "metering-marketplace.amazonaws.com",
        "eventName": "BatchMeterUsage",
        "awsRegion": region,
        "sourceIPAddress": "203.0.113.1",
        "userAgent": "Boto3/1.44.5",
        **({"errorCode": answer, "errorMessage": "As the test wishes."} if refused else {}),
        "requestParameters": lower(request),
        "responseElements": None if refused else lower(answer),
        "requestID": "d45f8acd-251d-11e7-8d11-1f3d1d72808b",
        "eventID": event_id,
        "readOnly": False,
        "eventType": "AwsApiCall",
        "recipientAccountId": "123456789012",
    }


def events(aws: ShelfMarketplace, region: str = REGION) -> list[dict[str, Any]]:
    """All that CloudTrail has of the shelf's calls."""
    return [
        event(at, request, answer, f"event-{number}", region)
        for number, (at, request, answer) in enumerate(aws.trail, start=1)
    ]


def log_file(*found: dict[str, Any]) -> str:
    """As a trail delivers it."""
    return json.dumps({"Records": found})


def looked_up(*found: dict[str, Any]) -> str:
    """As `aws cloudtrail lookup-events` prints it."""
    rows = [{"EventId": one["eventID"], "CloudTrailEvent": json.dumps(one)} for one in found]
    return json.dumps({"Events": rows})
