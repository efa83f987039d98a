"""Which requests go past Connexion: only what fits the contract, and says each thing once."""

from typing import Any

import flask
import pytest
from sample.app import CONTRACT
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from chassis.async_operations import coroutines
from chassis.auth import Caller
from chassis.bodies import whole_body
from chassis.contract import load_contract, operations
from chassis.short_way import ShortWay, short_operations

BELLS, DING, JSON = "/v1/bells", b'{"text": "ding"}', "application/json"
ADA = "a key of ada's, who may"
WITH_KEY = [("X-API-Key", ADA), ("Content-Type", JSON)]


REMEMBERED = {
    ADA: Caller("ada", frozenset({"operator"})),
    "a key of bob's, who may not": Caller("bob", frozenset({"usage:read"})),
    "a key that was disabled": None,
}


class Keys:
    """A ring that has read some keys, of which one may ring bells."""

    def remembers(self, key: str) -> bool:
        return key in REMEMBERED

    def check(self, key: str) -> Caller | None:
        return REMEMBERED[key]


async def long_way(scope: Scope, receive: Receive, send: Send) -> None:
    answer = PlainTextResponse(b"the long way, with " + await whole_body(receive))
    await answer(scope, receive, send)


@pytest.fixture
def client() -> TestClient:
    contract = load_contract(CONTRACT)
    names = {name: f"sample.api.{name}" for name in operations(contract) if "." not in name}
    names |= {name: name for name in operations(contract) if "." in name}
    found = short_operations(contract, coroutines(names.values()), names)
    assert list(found) == [("POST", BELLS)]
    keys: Any = Keys()
    return TestClient(ShortWay(long_way, found, keys, flask.Flask(__name__)))


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        (JSON, DING),
        ("application/json; charset=utf-8", DING),
        ("application/bells+json", b"[" + DING + b"]"),
    ],
)
def test_what_is_plainly_right_goes_the_short_way(client: TestClient, media_type: str, body: bytes) -> None:
    answer = client.post(BELLS, content=body, headers={"X-API-Key": ADA, "Content-Type": media_type})
    assert (answer.status_code, answer.json()["by"]) == (202, "ada")
    assert answer.json()["content_type"] == media_type.partition(";")[0]


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        ("POST", BELLS, [("Content-Type", JSON)], DING),
        ("POST", BELLS, [*WITH_KEY, ("Authorization", "Bearer of-somebody")], DING),
        ("POST", BELLS, [*WITH_KEY, ("X-API-Key", ADA)], DING),
        ("POST", BELLS, [*WITH_KEY, ("Content-Type", "application/bells+json")], DING),
        ("POST", BELLS, [("X-API-Key", "a key of bob's, who may not"), ("Content-Type", JSON)], DING),
        ("POST", BELLS, [("X-API-Key", "a key that was disabled"), ("Content-Type", JSON)], DING),
        ("POST", BELLS, [("X-API-Key", "a key that is not remembered"), ("Content-Type", JSON)], DING),
        ("POST", BELLS, [("X-API-Key", ADA)], DING),
        ("POST", BELLS, [("X-API-Key", ADA), ("Content-Type", "text/plain")], DING),
        ("POST", BELLS, WITH_KEY, b""),
        ("POST", BELLS, WITH_KEY, b"null"),
        ("POST", BELLS, WITH_KEY, b"{"),
        ("POST", BELLS, WITH_KEY, b'{"text": NaN}'),
        ("POST", BELLS, WITH_KEY, b'{"text": 7}'),
        ("POST", BELLS, WITH_KEY, b"[" + DING + b"]"),
        ("POST", BELLS + "?why=because", WITH_KEY, DING),
        ("POST", BELLS + "/", WITH_KEY, DING),
        ("POST", "/v1/notes", WITH_KEY, DING),
        ("PUT", BELLS, WITH_KEY, DING),
    ],
)
def test_all_else_goes_the_long_way_as_it_came(
    client: TestClient, method: str, path: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    answer = client.request(method, path, content=body, headers=headers)
    assert answer.content == b"the long way, with " + body


def test_an_error_is_for_who_handles_errors(client: TestClient) -> None:
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        client.post(BELLS, content=b'{"text": "breaks"}', headers=WITH_KEY)


def test_what_is_mounted_below_a_path_is_not_guessed_at(client: TestClient) -> None:
    below = TestClient(client.app, root_path="/below")
    assert below.post(BELLS, content=DING, headers=WITH_KEY).content.startswith(b"the long way")
