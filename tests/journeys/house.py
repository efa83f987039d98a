"""The whole house, running, as its neighbours see it: buyers, the seller's product, AWS, the books.

Nothing here knows how a service works inside. What is read past the services (tables, queues) is read from
the engine itself, so that no fault between a service and its engine disturbs the observer.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import boto3
import httpx
from boto3.dynamodb.types import TypeDeserializer
from botocore.config import Config

from tools.stack import ACCOUNT, REGION, SERVICES, Stack
from tools.story import LEGACY_PRODUCT, LICENSED_PRODUCT, START
from tools.visitor import Visitor

T = TypeVar("T")

NEWS_QUEUE = "marketplane-notifications"
SIGNALS_QUEUE = "marketplane-metering-subscription-events"
LISTENER_QUEUE = "marketplane-listener"  # a sibling's that is not there: what it hears, the test may read

GENERATIONS = {"legacy": LEGACY_PRODUCT, "concurrent_agreements": LICENSED_PRODUCT}
DONE = (200, 201, 303)  # how a submitted form is answered: was there already, made, shown on another page
DIMENSION = "gpu_hours"  # both products have it

# Short beats, so that waiting for the next one is short; all else as in production.
ENVIRONMENT = {"CYCLE_SECONDS": "0.2", "SIGNAL_QUEUES": f"{SIGNALS_QUEUE},{LISTENER_QUEUE}"}
PROCESS_ENVIRONMENT = {"simulator": {"SIMULATOR_START": START}}

PATIENCE_SECONDS = 90.0  # for one condition on a machine that is busy with other things
# After this much of AWS's time the news of a purchase has come due, of either generation.
UNTIL_ACTIVE = timedelta(seconds=75)
# And after this much that of a cancellation, but for the end of the last hour.
UNTIL_ENDING = timedelta(seconds=40)
GRACE = timedelta(minutes=6)  # a little more than SEAL_GRACE_SECONDS

_numbers = itertools.count(1)


@dataclass(eq=False)
class Buyer:
    """One purchase, who made it, and the truth about what was used: quantity by event id."""

    generation: str
    product_code: str
    agreement_id: str
    subscription_id: str
    identity: dict[str, str]
    token: str
    email: str
    used: dict[str, Decimal] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        return sum(self.used.values(), Decimal(0))


class House:
    """A running stack.

    Args:
        stack: all processes of the Procfile.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.http = httpx.Client(timeout=60, trust_env=False, limits=httpx.Limits(max_connections=50))
        self.engine = Engine(stack)
        self.secrets: set[str] = set()
        self.emails: set[str] = set()
        self.engine.sqs.create_queue(QueueName=LISTENER_QUEUE)
        self.engine.show_again_after(3, NEWS_QUEUE, SIGNALS_QUEUE)
        with ThreadPoolExecutor() as pool:
            self.keys = dict(zip(SERVICES, pool.map(self.new_key, SERVICES), strict=True))

    def close(self) -> None:
        self.http.close()
        self.engine.close()

    def new_key(self, service: str) -> dict[str, str]:
        key = self.stack.api_key(service, ["operator", "usage:read", "usage:write"])
        self.secrets.add(key)
        return {"X-API-Key": key}

    # -- AWS ---------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return datetime.fromisoformat(self._simulator("GET", "/clock")["now"])

    def set_clock(self, moment: datetime) -> None:
        self._simulator("PUT", "/clock", {"now": wire(moment)})

    def advance(self, by: timedelta) -> None:
        self.set_clock(self.now() + by)

    def begin_hour(self) -> datetime:
        """Moves on into the first half of a new hour of use; answers its start."""
        hour = self.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        self.set_clock(hour + timedelta(minutes=20))
        return hour

    def seal_hour(self) -> None:
        """Moves on until the running hour is sealed."""
        hour = self.now().replace(minute=0, second=0, microsecond=0)
        self.set_clock(hour + timedelta(hours=1) + GRACE)

    def buy(self, generation: str) -> Buyer:
        """Somebody accepts the public offer and is handed a token. No news has come due yet."""
        product_code = GENERATIONS[generation]
        bought = self._simulator("POST", "/agreements", {"product_code": product_code})
        legacy = generation == "legacy"
        buyer = Buyer(
            generation=generation,
            product_code=product_code,
            agreement_id=bought["agreement_id"],
            subscription_id=derived_id(
                f"{product_code}/{bought['customer_identifier']}"
                if legacy
                else re.split("[:/]", bought["license_arn"])[-1]
            ),
            identity={"customer_identifier": bought["customer_identifier"]}
            if legacy
            else {"license_arn": bought["license_arn"]},
            token=bought["registration_token"],
            email=f"buyer-{next(_numbers)}@company.example",
        )
        self.secrets.add(buyer.token)
        self.emails.add(buyer.email)
        return buyer

    def buy_active(self, generation: str) -> Buyer:
        """The same, with the news of it arrived and applied."""
        buyer = self.buy(generation)
        self.advance(UNTIL_ACTIVE)
        self.until_status("active", buyer)
        return buyer

    def new_token(self, buyer: Buyer) -> str:
        """The buyer presses "Set up your account" again."""
        token: str = self._simulator("POST", f"/agreements/{buyer.agreement_id}/tokens")["registration_token"]
        self.secrets.add(token)
        return token

    def cancel(self, buyer: Buyer) -> None:
        self._simulator("POST", f"/agreements/{buyer.agreement_id}/cancel")

    def bill(self, buyer: Buyer) -> list[dict[str, Any]]:
        """AWS's records for a buyer."""
        return [
            record
            for record in self._simulator("GET", "/bill")["records"]
            if all(record[name] == value for name, value in buyer.identity.items())
        ]

    def billed(self, buyer: Buyer) -> Decimal:
        return sum((Decimal(record["quantity"]) for record in self.bill(buyer)), Decimal(0))

    # -- the buyer at the door ---------------------------------------------------------------------

    def land(self, door: str, buyer: Buyer, token: str | None = None) -> Landing:
        """The buyer arrives with a token: by `html` with a browser, by `json` through a seller's frontend."""
        return (Browser if door == "html" else Frontend)(self, token or buyer.token)

    def customers_of(self, buyer: Buyer) -> list[dict[str, Any]]:
        found = self.ask("registration", "/v1/customers", subscription_id=buyer.subscription_id)
        return list(found["items"])

    def customers_called(self, email: str) -> list[dict[str, Any]]:
        return list(self.ask("registration", "/v1/customers", email=email)["items"])

    # -- the seller's product ----------------------------------------------------------------------

    def events(
        self, buyer: Buyer, count: int = 5, at: datetime | None = None, quantity: str = "0.25"
    ) -> list[dict[str, Any]]:
        """New usage events, noted as the truth; not reported yet."""
        moment = at or self.now()
        events = [
            {
                "source": "journeys",
                "id": str(uuid.uuid4()),
                "subscription_id": buyer.subscription_id,
                "dimension": DIMENSION,
                "quantity": quantity,
                "time": wire(moment),
            }
            for _ in range(count)
        ]
        buyer.used |= {str(event["id"]): Decimal(quantity) for event in events}
        return events

    def post(self, events: list[dict[str, Any]], key: dict[str, str] | None = None) -> httpx.Response:
        """One request, whatever comes of it."""
        url = self.stack.urls["metering-web"] + "/v1/usage-events"
        return self.http.post(url, json={"events": events}, headers=key or self.keys["metering"])

    def report(
        self, buyer: Buyer, count: int = 5, at: datetime | None = None, quantity: str = "0.25"
    ) -> None:
        """New usage, reported and accepted."""
        answer = self.post(self.events(buyer, count, at, quantity))
        assert answer.status_code == 202, answer.text

    def usage(self, buyer: Buyer) -> Decimal:
        """What the last fold found, over all hours."""
        found = self.ask("metering", "/v1/usage", subscription_id=buyer.subscription_id, limit=100)
        return sum((Decimal(row["quantity"]) for row in found["items"]), Decimal(0))

    def balance(self, buyer: Buyer) -> dict[str, Any]:
        """The balance of the one dimension that is used; empty before the first fold."""
        found = self.ask("metering", "/v1/balance", subscription_id=buyer.subscription_id)["dimensions"]
        return dict(found[0]) if found else {}

    def records(self, buyer: Buyer) -> list[dict[str, Any]]:
        found = self.ask("metering", "/v1/metering-records", subscription_id=buyer.subscription_id, limit=100)
        return list(found["items"])

    def is_settled(self, buyer: Buyer) -> bool:
        """All that was used is accounted for, and nothing of it is under way."""
        row = self.balance(buyer)
        return bool(row) and Decimal(row["accepted"]) == buyer.total and row["open"] == row["planned"] == "0"

    def until_settled(self, *buyers: Buyer) -> None:
        for buyer in buyers:
            self.until(lambda buyer=buyer: self.is_settled(buyer), f"all of {buyer.used} to be settled")

    def assert_billed_exactly(self, *buyers: Buyer) -> None:
        """AWS billed each unit once, and the books say so."""
        self.until_settled(*buyers)
        for buyer in buyers:
            row = self.balance(buyer)
            assert row["balanced"], row
            assert Decimal(row["billed"]) == buyer.total == self.billed(buyer), (row, self.bill(buyer))
            slots = [(record["dimension"], record["hour"]) for record in self.bill(buyer)]
            assert len(slots) == len(set(slots)), slots

    # -- the published rows ------------------------------------------------------------------------

    def subscription(self, buyer: Buyer) -> dict[str, Any]:
        """What the API of notifications says; empty before the first news."""
        path = f"/v1/subscriptions/{buyer.subscription_id}"
        answer = self.http.get(
            self.stack.urls["notifications-web"] + path, headers=self.keys["notifications"]
        )
        if answer.status_code == 404:
            return {}
        answer.raise_for_status()
        return dict(answer.json())

    def until_status(self, status: str, *buyers: Buyer) -> None:
        for buyer in buyers:
            self.until(
                lambda buyer=buyer: self.subscription(buyer).get("status") == status, f"status {status}"
            )

    # -- its processes -----------------------------------------------------------------------------

    def start(self, *names: str) -> None:
        """Starts several processes at once and waits until all are ready; one after the other takes long."""
        self.stack._start_together(names)

    # -- asking and waiting ------------------------------------------------------------------------

    def ask(self, service: str, path: str, **query: Any) -> Any:
        answer = self.http.get(
            self.stack.urls[f"{service}-web"] + path, params=query, headers=self.keys[service]
        )
        assert answer.status_code == 200, f"{path} {query} answered {answer.status_code}: {answer.text}"
        return answer.json()

    def until(self, holds: Callable[[], T], what: str, seconds: float = PATIENCE_SECONDS) -> T:
        """Waits for a condition; answers what made it true."""
        return until(holds, what, seconds)

    def _simulator(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        url = f"{self.stack.urls['simulator']}/_simulator{path}"
        answer = self.http.request(method, url, json=body)
        assert answer.status_code < 400, f"{method} {path} answered {answer.status_code}: {answer.text}"
        return answer.json()


class Engine:
    """What lies in the engine, read past all services and all faults."""

    def __init__(self, stack: Stack) -> None:
        engine = stack.urls["engine"]
        self.dynamodb = _client("dynamodb", stack.urls.get("dynamodb-local", engine))
        self.sqs = _client("sqs", engine)

    def close(self) -> None:
        self.dynamodb.close()
        self.sqs.close()

    def tables(self) -> list[str]:
        return list(self.dynamodb.list_tables()["TableNames"])

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All items of a table."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        plain = TypeDeserializer().deserialize
        return [
            {key: plain(value) for key, value in item.items()} for page in pages for item in page["Items"]
        ]

    def queue(self, name: str) -> QueueView:
        return QueueView(self.sqs, name)

    def show_again_after(self, seconds: int, *queues: str) -> None:
        """Sets how long a message stays hidden that a worker took and did not delete."""
        for name in queues:
            self.sqs.set_queue_attributes(
                QueueUrl=self.queue(name).url, Attributes={"VisibilityTimeout": str(seconds)}
            )


def _client(service: str, url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="test",
        config=Config(retries={"mode": "standard", "total_max_attempts": 5}),
    )


class Landing:
    """A buyer who has arrived."""

    def submit(self, email: str) -> httpx.Response:
        """Says who they are."""
        raise NotImplementedError

    def is_registered(self) -> bool:
        """What the door itself says, asked again."""
        raise NotImplementedError

    def close(self) -> None:
        """Goes away."""


class Browser(Landing):
    def __init__(self, house: House, token: str) -> None:
        self._house = house
        self._visitor = Visitor(house.stack.urls["registration-web"])
        self._visitor.post("/register", **{"x-amzn-marketplace-token": token})
        assert self._visitor.answer.status_code == 200, self._visitor.reads()
        self._form = next((form for form in self._visitor.page.forms if "customer" in form.action), None)
        cookies = self._visitor.answer.history[0].cookies
        house.secrets.update(cookies.values())
        self._session = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}

    def submit(self, email: str) -> httpx.Response:
        # Not by the visitor, who is one person: this may be done many times at once.
        assert self._form, "the page showed no form"
        url = self._visitor.answer.url.join(self._form.action)
        form = self._form.fields | {"email": email, "name": "Ada", "company": "Analytics Ltd"}
        return self._house.http.post(url, data=form, headers=self._session)

    def is_registered(self) -> bool:
        self._visitor.open("/register")
        return "is registered" in self.reads() or "account is set up" in self.reads()

    def reads(self) -> str:
        return self._visitor.reads()

    def close(self) -> None:
        self._visitor.close()


class Frontend(Landing):
    def __init__(self, house: House, token: str) -> None:
        self._house = house
        self._url = house.stack.urls["registration-web"] + "/v1/registrations"
        answer = house.http.post(self._url, json={"registration_token": token})
        assert answer.status_code == 201, answer.text
        self.registration: dict[str, Any] = answer.json()
        secret = self.registration["session_secret"]
        house.secrets.add(secret)
        self._session = {"X-Registration-Session": secret}
        self._url += f"/{self.registration['registration_id']}"

    def submit(self, email: str) -> httpx.Response:
        details = {"email": email, "name": "Ada", "company": "Analytics Ltd"}
        return self._house.http.put(f"{self._url}/customer", json=details, headers=self._session)

    def is_registered(self) -> bool:
        answer = self._house.http.get(self._url, headers=self._session)
        return answer.status_code == 200 and answer.json()["status"] == "registered"


class QueueView:
    """One queue, seen past all services."""

    def __init__(self, sqs: Any, name: str) -> None:
        self._sqs = sqs
        self.name = name
        self.url: str = sqs.get_queue_url(QueueName=name)["QueueUrl"]

    def depth(self) -> int:
        """Messages waiting, in somebody's hands, or postponed."""
        names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
        counts = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(counts.get(name, 0)) for name in names)

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self._sqs.send_message(QueueUrl=self.url, MessageBody=body)

    def take(self) -> list[dict[str, Any]]:
        """Takes all messages that are visible off the queue."""
        taken: list[dict[str, Any]] = []
        while messages := self._sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            for message in messages:
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
            taken += messages
        return taken


def until(holds: Callable[[], T], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """Waits for a condition; answers what made it true.

    Raises:
        TimeoutError: it did not come true.
    """
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds:.0f} s in vain for {what}.")
        time.sleep(0.05)
    return found


def together(*acts: Callable[[], T]) -> list[T]:
    """Does things at the same time, each in a thread; answers what came of each."""
    with ThreadPoolExecutor(max_workers=len(acts)) as pool:
        return [one.result() for one in [pool.submit(act) for act in acts]]


def derived_id(identity: str) -> str:
    """A subscription's id, as design and `openapi/tables/subscription_id.vectors.json` have it."""
    return "sub_" + base64.b32encode(hashlib.sha256(identity.encode()).digest()).decode().lower()[:26]


def wire(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
