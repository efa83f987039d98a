"""The story that `make demo` tells and the journeys repeat: two buyers, three hours, one exact bill.

Ada's company bought a product of the legacy generation, Babbage's one with concurrent agreements. Both meet
real HTTP, SQS and DynamoDB; only AWS Marketplace is played by the simulator, whose clock the story moves.
"""

from __future__ import annotations

import random
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from tools.stack import procfile
from tools.visitor import Visitor

if TYPE_CHECKING:
    from tools.stack import Stack

LEGACY_PRODUCT = "5fexampleclassic0000000000"
LICENSED_PRODUCT = "74azexampleendpoints00000"
START = "2026-11-22T09:50:00Z"
FIRST_HOUR = datetime.fromisoformat("2026-11-22T10:00:00+00:00")
BATCH = 100
PATIENCE_SECONDS = 120.0

# What a story wants of the services: short beats, and calls of AWS far enough apart to kill between two.
ENVIRONMENT = {"CYCLE_SECONDS": "0.2", "AWS_CALLS_PER_SECOND": "2"}

# Nobody in this story signs in with an identity provider, or opens the web application.
PROCESSES = [name for name in procfile() if name not in ("identity", "web")]

# The moment at which killing a process hurts most.
MOMENT_OF = {
    "registration-web": "registering",
    "registration-worker": "news",
    "notifications-web": "news",
    "notifications-worker": "news",
    "metering-web": "reporting",
    "engine": "reporting",
    "metering-worker": "billing",
    "simulator": "billing",
}


@dataclass
class Buyer:
    """One of the two, and the truth about what they used: quantity by event id, so a repeat adds nothing."""

    name: str
    email: str
    account: str
    product_code: str
    dimensions: tuple[str, ...]
    agreement_id: str = ""
    subscription_id: str = ""
    identity: dict[str, str] = field(default_factory=dict)
    used: dict[str, dict[str, Decimal]] = field(default_factory=lambda: defaultdict(dict))

    def total(self, dimension: str) -> Decimal:
        return sum(self.used[dimension].values(), Decimal(0))


@dataclass(frozen=True)
class Line:
    """One line of the reckoning."""

    buyer: str
    dimension: str
    used: Decimal
    billed: Decimal
    written_off: Decimal
    balanced: bool

    @property
    def difference(self) -> Decimal:
        return self.used - self.billed - self.written_off


class Story:
    """Plays on a running stack.

    Args:
        stack: at least PROCESSES, started with ENVIRONMENT and the clock at START.
        say: told in a sentence what happens.
        kill: the processes to `kill -9` in mid-flight; each is started again right after.
        events_per_quarter: how many events each buyer's product reports for a quarter of an hour.
        seed: of the events' quantities and times.
    """

    def __init__(
        self,
        stack: Stack,
        say: Callable[[str], None] = lambda sentence: None,
        kill: tuple[str, ...] = ("metering-worker",),
        events_per_quarter: int = 150,
        seed: int = 1,
    ) -> None:
        self._stack = stack
        self._say_plainly = say
        self._kills = {name: MOMENT_OF[name] for name in kill}
        self._per_quarter = events_per_quarter
        self._random = random.Random(seed)  # nosec B311 # a made-up story is to be repeatable
        self._http = httpx.Client(timeout=30, trust_env=False)
        self.ada = Buyer(
            "Ada", "ada@analytics.example", "222233334444", LEGACY_PRODUCT, ("gpu_hours", "requests")
        )
        self.babbage = Buyer(
            "Babbage", "charles@engines.example", "333344445555", LICENSED_PRODUCT, ("cpu_hours", "gpu_hours")
        )
        self.reported = 0
        self.repeated = 0
        self.late = 0
        # What must be found nowhere afterwards: tokens, keys, sessions.
        self.secrets: set[str] = set()

    def close(self) -> None:
        self._http.close()

    def play(self) -> list[Line]:
        """Play from the first click to the reckoning."""
        services = ("registration", "notifications", "metering")
        with ThreadPoolExecutor() as pool:
            keys = pool.map(
                lambda service: self._stack.api_key(service, ["operator", "usage:read", "usage:write"]),
                services,
            )
            self._keys = {service: {"X-API-Key": key} for service, key in zip(services, keys, strict=True)}
        self.secrets.update(key for headers in self._keys.values() for key in headers.values())
        self._buy_and_register()
        for number in range(3):
            self._hour(FIRST_HOUR + timedelta(hours=number), is_last=number == 2)
        self._wind_up()
        return self.reckon()

    # -- acts --------------------------------------------------------------------------------------------

    def _buy_and_register(self) -> None:
        self._ada_comes_with_her_browser()
        self._babbage_comes_through_the_sellers_frontend()
        for buyer in self.buyers():
            self._until(partial(self._has_letter, buyer, "welcome"), f"{buyer.name}'s welcome letter")
        self._say("Each of them got a letter that says when access comes.")
        self._advance(seconds=75)
        self._kill_at("news")
        for buyer in self.buyers():
            self._until(partial(self._has_status, buyer, "active"), "an active subscription")
            customer = self._customer(buyer)
            assert customer["access"] == "granted", customer
            self._say(f"AWS's news has come: {buyer.name}'s subscription is active, access is granted.")

    def _ada_comes_with_her_browser(self) -> None:
        with Visitor(self._stack.urls["simulator"]) as browser:
            browser.open("/")
            browser.post(
                "/storefront/subscribe",
                product_code=self.ada.product_code,
                customer_aws_account_id=self.ada.account,
            )
            assert browser.answer.status_code == 200, browser.reads()
            handed_over = next(form for form in browser.page.forms if "/register" in form.action)
            self.secrets.add(handed_over.fields["x-amzn-marketplace-token"])
            browser.submit("/register")
            assert browser.answer.status_code == 200, browser.reads()
            self.secrets.update(browser.answer.history[0].cookies.values())
            self._say("Ada subscribed on the storefront; her browser was posted to the registration page.")
            self._kill_at("registering")
            browser.submit("/register/customer", email=self.ada.email, name="Ada", company="Analytics Ltd")
            assert browser.answer.status_code == 200, browser.reads()
        customer = self._customers_by_email(self.ada.email)[0]
        self.ada.subscription_id = customer["subscriptions"][0]["subscription_id"]
        agreement = self._control("GET", "/agreements")["agreements"][0]
        self.ada.agreement_id = agreement["agreement_id"]
        self.ada.identity = {"customer_identifier": agreement["customer_identifier"]}
        self._say("Ada registered before AWS's news of her subscription arrived: no access yet.")

    def _babbage_comes_through_the_sellers_frontend(self) -> None:
        bought = self._control(
            "POST",
            "/agreements",
            {"product_code": self.babbage.product_code, "customer_aws_account_id": self.babbage.account},
        )
        url = self._stack.urls["registration-web"] + "/v1/registrations"
        opened = self._ask("POST", url, {"registration_token": bought["registration_token"]})
        self.secrets.update((bought["registration_token"], opened["session_secret"]))
        registered = self._ask(
            "PUT",
            f"{url}/{opened['registration_id']}/customer",
            {"email": self.babbage.email, "name": "Charles", "company": "Engines GmbH"},
            headers={"X-Registration-Session": opened["session_secret"]},
        )
        self.babbage.subscription_id = opened["subscription_id"]
        self.babbage.agreement_id = bought["agreement_id"]
        self.babbage.identity = {"license_arn": bought["license_arn"]}
        assert registered["customer_id"], registered
        self._say(
            "Babbage bought under a concurrent agreement and registered through the seller's own frontend."
        )

    def _hour(self, hour: datetime, *, is_last: bool) -> None:
        for quarter in range(4):
            self._set_clock(hour + timedelta(minutes=15 * (quarter + 1)))
            if quarter == 0 and hour > FIRST_HOUR:
                self._billed_hour(hour - timedelta(hours=1))
            for buyer in self.buyers():
                if buyer is self.babbage and is_last and quarter > 1:
                    continue
                self._report(
                    buyer, self._events(buyer, hour + timedelta(minutes=15 * quarter), self._per_quarter)
                )
            if is_last and quarter == 1:
                self._babbage_cancels()
        self._say(
            f"The hour from {hour:%H:%M} is used up: {self.reported} events, {self.repeated} sent twice."
        )

    def _billed_hour(self, hour: datetime) -> None:
        """Wait for AWS's answer for an hour, killing between two calls; then report late usage of it."""
        wanted = {(b.subscription_id, d) for b in self.buyers() for d in b.dimensions}

        def billed() -> set[tuple[str, str]]:
            return {
                (buyer.subscription_id, record["dimension"])
                for record in self.bill()
                for buyer in self.buyers()
                if _is_of(record, buyer) and record["hour"].startswith(f"{hour:%Y-%m-%dT%H}")
            }

        if hour == FIRST_HOUR:
            self._until(lambda: bool(billed()), "the hour's first record at AWS")
            self._kill_at("billing")
        self._until(lambda: billed() == wanted, f"the bill of {hour:%H:%M}")
        self._say(f"AWS has the hour from {hour:%H:%M}, one record for each buyer and dimension.")
        for buyer in self.buyers():
            late = self._events(buyer, hour + timedelta(minutes=30), self._per_quarter // 5)
            self.late += len(late)
            self._report(buyer, late)
        self._say(
            f"{self._per_quarter // 5 * 2} late events for that hour came after its bill: they are carried."
        )

    def _babbage_cancels(self) -> None:
        self._control("POST", f"/agreements/{self.babbage.agreement_id}/cancel")
        self._say("Babbage cancelled in mid-hour: the running hour is his last, and is sealed at once.")
        self._until(partial(self._has_status, self.babbage, "ending"), "news of the end")
        self._until(lambda: self._is_settled(self.babbage), "the final hour's bill")
        self._say("The final hour was billed while AWS still takes it.")
        self._advance(seconds=60)
        now = self._now()
        self._report(self.babbage, self._events(self.babbage, now - timedelta(minutes=2), 20, minutes=2))
        self._say("Babbage's product reported 20 events more while it shut down.")

    def _wind_up(self) -> None:
        for buyer in self.buyers():
            self._until(partial(self._has_letter, buyer, "access"), f"{buyer.name}'s second letter")
        self._say("Each of them got a second letter once access was there.")
        self._until(lambda: self._is_settled(self.babbage), "the rest of the final hour")
        self._set_clock(FIRST_HOUR + timedelta(hours=3, minutes=40))
        self._until(lambda: self._is_settled(self.ada), "Ada's last bill")
        self._until(partial(self._has_status, self.babbage, "ended"), "the end of Babbage's subscription")
        self._report(self.babbage, self._events(self.babbage, FIRST_HOUR + timedelta(hours=2, minutes=20), 1))
        self._until(lambda: self._is_settled(self.babbage), "the write-off")
        self._say("One event of Babbage's came after AWS had closed the book: it is written off, visibly.")

    # -- the reckoning -----------------------------------------------------------------------------------

    def reckon(self) -> list[Line]:
        """AWS's bill beside the truth, for each buyer and dimension."""
        lines = []
        for buyer in self.buyers():
            balances = {row["dimension"]: row for row in self.balances(buyer)}
            for dimension in buyer.dimensions:
                billed = sum(
                    (
                        Decimal(record["quantity"])
                        for record in self.bill()
                        if _is_of(record, buyer) and record["dimension"] == dimension
                    ),
                    Decimal(0),
                )
                row = balances[dimension]
                lines.append(
                    Line(
                        buyer.name,
                        dimension,
                        buyer.total(dimension),
                        billed,
                        Decimal(row["written_off"]),
                        row["balanced"] and Decimal(row["billed"]) == billed,
                    )
                )
        return lines

    # -- usage -------------------------------------------------------------------------------------------

    def _events(self, buyer: Buyer, since: datetime, count: int, minutes: int = 15) -> list[dict[str, Any]]:
        events = []
        for _ in range(count):
            dimension = self._random.choice(buyer.dimensions)
            quantity = Decimal(self._random.randint(1, 5_000_000)).scaleb(-6)
            event_id = str(uuid.UUID(int=self._random.getrandbits(128)))
            buyer.used[dimension][event_id] = quantity
            moment = since + timedelta(seconds=self._random.uniform(1, minutes * 60 - 1))
            events.append(
                {
                    "source": "inference-gateway",
                    "id": event_id,
                    "subscription_id": buyer.subscription_id,
                    "dimension": dimension,
                    "quantity": f"{quantity:f}",
                    "time": moment.isoformat().replace("+00:00", "Z"),
                }
            )
        return events

    def _report(self, buyer: Buyer, events: list[dict[str, Any]]) -> None:
        """Report as a product does: in batches, several at a time, some of it twice."""
        batches = [events[start : start + BATCH] for start in range(0, len(events), BATCH)]
        again = [batch for batch in batches if self._random.random() < 0.3]
        some = self._random.sample(events, min(len(events), 10))
        self.reported += len(events)
        self.repeated += sum(map(len, again)) + len(some)
        url = self._stack.urls["metering-web"] + "/v1/usage-events"
        with ThreadPoolExecutor(max_workers=4) as pool:
            sent = [
                pool.submit(self._ask, "POST", url, {"events": batch}, headers=self._keys["metering"])
                for batch in [*batches, *again, some]
            ]
            self._kill_at("reporting")
            for one in sent:
                answer = one.result()
                assert not answer["refused"], answer["refused"]

    # -- what the story asks -----------------------------------------------------------------------------

    def buyers(self) -> tuple[Buyer, Buyer]:
        return self.ada, self.babbage

    def _has_status(self, buyer: Buyer, status: str) -> bool:
        url = f"{self._stack.urls['notifications-web']}/v1/subscriptions/{buyer.subscription_id}"
        row = self._ask("GET", url, headers=self._keys["notifications"], absent={})
        return bool(row.get("status") == status)

    def _has_letter(self, buyer: Buyer, kind: str) -> bool:
        return (self._stack.directory / "mail" / f"{kind}-letter-{buyer.subscription_id}.eml").exists()

    def records(self, buyer: Buyer) -> list[dict[str, Any]]:
        """All metering records of a buyer, as metering keeps them."""
        path = f"/v1/metering-records?subscription_id={buyer.subscription_id}&limit=100"
        url = self._stack.urls["metering-web"] + path
        found: list[dict[str, Any]] = self._ask("GET", url, headers=self._keys["metering"])["items"]
        return found

    def _customers_by_email(self, email: str) -> list[dict[str, Any]]:
        url = f"{self._stack.urls['registration-web']}/v1/customers?email={email}"
        found: list[dict[str, Any]] = self._ask("GET", url, headers=self._keys["registration"])["items"]
        return found

    def _customer(self, buyer: Buyer) -> dict[str, Any]:
        return self._customers_by_email(buyer.email)[0]

    def balances(self, buyer: Buyer) -> list[dict[str, Any]]:
        url = f"{self._stack.urls['metering-web']}/v1/balance?subscription_id={buyer.subscription_id}"
        rows: list[dict[str, Any]] = self._ask("GET", url, headers=self._keys["metering"])["dimensions"]
        return rows

    def _is_settled(self, buyer: Buyer) -> bool:
        """Everything that was reported is accounted for, and nothing of it is under way."""
        rows = {row["dimension"]: row for row in self.balances(buyer)}
        return all(
            dimension in rows
            and Decimal(rows[dimension]["accepted"]) == buyer.total(dimension)
            and rows[dimension]["planned"] == rows[dimension]["open"] == "0"
            for dimension in buyer.dimensions
        )

    def bill(self) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = self._control("GET", "/bill")["records"]
        return records

    # -- time, faults, words -----------------------------------------------------------------------------

    def _now(self) -> datetime:
        return datetime.fromisoformat(self._control("GET", "/clock")["now"])

    def _advance(self, seconds: float) -> None:
        self._set_clock(self._now() + timedelta(seconds=seconds))

    def _set_clock(self, moment: datetime) -> None:
        # The moment, not the step: asked twice after a lost answer, it is the same moment.
        if moment > self._now():
            self._control("PUT", "/clock", {"now": moment.isoformat().replace("+00:00", "Z")})

    def _kill_at(self, moment: str) -> None:
        for name in [name for name, when in self._kills.items() if when == moment]:
            del self._kills[name]
            self._stack.kill(name)
            self._stack.start(name)
            self._say(f"kill -9 of {name}, in mid-flight; it was started again.")

    def _say(self, sentence: str) -> None:
        self._say_plainly(f"{self._now():%H:%M:%S}  {sentence}")

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"The story waited {PATIENCE_SECONDS:.0f} s in vain for {what}.")
            time.sleep(0.1)

    def _control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._ask(method, f"{self._stack.urls['simulator']}/_simulator{path}", body)

    def _ask(
        self,
        method: str,
        url: str,
        body: dict[str, Any] | None = None,
        *,
        headers: dict[str, str] | None = None,
        absent: dict[str, Any] | None = None,
    ) -> Any:
        """Ask until answered, as every client must: unchanged, through outages. `absent` answers a 404."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._http.request(method, url, json=body, headers=headers)
            except httpx.TransportError as error:
                reason = repr(error)
            else:
                if answer.status_code == 404 and absent is not None:
                    return absent
                if answer.status_code < 400:
                    return answer.json() if answer.content else {}
                reason = f"{answer.status_code}: {answer.text[:500]}"
                if answer.status_code < 500:
                    raise RuntimeError(f"{method} {url} answered {reason}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{method} {url}: {reason}")
            time.sleep(0.1)


def _is_of(record: dict[str, Any], buyer: Buyer) -> bool:
    return all(record.get(name) == value for name, value in buyer.identity.items())
