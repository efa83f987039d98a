"""The world that the contracts are tested in: buyers of both generations, usage, a bill, ends; then time
stands still.

Everything in it came about through the front doors: bought at the simulator, registered and used over the
APIs. The contracts' own example ids stand for what is in it: `World.made_real` puts the real ones in their
place.
"""

from __future__ import annotations

import itertools
import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import boto3
import httpx
import requests
import schemathesis

from tests.contract.contracts import SCOPES, SERVICES, Operation
from tools.stack import REGION, Stack
from tools.visitor import Visitor

START = "2026-11-22T09:50:00Z"
LEGACY_PRODUCT = "5fexampleclassic0000000000"
LICENSED_PRODUCT = "74azexampleendpoints00000"
METERED = "gpu_hours"  # a dimension of both products
SIGNALS = "marketplane-contract-signals"
PATIENCE_SECONDS = 120.0

# What a process needs to play in this world, over the usual.
ENVIRONMENT = {
    "CYCLE_SECONDS": "0.5",
    "SIGNAL_QUEUES": f"marketplane-metering-subscription-events,{SIGNALS}",
    # The contract names the cookie of https; a browser would not send it over http, but these callers do.
    "COOKIE_SECURE": "true",
}
PROCESS_ENVIRONMENT = {"simulator": {"SIMULATOR_START": START}}

# What the contracts' examples are called.
A_SUBSCRIPTION = "sub_akqbclolnbr5rol2aljugptsbj"
ANOTHER_SUBSCRIPTION = "sub_t6gpawywych34xbexcgv7drsaj"
A_CUSTOMER = "cus_5d7e3f6g4h2fzk5j3w7v6c4b2a"
A_REGISTRATION = "reg_2fzk5j3w7v6c4b2a5d7e3f6g4h"
A_NOTIFICATION = "b1f5e1f4-0000-4000-8000-000000000002"
AN_AGREEMENT = "agmt-EXAMPLE"
AN_ACCOUNT = "444455556666"
A_PRODUCT = "74az0EXAMPLE"
A_TOKEN = "EXAMPLE-registration-token"
A_FORM = "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

Values = Mapping[str, str | Callable[[], str]]


@dataclass(frozen=True)
class Buyer:
    """Somebody who bought, and what came of it."""

    purchase: dict[str, Any]
    subscription_id: str
    registration_id: str
    session_secret: str
    customer_id: str = ""

    @property
    def agreement_id(self) -> str:
        return str(self.purchase["agreement_id"])


@dataclass
class World:
    """The running stack, its inhabitants, and which answers were seen."""

    stack: Stack
    keys: dict[str, str] = field(default_factory=dict)
    legacy: Buyer = None  # type: ignore[assignment]
    licensed: Buyer = None  # type: ignore[assignment]
    old_token: str = ""
    seen: Counter[tuple[str, str, int]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._http = httpx.Client(timeout=30, trust_env=False)
        self._session = requests.Session()
        self._session.trust_env = False
        self._numbers = itertools.count(1)

    # -- coming about ----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Plays three hours, so that every kind of row and answer exists, and then lets time stand still."""
        self.queues.create_queue(QueueName=SIGNALS)
        with ThreadPoolExecutor() as pool:
            keys = pool.map(lambda service: self.stack.api_key(service, SCOPES), SERVICES)
            self.keys = dict(zip(SERVICES, keys, strict=True))
        self.old_token = str(self.buy()["registration_token"])
        self.legacy, self.licensed = self.registered(LEGACY_PRODUCT), self.registered(LICENSED_PRODUCT)
        leavers = [self.registered(product) for product in (LEGACY_PRODUCT, LICENSED_PRODUCT) for _ in (1, 2)]
        erased = self.registered(LICENSED_PRODUCT, email="erased@example.com")
        self.ask("registration", "DELETE", f"/v1/customers/{erased.customer_id}")
        self.advance(seconds=75)
        everyone = (self.legacy, self.licensed, *leavers)
        self._until(
            "active subscriptions", lambda: all(self._status(buyer) == "active" for buyer in everyone)
        )

        self.set_clock("2026-11-22T10:40:00Z")
        self._use("2026-11-22T10:15:00Z")
        self.set_clock("2026-11-22T11:10:00Z")
        self._until("a bill", lambda: all(self._billed(buyer) == 1 for buyer in (self.legacy, self.licensed)))
        self._use("2026-11-22T11:05:00Z")

        for buyer in (leavers[0], leavers[2]):
            self._cancel(buyer)
        # Later than the simulator's tokens live, so that the first one has expired.
        self.set_clock("2026-11-22T14:00:00Z")
        self._until("ends", lambda: all(self._status(buyer) == "ended" for buyer in (leavers[0], leavers[2])))
        for buyer in (leavers[1], leavers[3]):
            self._cancel(buyer)
        self.advance(seconds=60)
        self._until(
            "last hours", lambda: all(self._status(buyer) == "ending" for buyer in (leavers[1], leavers[3]))
        )
        self._until(
            "another bill", lambda: all(self._billed(buyer) == 2 for buyer in (self.legacy, self.licensed))
        )
        self._until("an empty outbox", lambda: not self.rows("notifications-outbox"))
        # From here on nothing changes but by the tests' own requests.
        for worker in ("notifications-worker", "metering-worker"):
            self.stack.kill(worker)

    def list_product(self, product_code: str) -> None:
        """List a product at the simulator that our catalogue does not know."""
        product = {"product_code": product_code, "title": "Served by somebody else"}
        dimensions = {"generation": "concurrent_agreements", "dimensions": [{"key": METERED}]}
        self._control("POST", "/products", product | dimensions)

    def buy(self, product_code: str = LICENSED_PRODUCT) -> dict[str, Any]:
        """A purchase at the simulator, with its registration token."""
        return self._control("POST", "/agreements", {"product_code": product_code})

    def arrived(self, product_code: str = LICENSED_PRODUCT) -> Buyer:
        """A buyer whose token was taken and who has not said yet who they are."""
        purchase = self.buy(product_code)
        opened = self.ask(
            "registration",
            "POST",
            "/v1/registrations",
            {"registration_token": purchase["registration_token"]},
        )
        return Buyer(purchase, opened["subscription_id"], opened["registration_id"], opened["session_secret"])

    def registered(self, product_code: str = LICENSED_PRODUCT, email: str = "") -> Buyer:
        """A buyer with a customer."""
        buyer = self.arrived(product_code)
        path = f"/v1/registrations/{buyer.registration_id}/customer"
        details = {"email": email or f"buyer-{next(self._numbers)}@example.com"}
        answer = self.ask("registration", "PUT", path, details)
        return Buyer(
            buyer.purchase,
            buyer.subscription_id,
            buyer.registration_id,
            buyer.session_secret,
            answer["customer_id"],
        )

    def landed(self) -> tuple[str, str]:
        """A browser on the landing page: its session cookie, and the CSRF token of the form that it sees."""
        landing = self.url("registration") + "/register"
        posted = self._http.post(landing, data={"x-amzn-marketplace-token": self.buy()["registration_token"]})
        cookie = posted.headers["set-cookie"].split(";")[0].split("=", 1)[1]
        shown = self._http.get(landing, headers={"Cookie": f"__Host-registration={cookie}"})
        with Visitor(landing) as browser:
            browser.page.feed(shown.text)
            form = next(form for form in browser.page.forms if "csrf_token" in form.fields)
        return cookie, form.fields["csrf_token"]

    def _use(self, moment: str) -> None:
        """Each of the two buyers who stay uses something in this minute."""
        used = [
            {
                "source": "contract-tests",
                "id": f"{buyer.subscription_id}-{moment}-{number}",
                "subscription_id": buyer.subscription_id,
                "dimension": METERED,
                "quantity": "0.25",
                "time": moment,
            }
            for buyer in (self.legacy, self.licensed)
            for number in range(3)
        ]
        self.ask("metering", "POST", "/v1/usage-events", {"events": used})

    def _cancel(self, buyer: Buyer) -> None:
        self._control("POST", f"/agreements/{buyer.agreement_id}/cancel")

    def _status(self, buyer: Buyer) -> str:
        answer = self.request("notifications", "GET", f"/v1/subscriptions/{buyer.subscription_id}")
        return str(answer.json()["status"]) if answer.status_code == 200 else ""

    def _billed(self, buyer: Buyer) -> int:
        path = f"/v1/metering-records?subscription_id={buyer.subscription_id}&outcome=billed"
        return len(self.ask("metering", "GET", path)["items"])

    def close(self) -> None:
        """Hang up."""
        self._http.close()
        self._session.close()

    # -- the clock and the tables ----------------------------------------------------------------------------

    def now(self) -> datetime:
        return datetime.fromisoformat(self._control("GET", "/clock")["now"])

    def set_clock(self, moment: str) -> None:
        self._control("PUT", "/clock", {"now": moment})

    def advance(self, seconds: float) -> None:
        self._control("PUT", "/clock", {"advance_seconds": seconds})

    def emitted_news(self) -> list[dict[str, Any]]:
        """AWS's news as the simulator delivered it."""
        news: list[dict[str, Any]] = self._control("GET", "/news")["news"]
        return [one for one in news if one["state"] == "delivered"]

    @property
    def queues(self) -> Any:
        return self.aws("sqs")

    def aws(self, service: str) -> Any:
        """A boto3 client of the stack's engine and account."""
        variables = self.stack.environment_of("registration-web")
        return boto3.client(
            service,
            endpoint_url=variables[f"AWS_ENDPOINT_URL_{service.upper()}"],
            region_name=REGION,
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All items of a table as JSON would show them."""
        pages = self.aws("dynamodb").get_paginator("scan").paginate(TableName=f"marketplane-{table}")
        return [as_json({"M": item}) for page in pages for item in page["Items"]]

    # -- asking ----------------------------------------------------------------------------------------------

    def url(self, service: str) -> str:
        return self.stack.urls[f"{service}-web"]

    def request(self, service: str, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """One request with the key of all scopes, unless `headers` say otherwise."""
        more.setdefault("headers", {"X-API-Key": self.keys[service]})
        if body is not None:
            more["json"] = body
        return self._http.request(method, self.url(service) + path, **more)

    def ask(self, service: str, method: str, path: str, body: Any = None) -> Any:
        """The body of an answer that must be good."""
        answer = self.request(service, method, path, body)
        assert answer.status_code < 300, f"{method} {path} answered {answer.status_code}: {answer.text}"
        return answer.json() if answer.content else None

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._http.request(method, f"{self.stack.urls['simulator']}/_simulator{path}", json=body)
        assert answer.status_code < 300, f"{method} {path} answered {answer.status_code}: {answer.text}"
        return answer.json()

    def _until(self, what: str, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS:.0f} s in vain for {what}"
            time.sleep(0.05)

    # -- generated requests ----------------------------------------------------------------------------------

    def send(self, service: str, case: schemathesis.Case) -> None:
        """Send a generated request, its examples made real, and hold the answer to every check."""
        how = self.prepare(service, case)
        response = case.call(**how)
        self.note(service, case, response)
        case.validate_response(response, headers=how["headers"], transport_kwargs=how)

    def prepare(self, service: str, case: schemathesis.Case) -> dict[str, Any]:
        """Make a case's examples real, and answer how it is sent: with a key of all scopes, or by cookie."""
        operation = operation_id(case)
        how = {"base_url": self.url(service), "session": self._session, "allow_redirects": False}
        if operation == "landing.submit_customer":
            cookie, form = self.landed()
            put_in(case, {A_FORM: form})
            if is_valid(case) and isinstance(case.body, dict):
                case.body = case.body | {"csrf_token": form}  # or no other field would ever be looked at
            return how | {"headers": {}, "cookies": {"__Host-registration": cookie}}
        if operation == "post_usage_events":
            make_plausible(case, self.now())
        put_in(case, self.made_real(case))
        public = case.operation.definition.raw["security"] == []
        return how | {"headers": {} if public else {"X-API-Key": self.keys[service]}}

    def note(self, service: str, case: schemathesis.Case, response: schemathesis.Response) -> None:
        """Remember that an operation gave an answer."""
        self.seen[service, operation_id(case), response.status_code] += 1

    def made_real(self, case: schemathesis.Case) -> Values:
        """What each example of the contracts stands for. What a request may change is made anew for each, so
        that no answer depends on the requests before it: Hypothesis repeats itself and must find the same."""

        def registration() -> str:
            # One that has a customer already, or one that has none yet: 200 and 201.
            taken = zlib.crc32(repr(case.body).encode()) % 2
            return (self.registered() if taken else self.arrived()).registration_id

        return {
            A_SUBSCRIPTION: self.licensed.subscription_id,
            ANOTHER_SUBSCRIPTION: self.legacy.subscription_id,
            AN_AGREEMENT: self.licensed.agreement_id,
            AN_ACCOUNT: str(self.licensed.purchase["customer_aws_account_id"]),
            A_PRODUCT: LICENSED_PRODUCT,
            A_CUSTOMER: lambda: self.registered().customer_id,
            A_REGISTRATION: registration,
            A_TOKEN: lambda: str(self.buy()["registration_token"]),
            A_NOTIFICATION: lambda: str(
                self.ask("notifications", "GET", "/v1/notifications?limit=1")["items"][0]["notification_id"]
            ),
        }

    def never_seen(self, operation: Operation) -> list[int]:
        """The successes of an operation that no request of the tests so far has got."""
        return [
            status for status in operation.successes if not self.seen[operation.service, operation.id, status]
        ]


def operation_id(case: schemathesis.Case) -> str:
    return str(case.operation.definition.raw["operationId"])


def is_valid(case: schemathesis.Case) -> bool:
    """Whether a case was made to fit the contract."""
    return case.meta is not None and bool(case.meta.generation.mode.is_positive)


def put_in(case: schemathesis.Case, values: Values) -> None:
    """Replace examples by what they stand for, wherever a request holds them."""
    for part in ("path_parameters", "query", "body"):
        before = getattr(case, part)
        after = _replaced(before, values)
        if after != before:
            setattr(case, part, after)


def _replaced(node: Any, values: Values) -> Any:
    if isinstance(node, dict):
        return {name: _replaced(value, values) for name, value in node.items()}
    if isinstance(node, list):
        return [_replaced(value, values) for value in node]
    if isinstance(node, str) and node in values:
        real = values[node]
        return real if isinstance(real, str) else real()
    return node


def make_plausible(case: schemathesis.Case, now: datetime) -> None:
    """Let about half of the valid generated events be of a dimension that is sold and of the last hours: the
    contract knows neither the catalogue nor the clock, and what is always refused tests one refusal only."""
    if not is_valid(case) or not isinstance(case.body, dict):
        return
    events = [dict(event) for event in case.body["events"]]
    for event in events:
        chance = zlib.crc32(repr(sorted(event.items())).encode())
        if chance % 2:
            event["dimension"] = METERED
            event["time"] = (now - timedelta(minutes=chance % 300)).isoformat().replace("+00:00", "Z")
    case.body = case.body | {"events": events}


def as_json(value: dict[str, Any]) -> Any:
    """A DynamoDB value as JSON shows it: numbers as numbers, sets as sorted lists."""
    (kind, held), *_ = value.items()
    match kind:
        case "M":
            return {name: as_json(member) for name, member in held.items()}
        case "L":
            return [as_json(member) for member in held]
        case "N":
            return int(held) if held.lstrip("-").isdigit() else float(held)
        case "NULL":
            return None
        case "SS":
            return sorted(held)
        case "B":
            return held.hex()
        case _:
            return held
