"""The control API: its shapes, its refusals, its contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate

from marketplace_simulator.control import Control

CONTRACT = Path(__file__).parents[1] / "openapi.yaml"
PRODUCT = {"title": "T", "generation": "legacy", "dimensions": [{"key": "k"}]}
BUY = {"product_code": "p"}


def test_the_contract_is_valid_and_names_every_route():
    contract = yaml.safe_load(CONTRACT.read_text())
    validate(contract)
    promised = {
        (method.upper(), path)
        for path, operations in contract["paths"].items()
        for method in operations
        if method != "parameters"
    }
    control = Control(None, None, None, None)  # type: ignore[arg-type]
    served = {
        (method, f"/_simulator{route.path}")
        for route in control.routes()
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert promised == served


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "place"),
    [
        ("PUT", "clock", {}, 400, None),
        ("PUT", "clock", {"speed": 1, "advance_seconds": 1}, 400, None),
        ("PUT", "clock", {"now": "2026-11-22T15:00:00"}, 400, "/now"),
        ("PUT", "clock", {"now": "9999-12-31T23:59:59-12:00"}, 400, "/now"),
        ("PUT", "clock", {"advance_seconds": "1"}, 400, "/advance_seconds"),
        ("PUT", "clock", {"advance_seconds": True}, 400, "/advance_seconds"),
        ("PUT", "clock", {"advance_seconds": -1}, 409, None),
        ("PUT", "clock", {"advance_seconds": 1e11}, 409, None),
        ("PUT", "clock", {"speed": -1}, 409, None),
        ("PUT", "clock", {"now": "2026-11-22T13:59:59Z"}, 409, None),
        ("PUT", "clock", [], 400, ""),
        ("POST", "reset", {"colour": 1}, 400, "/colour"),
        ("POST", "products", {}, 400, "/title"),
        ("POST", "products", PRODUCT | {"dimensions": []}, 400, "/dimensions"),
        ("POST", "products", PRODUCT | {"dimensions": [{"key": "k"}] * 2}, 400, "/dimensions/1/key"),
        ("POST", "products", PRODUCT | {"dimensions": [{"key": "k", "x": 1}]}, 400, "/dimensions/0/x"),
        ("POST", "products", PRODUCT | {"generation": "new"}, 400, "/generation"),
        ("POST", "products", PRODUCT | {"registration_url": "javascript:alert(1)"}, 400, "/registration_url"),
        ("POST", "products", PRODUCT | {"product_code": "a b"}, 400, "/product_code"),
        ("POST", "products", PRODUCT | {"title": "\ud800"}, 400, "/title"),
        ("POST", "agreements", {"product_code": "nothing"}, 404, None),
        ("POST", "agreements", {"product_code": 1}, 400, "/product_code"),
        ("POST", "agreements", BUY | {"customer_aws_account_id": "1"}, 400, "/customer_aws_account_id"),
        ("POST", "agreements", BUY | {"free_trial": "yes"}, 400, "/free_trial"),
        ("POST", "agreements", BUY | {"entitlements": {"k": -1}}, 400, "/entitlements"),
        ("POST", "agreements/agmt-none/cancel", None, 404, None),
        ("POST", "agreements/agmt-none/tokens", None, 404, None),
        ("GET", "agreements/agmt-none", None, 404, None),
        ("POST", "deliveries", {"sns_to_queue": "a/b"}, 400, "/sns_to_queue"),
        ("GET", "nothing", None, 404, None),
        ("DELETE", "clock", None, 405, None),
    ],
)  # fmt: skip
def test_bad_input_is_a_problem_that_names_the_place(seller, method, path, body, status, place):
    answer = seller.control(method, path, body)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    problem = answer.json
    assert problem["status"] == status
    if place is not None:
        assert place in [error["path"] for error in problem["errors"]]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [(b"{", "application/json", 400), (b"\xff", "application/json", 400), (b"{}", "text/plain", 415)],
)
def test_a_body_that_is_no_json_is_a_problem(seller, body, content_type, status):
    answer = seller.http("PUT", "/_simulator/clock", body, {"Content-Type": content_type})
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")


def test_an_oversize_body_is_a_problem(seller):
    answer = seller.control("POST", "products", {"title": "x" * 1_100_000})
    assert answer.status == 413


def test_a_product_is_listed_and_listed_anew_under_its_code(seller):
    body = PRODUCT | {
        "product_code": "p1",
        "product_id": "prod-1",
        "pricing_model": "contract",
        "support": {"email": "support@example.com"},
        "metering": {"cut_over": "2026-12-01T00:00:00Z"},
        "endpoints": {"GPU": "gpu_hours"},
        "branding": {"accent": "#0b5cad"},
        "registration": {"quick_launch": {"parameter": "ApiKey", "secret": "{customer_id}"}},
    }
    created = seller.control("POST", "products", body)
    assert (created.status, created.json) == (
        201,
        {
            "product_code": "p1",
            "product_id": "prod-1",
            "title": "T",
            "generation": "legacy",
            "pricing_model": "contract",
            "dimensions": [{"key": "k", "title": "k", "unit": "Units", "value_type": "integer"}],
            "registration_url": None,
            "topics": ["aws-mp-subscription-notification-p1", "aws-mp-entitlement-notification-p1"],
        },
    )
    again = seller.control("POST", "products", body | {"registration_url": "http://127.0.0.1:9/register"})
    assert (again.status, again.json["registration_url"]) == (200, "http://127.0.0.1:9/register")
    assert [product["product_code"] for product in seller.do("GET", "products")["products"]] == ["p1"]
    seller.buy(again.json)
    changed = seller.control("POST", "products", body | {"generation": "concurrent_agreements"})
    assert changed.status == 409
    assert seller.control("POST", "products", body | {"product_code": "p2"}).status == 409


def test_a_purchase_answers_everything_and_its_life_is_guarded(seller):
    product = seller.product("legacy", registration_url="http://127.0.0.1:9/register")
    buy = {
        "product_code": product["product_code"],
        "customer_aws_account_id": "444455556666",
        "free_trial": True,
    }
    bought = seller.do("POST", "agreements", buy)
    assert set(bought) == {
        "agreement_id", "product_code", "generation", "customer_aws_account_id", "customer_identifier",
        "license_arn", "offer_id", "free_trial", "entitlements", "status", "accepted_at", "activates_at",
        "ended_at", "meter_until", "registration_token", "registration_token_expires_at", "registration_url",
        "form_fields", "offer", "proposer_account_id", "resale_authorization_id", "intent", "starts_at",
        "end_time", "end_reason", "initial_agreement_id", "previous_agreement_id", "next_agreement_id",
        "auto_renew", "trial_ends_at", "suspended", "advisory_issued_at", "cancellation_request",
    }  # fmt: skip
    assert bought["form_fields"] == {
        "x-amzn-marketplace-token": bought["registration_token"],
        "x-amzn-marketplace-offer-type": "free-trial",
    }
    path = f"agreements/{bought['agreement_id']}"
    assert bought["status"] == "pending"
    assert seller.control("POST", f"{path}/cancel").status == 409
    assert seller.control("POST", "agreements", buy).status == 409
    seller.advance(10)
    assert seller.do("GET", path)["status"] == "active"
    assert seller.do("POST", f"{path}/cancel")["status"] == "ending"
    assert seller.control("POST", f"{path}/cancel").status == 409
    assert seller.control("POST", f"{path}/tokens").status == 409
    seller.advance(3601)
    assert [agreement["status"] for agreement in seller.do("GET", "agreements")["agreements"]] == ["ended"]
    again = seller.do("POST", "agreements", buy | {"free_trial": False})
    assert again["customer_identifier"] == bought["customer_identifier"]
    assert again["license_arn"] != bought["license_arn"]


def test_entitlements_belong_to_contracts_and_their_dimensions(seller):
    payg, contract = seller.product(), seller.product(pricing_model="contract")
    for product, entitlements in ((payg, {"gpu_hours": 1}), (contract, {"nothing": 1})):
        body = {"product_code": product["product_code"], "entitlements": entitlements}
        assert seller.control("POST", "agreements", body).status == 409
    assert seller.buy(contract)["entitlements"] == {"gpu_hours": 1, "requests": 1}


def test_the_clock_is_frozen_until_moved_and_runs_at_its_speed(seller):
    assert seller.do("GET", "clock") == {"now": "2026-11-22T14:00:00.000000Z", "speed": 0.0}
    assert seller.do("PUT", "clock", {"advance_seconds": 0.5})["now"] == "2026-11-22T14:00:00.500000Z"
    moved = seller.do("PUT", "clock", {"now": "2026-11-22T16:00:00+01:00"})
    assert moved["now"] == "2026-11-22T15:00:00.000000Z"
    assert seller.do("PUT", "clock", {"speed": 3600})["speed"] == 3600
    running = seller.now()
    assert seller.now() > running
    seller.do("PUT", "clock", {"speed": 0})
    assert seller.now() == seller.now()


def test_reset_empties_everything_and_sets_the_clock_back(seller):
    seller.buy(seller.product())
    assert seller.do("POST", "reset") == {"now": "2026-11-22T14:00:00.000000Z", "speed": 0.0}
    counts: dict[str, Any] = {
        path: seller.do("GET", path) for path in ("products", "agreements", "news", "calls", "deliveries")
    }
    assert [list(answer.values()) for answer in counts.values()] == [[[]]] * 5
    assert seller.do("GET", "bill") == {"records": [], "totals": []}


def test_health(seller):
    assert seller.do("GET", "health") == {"status": "ok", "news_waiting": 0}
    assert seller.http("GET", "/healthz").json == {"status": "ok"}
