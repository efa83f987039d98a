"""The door to reconciling, through the contract: what it takes, what it refuses, and what is read later."""

import gzip
from collections.abc import Callable
from typing import Any

import pytest
from house import House, HousesClock, at
from shelf_marketplace import Buyer
from trail import events, log_file, looked_up

from chassis.auth import KeyRing
from metering.subscription_ids import of_license
from metering.tables.models import MeteringKey, ReconciliationRow

PATH = "/v1/reconciliations"
CSV = "Usage date,Product code,Subscriber AWS account ID,Dimension key,Estimated usage\n"


@pytest.fixture
def keys(house: House) -> dict[str, dict[str, str]]:
    ring = KeyRing(MeteringKey)
    return {scope: {"X-API-Key": ring.add(scope, {scope})} for scope in ("operator", "usage:read")}


@pytest.fixture
def ask(web: tuple[Any, HousesClock], house: House, keys: dict[str, dict[str, str]]) -> Callable[..., Any]:
    app, clock = web
    clock.house = house
    client = app.test_client()

    def send(method: str, path: str = PATH, scope: str = "operator", **more: Any) -> Any:
        headers = keys[scope] | more.pop("headers", {})
        return client.request(method, path, headers=headers, **more)

    return send


@pytest.fixture
def post(ask: Callable[..., Any]) -> Callable[..., Any]:
    def send(body: str | bytes, media_type: str = "application/json", **query: Any) -> Any:
        return ask("POST", content=body, headers={"Content-Type": media_type}, params=query)

    return send


@pytest.fixture
def billed(house: House) -> str:
    """A subscription with a record of 1.25 in the hour of ten."""
    identity = "arn:aws:license-manager::1:license:l-00c0ffee"
    sub = of_license(identity)
    house.identities[sub] = identity
    house.aws.buyers[identity] = Buyer("74concurrent", at("01T00"), account="444455556666")
    house.publish(sub)
    house.use(sub, "1.25")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    assert house.outcomes(sub) == ["billed"]
    return sub


def refusal(answer: Any) -> tuple[int, str, str]:
    """Status, slug and detail of a problem document."""
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
    found = answer.json()
    return answer.status_code, found["type"].rpartition("/")[2], found.get("detail", "")


@pytest.mark.parametrize("form", [log_file, looked_up])
@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode())])
def test_a_cloudtrail_file_is_taken_as_it_is_or_packed(
    house: House, billed: str, post: Callable[..., Any], form: Any, pack: Any
) -> None:
    answer = post(pack(form(*events(house.aws))))
    assert answer.status_code == 201, answer.text
    found = answer.json()
    assert (found["differences"], found["more"]) == ([], False)
    reconciliation = found["reconciliation"]
    assert (reconciliation["source"], reconciliation["by"]) == ("cloudtrail", "operator")
    assert reconciliation["counts"] == {
        "read": 1,
        "passed_over": 0,
        "compared": 1,
        "agreed": 1,
        "differences": 0,
        "settled_as_billed": 0,
        "settled_to_bill_again": 0,
    }


def test_a_usage_report_is_taken(billed: str, post: Callable[..., Any]) -> None:
    body = CSV + "2026-11-22,74concurrent,444455556666,gpu_hours,1.25\n"
    for media_type in ("text/csv", "text/csv; charset=utf-8"):
        found = post(body, media_type).json()
        assert found["differences"] == []
        assert found["reconciliation"]["source"] == "usage_report"
        assert found["reconciliation"]["counts"]["agreed"] == 1


def test_prior_art_14_a_number_of_json_is_not_rounded_on_its_way(
    house: House, billed: str, post: Callable[..., Any]
) -> None:
    (one,) = events(house.aws)
    for record in (
        one["requestParameters"]["usageRecords"][0],
        one["responseElements"]["results"][0]["usageRecord"],
    ):
        del record["quantityAsDecimal"]
        record["quantity"] = "EXACTLY"
    body = log_file(one).replace('"EXACTLY"', "9007199254.740993")
    (difference,) = post(body).json()["differences"]
    assert difference["theirs"]["quantity"] == "9007199254.740993"


@pytest.mark.parametrize(
    ("body", "media_type", "words"),
    [
        (b"", "application/json", "not JSON"),
        (b"{}", "application/json", "neither"),
        (b"nonsense", "application/json", "not JSON"),
        (b"\xff", "application/json", "UTF-8"),
        (b"\x1f\x8bnonsense", "application/json", "unpacked"),
        (CSV.encode(), "application/json", "not JSON"),
        (b"", "text/csv", "no column Usage date"),
        (b'{"Records": []}', "text/csv", "no column Usage date"),
    ],
)
def test_what_is_no_file_of_aws_s_is_refused_and_nothing_kept(
    post: Callable[..., Any], body: bytes, media_type: str, words: str
) -> None:
    status, slug, detail = refusal(post(body, media_type))
    assert (status, slug) == (400, "invalid-request")
    assert words in detail
    assert list(ReconciliationRow.scan()) == []


def test_a_packed_file_that_is_too_large_unpacked_is_refused(post: Callable[..., Any]) -> None:
    status, slug, detail = refusal(post(gzip.compress(b" " * (32 * 1024 * 1024 + 1))))
    assert (status, slug) == (413, "too-large")
    assert "split it" in detail


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"complete_from": "2026-11-22T00:00:00Z"}, "complete_until"),
        ({"complete_until": "2026-11-22T00:00:00Z"}, "complete_from"),
        ({"complete_from": "yesterday", "complete_until": "2026-11-22T00:00:00Z"}, "complete_from"),
        ({"complete_from": "2026-11-22T00:00:00", "complete_until": "2026-11-22T00:00:00Z"}, "complete_from"),
        (
            {"complete_from": "2026-11-22T00:00:00Z", "complete_until": "2026-11-22T00:00:00Z"},
            "complete_until",
        ),
    ],
)
def test_a_time_of_completeness_has_two_ends(
    post: Callable[..., Any], query: dict[str, str], words: str
) -> None:
    answer = post('{"Records": []}', **query)
    assert refusal(answer)[:2] == (400, "invalid-request")
    assert answer.json()["errors"][0]["path"] == words
    assert list(ReconciliationRow.scan()) == []


def test_completeness_is_noted_in_utc(post: Callable[..., Any]) -> None:
    query = {"complete_from": "2026-11-21T02:00:00+02:00", "complete_until": "2026-11-22T00:00:00Z"}
    found = post('{"Records": []}', **query).json()["reconciliation"]
    assert found["complete_from"] == "2026-11-21T00:00:00.000000Z"
    assert found["complete_until"] == "2026-11-22T00:00:00.000000Z"


def test_a_hundred_differences_are_answered_and_all_are_listed(
    ask: Callable[..., Any], post: Callable[..., Any], house: House
) -> None:
    lines = "".join(f"2026-11-22,74concurrent,{1000 + number},gpu_hours,1\n" for number in range(101))
    found = post(CSV + lines, "text/csv").json()
    assert (len(found["differences"]), found["more"]) == (100, True)
    path = f"{PATH}/{found['reconciliation']['reconciliation_id']}"
    listed, query = [], {"limit": 60}
    while True:
        page = ask("GET", f"{path}/differences", params=query).json()
        assert len(page["items"]) <= 60
        listed += page["items"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert listed[:100] == found["differences"]
    assert len(listed) == 101
    assert ask("GET", path).json() == found["reconciliation"]


def test_reconciliations_are_listed_the_newest_first(
    ask: Callable[..., Any], post: Callable[..., Any], house: House
) -> None:
    made = []
    for _ in range(3):
        made.append(post('{"Records": []}').json()["reconciliation"]["reconciliation_id"])
        house.clock.advance(minutes=1)
    first = ask("GET", params={"limit": 2}).json()
    second = ask("GET", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    found = [one["reconciliation_id"] for one in (*first["items"], *second["items"])]
    assert found == made[::-1]
    assert second["next_cursor"] is None


def test_what_is_not_there_is_404_and_a_foreign_cursor_400(
    ask: Callable[..., Any], post: Callable[..., Any]
) -> None:
    nobody = f"{PATH}/rec_{'a' * 26}"
    for path in (nobody, f"{nobody}/differences"):
        assert refusal(ask("GET", path))[:2] == (404, "not-found")
    made = post('{"Records": []}').json()["reconciliation"]["reconciliation_id"]
    for path in (PATH, f"{PATH}/{made}/differences"):
        assert refusal(ask("GET", path, params={"cursor": "nonsense"}))[:2] == (400, "invalid-request")


@pytest.mark.parametrize("path", ["", "/rec_" + "a" * 26, "/rec_" + "a" * 26 + "/differences"])
def test_prior_art_23_only_operators_reconcile(ask: Callable[..., Any], path: str) -> None:
    assert refusal(ask("GET", PATH + path, scope="usage:read"))[:2] == (403, "forbidden")
    if not path:
        body = {"content": '{"Records": []}', "headers": {"Content-Type": "application/json"}}
        assert refusal(ask("POST", scope="usage:read", **body))[:2] == (403, "forbidden")
