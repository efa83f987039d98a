"""On the real engine: the published row, doubled submits, lost answers, an engine that is away."""

import json
import re
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import httpx
import jsonschema
import pytest
import yaml
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from conftest import HANDING_OVER, OPENAPI, House, a_license, assemble, concurrent_answer
from pynamodb.connection import Connection

from chassis.quick_calls import quick_calls
from chassis.tables import bind
from chassis.times import rfc3339
from registration.catalogue import Catalogue
from registration.settings import Settings
from registration.tables import (
    ALL_MODELS,
    ClaimRow,
    CustomerRow,
    IdentityRow,
    OutboxRow,
    SubscriptionRow,
    Tables,
)

Problem = Callable[[Any], tuple[int, str]]


def published_rows() -> list[dict[str, Any]]:
    """The customers table as a sibling reads it."""
    items = boto3.client("dynamodb", region_name="us-east-1").scan(TableName="marketplane-customers")["Items"]
    read = TypeDeserializer().deserialize
    rows = [{name: read(value) for name, value in item.items()} for item in items]
    return [row | {"version": int(row["version"])} for row in rows]


def test_the_published_row_keeps_its_promise_alive_and_deleted(house: House) -> None:
    schema = json.loads((OPENAPI / "tables" / "customers.schema.json").read_text(encoding="utf-8"))
    promise = jsonschema.Draft202012Validator(schema)
    for example in schema["examples"]:
        promise.validate(example)

    browser = house.land(ProductCode=HANDING_OVER)
    browser.sign_in(house.oidc, "user-1")
    browser.submit(name="Ada", company="Engines", purpose="Weather")
    (row,) = published_rows()
    promise.validate(row)
    # What no sibling may rely on says so in its name, and the promise knows nothing of it.
    private = set(row) - set(schema["properties"])
    assert private == {"private_email_key", "private_fields", "private_identity_ids", "private_language"}
    assert set(schema["properties"]) <= set(row)

    house.client.delete(f"/v1/customers/{row['customer_id']}", headers=house.operator)
    (row,) = published_rows()
    promise.validate(row)
    assert set(row) <= set(schema["properties"])
    assert not set(row) & {"email", "name", "company", "account_id"}


def test_the_siblings_published_row_is_read_as_its_promise_says(house: House) -> None:
    schema = json.loads((OPENAPI / "tables" / "subscriptions.schema.json").read_text(encoding="utf-8"))
    write = TypeSerializer().serialize
    client = boto3.client("dynamodb", region_name="us-east-1")
    tables = Tables(Connection(region="us-east-1"))
    assert schema["examples"]
    for example in schema["examples"]:
        item = {name: write(value) for name, value in example.items()}
        client.put_item(TableName="marketplane-subscriptions", Item=item)
        found = tables.published_subscriptions([example["subscription_id"]])[example["subscription_id"]]
        assert (found.product_code, found.status, found.access) == (
            example["product_code"],
            example["status"],
            example["access"],
        )
        assert found.free_trial == example.get("free_trial")
        for name in ("trial_ends_at", "agreement_ends_at", "entitlements_as_of"):
            moment = getattr(found, name)
            assert (rfc3339(moment) if moment else None) == example.get(name)
        assert (found.entitlements is None) is ("entitlements" not in example)
        for one, row in zip(found.entitlements or (), example.get("entitlements", []), strict=True):
            assert (one.dimension, one.type, one.value) == (row["dimension"], row["type"], row["value"])
            assert (rfc3339(one.expires_at) if one.expires_at else None) == row.get("expires_at")
    # Every word that the row may hold has its place in our own answer.
    ours = yaml.safe_load((OPENAPI / "registration.yaml").read_text(encoding="utf-8"))["components"][
        "schemas"
    ]
    for name, words in (("status", ours["SubscriptionStatus"]), ("access", ours["Access"])):
        assert set(schema["properties"][name]["enum"]) == set(words["enum"])


def test_two_submits_at_once_leave_one_customer(house: House) -> None:
    for number in range(5):
        created = house.arrive(
            f"token-{number}", license_arn=f"arn:aws:license-manager::2:license:l-{number}"
        )
        start = threading.Barrier(2)

        def submit(created: dict[str, Any] = created, start: threading.Barrier = start) -> Any:
            start.wait()
            return house.register(created)

        with ThreadPoolExecutor(2) as pool:
            answers = [one.result() for one in [pool.submit(submit), pool.submit(submit)]]

        assert sorted(answer.status_code for answer in answers) == [200, 201]
        assert answers[0].json()["customer_id"] == answers[1].json()["customer_id"]
        assert CustomerRow.count() == ClaimRow.count() == number + 1


def test_two_people_at_once_leave_one_customer(house: House, problem: Problem) -> None:
    ada, eve = house.arrive("token-1"), house.arrive("token-2")
    start = threading.Barrier(2)

    def submit(registration: dict[str, Any], email: str) -> Any:
        start.wait()
        return house.register(registration, email=email)

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(submit, ada, "ada@example.com"), pool.submit(submit, eve, "eve@example.com")]
        answers = sorted((one.result() for one in futures), key=lambda answer: answer.status_code)

    assert answers[0].status_code == 201
    assert problem(answers[1]) == (409, "subscription-already-claimed")
    assert CustomerRow.count() == 1


@dataclass
class LossyEngine:
    """Stands in front of the engine and loses, of the next transactions, the answer or the request."""

    url: str = ""
    lose: list[str] = field(default_factory=list)
    transactions: int = 0


@pytest.fixture(scope="module")
def lossy_engine(engine_url: str) -> Iterator[LossyEngine]:
    lossy = LossyEngine()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fate = "none"
            if self.headers["X-Amz-Target"].endswith("TransactWriteItems"):
                lossy.transactions += 1
                fate = lossy.lose.pop(0) if lossy.lose else "none"
            if fate == "request":
                self.close_connection = True
                return
            request = urllib.request.Request(engine_url, body, dict(self.headers.items()))
            try:
                with urllib.request.urlopen(request) as answer:
                    status, content = answer.status, answer.read()
            except urllib.error.HTTPError as error:
                with error:
                    status, content = error.code, error.read()
            if fate == "answer":
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    lossy.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield lossy
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def house_behind_it(
    shared_house: House, lossy_engine: LossyEngine, settings: Settings, catalogue: Catalogue
) -> House:
    """The service whose transactions go through the lossy engine; single rows go past it."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL_DYNAMODB", lossy_engine.url)
        behind = assemble(settings, catalogue)
        behind.customer_of("the first, which connects", license_arn=a_license(99))
    assert lossy_engine.transactions == 1
    bind(ALL_MODELS, settings)
    return behind


@pytest.fixture
def lossy_house(house_behind_it: House, house: House, lossy_engine: LossyEngine) -> House:
    """The same on the swept tables of `house`."""
    lossy_engine.lose, lossy_engine.transactions = [], 0
    house_behind_it.clear()
    return house_behind_it


@pytest.mark.parametrize("lost", ["answer", "request"])
def test_a_lost_transaction_is_repeated_and_recognised(
    lossy_house: House, lossy_engine: LossyEngine, lost: str
) -> None:
    created = lossy_house.arrive("token-1")
    lossy_engine.lose = [lost]

    answer = lossy_house.register(created)

    # 201 and not 409: DynamoDB recognises the repeated request token.
    assert answer.status_code == 201
    assert lossy_engine.transactions == 2
    assert CustomerRow.count() == ClaimRow.count() == 1


@pytest.mark.parametrize(("lost", "status"), [("answer", 200), ("request", 201)])
def test_when_every_answer_is_lost_the_next_submit_finds_out(
    lossy_house: House, lossy_engine: LossyEngine, problem: Problem, lost: str, status: int
) -> None:
    created = lossy_house.arrive("token-1")
    lossy_engine.lose = [lost, lost]

    assert problem(lossy_house.register(created)) == (503, "unavailable")
    again = lossy_house.register(created, name="Second try")

    assert again.status_code == status
    assert CustomerRow.count() == ClaimRow.count() == 1
    (claim,), (customer,) = ClaimRow.scan(), CustomerRow.scan()
    assert claim.customer_id == customer.customer_id == again.json()["customer_id"]
    assert claim.registration_id == created["registration_id"]
    assert OutboxRow.count() == 1


@pytest.mark.parametrize("lost", ["answer", "request"])
def test_a_crash_between_the_back_ends_answer_and_the_binding_loses_nothing(
    lossy_house: House, lossy_engine: LossyEngine, lost: str
) -> None:
    """The claim's transaction goes well, the binding's is lost with all its repetitions."""
    created = lossy_house.arrive("token-1", ProductCode=HANDING_OVER)
    lossy_engine.lose = ["none", lost, lost]

    answer = lossy_house.register(created, fields={"purpose": "Weather"})

    assert lossy_engine.lose == []
    if lost == "request":
        assert answer.status_code == 200
        assert answer.json()["hand_over"] == {"status": "pending", "detail": None}
        assert CustomerRow.count() == 0
    else:
        assert answer.status_code == 201
    lossy_house.clock.advance(seconds=1)
    lossy_house.work()
    (claim,), (customer,) = ClaimRow.scan(), CustomerRow.scan()
    assert claim.customer_id == customer.customer_id
    # Asked again, if at all, under the same key: the back end makes no second account.
    assert len(set(lossy_house.sellers_system.ids)) == 1
    assert len(lossy_house.sellers_system.asked) == (2 if lost == "request" else 1)
    lossy_house.work()
    assert OutboxRow.count() == 0
    assert len(lossy_house.marketplace.parameters) == len(lossy_house.mail.sent) == 1


@pytest.mark.parametrize("lost", ["answer", "request"])
def test_a_refusal_that_could_not_be_kept_is_asked_for_again(
    lossy_house: House, lossy_engine: LossyEngine, lost: str
) -> None:
    no = {"detail": "Not this one."}
    lossy_house.sellers_system.answers = [httpx.Response(409, json=no) for _ in range(2)]
    created = lossy_house.arrive("token-1", ProductCode=HANDING_OVER)
    lossy_engine.lose = ["none", lost, lost]
    lossy_house.register(created, fields={"purpose": "Weather"})
    lossy_house.clock.advance(seconds=1)
    lossy_house.work()
    session = {"X-Registration-Session": created["session_secret"]}
    read = lossy_house.client.get(f"/v1/registrations/{created['registration_id']}", headers=session).json()
    assert read["hand_over"] == {"status": "refused", "detail": "Not this one."}
    assert ClaimRow.count() == OutboxRow.count() == CustomerRow.count() == 0


def test_two_purchases_of_one_person_at_once_are_one_customers(house: House) -> None:
    for number in range(3):
        browsers = [
            house.land(f"t-{number}-{half}", LicenseArn=a_license(2 * number + half)) for half in (0, 1)
        ]
        forms = []
        for browser in browsers:
            browser.sign_in(house.oidc, f"user-{number}")
            forms.append({"csrf_token": browser.csrf_token(), "email": "ada@example.com"})
        start = threading.Barrier(2)

        def submit(cookie: str, form: dict[str, str], start: threading.Barrier = start) -> int:
            start.wait()
            headers = {"Cookie": f"registration={cookie}"}
            return int(house.client.post("/register/customer", data=form, headers=headers).status_code)

        with ThreadPoolExecutor(2) as pool:
            futures = [
                pool.submit(submit, browser.cookies["registration"], form)
                for browser, form in zip(browsers, forms, strict=True)
            ]
            assert [one.result() for one in futures] == [303, 303]
        assert (CustomerRow.count(), IdentityRow.count(), ClaimRow.count()) == (
            number + 1,
            number + 1,
            2 * number + 2,
        )
    assert {len(row.subscription_ids) for row in CustomerRow.scan()} == {2}


def test_an_engine_that_is_away_is_said_and_nothing_is_acknowledged(
    house: House,
    settings: Settings,
    catalogue: Catalogue,
    problem: Problem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    created = house.arrive("token-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    bind(ALL_MODELS, settings)
    # Bound when the service was built, to the engine that is there.
    monkeypatch.setattr(house.parts.tables, "_quick", quick_calls(settings))
    try:
        house.marketplace.answers["token-2"] = concurrent_answer()
        api = house.client.post("/v1/registrations", json={"registration_token": "token-2"})
        assert problem(api) == (503, "unavailable")
        assert api.headers["retry-after"]
        assert problem(house.register(created)) == (503, "unavailable")
        page = house.client.post("/register", data={"x-amzn-marketplace-token": "token-2"})
        assert page.status_code == 503
        assert page.headers["retry-after"]
        assert "please try again in a moment" in page.text
        # Our own outage, like AWS's, needs no new token.
        retry = re.search(r'name="retry" value="([^"]+)"', page.text)
        assert retry
        assert "token-2" not in page.text
        ready = house.client.get("/readyz")
        assert problem(ready) == (503, "unavailable")
        assert set(ready.json()["parts"]) == {
            "registrations table",
            "claims table",
            "customers table",
            "identities table",
            "outbox table",
        }
    finally:
        monkeypatch.undo()
        bind(ALL_MODELS, settings)
    assert house.client.post("/register", data={"retry": retry.group(1)}).status_code == 303


def test_without_the_siblings_table_registering_goes_on_and_access_is_not_guessed(
    house: House, settings: Settings, problem: Problem
) -> None:
    SubscriptionRow.Meta.table_name = "a-table-that-is-not-there"
    SubscriptionRow._connection = None
    try:
        registered = house.register(house.arrive("token-1"))
        assert registered.status_code == 201
        read = house.client.get(registered.headers["location"], headers=house.operator)
        assert problem(read) == (503, "unavailable")
        access = house.client.get(registered.headers["location"] + "/access", headers=house.operator)
        assert problem(access) == (503, "unavailable")
        browser = house.land("token-2", license_arn=a_license(2))
        assert browser.submit().status_code == 303
        account = browser.get()
        assert account.status_code == 200
        assert "Access comes in about two minutes" in account.text
        handed = house.register(
            house.arrive("token-3", license_arn=a_license(3), ProductCode=HANDING_OVER),
            fields={"purpose": "Weather"},
        )
        assert handed.status_code == 201
        assert house.client.get("/readyz").status_code == 200
        # Whether access is there decides what a letter says, so letters wait.
        house.work()
        assert house.mail.sent == []
        assert {one["last_error"] for one in house.outbox()} == {"Unavailable"}
    finally:
        bind(ALL_MODELS, settings)
    house.clock.advance(minutes=1)
    house.work()
    assert len(house.mail.sent) == 3
