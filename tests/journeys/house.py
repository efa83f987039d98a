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
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

import boto3
import httpx
from boto3.dynamodb.types import TypeDeserializer
from botocore.config import Config

from tests.journeys.back_end import SellersBackEnd
from tests.journeys.catalogue import SUPPORT, write_catalogue
from tests.journeys.standing import how_it_stands
from tools.stack import ACCOUNT, REGION, SERVICES, Stack
from tools.story import LEGACY_PRODUCT, LICENSED_PRODUCT, START
from tools.visitor import Visitor

T = TypeVar("T")

NEWS_QUEUE = "marketplane-notifications"
SIGNALS_QUEUE = "marketplane-metering-subscription-events"
REGISTRATION_SIGNALS_QUEUE = "marketplane-registration-subscription-events"
LISTENER_QUEUE = "marketplane-listener"  # a sibling's that is not there: what it hears, the test may read

GENERATIONS = {"legacy": LEGACY_PRODUCT, "concurrent_agreements": LICENSED_PRODUCT}
DOORS = ("html", "json")
DONE = (200, 201, 303)  # how a submitted form is answered: was there already, made, shown on another page
PEEK_SECONDS = 2  # how long a message that was looked at stays hidden
DIMENSION = "gpu_hours"  # both products have it

WORKERS = ("registration-worker", "notifications-worker", "metering-worker")
FRONTEND = "frontend"  # what the identity provider calls the seller's own frontend

# Short beats, so that waiting for the next one is short, and not so short that the beat alone slows all down;
# all else as in production, but for how often one address may land: all buyers of the journeys come from the
# same.
ENVIRONMENT = {
    "CYCLE_SECONDS": "0.5",
    "SIGNAL_QUEUES": f"{SIGNALS_QUEUE},{REGISTRATION_SIGNALS_QUEUE},{LISTENER_QUEUE}",
    "LANDINGS_RATE": "100000/minute",
    "API_ARRIVALS_RATE": "100000/minute",
}
# AWS takes as many calls as come. By its quotas, which are of real seconds, it would take minutes until each
# agreement of so many purchases is asked for. (The demo's house keeps them.)
PROCESS_ENVIRONMENT = {"simulator": {"SIMULATOR_START": START, "SIMULATOR_CALLS_PER_SECOND": "0"}}

PATIENCE_SECONDS = 90.0  # for one condition on a machine that is busy with other things
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.03, 0.25
# After this much of AWS's time the news of a purchase has come due, of either generation.
UNTIL_ACTIVE = timedelta(seconds=75)
# After this much that an agreement has ended and why, and of its licence nothing yet.
UNTIL_ENDED = timedelta(seconds=5)
# And after this much the news of a cancellation, but for the end of the last hour.
UNTIL_ENDING = timedelta(seconds=40)
GRACE = timedelta(minutes=6)  # a little more than SEAL_GRACE_SECONDS
# After so much of it what failed a few times is tried again.
NEXT_TRY = timedelta(seconds=70)
# After so much of it whatever a killed process had in hand is tried by another.
UNTIL_TAKEN_OVER = timedelta(seconds=61)

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
    customer_aws_account_id: str
    used: dict[str, Decimal] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        return sum(self.used.values(), Decimal(0))


class House:
    """A running stack.

    Args:
        stack: all processes of the Procfile.
        back_end: the seller's own, where the stack has been told of one (`seen_by_registration`).
    """

    def __init__(self, stack: Stack, back_end: SellersBackEnd | None = None) -> None:
        self.stack = stack
        self.back_end = back_end
        self.http = httpx.Client(timeout=60, trust_env=False, limits=httpx.Limits(max_connections=50))
        self.engine = Engine(stack)
        self.secrets: set[str] = set()
        self.emails: set[str] = set()
        self.engine.sqs.create_queue(QueueName=LISTENER_QUEUE)
        self.engine.show_again_after(3, NEWS_QUEUE, SIGNALS_QUEUE, REGISTRATION_SIGNALS_QUEUE)
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
        return self.buy_product(GENERATIONS[generation])

    def buy_product(self, product_code: str, **terms: Any) -> Buyer:
        """The same of a certain product.

        Args:
            product_code: of the house's catalogue.
            terms: more members of the simulator's `POST agreements`.
        """
        bought = self._simulator("POST", "/agreements", {"product_code": product_code, **terms})
        legacy = bought["generation"] == "legacy"
        buyer = Buyer(
            generation=bought["generation"],
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
            customer_aws_account_id=bought["customer_aws_account_id"],
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

    def agreement(self, buyer: Buyer) -> dict[str, Any]:
        """How AWS has it."""
        return dict(self._simulator("GET", f"/agreements/{buyer.agreement_id}"))

    def amend(self, buyer: Buyer, **terms: Any) -> None:
        self._simulator("POST", f"/agreements/{buyer.agreement_id}/amend", terms)

    def succeed(self, action: str, buyer: Buyer, **terms: Any) -> Buyer:
        """Another agreement takes the place of a buyer's, with a licence of its own; no news has come due.

        Args:
            action: `renew` or `replace`.
            buyer: of a private offer with a term, or of a contract.
            terms: members of the simulator's action.
        """
        old = self._simulator("POST", f"/agreements/{buyer.agreement_id}/{action}", terms)
        new = self._simulator("GET", f"/agreements/{old['next_agreement_id']}")
        return replace(
            buyer,
            agreement_id=new["agreement_id"],
            subscription_id=derived_id(re.split("[:/]", new["license_arn"])[-1]),
            identity={"license_arn": new["license_arn"]},
            token="",
            used={},
        )

    def cancel(self, buyer: Buyer) -> None:
        self._simulator("POST", f"/agreements/{buyer.agreement_id}/cancel")

    def act(self, buyer: Buyer, action: str, **terms: Any) -> dict[str, Any]:
        """Anything else that can become of an agreement, of the simulator's kinds; how AWS has it then."""
        path = f"/agreements/{buyer.agreement_id}/{action}"
        return dict(self._simulator("POST", path, terms))

    def lose_news(self, buyer: Buyer, count: int = 1000) -> None:
        """AWS's next so many news of a purchase never come."""
        self._simulator("PUT", "/news-delivery", {"agreement_id": buyer.agreement_id, "drop": count})

    def news_goes(self, **roads: Any) -> dict[str, Any]:
        """The roads by HTTPS that AWS's news takes from now on; none: the queues again, and only these."""
        return dict(self._simulator("PUT", "/https-delivery", roads))

    def sign_news(self, version: str) -> None:
        """The version of SNS's signature from now on."""
        self._simulator("PUT", "/sns", {"signature_version": version})

    def news(self, buyer: Buyer) -> list[dict[str, Any]]:
        """AWS's news of a purchase, by its due moment."""
        found = self._simulator("GET", "/news")["news"]
        return [one for one in found if one["agreement_id"] == buyer.agreement_id]

    def hold_news(self, buyer: Buyer) -> None:
        """AWS keeps the news of a purchase to itself for now."""
        self._simulator("PUT", "/news-delivery", {"agreement_id": buyer.agreement_id, "delay_seconds": 1e7})

    def hold_no_news(self, buyer: Buyer) -> None:
        """What was kept back goes out now."""
        self._simulator("PUT", "/news-delivery", {"agreement_id": buyer.agreement_id})

    def let_news_go(self, buyer: Buyer) -> None:
        self.hold_no_news(buyer)
        self.advance(UNTIL_ACTIVE)

    def aws_fails(self, kind: str, operation: str, **more: Any) -> None:
        """Adds a fault of AWS Marketplace's, of the simulator's kinds."""
        self._simulator("POST", "/faults", {"kind": kind, "operation": operation, **more})

    def aws_is_well(self) -> None:
        self._simulator("DELETE", "/faults")

    def calls(self, operation: str) -> list[dict[str, Any]]:
        """AWS's calls of one operation that it still remembers."""
        return list(self._simulator("GET", f"/calls?operation={operation}")["calls"])

    def parameters(self, buyer: Buyer, product_id: str) -> list[dict[str, Any]]:
        """What Quick Launch would find in the buyer's account."""
        found = self._simulator("GET", f"/deployment-parameters?product_id={product_id}")
        return [one for one in found["deployment_parameters"] if one["agreement_id"] == buyer.agreement_id]

    def bill(self, buyer: Buyer) -> list[dict[str, Any]]:
        """AWS's records for a buyer."""
        return [
            record
            for record in self.aws_bill()
            if all(record[name] == value for name, value in buyer.identity.items())
        ]

    def aws_bill(self) -> list[dict[str, Any]]:
        """All of AWS's records."""
        return list(self._simulator("GET", "/bill")["records"])

    def billed(self, buyer: Buyer) -> Decimal:
        return sum((Decimal(record["quantity"]) for record in self.bill(buyer)), Decimal(0))

    # -- the buyer at the door ---------------------------------------------------------------------

    def land(self, door: str, buyer: Buyer, token: str | None = None) -> Landing:
        """The buyer arrives with a token: by `html` with a browser, by `json` through a seller's frontend."""
        if door == "json":
            return Frontend(self, token or buyer.token)
        browser = Browser(self)
        browser.visitor.post("/register", **{"x-amzn-marketplace-token": token or buyer.token})
        browser.arrived()
        return browser

    def customers_of(self, buyer: Buyer) -> list[dict[str, Any]]:
        found = self.ask("registration", "/v1/customers", subscription_id=buyer.subscription_id)
        return list(found["items"])

    def letters(self, buyer: Buyer) -> dict[str, EmailMessage]:
        """What a purchase made registration write, by kind: `welcome`, `access`."""
        folder = self.stack.directory / "mail"
        files = {
            kind: folder / f"{kind}-letter-{buyer.subscription_id}.eml" for kind in ("welcome", "access")
        }
        return {
            kind: message_from_bytes(file.read_bytes(), policy=policy.default)
            for kind, file in files.items()
            if file.exists()
        }

    def until_written(self, buyer: Buyer, *kinds: str) -> None:
        """Waits for these letters, and until nothing is waiting for a purchase any more."""
        self.until(
            lambda: set(kinds) <= set(self.letters(buyer)) and not self.waiting(buyer), f"letters: {kinds}"
        )

    def until_all_is_heard(self, *buyers: Buyer) -> None:
        """Waits until registration has taken all signals, and for more news of these purchases to come: of
        agreements AWS is asked once they are active, and its answer is signalled too."""
        self.until_answered(*buyers)
        signals = self.engine.queue(REGISTRATION_SIGNALS_QUEUE)
        self.until(lambda: self.all_told() and signals.depth() == 0, "the signals to be taken")

    def all_told(self) -> bool:
        """Whether notifications has told everybody of everything that it knows."""
        return not self.engine.rows("marketplane-notifications-log", having="untold_since")

    def waiting(self, buyer: Buyer) -> list[dict[str, Any]]:
        """What a purchase has set going and is not done yet, as operators see it."""
        items = self.ask("registration", "/v1/outbox-items", limit=100)["items"]
        return [item for item in items if item["subscription_id"] == buyer.subscription_id]

    def until_tried(self, buyer: Buyer, times: int) -> None:
        """Waits until what a purchase set going was tried so often in vain, and nobody has it in hand."""

        def failed() -> bool:
            items = self.waiting(buyer)
            return self.at_rest(items) and any(one["attempts"] >= times for one in items)

        self.until(failed, f"try number {times}", buyer)

    def until_at_rest(self, buyer: Buyer) -> None:
        """Waits until what a purchase set going is done, or waits for a later moment. To be called before the
        clock is moved so that it is tried again: the pause after a try counts from when the try ended."""
        self.until(lambda: self.at_rest(self.waiting(buyer)), "what was begun to be ended", buyer)

    def at_rest(self, items: list[dict[str, Any]]) -> bool:
        """Whether nobody has one of these in hand, and none is due. Who has one in hand has it for
        UNTIL_TAKEN_OVER; the first few pauses are shorter by far."""
        now = self.now()
        in_hand = now + UNTIL_TAKEN_OVER / 2
        return all(now < datetime.fromisoformat(one["due_at"]) < in_hand for one in items)

    def customer_signed_in_as(self, subject: str, *buyers: Buyer) -> dict[str, Any]:
        """Who signed in, if that is one customer, with all these purchases and no others."""
        identities = self.engine.rows("marketplane-identities")
        (identity,) = [row for row in identities if row["private_subject"] == subject]
        found = [self.customers_of(buyer) for buyer in buyers]
        ids = [[one["customer_id"] for one in each] for each in found]
        assert ids == [[identity["customer_id"]]] * len(buyers)
        customer = found[0][0]
        held = [one["subscription_id"] for one in customer["subscriptions"]]
        assert sorted(held) == sorted(buyer.subscription_id for buyer in buyers)
        assert customer["version"] == len(buyers)
        claims = [row for row in self.rows_of(*buyers) if "claimed_at" in row]
        assert {row["customer_id"] for row in claims} == {identity["customer_id"]}
        return customer

    def access(self, customer_id: str) -> dict[str, Any]:
        """What the seller's product is told on each login."""
        return dict(self.ask("registration", f"/v1/customers/{customer_id}/access"))

    def customers_called(self, email: str) -> list[dict[str, Any]]:
        return list(self.ask("registration", "/v1/customers", email=email)["items"])

    def bearer_token(self, subject: str) -> str:
        """What the seller's frontend holds of a user who signed in there by the house's identity provider."""
        assert self.back_end, "this house has no seller's side"
        claims = {"iss": self.stack.urls["identity"], "aud": FRONTEND}
        token = self.back_end.issuer.token(subject, "buyer", **claims)
        self.secrets.add(token)
        return token

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

    def end(self, *buyers: Buyer) -> None:
        """They cancel, are billed, and their last hour goes by."""
        for buyer in buyers:
            self.cancel(buyer)
        self.advance(UNTIL_ENDING)
        self.until_status("ending", *buyers)
        self.until_settled(*(buyer for buyer in buyers if buyer.used))
        self.begin_hour()
        self.begin_hour()
        self.until_status("ended", *buyers)

    def rows_of(self, *buyers: Buyer) -> list[dict[str, Any]]:
        """Claims and customers of purchases, whole, as they lie in the tables."""
        ids = {buyer.subscription_id for buyer in buyers}
        claims = self.engine.rows("marketplane-claims")
        customers = self.engine.rows("marketplane-customers")
        return [row for row in claims if row["subscription_id"] in ids] + [
            row for row in customers if ids & set(row["subscription_ids"])
        ]

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
                lambda buyer=buyer: self.subscription(buyer).get("status") == status,
                f"status {status}",
                buyer,
            )

    def until_answered(self, *buyers: Buyer) -> None:
        """Waits until all news that has come due is applied and nothing is left to ask AWS about these
        purchases: until then their rows may change."""
        ids = {buyer.subscription_id for buyer in buyers}
        queue = self.engine.queue(NEWS_QUEUE)

        def nothing_is_due() -> bool:
            if any(one["state"] == "due" for buyer in buyers for one in self.news(buyer)) or queue.depth():
                return False
            rows = self.engine.rows("marketplane-subscriptions", having="private_ask_at")
            asked_at = [row["private_ask_at"] for row in rows if row["subscription_id"] in ids]
            return all(datetime.fromisoformat(at) > self.now() for at in asked_at)

        self.until(nothing_is_due, "AWS's news and answers", *buyers)

    def told_versions(self, buyer: Buyer) -> set[int]:
        """The versions of a subscription that others are told of. (One in which a reader learns nothing but
        which message it was is told to nobody.)"""
        history = self.listed(f"/v1/subscriptions/{buyer.subscription_id}/history")
        return {
            entry["version"]
            for entry in history
            if {change["attribute"] for change in entry["changes"]} - {"changed_at", "changed_by"}
        }

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

    def operate(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, expect: int = 200
    ) -> dict[str, Any]:
        """What an operator of notifications does."""
        url = self.stack.urls["notifications-web"] + path
        answer = self.http.request(method, url, json=body, headers=self.keys["notifications"])
        assert answer.status_code == expect, f"{method} {path} answered {answer.status_code}: {answer.text}"
        return dict(answer.json()) if answer.content else {}

    def listed(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """All pages of a list of notifications'."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.ask("notifications", path, limit=100, **query)
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            query["cursor"] = page["next_cursor"]

    def until(self, holds: Callable[[], T], what: str, *buyers: Buyer) -> T:
        """Waits for a condition; answers what made it true. In vain, it says how things stand, and what is
        known of these buyers."""
        try:
            return until(holds, what)
        except TimeoutError as error:
            error.add_note(how_it_stands(self, *buyers))
            raise

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

    def queues(self) -> list[str]:
        return [url.rpartition("/")[2] for url in self.sqs.list_queues().get("QueueUrls", [])]

    def rows(self, table: str, having: str = "") -> list[dict[str, Any]]:
        """All items of a table, or only those that have an attribute."""
        only = {"FilterExpression": f"attribute_exists({having})"} if having else {}
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True, **only)
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

    def submit(self, email: str, **fields: str) -> httpx.Response:
        """Says who they are, and answers the product's own questions."""
        raise NotImplementedError

    def sign_in(self, subject: str) -> None:
        """Signs in at the identity provider."""
        raise NotImplementedError

    def is_registered(self) -> bool:
        """What the door itself says, asked again."""
        raise NotImplementedError

    def is_waiting(self) -> bool:
        """Whether the door says that the account is being made."""
        raise NotImplementedError

    def close(self) -> None:
        """Goes away."""


class Browser(Landing):
    """Somebody at a browser, who has not gone anywhere yet."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.visitor = Visitor(house.stack.urls["registration-web"])
        self.form: dict[str, str] = {}  # of the registration form, as the page showed it last; or none

    def arrived(self) -> None:
        """A page with a new session has come."""
        assert self.visitor.answer.status_code == 200, self.visitor.reads()
        self._note_form()
        cookies = self.visitor.answer.history[0].cookies
        self._house.secrets.update(cookies.values())
        self._session = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}

    def submit(self, email: str, **fields: str) -> httpx.Response:
        # Not by the visitor, who is one person: this may be done many times at once.
        assert self.form, "the page showed no form"
        url = self._house.stack.urls["registration-web"] + "/register/customer"
        form = self.form | {"email": email, "name": "Ada", "company": "Analytics Ltd", **fields}
        return self._house.http.post(url, data=form, headers=self._session)

    def sign_in(self, subject: str) -> None:
        self.visitor.open("/register")
        self.visitor.follow("/register/sign-in/")
        assert self.visitor.answer.status_code == 200, self.visitor.reads()
        self.visitor.submit("", sub=subject)
        assert self.visitor.answer.status_code == 200, self.visitor.reads()
        self._note_form()

    def is_registered(self) -> bool:
        self.visitor.open("/register")
        return "is registered" in self.reads() or "account is set up" in self.reads()

    def is_waiting(self) -> bool:
        self.visitor.open("/register")
        return "account is being made" in self.reads()

    def reads(self) -> str:
        return self.visitor.reads()

    def close(self) -> None:
        self.visitor.close()

    def _note_form(self) -> None:
        forms = (form.fields for form in self.visitor.page.forms if form.action == "/register/customer")
        self.form = next(forms, {})
        if self.form:
            self._house.secrets.add(self.form["csrf_token"])


class Frontend(Landing):
    """The seller's own, with a registration page of its own."""

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
        self._who = "customer"

    def submit(self, email: str, **fields: str) -> httpx.Response:
        details = {"email": email, "name": "Ada", "company": "Analytics Ltd", "fields": fields}
        return self._house.http.put(f"{self._url}/{self._who}", json=details, headers=self._session)

    def sign_in(self, subject: str) -> None:
        token = self._house.bearer_token(subject)
        self._session |= {"Authorization": f"Bearer {token}"}
        self._who = "signed-in-customer"

    def is_registered(self) -> bool:
        return self.asked_again()["status"] == "registered"

    def is_waiting(self) -> bool:
        hand_over = self.asked_again()["hand_over"]
        return hand_over is not None and hand_over["status"] == "pending"

    def asked_again(self) -> dict[str, Any]:
        answer = self._house.http.get(self._url, headers=self._session)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


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

    def peek(self) -> str:
        """All messages that are visible, whole, and left where they are."""
        seen: dict[str, str] = {}
        while messages := self._sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=PEEK_SECONDS,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages"):
            seen |= {message["MessageId"]: repr(message) for message in messages}
        return "\n".join(seen.values())

    def purge(self) -> None:
        """Loses all messages."""
        self._sqs.purge_queue(QueueUrl=self.url)

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
    """Waits for a condition; answers what made it true. It is asked less often the longer it takes.

    Raises:
        TimeoutError: it did not come true.
    """
    deadline = time.monotonic() + seconds
    pause = SHORTEST_PAUSE_SECONDS
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds:.0f} s in vain for {what}.")
        time.sleep(pause)
        pause = min(pause * 1.2, LONGEST_PAUSE_SECONDS)
    return found


def together(*acts: Callable[[], T]) -> list[T]:
    """Does things at the same time, each in a thread; answers what came of each."""
    with ThreadPoolExecutor(max_workers=len(acts)) as pool:
        return [one.result() for one in [pool.submit(act) for act in acts]]


def seen_by_registration(directory: Path, back_end: SellersBackEnd, identity_port: int) -> dict[str, str]:
    """Variables of a house with the journeys' catalogue, whose buyers may also sign in at a frontend.

    Args:
        directory: where the catalogue is written to.
        back_end: where products hand over to.
        identity_port: where the identity provider will be.
    """
    return {
        "PRODUCTS_FILE": str(write_catalogue(directory, back_end.url)),
        "HAND_OVER_SECRET": back_end.secret,
        "JWKS_URL": f"{back_end.url}/jwks",
        "JWT_ISSUER": f"http://127.0.0.1:{identity_port}",
        "JWT_AUDIENCE": FRONTEND,
    }


def assert_belongs_to_another(answer: httpx.Response, buyer: Buyer) -> None:
    """409, with what support needs to look into it and whom to write to."""
    assert answer.status_code == 409, answer.text
    assert buyer.subscription_id in answer.text
    assert "reg_" in answer.text
    assert SUPPORT in answer.text
    if not answer.headers["content-type"].startswith("text/html"):
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["type"].endswith("/subscription-already-claimed")
        assert problem["subscription_id"] == buyer.subscription_id


def derived_id(identity: str) -> str:
    """A subscription's id, as design and `openapi/tables/subscription_id.vectors.json` have it."""
    return "sub_" + base64.b32encode(hashlib.sha256(identity.encode()).digest()).decode().lower()[:26]


def wire(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
