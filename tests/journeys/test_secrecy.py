"""After a full journey each secret is only where a written list says that it belongs.

Searched are all logs at their most talkative, all rows of all tables, all messages of all queues, all
letters, all addresses that anybody asked for, all cookies, and what AWS, the identity provider and the
seller's back end were told.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import pytest

from tests.journeys.back_end import SellersBackEnd
from tests.journeys.catalogue import HANDING_OVER, PRODUCT_IDS
from tests.journeys.house import (
    DONE,
    ENVIRONMENT,
    NEXT_TRY,
    PROCESS_ENVIRONMENT,
    UNTIL_ACTIVE,
    WORKERS,
    Browser,
    Buyer,
    Frontend,
    House,
    seen_by_registration,
)
from tests.journeys.recording_proxy import RecordingProxy
from tools.ports import free_port
from tools.stack import Stack
from tools.story import LICENSED_PRODUCT

SESSION_SECRET = "a-session-secret-of-the-secrecy-journey-alone"
CLIENT_SECRET = "a-client-secret-of-the-secrecy-journey-alone"
SUBJECT = "subject-of-the-secrecy-journey"
VERIFIED_EMAIL = "vouched-for@provider.example"
NAME, COMPANY, PURPOSE = "Adalbert Unmistakable", "Unmistakable & Sons", "counting unmistakable sheep"
MISTYPED, TURNED_AWAY = "unmistakable.without.at", "turned-away@company.example"

# Moments of the journey.
WAITING = "while the seller's back end is away"
LAUNCHING = "while AWS does not take the deployment parameter"
REGISTERED = "when all is done"
DELETED = "after the customers are deleted"
MOMENTS = (WAITING, LAUNCHING, REGISTERED, DELETED)

# Places.
CUSTOMERS, IDENTITIES = "table marketplane-customers", "table marketplane-identities"
OUTBOX = "table marketplane-registration-outbox"
LETTERS = "letters"
COOKIE = "cookie registration"
BROWSED = "addresses that browsers went to"
ASKED_AT_PROVIDER = "addresses at the identity provider"
PROVIDER_TOLD = "what the identity provider was told"
BACK_END_TOLD = "what the seller's back end was told"
PARAMETERS = "AWS's deployment parameters"

NOWHERE: set[str] = set()
# Where each secret belongs from which moment on; before its first moment it may be nowhere.
BELONGS: dict[str, dict[str, set[str]]] = {
    # The browser brings it in a form; AWS is asked at once; nobody keeps it.
    "registration tokens": {WAITING: NOWHERE},
    # What the apology page carries in the token's stead.
    "the encrypted token": {WAITING: NOWHERE},
    "the browser's session": {WAITING: {COOKIE}},
    "the secret in the browser's session": {WAITING: {COOKIE}},
    "the frontend's session": {WAITING: NOWHERE},
    "CSRF tokens": {WAITING: NOWHERE},
    # By RFC 6749 both travel in addresses; a code is good for one exchange, by who has the verifier.
    "the authorization code": {WAITING: {BROWSED, PROVIDER_TOLD}},
    "the state": {WAITING: {BROWSED, ASKED_AT_PROVIDER}},
    "the code verifier": {WAITING: {PROVIDER_TOLD}},
    "the ID token": {WAITING: NOWHERE},
    "the bearer token": {WAITING: NOWHERE},
    "our client secret": {WAITING: {PROVIDER_TOLD}},
    "the session secret": {WAITING: NOWHERE},
    "the hand-over secret": {WAITING: NOWHERE},
    "API keys": {WAITING: NOWHERE},
    "the deployment secret": {WAITING: NOWHERE, REGISTERED: {PARAMETERS}},
    # The person.
    "the e-mail address": {
        WAITING: {OUTBOX},
        LAUNCHING: {CUSTOMERS, LETTERS, BACK_END_TOLD},
        DELETED: {LETTERS, BACK_END_TOLD},
    },
    "the name": {
        WAITING: {OUTBOX},
        LAUNCHING: {CUSTOMERS, LETTERS, BACK_END_TOLD},
        DELETED: {LETTERS, BACK_END_TOLD},
    },
    "the company": {WAITING: {OUTBOX}, LAUNCHING: {CUSTOMERS, BACK_END_TOLD}, DELETED: {BACK_END_TOLD}},
    "the answers": {WAITING: {OUTBOX}, LAUNCHING: {CUSTOMERS, BACK_END_TOLD}, DELETED: {BACK_END_TOLD}},
    "the provider's name for them": {
        WAITING: {OUTBOX, PROVIDER_TOLD},
        LAUNCHING: {IDENTITIES, BACK_END_TOLD, PROVIDER_TOLD},
        DELETED: {BACK_END_TOLD, PROVIDER_TOLD},
    },
    # The buyer has given another address to be reached at.
    "the address that the provider vouches for": {WAITING: NOWHERE},
    "the frontend's buyer's address": {LAUNCHING: {CUSTOMERS, LETTERS}, DELETED: {LETTERS}},
    "what was mistyped": {WAITING: NOWHERE},
    "the address of who was turned away": {WAITING: NOWHERE},
}


@dataclass
class Lived:
    """What a journey left behind: at each moment the text of each place, and the secrets to look for."""

    house: House
    provider: RecordingProxy
    browsers: list[Browser] = field(default_factory=list)
    secrets: dict[str, set[str]] = field(default_factory=dict)
    seen: dict[str, dict[str, str]] = field(default_factory=dict)

    def places(self) -> dict[str, str]:
        """All that can be read now, by place."""
        house, stack = self.house, self.house.stack
        assert house.back_end
        visits = [visit for browser in self.browsers for visit in browser.visitor.visits]
        found = {f"log {name}": stack.logs(name) for name in stack.names}
        found |= {f"table {table}": repr(house.engine.rows(table)) for table in house.engine.tables()}
        found |= {f"queue {name}": house.engine.queue(name).peek() for name in house.engine.queues()}
        for visit in visits:
            for name, value in visit.cookies.items():
                found[f"cookie {name}"] = found.get(f"cookie {name}", "") + value
        letters = sorted((stack.directory / "mail").glob("*"))
        questions, exchanges = list(house.back_end.questions), list(self.provider.exchanges)
        return found | {
            LETTERS: "\n".join(letter.name + letter.read_text() for letter in letters),
            BROWSED: "\n".join(str(visit.url) for visit in visits),
            ASKED_AT_PROVIDER: "\n".join(exchange.address for exchange in exchanges),
            PROVIDER_TOLD: "\n".join(exchange.told for exchange in exchanges),
            BACK_END_TOLD: "\n".join(one.body.decode() for one in questions),
            "addresses at the seller's back end": "\n".join(
                one.address + repr(one.headers) for one in questions
            ),
            "AWS's call log": json.dumps(house._simulator("GET", "/calls")),
            PARAMETERS: json.dumps(house._simulator("GET", "/deployment-parameters")),
        }

    def look(self, moment: str) -> None:
        self.seen[moment] = self.places()


def where(places: dict[str, str], secret: str) -> set[str]:
    """Where a secret stands, as it is or as text is packed on its way: in addresses, in JSON, in base64."""
    raw = secret.encode()
    packed = {secret, secret.lower(), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
    for shift in range(3):
        # In the middle of something longer: the letters that depend on its neighbours are left out.
        encoded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        packed.add(encoded[-(-shift * 8 // 6) : len(encoded) - 1])
    packed |= {one.replace("+", "-").replace("/", "_") for one in packed}
    return {place for place, text in places.items() if any(one in text for one in packed)}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """A house of its own, in which everything has happened once."""
    directory = tmp_path_factory.mktemp("secrecy")
    back_end = SellersBackEnd()
    identity = free_port()
    provider = RecordingProxy(identity)
    registration = {
        "OIDC_ISSUER": provider.url,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "SESSION_SECRET": SESSION_SECRET,
    }
    with Stack(
        directory,
        environment=ENVIRONMENT
        | seen_by_registration(directory, back_end, identity)
        | {"LOG_LEVEL": "DEBUG", "SESSION_SECRET": SESSION_SECRET},
        process_environment=PROCESS_ENVIRONMENT
        | {"registration-web": registration, "registration-worker": registration},
        ports={"identity": identity},
    ) as stack:
        house = House(stack, back_end)
        life = Lived(house, provider)
        try:
            live(life)
            yield life
        finally:
            for browser in life.browsers:
                browser.close()
            house.close()
            for worker in WORKERS:
                stack.kill(worker)
    back_end.stop()
    provider.close()


def live(life: Lived) -> None:
    """The journey itself."""
    house = life.house
    back_end = house.back_end
    assert back_end
    web = house.stack.urls["registration-web"]
    claims = {"email": VERIFIED_EMAIL, "email_verified": True, "name": "Vouched For"}
    house.http.put(f"{house.stack.urls['identity']}/users/{SUBJECT}", json=claims).raise_for_status()
    buyer, other = house.buy_product(HANDING_OVER), house.buy_product(LICENSED_PRODUCT)
    operator = house.keys["registration"]

    # AWS is away when the browser arrives; the apology's button needs no new token.
    for kind in ("server_error", "connection_reset"):
        house.aws_fails(kind, "ResolveCustomer")
    browser = Browser(house)
    life.browsers.append(browser)
    browser.visitor.post("/register", **{"x-amzn-marketplace-token": buyer.token})
    assert browser.visitor.answer.status_code == 503, browser.reads()
    (apology,) = [form for form in browser.visitor.page.forms if "retry" in form.fields]
    house.aws_is_well()
    browser.visitor.submit(apology.action)
    browser.arrived()
    # Tokens that AWS does not know, in all the ways in which they may come.
    for _ in range(2):
        house.http.post(f"{web}/register", data={"x-amzn-marketplace-token": buyer.token[:-4] + "none"})
        house.http.post(f"{web}/v1/registrations", json={"registration_token": [buyer.token]})
        house.http.post(f"{web}/register?x-amzn-marketplace-token=none", data={})

    # Signing in; a mistake in the form; the seller's back end is away.
    browser.sign_in(SUBJECT)
    personal = {"name": NAME, "company": COMPANY, "purpose": PURPOSE}
    assert browser.submit(MISTYPED, **personal).status_code == 400
    with back_end.down():
        assert browser.submit(buyer.email, **personal).status_code in DONE
        assert browser.is_waiting()
        note_secrets(life, browser, buyer, apology.fields["retry"])
        life.look(WAITING)
    house.aws_fails("access_denied", "PutDeploymentParameter")
    house.advance(NEXT_TRY)
    house.until(browser.is_registered, "the account")
    life.secrets["the deployment secret"] = set(back_end.secrets.values())

    # Another buyer by a frontend, and somebody who is turned away.
    frontend = Frontend(house, other.token)
    frontend.sign_in("subject-of-the-frontend")
    assert frontend.submit(other.email).status_code in DONE
    stranger = Frontend(house, house.new_token(other))
    assert stranger.submit(TURNED_AWAY).status_code == 409
    life.secrets |= {
        "the frontend's session": {frontend.registration["session_secret"]},
        "the bearer token": {frontend._session["Authorization"].removeprefix("Bearer ")},
        "the frontend's buyer's address": {other.email},
        "the address of who was turned away": {TURNED_AWAY},
    }
    life.secrets["registration tokens"] |= {other.token}
    house.until(lambda: "welcome" in house.letters(buyer), "the first letter")
    house.until_written(other, "welcome")
    house.until(lambda: [one for one in house.waiting(buyer) if one["last_error"]], "AWS's refusal")
    life.look(LAUNCHING)

    house.aws_is_well()
    house.advance(UNTIL_ACTIVE)
    house.until_status("active", buyer, other)
    house.until_written(buyer, "welcome", "access")
    house.until_written(other, "welcome", "access")
    assert len(house.parameters(buyer, PRODUCT_IDS[HANDING_OVER])) == 1
    # Whatever operators and the product ask.
    customers = [house.customers_called(one.email)[0]["customer_id"] for one in (buyer, other)]
    for customer_id in customers:
        for path in ("", "/access", "/export"):
            answer = house.http.get(f"{web}/v1/customers/{customer_id}{path}", headers=operator)
            assert answer.status_code == 200, answer.text
    house.http.get(f"{web}/v1/customers?email={MISTYPED}", headers=operator)
    house.http.patch(f"{web}/v1/customers/{customers[0]}", headers=operator, json={"email": MISTYPED})
    life.look(REGISTERED)

    for customer_id in customers:
        assert house.http.delete(f"{web}/v1/customers/{customer_id}", headers=operator).status_code == 204
    life.look(DELETED)


def note_secrets(life: Lived, browser: Browser, buyer: Buyer, retry: str) -> None:
    """What passed until the buyer had sent the form."""
    house = life.house
    assert house.back_end
    (cookie,) = {visit.cookies["registration"] for visit in browser.visitor.visits if visit.cookies}
    (callback,) = [url for url in map(str, (v.url for v in browser.visitor.visits)) if "code=" in url]
    (exchange,) = [one for one in life.provider.exchanges if "grant_type=authorization_code" in one.body]
    query, form = parse_qs(urlsplit(callback).query), parse_qs(exchange.body)
    life.secrets |= {
        "registration tokens": {buyer.token},
        "the encrypted token": {retry},
        "the browser's session": {cookie},
        "the secret in the browser's session": {cookie.split(".")[1]},
        "CSRF tokens": {browser.form["csrf_token"]},
        "the authorization code": set(query["code"]),
        "the state": set(query["state"]),
        "the code verifier": set(form["code_verifier"]),
        "the ID token": {json.loads(exchange.answer)["id_token"]},
        "our client secret": {CLIENT_SECRET},
        "the session secret": {SESSION_SECRET},
        "the hand-over secret": {house.back_end.secret},
        "API keys": {key for headers in house.keys.values() for key in headers.values()},
        "the e-mail address": {buyer.email},
        "the name": {NAME},
        "the company": {COMPANY},
        "the answers": {PURPOSE},
        "the provider's name for them": {SUBJECT},
        "the address that the provider vouches for": {VERIFIED_EMAIL},
        "what was mistyped": {MISTYPED},
    }


@pytest.mark.parametrize("name", BELONGS)
def test_each_secret_is_only_where_it_belongs(lived: Lived, name: str) -> None:
    belongs = NOWHERE
    for moment in MOMENTS:
        belongs = BELONGS[name].get(moment, belongs)
        for secret in lived.secrets[name]:
            assert len(secret) > 10
            assert where(lived.seen[moment], secret) == belongs, f"{name}, {moment}"


def test_all_that_could_be_searched_was_searched(lived: Lived) -> None:
    assert lived.secrets.keys() == BELONGS.keys()
    stack = lived.house.stack
    for moment in MOMENTS:
        places = lived.seen[moment]
        assert {f"log {name}" for name in stack.names} <= places.keys()
        assert len([place for place in places if place.startswith("table ")]) == 28
        assert len([place for place in places if place.startswith("queue ")]) >= 7
        # Whoever speaks up at all in this journey has done so.
        talkative = [f"log {name}" for name in stack.names if name.startswith(("registration", "notif"))]
        for place in (*talkative, BROWSED, ASKED_AT_PROVIDER, PROVIDER_TOLD, COOKIE, "AWS's call log"):
            assert places[place], f"{place}, {moment}"
    assert "ResolveCustomer" in lived.seen[DELETED]["AWS's call log"]


def test_cookies_are_for_this_site_and_out_of_scripts_reach(lived: Lived) -> None:
    headers = [
        header
        for browser in lived.browsers
        for visit in browser.visitor.visits
        for header in visit.headers.get_list("set-cookie")
    ]
    assert headers
    for header in headers:
        attributes = {part.strip().lower() for part in header.split(";")[1:]}
        assert {"httponly", "samesite=lax", "path=/"} <= attributes
        # `Secure` and `__Host-` come with COOKIE_SECURE, which http on loopback cannot have.
        assert not any(one.startswith("domain") for one in attributes)


def test_the_search_can_fail(lived: Lived) -> None:
    """Each kind of place, with something planted there in the ways in which it could stand."""
    house = lived.house
    planted = "planted+secret/of@the.secrecy journey"
    encoded = base64.b64encode(f"before {planted} after".encode()).decode()
    assert where(lived.places(), planted) == NOWHERE
    house.engine.dynamodb.put_item(
        TableName="marketplane-registrations",
        Item={"registration_id": {"S": "reg_planted"}, "refusal": {"S": encoded}},
    )
    house.engine.queue("marketplane-listener").send(json.dumps({"planted": planted}))
    with house.stack.log_file("metering-worker").open("a") as log:
        log.write(f'{{"event": "{planted}"}}\n')
    lived.browsers[0].visitor.open(f"/register?planted={quote(planted, safe='')}")
    (house.stack.directory / "mail" / "planted.eml").write_text(planted)
    assert where(lived.places(), planted) == {
        "table marketplane-registrations",
        "queue marketplane-listener",
        "log metering-worker",
        BROWSED,
        LETTERS,
    }
    # The access line of that request does not repeat what came after the question mark.
    assert "planted" not in lived.places()["log registration-web"]


def test_what_the_list_says_is_looked_for() -> None:
    """Every place of the list is one that the search fills."""
    named: set[str] = set().union(*(places for moments in BELONGS.values() for places in moments.values()))
    assert named == {
        CUSTOMERS,
        IDENTITIES,
        OUTBOX,
        LETTERS,
        COOKIE,
        BROWSED,
        ASKED_AT_PROVIDER,
        PROVIDER_TOLD,
        BACK_END_TOLD,
        PARAMETERS,
    }
