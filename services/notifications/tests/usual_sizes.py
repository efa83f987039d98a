"""Lives whose messages are as long as AWS's: its ids are random, so that no packing shortens them."""

import base64
import json
import random
import string
import uuid
from typing import Any

from samples import LEGACY_CODE, action, after, cancelled_life, event, renewed_life

_chance = random.Random(7)


def _random(length: int, of: str = string.ascii_lowercase + string.digits) -> str:
    return "".join(_chance.choice(of) for _ in range(length))


def _uuid() -> str:
    return str(uuid.UUID(int=_chance.getrandbits(128), version=4))


def as_long(bodies: list[str], product_code: str) -> list[str]:
    """These events with ids of the length that AWS gives them, the same for the same."""
    names = {f"agmt-{name}": f"agmt-{_random(25)}" for name in ("EXAMPLE", "1", "2")}
    names |= {
        "offer-EXAMPLE": f"offer-{_random(13)}",
        "prod-EXAMPLE": f"prod-{_random(13)}",
        "74az0EXAMPLE": product_code,
    }
    names |= {
        f"license:l-{old}": f"license:l-{_random(32, string.hexdigits.lower())}"
        for old in ("1" * 32, "2" * 32)
    }
    found = []
    for body in bodies:
        whole: dict[str, Any] = json.loads(body) | {"id": _uuid()}
        whole["detail"]["requestId"] = _uuid()
        text = json.dumps(whole)
        for old, new in names.items():
            text = text.replace(
                f'"{old}"' if old.startswith("agmt") else old, f'"{new}"' if old.startswith("agmt") else new
            )
        found.append(text)
    return found


def agreement_life(product_code: str) -> list[str]:
    return as_long(cancelled_life(), product_code)


def renewal(product_code: str) -> list[str]:
    return as_long(renewed_life(), product_code)


def notice_of(body: str) -> str:
    """An advisory about the agreement of that event."""
    agreement = {"id": json.loads(body)["detail"]["agreement"]["id"]}
    told = {"issuedAt": "2026-08-20T14:30:00.000Z"}
    return event(
        "Purchase Agreement Advisory Issued - Manufacturer",
        after(400),
        _uuid(),
        agreement=agreement,
        advisory=told,
    )


def legacy_life() -> list[str]:
    """In SNS's envelopes, each with a signature of 256 bytes."""
    customer, certificate, subscription = (
        _random(11, string.ascii_letters + string.digits),
        _random(32),
        _uuid(),
    )
    found = []
    for name, at in (
        ("subscribe-fail", 0),
        ("subscribe-success", 60),
        ("unsubscribe-pending", 4000),
        ("unsubscribe-success", 7600),
    ):
        more = {"customer-identifier": customer, "offer-identifier": f"offer-{_random(13)}"}
        envelope = json.loads(action("subscribe-success", after(at), _uuid(), **more | {"action": name}))
        envelope |= {
            "Signature": base64.b64encode(_chance.randbytes(256)).decode(),
            "SigningCertURL": f"https://sns.us-east-1.amazonaws.com/SimpleNotificationService-{certificate}.pem",
            "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn="
            f"arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-{LEGACY_CODE}:{subscription}",
        }
        found.append(json.dumps(envelope))
    return found
