"""Who may call what, and sees whose: each answer of docs/authorisation.md, asked of the running services.

A buyer who signed in owns what is asked for. What somebody else is answered is held against what they are
answered about things that never were.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import httpx
import jsonschema_rs
import pytest

from tests.architecture.test_house_rules_of_contracts import plain
from tests.contract.contracts import SCOPES, SERVICES, Operation, operations
from tests.contract.test_guards import EXAMPLES, OF_SERVICE, well_formed
from tests.contract.test_tables import inside
from tests.contract.token_issuer import TokenIssuer
from tests.contract.world import (
    A_CUSTOMER,
    A_FORM,
    A_METERING_RECORD,
    A_REGISTRATION,
    A_SUBSCRIPTION,
    AN_ENDPOINT,
    AN_HOUR,
    ANOTHER_PERSON,
    ANOTHER_SUBSCRIPTION,
    EVENTBRIDGE_HEADER,
    METERED,
    ONE_WHO_USES,
    SIGNED_IN,
    Buyer,
    Values,
    World,
    by_cookie,
    replaced,
)
from tools.authorisation_page import KEY, SESSION, TOKEN, Answer, Role, answer, guards, role

COOKIE, SECRET = "registrationCookie", "eventBridgeSecret"
GUARDS = {(one.service, one.method, one.path): one for service in SERVICES for one in guards(service)}
SERVICES_SCOPES = [scope for scope in SCOPES if scope != "buyer"]

OWNER, ANOTHER, NOBODY, KEY_OF_BUYERS = (
    role("a buyer, for their own", TOKEN, scope="buyer", owns=True),
    role("a buyer, for another's", TOKEN, scope="buyer"),
    role("who never registered", TOKEN, scope="buyer"),
    role("a key of buyers", KEY, scope="buyer"),
)
EVERYWHERE = [
    role("nobody"),
    *(role(f"a key of {scope}", KEY, scope=scope) for scope in SERVICES_SCOPES),
    *(role(f"a token of {scope}", TOKEN, scope=scope) for scope in SERVICES_SCOPES),
    *(OWNER, ANOTHER, NOBODY, KEY_OF_BUYERS),
]
AT = {
    "registration": [
        role("a session, for its own", SESSION, owns=True),
        role("a session, for another's", SESSION),
        role("a session and a buyer", SESSION, TOKEN, scope="buyer", owns=True),
        role("a browser", COOKIE),
    ],
    "notifications": [role("EventBridge", SECRET)],
    "metering": [],
}
CELLS = [(operation, who) for operation in operations() for who in (*EVERYWHERE, *AT[operation.service])]

NEVER = "q" * 26
NEVER_WAS = {
    A_SUBSCRIPTION: f"sub_{NEVER}",
    ANOTHER_SUBSCRIPTION: f"sub_{NEVER}",
    A_CUSTOMER: f"cus_{NEVER}",
    ONE_WHO_USES: f"cus_{NEVER}",
    AN_ENDPOINT: f"end_{NEVER}",
    A_METERING_RECORD: f"sub_{NEVER}.{METERED}.{AN_HOUR}",
    A_REGISTRATION: f"reg_{NEVER}",
}


@pytest.fixture(scope="module")
def keys(world: World) -> dict[tuple[str, str], str]:
    """A key of each service with each scope alone."""
    made = {}
    for service in SERVICES:
        for scope, key in zip(
            SCOPES,
            inside(service, "make_keys", [[scope] for scope in SCOPES], world, prefix="marketplane-"),
            strict=True,
        ):
            made[service, scope] = key
    return made


@dataclass(frozen=True)
class Scene:
    """What one request is about.

    Attributes:
        subject, owner: a buyer who has signed in.
        stranger: the subject of somebody who has not registered.
        purchase: one that nobody has claimed yet, where it is about that.
    """

    world: World
    operation: Operation
    subject: str
    owner: Buyer
    stranger: str = "stranger"
    purchase: Buyer | None = None

    @property
    def things(self) -> dict[str, str]:
        """What is the owner's, by what the contracts' examples call it."""
        owner, purchase = self.owner, self.purchase
        found = {
            A_SUBSCRIPTION: owner.subscription_id,
            ANOTHER_SUBSCRIPTION: owner.subscription_id,
            A_CUSTOMER: owner.customer_id,
            ONE_WHO_USES: owner.customer_id,
            A_METERING_RECORD: f"{owner.subscription_id}.{METERED}.{AN_HOUR}",
        }
        return found | ({A_REGISTRATION: purchase.registration_id} if purchase else {})

    def endpoint(self) -> str:
        """One that the owner has created."""
        wish = {"name": "A model", "repository": "acme/model", "accelerator": "GPU"}
        headers = bearer(self.world, self.subject, "buyer")
        made = self.world.request("metering", "POST", "/v1/endpoints", wish, headers=headers)
        assert made.status_code == 201, made.text
        return str(made.json()["endpoint_id"])


def set_up(world: World, operation: Operation) -> Scene:
    """With an owner who is new, where what is theirs may be changed for good."""
    purchase = world.arrived() if "{registration_id}" in operation.path else None
    # Another one each time: a service owns what it has made with a token of this subject.
    stranger = world.somebody()
    if operation.service == "registration" and operation.method != "get":
        subject = world.somebody()
        return Scene(world, operation, subject, world.connected(subject), stranger, purchase)
    return Scene(world, operation, SIGNED_IN, world.signed_in, stranger, purchase)


def bearer(world: World, subject: str, *scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {_token(world.side.issuer, subject, *scopes)}"}


@cache
def _token(issuer: TokenIssuer, subject: str, *scopes: str) -> str:
    return issuer.token(subject, *scopes)


def credentials(scene: Scene, who: Role, keys: dict[tuple[str, str], str]) -> tuple[dict[str, str], Values]:
    """The headers by which somebody proves who they are, and what a browser's form is called."""
    world, proof, form = scene.world, {}, ""
    if KEY in who.brings:
        (scope,) = who.scopes
        proof["X-API-Key"] = keys[scene.operation.service, scope]
    if TOKEN in who.brings:
        stranger = ANOTHER_PERSON if who == ANOTHER else scene.stranger
        proof |= bearer(world, scene.subject if who.owns else stranger, *who.scopes)
    if SESSION in who.brings:
        session = scene.purchase if who.owns and scene.purchase else world.arrived()
        proof["X-Registration-Session"] = session.session_secret
    if COOKIE in who.brings:
        cookie, form = world.landed()
        proof |= by_cookie(cookie)
    if SECRET in who.brings:
        proof |= EVENTBRIDGE_HEADER
    if scene.operation.id.startswith("landing."):
        proof["Accept"] = "application/problem+json"
    return proof, {A_FORM: form}


def ask(scene: Scene, values: Values, headers: dict[str, str]) -> httpx.Response:
    """A request that fits the contract, about these things."""
    operation = scene.operation
    request = {} if operation.is_public else replaced(well_formed(operation), values)
    return scene.world.request(
        operation.service, operation.method.upper(), path_of(operation, values), headers=headers, **request
    )


def path_of(operation: Operation, values: Values) -> str:
    named = EXAMPLES | OF_SERVICE.get(operation.service, {})
    taken = re.findall(r"\{(\w+)\}", operation.path)
    return operation.path.format_map({name: replaced(named[name], values) for name in taken})


def said(answered: httpx.Response, things: Mapping[str, str]) -> str:
    """What an answer says, with the examples in the place of what they stand for."""
    body = answered.json()
    if isinstance(body, dict):
        body.pop("instance", None)  # of this very request
    text = f"{answered.status_code} {json.dumps(body)}"
    for example, thing in sorted(things.items()):
        text = text.replace(thing, example)
    return text


def is_problem(answered: httpx.Response, slug: str) -> bool:
    is_one = answered.headers.get("content-type") == "application/problem+json"
    return is_one and answered.json()["type"] == f"https://marketplane.dev/problems/{slug}"


@pytest.mark.parametrize(("operation", "who"), CELLS, ids=[f"{one}: {who.title}" for one, who in CELLS])
def test_each_answer_of_the_page(
    operation: Operation, who: Role, world: World, keys: dict[tuple[str, str], str]
) -> None:
    guard = GUARDS[operation.service, operation.method.upper(), operation.path]
    expected = answer(guard, who)
    is_refused = expected in (Answer.UNAUTHORIZED, Answer.FORBIDDEN)
    # Where nobody comes to what it is about, it need not be there.
    about_nothing = is_refused or operation.is_public
    scene = Scene(world, operation, SIGNED_IN, world.signed_in) if about_nothing else set_up(world, operation)
    headers, form = credentials(scene, who, keys)
    if is_refused:
        answered = ask(scene, {}, headers)
        slug = "unauthorized" if expected is Answer.UNAUTHORIZED else "forbidden"
        assert answered.status_code == int(expected), answered.text
        assert is_problem(answered, slug)
        return
    things = scene.things
    if operation.service == "metering" and "{endpoint_id}" in operation.path:
        things[AN_ENDPOINT] = scene.endpoint()
    if operation.id == "webhooks.create_endpoint":
        world.make_room()
    values = {**world.made_real(0), **things, **form}
    before = seen_by_the_seller(scene, values)
    answered = ask(scene, values, headers)
    if expected is Answer.YES:
        must_be_let_in(scene, answered)
    elif expected is Answer.OWN:
        must_be_theirs(scene, answered, things, headers)
    else:
        must_be_as_if_it_never_was(scene, answered, things, headers, expected)
        assert seen_by_the_seller(scene, values) == before


def must_be_let_in(scene: Scene, answered: httpx.Response) -> None:
    assert answered.status_code != 401, answered.text
    assert not is_problem(answered, "forbidden"), answered.text
    if scene.operation.takes_key:
        # 409: what it is about is in no state for it.
        assert answered.status_code in (*scene.operation.successes, 409), answered.text


def must_be_theirs(
    scene: Scene, answered: httpx.Response, things: Mapping[str, str], headers: dict[str, str]
) -> None:
    assert answered.status_code in scene.operation.successes, answered.text
    must_keep_the_contract(scene.operation, answered)
    if scene.operation.method == "get":
        assert any(thing in answered.text for thing in things.values()), answered.text
        if names_something(scene.operation):
            nothing = ask(scene, NEVER_WAS, headers)
            assert said(answered, things) != said(nothing, NEVER_WAS)


def must_be_as_if_it_never_was(
    scene: Scene,
    answered: httpx.Response,
    things: Mapping[str, str],
    headers: dict[str, str],
    expected: Answer,
) -> None:
    allowed = (404,) if expected is Answer.NOT_FOUND else scene.operation.successes
    assert answered.status_code in allowed, answered.text
    must_keep_the_contract(scene.operation, answered)
    if names_something(scene.operation):
        assert said(answered, things) == said(ask(scene, NEVER_WAS, headers), NEVER_WAS)
    else:
        assert not [thing for thing in things.values() if thing in answered.text], answered.text


def must_keep_the_contract(operation: Operation, answered: httpx.Response) -> None:
    """The generated tests see what the seller is answered; buyers are answered less."""
    response = operation.resolve(operation.definition["responses"][str(answered.status_code)])
    assert bool(answered.content) == ("content" in response)
    if answered.content:
        schema = plain(operation, response["content"][answered.headers["content-type"]]["schema"])
        validator = jsonschema_rs.Draft4Validator(schema, validate_formats=True)
        assert [error.message for error in validator.iter_errors(answered.json())] == []


def names_something(operation: Operation) -> bool:
    """Whether a request of it says whose thing it is about."""
    request = well_formed(operation)
    return "{" in operation.path or replaced(request, NEVER_WAS) != request


def seen_by_the_seller(scene: Scene, values: Values) -> str:
    """What a request may change, as who sees everything is shown it; empty where there is nothing to see."""
    operation = scene.operation
    if operation.method == "get" or (operation.service, "GET", operation.path) not in GUARDS:
        return ""
    if "{" not in operation.path:
        return ""
    return scene.world.request(operation.service, "GET", path_of(operation, values)).text


# -- the page ------------------------------------------------------------------------------------------------


def test_another_buyer_s_endpoint_is_404_on_the_page() -> None:
    """Or what the tests above ask of the services would not be what the page says."""
    for method in ("GET", "PATCH", "DELETE"):
        guard = GUARDS["metering", method, "/v1/endpoints/{endpoint_id}"]
        assert [answer(guard, who) for who in (OWNER, ANOTHER, NOBODY, KEY_OF_BUYERS)] == [
            "own",
            *["404"] * 3,
        ]


def test_every_answer_is_on_the_page() -> None:
    given = {answer(guard, who) for guard in GUARDS.values() for who in EVERYWHERE}
    assert given == set(Answer)
