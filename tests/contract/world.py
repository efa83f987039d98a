"""The world that the contracts are tested in: buyers of both generations and of a contract, some who signed
in and some whom the seller's back end knows, usage, a bill, ends, an offer in the place of another, notices,
and a system of the seller's that hears of it all; then time stands still.

Everything in it came about through the front doors: bought at the simulator, told on the queue, registered
and used over the APIs. The contracts' own example ids stand for what is in it: `World.made_real` puts the
real ones in their place.
"""

from __future__ import annotations

import copy
import itertools
import json
import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import httpx
import requests
import schemathesis
from schemathesis.core import NOT_SET

from tests.contract.contracts import SCOPES, SERVICES, Operation, document
from tests.contract.schemas import schema
from tests.contract.seldom_news import legacy_messages, notices
from tests.contract.seller_side import GONE, HANDED_OVER_PRODUCT, REFUSED, UNANSWERED, WEBHOOKS, SellerSide
from tests.journeys.standing import last_warnings
from tools.stack import LOCAL_SECRET, METERING_SIGNALS, REGION, REGISTRATION_SIGNALS, Stack
from tools.visitor import Visitor

START = "2026-11-22T09:50:00Z"
LEGACY_PRODUCT = "5fexampleclassic0000000000"
LICENSED_PRODUCT = "74azexampleendpoints00000"
CONTRACT_PRODUCT = "6cexamplecontract00000000"
PRODUCTS = (LICENSED_PRODUCT, LEGACY_PRODUCT, CONTRACT_PRODUCT, HANDED_OVER_PRODUCT)
ENTITLED = {"editors": 3, "workspaces": 1}  # of the contract product
METERED = "gpu_hours"  # a dimension of both products whose usage is metered
SIGNALS = "marketplane-contract-signals"
PATIENCE_SECONDS = 120.0

NEWS = "marketplane-notifications"
EVENTBRIDGE_HEADER = {"X-EventBridge-Secret": LOCAL_SECRET}
DEAD_LETTERS = f"{NEWS}-dlq"
MOST_WEBHOOK_ENDPOINTS = 25
LONGEST_WALK = 15  # steps along the contracts' links
MANY_WEBHOOK_ENDPOINTS = LONGEST_WALK + 2
WEBHOOK_TYPES = frozenset(document("notifications")["components"]["schemas"]["WebhookEventType"]["enum"])

# What a process needs to play in this world, over the usual.
ENVIRONMENT = {
    "CYCLE_SECONDS": "0.5",
    "SIGNAL_QUEUES": f"{METERING_SIGNALS},{REGISTRATION_SIGNALS},{SIGNALS}",
    # The contract names the cookie of https; a browser would not send it over http, but these callers do.
    "COOKIE_SECURE": "true",
    # All callers here are one address.
    "LANDINGS_RATE": "1000000/minute",
    "API_ARRIVALS_RATE": "1000000/minute",
    "SUBMITS_RATE": "1000000/minute",
}
# As many calls of AWS as come: its quotas are of real seconds.
PROCESS_ENVIRONMENT = {"simulator": {"SIMULATOR_START": START, "SIMULATOR_CALLS_PER_SECOND": "0"}}

SIGNED_IN = "person-with-endpoints"
ANOTHER_PERSON = "person-of-two-purchases"

# What the contracts' examples are called.
A_SUBSCRIPTION = "sub_akqbclolnbr5rol2aljugptsbj"
ANOTHER_SUBSCRIPTION = "sub_t6gpawywych34xbexcgv7drsaj"
NEVER_HEARD_OF = "sub_" + "n" * 26
A_CUSTOMER = "cus_5d7e3f6g4h2fzk5j3w7v6c4b2a"
ONE_WHO_USES = "cus_2fzk5j3w7v6c4b2a5d7e3f6g4h"
AN_HOUR = "2026-11-22T10"
A_METERING_RECORD = f"sub_akqbclolnbr5rol2aljugptsbj.gpu_hours.{AN_HOUR}"
A_REGISTRATION = "reg_2fzk5j3w7v6c4b2a5d7e3f6g4h"
A_RECONCILIATION = "rec_2fzk5j3w7v6c4b2a5d7e3f6g4h"
A_BILLING_RECONCILIATION = "rec_5d7e3f6g4h2fzk5j3w7v6c4b2a"
AN_ENDPOINT = "end_5tqa2fzk5j3w7v6c4b2a5d7e3f"
A_METERING_RUN = "run_2fzk5j3w7v6c4b2a5d7e3f6g4h"
A_NOTIFICATION = "b1f5e1f4-0000-4000-8000-000000000002"
AN_AGREEMENT = "agmt-EXAMPLE"
AN_ACCOUNT = "444455556666"
A_PRODUCT = "74az0EXAMPLE"
A_TOKEN = "EXAMPLE-registration-token"
A_WEBHOOK_ENDPOINT = "whe_2fzk5j3w7v6c4b2a5d7e3f6g4h"
A_WEBHOOK_DELIVERY = "whd_3f6g4h2fzk5j3w7v6c4b2a5d7e"
A_WEBHOOK_REPLAY = "whr_4b2a5d7e3f6g4h2fzk5j3w7v6c"
A_DEAD_LETTER = "5fea7756-0ea4-451a-a703-a558b933e274"
A_FORM = "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
AN_ACCOUNT_OF_THE_SELLER = "user-17"
AN_OUTBOX_ITEM = "hand-over-sub_akqbclolnbr5rol2aljugptsbj-ask_2fzk5j3w7v6c4b2a5d7e3f6g4h"
# By the parameter that takes it.
KNOWN = {
    "agreement_id": AN_AGREEMENT,
    "customer_id": A_CUSTOMER,
    "delivery_id": A_WEBHOOK_DELIVERY,
    "endpoint_id": A_WEBHOOK_ENDPOINT,
    "notification_id": A_NOTIFICATION,
    "outbox_id": AN_OUTBOX_ITEM,
    "reconciliation_id": A_RECONCILIATION,
    "registration_id": A_REGISTRATION,
    "replay_id": A_WEBHOOK_REPLAY,
    "subscription_id": A_SUBSCRIPTION,
    "metering_record_id": A_METERING_RECORD,
    "metering_run_id": A_METERING_RUN,
}
TAKES_FIELDS = {"register_customer", "connect_customer"}
TOKENS = {"registration_token", "x-amzn-marketplace-token"}

# What AWS posts to the door for events.
EVENTS = [
    dict(example)
    for kind in ("agreement-event", "license-event", "notice")
    for example in schema(f"events/eventbridge-{kind}")["examples"]
]

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


# Hypothesis shows what a test was given, and warns when that is long; all that this world has seen would be.
@dataclass(repr=False)
class World:
    """The running stack, its inhabitants, and which answers were seen."""

    stack: Stack
    side: SellerSide
    keys: dict[str, str] = field(default_factory=dict)
    decided_record: str = ""
    legacy: Buyer = None  # type: ignore[assignment]
    licensed: Buyer = None  # type: ignore[assignment]
    entitled: Buyer = None  # type: ignore[assignment]
    handed_over: Buyer = None  # type: ignore[assignment]
    replaced: Buyer = None  # type: ignore[assignment]
    """Who took another offer in the place of this one."""
    signed_in: Buyer = None  # type: ignore[assignment]
    """Whose customer is the person SIGNED_IN."""
    account_id: str = ""
    """What the seller's back end calls the customer of `handed_over`."""
    cookie: str = ""
    """The session of a browser that has landed."""
    old_token: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    """Of each registration that this world has made, its session's."""
    reconciliation_id: str = ""
    """Of subscriptions with what AWS says."""
    billing_reconciliation_id: str = ""
    """Of metering's books with what AWS has counted."""
    file_of_aws: dict[str, Any] = field(default_factory=dict)
    """CloudTrail's, which says otherwise than our books."""
    metering_run_id: str = ""
    told_by_us: set[str] = field(default_factory=set)
    """The ids of the news that these tests put on the queue."""
    webhook_secret: str = ""
    """Of the endpoint that has heard of everything."""
    webhooks_told: list[str] = field(default_factory=list)
    """Deliveries that were tried: to it, and to one that is gone."""
    seen: Counter[tuple[str, str, int]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._http = httpx.Client(timeout=30, trust_env=False)
        self._session = requests.Session()
        self._session.trust_env = False
        self._numbers = itertools.count(1)
        self._aws: dict[str, Any] = {}

    # -- coming about ----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Plays three hours, so that every kind of row and answer exists, and then lets time stand still."""
        self.queues.create_queue(QueueName=SIGNALS)
        with ThreadPoolExecutor() as pool:
            keys = pool.map(lambda service: self.stack.api_key(service, SCOPES), SERVICES)
            self.keys = dict(zip(SERVICES, keys, strict=True))
        self._listen()
        self.old_token = str(self.buy()["registration_token"])
        self.legacy, self.licensed = self.registered(LEGACY_PRODUCT), self.registered(LICENSED_PRODUCT)
        self.entitled, self.handed_over = map(self.registered, (CONTRACT_PRODUCT, HANDED_OVER_PRODUCT))
        self.replaced = self.registered(CONTRACT_PRODUCT)
        found = self.ask("registration", "GET", f"/v1/customers/{self.handed_over.customer_id}")
        self.account_id = found["account_id"]
        self.connected(ANOTHER_PERSON)
        self.connected(ANOTHER_PERSON)
        self.signed_in = self.connected(SIGNED_IN)
        self.unanswered()
        leavers = [self.registered(product) for product in (LEGACY_PRODUCT, LICENSED_PRODUCT) for _ in (1, 2)]
        erased = self.registered(LICENSED_PRODUCT, email="erased@example.com")
        self.ask("registration", "DELETE", f"/v1/customers/{erased.customer_id}")
        self.advance(seconds=75)
        stayers = (
            self.legacy,
            self.licensed,
            self.entitled,
            self.handed_over,
            self.replaced,
            self.signed_in,
        )
        everyone = (*stayers, *leavers)
        self._until(
            "active subscriptions", lambda: all(self._status(buyer) == "active" for buyer in everyone)
        )

        self.set_clock("2026-11-22T10:40:00Z")
        self._use("2026-11-22T10:15:00Z")
        self._use("2026-11-22T10:15:00Z", self.signed_in)
        self._use_by_customer("2026-11-22T10:20:00Z", self.signed_in)
        self.set_clock("2026-11-22T11:10:00Z")
        self._until("a bill", lambda: all(self._billed(buyer) == 1 for buyer in (self.legacy, self.licensed)))
        self._until("a bill of who signed in", lambda: self._billed(self.signed_in) > 0)
        self._use("2026-11-22T11:05:00Z")
        self._leave_open(leavers[3])
        self._run_metering()
        self._hold_usage()

        for buyer in (leavers[0], leavers[2]):
            self._act(buyer, "cancel")
        # Later than the simulator's tokens live, so that the first one has expired.
        self.set_clock("2026-11-22T14:00:00Z")
        self._until("ends", lambda: all(self._status(buyer) == "ended" for buyer in (leavers[0], leavers[2])))
        for buyer in (leavers[1], leavers[3]):
            self._act(buyer, "cancel")
        self._act(self.replaced, "replace")
        self.advance(seconds=75)
        last_hours = (leavers[1], leavers[3], self.replaced)
        self._until("last hours", lambda: all(self._status(buyer) == "ending" for buyer in last_hours))
        self._until("what replaces", lambda: self._subscription(self.replaced)["next_subscription_id"])
        self._until(
            "another bill", lambda: all(self._billed(buyer) == 2 for buyer in (self.legacy, self.licensed))
        )
        self._tell_what_is_seldom()
        self._reconcile()
        self._reconcile_billing()
        # In the order in which one follows from the other, so that what was settled stays so.
        self._until("all news to be taken", lambda: not self._news_on_queue())
        self._until("all questions to be answered", lambda: not self._questions_due())
        self._until(
            "everybody to be told",
            lambda: not any("untold_since" in row for row in self.rows("notifications-log")),
        )
        self._until("all webhooks", self._all_is_told)
        assert self._types_told() >= WEBHOOK_TYPES
        self._stop_listening()
        self._until(
            "only what the seller's back end does not answer in registration's outbox",
            lambda: {row["kind"] for row in self.rows("registration-outbox")} == {"hand_over"},
        )
        # From here on nothing changes but by the tests' own requests.
        for worker in ("registration-worker", "notifications-worker", "metering-worker"):
            self.stack.kill(worker)
        self.cookie, _ = self.landed()
        for _ in range(2):  # so that their list has a next page
            self.endpoint()

    def _listen(self) -> None:
        """From now on a system of the seller's is told of everything; another one wants to hear nothing."""
        wish = {"url": f"{self.side.url}{WEBHOOKS}", "description": "Hears of everything"}
        made = self.ask("notifications", "POST", "/v1/webhook-endpoints", wish)
        self._hears, self.webhook_secret = made["endpoint_id"], made["secret"]
        wish = {"url": f"{self.side.url}{GONE}", "event_types": []}
        self._is_gone = self.ask("notifications", "POST", "/v1/webhook-endpoints", wish)["endpoint_id"]
        self._webhook_endpoints = [self._hears, self._is_gone]
        for endpoint_id in self._webhook_endpoints:
            path = f"/v1/webhook-endpoints/{endpoint_id}/test-events"
            self.webhooks_told.append(self.ask("notifications", "POST", path)["delivery_id"])

    def _news_on_queue(self) -> int:
        url = self.queues.get_queue_url(QueueName=NEWS)["QueueUrl"]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self.queues.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(number) for number in counts.values())

    def _questions_due(self) -> bool:
        """Whether AWS is still to be asked something about a subscription."""
        now = self.now()
        asked = [row.get("private_ask_at") for row in self.rows("subscriptions")]
        return any(datetime.fromisoformat(moment) <= now for moment in asked if moment)

    def _types_told(self) -> set[str]:
        return {json.loads(one.body)["type"] for one in self.side.webhooks}

    def _all_is_told(self) -> bool:
        """Whether no webhook is on its way, nor about to be."""
        return not any(row["state"] == "pending" for row in self.rows("notifications-webhook-deliveries"))

    def _stop_listening(self) -> None:
        path = f"/v1/webhook-endpoints/{self._hears}"
        response = self.request("notifications", "PATCH", path, {"enabled": False})
        assert response.json()["disabled_reason"] == "by_operator"
        path = f"/v1/webhook-endpoints/{self._is_gone}"
        assert self.ask("notifications", "GET", path)["disabled_reason"] == "gone"

    def _tell_what_is_seldom(self) -> None:
        """What AWS would say, and the simulator does not."""
        for event in notices(self.licensed.agreement_id, self.now()):
            self._put_on_queue(NEWS, event)
            self.told_by_us.add(event["id"])
        # By raw delivery nothing but SQS's id names a message.
        for message in legacy_messages(LEGACY_PRODUCT):
            self.told_by_us.add(self._put_on_queue(NEWS, message))

    def _put_on_queue(self, queue: str, message: Any) -> str:
        """Returns SQS's id of it."""
        url = self.queues.get_queue_url(QueueName=queue)["QueueUrl"]
        return str(self.queues.send_message(QueueUrl=url, MessageBody=json.dumps(message))["MessageId"])

    def _reconcile(self) -> None:
        """A purchase and an end whose news is lost, so that something differs."""
        leaver = self.registered(LICENSED_PRODUCT)
        self.advance(seconds=75)
        self._until("one more purchase", lambda: self._status(leaver) == "active")
        self._control("PUT", "/news-delivery", {"drop": 1000})
        self.buy()
        self._act(leaver, "cancel")
        self.advance(seconds=75)
        self._control("PUT", "/news-delivery", {"drop": 0})
        started = self.ask("notifications", "POST", "/v1/reconciliations")
        self.reconciliation_id = str(started["reconciliation_id"])
        path = f"/v1/reconciliations/{self.reconciliation_id}"
        self._until("a reconciliation", lambda: self.ask("notifications", "GET", path)["state"] == "finished")

    def _reconcile_billing(self) -> None:
        """A file of AWS's that has other quantities than our books, twice, so that each list has a next
        page."""
        licence = {"licenseArn": self.licensed.purchase["license_arn"], "dimension": METERED}
        counted = [
            {
                "usageRecord": licence | {"timestamp": record["timestamp"], "quantityAsDecimal": "7"},
                "status": "Success",
            }
            for record in self._records(f"subscription_id={self.licensed.subscription_id}&outcome=billed")
        ]
        call = {
            "eventID": "of-the-contract-tests",
            "eventTime": START,
            "eventSource": "metering-marketplace.amazonaws.com",
            "eventName": "BatchMeterUsage",
            "awsRegion": REGION,
            "requestParameters": {"usageRecords": [one["usageRecord"] for one in counted]},
            "responseElements": {"results": counted},
        }
        self.file_of_aws = {"Records": [call]}
        for _ in range(2):
            answer = self.ask("metering", "POST", "/v1/reconciliations", self.file_of_aws)
        assert answer["reconciliation"]["counts"]["differences"] == len(counted) == 2
        self.billing_reconciliation_id = str(answer["reconciliation"]["reconciliation_id"])

    def list_product(self, product_code: str) -> None:
        """List a product at the simulator that our catalogue does not know."""
        product = {"product_code": product_code, "title": "Served by somebody else"}
        dimensions = {"generation": "concurrent_agreements", "dimensions": [{"key": METERED}]}
        self._control("POST", "/products", product | dimensions)

    def buy(self, product_code: str = LICENSED_PRODUCT) -> dict[str, Any]:
        """A purchase at the simulator, with its registration token."""
        bought = {"entitlements": ENTITLED} if product_code == CONTRACT_PRODUCT else {}
        return self._control("POST", "/agreements", {"product_code": product_code} | bought)

    def arrived(self, product_code: str = LICENSED_PRODUCT) -> Buyer:
        """A buyer whose token was taken and who has not said yet who they are."""
        purchase = self.buy(product_code)
        opened = self.ask(
            "registration",
            "POST",
            "/v1/registrations",
            {"registration_token": purchase["registration_token"]},
        )
        self.secrets[opened["registration_id"]] = opened["session_secret"]
        return Buyer(purchase, opened["subscription_id"], opened["registration_id"], opened["session_secret"])

    def registered(self, product_code: str = LICENSED_PRODUCT, email: str = "") -> Buyer:
        """A buyer with a customer."""
        buyer = self.arrived(product_code)
        path = f"/v1/registrations/{buyer.registration_id}/customer"
        answer = self.ask("registration", "PUT", path, {"email": email or self._email("buyer")})
        return replace(buyer, customer_id=answer["customer_id"])

    def unanswered(self) -> Buyer:
        """A buyer whom the seller's back end has not answered: their hand-over waits in the outbox."""
        return self._handed_over_in_vain(UNANSWERED, "pending")

    def refused(self) -> Buyer:
        """A buyer whom the seller's back end has refused."""
        return self._handed_over_in_vain(REFUSED, "refused")

    def _handed_over_in_vain(self, who: str, status: str) -> Buyer:
        buyer = self.arrived(HANDED_OVER_PRODUCT)
        path = f"/v1/registrations/{buyer.registration_id}/customer"
        answer = self.ask("registration", "PUT", path, {"email": self._email(who)})
        assert answer["hand_over"]["status"] == status
        return buyer

    def connected(self, subject: str = "", product_code: str = LICENSED_PRODUCT) -> Buyer:
        """A buyer whose purchase belongs to who signed in."""
        buyer = self.arrived(product_code)
        answer = self.request(
            "registration",
            "PUT",
            f"/v1/registrations/{buyer.registration_id}/signed-in-customer",
            {"email": self._email("person")},
            headers=self.proofs(buyer.session_secret, subject),
        )
        assert answer.status_code in (200, 201), answer.text
        return replace(buyer, customer_id=answer.json()["customer_id"])

    def proofs(self, session_secret: str, subject: str = "", *scopes: str) -> dict[str, str]:
        """The headers by which a purchase and a person are proved; somebody new when nobody is named."""
        token = self.side.issuer.token(subject or self._email("person"), *(scopes or ("buyer",)))
        return {"X-Registration-Session": session_secret, "Authorization": f"Bearer {token}"}

    @cached_property
    def signed_by_sns(self) -> str:
        """A message that SNS, as the simulator plays it, has signed; it came by the queue before. The one
        that was sent last: the door takes no old ones, and several came at once when the clock was moved."""
        listed = self.ask("notifications", "GET", "/v1/notifications?limit=100")["items"]
        signed = [one["notification_id"] for one in listed if one["source"] == "sns"]
        bodies = [str(self.ask("notifications", "GET", f"/v1/notifications/{one}")["body"]) for one in signed]
        return max(bodies, key=lambda body: str(json.loads(body)["Timestamp"]))

    def webhook_endpoint(self) -> str:
        """One that something can be sent to and that may have another secret. There may be 25 and no
        more, so each is used till it is of no use."""
        there = self.ask("notifications", "GET", "/v1/webhook-endpoints?limit=100")["items"]
        for one in sorted(there, key=lambda one: str(one["endpoint_id"])):
            if one["enabled"] and len(one["secrets"]) < 5:
                return str(one["endpoint_id"])
        self.make_room()
        return self._make_webhook_endpoint()

    def make_room(self) -> None:
        """For another webhook endpoint. The oldest go: a walk may be under way that goes on with its own."""
        listed = self.ask("notifications", "GET", "/v1/webhook-endpoints?limit=100")["items"]
        there = {str(one["endpoint_id"]) for one in listed}
        if len(there) == MOST_WEBHOOK_ENDPOINTS:
            oldest = [one for one in self._webhook_endpoints if one in there]
            for one in oldest[: MOST_WEBHOOK_ENDPOINTS - MANY_WEBHOOK_ENDPOINTS]:
                self.ask("notifications", "DELETE", f"/v1/webhook-endpoints/{one}")

    def many_webhook_endpoints(self) -> None:
        """So many that no walk comes to the end of their list."""
        there = self.ask("notifications", "GET", "/v1/webhook-endpoints?limit=100")["items"]
        for _ in range(len(there), MANY_WEBHOOK_ENDPOINTS):
            self._make_webhook_endpoint()

    def _make_webhook_endpoint(self) -> str:
        wish = {"url": "https://hooks.seller.example/"}
        made = self.ask("notifications", "POST", "/v1/webhook-endpoints", wish)
        self._webhook_endpoints.append(str(made["endpoint_id"]))
        return self._webhook_endpoints[-1]

    def endpoint(self) -> str:
        """One that runs for the buyer of a licence."""
        wish = {"name": "A model", "repository": "acme/model", "accelerator": "GPU"}
        wish["subscription_id"] = self.licensed.subscription_id
        return str(self.ask("metering", "POST", "/v1/endpoints", wish)["endpoint_id"])

    def webhook_delivery(self) -> str:
        """One that is about to be sent, and stays so: nobody sends."""
        path = f"/v1/webhook-endpoints/{self.webhook_endpoint()}/test-events"
        return str(self.ask("notifications", "POST", path)["delivery_id"])

    def webhook_replay(self) -> str:
        """One of `webhook_endpoint`."""
        path = f"/v1/webhook-endpoints/{self.webhook_endpoint()}/replays"
        wish = {"from": "2026-11-22T00:00:00Z", "to": "2026-11-23T00:00:00Z"}
        return str(self.ask("notifications", "POST", path, wish)["replay_id"])

    def dead_letter(self) -> str:
        """One, and there is no other."""
        url = self.queues.get_queue_url(QueueName=DEAD_LETTERS)["QueueUrl"]
        self.queues.purge_queue(QueueUrl=url)
        return self._put_on_queue(DEAD_LETTERS, "hello")

    def somebody(self) -> str:
        """The subject of a person who was not there before."""
        return self._email("person")

    def _email(self, who: str) -> str:
        return f"{who}-{next(self._numbers)}@example.com"

    def landed(self, product_code: str = LICENSED_PRODUCT) -> tuple[str, str]:
        """A browser on the landing page: its session cookie, and the CSRF token of the form that it sees."""
        return self.landed_with(self.buy(product_code)["registration_token"])

    def landed_with(self, token: str) -> tuple[str, str]:
        """The same with a token that there is already."""
        landing = self.url("registration") + "/register"
        posted = self._http.post(landing, data={"x-amzn-marketplace-token": token})
        cookie = posted.headers["set-cookie"].split(";")[0].split("=", 1)[1]
        shown = self._http.get(landing, headers=by_cookie(cookie))
        with Visitor(landing) as browser:
            browser.page.feed(shown.text)
            form = next(form for form in browser.page.forms if "csrf_token" in form.fields)
        return cookie, form.fields["csrf_token"]

    def back_from_the_provider(self, cookie: str, provider: str = "oidc") -> dict[str, str]:
        """The query with which a browser comes back that was sent to sign in, and did."""
        start = f"{self.url('registration')}/register/sign-in/{provider}"
        sent = self._http.get(start, headers=by_cookie(cookie))
        assert sent.status_code == 303, sent.text
        back = self._http.post(sent.headers["location"], data={"sub": self._email("person")})
        return dict(parse_qsl(urlsplit(back.headers["location"]).query))

    def _leave_open(self, buyer: Buyer) -> None:
        """AWS says of a buyer's usage that nobody has subscribed for it, and a person decides."""
        self._act(buyer, "suspend")
        self._use("2026-11-22T10:30:00Z", buyer)
        query = f"subscription_id={buyer.subscription_id}&outcome=not_subscribed"
        self._until("a refusal", lambda: self._records(query))
        self._act(buyer, "resume")
        self.decided_record = self._records(query)[0]["metering_record_id"]
        decision = {"decision": "write_off", "reason": "The buyer was suspended."}
        path = f"/v1/metering-records/{self.decided_record}/resolution"
        self.ask("metering", "PUT", path, decision)

    def _run_metering(self) -> None:
        """Somebody asks for a run, and a worker runs it."""
        asked = self.ask("metering", "POST", "/v1/metering-runs", {"mode": "send"})
        self.metering_run_id = asked["metering_run_id"]
        path = f"/v1/metering-runs/{self.metering_run_id}"
        self._until("a run", lambda: self.ask("metering", "GET", path)["state"] == "finished")

    def _hold_usage(self) -> None:
        """Usage of a subscription that nobody has heard of is held; about some of it a person decides."""
        unknown = Buyer({}, NEVER_HEARD_OF, "", "")
        for minute in ("2026-11-22T09:55:00Z", "2026-11-22T10:30:00Z", "2026-11-22T11:05:00Z"):
            self._use(minute, unknown)

        def held() -> bool:
            return len(self.ask("metering", "GET", "/v1/held-usage")["items"]) == 3

        self._until("held usage", held)
        wish = {"subscription_id": unknown.subscription_id, "decision": "write_off", "reason": "A test run."}
        wish["last_hour"] = "2026-11-22T09:00:00Z"
        self.ask("metering", "POST", "/v1/held-usage/decisions", wish)

    def _records(self, query: str) -> list[dict[str, Any]]:
        return list(self.ask("metering", "GET", f"/v1/metering-records?{query}")["items"])

    def _use(self, moment: str, *buyers: Buyer) -> None:
        """Each of these buyers, or of the two who stay, uses something in this minute."""
        used = [
            {
                "source": "contract-tests",
                "id": f"{buyer.subscription_id}-{moment}-{number}",
                "subscription_id": buyer.subscription_id,
                "dimension": METERED,
                "quantity": "0.25",
                "time": moment,
            }
            for buyer in buyers or (self.legacy, self.licensed)
            for number in range(3)
        ]
        self.ask("metering", "POST", "/v1/usage-events", {"events": used})

    def _use_by_customer(self, moment: str, buyer: Buyer) -> None:
        """The same, and the product does not say by which subscription."""
        used = {"source": "contract-tests", "id": f"{buyer.customer_id}-{moment}", "time": moment}
        used |= {"customer_id": buyer.customer_id, "product_code": LICENSED_PRODUCT}
        event = used | {"dimension": METERED, "quantity": "0.5"}
        self.ask("metering", "POST", "/v1/usage-events", {"events": [event]})

    def _act(self, buyer: Buyer, action: str) -> None:
        self._control("POST", f"/agreements/{buyer.agreement_id}/{action}")

    def _subscription(self, buyer: Buyer) -> dict[str, Any]:
        """As the API shows it; nothing while it is not there."""
        answer = self.request("notifications", "GET", f"/v1/subscriptions/{buyer.subscription_id}")
        return dict(answer.json()) if answer.status_code == 200 else {}

    def _status(self, buyer: Buyer) -> str:
        return str(self._subscription(buyer).get("status", ""))

    def _billed(self, buyer: Buyer) -> int:
        return len(self._records(f"subscription_id={buyer.subscription_id}&outcome=billed"))

    def close(self) -> None:
        """Hang up."""
        self._http.close()
        self._session.close()
        for client in self._aws.values():
            client.close()

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
        """A boto3 client of the stack's engine and account; made once, for that takes long."""
        if service not in self._aws:
            variables = self.stack.environment_of("registration-web")
            self._aws[service] = boto3.client(
                service,
                endpoint_url=variables[f"AWS_ENDPOINT_URL_{service.upper()}"],
                region_name=REGION,
                aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            )
        return self._aws[service]

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

    def credentials(self, operation: Operation) -> dict[str, str]:
        """Headers that get past an operation's guard; with them what is refused is refused for another
        reason. Pages are asked for problem documents."""
        if operation.takes_key:
            return {"X-API-Key": self.keys[operation.service]}
        if operation.id == "connect_customer":
            return self.proofs(self.licensed.session_secret)
        if operation.id == "doors.receive_event":
            return EVENTBRIDGE_HEADER
        if operation.id.startswith("landing."):
            session = {} if operation.is_public else by_cookie(self.cookie)
            return {"Accept": "application/problem+json"} | session
        return {}

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
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"Waited {PATIENCE_SECONDS:.0f} s in vain for {what}. {last_warnings(self.stack)}"
                )
            time.sleep(0.1)

    # -- generated requests ----------------------------------------------------------------------------------

    def send(self, service: str, case: schemathesis.Case) -> None:
        """Send a generated request, its examples made real, and hold the answer to every check."""
        luck = chance(case)
        make_known(case)
        how = self.prepare(service, case, luck)
        response = case.call(**how)
        self.note(service, case, response)
        case.validate_response(response, headers=how["headers"], transport_kwargs=how)

    def prepare(self, service: str, case: schemathesis.Case, luck: int) -> dict[str, Any]:
        """Make a case's examples real, and answer how it is sent: with a key of all scopes, by cookie, or
        with the two proofs of a purchase and a person.

        Args:
            service: whose operation.
            case: is changed.
            luck: decides between what an example can stand for.
        """
        operation = operation_id(case)
        how = {"base_url": self.url(service), "session": self._session, "allow_redirects": False}
        if operation.startswith("landing.") and operation != "landing.receive_buyer":
            return how | {"headers": {}, "cookies": self._as_browser(case, luck)}
        if operation == "connect_customer":
            return how | {"headers": self._as_person(case, luck)}
        if operation == "post_usage_events":
            make_plausible(case, self.now())
        if operation == "doors.receive_sns" and is_valid(case):
            case.body = self.signed_by_sns
        if operation == "doors.receive_event":
            if is_valid(case) and luck % 2:
                case.body = EVENTS[luck // 2 % len(EVENTS)] | {"id": f"generated-{luck}"}
            return how | {"headers": EVENTBRIDGE_HEADER}
        if operation == "webhooks.create_endpoint" and luck % 8:
            self.make_room()
        put_in(case, self.made_real(luck))
        if operation == "list_differences" and is_valid(case):
            self._wait_for_reconciliation(case)
        if operation == "get_customer_access" and is_valid(case) and luck % 2:
            answer = self.request(service, "GET", case.formatted_path)
            case.headers["If-None-Match"] = answer.headers.get("ETag", "*")
        public = case.operation.definition.raw["security"] == []
        return how | {"headers": {} if public else {"X-API-Key": self.keys[service]}}

    def _wait_for_reconciliation(self, case: schemathesis.Case) -> None:
        """Nobody works off one that was begun since: the one that is finished stands for it."""
        path = f"/v1/reconciliations/{case.path_parameters['reconciliation_id']}"
        answer = self.request("notifications", "GET", path)
        if answer.status_code == 200 and answer.json()["state"] != "finished":
            case.path_parameters = case.path_parameters | {"reconciliation_id": self.reconciliation_id}

    def _as_browser(self, case: schemathesis.Case, luck: int) -> dict[str, str]:
        """The session cookie of a browser that is where the case needs it to be."""
        operation = operation_id(case)
        if operation == "landing.show_page" and (luck % 4 == 0 or not is_valid(case)):
            return {}
        cookie, form = self.landed(PRODUCTS[luck // 4 % len(PRODUCTS)])
        put_in(case, {A_FORM: form})
        if is_valid(case) and isinstance(case.body, dict):
            case.body = case.body | {"csrf_token": form}  # or no other field would ever be looked at
        came_back = operation == "landing.finish_sign_in" and luck % 4 and is_valid(case)
        if came_back and case.path_parameters["provider"] == "oidc":
            case.query = (case.query or {}) | self.back_from_the_provider(cookie)
        if operation == "landing.show_page" and luck % 4 > 1:
            # Registered, or waiting for the seller's back end, or refused by it.
            who = ("buyer", UNANSWERED, REFUSED)[luck // 64 % 3]
            customer = {"csrf_token": form, "email": self._email(who)}
            address = self.url("registration") + "/register/customer"
            submitted = self._http.post(address, data=customer, headers=by_cookie(cookie))
            assert submitted.status_code == 303, submitted.text
        return {"__Host-registration": cookie}

    def _as_person(self, case: schemathesis.Case, luck: int) -> dict[str, str]:
        """The proofs of the case's purchase, and of somebody who has an account already, or none."""
        buyer = self.arrived(PRODUCTS[luck // 2 % len(PRODUCTS)])
        put_in(case, {A_REGISTRATION: buyer.registration_id})
        secret = self.secrets.get(str(case.path_parameters["registration_id"]), buyer.session_secret)
        person = self._email("person")
        if luck % 2:
            self.connected(person)
        return self.proofs(secret, person)

    def note(self, service: str, case: schemathesis.Case, response: schemathesis.Response) -> None:
        """Remember that an operation gave an answer, and the session or the endpoint that it made."""
        self.seen[service, operation_id(case), response.status_code] += 1
        if operation_id(case) == "create_registration" and response.status_code == 201:
            opened = response.json()
            self.secrets[opened["registration_id"]] = opened["session_secret"]
        if operation_id(case) == "webhooks.create_endpoint" and response.status_code == 201:
            self._webhook_endpoints.append(response.json()["endpoint_id"])

    def made_real(self, luck: int) -> Values:
        """What each example of the contracts stands for. What a request may change is made anew for each, so
        that no answer depends on the requests before it: Hypothesis repeats itself and must find the same."""
        product = PRODUCTS[luck // 8 % len(PRODUCTS)]

        def registration() -> Buyer:
            # One that has a customer already, or none yet (200 and 201), or none because of the back end.
            if luck % 8 == 7:
                return self.unanswered()
            if luck % 8 == 6:
                return self.refused()
            return self.registered(product) if luck % 2 else self.arrived(product)

        def customer() -> Buyer:
            return self.connected(product_code=product) if luck % 4 == 0 else self.registered(product)

        def outbox_item() -> str:
            if luck % 2:
                return f"welcome-letter-{self.registered(product).subscription_id}"
            return self.side.key_of(self.unanswered().registration_id)

        def delivery() -> str:
            # About to be sent, delivered, or dead.
            return self.webhook_delivery() if luck % 4 < 2 else self.webhooks_told[luck % 2]

        def metering_record() -> str:
            # One that a person has decided about, or one that AWS has billed.
            return self.decided_record if luck % 2 else f"{self.licensed.subscription_id}.{METERED}.{AN_HOUR}"

        def notification() -> str:
            there = self.ask("notifications", "GET", "/v1/notifications?limit=100")["items"]
            return str(there[luck % len(there)]["notification_id"])

        return {
            A_SUBSCRIPTION: self.licensed.subscription_id,
            ANOTHER_SUBSCRIPTION: self.legacy.subscription_id,
            AN_AGREEMENT: self.licensed.agreement_id,
            AN_ACCOUNT: str(self.licensed.purchase["customer_aws_account_id"]),
            AN_ACCOUNT_OF_THE_SELLER: self.account_id,
            A_PRODUCT: LICENSED_PRODUCT,
            A_CUSTOMER: lambda: customer().customer_id,
            ONE_WHO_USES: self.licensed.customer_id,
            A_REGISTRATION: lambda: registration().registration_id,
            A_TOKEN: lambda: str(self.buy(product)["registration_token"]),
            AN_OUTBOX_ITEM: outbox_item,
            A_WEBHOOK_ENDPOINT: self.webhook_endpoint,
            A_WEBHOOK_DELIVERY: delivery,
            A_WEBHOOK_REPLAY: self.webhook_replay,
            A_RECONCILIATION: self.reconciliation_id,
            A_BILLING_RECONCILIATION: self.billing_reconciliation_id,
            A_NOTIFICATION: notification,
            A_METERING_RECORD: metering_record,
            A_METERING_RUN: self.metering_run_id,
            AN_ENDPOINT: self.endpoint,
            A_DEAD_LETTER: self.dead_letter,
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


def chance(case: schemathesis.Case, *parts: str) -> int:
    """A number that is as random as the case, or as these parts of it, and the same for the same ones."""
    made = [getattr(case, part) for part in parts or ("path_parameters", "query", "headers", "body")]
    said = [None if one is NOT_SET else dict(one) if isinstance(one, Mapping) else one for one in made]
    return zlib.crc32(repr(said).encode())


def by_cookie(cookie: str) -> dict[str, str]:
    return {"Cookie": f"__Host-registration={cookie}"}


def make_known(case: schemathesis.Case) -> None:
    """Let about half of the valid generated requests be about something that is there, by a token that AWS
    knows, against the present version, without fields that no product asks for: made-up ones test one refusal
    only."""
    if not is_valid(case):
        return
    for part in ("path_parameters", "query"):
        values = dict(getattr(case, part) or {})
        known = {name: KNOWN[name] for name in KNOWN.keys() & values.keys() if _hits(values[name])}
        if "reconciliation_id" in known and operation_id(case).startswith("reconciliations."):
            known["reconciliation_id"] = A_BILLING_RECONCILIATION
        if "endpoint_id" in known and operation_id(case).startswith("endpoints."):
            known["endpoint_id"] = AN_ENDPOINT
        if "replay_id" in known:
            known["endpoint_id"] = A_WEBHOOK_ENDPOINT  # a replay is found at its own endpoint only
        if known:
            setattr(case, part, values | known)
    if operation_id(case) == "redrive_dead_letters" and _hits(case.body):
        case.body = {"dead_letter_ids": [A_DEAD_LETTER]}
    if isinstance(case.body, dict):
        known = {name: A_TOKEN for name in TOKENS & case.body.keys() if _hits(case.body[name])}
        case.body = case.body | known
        if operation_id(case) in TAKES_FIELDS and _hits(case.body.get("fields")):
            # The catalogue says which there are; any other is refused.
            case.body.pop("fields", None)
    if "If-Match" in (case.headers or {}) and _hits(case.headers["If-Match"]):
        del case.headers["If-Match"]


def _hits(value: Any) -> bool:
    return bool(zlib.crc32(repr(value).encode()) % 2)


def put_in(case: schemathesis.Case, values: Values) -> None:
    """Replace examples by what they stand for, wherever a request holds them."""
    for part in ("path_parameters", "query", "body"):
        before = getattr(case, part)
        after = replaced(before, values)
        if after != before:
            setattr(case, part, after)


def replaced(node: Any, values: Values) -> Any:
    """A part of a request, with what its examples stand for in their place."""
    if isinstance(node, dict):
        return {name: replaced(value, values) for name, value in node.items()}
    if isinstance(node, list):
        return [replaced(value, values) for value in node]
    if isinstance(node, str) and node in values:
        real = values[node]
        return real if isinstance(real, str) else real()
    return node


def make_plausible(case: schemathesis.Case, now: datetime) -> None:
    """Let about half of the valid generated events be of a dimension that is sold and of the last hours: the
    contract knows neither the catalogue nor the clock, and what is always refused tests one refusal only."""
    if not is_valid(case):
        return
    case.body = body = copy.deepcopy(case.body)
    for event in body.get("events", [body]) if isinstance(body, dict) else body:
        chance = zlib.crc32(repr(sorted(event.items())).encode())
        if chance % 2:
            event.get("data", event)["dimension"] = METERED
            event["time"] = (now - timedelta(minutes=chance % 300)).isoformat().replace("+00:00", "Z")


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
