"""AWS's news of made-up agreements: each is bought, licensed, ends and loses its licence."""

import json
import random
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
AT_A_TIME = 50
"""Agreements of which something happens in the same stretch of news."""

SEED = 7


def lives(count: int, begin: datetime) -> Iterator[str]:
    """The four events of each of `count` agreements: bodies for an SQS queue. Each agreement's come in the
    order in which they happen, with the news of others in between: of the fifty that are under way, it is
    always chance whose is next."""
    chance = random.Random(SEED)
    coming = (_life(begin) for _ in range(count))
    under_way = [life for _, life in zip(range(AT_A_TIME), coming, strict=False)]
    while under_way:
        place = chance.randrange(len(under_way))
        body = next(under_way[place], None)
        if body is not None:
            yield body
        elif (begun := next(coming, None)) is not None:
            under_way[place] = begun
        else:
            del under_way[place]


def _life(begin: datetime) -> Iterator[str]:
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
