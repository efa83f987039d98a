"""Made-up usage: few subscriptions use much and many little, no event is like another.

Standard library only: the load generator makes its bodies with it, in whatever environment it runs.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from base64 import b32encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

LEGACY, LICENSED = "5fexampleclassic0000000000", "74azexampleendpoints00000"
DIMENSIONS = {LEGACY: ("gpu_hours", "requests"), LICENSED: ("gpu_hours", "cpu_hours")}
"""By product, the most used first; as in products.yaml."""
SUBSCRIPTIONS = 1000
SKEW = 1.1
"""Of the Zipf law: the subscription of rank n is n to the power of this rarer than the first."""
SECONDS_AGO = 10.0
"""Events are at most so old when they are made."""


@dataclass(frozen=True)
class Subscription:
    product_code: str
    identity: str
    """AWS's: the customer identifier of a legacy product, else the licence."""
    account: str

    @property
    def is_legacy(self) -> bool:
        return self.product_code == LEGACY

    @property
    def subscription_id(self) -> str:
        """Derived as everybody does: openapi/tables/subscription_id.vectors.json."""
        said = f"{self.product_code}/{self.identity}" if self.is_legacy else self.identity.rpartition(":")[2]
        return "sub_" + b32encode(sha256(said.encode()).digest()).decode().lower()[:26]


def subscriptions(count: int = SUBSCRIPTIONS) -> list[Subscription]:
    """Always the same ones, of both products in turn."""
    return [
        Subscription(LEGACY, f"bench{number:06d}", f"{210000000000 + number}")
        if number % 2
        else Subscription(
            LICENSED,
            f"arn:aws:license-manager::294406891311:license:l-{number:032x}",
            f"{210000000000 + number}",
        )
        for number in range(count)
    ]


@dataclass(frozen=True)
class Event:
    subscription_id: str
    dimension: str
    id: str
    quantity: str
    time: str

    def as_json(self) -> bytes:
        return (
            f'{{"source":"inference-gateway","id":"{self.id}","subscription_id":"{self.subscription_id}",'
            f'"dimension":"{self.dimension}","quantity":"{self.quantity}","time":"{self.time}"}}'
        ).encode()


def events() -> Iterator[Event]:
    """Without end; of the last seconds before they are asked for."""
    users = [
        (subscription.subscription_id, dimension, (rank * place) ** -SKEW)
        for rank, subscription in enumerate(subscriptions(), start=1)
        for place, dimension in enumerate(DIMENSIONS[subscription.product_code], start=1)
    ]
    weights = list(itertools.accumulate(weight for _, _, weight in users))
    quantities = [_quantity() for _ in range(10_007)]
    while True:
        now = time.time()
        times = [_wire(now - random.uniform(0, SECONDS_AGO)) for _ in range(101)]
        chosen = random.choices(users, cum_weights=weights, k=10_000)
        for number, (subscription_id, dimension, _) in enumerate(chosen):
            yield Event(
                subscription_id, dimension, _id(), random.choice(quantities), times[number % len(times)]
            )


def bodies(events_each: int) -> Iterator[bytes]:
    """What is posted: so many events in each."""
    stream = (event.as_json() for event in events())
    while True:
        yield b'{"events":[' + b",".join(itertools.islice(stream, events_each)) + b"]}"


def _quantity() -> str:
    """A positive decimal of up to six places, as people and meters write them."""
    places = random.randrange(7)
    whole, rest = divmod(random.randint(1, 50 * 10**places), 10**places)
    return f"{whole}.{rest:0{places}d}" if places else str(whole)


def _id() -> str:
    """A random UUID; uuid.uuid4 takes four times as long."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _wire(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
