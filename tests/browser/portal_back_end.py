"""What the portal speaks to, played inside the browser: the sign-in service and the three services, by their
contracts' shapes."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.sync_api import BrowserContext, Request, Route

ISSUER = "http://id.portal.localhost"
ORIGINS = {
    service: f"http://{service}.portal.localhost" for service in ("registration", "notifications", "metering")
}
CUSTOMER = "cus_5d7e3f6g4h2fzk5j3w7v6c4b2a"
ENDPOINTS, WORKBENCH = "sub_akqbclolnbr5rol2aljugptsbj", "sub_t6gpawywych34xbexcgv7drsaj"
MONTH = "2026-11"

Answer = tuple[int, Any]


def held(subscription_id: str, title: str, status: str = "active") -> dict[str, Any]:
    return {
        "subscription_id": subscription_id,
        "product": {"product_code": title.lower().replace(" ", ""), "title": title},
        "status": status,
        "access": "granted" if status == "active" else "denied",
        "previous_subscription_id": None,
        "next_subscription_id": None,
    }


def customer(**more: Any) -> dict[str, Any]:
    return {
        "customer_id": CUSTOMER,
        "status": "active",
        "email": "ada@example.com",
        "name": "Ada Lovelace",
        "company": "Analytical Engines",
        "account_id": None,
        "fields": {},
        "access": "granted",
        "subscriptions": [held(ENDPOINTS, "Inference Endpoints"), held(WORKBENCH, "Inference Workbench")],
        "created_at": "2026-08-20T14:20:00.000000Z",
        "updated_at": "2026-11-22T10:00:00.000000Z",
        "version": 1,
        **more,
    }


def subscription(subscription_id: str, **more: Any) -> dict[str, Any]:
    return {
        "subscription_id": subscription_id,
        "product_code": "inferenceendpoints",
        "generation": "concurrent_agreements",
        "status": "active",
        "access": "granted",
        "customer_identifier": None,
        "license_arn": "arn:aws:license-manager::294406891311:license:l-9d01d15f86334a8894365cd7350556ff",
        "agreement_id": "agmt-EXAMPLE",
        "customer_aws_account_id": "444455556666",
        "offer_id": "offer-EXAMPLE",
        "free_trial": True,
        "trial_ends_at": "2026-12-20T14:24:23.000000Z",
        "agreement_ends_at": "2027-08-20T14:23:11.013000Z",
        "entitlements": None,
        "entitlements_as_of": None,
        "active_since": "2026-08-20T14:24:23.000000Z",
        "ended_at": None,
        "end_reason": None,
        "meter_until": None,
        "previous_subscription_id": None,
        "next_subscription_id": None,
        "version": 1,
        "changed_at": "2026-08-20T14:24:23.000000Z",
        **more,
    }


SEATS = [
    {"dimension": "editors", "type": "integer", "value": "20", "expires_at": "2027-08-20T14:23:11.013000Z"},
    {"dimension": "workspaces", "type": "double", "value": "1.5", "expires_at": None},
    {"dimension": "audit_log", "type": "boolean", "value": "true", "expires_at": None},
]


def history() -> list[dict[str, Any]]:
    """As buyers are shown it: without the messages."""
    first = {
        "version": 1,
        "recorded_at": "2026-08-20T14:24:25.000000Z",
        "cause": "notification",
        "event_time": "2026-08-20T14:24:23.000000Z",
        "changes": [
            {"attribute": "status", "before": None, "after": "active"},
            {"attribute": "access", "before": None, "after": "granted"},
        ],
    }
    ends = {"attribute": "agreement_ends_at", "before": None, "after": "2027-08-20T14:23:11.013000Z"}
    return [first | {"version": 2, "cause": "answer", "event_time": None, "changes": [ends]}, first]


def usage(
    by: str, start: str, dimensions: tuple[str, ...] = ("cpu_hours", "gpu_hours")
) -> list[dict[str, Any]]:
    """A month by days until the 23rd, or a day by hours; of each an odd number of millionths."""
    month = by == "day"
    keys = [f"{start[:7]}-{number:02}T00:00:00Z" for number in range(1, 24)] if month else []
    keys = keys or [f"{start[:10]}T{number:02}:00:00Z" for number in range(24)]
    items = []
    for weight, dimension in enumerate(dimensions, start=1):
        for number, hour in enumerate(keys):
            whole = (number * 7 + weight * 3) % 23 * weight
            parts = [
                {"tags": {"team": "research"}, "quantity": f"{whole}.000001"},
                {"tags": {"team": "support", "project": "chat"}, "quantity": f"{whole // 2}"},
                {"tags": {}, "quantity": "0.25"},
            ]
            item = {
                "subscription_id": ENDPOINTS,
                "dimension": dimension,
                "hour": hour,
                "quantity": f"{whole + whole // 2}.250001",
                "conflicting_events": 0,
                "by_tags": parts,
            }
            items.append(item | ({"day": hour[:10]} if month else {}))
    return items


def balance(dimension: str) -> dict[str, Any]:
    return {
        "dimension": dimension,
        "accepted": "1434.75",
        "open": "2",
        "planned": "0.5",
        "billed": "1412.25",
        "included": "0",
        "held": "12",
        "conflicting": "0",
        "written_off": "8",
        "corrections_waiting": "0",
    }


def record(number: int, outcome: str = "billed") -> dict[str, Any]:
    hour = f"2026-11-{22 - number // 24:02}T{23 - number % 24:02}:00:00Z"
    return {
        "metering_record_id": f"{ENDPOINTS}.gpu_hours.{hour[:13]}",
        "subscription_id": ENDPOINTS,
        "product_code": "inferenceendpoints",
        "dimension": "gpu_hours",
        "hour": hour,
        "timestamp": hour,
        "quantity": f"{number + 1}.25",
        "outcome": outcome,
        "aws_metering_record_id": "35155d37-56cb-423f-8554-5c4f3e3ff56d",
        "created_at": hour,
        "settled_at": hour,
        "sources": [{"hour": hour, "quantity": f"{number + 1}.25"}],
    }


def endpoint(name: str, number: int, **more: Any) -> dict[str, Any]:
    return {
        "endpoint_id": f"end_{'abcdefgh'[number] * 26}",
        "owner": CUSTOMER,
        "name": name,
        "repository": "acme/llama-chat-pt",
        "accelerator": "GPU",
        "subscription_id": ENDPOINTS,
        "product_code": "inferenceendpoints",
        "dimension": "gpu_hours",
        "state": "running",
        "created_at": "2026-11-20T10:15:07Z",
        "deleted_at": None,
        "ended_because": None,
        "metered_until": "2026-11-22T10:15:07Z",
        **more,
    }


def problem(status: int, name: str, title: str, **more: Any) -> Answer:
    return status, {
        "type": f"https://marketplane.dev/problems/{name}",
        "title": title,
        "status": status,
        "instance": "req-0001",
        **more,
    }


@dataclass
class PortalBackEnd:
    """All that the portal speaks to. What is in it may be changed at any time; `calls` has what was asked."""

    customers: list[dict[str, Any]] = field(default_factory=lambda: [customer()])
    subscriptions: list[dict[str, Any]] = field(
        default_factory=lambda: [
            subscription(ENDPOINTS),
            subscription(
                WORKBENCH,
                product_code="inferenceworkbench",
                free_trial=False,
                trial_ends_at=None,
                entitlements=SEATS,
                entitlements_as_of="2026-11-23T10:00:00.000000Z",
            ),
        ]
    )
    records: list[dict[str, Any]] = field(
        default_factory=lambda: [
            record(number, "planned" if number < 2 else "billed") for number in range(70)
        ]
    )
    endpoints: list[dict[str, Any]] = field(
        default_factory=lambda: [
            endpoint("Chat in Portuguese", 0),
            endpoint("Embeddings for the search", 1, accelerator="CPU", repository="acme/minilm"),
            endpoint(
                "First try",
                2,
                state="deleted",
                deleted_at="2026-11-21T10:15:07Z",
                ended_because="deleted_by_owner",
            ),
        ]
    )
    has_usage: bool = True
    remembers: bool = True
    """Whether the sign-in service signs in again without a word, as it does while its own session lasts."""
    scope_given: str | None = None
    """What it gives in place of what is asked for."""
    failing: dict[str, Answer] = field(default_factory=dict)
    """An answer for each call of a service, by its name."""
    calls: list[tuple[str, str, dict[str, str], Any, dict[str, str]]] = field(default_factory=list)
    _nonces: dict[str, tuple[str, str]] = field(default_factory=dict)

    def stand_in(self, context: BrowserContext) -> None:
        """Answers all that this browser asks of the four."""
        context.route(re.compile(r"^http://[a-z]+\.portal\.localhost/"), self._answer)

    def _answer(self, route: Route, request: Request) -> None:
        where = urlsplit(request.url)
        if request.url.startswith(ISSUER):
            self._sign_in(route, where.path, request)
            return
        service = where.netloc.split(".")[0]
        query = {name: values[0] for name, values in parse_qs(where.query).items()}
        body = json.loads(request.post_data) if request.post_data else None
        self.calls.append((request.method, service + where.path, query, body, request.headers))
        status, answer = self.failing.get(service) or self._of_service(
            request.method, where.path, query, body
        )
        headers = {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Expose-Headers": "ETag",
            "Content-Type": "application/problem+json" if status >= 400 else "application/json",
        }
        if where.path == f"/v1/customers/{CUSTOMER}" and status == 200:
            headers["ETag"] = f'"{answer["version"]}"'
        route.fulfill(status=status, headers=headers, body="" if answer is None else json.dumps(answer))

    def _of_service(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        steps = path.strip("/").split("/")[1:]
        doors: dict[tuple[str, str], Callable[[], Answer]] = {
            ("GET", "usage"): lambda: (200, self._usage(query)),
            ("GET", "balance"): lambda: (
                200,
                {"subscription_id": query["subscription_id"], "dimensions": self._balances()},
            ),
            ("GET", "customer-balance"): lambda: (200, {**query, "dimensions": []}),
            ("GET", "metering-records"): lambda: (200, page(self.records, query)),
            ("GET", "endpoints"): lambda: (200, page(self._endpoints_of(query.get("state")), query)),
            ("POST", "endpoints"): lambda: self._create_endpoint(body),
            ("DELETE", "endpoints"): lambda: self._delete_endpoint(steps[-1]),
            ("GET", "subscriptions"): lambda: self._read_subscriptions(steps, query),
            ("GET", "customers"): lambda: self._read_customers(steps, query),
            ("PATCH", "customers"): lambda: self._change_customer(body),
            ("DELETE", "customers"): self._delete_customer,
        }
        door = doors.get((method, steps[0]))
        return door() if door else problem(404, "not-found", "There is no such thing.")

    # -- the services ----------------------------------------------------------------------------------------

    def _read_customers(self, steps: list[str], query: dict[str, str]) -> Answer:
        if len(steps) == 1:
            fitting = [one for one in self.customers if query.get("email", one["email"]) == one["email"]]
            return 200, page(fitting, query)
        if not self.customers:
            return problem(404, "not-found", "There is no such thing.")
        if steps[-1] == "access":
            return 200, self._access()
        if steps[-1] == "export":
            return 200, {"exported_at": "2026-11-23T10:00:00Z", "customer": self.customers[0]}
        return 200, self.customers[0]

    def _access(self) -> dict[str, Any]:
        found = self.customers[0]
        more = {"can_pay": True, "free_trial": False, "trial_ends_at": None, "agreement_ends_at": None}
        entitled = {one["subscription_id"]: one["entitlements"] for one in self.subscriptions}
        return {
            "customer_id": CUSTOMER,
            "account_id": None,
            "access": found["access"],
            "can_pay": True,
            "subscriptions": [
                one
                | more
                | {"entitlements": entitled.get(one["subscription_id"]), "entitlements_as_of": None}
                for one in found["subscriptions"]
            ],
        }

    def _change_customer(self, body: dict[str, Any]) -> Answer:
        self.customers[0] |= body | {"version": self.customers[0]["version"] + 1}
        return 200, self.customers[0]

    def _delete_customer(self) -> Answer:
        self.customers.clear()
        return 204, None

    def _read_subscriptions(self, steps: list[str], query: dict[str, str]) -> Answer:
        if len(steps) == 1:
            return 200, page(self.subscriptions, query)
        found = [one for one in self.subscriptions if one["subscription_id"] == steps[1]]
        if not found:
            return problem(404, "not-found", "There is no such thing.")
        return 200, page(history(), query) if steps[-1] == "history" else found[0]

    def _usage(self, query: dict[str, str]) -> dict[str, Any]:
        return page(usage(query["by"], query["from"]) if self.has_usage else [], query)

    def _balances(self) -> list[dict[str, Any]]:
        return [balance("cpu_hours"), balance("gpu_hours")] if self.has_usage else []

    def _endpoints_of(self, state: str | None) -> list[dict[str, Any]]:
        return [one for one in self.endpoints if state in (None, one["state"])]

    def _create_endpoint(self, body: dict[str, Any]) -> Answer:
        if body["accelerator"] == "TPU":
            place = {"in": "body", "path": "/accelerator", "reason": "It is not offered."}
            title = "The product does not offer this accelerator."
            return problem(
                400, "accelerator-not-offered", title, detail="It offers CPU, GPU.", errors=[place]
            )
        self.endpoints.insert(0, endpoint(**(body | {"number": 3})))
        return 201, self.endpoints[0]

    def _delete_endpoint(self, endpoint_id: str) -> Answer:
        for one in self.endpoints:
            if one["endpoint_id"] == endpoint_id:
                one |= {
                    "state": "deleted",
                    "deleted_at": "2026-11-23T10:00:00Z",
                    "ended_because": "deleted_by_owner",
                }
        return 204, None

    # -- the sign-in service ---------------------------------------------------------------------------------

    def _sign_in(self, route: Route, path: str, request: Request) -> None:
        if path == "/.well-known/openid-configuration":
            told = {
                "issuer": ISSUER,
                "authorization_endpoint": f"{ISSUER}/authorize",
                "token_endpoint": f"{ISSUER}/token",
                "jwks_uri": f"{ISSUER}/jwks",
                "response_types_supported": ["code"],
            }
            route.fulfill(json=told, headers={"Access-Control-Allow-Origin": "*"})
        elif path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
            assert asked["code_challenge_method"] == "S256"
            code = f"code-{len(self._nonces)}"
            self._nonces[code] = (asked["nonce"], self.scope_given or asked["scope"])
            told = {"code": code, "state": asked["state"]}
            if asked.get("prompt") == "none" and not self.remembers:
                told = {"error": "login_required", "state": asked["state"]}
            # A page that goes on by itself: an answer of 302 is not followed where it is made up.
            there = json.dumps(f"{asked['redirect_uri']}?{urlencode(told)}")
            route.fulfill(content_type="text/html", body=f"<script>location.replace({there})</script>")
        else:
            code = parse_qs(request.post_data or "")["code"][0]
            nonce, scope = self._nonces[code]
            claims = {
                "iss": ISSUER,
                "aud": "marketplane-web",
                "sub": "ada@example.com",
                "name": "Ada Lovelace",
                "email": "ada@example.com",
                "nonce": nonce,
                "iat": 1_700_000_000,
                "exp": 4_000_000_000,
            }
            token = {
                "access_token": f"token-{code}",
                "id_token": f"{encoded({'alg': 'RS256'})}.{encoded(claims)}.c2lnbmF0dXJl",
                "token_type": "Bearer",
                "expires_in": 3600,
                "scope": scope,
            }
            route.fulfill(json=token, headers={"Access-Control-Allow-Origin": "*"})


def page(items: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    start, limit = int(query.get("cursor", "0")), int(query.get("limit", "50"))
    following = start + limit
    return {
        "items": items[start:following],
        "next_cursor": str(following) if following < len(items) else None,
    }


def encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
