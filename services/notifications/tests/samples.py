"""What AWS sends: the recorded samples to the letter, and lives made of them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from notifications.inbox import Entry, read
from notifications.news import News

# To the letter (ids were replaced by who recorded them), 20 August 2026.
CREATED = """{"version":"0","id":"84a4f48b-…","detail-type":"Purchase Agreement Created - Proposer","source":"aws.agreement-marketplace",
 "account":"111122223333","time":"2026-08-20T14:23:22Z","region":"us-east-1",
 "resources":["arn:aws:aws-marketplace::aws:agreement:agmt-EXAMPLE"],
 "detail":{"requestId":"40d82a8d-…","catalog":"AWSMarketplace",
  "agreement":{"id":"agmt-EXAMPLE","intent":"NEW","status":"ACTIVE","acceptanceTime":"2026-08-20T14:23:11.013Z",
   "startTime":"2026-08-20T14:23:11.013Z","endTime":"9999-01-01T00:00:00Z"},
  "resaleAuthorization":{"id":null},"acceptor":{"accountId":"444455556666"},
  "proposer":{"accountId":"111122223333"},"offer":{"id":"offer-EXAMPLE"}}}"""  # noqa: E501
ENDED_DETAIL = """{"requestId":"…","catalog":"AWSMarketplace","agreement":{"id":"agmt-EXAMPLE","status":"CANCELLED"},
 "resaleAuthorization":{"id":null},"acceptor":{"accountId":"444455556666"},"proposer":{"accountId":"111122223333"}}"""  # noqa: E501
LICENSE_DETAIL = """{"requestId":"…","catalog":"AWSMarketplace","agreement":{"id":"agmt-EXAMPLE"},
 "product":{"id":"prod-EXAMPLE","code":"74az0EXAMPLE"},
 "license":{"arn":"arn:aws:license-manager::294406891311:license:l-9d01d15f86334a8894365cd7350556ff"},
 "acceptor":{"accountId":"444455556666"},"proposer":{"accountId":"111122223333"},"offer":{"id":"offer-EXAMPLE"}}"""
SUBSCRIBE_SUCCESS = """{"action":"subscribe-success","customer-identifier":"X01EXAMPLEX","product-code":"n0123EXAMPLEXXXXXXXXXXXX","offer-identifier":"offer-abcexample123","isFreeTrialTermPresent":"true"}"""  # noqa: E501
ENTITLEMENT_UPDATED = """{"action":"entitlement-updated","customer-identifier":"X01EXAMPLEX","product-code":"n0123EXAMPLEXXXXXXXXXXXX"}"""  # noqa: E501

LEGACY_CODE = "n0123EXAMPLEXXXXXXXXXXXX"
LEGACY_CUSTOMER = "X01EXAMPLEX"
LEGACY_ID = "sub_t6gpawywych34xbexcgv7drsaj"
CONCURRENT_CODE = "74az0EXAMPLE"
LEGACY_CONTRACT, CONTRACT = "legacycontractEXAMPLE", "contractEXAMPLE"
PRODUCTS = [
    (LEGACY_CODE, "legacy", "subscription"),
    (CONCURRENT_CODE, "concurrent_agreements", "subscription"),
    (LEGACY_CONTRACT, "legacy", "contract"),
    (CONTRACT, "concurrent_agreements", "contract"),
]
ARN = "arn:aws:license-manager::294406891311:license:l-9d01d15f86334a8894365cd7350556ff"
ARN_1, ARN_2 = ("arn:aws:license-manager::294406891311:license:l-" + digit * 32 for digit in "12")
CONCURRENT_ID = "sub_akqbclolnbr5rol2aljugptsbj"

EVENTBRIDGE_SECRETS = ["the-secret-of-today-with-32-characters", "the-next-secret-with-32-characters-too"]

T0 = datetime(2026, 8, 20, 14, 23, 22, tzinfo=UTC)


def after(seconds: float = 0, **more: float) -> datetime:
    """A moment so long after the first sample."""
    return T0 + timedelta(seconds=seconds, **more)


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def event(name: str, at: datetime, event_id: str, **changes: Any) -> str:
    """An EventBridge event like the recorded ones. `changes` go into the detail; None takes a member out."""
    what = name.split(" - ")[0]
    detail = {
        "Purchase Agreement Ended": json.loads(ENDED_DETAIL),
        "License Updated": json.loads(LICENSE_DETAIL),
        "License Deprovisioned": json.loads(LICENSE_DETAIL),
    }.get(what, json.loads(CREATED)["detail"])
    detail |= changes
    return json.dumps(
        json.loads(CREATED)
        | {
            "id": event_id,
            "detail-type": name,
            "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "detail": {name: value for name, value in detail.items() if value is not None},
        }
    )


def created(at: datetime, event_id: str, **changes: Any) -> str:
    return event("Purchase Agreement Created - Proposer", at, event_id, **changes)


def ended(at: datetime, event_id: str, status: str = "CANCELLED", agreement: str = "agmt-EXAMPLE") -> str:
    return event(
        "Purchase Agreement Ended - Proposer", at, event_id, agreement={"id": agreement, "status": status}
    )


def license_updated(at: datetime, event_id: str, **changes: Any) -> str:
    return event("License Updated - Manufacturer", at, event_id, **changes)


def deprovisioned(at: datetime, event_id: str, **changes: Any) -> str:
    return event("License Deprovisioned - Manufacturer", at, event_id, **changes)


def amended(at: datetime, event_id: str) -> str:
    return event("Purchase Agreement Amended - Proposer", at, event_id)


def contract_updated(at: datetime, event_id: str) -> str:
    """License Updated of a contract."""
    return license_updated(at, event_id, product={"code": CONTRACT})


def action(name: str, at: datetime, message_id: str, **changes: str) -> str:
    """An SNS envelope as SQS gets it."""
    message = json.loads(SUBSCRIBE_SUCCESS if name == "subscribe-success" else ENTITLEMENT_UPDATED)
    message |= {"action": name, **changes}
    return envelope(json.dumps(message), at, message_id)


def envelope(message: str, at: datetime, message_id: str) -> str:
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": message_id,
            "TopicArn": f"arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-{LEGACY_CODE}",
            "Message": message,
            "Timestamp": stamp(at),
            "SignatureVersion": "1",
            "Signature": "EXAMPLE",
            "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-EXAMPLE.pem",
            "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
        }
    )


def entry_of(body: str, message_id: str = "sqs-1", sent_at: datetime = T0) -> Entry:
    return read(body, message_id, sent_at)


def news_of(body: str, message_id: str = "sqs-1", sent_at: datetime = T0) -> News:
    news = entry_of(body, message_id, sent_at).news
    assert news is not None
    return news


def renewed_life() -> list[str]:
    """An agreement, and the one that renews it: each with its own licence."""
    first, second = {"id": "agmt-1"}, {"id": "agmt-2"}
    return [
        created(after(0), "a1", agreement=first | {"intent": "NEW"}),
        license_updated(after(60), "a2", agreement=first, license={"arn": ARN_1}),
        created(after(120), "b1", agreement=second | {"intent": "RENEW", "previousAgreementId": "agmt-1"}),
        license_updated(after(180), "b2", agreement=second, license={"arn": ARN_2}),
        ended(after(185), "a3", status="RENEWED", agreement="agmt-1"),
        deprovisioned(after(210), "a4", agreement=first, license={"arn": ARN_1}),
    ]


def notice(name: str, at: datetime, event_id: str, **detail: Any) -> str:
    """An event that changes no access: its detail is the agreement and what is given."""
    whole = {"requestId": "…", "catalog": "AWSMarketplace", "agreement": {"id": "agmt-EXAMPLE"}} | detail
    empty = {"intent": None, "resaleAuthorization": None, "acceptor": None, "proposer": None, "offer": None}
    return event(name, at, event_id, **(empty | whole))


def advisory(at: datetime, event_id: str, word: str = "Issued", to: str = "Manufacturer") -> str:
    told = {"issuedAt" if word == "Issued" else "resolvedAt": stamp(at)}
    name = f"Purchase Agreement Advisory {word} - {to}"
    return notice(name, at, event_id, product={"id": "prod-EXAMPLE"}, advisory=told)


def cancelled_life() -> list[str]:
    """The recorded life of a pay-as-you-go agreement, second by second."""
    return [
        created(T0, "e1"),
        license_updated(after(61), "e2"),
        ended(after(95), "e3"),
        deprovisioned(after(126), "e4"),
    ]
