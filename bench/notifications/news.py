"""AWS's news of made-up agreements: each is bought, licensed, ends and loses its licence."""

import json
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

PRODUCT = {"id": "prod-exampleendpoints", "code": "74azexampleendpoints00000", "title": "Endpoints"}
NAMES = (
    "Purchase Agreement Created - Proposer",
    "License Updated - Manufacturer",
    "Purchase Agreement Ended - Proposer",
    "License Deprovisioned - Manufacturer",
)


def lives(count: int, begin: datetime) -> Iterator[str]:
    """The four events of each of `count` agreements, in the order in which they happen: bodies for an SQS
    queue."""
    for _ in range(count):
        agreement_id, license_id = f"agmt-{uuid.uuid4().hex[:25]}", f"l-{uuid.uuid4().hex}"
        for number, name in enumerate(NAMES):
            yield json.dumps(_event(name, agreement_id, license_id, begin + timedelta(minutes=number)))


def _event(name: str, agreement_id: str, license_id: str, at: datetime) -> dict[str, object]:
    agreement = {"id": agreement_id}
    if "Created" in name:
        agreement |= {"intent": "NEW", "status": "ACTIVE"}
    if "Ended" in name:
        agreement |= {"status": "CANCELLED"}
    detail: dict[str, object] = {
        "requestId": str(uuid.uuid4()),
        "catalog": "AWSMarketplace",
        "agreement": agreement,
        "product": PRODUCT,
        "acceptor": {"accountId": "444455556666"},
        "proposer": {"accountId": "111122223333"},
        "offer": {"id": "offer-examplepublic1"},
    }
    if name.startswith("License"):
        detail["license"] = {"arn": f"arn:aws:license-manager::294406891311:license:{license_id}"}
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": name,
        "source": "aws.agreement-marketplace",
        "account": "111122223333",
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-1",
        "resources": [f"arn:aws:aws-marketplace::aws:agreement:{agreement_id}"],
        "detail": detail,
    }
